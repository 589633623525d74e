#include "alloc/arena_order.h"

#include <stdlib.h>

bool
rh_arena_order_init(rh_arena_order *order, rh_policy policy, uint32_t pools)
{
    *order = (rh_arena_order){.policy = policy, .head = RH_NO_ARENA, .pools = pools};
    if (policy != RH_POLICY_MOST_FULL)
        return true;
    order->last_with = malloc(((size_t)pools + 1) * sizeof *order->last_with);
    if (!order->last_with)
        return false;
    for (uint32_t i = 0; i <= pools; i++)
        order->last_with[i] = RH_NO_ARENA;
    return true;
}

void
rh_arena_order_release(rh_arena_order *order)
{
    free(order->last_with);
    free(order->heap);
    *order = (rh_arena_order){.head = RH_NO_ARENA};
}

bool
rh_arena_order_reserve(rh_arena_order *order, rh_arena *slots, uint32_t capacity)
{
    order->slots = slots;
    if (rh_arena_order_in_heap(order) && capacity > order->capacity) {
        uint32_t *heap = realloc(order->heap, capacity * sizeof *heap);
        if (!heap)
            return false;
        order->heap = heap;
    }
    order->capacity = capacity;
    return true;
}

/* ---- heaps ---- */

static bool
before(const rh_arena_order *order, uint32_t a, uint32_t b)
{
    const rh_arena *first = &order->slots[a], *second = &order->slots[b];
    if (order->policy == RH_POLICY_LEAST_FULL && first->free_pools != second->free_pools)
        return first->free_pools > second->free_pools;
    return first->base < second->base;
}

static void
put(rh_arena_order *order, uint32_t rank, uint32_t arena)
{
    order->heap[rank] = arena;
    order->slots[arena].rank = rank;
}

static void
rise(rh_arena_order *order, uint32_t rank)
{
    uint32_t arena = order->heap[rank];
    while (rank > 0 && before(order, arena, order->heap[(rank - 1) / 2])) {
        put(order, rank, order->heap[(rank - 1) / 2]);
        rank = (rank - 1) / 2;
    }
    put(order, rank, arena);
}

static void
sink(rh_arena_order *order, uint32_t rank)
{
    uint32_t arena = order->heap[rank];
    for (;;) {
        uint32_t child = 2 * rank + 1;
        if (child + 1 < order->count && before(order, order->heap[child + 1], order->heap[child]))
            child++;
        if (child >= order->count || !before(order, order->heap[child], arena))
            break;
        put(order, rank, order->heap[child]);
        rank = child;
    }
    put(order, rank, arena);
}

static void
heap_insert(rh_arena_order *order, uint32_t arena)
{
    put(order, order->count++, arena);
    rise(order, order->count - 1);
}

static void
heap_remove(rh_arena_order *order, uint32_t arena)
{
    uint32_t rank = order->slots[arena].rank;
    uint32_t moved = order->heap[--order->count];
    order->slots[arena].rank = RH_NO_ARENA;
    if (moved == arena)
        return;
    put(order, rank, moved);
    rise(order, rank);
    sink(order, order->slots[moved].rank);
}

/* ---- both ---- */

void
rh_arena_order_add(rh_arena_order *order, uint32_t arena)
{
    if (rh_arena_order_in_heap(order)) {
        heap_insert(order, arena);
        return;
    }
    /* The only one: a new arena is got when no other has a free pool. */
    rh_arena_order_link(order, arena, RH_NO_ARENA, order->head);
    if (order->last_with)
        order->last_with[order->slots[arena].free_pools] = arena;
}

void
rh_arena_order_heap_taken(rh_arena_order *order)
{
    rh_arena *place = &order->slots[order->heap[0]];
    if (--place->free_pools == 0)
        heap_remove(order, order->heap[0]);
    else if (order->policy == RH_POLICY_LEAST_FULL)
        sink(order, 0);
}

void
rh_arena_order_heap_given(rh_arena_order *order, uint32_t arena)
{
    rh_arena *place = &order->slots[arena];
    if (++place->free_pools == 1)
        heap_insert(order, arena);
    else if (order->policy == RH_POLICY_LEAST_FULL)
        rise(order, place->rank);
}

void
rh_arena_order_remove(rh_arena_order *order, uint32_t arena)
{
    if (order->slots[arena].free_pools == 0)
        return;
    if (rh_arena_order_in_heap(order)) {
        heap_remove(order, arena);
        return;
    }
    if (order->last_with)
        rh_arena_order_leave_number(order, arena);
    rh_arena_order_unlink(order, arena);
}

uint64_t
rh_arena_order_bytes(const rh_arena_order *order)
{
    uint64_t bytes = order->heap ? order->capacity * sizeof *order->heap : 0;
    if (order->last_with)
        bytes += ((uint64_t)order->pools + 1) * sizeof *order->last_with;
    return bytes;
}

static const char *
check_list(const rh_arena_order *order, uint64_t usable)
{
    uint32_t previous = RH_NO_ARENA, steps = 0, numbers = 0;
    for (uint32_t arena = order->head; arena != RH_NO_ARENA;
         previous = arena, arena = order->slots[arena].next) {
        const rh_arena *place = &order->slots[arena];
        if (++steps > order->capacity)
            return "the list of usable arenas is circular";
        if (place->previous != previous)
            return "a usable arena does not point back to the one before it";
        if (place->free_pools == 0)
            return "an arena without a free pool is listed as usable";
        if (!order->last_with)
            continue;
        if (previous != RH_NO_ARENA && order->slots[previous].free_pools > place->free_pools)
            return "usable arenas do not ascend by free pools";
        bool last =
            place->next == RH_NO_ARENA || order->slots[place->next].free_pools != place->free_pools;
        if (last != (order->last_with[place->free_pools] == arena))
            return "the last arena of a number of free pools is not the noted one";
        numbers += last;
    }
    if (steps != usable)
        return "not every arena with a free pool is in the list of usable ones";
    for (uint32_t i = 0; order->last_with && i <= order->pools; i++)
        numbers -= order->last_with[i] != RH_NO_ARENA;
    if (order->last_with && numbers)
        return "an arena is noted for a number of free pools that none has";
    return NULL;
}

static const char *
check_heap(const rh_arena_order *order, uint64_t usable)
{
    if (order->count != usable)
        return "not every arena with a free pool is in the heap of usable ones";
    for (uint32_t rank = 0; rank < order->count; rank++) {
        uint32_t arena = order->heap[rank];
        if (order->slots[arena].rank != rank)
            return "an arena's rank is not its place in the heap";
        if (order->slots[arena].free_pools == 0)
            return "an arena without a free pool is in the heap of usable ones";
        if (rank && before(order, arena, order->heap[(rank - 1) / 2]))
            return "the heap of usable arenas is out of order";
    }
    return NULL;
}

const char *
rh_arena_order_check(const rh_arena_order *order, uint64_t usable)
{
    return rh_arena_order_in_heap(order) ? check_heap(order, usable) : check_list(order, usable);
}
