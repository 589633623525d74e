#include "replay/arena_census.h"

#include <string.h>

void
rh_packing_clear(rh_packing *packing)
{
    for (uint32_t i = 0; i < packing->count; i++)
        packing->classes[packing->used[i]] = (rh_packing_class){0};
    packing->count = 0;
    packing->full = false;
}

static rh_packing_class *
find_class(rh_packing *packing, uint64_t block_bytes, uint64_t page_bytes)
{
    uint64_t hash = (block_bytes * 31 + page_bytes) * UINT64_C(0x9E3779B97F4A7C15);
    for (uint32_t step = 0; step < RH_PACKING_CLASSES; step++) {
        uint32_t place = (uint32_t)(((hash >> 40) + step) % RH_PACKING_CLASSES);
        rh_packing_class *entry = &packing->classes[place];
        if (entry->block_bytes == block_bytes && entry->page_bytes == page_bytes)
            return entry;
        if (entry->block_bytes)
            continue;
        *entry = (rh_packing_class){.block_bytes = block_bytes, .page_bytes = page_bytes};
        packing->used[packing->count++] = (uint16_t)place;
        return entry;
    }
    return NULL;
}

void
rh_packing_add(rh_packing *packing, uint64_t block_bytes, uint64_t page_bytes, uint64_t capacity,
               uint64_t blocks)
{
    if (!blocks || !block_bytes)
        return;
    rh_packing_class *entry = find_class(packing, block_bytes, page_bytes);
    if (!entry) {
        packing->full = true;
        return;
    }
    entry->blocks += blocks;
    if (capacity > entry->capacity)
        entry->capacity = capacity;
}

static uint64_t
over(uint64_t number, uint64_t by)
{
    return by ? number / by + (number % by != 0) : number;
}

uint64_t
rh_packing_bytes(const rh_packing *packing)
{
    if (packing->full)
        return RH_UNKNOWN;
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < packing->count; i++) {
        const rh_packing_class *entry = &packing->classes[packing->used[i]];
        bytes += over(entry->blocks, entry->capacity) * entry->page_bytes;
    }
    return bytes;
}

uint64_t
rh_packing_arenas(const rh_packing *packing, uint64_t arena_bytes)
{
    uint64_t bytes = rh_packing_bytes(packing);
    return bytes == RH_UNKNOWN ? bytes : over(bytes, arena_bytes);
}

/* ---- the walk ---- */

typedef struct walk_state {
    rh_arena_census *census;
    rh_packing *packing;
    rh_arena_taker *take;
    void *ctx;
    rh_arena_view arena; /* the one whose pages come now; size_bytes 0: none yet */
    uint64_t largest_bytes;
} walk_state;

static void
finish_arena(walk_state *state)
{
    const rh_arena_view *arena = &state->arena;
    rh_arena_census *census = state->census;
    if (!arena->size_bytes)
        return;
    census->arenas++;
    census->arena_bytes += arena->size_bytes;
    census->blocks += arena->blocks;
    census->block_bytes += arena->block_bytes;
    if (arena->size_bytes > state->largest_bytes)
        state->largest_bytes = arena->size_bytes;
    if (arena->pages) {
        census->under_10_arenas += rh_arena_is_under(arena->block_bytes, arena->size_bytes, 10);
        census->under_25_arenas += rh_arena_is_under(arena->block_bytes, arena->size_bytes, 25);
        census->under_50_arenas += rh_arena_is_under(arena->block_bytes, arena->size_bytes, 50);
    } else {
        census->empty_arenas++;
    }
    if (state->take)
        state->take(state->ctx, arena);
}

static bool
visit(void *ctx, const rh_region *region)
{
    walk_state *state = ctx;
    if (region->kind == RH_REGION_ARENA) {
        finish_arena(state);
        state->arena =
            (rh_arena_view){.address = region->address, .size_bytes = region->size_bytes};
        return true;
    }
    if (region->kind != RH_REGION_PAGE || !region->used)
        return true;
    state->arena.pages++;
    state->arena.blocks += region->used;
    state->arena.block_bytes += (uint64_t)region->used * region->block_bytes;
    rh_packing_add(state->packing, region->block_bytes, region->size_bytes, region->capacity,
                   region->used);
    return true;
}

bool
rh_arena_census_take(rh_heap *heap, rh_packing *packing, rh_arena_census *census,
                     rh_arena_taker *take, void *ctx)
{
    *census = (rh_arena_census){0};
    rh_packing_clear(packing);
    walk_state state = {.census = census, .packing = packing, .take = take, .ctx = ctx};
    if (!rh_heap_walk_pages(heap, visit, &state))
        return false;
    finish_arena(&state);
    census->packed_arenas = rh_packing_arenas(packing, state.largest_bytes);
    return true;
}
