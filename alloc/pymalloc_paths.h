/* The fast paths of pymalloc: malloc and free as they run when a pool has what is needed.
 *
 * Written once, for any geometry and both places of the headers; always inlined, so that a caller
 * that passes a constant geometry gets code with the shifts and masks in it.
 */
#ifndef REHEAP_ALLOC_PYMALLOC_PATHS_H
#define REHEAP_ALLOC_PYMALLOC_PATHS_H

#include <string.h>

#include "alloc/pymalloc_pools.h"

#define RH_PATH        static inline __attribute__((always_inline))
#define RH_LIKELY(x)   __builtin_expect(!!(x), 1)
#define RH_UNLIKELY(x) __builtin_expect(!!(x), 0)

RH_PATH bool
rh_path_is_small(const rh_pymalloc_geometry *geometry, size_t bytes)
{
    return bytes - 1 < geometry->small_bytes;
}

/* The same while full pools are foreseen; else false. */
RH_PATH bool
rh_path_is_near_small(const rh_pymalloc *pymalloc, size_t bytes)
{
    return bytes - 1 < pymalloc->near_small;
}

/* A block of the class; false when it would be the last one that its first pool has on its list or
 * stack, and in-band where no numbers are lent. */
RH_PATH bool
rh_path_take(rh_pymalloc *pymalloc, size_t size_class, const rh_pymalloc_geometry *geometry,
             bool side, void **block)
{
    rh_pool *ring = &pymalloc->bins[size_class].ring, *pool = side ? ring->next : ring;
    uint32_t left = pool->available - 1;
    if (RH_UNLIKELY(left == pool->fresh))
        return false;
    pool->available = left;
    *block = (void *)rh_pool_take(pool, left, geometry->class_shift, side);
    return true;
}

/* Whether a block lies in the first window of the heap's own ground: then it is in an arena. */
RH_PATH bool
rh_path_in_window(const rh_pymalloc *pymalloc, const void *block)
{
    return (uintptr_t)block - pymalloc->window_base < pymalloc->window_bytes;
}

/* The same while full pools are foreseen; else false. */
RH_PATH bool
rh_path_is_near(const rh_pymalloc *pymalloc, const void *block)
{
    return (uintptr_t)block - pymalloc->window_base < pymalloc->near_bytes;
}

/* The pool of a block in that window; in-band, of any block in an arena. */
RH_PATH rh_pool *
rh_path_window_pool(const rh_pymalloc *pymalloc, const void *block,
                    const rh_pymalloc_geometry *geometry, bool side)
{
    uintptr_t address = (uintptr_t)block;
    if (!side)
        return (rh_pool *)(address & ~(uintptr_t)(geometry->pool_bytes - 1));
    uintptr_t number = (address - pymalloc->window_base) >> geometry->pool_shift;
    return &pymalloc->window_headers[number].pool;
}

/* The pool of a block that lies in an arena, else NULL. */
RH_PATH rh_pool *
rh_path_pool_of(const rh_pymalloc *pymalloc, const void *block,
                const rh_pymalloc_geometry *geometry, bool side)
{
    if (rh_path_in_window(pymalloc, block))
        return rh_path_window_pool(pymalloc, block, geometry, side);
    uintptr_t address = (uintptr_t)block;
    const rh_arenas *arenas = &pymalloc->arenas;
    if (!side)
        return rh_address_map_has(&arenas->map, address, geometry->arena_shift)
                   ? rh_path_window_pool(pymalloc, block, geometry, false)
                   : NULL;
    uint32_t slot;
    if (!rh_address_map_find(&arenas->map, address, geometry->arena_shift, &slot))
        return NULL;
    const rh_arena *arena = &arenas->slots[slot];
    return &arena->side[(address - arena->first_pool) >> geometry->pool_shift].pool;
}

/* A pool that was full comes first. */
RH_PATH void
rh_path_enter_ring(rh_pool *pool)
{
    rh_pool *ring = pool->ring, *first = ring->next;
    pool->next = first;
    first->previous = pool;
    ring->next = pool;
}

/* Where a pool's numbers are, when they are lent: with the ring, if it comes first there. */
RH_PATH rh_pool *
rh_path_numbers(rh_pool *pool)
{
    rh_pool *ring = pool->ring, *numbers = pool;
    __asm__("cmpq %[pool], %[first]\n\t"
            "cmoveq %[ring], %[numbers]"
            : [numbers] "+&r"(numbers)
            : [pool] "r"(pool), [ring] "r"(ring), [first] "m"(ring->next)
            : "cc");
    return numbers;
}

/* In-band, where numbers are lent. */
RH_PATH void
rh_path_give_lent(rh_pymalloc *pymalloc, rh_pool *pool, void *block,
                  const rh_pymalloc_geometry *geometry)
{
    if (RH_UNLIKELY(pool->available == 0)) {
        rh_pools_reenter(pool, block);
        return;
    }
    rh_pool *numbers = rh_path_numbers(pool);
    uint32_t available = numbers->available;
    rh_pool_put(numbers, available, (uintptr_t)block, geometry->class_shift, false);
    numbers->available = available + 1;
    if (RH_UNLIKELY(available + 1 == pool->capacity))
        rh_pools_retire(pymalloc, pool);
}

