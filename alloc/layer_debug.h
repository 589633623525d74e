/* The layer `debug`: CPython's debug hooks over any heap.
 *
 * Each domain is decorated with its letter. What the heap's MEM and OBJ pass on to RAW goes through
 * the RAW hook as well, so that a large object carries two decorations, as in CPython. Over a heap
 * whose addresses are numbers, or whose blocks overlap, the layer transforms sizes and addresses
 * only: the layout and every counter are the same, nothing is checked.
 *
 * usable_size is what was requested: the byte after it is guarded. The counters have decorations in
 * header_bytes. A walk shows the heap's own blocks, decorations included. check verifies every pad
 * that a walk of the heap leads to.
 */
#ifndef REHEAP_ALLOC_LAYER_DEBUG_H
#define REHEAP_ALLOC_LAYER_DEBUG_H

#include "alloc/debug_hooks.h"
#include "alloc/heap.h"
#include "alloc/spec.h"

/* What the hooks of a heap have in common, to be given a lock rule, tracebacks or another end. NULL
 * when the heap's outermost layer is not `debug`. */
rh_debug_settings *rh_debug_layer_settings(rh_heap *heap);

extern const rh_layer rh_debug_layer;

#endif
