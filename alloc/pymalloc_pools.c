#include "alloc/pymalloc_pools.h"

#include <assert.h>

void
rh_pools_init(rh_pymalloc *pymalloc)
{
    for (uint32_t i = 0; i < pymalloc->arenas.geometry.classes; i++) {
        rh_pool *ring = &pymalloc->bins[i].ring;
        *ring = (rh_pool){.next = ring, .previous = ring, .size_class = i, .virgin = 1, .last = 0};
    }
}

uint64_t
rh_pymalloc_metadata_bytes(const rh_pymalloc *pymalloc)
{
    const rh_arenas *arenas = &pymalloc->arenas;
    uint64_t bytes = pymalloc->fixed_bytes + rh_arenas_table_bytes(arenas) +
                     rh_arena_ground_bytes(&pymalloc->ground);
    /* A virtual heap counts what the heap that it stands for would hold: nothing beside arenas. */
    if (!pymalloc->is_virtual)
        bytes += arenas->current * rh_arenas_side_bytes(arenas);
    return bytes;
}

void
rh_pymalloc_settle(rh_pymalloc *pymalloc)
{
    const rh_arenas *arenas = &pymalloc->arenas;
    pymalloc->mapped_bytes = arenas->current * arenas->geometry.arena_bytes +
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
    pool->previous->next = pool->next;
    pool->next->previous = pool->previous;
    pool->next = pool->previous = NULL;
}

static void
link_first(rh_pool *ring, rh_pool *pool)
{
    pool->previous = ring;
    pool->next = ring->next;
    ring->next->previous = pool;
    ring->next = pool;
}

/* A block of a pool that is not exhausted. */
static void *
take_block(const rh_pymalloc *pymalloc, rh_pool *pool)
{
    const rh_arenas *arenas = &pymalloc->arenas;
    const rh_pymalloc_geometry *geometry = &arenas->geometry;
    pool->used++;
    uintptr_t entry = pool->free;
    if (entry) {
        pool->free = rh_pool_link(pool, entry, arenas->side);
        return (void *)rh_pool_entry_address(pool, entry, geometry->class_shift, arenas->side);
    }
    assert(pool->virgin <= pool->last);
    uintptr_t block = rh_arenas_pool_address(arenas, pool) + pool->virgin;
    pool->virgin += (uint32_t)rh_class_bytes(geometry, pool->size_class);
    return (void *)block;
}

/* Takes a free pool into the class's empty ring; NULL when there is no arena. */
static rh_pool *
new_pool(rh_pymalloc *pymalloc, uint32_t size_class)
{
    const rh_pymalloc_geometry *geometry = &pymalloc->arenas.geometry;
    rh_bin *bin = &pymalloc->bins[size_class];
    rh_pool *pool = rh_arenas_take_pool(&pymalloc->arenas);
    settle_if_changed(pymalloc);
    if (!pool)
        return NULL;
    if (pool->size_class != size_class) {
        pymalloc->pools_reclassed += pool->size_class != RH_NO_CLASS;
        pool->size_class = size_class;
        pool->free = 0;
        pool->virgin = geometry->header_bytes;
        pool->last = (uint32_t)(geometry->pool_bytes - rh_class_bytes(geometry, size_class));
    }
    bin->pools_in_use++;
    link_first(&bin->ring, pool);
    return pool;
}

void *
rh_pools_refill(rh_pymalloc *pymalloc, uint32_t size_class)
{
    rh_pool *ring = &pymalloc->bins[size_class].ring;
    rh_pool *pool = ring->next;
    if (pool != ring && rh_pool_is_exhausted(pool)) {
        unlink_pool(pool);
        pool = ring->next;
    }
    if (pool == ring)
        pool = new_pool(pymalloc, size_class);
    return pool ? take_block(pymalloc, pool) : NULL;
}

void
rh_pools_relink(rh_pymalloc *pymalloc, rh_pool *pool)
{
    if (pool->used == 0) {
        rh_pools_retire(pymalloc, pool);
        return;
    }
    if (pool->next)
        return; /* it never left the ring */
    rh_pool *ring = &pymalloc->bins[pool->size_class].ring;
    rh_pool *first = ring->next;
    if (first != ring && rh_pool_is_exhausted(first))
        unlink_pool(first);
    link_first(ring, pool);
}

void
rh_pools_retire(rh_pymalloc *pymalloc, rh_pool *pool)
{
    unlink_pool(pool);
    pymalloc->bins[pool->size_class].pools_in_use--;
    rh_arenas_give_pool(&pymalloc->arenas, pool);
    settle_if_changed(pymalloc);
}
