#define _GNU_SOURCE
#include "alloc/arena_huge.h"

#include <stdio.h>
#include <sys/mman.h>

#define PAGES_SET_ASIDE "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages"

void
rh_arena_huge_init(rh_arena_huge *huge)
{
    unsigned long pages = 0;
    FILE *file = fopen(PAGES_SET_ASIDE, "re");
    if (file) {
        if (fscanf(file, "%lu", &pages) != 1)
            pages = 0;
        fclose(file);
    }
    *huge = (rh_arena_huge){.set_aside = pages > 0};
}

static void *
map_pages(size_t bytes, int flags)
{
    void *pages =
        mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
    return pages == MAP_FAILED ? NULL : pages;
}

/* A mapping at a multiple of a huge page, cut out of a larger one. */
static void *
map_aligned(size_t bytes)
{
    char *mapping = map_pages(bytes + RH_HUGE_PAGE_BYTES, 0);
    if (!mapping)
        return NULL;
    size_t before = -(uintptr_t)mapping & (RH_HUGE_PAGE_BYTES - 1);
    if (before)
        munmap(mapping, before);
    munmap(mapping + before + bytes, RH_HUGE_PAGE_BYTES - before);
    /* Where the kernel has no transparent huge pages, the pages are plain. */
    madvise(mapping + before, bytes, MADV_HUGEPAGE);
    return mapping + before;
}

static void *
give_arena(void *ctx, size_t size)
{
    rh_arena_huge *huge = ctx;
    if (size == 0 || size > PTRDIFF_MAX - RH_HUGE_PAGE_BYTES)
        return NULL;
    if (size % RH_HUGE_PAGE_BYTES != 0)
        return map_pages(size, 0);
    void *arena = huge->set_aside ? map_pages(size, MAP_HUGETLB) : NULL;
    huge->from_aside += arena != NULL;
    return arena ? arena : map_aligned(size);
}

static void
take_arena_back(void *ctx, void *arena, size_t size)
{
    (void)ctx;
    if (arena)
        munmap(arena, size);
}

PyObjectArenaAllocator
rh_arena_huge_source(rh_arena_huge *huge)
{
    return (PyObjectArenaAllocator){huge, give_arena, take_arena_back};
}
