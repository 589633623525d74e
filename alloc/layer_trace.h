/* The layer `trace`: tracemalloc over any heap. It knows every live block and its requested size,
 * so that the counters tell what is traced, the peak, and what knowing it costs.
 *
 * The tables lie on mappings of their own and are part of mapped_bytes and metadata_bytes. The
 * domain of a trace is the heap's domain.
 */
#ifndef REHEAP_ALLOC_LAYER_TRACE_H
#define REHEAP_ALLOC_LAYER_TRACE_H

#include "alloc/heap.h"
#include "alloc/spec.h"
#include "alloc/tracer.h"

extern const rh_layer rh_trace_layer;

/* The tracer of `heap`, for snapshots and tracebacks; NULL when the outermost layer is not `trace`.
 */
rh_tracer *rh_trace_layer_tracer(rh_heap *heap);

#endif
