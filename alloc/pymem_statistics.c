/* _PyObject_DebugMallocStats for the process. */
#include "alloc/heap.h"
#include "alloc/pymem.h"
#include "alloc/pymem_domains.h"

static bool
is_pymalloc(const PyMemAllocatorEx *allocator)
{
    PyMemAllocatorEx pymalloc;
    return rh_domains_pymalloc(&pymalloc) && allocator->ctx == pymalloc.ctx &&
           allocator->malloc == pymalloc.malloc;
}

int
_PyObject_DebugMallocStats(FILE *out)
{
    PyMemAllocatorEx object;
    PyMem_GetAllocator(PYMEM_DOMAIN_OBJ, &object);
    if (!is_pymalloc(&object))
        return 0;
    return rh_heap_print_stats(rh_domains_heap(), out);
}
