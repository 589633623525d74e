#include "alloc/pymalloc_pools.h"

#include <assert.h>

/* ---- the numbers of a ring's first pool ---- */

static void
copy_numbers(rh_pool *to, const rh_pool *from)
{
    to->available = from->available;
    to->fresh = from->fresh;
    to->free = from->free;
}

/* Where none are lent, and a ring is empty. */
static void
close_ring(rh_pool *ring)
{
    ring->available = 2;
    ring->fresh = 1;
}

/* The first pool's header has them again; the ring's stay good until either changes. */
static void
take_back(const rh_pymalloc *pymalloc, rh_pool *ring)
{
    if (pymalloc->lent)
        copy_numbers(ring->next, ring);
}

static void
lend(const rh_pymalloc *pymalloc, rh_pool *ring)
{
    if (pymalloc->lent && ring->next != ring)
        copy_numbers(ring, ring->next);
    else
        close_ring(ring);
}

static void
take_back_all(rh_pymalloc *pymalloc)
{
    for (uint32_t i = 0; i < pymalloc->arenas.geometry.classes; i++)
        take_back(pymalloc, &pymalloc->bins[i].ring);
}

/* Whether numbers are lent from now on. */
static void
set_lent(rh_pymalloc *pymalloc, bool lent)
{
    if (pymalloc->lent == lent)
        return;
    take_back_all(pymalloc);
    pymalloc->lent = lent;
    for (uint32_t i = 0; i < pymalloc->arenas.geometry.classes; i++)
        lend(pymalloc, &pymalloc->bins[i].ring);
}

/* ---- whether full pools are foreseen ---- */

#define TO_SEE       256 /* frees */
#define RESTLESS     8   /* one in so many into a full pool */
#define PATIENCE_MIN 64  /* pools that became full */
#define PATIENCE_MAX 65536

void
rh_pools_decide(rh_pymalloc *pymalloc)
{
    bool restless = pymalloc->seen_full * RESTLESS > TO_SEE;
    pymalloc->to_see = TO_SEE;
    pymalloc->seen_full = 0;
    if (restless) {
        pymalloc->patience = PATIENCE_MIN;
        pymalloc->near_bytes = pymalloc->near_small = 0;
        set_lent(pymalloc, false);
        return;
    }
    set_lent(pymalloc, !pymalloc->arenas.side);
    pymalloc->near_small = pymalloc->arenas.geometry.small_bytes;
    pymalloc->to_fill = pymalloc->patience;
    if (pymalloc->patience < PATIENCE_MAX)
        pymalloc->patience *= 2;
    pymalloc->near_bytes = pymalloc->window_bytes;
}

/* A pool became full. */
static void
note_full(rh_pymalloc *pymalloc)
{
    if (pymalloc->near_bytes && --pymalloc->to_fill == 0)
        pymalloc->near_bytes = 0;
}

void
rh_pools_init(rh_pymalloc *pymalloc)
{
    const rh_pymalloc_geometry *geometry = &pymalloc->arenas.geometry;
    for (uint32_t i = 0; i < geometry->classes; i++) {
        rh_bin *bin = &pymalloc->bins[i];
        *bin = (rh_bin){
            .ring = {.available = 2, .fresh = 1, .next = &bin->ring, .previous = &bin->ring},
            .block_bytes = (uint32_t)rh_class_bytes(geometry, i),
            .capacity = rh_class_capacity(geometry, i)};
    }
    pymalloc->patience = PATIENCE_MIN;
    rh_pools_decide(pymalloc);
}

uint64_t
rh_pymalloc_metadata_bytes(const rh_pymalloc *pymalloc)
{
    const rh_arenas *arenas = &pymalloc->arenas;
    uint64_t bytes = pymalloc->fixed_bytes + rh_arenas_table_bytes(arenas) +
                     rh_arena_supply_table_bytes(&pymalloc->supply);
    /* A virtual heap counts what the heap that it stands for would hold: nothing beside arenas. */
    if (!pymalloc->is_virtual)
        bytes += rh_arenas_side_bytes(arenas);
    return bytes;
}

