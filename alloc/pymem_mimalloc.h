/* The mimalloc of the process: one, opened when a configuration first asks for it. */
#ifndef REHEAP_ALLOC_PYMEM_MIMALLOC_H
#define REHEAP_ALLOC_PYMEM_MIMALLOC_H

#include <stdbool.h>

#include "alloc/heap.h"
#include "alloc/pymem.h"
#include "base/error.h"

/* Opens it if it was not yet. RH_CANNOT_RUN where the library is not installed. */
rh_status rh_domains_open_mimalloc(rh_error *error);

/* NULL until it is open. */
rh_heap *rh_domains_mimalloc(void);

/* What serves a domain: with the interpreter's lock, the calling thread's own heap, the same for
 * all; free-threaded, a heap of the thread's for each domain. After it was opened. */
PyMemAllocatorEx rh_domains_mimalloc_of(PyMemAllocatorDomain domain, bool free_threaded);

/* Whether these functions are one of the above. */
bool rh_domains_is_mimalloc(const PyMemAllocatorEx *allocator);

#endif
