/* The arena sources of this house, for a program that brings its own to PyObject_SetArenaAllocator
 * or rh_heap_set_arenas:
 *
 *   rh_arena_ground     a reserved window in which arenas lie side by side, or only its numbers
 *   rh_arena_malloc_source  the C library
 *   rh_arena_huge       huge pages
 *   rh_arena_cache      keeps what is given back, over any other
 *   rh_arena_recorded   the addresses of a recording
 *
 *     static rh_arena_huge huge;
 *     static rh_arena_cache cache;
 *     rh_arena_huge_init(&huge);
 *     PyObjectArenaAllocator under = rh_arena_huge_source(&huge);
 *     rh_arena_cache_init(&cache, &under, 1 << 20, 8);
 *     PyObjectArenaAllocator arenas = rh_arena_cache_source(&cache);
 *     PyObject_SetArenaAllocator(&arenas);
 *
 * Each is used by one thread at a time, as the heap that asks it is.
 */
#ifndef REHEAP_ALLOC_ARENA_SOURCES_H
#define REHEAP_ALLOC_ARENA_SOURCES_H

#include "alloc/arena_cache.h"
#include "alloc/arena_ground.h"
#include "alloc/arena_huge.h"
#include "alloc/arena_malloc.h"
#include "alloc/arena_recorded.h"

#endif
