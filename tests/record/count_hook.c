/* An independent witness for the tests of the recorder: preloaded beside it, counts the calls of
 * the three domains with hooks of its own, and writes the counts at exit to the file that COUNT_OUT
 * names. Which of the two lies over the other makes no difference to the counts. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "alloc/pymem.h"

enum { DOMAINS = 3 };

static struct {
    _Atomic unsigned long allocations, reallocations, frees, null_frees, failures;
} counts;

static PyMemAllocatorEx below[DOMAINS];
static pid_t counted;

static void
add(_Atomic unsigned long *count)
{
    if (getpid() == counted)
        atomic_fetch_add_explicit(count, 1, memory_order_relaxed);
}

static void *
count_malloc(void *ctx, size_t size)
{
    PyMemAllocatorEx *next = ctx;
    void *block = next->malloc(next->ctx, size);
    add(block ? &counts.allocations : &counts.failures);
    return block;
}

static void *
count_calloc(void *ctx, size_t count, size_t element)
{
    PyMemAllocatorEx *next = ctx;
    void *block = next->calloc(next->ctx, count, element);
    add(block ? &counts.allocations : &counts.failures);
    return block;
}

static void *
count_realloc(void *ctx, void *old, size_t size)
{
    PyMemAllocatorEx *next = ctx;
    void *block = next->realloc(next->ctx, old, size);
    add(!block ? &counts.failures : old ? &counts.reallocations : &counts.allocations);
    return block;
}

static void
count_free(void *ctx, void *block)
{
    PyMemAllocatorEx *next = ctx;
    next->free(next->ctx, block);
    add(block ? &counts.frees : &counts.null_frees);
}

__attribute__((constructor)) static void
begin_counting(void)
{
    void (*get)(PyMemAllocatorDomain, PyMemAllocatorEx *);
    void (*set)(PyMemAllocatorDomain, PyMemAllocatorEx *);
    void *get_symbol = dlsym(RTLD_DEFAULT, "PyMem_GetAllocator");
    void *set_symbol = dlsym(RTLD_DEFAULT, "PyMem_SetAllocator");
    memcpy(&get, &get_symbol, sizeof get);
    memcpy(&set, &set_symbol, sizeof set);
    if (!get || !set)
        return;
    counted = getpid();
    for (unsigned domain = 0; domain < DOMAINS; domain++) {
        PyMemAllocatorEx hook = {&below[domain], count_malloc, count_calloc, count_realloc,
                                 count_free};
        get(domain, &below[domain]);
        set(domain, &hook);
    }
}

__attribute__((destructor)) static void
write_counts(void)
{
    const char *path = getenv("COUNT_OUT");
    FILE *out = path && getpid() == counted ? fopen(path, "we") : NULL;
    if (!out)
        return;
    fprintf(out, "allocations %lu\nreallocations %lu\nfrees %lu\nnull_frees %lu\nfailures %lu\n",
            counts.allocations, counts.reallocations, counts.frees, counts.null_frees,
            counts.failures);
    fclose(out);
}
