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

/* The places where links may change, without a branch: a compiler would make the branch of them
 * that they are there to avoid, so they are in assembly. */

/* Takes one from `available`, which is not 0, and returns what is left. Where that is none, the
 * ring's first pool becomes `next`. */
RH_PATH uint32_t
rh_path_one_less(uint32_t available, rh_pool **first, rh_pool *next)
{
    __asm__("subl $1, %[available]\n\t"
            "cmovz %[next], %[first]"
            : [available] "+&r"(available), [first] "+&r"(*first)
            : [next] "r"(next)
            : "cc");
    return available;
}

/* Where `available` is 0, `pool` comes first, before what was first. */
RH_PATH void
rh_path_enter_ring(uint32_t available, rh_pool *pool, rh_pool **first, rh_pool **next)
{
    rh_pool *second = *first;
    __asm__("testl %[available], %[available]\n\t"
            "cmovz %[second], %[next]\n\t"
            "cmovz %[pool], %[first]"
            : [first] "+&r"(*first), [next] "+&r"(*next)
            : [available] "r"(available), [pool] "r"(pool), [second] "r"(second)
            : "cc");
}

RH_PATH bool
rh_path_is_small(const rh_pymalloc_geometry *geometry, size_t bytes)
{
    return bytes - 1 < geometry->small_bytes;
}

RH_PATH uintptr_t
rh_path_stacked(const rh_pool *pool, uint32_t place, const rh_pymalloc_geometry *geometry)
{
    uintptr_t unit = pool->stack[place];
    return ((const rh_side_pool *)pool)->address + (unit << geometry->class_shift);
}

/* A block of the class; NULL when its first pool has none in its list or stack. */
RH_PATH void *
rh_path_take(rh_pymalloc *pymalloc, size_t size_class, const rh_pymalloc_geometry *geometry,
             bool side)
{
    rh_pool *ring = &pymalloc->bins[size_class].ring, *pool = ring->next, *first = pool;
    uint32_t available = pool->available;
    uintptr_t block;
    if (side) {
        if (RH_UNLIKELY(available == pool->fresh))
            return NULL;
        block = rh_path_stacked(pool, available - 1, geometry);
    } else {
        block = pool->free;
        if (RH_UNLIKELY(!block))
            return NULL;
        pool->free = *(uintptr_t *)block;
    }
    pool->available = rh_path_one_less(available, &first, pool->next);
    ring->next = first;
    return (void *)block;
}

/* Whether a block lies in the first window of the heap's own ground: then it is in an arena. */
RH_PATH bool
rh_path_in_window(const rh_pymalloc *pymalloc, const void *block)
{
    return (uintptr_t)block - pymalloc->window_base < pymalloc->window_bytes;
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
    uintptr_t address = (uintptr_t)block;
    const rh_arenas *arenas = &pymalloc->arenas;
    if (!side) {
        bool inside = rh_path_in_window(pymalloc, block) ||
                      rh_address_map_has(&arenas->map, address, geometry->arena_shift);
        return inside ? rh_path_window_pool(pymalloc, block, geometry, false) : NULL;
    }
    if (rh_path_in_window(pymalloc, block))
        return rh_path_window_pool(pymalloc, block, geometry, true);
    uint32_t slot;
    if (!rh_address_map_find(&arenas->map, address, geometry->arena_shift, &slot))
        return NULL;
    const rh_arena *arena = &arenas->slots[slot];
    return &arena->side[(address - arena->first_pool) >> geometry->pool_shift].pool;
}

RH_PATH void
rh_path_give(rh_pymalloc *pymalloc, rh_pool *pool, void *block,
             const rh_pymalloc_geometry *geometry, bool side)
{
    uint32_t available = pool->available;
    if (side) {
        uintptr_t offset = (uintptr_t)block & (geometry->pool_bytes - 1);
        pool->stack[available] = (uint16_t)(offset >> geometry->class_shift);
    } else {
        *(uintptr_t *)block = pool->free;
        pool->free = (uintptr_t)block;
    }
    rh_pool *ring = pool->ring, *first = ring->next, *next = pool->next;
    first->previous = pool; /* if `pool` comes before it; else nobody reads it */
    rh_path_enter_ring(available, pool, &first, &next);
    pool->next = next;
    ring->next = first;
    pool->available = ++available;
    if (RH_UNLIKELY(available == pool->capacity))
        rh_pools_retire(pymalloc, pool);
}

#endif
