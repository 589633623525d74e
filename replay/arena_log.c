#include "replay/arena_log.h"

#include <string.h>

#define LOOKS_WANTED 256

/* ---- the arenas that are held, by address ---- */

/* The place of the first one at `address` or above. */
static uint32_t
find_place(const rh_arena_log *log, uint64_t address)
{
    uint32_t low = 0, high = log->held_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (log->held[middle].address < address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static rh_log_place *
find_held(rh_arena_log *log, uint64_t address)
{
    uint32_t place = find_place(log, address);
    bool found = place < log->held_count && log->held[place].address == address;
    return found ? &log->held[place] : NULL;
}

uint32_t
rh_arena_log_find(const rh_arena_log *log, uint64_t address)
{
    uint32_t place = find_place(log, address);
    bool found = place < log->held_count && log->held[place].address == address;
    return found ? log->held[place].arena : UINT32_MAX;
}

static void
hold(rh_arena_log *log, uint64_t address, uint32_t arena)
{
    uint32_t place = find_place(log, address);
    rh_log_place *at = &log->held[place];
    memmove(at + 1, at, (log->held_count - place) * sizeof *at);
    *at = (rh_log_place){.address = address, .arena = arena, .look = log->looks_ever};
    log->held_count++;
}

static void
let_go(rh_arena_log *log, rh_log_place *at)
{
    size_t after = (size_t)(&log->held[log->held_count] - (at + 1));
    memmove(at, at + 1, after * sizeof *at);
    log->held_count--;
}

/* ---- births and deaths ---- */

static void
enter(rh_arena_log *log, uint32_t slot, uint64_t address, uint64_t size_bytes, uint64_t event)
{
    log->births++;
    if (log->arena_count == RH_LOG_ARENAS) {
        log->unlisted++;
        return;
    }
    bool counted = slot < RH_LOG_ARENAS;
    log->arenas[log->arena_count] =
        (rh_arena_life){.address = address,
                        .size_bytes = size_bytes,
                        .born_event = event,
                        .died_event = RH_UNKNOWN,
                        .slot = slot,
                        .generation = counted ? log->generation[slot]++ : 0,
                        .exact = log->exact};
    hold(log, address, log->arena_count++);
}

static void
born(void *ctx, uint32_t slot, uintptr_t address, size_t size_bytes)
{
    rh_arena_log *log = ctx;
    enter(log, slot, address, size_bytes, *log->calls + 1);
}

static void
died(void *ctx, uint32_t slot, uintptr_t address)
{
    (void)slot;
    rh_arena_log *log = ctx;
    rh_log_place *at = find_held(log, address);
    if (!at)
        return; /* not listed */
    log->arenas[at->arena].died_event = *log->calls + 1;
    let_go(log, at);
}

/* A heap that does not tell: an arena is met for the first time. */
static void
discover(rh_arena_log *log, const rh_arena_view *view, uint64_t event)
{
    uint32_t slot =
        log->free_slot_count ? log->free_slots[--log->free_slot_count] : log->arenas_of_slot++;
    enter(log, slot, view->address, view->size_bytes, event);
}

/* And those that a look did not meet are gone. */
static void
miss(rh_arena_log *log, uint64_t event)
{
    for (uint32_t i = 0; i < log->held_count;) {
        rh_log_place *at = &log->held[i];
        if (at->look == log->looks_ever) {
            i++;
            continue;
        }
        rh_arena_life *life = &log->arenas[at->arena];
        life->died_event = event;
        log->free_slots[log->free_slot_count++] = life->slot;
        let_go(log, at);
    }
}

/* ---- looks ---- */

/* Every second look is forgotten. */
static void
thin(rh_arena_log *log)
{
    uint32_t looks = 0, rows = 0;
    for (uint32_t i = 0; i < log->look_count; i += 2)
        log->looks[looks++] = log->looks[i];
    for (uint32_t i = 0; i < log->row_count; i++) {
        if (log->rows[i].look % 2)
            continue;
        log->rows[rows] = log->rows[i];
        log->rows[rows++].look /= 2;
    }
    log->look_count = looks;
    log->row_count = rows;
    log->stride *= 2;
}

static void
add_row(void *ctx, const rh_arena_view *view)
{
    rh_arena_log *log = ctx;
    rh_log_place *at = find_held(log, view->address);
    if (!at && !log->exact) {
        discover(log, view, *log->calls);
        at = find_held(log, view->address);
    }
    if (!at)
        return; /* not listed */
    at->look = log->looks_ever;
    rh_arena_life *life = &log->arenas[at->arena];
    if (view->block_bytes > life->most_block_bytes)
        life->most_block_bytes = view->block_bytes;
    if (log->row_count < RH_LOG_ROWS)
        log->rows[log->row_count++] = (rh_arena_row){.look = log->look_count,
                                                     .arena = at->arena,
                                                     .event = *log->calls,
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
take_back(rh_arena_log *log, uint64_t event)
{
    if (!log->look_count || log->looks[log->look_count - 1].event != event)
        return;
    log->look_count--;
    while (log->row_count && log->rows[log->row_count - 1].look == log->look_count)
        log->row_count--;
}

static void
look(rh_arena_log *log, rh_heap *heap, uint64_t event)
{
    rh_arena_census census;
    take_back(log, event);
    while (log->look_count > 1 &&
           (log->look_count == RH_LOG_LOOKS || RH_LOG_ROWS - log->row_count < log->held_count + 1))
        thin(log);
    log->looks_ever++;
    if (!rh_arena_census_take(heap, &log->packing, &census, add_row, log)) {
        log->broken = true;
        return;
    }
    if (!log->exact)
        miss(log, event);
    census.event = event;
    if (log->looks_ever == 1 || is_worse(&census, &log->worst))
        log->worst = census;
    log->looks[log->look_count++] = census;
}

void
rh_arena_log_sample(rh_arena_log *log, rh_heap *heap, uint64_t event, bool last)
{
    if (!log->known || log->broken)
        return;
    if (log->samples++ % log->stride == 0 || last)
        look(log, heap, event);
}

void
rh_arena_log_begin(rh_arena_log *log, rh_heap *heap, uint64_t samples, const uint64_t *calls)
{
    const rh_arena_watch watch = {.ctx = log, .born = born, .died = died};
    rh_arena_census census;
    log->calls = calls;
    log->stride =
        samples > LOOKS_WANTED ? (uint32_t)((samples + LOOKS_WANTED - 1) / LOOKS_WANTED) : 1;
    log->known = rh_arena_census_take(heap, &log->packing, &census, NULL, NULL);
    log->exact = log->known && rh_heap_watch_arenas(heap, &watch);
}
