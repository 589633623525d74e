/* The Nth call that asks for memory, in whichever domain, returns NULL without reaching the
 * allocator; all others pass. */
#include "alloc/layer_fault.h"

#include <stdlib.h>

#include "alloc/layer.h"

typedef struct fault_heap {
    rh_layer_heap layer;
    uint64_t calls_left; /* until the one that fails; 0 afterwards */
} fault_heap;

static bool
fails(fault_heap *fault)
{
    return fault->calls_left > 0 && --fault->calls_left == 0;
}

static void *
fault_malloc(void *ctx, size_t size)
{
    const rh_layer_domain *domain = ctx;
    if (fails((fault_heap *)domain->layer))
        return NULL;
    return domain->inner.malloc(domain->inner.ctx, size);
}

static void *
fault_calloc(void *ctx, size_t count, size_t size)
{
    const rh_layer_domain *domain = ctx;
    if (fails((fault_heap *)domain->layer))
        return NULL;
    return domain->inner.calloc(domain->inner.ctx, count, size);
}

static void *
fault_realloc(void *ctx, void *block, size_t size)
{
    const rh_layer_domain *domain = ctx;
    if (fails((fault_heap *)domain->layer))
        return NULL;
    return domain->inner.realloc(domain->inner.ctx, block, size);
}

static void
fault_free(void *ctx, void *block)
{
    const rh_layer_domain *domain = ctx;
    domain->inner.free(domain->inner.ctx, block);
}

static void *
fault_aligned_alloc(rh_heap *heap, PyMemAllocatorDomain domain, size_t alignment, size_t size)
{
    fault_heap *fault = (fault_heap *)heap;
    if (fails(fault))
        return NULL;
    return rh_heap_aligned_alloc(fault->layer.inner, domain, alignment, size);
}

static const rh_key keys[] = {
    {.name = "nth",
     .kind = RH_KEY_COUNT,
     .min = 1,
     .max = UINT64_MAX,
     .standard = "1",
     .help = "the call for memory that fails"},
    {.name = NULL},
};

static rh_status
wrap_fault(const rh_spec_part *part, rh_heap *inner, rh_heap **heap, rh_error *error)
{
    static const PyMemAllocatorEx functions = {NULL, fault_malloc, fault_calloc, fault_realloc,
                                               fault_free};
    fault_heap *fault = calloc(1, sizeof *fault);
    if (!fault)
        return rh_fail(error, RH_SYSTEM, "out of memory");
    fault->calls_left = 1;
    rh_spec_number(part, "nth", &fault->calls_left);
    rh_layer_init(&fault->layer, inner, &functions);
    fault->layer.operations.aligned_alloc = fault_aligned_alloc;
    *heap = &fault->layer.heap;
    return RH_OK;
}

const rh_layer rh_fault_layer = {
    .name = "fault",
    .summary = "makes the Nth call for memory fail",
    .keys = keys,
    .wrap = wrap_fault,
};
