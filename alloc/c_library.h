/* The C library as an allocator, by CPython's rules: a size of 0 asks for 1, so that every block is
 * a distinct address and realloc never frees. */
#ifndef REHEAP_ALLOC_C_LIBRARY_H
#define REHEAP_ALLOC_C_LIBRARY_H

#include "alloc/pymem.h"

/* Its context is NULL. Any thread may use it at any time. */
extern const PyMemAllocatorEx rh_c_library;

#endif
