/* An arena and the headers of its pools: the structs that the order of arenas, their table and the
 * pools share. A slot of the table is one cache line. */
#ifndef REHEAP_ALLOC_ARENA_H
#define REHEAP_ALLOC_ARENA_H

#include <stdint.h>

#include "alloc/pymalloc_geometry.h"

#define RH_NO_ARENA UINT32_MAX

/* A pool's header. In the pool when in-band: then its address is the pool's own. */
typedef struct rh_pool {
    uint32_t available; /* free blocks; 0: the pool is full */
    uint32_t fresh; /* of these, the ones not on the list or stack yet: the pool's last blocks */
    uintptr_t
        free; /* the block to be given next. In-band, its first word tells the one behind it */
    struct rh_pool *next, *previous; /* in its class's ring; meaningless when in none, previous of a
                                        ring's first one too. A pool given back uses next for its
                                        arena's list */
    struct rh_pool *ring;            /* of its class, or its last one; NULL when it never had one */
    uint32_t capacity;               /* blocks */
    uint32_t arena;                  /* slot */
} rh_pool;

_Static_assert(sizeof(rh_pool) == RH_POOL_HEADER_BYTES, "a pool's header has CPython's size");

/* Blocks in use. */
static inline uint32_t
rh_pool_used(const rh_pool *pool)
{
    return pool->capacity - pool->available;
}

/* A header beside. The pool's free blocks are stack[0] to stack[available - 1], the next to be
 * given last; the lowest `fresh` of them are not written yet. An entry is the low 16 bits of a
 * block's address in alignments; the others are the same for all blocks of a pool. */
typedef struct rh_side_pool {
    rh_pool pool;
    uint16_t *stack;
    uintptr_t origin; /* the pool's address, those bits cleared */
} rh_side_pool;

_Static_assert(sizeof(rh_side_pool) == 64, "a header beside is a cache line");

typedef struct rh_arena {
    uintptr_t base; /* 0: the slot is unused */
    uintptr_t first_pool;
    uint32_t pools, free_pools, cut; /* whole; given back or not yet cut; cut so far */
    uint32_t rank;                   /* in the order, when that is a heap */
    uint32_t next, previous;         /* in the order, when that is a list. An unused slot has in
                                        next the one unused before it */
    rh_pool *given_back;
    rh_side_pool *side; /* headers beside, of all its pools */
    uint64_t reserved;
} rh_arena;

_Static_assert(sizeof(rh_arena) == 64, "a slot is a cache line");

#endif