/* The run of arenas takes the window's place, from its first pool on. */
static void
settle_run(rh_pymalloc *pymalloc)
{
    const rh_arenas *arenas = &pymalloc->arenas;
    const rh_pool_headers *headers = &arenas->headers;
    uintptr_t pool = arenas->geometry.pool_bytes, base = (arenas->run + pool - 1) & ~(pool - 1);
    pymalloc->window_base = base;
    pymalloc->window_bytes = arenas->run == arenas->run_end ? 0 : arenas->run_end - base;
    if (arenas->side && pymalloc->window_bytes)
        pymalloc->window_headers =
            headers->first + ((base - headers->window_base) >> headers->pool_shift);
    if (pymalloc->near_bytes)
        pymalloc->near_bytes = pymalloc->window_bytes;
}

void
rh_pymalloc_settle(rh_pymalloc *pymalloc)
{
    const rh_arenas *arenas = &pymalloc->arenas;
    if (arenas->has_run)
        settle_run(pymalloc);
    pymalloc->mapped_bytes = arenas->current * arenas->geometry.arena_bytes +
                             rh_arena_supply_kept_bytes(&pymalloc->supply) +
                             rh_pymalloc_metadata_bytes(pymalloc) + pymalloc->space_bytes;
    pymalloc->settled = arenas->changes;
}

static void
settle_if_changed(rh_pymalloc *pymalloc)
{
    if (pymalloc->settled != pymalloc->arenas.changes)
        rh_pymalloc_settle(pymalloc);
}

static void
unlink_pool(rh_pool *pool)
{
    if (pool->ring->next == pool) {
        pool->ring->next = pool->next;
        return;
    }
    pool->previous->next = pool->next;
    pool->next->previous = pool->previous;
}

/* ---- pools that become free ---- */

/* A pool that was parked was taken again, as if it had been given to its arena and come back. */
static void
count_retaken(rh_arenas *arenas, const rh_pool *pool)
{
    const rh_arena *arena = &arenas->slots[pool->arena];
    arenas->pools_recycled++;
    arenas->arenas_reused += arena->free_pools + 1 == arena->pools;
}

static void
give_up(rh_pymalloc *pymalloc, rh_pool *pool)
{
    rh_bin *bin = rh_pool_bin(pool);
    take_back(pymalloc, &bin->ring);
    unlink_pool(pool);
    lend(pymalloc, &bin->ring);
    bin->pools_in_use--;
    rh_arenas_give_pool(&pymalloc->arenas, pool);
    settle_if_changed(pymalloc);
}

static void
unpark(rh_pymalloc *pymalloc)
{
    rh_pool *pool = pymalloc->parked;
    if (!pool)
        return;
    pymalloc->parked = NULL;
    take_back(pymalloc, pool->ring);
    if (rh_pool_used(pool))
        count_retaken(&pymalloc->arenas, pool);
    else
        give_up(pymalloc, pool);
}

void
rh_pools_unpark(rh_pymalloc *pymalloc)
{
    unpark(pymalloc);
    take_back_all(pymalloc);
}

/* Whether the next pool that its class needs would be this one again: it is its ring's last, its
 * arena stays and would be the first to take from, and going there and back would leave the order
 * as it is. */
static bool
may_park(const rh_arenas *arenas, const rh_pool *pool)
{
    uint32_t slot = pool->arena, number = arenas->slots[slot].free_pools;
    const rh_arena_order *order = &arenas->order;
    if (pool->next != pool->ring || rh_arena_order_in_heap(order))
        return false;
    if (number && (order->head != slot || (order->last_with && order->last_with[number] != slot)))
        return false;
    return number + 1 != arenas->slots[slot].pools || rh_arenas_keeps(arenas, slot);
}

void
rh_pools_retire(rh_pymalloc *pymalloc, rh_pool *pool)
{
    if (pymalloc->parked == pool) {
        count_retaken(&pymalloc->arenas, pool);
        if (pool->next == pool->ring)
            return;
        pymalloc->parked = NULL;
    }
    unpark(pymalloc);
    if (may_park(&pymalloc->arenas, pool))
        pymalloc->parked = pool;
    else
        give_up(pymalloc, pool);
}

/* ---- pools for a class ---- */

