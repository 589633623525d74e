#include "alloc/pymem_mimalloc.h"

#include <stdatomic.h>

#include "alloc/mimalloc.h"
#include "alloc/pymem_domains.h"

static _Atomic(rh_heap *) process_mimalloc;

rh_status
rh_domains_open_mimalloc(rh_error *error)
{
    /* Its RAW is the default heap, which serves all domains where there is the interpreter's lock.
     */
    static char arrangement[] = "3.15t";
    static const rh_spec_part part = {.preset = arrangement};
    rh_status status = RH_OK;
    rh_domains_lock();
    if (!atomic_load(&process_mimalloc)) {
        rh_heap *heap;
        status = rh_mimalloc_allocator.open(&part, &heap, error);
        if (status == RH_OK)
            atomic_store(&process_mimalloc, heap);
    }
    rh_domains_unlock();
    return status;
}

rh_heap *
rh_domains_mimalloc(void)
{
    return atomic_load(&process_mimalloc);
}

PyMemAllocatorEx
rh_domains_mimalloc_of(PyMemAllocatorDomain domain, bool free_threaded)
{
    return rh_domains_mimalloc()->domain[free_threaded ? domain : PYMEM_DOMAIN_RAW];
}

bool
rh_domains_is_mimalloc(const PyMemAllocatorEx *allocator)
{
    const rh_heap *heap = rh_domains_mimalloc();
    bool found = false;
    for (int i = 0; heap && i < RH_DOMAINS; i++)
        found |= rh_domains_same(allocator, &heap->domain[i]);
    return found;
}
