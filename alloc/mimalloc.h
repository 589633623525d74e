/* libmimalloc under test; see mimalloc.c. */
#ifndef REHEAP_ALLOC_MIMALLOC_H
#define REHEAP_ALLOC_MIMALLOC_H

#include <stdbool.h>

#include "alloc/heap.h"
#include "alloc/spec.h"

extern const rh_allocator rh_mimalloc_allocator;

/* The heaps that a thread of a free-threaded CPython has. */
typedef enum rh_mimalloc_heap {
    RH_MIMALLOC_MEM,
    RH_MIMALLOC_OBJECT, /* objects that are not collected: OBJ, unless it is switched */
    RH_MIMALLOC_GC,     /* objects that are */
    RH_MIMALLOC_GC_PRE, /* those with two pointers more before them */
    RH_MIMALLOC_HEAPS
} rh_mimalloc_heap;

/* From now on the calling thread's OBJ domain allocates from `which`, as CPython switches around
 * allocations of collected objects. False, changing nothing, for RH_MIMALLOC_MEM, without memory,
 * and for heaps that are not `mimalloc` with four heaps a thread. */
bool rh_mimalloc_use(rh_heap *heap, rh_mimalloc_heap which);

#endif
