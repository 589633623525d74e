/* What the process's allocator says of itself: on demand, before each new arena, at the end. */
#include <stdatomic.h>

#include "alloc/heap.h"
#include "alloc/pymalloc.h"
#include "alloc/pymem.h"
#include "alloc/pymem_config.h"
#include "alloc/pymem_debug.h"
#include "alloc/pymem_domains.h"
#include "alloc/pymem_mimalloc.h"

/* The heap that serves OBJ, itself or under the debug hooks; NULL when anything else stands there.
 */
static rh_heap *
heap_of_objects(bool *hooked)
{
    PyMemAllocatorEx object = rh_domains_peek(PYMEM_DOMAIN_OBJ);
    const PyMemAllocatorEx *inner = rh_pymem_under_debug_hooks(&object);
    *hooked = inner != NULL;
    if (inner)
        object = *inner;
    rh_heap *mimalloc = rh_domains_mimalloc_of(&object);
    if (mimalloc)
        return mimalloc;
    return rh_domains_is_pymalloc(&object) ? rh_domains_heap() : NULL;
}

static bool
print_heap(void *heap, FILE *out)
{
    return rh_heap_print_stats(heap, out);
}

int
_PyObject_DebugMallocStats(FILE *out)
{
    bool hooked;
    rh_heap *heap = heap_of_objects(&hooked);
    if (!heap)
        return 0;
    return hooked ? rh_pymem_print_numbered(print_heap, heap, out) : print_heap(heap, out);
}

/* ---- PYTHONMALLOCSTATS ---- */

static void
print_to_stderr(void *ctx)
{
    (void)ctx;
    _PyObject_DebugMallocStats(stderr);
}

void
rh_pymem_print_stats_at_arenas(bool wanted)
{
    rh_heap *heap = rh_domains_heap();
    if (heap)
        rh_pymalloc_announce_arenas(heap, wanted ? print_to_stderr : NULL, NULL);
}

static atomic_bool print_at_exit;

void
rh_pymem_print_stats_at_exit(bool wanted)
{
    atomic_store(&print_at_exit, wanted);
}

/* Also when the library is closed before the process ends. */
__attribute__((destructor)) static void
end(void)
{
    if (atomic_load(&print_at_exit))
        print_to_stderr(NULL);
}
