/* What a pymalloc heap says of itself: the counters, and CPython's own text.
 *
 * The counters are cheap, for they are asked for often: only partly used pools are visited, since
 * the classes know how many pools they have and a full one needs no counting. The text visits every
 * pool, as CPython's does.
 */
#ifndef REHEAP_ALLOC_PYMALLOC_STATISTICS_H
#define REHEAP_ALLOC_PYMALLOC_STATISTICS_H

#include <stdio.h>

#include "alloc/counters.h"
#include "alloc/pymalloc_pools.h"

/* Fills the counters; those of the large space are added. What the C library serves is in none. */
void rh_pymalloc_snapshot(rh_pymalloc *pymalloc, rh_counters *counters);

/* Prints what _PyObject_DebugMallocStats of the preset's version prints, to the byte. False, with
 * nothing printed, when there is no memory. */
bool rh_pymalloc_print_stats(rh_pymalloc *pymalloc, FILE *out);

#endif
