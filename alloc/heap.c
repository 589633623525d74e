/* What callers of any heap go through: each call copes with an allocator that lacks the operation.
 */
#include "alloc/heap.h"

void
rh_heap_close(rh_heap *heap)
{
    if (heap)
        heap->operations->close(heap);
}

void *
rh_heap_aligned_alloc(rh_heap *heap, PyMemAllocatorDomain domain, size_t alignment, size_t size)
{
    if (alignment == 0 || (alignment & (alignment - 1)) != 0)
        return NULL;
    if (alignment <= heap->natural_alignment) {
        const PyMemAllocatorEx *allocator = &heap->domain[domain];
        return allocator->malloc(allocator->ctx, size);
    }
    if (!heap->operations->aligned_alloc)
        return NULL;
    return heap->operations->aligned_alloc(heap, domain, alignment, size);
}

size_t
rh_heap_usable_size(rh_heap *heap, PyMemAllocatorDomain domain, const void *block)
{
    if (!heap->operations->usable_size || !block)
        return 0;
    return heap->operations->usable_size(heap, domain, block);
}

size_t
rh_heap_block_bytes(rh_heap *heap, PyMemAllocatorDomain domain, const void *block)
{
    if (!heap->operations->block_bytes || !block)
        return rh_heap_usable_size(heap, domain, block);
    return heap->operations->block_bytes(heap, domain, block);
}

bool
rh_heap_get_arenas(rh_heap *heap, PyObjectArenaAllocator *arenas)
{
    if (!heap->operations->get_arenas)
        return false;
    heap->operations->get_arenas(heap, arenas);
    return true;
}

rh_status
rh_heap_set_arenas(rh_heap *heap, const PyObjectArenaAllocator *arenas, rh_error *error)
{
    if (!heap->operations->set_arenas)
        return rh_fail(error, RH_USAGE, "this allocator has no arenas to replace the source of");
    return heap->operations->set_arenas(heap, arenas, error);
}

void
rh_heap_set_raw(rh_heap *heap, const PyMemAllocatorEx *raw)
{
    if (heap->operations->set_raw)
        heap->operations->set_raw(heap, raw);
}

void
rh_heap_snapshot(rh_heap *heap, rh_counters *counters)
{
    rh_counters_clear(counters);
    if (heap->operations->snapshot)
        heap->operations->snapshot(heap, counters);
}

bool
rh_heap_print_stats(rh_heap *heap, FILE *out)
{
    return heap->operations->print_stats && heap->operations->print_stats(heap, out);
}

bool
rh_heap_walk(rh_heap *heap, rh_region_visitor *visit, void *ctx)
{
    return heap->operations->walk && heap->operations->walk(heap, visit, ctx);
}

bool
rh_heap_walk_pages(rh_heap *heap, rh_region_visitor *visit, void *ctx)
{
    return heap->operations->walk_pages && heap->operations->walk_pages(heap, visit, ctx);
}

bool
rh_heap_watch_arenas(rh_heap *heap, const rh_arena_watch *watch)
{
    if (!heap->operations->watch_arenas)
        return false;
    heap->operations->watch_arenas(heap, watch);
    return true;
}

rh_status
rh_heap_check(rh_heap *heap, rh_error *error)
{
    return heap->operations->check ? heap->operations->check(heap, error) : RH_OK;
}

void
rh_heap_trim(rh_heap *heap)
{
    if (heap->operations->trim)
        heap->operations->trim(heap);
}

void
rh_heap_figures(rh_heap *heap, rh_figure_taker *take, void *ctx)
{
    if (heap->operations->figures)
        heap->operations->figures(heap, take, ctx);
}
