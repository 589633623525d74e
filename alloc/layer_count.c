#include "alloc/layer_count.h"

#include <stdio.h>
#include <stdlib.h>

#include "alloc/layer.h"

typedef struct count_heap {
    rh_layer_heap layer;
    rh_call_counts calls[RH_DOMAINS];
} count_heap;

static rh_call_counts *
calls_of(const rh_layer_domain *domain)
{
    return &((count_heap *)domain->layer)->calls[domain->domain];
}

static void *
count_malloc(void *ctx, size_t size)
{
    const rh_layer_domain *domain = ctx;
    rh_call_counts *calls = calls_of(domain);
    void *block = domain->inner.malloc(domain->inner.ctx, size);
    calls->mallocs++;
    calls->failures += !block;
    return block;
}

static void *
count_calloc(void *ctx, size_t count, size_t size)
{
    const rh_layer_domain *domain = ctx;
    rh_call_counts *calls = calls_of(domain);
    void *block = domain->inner.calloc(domain->inner.ctx, count, size);
    calls->callocs++;
    calls->failures += !block;
    return block;
}

static void *
count_realloc(void *ctx, void *block, size_t size)
{
    const rh_layer_domain *domain = ctx;
    rh_call_counts *calls = calls_of(domain);
    void *resized = domain->inner.realloc(domain->inner.ctx, block, size);
    calls->reallocs++;
    calls->failures += !resized;
    return resized;
}

static void
count_free(void *ctx, void *block)
{
    const rh_layer_domain *domain = ctx;
    domain->inner.free(domain->inner.ctx, block);
    calls_of(domain)->frees++;
}

static void *
count_aligned_alloc(rh_heap *heap, PyMemAllocatorDomain domain, size_t alignment, size_t size)
{
    count_heap *count = (count_heap *)heap;
    void *block = rh_heap_aligned_alloc(count->layer.inner, domain, alignment, size);
    count->calls[domain].aligned_allocs++;
    count->calls[domain].failures += !block;
    return block;
}

static void
count_figures(rh_heap *heap, rh_figure_taker *take, void *ctx)
{
    static const char *const names[RH_DOMAINS] = {"raw", "mem", "obj"};
    const count_heap *count = (const count_heap *)heap;
    rh_heap_figures(count->layer.inner, take, ctx);
    for (int domain = 0; domain < RH_DOMAINS; domain++) {
        const rh_call_counts *calls = &count->calls[domain];
        char name[48];
#define TAKE(what)                                                                                 \
    snprintf(name, sizeof name, "count_%s_" #what, names[domain]);                                 \
    take(ctx, name, calls->what);
        TAKE(mallocs)
        TAKE(callocs)
        TAKE(reallocs)
        TAKE(frees)
        TAKE(aligned_allocs)
        TAKE(failures)
#undef TAKE
    }
}

static rh_status
wrap_count(const rh_spec_part *part, rh_heap *inner, rh_heap **heap, rh_error *error)
{
    (void)part;
    static const PyMemAllocatorEx functions = {NULL, count_malloc, count_calloc, count_realloc,
                                               count_free};
    count_heap *count = calloc(1, sizeof *count);
    if (!count)
        return rh_fail(error, RH_SYSTEM, "out of memory");
    rh_layer_init(&count->layer, inner, &functions);
    count->layer.operations.aligned_alloc = count_aligned_alloc;
    count->layer.operations.figures = count_figures;
    *heap = &count->layer.heap;
    return RH_OK;
}

const rh_call_counts *
rh_count_layer_calls(const rh_heap *heap, PyMemAllocatorDomain domain)
{
    if (heap->operations->aligned_alloc != count_aligned_alloc)
        return NULL;
    return &((const count_heap *)heap)->calls[domain];
}

const rh_layer rh_count_layer = {
    .name = "count",
    .summary = "counts the calls of each function and domain",
    .wrap = wrap_count,
};
