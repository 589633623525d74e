#include "alloc/layer.h"

#include <stdlib.h>

static rh_heap *
inner(rh_heap *heap)
{
    return ((rh_layer_heap *)heap)->inner;
}

static void *
pass_aligned_alloc(rh_heap *heap, PyMemAllocatorDomain domain, size_t alignment, size_t size)
{
    return rh_heap_aligned_alloc(inner(heap), domain, alignment, size);
}

static size_t
pass_usable_size(rh_heap *heap, PyMemAllocatorDomain domain, const void *block)
{
    return rh_heap_usable_size(inner(heap), domain, block);
}

static size_t
pass_block_bytes(rh_heap *heap, PyMemAllocatorDomain domain, const void *block)
{
    return rh_heap_block_bytes(inner(heap), domain, block);
}

static void
pass_get_arenas(rh_heap *heap, PyObjectArenaAllocator *arenas)
{
    rh_heap_get_arenas(inner(heap), arenas);
}

static rh_status
pass_set_arenas(rh_heap *heap, const PyObjectArenaAllocator *arenas, rh_error *error)
{
    return rh_heap_set_arenas(inner(heap), arenas, error);
}

static void
pass_set_raw(rh_heap *heap, const PyMemAllocatorEx *raw)
{
    rh_heap_set_raw(inner(heap), raw);
}

static void
pass_snapshot(rh_heap *heap, rh_counters *counters)
{
    rh_heap_snapshot(inner(heap), counters);
}

static bool
pass_print_stats(rh_heap *heap, FILE *out)
{
    return rh_heap_print_stats(inner(heap), out);
}

static bool
pass_walk(rh_heap *heap, rh_region_visitor *visit, void *ctx)
{
    return rh_heap_walk(inner(heap), visit, ctx);
}

static bool
pass_walk_pages(rh_heap *heap, rh_region_visitor *visit, void *ctx)
{
    return rh_heap_walk_pages(inner(heap), visit, ctx);
}

static void
pass_watch_arenas(rh_heap *heap, const rh_arena_watch *watch)
{
    rh_layer_heap *layer = (rh_layer_heap *)heap;
    rh_heap_watch_arenas(layer->inner, watch);
    for (int i = 0; i < RH_DOMAINS; i++)
        layer->domain[i].inner = layer->inner->domain[i];
    if (layer->domains_changed)
        layer->domains_changed(layer);
}

static rh_status
pass_check(rh_heap *heap, rh_error *error)
{
    return rh_heap_check(inner(heap), error);
}

static void
pass_trim(rh_heap *heap)
{
    rh_heap_trim(inner(heap));
}

static void
pass_figures(rh_heap *heap, rh_figure_taker *take, void *ctx)
{
    rh_heap_figures(inner(heap), take, ctx);
}

static void
close_layer(rh_heap *heap)
{
    rh_heap_close(inner(heap));
    free(heap);
}

void
rh_layer_pass_free(void *ctx, void *block)
{
    const rh_layer_domain *domain = ctx;
    domain->inner.free(domain->inner.ctx, block);
}

/* Only what the heap under the layer has: what is there tells callers what a heap can do. */
static rh_heap_operations
operations_over(const rh_heap_operations *under)
{
    return (rh_heap_operations){
        .aligned_alloc = under->aligned_alloc ? pass_aligned_alloc : NULL,
        .usable_size = under->usable_size ? pass_usable_size : NULL,
        .block_bytes = under->block_bytes ? pass_block_bytes : NULL,
        .get_arenas = under->get_arenas ? pass_get_arenas : NULL,
        .set_arenas = under->set_arenas ? pass_set_arenas : NULL,
        .set_raw = under->set_raw ? pass_set_raw : NULL,
        .snapshot = under->snapshot ? pass_snapshot : NULL,
        .print_stats = under->print_stats ? pass_print_stats : NULL,
        .walk = under->walk ? pass_walk : NULL,
        .walk_pages = under->walk_pages ? pass_walk_pages : NULL,
        .watch_arenas = under->watch_arenas ? pass_watch_arenas : NULL,
        .check = under->check ? pass_check : NULL,
        .trim = under->trim ? pass_trim : NULL,
        .figures = under->figures ? pass_figures : NULL,
        .close = close_layer,
    };
}

void
rh_layer_init(rh_layer_heap *layer, rh_heap *under, const PyMemAllocatorEx *functions)
{
    layer->inner = under;
    layer->operations = operations_over(under->operations);
    layer->heap.operations = &layer->operations;
    layer->heap.mapped_bytes = under->mapped_bytes;
    layer->heap.natural_alignment = under->natural_alignment;
    layer->heap.contents = under->contents;
    layer->heap.block_header_bytes = under->block_header_bytes;
    layer->heap.raw_uncounted = under->raw_uncounted;
    for (int i = 0; i < RH_DOMAINS; i++) {
        layer->domain[i] = (rh_layer_domain){layer, (PyMemAllocatorDomain)i, under->domain[i]};
        layer->heap.domain[i] = *functions;
        layer->heap.domain[i].ctx = &layer->domain[i];
    }
}
