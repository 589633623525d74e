#define _GNU_SOURCE
#include "tests/unit/replay/ledger_heap.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

static size_t
rounded(size_t size)
{
    return (size + 15) & ~(size_t)15;
}

static void
replace_live(ledger_heap *ledger, const void *from, void *to)
{
    for (int i = 0; i < LEDGER_CALLS; i++) {
        if (ledger->live[i] == from) {
            ledger->live[i] = to;
            return;
        }
    }
    abort();
}

/* A block with its size in front. */
static void *
make(ledger_heap *ledger, size_t alignment, size_t size)
{
    size_t front = alignment < 64 ? 64 : alignment;
    char *whole = aligned_alloc(front, (front + rounded(size) + front) / front * front);
    if (!whole)
        abort();
    memcpy(whole + front - 16, &size, sizeof size);
    memcpy(whole + front - 8, &front, sizeof front);
    ledger->block_bytes += rounded(size);
    ledger->mapped_bytes += rounded(size);
    replace_live(ledger, NULL, whole + front);
    return memset(whole + front, 0, size);
}

static size_t
size_of(const void *block)
{
    size_t size;
    memcpy(&size, (const char *)block - 16, sizeof size);
    return size;
}

static void
destroy(ledger_heap *ledger, void *block)
{
    size_t front;
    memcpy(&front, (char *)block - 8, sizeof front);
    replace_live(ledger, block, NULL);
    ledger->block_bytes -= rounded(size_of(block));
    ledger->mapped_bytes -= rounded(size_of(block));
    free((char *)block - front);
}

static ledger_call *
note(ledger_heap *ledger, ledger_call call)
{
    static ledger_call beyond;
    ledger->calls++;
    if (ledger->calls > LEDGER_CALLS)
        return &beyond;
    ledger->call[ledger->calls - 1] = call;
    return &ledger->call[ledger->calls - 1];
}

static void *
ledger_malloc(void *ctx, size_t size)
{
    struct ledger_domain *domain = ctx;
    ledger_call *call = note(
        domain->ledger, (ledger_call){.operation = 'm', .domain = domain->domain, .size = size});
    if (domain->ledger->calls == domain->ledger->fail_at)
        return NULL;
    return call->out = make(domain->ledger, 16, size);
}

static void *
ledger_calloc(void *ctx, size_t count, size_t size)
{
    struct ledger_domain *domain = ctx;
    ledger_call *call = note(
        domain->ledger,
        (ledger_call){.operation = 'c', .domain = domain->domain, .size = size, .extra = count});
    if (domain->ledger->calls == domain->ledger->fail_at)
        return NULL;
    return call->out = make(domain->ledger, 16, count * size);
}

static void *
ledger_realloc(void *ctx, void *block, size_t size)
{
    struct ledger_domain *domain = ctx;
    ledger_call *call =
        note(domain->ledger,
             (ledger_call){.operation = 'r', .domain = domain->domain, .size = size, .in = block});
    if (domain->ledger->calls == domain->ledger->fail_at)
        return NULL;
    call->out = make(domain->ledger, 16, size);
    if (block)
        destroy(domain->ledger, block);
    return call->out;
}

static void
ledger_free(void *ctx, void *block)
{
    struct ledger_domain *domain = ctx;
    note(domain->ledger, (ledger_call){.operation = 'f', .domain = domain->domain, .in = block});
    if (block)
        destroy(domain->ledger, block);
}

static void *
ledger_aligned(rh_heap *heap, PyMemAllocatorDomain domain, size_t alignment, size_t size)
{
    ledger_heap *ledger = (ledger_heap *)heap;
    ledger_call *call = note(
        ledger,
        (ledger_call){.operation = 'a', .domain = (int)domain, .size = size, .extra = alignment});
    return call->out = make(ledger, alignment, size);
}

static size_t
usable_size(rh_heap *heap, PyMemAllocatorDomain domain, const void *block)
{
    (void)heap, (void)domain;
    return rounded(size_of(block));
}

static void
snapshot(rh_heap *heap, rh_counters *counters)
{
    const ledger_heap *ledger = (const ledger_heap *)heap;
    memset(counters, 0, sizeof *counters);
    counters->mapped_bytes = ledger->mapped_bytes;
    counters->block_bytes = ledger->block_bytes;
    counters->metadata_bytes = LEDGER_METADATA;
}

static const rh_heap_operations operations = {
    .aligned_alloc = ledger_aligned, .usable_size = usable_size, .snapshot = snapshot};

void
ledger_open(ledger_heap *ledger)
{
    memset(ledger, 0, sizeof *ledger);
    for (int i = 0; i < RH_DOMAINS; i++) {
        ledger->domain[i].ledger = ledger;
        ledger->domain[i].domain = i;
        ledger->heap.domain[i] = (PyMemAllocatorEx){&ledger->domain[i], ledger_malloc,
                                                    ledger_calloc, ledger_realloc, ledger_free};
    }
    ledger->mapped_bytes = LEDGER_METADATA;
    ledger->heap.operations = &operations;
    ledger->heap.mapped_bytes = &ledger->mapped_bytes;
    ledger->heap.natural_alignment = LEDGER_ALIGNMENT;
}

void
ledger_close(ledger_heap *ledger)
{
    for (int i = 0; i < LEDGER_CALLS; i++)
        if (ledger->live[i])
            destroy(ledger, ledger->live[i]);
}
