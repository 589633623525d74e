/* Calls that take longer: every Nth call for memory spins until the time-stamp counter has gone on
 * by so many nanoseconds, and is then passed on. It sleeps for no one: a sleep would be as long as
 * the scheduler likes. */
#include "alloc/layer_delay.h"

#include <stdlib.h>

#include "alloc/layer.h"
#include "base/host.h"

#define EVERY_STANDARD "500"
#define NS_STANDARD    "1000"
#define NS_MOST        UINT64_C(1000000000)

typedef struct delay_heap {
    rh_layer_heap layer;
    uint64_t every, ticks;
    uint64_t until;   /* calls to the next that is delayed */
    uint64_t delayed; /* calls */
} delay_heap;

static void
spin(uint64_t ticks)
{
    uint64_t start = rh_host_ticks();
    while (rh_host_ticks() - start < ticks)
        __builtin_ia32_pause();
}

static inline delay_heap *
delay(rh_layer_heap *layer)
{
    delay_heap *heap = (delay_heap *)layer;
    if (--heap->until == 0) {
        heap->until = heap->every;
        heap->delayed++;
        spin(heap->ticks);
    }
    return heap;
}

static void *
delay_malloc(void *ctx, size_t size)
{
    const rh_layer_domain *domain = ctx;
    delay(domain->layer);
    return domain->inner.malloc(domain->inner.ctx, size);
}

static void *
delay_calloc(void *ctx, size_t count, size_t size)
{
    const rh_layer_domain *domain = ctx;
    delay(domain->layer);
    return domain->inner.calloc(domain->inner.ctx, count, size);
}

static void *
delay_realloc(void *ctx, void *block, size_t size)
{
    const rh_layer_domain *domain = ctx;
    delay(domain->layer);
    return domain->inner.realloc(domain->inner.ctx, block, size);
}

static void *
delay_aligned_alloc(rh_heap *heap, PyMemAllocatorDomain domain, size_t alignment, size_t size)
{
    delay_heap *layer = delay((rh_layer_heap *)heap);
    return rh_heap_aligned_alloc(layer->layer.inner, domain, alignment, size);
}

static void
delay_figures(rh_heap *heap, rh_figure_taker *take, void *ctx)
{
    const delay_heap *layer = (const delay_heap *)heap;
    rh_heap_figures(layer->layer.inner, take, ctx);
    take(ctx, "delay_calls", layer->delayed);
}

static const rh_key keys[] = {
    {.name = "every",
     .kind = RH_KEY_COUNT,
     .min = 1,
     .max = UINT64_MAX,
     .standard = EVERY_STANDARD,
     .help = "every Nth call for memory is delayed"},
    {.name = "ns",
     .kind = RH_KEY_COUNT,
     .min = 0,
     .max = NS_MOST,
     .standard = NS_STANDARD,
     .help = "by so many nanoseconds"},
    {.name = NULL},
};

static rh_status
wrap_delay(const rh_spec_part *part, rh_heap *inner, rh_heap **heap, rh_error *error)
{
    static const PyMemAllocatorEx functions = {NULL, delay_malloc, delay_calloc, delay_realloc,
                                               rh_layer_pass_free};
    delay_heap *layer = calloc(1, sizeof *layer);
    if (!layer)
        return rh_fail(error, RH_SYSTEM, "out of memory");
    uint64_t ns = strtoull(NS_STANDARD, NULL, 10);
    layer->every = strtoull(EVERY_STANDARD, NULL, 10);
    rh_spec_number(part, "every", &layer->every);
    rh_spec_number(part, "ns", &ns);
    layer->ticks = (uint64_t)((double)ns * rh_host_ticks_per_ns());
    layer->until = layer->every;
    rh_layer_init(&layer->layer, inner, &functions);
    layer->layer.operations.aligned_alloc = delay_aligned_alloc;
    layer->layer.operations.figures = delay_figures;
    *heap = &layer->layer.heap;
    return RH_OK;
}

const rh_layer rh_delay_layer = {
    .name = "delay",
    .summary = "makes every Nth call for memory take longer, to try a measurement",
    .keys = keys,
    .wrap = wrap_delay,
};
