/* Which sizes made the peak: how many blocks of each size lived when the sum of all was largest.
 *
 * A copy at every new maximum would cost a pass over all sizes at each step of a growing heap. So
 * the counts of the moment are kept, and what changed since the maximum is written into a journal,
 * which a new maximum empties. Whoever asks gets the counts with the journal undone. When the
 * journal is full before there is a new maximum, it is undone into a copy once, and the copy stands
 * until the next: that costs a pass over the sizes in tens of thousands of steps.
 */
#ifndef REHEAP_ALLOC_PEAK_SIZES_H
#define REHEAP_ALLOC_PEAK_SIZES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "alloc/side_memory.h"
#include "alloc/trace_table.h"

#define RH_PEAK_JOURNAL 32768 /* changes */

/* All zero is the empty set, at its peak. */
typedef struct rh_peak_sizes {
    rh_trace_table counts;  /* address: the size; size_bytes: how many blocks of it */
    rh_trace_table at_peak; /* the same at the maximum, when `copied` */
    rh_side_memory journal; /* sizes, doubled; plus one for a birth */
    size_t changes;
    bool copied;
    bool lost; /* there was no memory: nothing is known any more */
} rh_peak_sizes;

void rh_peak_sizes_release(rh_peak_sizes *sizes);

/* Sizes are at most PY_SSIZE_T_MAX. */
void rh_peak_sizes_born(rh_peak_sizes *sizes, uint64_t size);
void rh_peak_sizes_died(rh_peak_sizes *sizes, uint64_t size);
/* What lives now is the maximum. */
void rh_peak_sizes_now(rh_peak_sizes *sizes);

/* Fills `counts` (empty; released by the caller) with sizes and how many blocks there were of each
 * at the last maximum; a count may be 0. False when that is not known or there is no memory. */
bool rh_peak_sizes_get(const rh_peak_sizes *sizes, rh_trace_table *counts);

size_t rh_peak_sizes_bytes(const rh_peak_sizes *sizes);

#endif
