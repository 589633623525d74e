#include "alloc/pymem_mimalloc.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "alloc/mimalloc.h"
#include "alloc/pymem_domains.h"

typedef struct opened {
    const char *arrangement;
    rh_heap *heap;
    struct opened *older;
} opened;

static _Atomic(opened *) newest;

/* The name as the allocator's own table has it: it stays. */
static const char *
known_arrangement(const char *wanted)
{
    const char *const *name = rh_mimalloc_allocator.presets;
    while (*name && strcmp(*name, wanted) != 0)
        name++;
    return *name;
}

static rh_status
open_arrangement(const char *name, rh_heap **heap, rh_error *error)
{
    char preset[16];
    strncpy(preset, name, sizeof preset - 1);
    preset[sizeof preset - 1] = '\0';
    const rh_spec_part part = {.preset = preset};
    opened *entry = malloc(sizeof *entry);
    if (!entry)
        return rh_fail(error, RH_SYSTEM, "out of memory");
    rh_status status = rh_mimalloc_allocator.open(&part, heap, error);
    if (status != RH_OK) {
        free(entry);
        return status;
    }
    *entry = (opened){name, *heap, atomic_load(&newest)};
    atomic_store(&newest, entry);
    return RH_OK;
}

rh_status
rh_domains_mimalloc(const char *arrangement, rh_heap **heap, rh_error *error)
{
    const char *name = known_arrangement(arrangement);
    if (!name)
        return rh_fail(error, RH_USAGE, "mimalloc is not arranged as in CPython %s", arrangement);
    rh_status status = RH_OK;
    rh_domains_lock();
    opened *entry = atomic_load(&newest);
    while (entry && entry->arrangement != name)
        entry = entry->older;
    if (entry)
        *heap = entry->heap;
    else
        status = open_arrangement(name, heap, error);
    rh_domains_unlock();
    return status;
}

rh_heap *
rh_domains_mimalloc_of(const PyMemAllocatorEx *allocator)
{
    for (const opened *entry = atomic_load(&newest); entry; entry = entry->older)
        for (int i = 0; i < RH_DOMAINS; i++)
            if (rh_domains_same(allocator, &entry->heap->domain[i]))
                return entry->heap;
    return NULL;
}
