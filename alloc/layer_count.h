/* The layer `count`: how often each function of each domain was called. Its figures are those
 * calls, as count_DOMAIN_WHAT: count_obj_mallocs. */
#ifndef REHEAP_ALLOC_LAYER_COUNT_H
#define REHEAP_ALLOC_LAYER_COUNT_H

#include <stdint.h>

#include "alloc/heap.h"
#include "alloc/spec.h"

typedef struct rh_call_counts {
    uint64_t mallocs, callocs, reallocs, frees, aligned_allocs;
    uint64_t failures; /* calls for memory that returned NULL */
} rh_call_counts;

/* The counts of a domain, always current, calls that changed nothing (free of NULL) included. NULL
 * when the heap's outermost layer is not `count`. */
const rh_call_counts *rh_count_layer_calls(const rh_heap *heap, PyMemAllocatorDomain domain);

extern const rh_layer rh_count_layer;

#endif
