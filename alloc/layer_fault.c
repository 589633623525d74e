/* Calls for memory that fail by rule: the call returns NULL without reaching the allocator, all
 * others pass. A filter says which calls are counted at all (a domain, a least size), a rule which
 * of those fail: one of them, every Nth, or by the dice of a seed. The same calls fail every time.
 */
#include "alloc/layer_fault.h"

#include <stdlib.h>

#include "alloc/layer.h"
#include "base/random.h"

#define DOMAIN_CHOICES "raw|mem|obj|all"
enum { ALL_DOMAINS = 3 };

typedef struct fault_heap {
    rh_layer_heap layer;
    uint64_t nth, every, odds; /* 0: no such rule */
    uint64_t domain, from_bytes;
    rh_random random;
    uint64_t calls, failures; /* that the filter lets count; of them, failed */
} fault_heap;

static bool
fails(fault_heap *fault, PyMemAllocatorDomain domain, size_t size)
{
    if (size < fault->from_bytes ||
        (fault->domain != ALL_DOMAINS && fault->domain != (uint64_t)domain))
        return false;
    fault->calls++;
    bool fail = fault->calls == fault->nth;
    fail |= fault->every && fault->calls % fault->every == 0;
    fail |= fault->odds && rh_random_below(&fault->random, fault->odds) == 0;
    fault->failures += fail;
    return fail;
}

static bool
call_fails(const rh_layer_domain *domain, size_t size)
{
    return fails((fault_heap *)domain->layer, domain->domain, size);
}

static void *
fault_malloc(void *ctx, size_t size)
{
    const rh_layer_domain *domain = ctx;
    if (call_fails(domain, size))
        return NULL;
    return domain->inner.malloc(domain->inner.ctx, size);
}

static void *
fault_calloc(void *ctx, size_t count, size_t size)
{
    const rh_layer_domain *domain = ctx;
    size_t total;
    if (__builtin_mul_overflow(count, size, &total))
        total = SIZE_MAX;
    if (call_fails(domain, total))
        return NULL;
    return domain->inner.calloc(domain->inner.ctx, count, size);
}

static void *
fault_realloc(void *ctx, void *block, size_t size)
{
    const rh_layer_domain *domain = ctx;
    if (call_fails(domain, size))
        return NULL;
    return domain->inner.realloc(domain->inner.ctx, block, size);
}

static void *
fault_aligned_alloc(rh_heap *heap, PyMemAllocatorDomain domain, size_t alignment, size_t size)
{
    fault_heap *fault = (fault_heap *)heap;
    if (fails(fault, domain, size))
        return NULL;
    return rh_heap_aligned_alloc(fault->layer.inner, domain, alignment, size);
}

static void
fault_figures(rh_heap *heap, rh_figure_taker *take, void *ctx)
{
    const fault_heap *fault = (const fault_heap *)heap;
    rh_heap_figures(fault->layer.inner, take, ctx);
    take(ctx, "fault_calls", fault->calls);
    take(ctx, "fault_failures", fault->failures);
}

static const rh_key keys[] = {
    {.name = "nth",
     .kind = RH_KEY_COUNT,
     .min = 1,
     .max = UINT64_MAX,
     .standard = "",
     .help = "this call for memory fails; 1 where neither every= nor odds= is given"},
    {.name = "every",
     .kind = RH_KEY_COUNT,
     .min = 1,
     .max = UINT64_MAX,
     .standard = "",
     .help = "every Nth call fails"},
    {.name = "odds",
     .kind = RH_KEY_COUNT,
     .min = 1,
     .max = UINT32_MAX,
     .standard = "",
     .help = "each call fails with a chance of 1 in N"},
    {.name = "seed",
     .kind = RH_KEY_COUNT,
     .min = 0,
     .max = UINT64_MAX,
     .standard = "1",
     .help = "of the dice of odds"},
    {.name = "from",
     .kind = RH_KEY_SIZE,
     .min = 0,
     .max = UINT64_MAX,
     .standard = "0",
     .help = "only calls for so many bytes or more count"},
    {.name = "domain",
     .kind = RH_KEY_CHOICE,
     .choices = DOMAIN_CHOICES,
     .standard = "all",
     .help = "only calls of this domain count"},
    {.name = NULL},
};

static rh_status
wrap_fault(const rh_spec_part *part, rh_heap *inner, rh_heap **heap, rh_error *error)
{
    static const PyMemAllocatorEx functions = {NULL, fault_malloc, fault_calloc, fault_realloc,
                                               rh_layer_pass_free};
    fault_heap *fault = calloc(1, sizeof *fault);
    if (!fault)
        return rh_fail(error, RH_SYSTEM, "out of memory");
    fault->domain = ALL_DOMAINS;
    fault->random.state = 1;
    rh_spec_number(part, "nth", &fault->nth);
    rh_spec_number(part, "every", &fault->every);
    rh_spec_number(part, "odds", &fault->odds);
    rh_spec_number(part, "seed", &fault->random.state);
    rh_spec_number(part, "from", &fault->from_bytes);
    rh_spec_number(part, "domain", &fault->domain);
    if (!fault->nth && !fault->every && !fault->odds)
        fault->nth = 1;
    rh_layer_init(&fault->layer, inner, &functions);
    fault->layer.operations.aligned_alloc = fault_aligned_alloc;
    fault->layer.operations.figures = fault_figures;
    *heap = &fault->layer.heap;
    return RH_OK;
}

const rh_layer rh_fault_layer = {
    .name = "fault",
    .summary = "makes calls for memory fail: the Nth, every Nth, or by chance",
    .keys = keys,
    .wrap = wrap_fault,
};
