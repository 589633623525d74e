/* An arena source of huge pages: mappings that begin at a multiple of 2 MiB, which the kernel is
 * asked to back with huge pages (MADV_HUGEPAGE). Where the system has set huge pages aside
 * (vm.nr_hugepages) and the size is a multiple of theirs, those are tried first (MAP_HUGETLB);
 * when they do not suffice the plain mapping is taken, silently, as CPython 3.15 does when
 * PYTHON_PYMALLOC_HUGEPAGES is set.
 */
#ifndef REHEAP_ALLOC_ARENA_HUGE_H
#define REHEAP_ALLOC_ARENA_HUGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "alloc/pymem.h"

#define RH_HUGE_PAGE_BYTES ((size_t)2 << 20)

typedef struct rh_arena_huge {
    bool set_aside;      /* try MAP_HUGETLB */
    uint64_t from_aside; /* arenas that lay on pages set aside, ever */
} rh_arena_huge;

/* Asks the system whether huge pages are set aside. */
void rh_arena_huge_init(rh_arena_huge *huge);

/* The source. A size that is no multiple of RH_HUGE_PAGE_BYTES is a plain mapping. */
PyObjectArenaAllocator rh_arena_huge_source(rh_arena_huge *huge);

#endif
