/* The pools of a pymalloc heap: blocks of one size class each, and the rings in which the classes
 * keep them.
 *
 * States of a pool:
 *
 *   free  --taken from its arena-->  partly used  --last free block given-->  full
 *    ^                                |        ^                                |
 *    +---- last block in use freed ---+        +--------- a block freed --------+
 *
 * Each class has a ring of its partly used pools and allocates from the first. Of a pool's free
 * blocks the one freed last is given first; only when none that was ever used is left the next that
 * never was is taken, in ascending order of address. A full pool is in no ring; when a block of it
 * is freed it comes first. A pool that becomes free goes back to its arena and keeps its free
 * blocks in their order, so that it continues where it stopped if its next class is the same.
 *
 * Which blocks are free is kept in one of two ways. In-band, as CPython does, they form a list
 * through their first words. Beside, the pool has a stack of them (pool_stacks.h).
 *
 *   stack:  0        fresh                available          capacity
 *           | not yet |  free, last freed   |  no meaning      |
 *           | written |  at the right       |                  |
 *
 * Before anything is freed a stack would hold all blocks, the first one on top. That much is
 * written only as it is needed, a cache line at a time; so a pool is set up in constant time. The
 * address of the top is in the header as well: a program that frees a block and asks for another
 * gets it without waiting for the entry.
 *
 * A pool in a ring has a block on its list or stack: when malloc takes the last one, it puts fresh
 * ones there, or takes the pool out of the ring. So one comparison tells malloc that all is as
 * usual, and a ring's own entry is made to fail it: it seems to have two blocks, one of them fresh.
 *
 * Speed. Beside, a million blocks' headers and stack tops take some three megabytes, and neither
 * malloc nor free touches the blocks. Where headers lie in the pools, all at the same offset of a
 * large power of two, they contend for one set of the first cache: more of them than it has ways,
 * and a processor that runs a dozen calls ahead evicts one before what was written to it got there.
 * So in-band the numbers of the pool that comes first (available, fresh, free) are lent to its
 * ring's entry, which malloc needs anyway; its header is read by free, but neither writes it. The
 * slow paths take them back for as long as they work.
 *
 * Whether a free finds its pool full, or a malloc leaves it so, is as good as random in a program
 * with ten thousand blocks of many sizes, and a wrongly foreseen branch costs as much as the rest
 * of the path. Without these branches, always writing the links of the ring with what they were or
 * with what they become, such a load takes half the time or less, and every other a tenth more,
 * recorded programs among them. So there are both ways, and which is taken follows from what is
 * seen: now and then, when so many pools became full, some frees go the way without the branch,
 * which counts. While one in eight finds its pool full, malloc and free go that way, and no numbers
 * are lent; else it is tried less often. The bounds that they compare with anyway tell them, so
 * that it costs nothing.
 *
 * A program that asks for one block of a size and gives it back, again and again, would take and
 * give up a pool each time. So the pool that was emptied last may stay in its ring, parked, if
 * nothing could come between: it is its ring's last pool, and the next that its class takes from
 * the arenas would be itself. Whatever takes or gives a pool, or looks at the heap, unparks it
 * first, which makes good what was put off.
 *
 * Invariants, with no pool parked: exactly the partly used pools are in rings; blocks on the list
 * or stack and fresh ones are those available; not all that are available are fresh. `previous` of
 * a ring's first pool has no meaning, so that a pool leaves the ring's start with one write. While
 * numbers are lent the header of a pool in a ring says that blocks are available, and if it is the
 * first nothing else that can be relied on.
 */
#ifndef REHEAP_ALLOC_PYMALLOC_POOLS_H
#define REHEAP_ALLOC_PYMALLOC_POOLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "alloc/arena_supply.h"
#include "alloc/bestfit.h"
#include "alloc/heap.h"
#include "alloc/pymalloc_arenas.h"

typedef struct rh_bin {
    rh_pool ring; /* next: the first pool; itself when there is none */
    uint32_t block_bytes, capacity;
    uint64_t pools_in_use;
} rh_bin;

_Static_assert(sizeof(rh_bin) == 64, "a bin is a cache line");

