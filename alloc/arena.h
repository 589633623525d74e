/* An arena and the headers of its pools: the structs that the order of arenas, their table and the
 * pools share. A slot of the table is one cache line. */
#ifndef REHEAP_ALLOC_ARENA_H
#define REHEAP_ALLOC_ARENA_H

#include <stdint.h>

#include "alloc/pymalloc_geometry.h"

#define RH_NO_ARENA  UINT32_MAX
#define RH_POOL_FULL UINT32_MAX

/* A pool's header. In the pool when in-band: then its address is the pool's own. */
typedef struct rh_pool {
    uint32_t spare; /* free blocks less one, so that taking the last one and giving the first one
                       back both pass through zero: UINT32_MAX when full */
    uint32_t arena; /* slot */
    uintptr_t free; /* first free block: its address in-band, its unit beside; 0 when none */
    struct rh_pool *next, *previous; /* in its class's ring; meaningless when in none. A pool given
                                        back uses next for its arena's list */
    struct rh_pool *ring;            /* of its class, or its last one; NULL when it never had one */
    uint32_t most;                   /* spare when no block is in use: its blocks less one */
    uint32_t fresh;                  /* blocks that were never used: the last ones */
} rh_pool;

_Static_assert(sizeof(rh_pool) == RH_POOL_HEADER_BYTES, "a pool's header has CPython's size");

/* Blocks in use. */
static inline uint32_t
rh_pool_used(const rh_pool *pool)
{
    return pool->most - pool->spare;
}

/* A header beside: a unit is an alignment's worth of the pool. */
typedef struct rh_side_pool {
    rh_pool pool;
    uintptr_t address;
    uint16_t *links; /* by unit: the unit of the next free block */
} rh_side_pool;

typedef struct rh_arena {
    uintptr_t base; /* 0: the slot is unused */
    uintptr_t first_pool;
    uint32_t pools, free_pools, cut; /* whole; given back or not yet cut; cut so far */
    uint32_t rank;                   /* in the order, when that is a heap */
    uint32_t next, previous;         /* in the order, when that is a list. An unused slot has in
                                        next the one unused before it */
    rh_pool *given_back;
    rh_side_pool *side;
    uint64_t reserved;
} rh_arena;

_Static_assert(sizeof(rh_arena) == 64, "a slot is a cache line");

#endif
