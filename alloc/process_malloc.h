/* Heaps on the malloc that this process was started with: the C library's, or the one that
 * LD_PRELOAD put in its place. There is one to a process, and threads may share it.
 *
 * Closing such a heap gives back what the heap itself holds; blocks that were not freed stay with
 * the process's malloc.
 */
#ifndef REHEAP_ALLOC_PROCESS_MALLOC_H
#define REHEAP_ALLOC_PROCESS_MALLOC_H

#include "alloc/introspect.h"
#include "alloc/spec.h"

/* A heap on the malloc that `probe` found. `natural_alignment` is what every block of it has. */
rh_status rh_process_malloc_open(const rh_malloc_probe *probe, size_t natural_alignment,
                                 rh_heap **heap, rh_error *error);

/* `malloc`: the C library. RH_CANNOT_RUN when another malloc has taken its place. */
extern const rh_allocator rh_malloc_allocator;

#endif
