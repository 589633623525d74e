/* `mimalloc`: libmimalloc opened in the process, a heap of it for each domain and thread. */
#ifndef REHEAP_ALLOC_MIMALLOC_H
#define REHEAP_ALLOC_MIMALLOC_H

#include "alloc/spec.h"

extern const rh_allocator rh_mimalloc_allocator;

#endif
