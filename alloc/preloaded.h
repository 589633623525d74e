/* Allocators that take the place of malloc in a process started with them: jemalloc, tcmalloc,
 * scudo, tbb, and `preload,so=PATH` for any other. rh_spec_library names the library; a process
 * that was not started with it refuses to open the heap. */
#ifndef REHEAP_ALLOC_PRELOADED_H
#define REHEAP_ALLOC_PRELOADED_H

#include "alloc/spec.h"

extern const rh_allocator rh_jemalloc_allocator;
extern const rh_allocator rh_tcmalloc_allocator;
extern const rh_allocator rh_scudo_allocator;
extern const rh_allocator rh_tbb_allocator;
extern const rh_allocator rh_preload_allocator;

#endif
