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

/* A block of the class; NULL when its first pool's list is empty. */
RH_PATH void *
rh_path_take(rh_pymalloc *pymalloc, uint32_t size_class, const rh_pymalloc_geometry *geometry,
             bool side)
{
    rh_pool *pool = pymalloc->bins[size_class].ring.next;
    uintptr_t entry = pool->free;
    if (RH_UNLIKELY(!entry))
        return NULL;
    pool->used++;
    pool->free = rh_pool_link(pool, entry, side);
    return (void *)rh_pool_entry_address(pool, entry, geometry->class_shift, side);
}

/* The pool of a block that lies in an arena, else NULL. */
RH_PATH rh_pool *
rh_path_pool_of(const rh_pymalloc *pymalloc, const void *block,
                const rh_pymalloc_geometry *geometry, bool side)
{
    uintptr_t address = (uintptr_t)block;
    const rh_arenas *arenas = &pymalloc->arenas;
    if (!side) {
        if (RH_UNLIKELY(!rh_address_map_has(&arenas->map, address, geometry->arena_shift)))
            return NULL;
        return (rh_pool *)(address & ~(uintptr_t)(geometry->pool_bytes - 1));
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
    uint32_t used = --pool->used;
    if (RH_UNLIKELY(!listed))
        rh_pools_relink(pymalloc, pool);
    else if (RH_UNLIKELY(!used))
        rh_pools_retire(pymalloc, pool);
}

#endif