RH_PATH void
rh_path_give(rh_pymalloc *pymalloc, rh_pool *pool, void *block,
             const rh_pymalloc_geometry *geometry, bool side)
{
    if (!side) {
        rh_path_give_lent(pymalloc, pool, block, geometry);
        return;
    }
    uint32_t available = pool->available;
    rh_pool_put(pool, available, (uintptr_t)block, geometry->class_shift, side);
    pool->available = available + 1;
    if (RH_UNLIKELY(available == 0))
        rh_path_enter_ring(pool);
    else if (RH_UNLIKELY(available + 1 == pool->capacity))
        rh_pools_retire(pymalloc, pool);
}

/* ---- the same without branches on full pools: in assembly where links may change, for a compiler
 * would make the branch of it that it is there to avoid ---- */

/* Takes one from `available` and returns what is left; *first is the pool behind `pool`, and
 * becomes `pool` unless nothing is left. */
RH_PATH uint32_t
rh_path_leave_ring_if(uint32_t available, rh_pool *pool, rh_pool **first)
{
    __asm__("subl $1, %[available]\n\t"
            "cmovnz %[pool], %[first]"
            : [available] "+&r"(available), [first] "+&r"(*first)
            : [pool] "r"(pool)
            : "cc");
    return available;
}

/* False only when the first pool has fresh blocks to put on its list or stack, or there is none. */
RH_PATH bool
rh_path_take_blindly(rh_pymalloc *pymalloc, size_t size_class, const rh_pymalloc_geometry *geometry,
                     bool side, void **block)
{
    rh_pool *ring = &pymalloc->bins[size_class].ring, *pool = ring->next, *first = pool->next;
    if (RH_UNLIKELY(pool->fresh) && pool->available - 1 == pool->fresh)
        return false;
    uint32_t left = rh_path_leave_ring_if(pool->available, pool, &first);
    pool->available = left;
    ring->next = first;
    *block = (void *)rh_pool_take(pool, left, geometry->class_shift, side);
    return true;
}

/* Where `available` is 0, `pool` comes first, before what was first. */
RH_PATH void
rh_path_enter_ring_if(uint32_t available, rh_pool *pool, rh_pool **first, rh_pool **next)
{
    __asm__("testl %[available], %[available]\n\t"
            "cmovz %[first], %[next]\n\t"
            "cmovz %[pool], %[first]"
            : [first] "+&r"(*first), [next] "+&r"(*next)
            : [available] "r"(available), [pool] "r"(pool)
            : "cc");
}

RH_PATH void
rh_path_see(rh_pymalloc *pymalloc, bool full)
{
    pymalloc->seen_full += full;
    if (RH_UNLIKELY(--pymalloc->to_see == 0))
        rh_pools_decide(pymalloc);
}

/* Not where numbers are lent. Counts how often the pool was full, too. */
RH_PATH void
rh_path_give_blindly(rh_pymalloc *pymalloc, rh_pool *pool, void *block,
                     const rh_pymalloc_geometry *geometry, bool side)
{
    uint32_t available = pool->available;
    rh_pool_put(pool, available, (uintptr_t)block, geometry->class_shift, side);
    rh_pool *ring = pool->ring, *first = ring->next, *next = pool->next;
    first->previous = pool; /* if `pool` comes before it; else nobody reads it */
    rh_path_enter_ring_if(available, pool, &first, &next);
    pool->next = next;
    ring->next = first;
    pool->available = available + 1;
    rh_path_see(pymalloc, available == 0);
    if (RH_UNLIKELY(available + 1 == pool->capacity))
        rh_pools_retire(pymalloc, pool);
}

/* ---- whichever way it is at the moment ---- */

RH_PATH bool
rh_path_take_anyhow(rh_pymalloc *pymalloc, size_t size_class, const rh_pymalloc_geometry *geometry,
                    bool side, void **block)
{
    return !side && pymalloc->lent
               ? rh_path_take(pymalloc, size_class, geometry, side, block)
               : rh_path_take_blindly(pymalloc, size_class, geometry, side, block);
}

/* Counts full pools. */
RH_PATH void
rh_path_give_anyhow(rh_pymalloc *pymalloc, rh_pool *pool, void *block,
                    const rh_pymalloc_geometry *geometry, bool side)
{
    if (!side && pymalloc->lent) {
        rh_path_see(pymalloc, pool->available == 0);
        if (pymalloc->lent) {
            rh_path_give_lent(pymalloc, pool, block, geometry);
            return;
        }
    }
    rh_path_give_blindly(pymalloc, pool, block, geometry, side);
}

#endif
