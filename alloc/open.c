/* From a spec string to a heap: the allocator's own open, then each layer around it. */
#include "alloc/heap.h"
#include "alloc/spec.h"

static rh_status
open_parts(const rh_spec *spec, rh_heap **heap, rh_error *error)
{
    rh_heap *inner;
    rh_status status = spec->allocator->open(&spec->base, &inner, error);
    for (size_t i = 0; status == RH_OK && i < spec->layers; i++) {
        rh_heap *outer;
        status = spec->layer[i]->wrap(&spec->layer_part[i], inner, &outer, error);
        if (status)
            rh_heap_close(inner);
        else
            inner = outer;
    }
    if (status == RH_OK)
        *heap = inner;
    return status;
}

rh_status
rh_heap_open(const char *text, rh_heap **heap, rh_error *error)
{
    rh_spec spec;
    rh_status status = rh_spec_parse(text, &spec, error);
    if (status)
        return status;
    status = open_parts(&spec, heap, error);
    rh_spec_release(&spec);
    if (status && error)
        rh_error_prefix(error, "allocator '%.160s'", text);
    return status;
}
