/* An aligned request of a recording, put to a heap. */
#ifndef REHEAP_REPLAY_ALIGNED_H
#define REHEAP_REPLAY_ALIGNED_H

#include "alloc/heap.h"
#include "replay/program.h"

/* What the heap always gives is an ordinary allocation; more goes to its aligned call. */
static inline void *
rh_replay_aligned(rh_heap *heap, const rh_wide *wide)
{
    const PyMemAllocatorEx *allocator = &heap->domain[wide->domain];
    size_t alignment = (size_t)1 << wide->alignment_log2;
    if (alignment <= heap->natural_alignment)
        return allocator->malloc(allocator->ctx, wide->size);
    return rh_heap_aligned_alloc(heap, (PyMemAllocatorDomain)wide->domain, alignment, wide->size);
}

#endif
