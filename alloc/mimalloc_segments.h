/* The segments of libmimalloc as a heap's arenas, and its pages as their pools.
 *
 * The library takes memory from the system in segments of 32 MiB, at multiples of that, cuts them
 * into slices of 64 KiB, and makes each page of one slice (blocks of up to 16 KiB), of eight (up to
 * 128 KiB) or of what a single larger block needs. A segment goes back with its last page. A block
 * of more than half a segment has one of its own, which is cut into nothing and passed over here.
 *
 * The library tells which pages its heaps have (fill), and whether an address lies in a segment; it
 * announces neither segments nor pages. Who watches therefore has the calls of the domains noted: a
 * segment is born with the first block that lies in one unknown so far, and only one without blocks
 * can have died, for which the library is asked after each call. What notes alone cannot tell
 * (segments of what the library allocates for itself) is put right by the next walk.
 *
 * For one thread, whose heaps alone can be asked. The tables lie in a shared mapping, so that they
 * are in no count of the private memory that the process holds.
 */
#ifndef REHEAP_ALLOC_MIMALLOC_SEGMENTS_H
#define REHEAP_ALLOC_MIMALLOC_SEGMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "alloc/counters.h"
#include "alloc/heap.h"
#include "alloc/pymem.h"

/* What the library is asked. */
typedef struct rh_segment_questions {
    bool (*is_in_heap_region)(const void *address);
    size_t (*usable_size)(const void *block);
} rh_segment_questions;

typedef struct rh_mimalloc_segments rh_mimalloc_segments;

/* NULL: no memory. */
rh_mimalloc_segments *rh_mimalloc_segments_open(rh_segment_questions questions);
void rh_mimalloc_segments_close(rh_mimalloc_segments *segments); /* NULL is allowed */

/* From now on `watch` is told of segments; NULL: nobody is. */
void rh_mimalloc_segments_watch(rh_mimalloc_segments *segments, const rh_arena_watch *watch);
/* Puts functions that note what they do in the place of a domain's own. */
void rh_mimalloc_segments_wrap(rh_mimalloc_segments *segments, PyMemAllocatorDomain which,
                               PyMemAllocatorEx *domain);
/* For a block that came by another way. NULL is allowed. */
void rh_mimalloc_segments_note(rh_mimalloc_segments *segments, const void *block);
/* After anything else that may give segments back. */
void rh_mimalloc_segments_settle(rh_mimalloc_segments *segments);

/* A walk: begin; every page of the thread's heaps, in any order; blocks that nobody asked for;
 * show. `page->address` is where its blocks begin, `size_bytes` what they take, as the library
 * says. False: there are too many segments, or, of show, the visitor ended the walk. */
void rh_mimalloc_segments_begin(rh_mimalloc_segments *segments);
bool rh_mimalloc_segments_fill(rh_mimalloc_segments *segments, const rh_region *page);
void rh_mimalloc_segments_except(rh_mimalloc_segments *segments, const void *block);
bool rh_mimalloc_segments_show(rh_mimalloc_segments *segments, rh_region_visitor *visit, void *ctx);

/* Sets the counters of arenas and of pools that were used again, once it is watched. */
void rh_mimalloc_segments_count(const rh_mimalloc_segments *segments, rh_counters *counters);

#endif
