/* The layer `freelist`: free lists for objects, keyed by their rounded size, on any heap.
 *
 * CPython keeps dead objects by type (free_lists.h). A recording knows no types, and objects that
 * CPython's own lists served are not in it; so what a replay over this layer measures is what
 * *additional* lists, one a size, would do.
 *
 * Only the OBJ domain has lists. A request of up to `small` bytes is rounded up to a multiple of
 * `grain` and takes the block of that size that was freed last; when there is none, the heap below
 * is asked for the rounded size. A block that is freed goes to the front of its list while that has
 * fewer than `max`. realloc passes the lists by.
 *
 * Blocks are not written to: lists and whatever else must be known of a block lie outside, so that
 * the layer stands on heaps without memory behind their addresses as well. The size of a freed
 * block is what the heap below says may be used of it, rounded down; blocks of which that would
 * give another list than their own are noted in a table, which is empty over pymalloc and malloc.
 *
 * In the counters kept blocks are free blocks; the tables are metadata_bytes.
 */
#ifndef REHEAP_ALLOC_LAYER_FREELIST_H
#define REHEAP_ALLOC_LAYER_FREELIST_H

#include "alloc/spec.h"

extern const rh_layer rh_freelist_layer;

#endif
