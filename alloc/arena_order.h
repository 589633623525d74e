/* Which arena the next pool is taken from.
 *
 * The order holds the arenas that have a free pool. Policies:
 *
 *   most-full       CPython's: a list ascending by the number of free pools, allocation always at
 *                   its head. Taking a pool never reorders. An arena that gets a pool back moves
 *                   past all that have fewer: `last_with` knows the last arena of each number, so
 *                   that no step walks. A full arena that gets one back comes to the front, and so
 *                   does a new arena, which is only made when there is no other.
 *   lowest-address  the arena with the smallest base.
 *   most-recent     the arena that a pool was given back to last.
 *   least-full      the arena with the most free pools; of several, the one with the smallest base.
 *
 * The lists cost constant time; the other two are binary heaps (logarithmic).
 */
#ifndef REHEAP_ALLOC_ARENA_ORDER_H
#define REHEAP_ALLOC_ARENA_ORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RH_NO_ARENA UINT32_MAX

typedef enum rh_policy {
    RH_POLICY_MOST_FULL,
    RH_POLICY_LOWEST_ADDRESS,
    RH_POLICY_MOST_RECENT,
    RH_POLICY_LEAST_FULL
} rh_policy;

typedef struct rh_order_place {
    uint32_t next, previous; /* lists */
    uint32_t rank;           /* heaps: where in the heap; RH_NO_ARENA when not in the order */
    uint32_t free_pools;
    uintptr_t base;
} rh_order_place;

typedef struct rh_arena_order {
    rh_policy policy;
    rh_order_place *places; /* by slot */
    uint32_t head;          /* lists */
    uint32_t *last_with;    /* most-full: by number of free pools */
    uint32_t *heap;         /* heaps: slots, the first to use first */
    uint32_t count, capacity, pools;
} rh_arena_order;

/* `pools`: most that an arena can have. False when there is no memory. */
bool rh_arena_order_init(rh_arena_order *order, rh_policy policy, uint32_t pools);
void rh_arena_order_release(rh_arena_order *order);
/* Makes room for slots below `capacity`; false when there is no memory. */
bool rh_arena_order_reserve(rh_arena_order *order, uint32_t capacity);

/* A new arena, all of whose pools are free. */
void rh_arena_order_add(rh_arena_order *order, uint32_t arena, uintptr_t base, uint32_t free_pools);
/* The arena to take from; RH_NO_ARENA when none has a free pool. */
uint32_t rh_arena_order_first(const rh_arena_order *order);
/* A pool was taken from the first. */
void rh_arena_order_taken(rh_arena_order *order);
/* A pool was given back to `arena`. */
void rh_arena_order_given(rh_arena_order *order, uint32_t arena);
/* Takes `arena` out; nothing happens when it is not in. */
void rh_arena_order_remove(rh_arena_order *order, uint32_t arena);
/* Whether no other arena stands behind `arena`, or none would: most-full only, else false. */
bool rh_arena_order_is_last(const rh_arena_order *order, uint32_t arena);

uint64_t rh_arena_order_bytes(const rh_arena_order *order);

/* NULL when all is well, else the invariant that is broken. */
const char *rh_arena_order_check(const rh_arena_order *order);

#endif
