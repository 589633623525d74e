#include "replay/arena_history.h"

#include <string.h>

#define LOOKS_WANTED 256

/* ---- the arenas that are held, by address ---- */

/* The place of the first one at `address` or above. */
static uint32_t
find_place(const rh_arena_history *history, uint64_t address)
{
    uint32_t low = 0, high = history->held_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (history->held[middle].address < address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static rh_history_place *
find_held(rh_arena_history *history, uint64_t address)
{
    uint32_t place = find_place(history, address);
    bool found = place < history->held_count && history->held[place].address == address;
    return found ? &history->held[place] : NULL;
}

uint32_t
rh_arena_history_find(const rh_arena_history *history, uint64_t address)
{
    uint32_t place = find_place(history, address);
    bool found = place < history->held_count && history->held[place].address == address;
    return found ? history->held[place].arena : UINT32_MAX;
}

static void
hold(rh_arena_history *history, uint64_t address, uint32_t arena)
{
    uint32_t place = find_place(history, address);
    rh_history_place *at = &history->held[place];
    memmove(at + 1, at, (history->held_count - place) * sizeof *at);
    *at = (rh_history_place){.address = address, .arena = arena, .look = history->looks_ever};
    history->held_count++;
}

static void
let_go(rh_arena_history *history, rh_history_place *at)
{
    size_t after = (size_t)(&history->held[history->held_count] - (at + 1));
    memmove(at, at + 1, after * sizeof *at);
    history->held_count--;
}

/* ---- births and deaths ---- */

static void
enter(rh_arena_history *history, uint32_t slot, uint64_t address, uint64_t size_bytes,
      uint64_t event)
{
    history->births++;
    if (history->arena_count == RH_HISTORY_ARENAS) {
        history->unlisted++;
        return;
    }
    bool counted = slot < RH_HISTORY_ARENAS;
    history->arenas[history->arena_count] =
        (rh_arena_life){.address = address,
                        .size_bytes = size_bytes,
                        .born_event = event,
                        .died_event = RH_UNKNOWN,
                        .slot = slot,
                        .generation = counted ? history->generation[slot]++ : 0,
                        .exact = history->exact};
    hold(history, address, history->arena_count++);
}

/* The call during which something happens now. */
static uint64_t
this_call(const rh_arena_history *history)
{
    return history->before ? 0 : *history->calls + 1;
}

static void
born(void *ctx, uint32_t slot, uintptr_t address, size_t size_bytes)
{
    rh_arena_history *history = ctx;
    enter(history, slot, address, size_bytes, this_call(history));
}

static void
died(void *ctx, uint32_t slot, uintptr_t address)
{
    (void)slot;
    rh_arena_history *history = ctx;
    rh_history_place *at = find_held(history, address);
    if (!at)
        return; /* not listed */
    history->arenas[at->arena].died_event = this_call(history);
    let_go(history, at);
}

/* A heap that does not tell: an arena is met for the first time. */
static void
discover(rh_arena_history *history, const rh_arena_view *view, uint64_t event)
{
    if (history->arena_count == RH_HISTORY_ARENAS) {
        history->unlisted++;
        return;
    }
    uint32_t slot = history->free_slot_count ? history->free_slots[--history->free_slot_count]
                                             : history->arenas_of_slot++;
    enter(history, slot, view->address, view->size_bytes, event);
}

/* And those that a look did not meet are gone. */
static void
miss(rh_arena_history *history, uint64_t event)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < history->held_count; i++) {
        const rh_history_place *at = &history->held[i];
        rh_arena_life *life = &history->arenas[at->arena];
        if (at->look == history->looks_ever) {
            history->held[kept++] = *at;
            continue;
        }
        life->died_event = event;
        history->free_slots[history->free_slot_count++] = life->slot;
    }
    history->held_count = kept;
}

/* ---- looks ---- */

/* Every second look is forgotten. */
static void
thin(rh_arena_history *history)
{
    uint32_t looks = 0, rows = 0;
    for (uint32_t i = 0; i < history->look_count; i += 2)
        history->looks[looks++] = history->looks[i];
    for (uint32_t i = 0; i < history->row_count; i++) {
        if (history->rows[i].look % 2)
            continue;
        history->rows[rows] = history->rows[i];
        history->rows[rows++].look /= 2;
    }
    history->look_count = looks;
    history->row_count = rows;
    history->stride *= 2;
}

static void
add_row(void *ctx, const rh_arena_view *view)
{
    rh_arena_history *history = ctx;
    rh_history_place *at = find_held(history, view->address);
    if (!at && !history->exact) {
        discover(history, view, *history->calls);
        at = find_held(history, view->address);
    }
    if (!at)
        return; /* not listed */
    at->look = history->looks_ever;
    rh_arena_life *life = &history->arenas[at->arena];
    if (view->block_bytes > life->most_block_bytes)
        life->most_block_bytes = view->block_bytes;
    if (history->row_count < RH_HISTORY_ROWS)
        history->rows[history->row_count++] = (rh_arena_row){.look = history->look_count,
                                                             .arena = at->arena,
                                                             .event = *history->calls,
                                                             .blocks = view->blocks,
                                                             .pools_in_use = view->pages,
                                                             .block_bytes = view->block_bytes};
}

static bool
is_worse(const rh_arena_census *census, const rh_arena_census *than)
{
    if (census->packed_arenas == RH_UNKNOWN || than->packed_arenas == RH_UNKNOWN)
        return false;
    return census->arenas - census->packed_arenas > than->arenas - than->packed_arenas;
}

/* Rows of a look that was taken at the same call before. */
static void
take_back(rh_arena_history *history, uint64_t event)
{
    if (!history->look_count || history->looks[history->look_count - 1].event != event)
        return;
    history->look_count--;
    while (history->row_count && history->rows[history->row_count - 1].look == history->look_count)
        history->row_count--;
}

static void
look(rh_arena_history *history, rh_heap *heap, uint64_t event)
{
    rh_arena_census census;
    take_back(history, event);
    while (history->look_count > 1 &&
           (history->look_count == RH_HISTORY_LOOKS ||
            RH_HISTORY_ROWS - history->row_count < history->held_count + 1))
        thin(history);
    history->looks_ever++;
    if (!rh_arena_census_take(heap, &history->packing, &census, add_row, history)) {
        history->broken = true;
        return;
    }
    if (!history->exact)
        miss(history, event);
    census.event = event;
    if (history->looks_ever == 1 || is_worse(&census, &history->worst))
        history->worst = census;
    history->looks[history->look_count++] = census;
}

void
rh_arena_history_sample(rh_arena_history *history, rh_heap *heap, uint64_t event, bool last)
{
    if (!history->known || history->broken)
        return;
    if (history->samples++ % history->stride == 0 || last)
        look(history, heap, event);
    /* Nothing tells a heap that never had an arena from one that has no such thing. */
    if (last && !history->exact && history->births == 0)
        history->known = false;
}

void
rh_arena_history_begin(rh_arena_history *history, rh_heap *heap, uint64_t samples,
                       const uint64_t *calls)
{
    const rh_arena_watch watch = {.ctx = history, .born = born, .died = died};
    rh_arena_census census;
    history->calls = calls;
    history->stride =
        samples > LOOKS_WANTED ? (uint32_t)((samples + LOOKS_WANTED - 1) / LOOKS_WANTED) : 1;
    history->known = rh_arena_census_take(heap, &history->packing, &census, NULL, NULL);
    history->exact = history->known && rh_heap_watch_arenas(heap, &watch);
}
