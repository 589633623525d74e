#define _GNU_SOURCE
#include "alloc/pymalloc_arenas.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/mman.h>

#define SLOTS_AT_FIRST 16
#define PAGE_BYTES     ((size_t)4096)
#define GUESS_BYTES    ((size_t)64 << 30)

bool
rh_arenas_init(rh_arenas *arenas, const rh_pymalloc_geometry *geometry, rh_policy policy,
               uint32_t keep, bool side, unsigned map_address_bits)
{
    *arenas = (rh_arenas){.geometry = *geometry, .keep = keep, .side = side, .unused = RH_NO_ARENA};
    rh_arena_map_census_init(&arenas->census, map_address_bits, geometry->arena_shift);
    bool ready = rh_arena_order_init(&arenas->order, policy, geometry->pools) &&
                 rh_address_map_init(&arenas->map, geometry->arena_shift) &&
                 (!side || rh_pool_stacks_init(&arenas->stacks, rh_class_capacity(geometry, 0)));
    if (!ready)
        rh_arenas_release(arenas);
    return ready;
}

/* ---- headers beside ---- */

void
rh_arenas_set_window(rh_arenas *arenas, uintptr_t base, size_t bytes)
{
    if (arenas->side)
        rh_pool_headers_init(&arenas->headers, base, bytes, arenas->geometry.pool_shift);
}

void
rh_arenas_unset_window(rh_arenas *arenas)
{
    rh_pool_headers_release(&arenas->headers);
    arenas->has_run = true;
}

/* Around the first arena of a source that nobody knows. */
static void
guess_window(rh_arenas *arenas, uintptr_t base)
{
    uintptr_t half = GUESS_BYTES / 2, pool = arenas->geometry.pool_bytes;
    uintptr_t from = base > half ? (base - half) & ~(pool - 1) : 0;
    if (arenas->has_run && !arenas->headers.first)
        rh_pool_headers_init(&arenas->headers, from, GUESS_BYTES, arenas->geometry.pool_shift);
}

