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
    free(order->places);
    free(order->last_with);
    free(order->heap);
    *order = (rh_arena_order){.head = RH_NO_ARENA};
}

static bool
in_heap(const rh_arena_order *order)
{
    return order->policy == RH_POLICY_LOWEST_ADDRESS || order->policy == RH_POLICY_LEAST_FULL;
}

bool
rh_arena_order_reserve(rh_arena_order *order, uint32_t capacity)
{
    if (capacity <= order->capacity)
        return true;
    rh_order_place *places = realloc(order->places, capacity * sizeof *places);
    if (!places)
        return false;
    order->places = places;
    if (in_heap(order)) {
        uint32_t *heap = realloc(order->heap, capacity * sizeof *heap);
        if (!heap)
            return false;
        order->heap = heap;
    }
    order->capacity = capacity;
    return true;
}

/* ---- lists ---- */

static void
link_between(rh_arena_order *order, uint32_t arena, uint32_t previous, uint32_t next)
{
    order->places[arena].previous = previous;
    order->places[arena].next = next;
    if (previous == RH_NO_ARENA)
        order->head = arena;
    else
        order->places[previous].next = arena;
    if (next != RH_NO_ARENA)
        order->places[next].previous = arena;
}

static void
unlink_arena(rh_arena_order *order, uint32_t arena)
{
    uint32_t previous = order->places[arena].previous, next = order->places[arena].next;
    if (previous == RH_NO_ARENA)
        order->head = next;
    else
        order->places[previous].next = next;
    if (next != RH_NO_ARENA)
        order->places[next].previous = previous;
}

/* `arena` stops being one of those with its number of free pools. */
static void
leave_number(rh_arena_order *order, uint32_t arena)
{
    const rh_order_place *place = &order->places[arena];
    uint32_t number = place->free_pools;
    if (order->last_with[number] != arena)
        return;
    uint32_t before = place->previous;
    bool same = before != RH_NO_ARENA && order->places[before].free_pools == number;
    order->last_with[number] = same ? before : RH_NO_ARENA;
}

/* most-full: `arena` goes from `number` free pools to one more. */
static void
advance(rh_arena_order *order, uint32_t arena, uint32_t number)
{
    uint32_t last = number ? order->last_with[number] : RH_NO_ARENA;
    if (number)
        leave_number(order, arena);
    order->places[arena].free_pools = number + 1;
    if (number == 0)
        link_between(order, arena, RH_NO_ARENA, order->head);
    if (order->last_with[number + 1] == RH_NO_ARENA)
        order->last_with[number + 1] = arena;
    if (number == 0 || last == arena)
        return; /* all that follow have at least as many */
    unlink_arena(order, arena);
    link_between(order, arena, last, order->places[last].next);
}

/* ---- heaps ---- */

static bool
before(const rh_arena_order *order, uint32_t a, uint32_t b)
{
    const rh_order_place *first = &order->places[a], *second = &order->places[b];
    if (order->policy == RH_POLICY_LEAST_FULL && first->free_pools != second->free_pools)
        return first->free_pools > second->free_pools;
    return first->base < second->base;
}

static void
put(rh_arena_order *order, uint32_t rank, uint32_t arena)
{
    order->heap[rank] = arena;
    order->places[arena].rank = rank;
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
    uint32_t rank = order->places[arena].rank;
    uint32_t moved = order->heap[--order->count];
    order->places[arena].rank = RH_NO_ARENA;
    if (moved == arena)
        return;
    put(order, rank, moved);
    rise(order, rank);
    sink(order, order->places[moved].rank);
}

/* ---- both ---- */

void
rh_arena_order_add(rh_arena_order *order, uint32_t arena, uintptr_t base, uint32_t free_pools)
{
    order->places[arena] =
        (rh_order_place){.free_pools = free_pools, .base = base, .rank = RH_NO_ARENA};
    if (in_heap(order)) {
        heap_insert(order, arena);
        return;
    }
    /* The only one: a new arena is got when no other has a free pool. */
    link_between(order, arena, RH_NO_ARENA, order->head);
    if (order->last_with)
        order->last_with[free_pools] = arena;
}

uint32_t
rh_arena_order_first(const rh_arena_order *order)
{
    if (in_heap(order))
        return order->count ? order->heap[0] : RH_NO_ARENA;
    return order->head;
}

