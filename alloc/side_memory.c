#define _GNU_SOURCE
#include "alloc/side_memory.h"

#include <stdint.h>
#include <sys/mman.h>

#include "base/host.h"

bool
rh_side_memory_grow(rh_side_memory *memory, size_t bytes)
{
    if (bytes <= memory->bytes)
        return true;
    if (bytes > SIZE_MAX / 4)
        return false;
    size_t page = rh_host_page_bytes(), least = memory->bytes + memory->bytes / 4;
    size_t wanted = (bytes > least ? bytes : least) + page - 1;
    wanted -= wanted % page;
    void *base = memory->base ? mremap(memory->base, memory->bytes, wanted, MREMAP_MAYMOVE)
                              : mmap(NULL, wanted, PROT_READ | PROT_WRITE,
                                     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base == MAP_FAILED)
        return false;
    memory->base = base;
    memory->bytes = wanted;
    return true;
}

void
rh_side_memory_prefer_huge_pages(const rh_side_memory *memory)
{
    if (memory->base)
        madvise(memory->base, memory->bytes, MADV_HUGEPAGE); /* a wish */
}

void
rh_side_memory_release(rh_side_memory *memory)
{
    if (memory->base)
        munmap(memory->base, memory->bytes);
    *memory = (rh_side_memory){.base = NULL};
}