/* Of an arena that is not in the window's array. */
static size_t
own_header_bytes(const rh_arenas *arenas)
{
    size_t bytes = arenas->geometry.pools * sizeof(rh_side_pool);
    return (bytes + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
}

static bool
has_own_headers(const rh_arenas *arenas, const rh_arena *arena)
{
    uintptr_t offset = (uintptr_t)arena->side - (uintptr_t)arenas->headers.first;
    return offset >= arenas->headers.reserved_bytes;
}

static bool
make_headers(rh_arenas *arenas, rh_arena *arena)
{
    guess_window(arenas, arena->base);
    if (rh_pool_headers_has(&arenas->headers, arena->base)) {
        arena->side = rh_pool_headers_of(&arenas->headers, arena->first_pool, arena->pools);
        if (arena->side)
            return true;
        if (!arenas->has_run)
            return false; /* what lies in the window is looked for in its array, and nowhere else */
    }
    void *side = mmap(NULL, own_header_bytes(arenas), PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (side == MAP_FAILED)
        return false;
    arena->side = side;
    arenas->own_header_bytes += own_header_bytes(arenas);
    return true;
}

static void
drop_headers(rh_arenas *arenas, rh_arena *arena)
{
    if (!arenas->side)
        return;
    for (uint32_t i = 0; i < arena->cut; i++) {
        const rh_side_pool *beside = &arena->side[i];
        if (beside->stack)
            rh_pool_stacks_give(&arenas->stacks, beside->stack, beside->pool.capacity);
    }
    if (has_own_headers(arenas, arena)) {
        munmap(arena->side, own_header_bytes(arenas));
        arenas->own_header_bytes -= own_header_bytes(arenas);
    }
    arena->side = NULL;
}

/* ---- addresses that lie together ---- */

/* Whether an arena begins there that can be part of the run. */
static bool
can_follow(const rh_arenas *arenas, uintptr_t address)
{
    uint32_t slot;
    if (!rh_address_map_find(&arenas->map, address, arenas->geometry.arena_shift, &slot))
        return false;
    const rh_arena *arena = &arenas->slots[slot];
    return arena->base == address && !(arenas->side && has_own_headers(arenas, arena));
}

static void
run_with(rh_arenas *arenas, uintptr_t base)
{
    size_t bytes = arenas->geometry.arena_bytes;
    if (!arenas->has_run || !can_follow(arenas, base))
        return;
    if (arenas->run == arenas->run_end)
        arenas->run = arenas->run_end = base;
    while (can_follow(arenas, arenas->run_end))
        arenas->run_end += bytes;
    while (can_follow(arenas, arenas->run - bytes))
        arenas->run -= bytes;
}

/* Of two parts the larger stays, until an arena fills the gap; of none, any arena begins anew. */
static void
run_without(rh_arenas *arenas, uintptr_t base)
{
    uintptr_t end = base + arenas->geometry.arena_bytes;
    if (base < arenas->run || base >= arenas->run_end)
        return;
    if (base - arenas->run > arenas->run_end - end)
        arenas->run_end = base;
    else
        arenas->run = end;
    for (uint32_t i = 0; arenas->run == arenas->run_end && i < arenas->count; i++)
        if (arenas->slots[i].base && arenas->slots[i].base != base)
            run_with(arenas, arenas->slots[i].base);
}

/* ---- birth and death of arenas ---- */

/* A slot for a new arena, still unlinked; RH_NO_ARENA when there is no memory. */
static uint32_t
find_slot(rh_arenas *arenas)
{
    if (arenas->unused != RH_NO_ARENA)
        return arenas->unused;
    if (arenas->count == arenas->capacity) {
        uint32_t capacity = arenas->capacity ? arenas->capacity * 2 : SLOTS_AT_FIRST;
        if (!rh_arena_books_slots(&arenas->books, capacity))
            return RH_NO_ARENA;
        rh_arena *slots = realloc(arenas->slots, capacity * sizeof *slots);
        if (!slots)
            return RH_NO_ARENA;
        arenas->slots = slots;
        if (!rh_arena_order_reserve(&arenas->order, slots, capacity))
            return RH_NO_ARENA;
        arenas->capacity = capacity;
    }
    return arenas->count;
}

static void
lay_out(const rh_arenas *arenas, rh_arena *arena, uintptr_t base)
{
    uintptr_t pool = arenas->geometry.pool_bytes;
    uint32_t next_unused = arena->next;
    bool aligned = (base & (pool - 1)) == 0;
    *arena = (rh_arena){
        .base = base,
        .first_pool = (base + pool - 1) & ~(pool - 1),
        .pools = arenas->geometry.pools - !aligned,
        .free_pools = arenas->geometry.pools - !aligned,
        .next = next_unused,
    };
}

/* Enters what the source gave; false when it cannot be used. */
static bool
enter(rh_arenas *arenas, uint32_t slot, void *memory)
{
    rh_arena *arena = &arenas->slots[slot];
    lay_out(arenas, arena, (uintptr_t)memory);
    if (arena->pools > 0 &&
        rh_arena_map_census_enter(&arenas->census, arena->base, &arenas->books) &&
        (!arenas->side || make_headers(arenas, arena))) {
        if (rh_address_map_enter(&arenas->map, arena->base, slot))
            return true;
        drop_headers(arenas, arena);
    }
    arena->base = 0;
    return false;
}

static void
count_birth(rh_arenas *arenas, const rh_arena *arena)
{
    arenas->allocated++;
    arenas->current++;
    if (arenas->current > arenas->highwater)
        arenas->highwater = arenas->current;
    arenas->unaligned += arena->first_pool != arena->base;
    arenas->idle_arenas++;
    arenas->pools_whole += arena->pools;
}

static bool
new_arena(rh_arenas *arenas)
{
    if (arenas->announce)
        arenas->announce(arenas->announce_ctx);
    arenas->changes++;
    uint32_t slot = find_slot(arenas);
    if (slot == RH_NO_ARENA)
        return false;
    bool reused = slot == arenas->unused;
    if (!reused)
        arenas->slots[slot] = (rh_arena){.next = RH_NO_ARENA};
    void *memory = arenas->source.alloc(arenas->source.ctx, arenas->geometry.arena_bytes);
    if (!memory)
        return false;
    if (!enter(arenas, slot, memory)) {
        arenas->source.free(arenas->source.ctx, memory, arenas->geometry.arena_bytes);
        return false;
    }
    rh_arena *arena = &arenas->slots[slot];
    if (reused)
        arenas->unused = arena->next;
    else
        arenas->count++;
    arenas->slots_reused += reused;
    count_birth(arenas, arena);
    rh_arena_order_add(&arenas->order, slot);
    run_with(arenas, arena->base);
    if (arenas->watch.born)
        arenas->watch.born(arenas->watch.ctx, slot, arena->base, arenas->geometry.arena_bytes);
    return true;
}

void
rh_arenas_release_arena(rh_arenas *arenas, uint32_t slot)
{
    rh_arena *arena = &arenas->slots[slot];
    if (arenas->watch.died)
        arenas->watch.died(arenas->watch.ctx, slot, arena->base);
    rh_arena_order_remove(&arenas->order, slot);
    rh_address_map_remove(&arenas->map, arena->base);
    run_without(arenas, arena->base);
    drop_headers(arenas, arena);
    arenas->source.free(arenas->source.ctx, (void *)arena->base, arenas->geometry.arena_bytes);
    arenas->changes++;
    arenas->released++;
    arenas->current--;
    arenas->unaligned -= arena->first_pool != arena->base;
    arenas->pools_whole -= arena->pools;
    *arena = (rh_arena){.next = arenas->unused};
    arenas->unused = slot;
}

void
rh_arenas_release(rh_arenas *arenas)
{
    for (uint32_t i = 0; i < arenas->count; i++) {
        rh_arena *arena = &arenas->slots[i];
        if (!arena->base)
            continue;
        drop_headers(arenas, arena);
        arenas->source.free(arenas->source.ctx, (void *)arena->base, arenas->geometry.arena_bytes);
    }
    rh_pool_headers_release(&arenas->headers);
    rh_pool_stacks_release(&arenas->stacks);
    free(arenas->slots);
    arenas->slots = NULL;
    arenas->count = 0;
    rh_arena_order_release(&arenas->order);
    rh_arena_map_census_release(&arenas->census);
    rh_address_map_release(&arenas->map);
}

/* ---- pools ---- */

static rh_pool *
cut_pool(rh_arenas *arenas, uint32_t slot)
{
    rh_arena *arena = &arenas->slots[slot];
    assert(arena->cut < arena->pools);
    uint32_t index = arena->cut++;
    rh_pool *pool = rh_arena_pool(arenas, arena, index);
    *pool = (rh_pool){.arena = slot};
    if (arenas->side) {
        uintptr_t address = arena->first_pool + ((uintptr_t)index << arenas->geometry.pool_shift);
        arena->side[index].stack = NULL;
        arena->side[index].origin =
            address & ~(((uintptr_t)1 << (16 + arenas->geometry.class_shift)) - 1);
    }
    return pool;
}

rh_pool *
rh_arenas_take_slowly(rh_arenas *arenas)
{
    uint32_t slot = rh_arena_order_first(&arenas->order);
    bool fresh = slot == RH_NO_ARENA;
    if (fresh) {
        if (!new_arena(arenas))
            return NULL;
        slot = rh_arena_order_first(&arenas->order);
    }
    rh_arena *arena = &arenas->slots[slot];
    if (arena->free_pools == arena->pools) {
        arenas->idle_arenas--;
        arenas->arenas_reused += !fresh;
    }
    rh_arena_order_taken(&arenas->order);
    rh_pool *pool = arena->given_back;
    if (!pool)
        return cut_pool(arenas, slot);
    arena->given_back = pool->next;
    arenas->pools_recycled++;
    return pool;
}

void
rh_arenas_trim(rh_arenas *arenas)
{
    for (uint32_t slot = 0; slot < arenas->count; slot++) {
        const rh_arena *arena = &arenas->slots[slot];
        if (!arena->base || arena->free_pools != arena->pools)
            continue;
        rh_arenas_release_arena(arenas, slot);
        arenas->idle_arenas--;
    }
}

/* ---- questions ---- */

uint64_t
rh_arenas_table_bytes(const rh_arenas *arenas)
{
    const rh_arena_map_census *census = &arenas->census;
    return arenas->capacity * sizeof *arenas->slots + rh_arena_order_bytes(&arenas->order) +
           rh_address_map_bytes(&arenas->map) +
           (census->middle.capacity + census->bottom.capacity) * sizeof(uint64_t);
}

uint64_t
rh_arenas_side_bytes(const rh_arenas *arenas)
{
    return arenas->headers.made_bytes + arenas->own_header_bytes + arenas->stacks.bytes;
}

typedef struct rh_arena_name {
    uintptr_t base;
    uint32_t slot;
} rh_arena_name;

static int
by_base(const void *first, const void *second)
{
    uintptr_t a = ((const rh_arena_name *)first)->base, b = ((const rh_arena_name *)second)->base;
    return (a > b) - (a < b);
}

uint32_t *
rh_arenas_by_address(const rh_arenas *arenas)
{
    rh_arena_name *names = malloc((arenas->current + 1) * sizeof *names);
    uint32_t *slots = malloc((arenas->current + 1) * sizeof *slots);
    if (names && slots) {
        size_t count = 0;
        for (uint32_t i = 0; i < arenas->count; i++)
            if (arenas->slots[i].base)
                names[count++] = (rh_arena_name){arenas->slots[i].base, i};
        qsort(names, count, sizeof *names, by_base);
        for (size_t i = 0; i < count; i++)
            slots[i] = names[i].slot;
    } else {
        free(slots);
        slots = NULL;
    }
    free(names);
    return slots;
}
