/* The source of the arenas of the process's pymalloc, exchanged. CPython leaves this to its
 * caller's lock; here it is safe against a concurrent exchange, not against a concurrent
 * allocation. */
#include "alloc/heap.h"
#include "alloc/pymalloc.h"
#include "alloc/pymem.h"
#include "alloc/pymem_domains.h"

/* All NULL when there is no memory for pymalloc's heap. */
void
PyObject_GetArenaAllocator(PyObjectArenaAllocator *allocator)
{
    *allocator = (PyObjectArenaAllocator){NULL, NULL, NULL};
    rh_heap *heap = rh_domains_heap();
    if (!heap)
        return;
    rh_domains_lock();
    rh_heap_get_arenas(heap, allocator);
    rh_domains_unlock();
}

void
PyObject_SetArenaAllocator(PyObjectArenaAllocator *allocator)
{
    rh_heap *heap = rh_domains_heap();
    if (!heap)
        return;
    rh_domains_lock();
    rh_pymalloc_exchange_arenas(heap, allocator);
    rh_domains_unlock();
}