typedef struct rh_pymalloc {
    size_t near_bytes,
        near_small;             /* window_bytes and small_bytes while full pools are foreseen, else
                                   0 */
    uintptr_t window_base;      /* what lies in this window lies in an arena */
    size_t window_bytes;        /* 0: there is none */
    uint32_t to_see, seen_full; /* frees to see before deciding; of those seen, into full pools */
    uint32_t to_fill, patience; /* pools to become full before looking again; at first */
    rh_side_pool *window_headers; /* side: by pool of the window */
    rh_heap heap;
    const PyMemAllocatorEx *raw; /* serves what pools do not: heap.domain's, unless set */
    rh_pool *parked;             /* see above; it may have blocks in use again */
    bool is_virtual;
    bool lent;         /* each ring has the numbers of its first pool; see above */
    rh_bestfit *space; /* the large space; NULL: the C library */
    const uint64_t *space_mapped;
    uint64_t space_bytes; /* of the space that mapped_bytes accounts for */
    uint64_t mapped_bytes;
    uint64_t fixed_bytes; /* of this struct with its bins */
    uint64_t settled;     /* arena births tried and deaths that mapped_bytes accounts for */
    uint64_t pools_reclassed;
    rh_arena_supply supply;
    rh_arenas arenas;
    rh_bin bins[]; /* by class */
} rh_pymalloc;

void rh_pools_init(rh_pymalloc *pymalloc);

/* The slow paths. refill gives a block of the class when that is the last on its first pool's list
 * or stack, or there is no pool; NULL when there is no arena. retire gives up a pool that has no
 * block in use any more. */
void *rh_pools_refill(rh_pymalloc *pymalloc, size_t size_class);
void rh_pools_retire(rh_pymalloc *pymalloc, rh_pool *pool);

/* Puts a block into its pool that was full, in-band, where numbers are lent. */
void rh_pools_reenter(rh_pool *pool, void *block);

/* How to free from now on, after so many frees were seen; see Speed above. */
void rh_pools_decide(rh_pymalloc *pymalloc);

/* Before anybody looks at pools, arenas or their counts: no pool is parked after it, and every
 * header has its numbers. */
void rh_pools_unpark(rh_pymalloc *pymalloc);

/* Brings mapped_bytes up to date after arenas changed. */
void rh_pymalloc_settle(rh_pymalloc *pymalloc);
/* Writable bytes outside arenas and the large space. */
uint64_t rh_pymalloc_metadata_bytes(const rh_pymalloc *pymalloc);

/* The same after a call of the large space. */
static inline void
rh_pymalloc_settle_space(rh_pymalloc *pymalloc)
{
    uint64_t space_bytes = *pymalloc->space_mapped;
    pymalloc->mapped_bytes += space_bytes - pymalloc->space_bytes;
    pymalloc->space_bytes = space_bytes;
}

/* The bin of a pool that has or had a class. */
static inline rh_bin *
rh_pool_bin(const rh_pool *pool)
{
    return (rh_bin *)pool->ring; /* its first member */
}

/* The block on top of a stack of `available` blocks, of which one at least is written; any number
 * when it has none. */
static inline uintptr_t
rh_side_pool_top(const rh_side_pool *beside, size_t available, unsigned class_shift)
{
    uintptr_t entry = *(beside->stack + available - 1);
    return beside->origin + (entry << class_shift);
}

/* Takes the block that is to be given next off the list or stack, where another one is below it or
 * there is none at all; `left` remain available. */
static inline uintptr_t
rh_pool_take(rh_pool *pool, size_t left, unsigned class_shift, bool side)
{
    uintptr_t block = pool->free;
    pool->free = side ? rh_side_pool_top((const rh_side_pool *)pool, left, class_shift)
                      : *(const uintptr_t *)block;
    return block;
}

/* Puts a block where it is the next to be given; `available` were it before. */
static inline void
rh_pool_put(rh_pool *pool, size_t available, uintptr_t block, unsigned class_shift, bool side)
{
    if (side)
        ((rh_side_pool *)pool)->stack[available] = (uint16_t)(block >> class_shift);
    else
        *(uintptr_t *)block = pool->free;
    pool->free = block;
}

#endif
