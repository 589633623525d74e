/* `bestfit`: the classical baseline as a heap. */
#ifndef REHEAP_ALLOC_BESTFIT_HEAP_H
#define REHEAP_ALLOC_BESTFIT_HEAP_H

#include "alloc/spec.h"

extern const rh_allocator rh_bestfit_allocator;

#endif
