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

#include "alloc/arena.h"

typedef enum rh_policy {
    RH_POLICY_MOST_FULL,
    RH_POLICY_LOWEST_ADDRESS,
    RH_POLICY_MOST_RECENT,
    RH_POLICY_LEAST_FULL
} rh_policy;

typedef struct rh_arena_order {
    rh_policy policy;
    uint32_t head;       /* lists */
    rh_arena *slots;     /* the table's */
    uint32_t *last_with; /* most-full: by number of free pools */
    uint32_t *heap;      /* heaps: slots, the first to use first */
    uint32_t count, capacity, pools;
} rh_arena_order;

/* `pools`: most that an arena can have. False when there is no memory. */
bool rh_arena_order_init(rh_arena_order *order, rh_policy policy, uint32_t pools);
void rh_arena_order_release(rh_arena_order *order);
/* The table is at `slots` now and has `capacity` of them; false when there is no memory for that
 * many. */
bool rh_arena_order_reserve(rh_arena_order *order, rh_arena *slots, uint32_t capacity);

/* A new arena, all of whose pools are free. */
void rh_arena_order_add(rh_arena_order *order, uint32_t arena);
/* Takes `arena` out; nothing happens when it is not in. */
void rh_arena_order_remove(rh_arena_order *order, uint32_t arena);
uint64_t rh_arena_order_bytes(const rh_arena_order *order);

/* NULL when all is well, else the invariant that is broken. `usable`: how many arenas have a free
 * pool, and must be in. */
const char *rh_arena_order_check(const rh_arena_order *order, uint64_t usable);

/* ---- every pool that changes hands passes here: inline ---- */

void rh_arena_order_heap_taken(rh_arena_order *order);
void rh_arena_order_heap_given(rh_arena_order *order, uint32_t arena);

static inline bool
rh_arena_order_in_heap(const rh_arena_order *order)
{
    return order->policy == RH_POLICY_LOWEST_ADDRESS || order->policy == RH_POLICY_LEAST_FULL;
}

static inline void
rh_arena_order_link(rh_arena_order *order, uint32_t arena, uint32_t previous, uint32_t next)
{
    order->slots[arena].previous = previous;
    order->slots[arena].next = next;
    if (previous == RH_NO_ARENA)
        order->head = arena;
    else
        order->slots[previous].next = arena;
    if (next != RH_NO_ARENA)
        order->slots[next].previous = arena;
}

static inline void
rh_arena_order_unlink(rh_arena_order *order, uint32_t arena)
{
    uint32_t previous = order->slots[arena].previous, next = order->slots[arena].next;
    if (previous == RH_NO_ARENA)
        order->head = next;
    else
        order->slots[previous].next = next;
    if (next != RH_NO_ARENA)
        order->slots[next].previous = previous;
}

/* `arena` stops being one of those with its number of free pools. */
static inline void
rh_arena_order_leave_number(rh_arena_order *order, uint32_t arena)
{
    const rh_arena *place = &order->slots[arena];
    uint32_t number = place->free_pools;
    if (order->last_with[number] != arena)
        return;
    uint32_t before = place->previous;
    bool same = before != RH_NO_ARENA && order->slots[before].free_pools == number;
    order->last_with[number] = same ? before : RH_NO_ARENA;
}

/* most-full: `arena` goes from `number` free pools to one more. */
static inline void
rh_arena_order_advance(rh_arena_order *order, uint32_t arena, uint32_t number)
{
    uint32_t last = number ? order->last_with[number] : RH_NO_ARENA;
    if (number)
        rh_arena_order_leave_number(order, arena);
    order->slots[arena].free_pools = number + 1;
    if (number == 0)
        rh_arena_order_link(order, arena, RH_NO_ARENA, order->head);
    if (order->last_with[number + 1] == RH_NO_ARENA)
        order->last_with[number + 1] = arena;
    if (number == 0 || last == arena)
        return; /* all that follow have at least as many */
    rh_arena_order_unlink(order, arena);
    rh_arena_order_link(order, arena, last, order->slots[last].next);
}

/* The arena to take from; RH_NO_ARENA when none has a free pool. */
static inline uint32_t
rh_arena_order_first(const rh_arena_order *order)
{
    if (rh_arena_order_in_heap(order))
        return order->count ? order->heap[0] : RH_NO_ARENA;
    return order->head;
}

/* A pool is taken from the first of a list: its free_pools go down by one. */
static inline void
rh_arena_order_list_taken(rh_arena_order *order)
{
    uint32_t head = order->head, *last_with = order->last_with;
    rh_arena *arena = &order->slots[head];
    uint32_t number = arena->free_pools--;
    if (last_with && last_with[number] == head)
        last_with[number] = RH_NO_ARENA; /* nobody stands before the head */
    if (number == 1)
        rh_arena_order_unlink(order, head);
    else if (last_with)
        last_with[number - 1] = head; /* the head has the least: nobody else's */
}

/* A pool is taken from the first. */
static inline void
rh_arena_order_taken(rh_arena_order *order)
{
    if (rh_arena_order_in_heap(order))
        rh_arena_order_heap_taken(order);
    else
        rh_arena_order_list_taken(order);
}

/* A pool is given back to `arena`: its free_pools go up by one. */
static inline void
rh_arena_order_given(rh_arena_order *order, uint32_t arena)
{
    uint32_t number = order->slots[arena].free_pools;
    if (order->policy == RH_POLICY_MOST_FULL) {
        rh_arena_order_advance(order, arena, number);
    } else if (order->policy == RH_POLICY_MOST_RECENT) {
        order->slots[arena].free_pools = number + 1;
        if (number)
            rh_arena_order_unlink(order, arena);
        rh_arena_order_link(order, arena, RH_NO_ARENA, order->head);
    } else {
        rh_arena_order_heap_given(order, arena);
    }
}

/* Whether no other arena stands behind `arena`, or none would: most-full only, else false. */
static inline bool
rh_arena_order_is_last(const rh_arena_order *order, uint32_t arena)
{
    if (order->policy != RH_POLICY_MOST_FULL)
        return false;
    const rh_arena *place = &order->slots[arena];
    return place->free_pools ? place->next == RH_NO_ARENA : order->head == RH_NO_ARENA;
}

#endif
