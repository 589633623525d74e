/* Arenas from the C library's malloc, as CPython gets them where there is neither mmap nor
 * VirtualAlloc. A block of malloc is rarely aligned to a pool: one pool of the arena is lost then,
 * 63 of 64 are left. */
#ifndef REHEAP_ALLOC_ARENA_MALLOC_H
#define REHEAP_ALLOC_ARENA_MALLOC_H

#include "alloc/pymem.h"

/* Its context is NULL. */
extern const PyObjectArenaAllocator rh_arena_malloc_source;

#endif