/* Puts fresh blocks onto an empty stack, as many as complete its cache line. */
static void
stack_fresh(const rh_arenas *arenas, rh_side_pool *beside, uintptr_t block, size_t block_bytes)
{
    const uint32_t line = 64 / sizeof *beside->stack;
    unsigned shift = arenas->geometry.class_shift;
    uint32_t fresh = beside->pool.fresh, lowest = (fresh - 1) / line * line;
    for (; fresh > lowest; block += block_bytes)
        beside->stack[--fresh] = (uint16_t)(block >> shift);
    beside->pool.fresh = fresh;
    beside->pool.free = rh_side_pool_top(beside, beside->pool.available, shift);
}

/* Puts fresh blocks on the empty list or stack of a pool that has some. */
static void
list_fresh(const rh_arenas *arenas, const rh_bin *bin, rh_pool *pool)
{
    uintptr_t block = rh_arenas_pool_address(arenas, pool) + arenas->geometry.header_bytes +
                      (bin->capacity - pool->fresh) * bin->block_bytes;
    if (arenas->side) {
        stack_fresh(arenas, (rh_side_pool *)pool, block, bin->block_bytes);
    } else {
        pool->free = block;
        pool->fresh--;
    }
}

/* Gives a free pool another class; false, changing nothing, when there is no memory. */
static bool
set_class(rh_pymalloc *pymalloc, rh_pool *pool, rh_bin *bin)
{
    rh_arenas *arenas = &pymalloc->arenas;
    if (arenas->side) {
        uint64_t held = arenas->stacks.bytes;
        uint16_t *stack = rh_pool_stacks_take(&arenas->stacks, bin->capacity);
        if (!stack)
            return false;
        rh_side_pool *beside = (rh_side_pool *)pool;
        if (beside->stack)
            rh_pool_stacks_give(&arenas->stacks, beside->stack, pool->capacity);
        beside->stack = stack;
        if (arenas->stacks.bytes != held)
            rh_pymalloc_settle(pymalloc);
    }
    pymalloc->pools_reclassed += pool->ring != NULL;
    pool->ring = &bin->ring;
    pool->capacity = pool->available = pool->fresh = bin->capacity;
    list_fresh(arenas, bin, pool);
    return true;
}

/* Takes a free pool into the class's empty ring; NULL when there is no arena. */
static rh_pool *
new_pool(rh_pymalloc *pymalloc, rh_bin *bin)
{
    unpark(pymalloc);
    rh_arenas *arenas = &pymalloc->arenas;
    rh_pool *pool = rh_arenas_take_pool(arenas);
    settle_if_changed(pymalloc);
    if (!pool)
        return NULL;
    if (pool->ring != &bin->ring && !set_class(pymalloc, pool, bin)) {
        rh_arenas_give_pool(arenas, pool);
        settle_if_changed(pymalloc);
        return NULL;
    }
    bin->pools_in_use++;
    pool->next = &bin->ring;
    bin->ring.next = pool;
    return pool;
}

void *
rh_pools_refill(rh_pymalloc *pymalloc, size_t size_class)
{
    const rh_arenas *arenas = &pymalloc->arenas;
    rh_bin *bin = &pymalloc->bins[size_class];
    rh_pool *pool = bin->ring.next;
    take_back(pymalloc, &bin->ring);
    if (pool == &bin->ring) {
        pool = new_pool(pymalloc, bin);
        if (!pool)
            return NULL;
    }
    uintptr_t block = pool->free;
    pool->available--;
    if (pool->available != pool->fresh) {
        rh_pool_take(pool, pool->available, arenas->geometry.class_shift, arenas->side);
    } else if (pool->fresh) {
        list_fresh(arenas, bin, pool);
    } else {
        unlink_pool(pool);
        note_full(pymalloc);
    }
    lend(pymalloc, &bin->ring);
    return (void *)block;
}

/* ---- full pools ---- */

void
rh_pools_reenter(rh_pool *pool, void *block)
{
    rh_pool *ring = pool->ring, *first = ring->next;
    if (first != ring)
        copy_numbers(first, ring);
    pool->next = first;
    first->previous = pool;
    ring->next = pool;
    pool->available = 1; /* until it is full again: what its numbers say meanwhile */
    pool->free = (uintptr_t)block;
    copy_numbers(ring, pool);
}
