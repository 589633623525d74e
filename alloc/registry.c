/* Every allocator and layer there is, in the order of the listing: adding one is adding a row. */
#include "alloc/bestfit_heap.h"
#include "alloc/bump.h"
#include "alloc/cpython.h"
#include "alloc/layer_count.h"
#include "alloc/layer_debug.h"
#include "alloc/layer_delay.h"
#include "alloc/layer_fault.h"
#include "alloc/layer_freelist.h"
#include "alloc/layer_trace.h"
#include "alloc/mimalloc.h"
#include "alloc/plugin.h"
#include "alloc/preloaded.h"
#include "alloc/process_malloc.h"
#include "alloc/pymalloc.h"
#include "alloc/python_spec.h"
#include "alloc/spec.h"

/* clang-format off: a row a line */
const rh_allocator *const rh_allocators[] = {
    &rh_pymalloc_allocator, &rh_cpython_allocator,
    &rh_python_allocator,   &rh_bestfit_allocator,
    &rh_mimalloc_allocator, &rh_malloc_allocator,
    &rh_jemalloc_allocator, &rh_tcmalloc_allocator,
    &rh_scudo_allocator,    &rh_tbb_allocator,
    &rh_preload_allocator,  &rh_plugin_allocator,
    &rh_bump_allocator,     NULL,
};

const rh_layer *const rh_layers[] = {
    &rh_count_layer,
    &rh_debug_layer,
    &rh_delay_layer,
    &rh_freelist_layer,
    &rh_fault_layer,
    &rh_trace_layer,
    NULL,
};
/* clang-format on */
