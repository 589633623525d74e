/* The mimalloc heaps of the process: one for each arrangement that a configuration asked for,
 * opened then and kept, since somebody may have copies of its functions. */
#ifndef REHEAP_ALLOC_PYMEM_MIMALLOC_H
#define REHEAP_ALLOC_PYMEM_MIMALLOC_H

#include "alloc/heap.h"
#include "alloc/pymem.h"
#include "base/error.h"

/* The heap arranged as in a version of CPython, "3.13", or "3.13t" free-threaded. RH_CANNOT_RUN
 * where the library is not installed; RH_USAGE for a version without it. */
rh_status rh_domains_mimalloc(const char *arrangement, rh_heap **heap, rh_error *error);

/* The heap of which these functions are a domain's; NULL when they are another allocator's. */
rh_heap *rh_domains_mimalloc_of(const PyMemAllocatorEx *allocator);

#endif
