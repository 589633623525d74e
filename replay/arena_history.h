/* The history of a heap's arenas over a memory pass: when each came and went, and how full it was.
 *
 * Births and deaths are exact where the heap tells them (rh_heap_watch_arenas); else they are the
 * first and the last look that met the arena. Looks are some of the pass's samples: their number,
 * and what is kept of them, is bounded. When there is no room for another row, every second look is
 * forgotten, and from then on half as many are taken.
 *
 * All that a history keeps lies in memory of the caller's, which may be shared and need not be
 * resident: what is not used is not touched. Nothing is allocated.
 */
#ifndef REHEAP_REPLAY_ARENA_HISTORY_H
#define REHEAP_REPLAY_ARENA_HISTORY_H

#include <stdbool.h>
#include <stdint.h>

#include "alloc/heap.h"
#include "replay/arena_census.h"
#include "replay/results_arenas.h"

enum {
    RH_HISTORY_ARENAS = 1 << 17, /* the first so many are listed */
    RH_HISTORY_ROWS = 1 << 18,
    RH_HISTORY_LOOKS = 512
};

/* An arena that is held. */
typedef struct rh_history_place {
    uint64_t address;
    uint32_t arena; /* in the list */
    uint32_t look;  /* the last that met it */
} rh_history_place;

typedef struct rh_arena_history {
    bool known;  /* the heap tells of arenas */
    bool exact;  /* of births and deaths, too */
    bool broken; /* a walk failed: what there is ends there */
    bool before; /* the caller's: the recording has not begun, what happens now has event 0 */
    uint64_t births, unlisted;
    uint32_t arena_count, row_count, look_count;
    rh_arena_census worst; /* of all looks, the first with the most arenas beyond those of a perfect
                              packing */
    rh_arena_census looks[RH_HISTORY_LOOKS];

    /* for this module */
    uint32_t stride, samples, looks_ever, held_count;
    uint32_t arenas_of_slot; /* slots that were ever used */
    rh_packing packing;
    rh_history_place held[RH_HISTORY_ARENAS]; /* by address */
    uint32_t generation[RH_HISTORY_ARENAS];
    uint32_t free_slot_count, free_slots[RH_HISTORY_ARENAS]; /* where the heap tells no slots */
    const uint64_t *calls;
    rh_arena_life arenas[RH_HISTORY_ARENAS]; /* in order of birth */
    rh_arena_row rows[RH_HISTORY_ROWS];      /* look by look */
} rh_arena_history;

/* `history` is zero. `samples`: how many there will be, at most. `calls`: the clock, which lives
 * longer than the heap is watched. Before the heap's first allocation. */
void rh_arena_history_begin(rh_arena_history *history, rh_heap *heap, uint64_t samples,
                            const uint64_t *calls);
/* The place in the list of the arena that is held at `address`; UINT32_MAX: it is not listed. */
uint32_t rh_arena_history_find(const rh_arena_history *history, uint64_t address);
/* A sample was taken, after call number `event`; the last one is always looked at. */
void rh_arena_history_sample(rh_arena_history *history, rh_heap *heap, uint64_t event, bool last);

#endif
