/* An arena source that puts arenas where a recorded allocator had them, and notes where the heap
 * that asks does otherwise.
 *
 * What the recorded allocator got and gave back is queued in its order; each request of the heap
 * takes the next entry. Two uses:
 *
 *   compared   births and deaths are queued as they come, the ones of a call before it; after the
 *              call rh_arena_recorded_settle says what the heap should have done and did not
 *   placed     only births are queued, all at once; the heap gives back what and when it likes
 *
 * Addresses are numbers unless memory is reserved for them: then the whole span is reserved first,
 * moved by the smallest multiple at which it is free, and arenas are made in it. An arena that
 * nothing is queued for, or whose place is still in use, is put elsewhere.
 */
#ifndef REHEAP_ALLOC_ARENA_RECORDED_H
#define REHEAP_ALLOC_ARENA_RECORDED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "alloc/pymem.h"
#include "base/error.h"

typedef struct rh_recorded_arena {
    bool freed, failed; /* given back; could not be had */
    uint64_t address, size;
} rh_recorded_arena;

typedef struct rh_arena_recorded {
    rh_recorded_arena *queue;
    size_t queued, taken, capacity;
    bool placed;    /* deaths are not compared */
    uint64_t event; /* what is going on, for `difference`: its user's number */
    uint64_t compared, different;
    char difference[512]; /* the first one in words; "" for none */
    uint64_t elsewhere;   /* arenas put there */
    /* Memory for the addresses, when there is some. */
    uintptr_t base;
    size_t bytes;
    uintptr_t shift; /* where arenas are, less where they were */
    uintptr_t *live; /* arenas in the span */
    size_t live_count, live_capacity;
} rh_arena_recorded;

void rh_arena_recorded_init(rh_arena_recorded *recorded, bool placed);
void rh_arena_recorded_release(rh_arena_recorded *recorded);

/* Queues an entry. False when there is no memory. */
bool rh_arena_recorded_expect(rh_arena_recorded *recorded, const rh_recorded_arena *arena);

/* Reserves memory for everything queued so far, moved by the smallest multiple of `step` bytes (a
 * power of two, at least the size of an arena) that is free; recorded->shift is that distance.
 * RH_USAGE when the addresses are no process's; RH_SYSTEM when no place is free. */
rh_status rh_arena_recorded_reserve(rh_arena_recorded *recorded, uint64_t step, rh_error *error);

/* The call is over: what is left in the queue, the heap did not do. */
void rh_arena_recorded_settle(rh_arena_recorded *recorded);

/* Bytes of its own tables. */
uint64_t rh_arena_recorded_bytes(const rh_arena_recorded *recorded);

PyObjectArenaAllocator rh_arena_recorded_source(rh_arena_recorded *recorded);

#endif
