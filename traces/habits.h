/* How a program uses its memory, beyond counts: how long blocks live, how they grow, what each
 * thread and each phase does. Calls that an allocator made for itself (nested) are left out, and so
 * are the blocks that they bear.
 *
 * A part of a trace does not know when the blocks were born that it begins with. It inherits them
 * by their place in the live set, keeps what became of each, and the merge adds the rest.
 */
#ifndef REHEAP_TRACES_HABITS_H
#define REHEAP_TRACES_HABITS_H

#include <stdbool.h>
#include <stdint.h>

#include "traces/reader.h"

enum {
    RH_LIFETIMES = 18, /* bucket b: died within 4^b calls of the birth, 0 being the very next; the
                          last: the rest */
    RH_GROWTHS = 6,
    RH_PHASE_NAME = 64
};

/* What a realloc did to a block's size: the buckets of `growths`. */
typedef enum rh_growth {
    RH_GROWTH_SMALLER,
    RH_GROWTH_SAME,
    RH_GROWTH_QUARTER, /* up to 1.25 times */
    RH_GROWTH_HALF,    /* up to 1.5 times */
    RH_GROWTH_DOUBLE,  /* up to twice */
    RH_GROWTH_MORE
} rh_growth;

/* From one mark (or the beginning) to the next (or the end). */
typedef struct rh_phase {
    char name[RH_PHASE_NAME]; /* of the mark, cut; "" before the first */
    uint64_t first_event, events;
    uint64_t requests, requested_bytes;
    uint64_t peak_bytes, peak_blocks; /* alive at once during the phase */
    uint64_t end_bytes, end_blocks;
} rh_phase;

typedef struct rh_thread_habits {
    uint64_t events, requests, requested_bytes;
    uint64_t foreign_deaths; /* frees of blocks that another thread allocated */
} rh_thread_habits;

typedef struct rh_block_life rh_block_life;
typedef struct rh_inherited_life rh_inherited_life;

typedef struct rh_habits {
    uint64_t lifetimes[RH_LIFETIMES], lifetime_bytes[RH_LIFETIMES]; /* by size at death */
    uint64_t survivors, survivor_bytes;                             /* alive now */
    uint64_t growths[RH_GROWTHS];
    uint64_t resized_bytes; /* sizes before, summed: what had to be copied if every block moved */
    uint64_t most_resizes;  /* of one block */
    rh_thread_habits *threads;
    uint32_t thread_count;
    rh_phase *phases; /* at least one */
    uint32_t phase_count;
    bool more_phases; /* marks beyond the number that is kept were left out */

    /* for this module */
    rh_block_life *lives; /* by slot */
    uint32_t slots, thread_room, phase_room;
    uint64_t calls;
    rh_inherited_life *inherited; /* of the blocks that lived when a part began, oldest first */
    uint32_t inherited_count, inherited_room;
    rh_block_life *kept; /* those that lived when it ended, oldest first */
    uint32_t kept_count, kept_room;
    uint32_t resumed; /* of the kept ones, how many a whole that goes on has found again */
    bool merged;
} rh_habits;

/* False: no memory. */
bool rh_habits_init(rh_habits *habits);
void rh_habits_release(rh_habits *habits);

/* Adds a batch, from the start of the trace on. False: no memory. */
bool rh_habits_add(rh_habits *habits, const rh_batch *batch);

/* For a part of a trace, or a whole that goes on behind merged parts: tells it, before any events,
 * some of the blocks alive where it begins, oldest first. For a part, at its end: those that live
 * on; no events after that. False: no memory. */
bool rh_habits_enter(rh_habits *habits, const rh_batch *live);
bool rh_habits_leave(rh_habits *habits, const rh_batch *live);

/* Adds the part that follows what has been merged so far. False: no memory. */
bool rh_habits_merge(rh_habits *whole, const rh_habits *part);

/* The most calls of a bucket; UINT64_MAX for the last. */
uint64_t rh_lifetime_limit(unsigned bucket);

#endif
