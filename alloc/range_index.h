/* Ranges by size, then address: answers "the smallest that holds N bytes, the lowest of those".
 *
 * Sizes fall into bins: one for each size up to a few kilobytes, eight for each doubling above. A
 * bin is a treap ordered by size and address whose priorities are a hash of the record's number, so
 * that its shape, too, is the same every time. Bits tell which bins hold something. Everything is
 * logarithmic in the ranges of one bin.
 * (Treaps: Seidel and Aragon, "Randomized search trees", Algorithmica 16, 1996.)
 */
#ifndef REHEAP_ALLOC_RANGE_INDEX_H
#define REHEAP_ALLOC_RANGE_INDEX_H

#include "alloc/range.h"

#define RH_RANGE_BINS 576

typedef struct rh_range_index {
    rh_range_number root[RH_RANGE_BINS];
    uint64_t filled[RH_RANGE_BINS / 64]; /* a bit a bin */
    uint32_t count;
} rh_range_index;

void rh_range_index_add(rh_range_index *index, rh_ranges *ranges, rh_range_number number);
void rh_range_index_remove(rh_range_index *index, rh_ranges *ranges, rh_range_number number);

/* The smallest range of `size` bytes or more, the lowest of those; 0 when there is none. */
rh_range_number rh_range_index_find(const rh_range_index *index, const rh_ranges *ranges,
                                    uint64_t size);

/* `number` is where its size and address say. */
bool rh_range_index_has(const rh_range_index *index, const rh_ranges *ranges,
                        rh_range_number number);

#endif
