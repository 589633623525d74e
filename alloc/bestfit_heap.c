#include "alloc/bestfit_heap.h"

#include <stdlib.h>

#include "alloc/bestfit.h"

enum { ALIGNMENT = 16, SOURCE_VIRTUAL = 1 };

typedef struct bestfit_heap {
    rh_heap heap;
    rh_bestfit *space;
} bestfit_heap;

static rh_bestfit *
space_of(rh_heap *heap)
{
    return ((bestfit_heap *)heap)->space;
}

static void *
bestfit_malloc(void *ctx, size_t size)
{
    return rh_bestfit_malloc(ctx, ALIGNMENT, size, false);
}

static void *
bestfit_calloc(void *ctx, size_t count, size_t size)
{
    size_t total;
    if (__builtin_mul_overflow(count, size, &total))
        return NULL;
    return rh_bestfit_malloc(ctx, ALIGNMENT, total, true);
}

static void *
bestfit_realloc(void *ctx, void *block, size_t size)
{
    return rh_bestfit_realloc(ctx, block, size);
}

static void
bestfit_free(void *ctx, void *block)
{
    rh_bestfit_free(ctx, block);
}

static void *
aligned_alloc_bestfit(rh_heap *heap, PyMemAllocatorDomain domain, size_t alignment, size_t size)
{
    (void)domain;
    return rh_bestfit_malloc(space_of(heap), alignment, size, false);
}

static size_t
usable_size(rh_heap *heap, PyMemAllocatorDomain domain, const void *block)
{
    (void)domain;
    return rh_bestfit_usable_size(space_of(heap), block);
}

static void
snapshot(rh_heap *heap, rh_counters *counters)
{
    counters->mapped_bytes = counters->block_bytes = counters->header_bytes = 0;
    counters->page_header_bytes = counters->page_tail_bytes = 0;
    counters->free_block_bytes = counters->free_page_bytes = counters->free_arena_bytes = 0;
    counters->metadata_bytes = counters->other_bytes = counters->live_blocks = 0;
    rh_bestfit_add_counters(space_of(heap), counters);
}

static bool
walk(rh_heap *heap, rh_region_visitor *visit, void *ctx)
{
    return rh_bestfit_walk(space_of(heap), visit, ctx);
}

static rh_status
check(rh_heap *heap, rh_error *error)
{
    return rh_bestfit_check(space_of(heap), error);
}

static void
trim(rh_heap *heap)
{
    rh_bestfit_trim(space_of(heap));
}

static void
close_bestfit(rh_heap *heap)
{
    rh_bestfit_close(space_of(heap));
    free(heap);
}

static const rh_heap_operations operations = {
    .aligned_alloc = aligned_alloc_bestfit,
    .usable_size = usable_size,
    .snapshot = snapshot,
    .walk = walk,
    .check = check,
    .trim = trim,
    .close = close_bestfit,
};

static rh_status
open_bestfit(const rh_spec_part *part, rh_heap **heap, rh_error *error)
{
    uint64_t source = 0;
    rh_spec_number(part, "source", &source);
    bestfit_heap *bestfit = calloc(1, sizeof *bestfit);
    if (!bestfit)
        return rh_fail(error, RH_SYSTEM, "out of memory");
    rh_status status = rh_bestfit_open(source == SOURCE_VIRTUAL, &bestfit->space, error);
    if (status) {
        free(bestfit);
        return status;
    }
    bestfit->heap.operations = &operations;
    bestfit->heap.mapped_bytes = rh_bestfit_mapped(bestfit->space);
    bestfit->heap.natural_alignment = ALIGNMENT;
    bestfit->heap.contents = source == SOURCE_VIRTUAL ? RH_CONTENTS_NONE : RH_CONTENTS_KEPT;
    for (int i = 0; i < RH_DOMAINS; i++)
        bestfit->heap.domain[i] = (PyMemAllocatorEx){bestfit->space, bestfit_malloc, bestfit_calloc,
                                                     bestfit_realloc, bestfit_free};
    *heap = &bestfit->heap;
    return RH_OK;
}

static const rh_key keys[] = {
    {.name = "source",
     .kind = RH_KEY_CHOICE,
     .choices = "mmap|virtual",
     .standard = "mmap",
     .help = "where memory comes from; virtual: addresses are numbers and nothing is mapped"},
    {.name = NULL},
};

const rh_allocator rh_bestfit_allocator = {
    .name = "bestfit",
    .summary = "address-ordered best fit with coalescing: the classical baseline",
    .keys = keys,
    .many = true,
    .deterministic = true,
    .open = open_bestfit,
};
