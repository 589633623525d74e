#include "replay/spec_check.h"

#include "alloc/heap.h"
#include "alloc/spec.h"

rh_status
rh_spec_check(const char *text, rh_error *error)
{
    rh_spec spec;
    rh_status status = rh_spec_parse(text, &spec, error);
    if (status != RH_OK)
        return status;
    char library[4096];
    status = rh_spec_library(&spec, library, sizeof library, error);
    if (status == RH_OK && spec.allocator->many) {
        rh_heap *heap;
        status = rh_heap_open(text, &heap, error);
        if (status == RH_OK)
            rh_heap_close(heap);
    }
    rh_spec_release(&spec);
    return status;
}
