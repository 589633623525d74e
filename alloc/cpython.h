/* `cpython`: the real thing, out of an installed libpython 3.7 to 3.11: for reference. */
#ifndef REHEAP_ALLOC_CPYTHON_H
#define REHEAP_ALLOC_CPYTHON_H

#include "alloc/spec.h"

extern const rh_allocator rh_cpython_allocator;

#endif
