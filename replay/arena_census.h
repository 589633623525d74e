/* A census of the arenas of a heap: how full each is, and how few could hold the same blocks.
 *
 * The share of an arena in use is the size of its blocks in use (as the heap rounded them) over the
 * size of the arena. Headers and ends of pages are never in use, so that even an arena without a
 * free block stays a little below 1.
 *
 * A perfect packing moves every block, and leaves its size: blocks of one size in pages that are
 * full but for the last one, pages in arenas that are full but for the last one:
 *
 *     packed_arenas = ceil( sum over sizes s of ceil(blocks(s) / capacity(s)) * page_bytes(s)
 *                           / arena_bytes )
 *
 * No heap with the same sizes, pages and arenas can do with fewer. What an arena holds beyond that
 * is the price of blocks that cannot be moved.
 */
#ifndef REHEAP_REPLAY_ARENA_CENSUS_H
#define REHEAP_REPLAY_ARENA_CENSUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "alloc/heap.h"
#include "replay/results_arenas.h"

/* An arena at this moment. */
typedef struct rh_arena_view {
    uint64_t address, size_bytes;
    uint64_t block_bytes; /* of its blocks in use */
    uint32_t blocks, pages;
} rh_arena_view;

/* Whether less than `percent` of the arena are in use. */
static inline bool
rh_arena_is_under(uint64_t block_bytes, uint64_t arena_bytes, unsigned percent)
{
    return block_bytes * 100 < arena_bytes * percent;
}

typedef void rh_arena_taker(void *ctx, const rh_arena_view *arena);

/* Blocks of one size in pages of one size. */
typedef struct rh_packing_class {
    uint64_t block_bytes, page_bytes; /* 0 block_bytes: an unused entry */
    uint64_t capacity, blocks;
} rh_packing_class;

/* What a perfect packing is computed from: add, then ask. */
enum { RH_PACKING_CLASSES = 4096 };
typedef struct rh_packing {
    uint32_t count;
    bool full;                                    /* there were more classes than have room */
    uint16_t used[RH_PACKING_CLASSES];            /* the entries in use: the first `count` */
    rh_packing_class classes[RH_PACKING_CLASSES]; /* by hash */
} rh_packing;

/* For the next count. A packing is zero at first. */
void rh_packing_clear(rh_packing *packing);
void rh_packing_add(rh_packing *packing, uint64_t block_bytes, uint64_t page_bytes,
                    uint64_t capacity, uint64_t blocks);
/* Bytes of pages; RH_UNKNOWN when full. */
uint64_t rh_packing_bytes(const rh_packing *packing);
/* Arenas of so many bytes; 0 for no block. */
uint64_t rh_packing_arenas(const rh_packing *packing, uint64_t arena_bytes);

/* Counts the arenas of `heap`, showing each to `take` (may be NULL) after its pages are counted, in
 * order of address. `packing` is the caller's. False when the heap cannot tell. */
bool rh_arena_census_take(rh_heap *heap, rh_packing *packing, rh_arena_census *census,
                          rh_arena_taker *take, void *ctx);

#endif