void
rh_arena_order_taken(rh_arena_order *order)
{
    uint32_t arena = rh_arena_order_first(order);
    rh_order_place *place = &order->places[arena];
    if (order->last_with)
        leave_number(order, arena);
    place->free_pools--;
    if (place->free_pools == 0) {
        if (in_heap(order))
            heap_remove(order, arena);
        else
            unlink_arena(order, arena);
    } else if (order->last_with) {
        order->last_with[place->free_pools] = arena; /* the head has the least: nobody else's */
    } else if (order->policy == RH_POLICY_LEAST_FULL) {
        sink(order, place->rank);
    }
}

void
rh_arena_order_given(rh_arena_order *order, uint32_t arena)
{
    rh_order_place *place = &order->places[arena];
    uint32_t number = place->free_pools;
    if (order->policy == RH_POLICY_MOST_FULL) {
        advance(order, arena, number);
        return;
    }
    place->free_pools = number + 1;
    if (order->policy == RH_POLICY_MOST_RECENT) {
        if (number)
            unlink_arena(order, arena);
        link_between(order, arena, RH_NO_ARENA, order->head);
    } else if (number == 0) {
        heap_insert(order, arena);
    } else if (order->policy == RH_POLICY_LEAST_FULL) {
        rise(order, place->rank);
    }
}

void
rh_arena_order_remove(rh_arena_order *order, uint32_t arena)
{
    if (order->places[arena].free_pools == 0)
        return;
    if (in_heap(order)) {
        heap_remove(order, arena);
        return;
    }
    if (order->last_with)
        leave_number(order, arena);
    unlink_arena(order, arena);
}

bool
rh_arena_order_is_last(const rh_arena_order *order, uint32_t arena)
{
    if (order->policy != RH_POLICY_MOST_FULL)
        return false;
    const rh_order_place *place = &order->places[arena];
    return place->free_pools ? place->next == RH_NO_ARENA : order->head == RH_NO_ARENA;
}

uint64_t
rh_arena_order_bytes(const rh_arena_order *order)
{
    uint64_t bytes = order->capacity * sizeof *order->places;
    if (order->heap)
        bytes += order->capacity * sizeof *order->heap;
    if (order->last_with)
        bytes += ((uint64_t)order->pools + 1) * sizeof *order->last_with;
    return bytes;
}

static const char *
check_list(const rh_arena_order *order)
{
    uint32_t previous = RH_NO_ARENA, steps = 0, numbers = 0;
    for (uint32_t arena = order->head; arena != RH_NO_ARENA;
         previous = arena, arena = order->places[arena].next) {
        const rh_order_place *place = &order->places[arena];
        if (++steps > order->capacity)
            return "the list of usable arenas is circular";
        if (place->previous != previous)
            return "a usable arena does not point back to the one before it";
        if (place->free_pools == 0)
            return "an arena without a free pool is listed as usable";
        if (!order->last_with)
            continue;
        if (previous != RH_NO_ARENA && order->places[previous].free_pools > place->free_pools)
            return "usable arenas do not ascend by free pools";
        bool last = place->next == RH_NO_ARENA ||
                    order->places[place->next].free_pools != place->free_pools;
        if (last != (order->last_with[place->free_pools] == arena))
            return "the last arena of a number of free pools is not the noted one";
        numbers += last;
    }
    for (uint32_t i = 0; order->last_with && i <= order->pools; i++)
        numbers -= order->last_with[i] != RH_NO_ARENA;
    if (order->last_with && numbers)
        return "an arena is noted for a number of free pools that none has";
    return NULL;
}

static const char *
check_heap(const rh_arena_order *order)
{
    for (uint32_t rank = 0; rank < order->count; rank++) {
        uint32_t arena = order->heap[rank];
        if (order->places[arena].rank != rank)
            return "an arena's rank is not its place in the heap";
        if (order->places[arena].free_pools == 0)
            return "an arena without a free pool is in the heap of usable ones";
        if (rank && before(order, arena, order->heap[(rank - 1) / 2]))
            return "the heap of usable arenas is out of order";
    }
    return NULL;
}

const char *
rh_arena_order_check(const rh_arena_order *order)
{
    return in_heap(order) ? check_heap(order) : check_list(order);
}
