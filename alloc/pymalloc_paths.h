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

/* Adds one to `spare`, and returns it; where it was full, each pointer becomes its second. The one
 * place in assembly: a compiler would make the branch of it that it is there to avoid. */
RH_PATH uint32_t
rh_path_one_more(uint32_t spare, rh_pool **mine, rh_pool *pool, rh_pool **before, rh_pool *ring,
                 rh_pool **after, rh_pool *first)
{
    __asm__(
        "addl $1, %[spare]\n\t"
        "cmovz %[pool], %[mine]\n\t"
        "cmovz %[ring], %[before]\n\t"
        "cmovz %[first], %[after]"
        : [spare] "+&r"(spare), [mine] "+&r"(*mine), [before] "+&r"(*before), [after] "+&r"(*after)
        : [pool] "r"(pool), [ring] "r"(ring), [first] "r"(first)
        : "cc");
    return spare;
}

RH_PATH bool
rh_path_is_small(const rh_pymalloc_geometry *geometry, size_t bytes)
{
    return bytes - 1 < geometry->small_bytes;
}

/* A block of the class; NULL when its first pool's list is empty. */
RH_PATH void *
rh_path_take(rh_pymalloc *pymalloc, size_t size_class, const rh_pymalloc_geometry *geometry,
             bool side)
{
    rh_pool *ring = &pymalloc->bins[size_class].ring, *pool = ring->next;
    uintptr_t entry = pool->free;
    if (RH_UNLIKELY(!entry))
        return NULL;
    pool->free = rh_pool_link(pool, entry, side);
    if (RH_UNLIKELY(pool->spare-- == 0)) { /* full now: out of the ring, whose first it is */
        rh_pool *next = pool->next;
        ring->next = next;
        next->previous = ring;
    }
    return (void *)rh_pool_entry_address(pool, entry, geometry->class_shift, side);
}

/* Whether a block lies in the first window of the heap's own ground: then it is in an arena. */
RH_PATH bool
rh_path_in_window(const rh_pymalloc *pymalloc, const void *block)
{
    return (uintptr_t)block - pymalloc->window_base < pymalloc->window_bytes;
}

RH_PATH rh_pool *
rh_path_inband_pool(const void *block, const rh_pymalloc_geometry *geometry)
{
    return (rh_pool *)((uintptr_t)block & ~(uintptr_t)(geometry->pool_bytes - 1));
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
        return inside ? rh_path_inband_pool(block, geometry) : NULL;
    }
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
    uintptr_t listed = pool->free;
    if (side) {
        const rh_side_pool *beside = (const rh_side_pool *)pool;
        uintptr_t unit = ((uintptr_t)block - beside->address) >> geometry->class_shift;
        beside->links[unit] = (uint16_t)listed;
        pool->free = unit;
    } else {
        *(uintptr_t *)block = listed;
        pool->free = (uintptr_t)block;
    }
    /* It was full: into the ring, first. */
    rh_pool *ring = pool->ring, *first = ring->next;
    rh_pool *mine = &pymalloc->scrap, *before = &pymalloc->scrap, *after = &pymalloc->scrap;
    uint32_t spare = rh_path_one_more(pool->spare, &mine, pool, &before, ring, &after, first);
    pool->spare = spare;
    mine->next = first;
    mine->previous = ring;
    before->next = pool;
    after->previous = pool;
    if (RH_UNLIKELY(spare == pool->most))
        rh_pools_retire(pymalloc, pool);
}

#endif
