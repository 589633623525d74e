/* The domains of a pymalloc heap, as the functions that a PyMemAllocatorEx points at.
 *
 * RAW is the large space or the C library. MEM and OBJ are one heap of pools; what pools do not
 * serve goes to the heap's RAW domain, through its current functions, so that a layer which
 * replaces heap.domain[PYMEM_DOMAIN_RAW] sees those calls as CPython's hooks do.
 */
#ifndef REHEAP_ALLOC_PYMALLOC_DOMAINS_H
#define REHEAP_ALLOC_PYMALLOC_DOMAINS_H

#include "alloc/pymalloc_pools.h"

/* Fills heap.domain. CPython's own geometries get functions made for them. */
void rh_pymalloc_set_domains(rh_pymalloc *pymalloc);

void *rh_pymalloc_aligned_alloc(rh_pymalloc *pymalloc, PyMemAllocatorDomain domain,
                                size_t alignment, size_t size);
size_t rh_pymalloc_usable_size(rh_pymalloc *pymalloc, PyMemAllocatorDomain domain,
                               const void *block);
/* The same, but 0 for blocks of the C library, which no counter has. */
size_t rh_pymalloc_block_bytes(rh_pymalloc *pymalloc, PyMemAllocatorDomain domain,
                               const void *block);

#endif
