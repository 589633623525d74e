/* pymalloc written down as its description reads: lists are arrays, every choice is a search, every
 * total is counted anew. Slow, and short enough to be seen to be right; it places blocks without
 * touching any memory. Each rule can be broken on purpose, to show that a comparison notices. */
#ifndef REHEAP_TESTS_PYMALLOC_TWIN_H
#define REHEAP_TESTS_PYMALLOC_TWIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "alloc/counters.h"
#include "alloc/pymalloc.h"

typedef enum twin_fault {
    TWIN_SOUND,
    TWIN_FREE_LIST_FIFO,   /* a freed block goes to the end of its pool's list */
    TWIN_RELINK_LAST,      /* a full pool that gets a block back comes last in its ring */
    TWIN_FORGET_LIST,      /* a pool that changes hands starts afresh even for its old class */
    TWIN_POOLS_FIFO,       /* the pool given back first is taken first */
    TWIN_STAY_IN_ORDER,    /* an arena that gets a pool back keeps its place */
    TWIN_KEEP_ONE_MORE,    /* one arena more is kept */
    TWIN_SHRINK_IN_PLACE,  /* a realloc to exactly three quarters does not move */
    TWIN_FREE_BEFORE_TAKE, /* a realloc that moves gives up the old block first */
    TWIN_FAULTS
} twin_fault;

typedef struct twin_pool {
    int size_class; /* -1: never had one */
    uintptr_t base;
    unsigned used, fresh, listed;
    uint16_t *list; /* numbers of free blocks; the last is given first */
} twin_pool;

typedef struct twin_arena {
    bool alive;
    uintptr_t base;
    unsigned pools, cut, free;
    uint64_t stamp; /* of its birth or the last pool given back */
    twin_pool *pool;
    unsigned *given_back; /* pools; the last is taken first */
    unsigned given_back_count;
} twin_arena;

typedef struct twin_ring {
    twin_pool **pool; /* the first is used first */
    size_t count, capacity;
} twin_ring;

typedef struct twin {
    rh_pymalloc_config config;
    twin_fault fault;
    PyObjectArenaAllocator source;
    size_t header_bytes, classes, *class_bytes;
    twin_ring *ring;
    twin_arena *arena; /* by slot */
    size_t slots, slot_capacity;
    size_t *unused; /* slots; the last is reused first */
    size_t unused_count;
    size_t *order; /* usable arenas, most-full: the first is used first */
    size_t order_count;
    uint64_t stamp;
    uint64_t allocated, released, highwater, reused, slots_reused, recycled, reclassed;
} twin;

void twin_open(twin *t, const rh_pymalloc_config *config, const PyObjectArenaAllocator *source,
               twin_fault fault);
void twin_close(twin *t);

/* Addresses of blocks in pools; 0 where a request is not for pools, or no pool can be had. */
uintptr_t twin_malloc(twin *t, size_t size);
/* A block in a pool. */
void twin_free(twin *t, uintptr_t block);
/* Of a block in a pool. *moved: whether it is another block now (perhaps 0: outside pools). */
uintptr_t twin_realloc(twin *t, uintptr_t block, size_t size, bool *moved);

/* Gives every arena back that has no block. */
void twin_trim(twin *t);

/* The counters of arenas and pools; the others are left alone. */
void twin_count(const twin *t, rh_counters *counters);

#endif
