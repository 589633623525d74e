/* What the parts of the documented API have in common behind its back.
 *
 * The process has three current allocators, one a domain, and one pymalloc heap, which is the
 * standard allocator of MEM and OBJ. That heap is opened by the first call that needs it, whoever
 * makes it: a constructor of another library, a thread before main, a hook. While it cannot be
 * opened for want of memory, requests go to RAW, as they do when pymalloc finds no arena.
 *
 * A current allocator is a pointer to a table that never changes once it is published, so that a
 * thread that allocates while another one calls PyMem_SetAllocator uses the old allocator or the
 * new one, never the context of one with a function of the other. Tables are kept for good and used
 * again for the same allocator: what a process holds is bounded by the number of unlike ones.
 */
#ifndef REHEAP_ALLOC_PYMEM_DOMAINS_H
#define REHEAP_ALLOC_PYMEM_DOMAINS_H

#include <stdbool.h>

#include "alloc/heap.h"
#include "alloc/pymem.h"
#include "base/error.h"

/* Between these no other thread exchanges an allocator; the thread itself may. Allocation takes no
 * lock, and never waits for this one. */
void rh_domains_lock(void);
void rh_domains_unlock(void);

/* Whether nobody has set an allocator for the domain. */
bool rh_domains_is_untouched(PyMemAllocatorDomain domain);

/* What serves the domain now. Unlike PyMem_GetAllocator this opens no heap: the allocator may be
 * the one that opens it when it is called. */
PyMemAllocatorEx rh_domains_peek(PyMemAllocatorDomain domain);

/* Whether this is the process's pymalloc, open or not. */
bool rh_domains_is_pymalloc(const PyMemAllocatorEx *allocator);

/* Whether these are the same functions with the same context. */
bool rh_domains_same(const PyMemAllocatorEx *a, const PyMemAllocatorEx *b);

/* The standard allocator of RAW is rh_c_library (c_library.h); that of MEM and OBJ is pymalloc, as
 * PyMem_GetAllocator shows it. Copies the latter; false when its heap could not be opened, and then
 * the copy is one that tries again at each call. */
bool rh_domains_pymalloc(PyMemAllocatorEx *allocator);

/* The process's pymalloc, opened if it was not yet; NULL when there is no memory for it. */
rh_heap *rh_domains_heap(void);

/* Which version's pymalloc ("3.9", NULL: the standard preset) the process gets. RH_USAGE when there
 * is no such version, or when the heap is open already as another one's. */
rh_status rh_domains_set_version(const char *version, rh_error *error);
/* Whether that pymalloc is one built for huge pages, which has arenas of 2 MiB, and whether they
 * shall lie on such pages. RH_USAGE when the heap is open already as another one. */
rh_status rh_domains_set_huge_pages(bool built, bool wanted, rh_error *error);
/* "3.11". */
const char *rh_domains_version(void);

#endif
