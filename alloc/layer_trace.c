#include "alloc/layer_trace.h"

#include <stdlib.h>

#include "alloc/debug_hooks.h"
#include "alloc/layer.h"
#include "alloc/layer_debug.h"
#include "alloc/native_frames.h"
#include "alloc/peak_sizes.h"
#include "alloc/trace_report.h"

typedef struct trace_heap {
    rh_layer_heap layer;
    rh_tracer tracer;
    rh_traced traced[RH_DOMAINS];
    rh_peak_sizes peak_sizes; /* with peak=sizes */
} trace_heap;

static void *
trace_aligned_alloc(rh_heap *heap, PyMemAllocatorDomain domain, size_t alignment, size_t size)
{
    trace_heap *trace = (trace_heap *)heap;
    rh_traced *traced = &trace->traced[domain];
    void *block = rh_heap_aligned_alloc(trace->layer.inner, domain, alignment, size);
    if (block && !rh_traced_note(traced, block, size)) {
        traced->inner.free(traced->inner.ctx, block);
        block = NULL;
    }
    rh_tracer_settle(&trace->tracer);
    return block;
}

static uint64_t
plus(uint64_t known_or_not, uint64_t bytes)
{
    return known_or_not == RH_UNKNOWN ? bytes : known_or_not + bytes;
}

static void
snapshot_trace(rh_heap *heap, rh_counters *counters)
{
    trace_heap *trace = (trace_heap *)heap;
    rh_tracer_figures figures;
    rh_heap_snapshot(trace->layer.inner, counters);
    rh_tracer_get_figures(&trace->tracer, &figures);
    counters->traced_bytes = figures.traced_bytes;
    counters->peak_traced_bytes = figures.peak_bytes;
    counters->traced_blocks = figures.blocks;
    counters->trace_table_bytes = figures.table_bytes;
    counters->metadata_bytes = plus(counters->metadata_bytes, figures.table_bytes);
    if (counters->mapped_bytes != RH_UNKNOWN)
        counters->mapped_bytes += figures.table_bytes;
}

/* The inner heap's own text, then live blocks by size and by traceback. */
static bool
print_stats(rh_heap *heap, FILE *out)
{
    trace_heap *trace = (trace_heap *)heap;
    if (rh_heap_print_stats(trace->layer.inner, out))
        fputc('\n', out);
    rh_trace_report_write(&trace->tracer, out);
    return true;
}

static rh_status
check_trace(rh_heap *heap, rh_error *error)
{
    trace_heap *trace = (trace_heap *)heap;
    rh_status status = rh_tracer_check(&trace->tracer, error);
    return status == RH_OK ? rh_heap_check(trace->layer.inner, error) : status;
}

static void
trim_trace(rh_heap *heap)
{
    trace_heap *trace = (trace_heap *)heap;
    rh_heap_trim(trace->layer.inner);
    rh_tracer_settle(&trace->tracer);
}

static void
close_trace(rh_heap *heap)
{
    trace_heap *trace = (trace_heap *)heap;
    rh_heap_close(trace->layer.inner);
    rh_tracer_release(&trace->tracer);
    free(trace);
}

/* What the reports of debug hooks right beneath ask. */
static rh_debug_traced
print_origin(void *ctx, const void *block, const char *heading, FILE *out)
{
    trace_heap *trace = ctx;
    for (unsigned domain = 0; domain < RH_DOMAINS; domain++)
        if (rh_trace_report_origin(&trace->tracer, domain, (uintptr_t)block, heading, out))
            return RH_DEBUG_TRACED;
    return RH_DEBUG_UNTRACED;
}

static void
set_operations(rh_heap_operations *operations)
{
    if (operations->aligned_alloc)
        operations->aligned_alloc = trace_aligned_alloc;
    operations->snapshot = snapshot_trace;
    operations->print_stats = print_stats;
    operations->check = check_trace;
    operations->trim = trim_trace;
    operations->close = close_trace;
}

enum { STACK_NONE, STACK_RETURN };
enum { PEAK_TOTAL, PEAK_SIZES };

static const rh_key keys[] = {
    {.name = "frames",
     .kind = RH_KEY_COUNT,
     .min = 1,
     .max = RH_FRAMES_MOST,
     .standard = "1",
     .help = "frames kept of a traceback"},
    {.name = "stack",
     .kind = RH_KEY_CHOICE,
     .choices = "none|return",
     .standard = "none",
     .help = "what a traceback is made of: nothing, or the return addresses of the C stack"},
    {.name = "peak",
     .kind = RH_KEY_CHOICE,
     .choices = "total|sizes",
     .standard = "total",
     .help = "what is kept of the peak: its bytes, or how many blocks of each size, too"},
    {.name = NULL},
};

static void
follow_domains(rh_layer_heap *layer)
{
    trace_heap *trace = (trace_heap *)layer;
    for (int i = 0; i < RH_DOMAINS; i++)
        trace->traced[i].inner = layer->inner->domain[i];
}

static void
wrap_domains(trace_heap *trace, rh_heap *inner)
{
    rh_layer_init(&trace->layer, inner, &inner->domain[0]);
    trace->layer.domains_changed = follow_domains;
    for (unsigned i = 0; i < RH_DOMAINS; i++)
        rh_tracer_wrap(&trace->traced[i], &trace->tracer, i, &inner->domain[i],
                       &trace->layer.heap.domain[i]);
    if (inner->mapped_bytes) {
        trace->tracer.beneath_bytes = inner->mapped_bytes;
        trace->layer.heap.mapped_bytes = &trace->tracer.mapped_bytes;
        rh_tracer_settle(&trace->tracer);
    }
}

static rh_status
wrap_trace(const rh_spec_part *part, rh_heap *inner, rh_heap **heap, rh_error *error)
{
    uint64_t frames = 1, stack = STACK_NONE, peak = PEAK_TOTAL;
    rh_spec_number(part, "frames", &frames);
    rh_spec_number(part, "stack", &stack);
    rh_spec_number(part, "peak", &peak);
    trace_heap *trace = calloc(1, sizeof *trace);
    if (!trace)
        return rh_fail(error, RH_SYSTEM, "out of memory");
    rh_tracer_init(&trace->tracer);
    if (peak == PEAK_SIZES)
        trace->tracer.peak_sizes = &trace->peak_sizes;
    if (stack == STACK_RETURN)
        rh_tracer_set_provider(&trace->tracer, rh_native_frames());
    rh_status status = rh_tracer_start(&trace->tracer, (long)frames, error);
    if (status) {
        rh_tracer_release(&trace->tracer);
        free(trace);
        return status;
    }
    wrap_domains(trace, inner);
    set_operations(&trace->layer.operations);
    rh_debug_settings *hooks = rh_debug_layer_settings(inner);
    if (hooks) {
        hooks->print_trace = print_origin;
        hooks->trace_ctx = trace;
    }
    *heap = &trace->layer.heap;
    return RH_OK;
}

rh_tracer *
rh_trace_layer_tracer(rh_heap *heap)
{
    return heap->operations->snapshot == snapshot_trace ? &((trace_heap *)heap)->tracer : NULL;
}

const rh_layer rh_trace_layer = {
    .name = "trace",
    .summary = "tracemalloc: knows each live block's requested size, and where it came from",
    .keys = keys,
    .wrap = wrap_trace,
};
