#define _GNU_SOURCE
#include "alloc/process_malloc.h"

#include <gnu/libc-version.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc/c_library.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

enum { GLIBC_ALIGNMENT = 16 };

typedef int posix_memalign_function(void **block, size_t alignment, size_t size);
typedef size_t usable_size_function(void *block);

typedef struct process_heap {
    rh_heap heap;
    rh_malloc_probe probe;
    /* NULL where the malloc lacks it: then the C library's would meet blocks it does not know. */
    posix_memalign_function *memalign;
    usable_size_function *usable;
} process_heap;

static void *
aligned_raw(rh_heap *heap, PyMemAllocatorDomain domain, size_t alignment, size_t size)
{
    (void)domain;
    process_heap *process = (process_heap *)heap;
    void *block;
    if (!process->memalign || process->memalign(&block, alignment, size ? size : 1) != 0)
        return NULL;
    return block;
}

static size_t
usable_size(rh_heap *heap, PyMemAllocatorDomain domain, const void *block)
{
    (void)domain;
    process_heap *process = (process_heap *)heap;
    return process->usable ? process->usable((void *)(uintptr_t)block) : 0;
}

static void
snapshot(rh_heap *heap, rh_counters *counters)
{
    process_heap *process = (process_heap *)heap;
    const rh_malloc_kind *kind = process->probe.kind;
    if (kind && kind->report)
        kind->report(process->probe.symbol, counters);
}

static void
trim(rh_heap *heap)
{
    process_heap *process = (process_heap *)heap;
    const rh_malloc_kind *kind = process->probe.kind;
    if (kind && kind->trim)
        kind->trim(process->probe.symbol);
}

static void
close_process(rh_heap *heap)
{
    free(heap);
}

static const rh_heap_operations operations = {
    .aligned_alloc = aligned_raw,
    .usable_size = usable_size,
    .snapshot = snapshot,
    .trim = trim,
    .close = close_process,
};

static rh_status
require(const rh_malloc_probe *probe, const char *name, rh_error *error)
{
    if (rh_malloc_probe_symbol(probe, name))
        return RH_OK;
    return rh_fail(error, RH_CANNOT_RUN, "%s replaces malloc but not %s, so blocks would go astray",
                   probe->library, name);
}

rh_status
rh_process_malloc_open(const rh_malloc_probe *probe, size_t natural_alignment, rh_heap **heap,
                       rh_error *error)
{
    static const char *const needed[] = {"malloc", "calloc", "realloc", "free"};
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++) {
        rh_status status = require(probe, needed[i], error);
        if (status)
            return status;
    }
    process_heap *process = calloc(1, sizeof *process);
    if (!process)
        return rh_fail(error, RH_SYSTEM, "out of memory");
    process->probe = *probe;
    process->memalign = (posix_memalign_function *)rh_malloc_probe_symbol(probe, "posix_memalign");
    process->usable = (usable_size_function *)rh_malloc_probe_symbol(probe, "malloc_usable_size");
    process->heap.operations = &operations;
    process->heap.natural_alignment = natural_alignment;
    process->heap.block_header_bytes = probe->kind ? probe->kind->block_header_bytes : 0;
    for (int i = 0; i < RH_DOMAINS; i++)
        process->heap.domain[i] = rh_c_library;
    *heap = &process->heap;
    return RH_OK;
}

static rh_status
open_malloc(const rh_spec_part *part, rh_heap **heap, rh_error *error)
{
    (void)part;
    rh_malloc_probe probe;
    rh_malloc_probe_process(&probe);
    if (!SANITIZED && !rh_malloc_probe_is_libc(&probe))
        return rh_fail(error, RH_CANNOT_RUN,
                       "this process runs on the malloc of %s, not the C library's; unset "
                       "LD_PRELOAD",
                       probe.library);
    return rh_process_malloc_open(&probe, GLIBC_ALIGNMENT, heap, error);
}

static void
version(const rh_spec_part *part, char *text, size_t capacity)
{
    (void)part;
    snprintf(text, capacity, "glibc %s", gnu_get_libc_version());
}

const rh_allocator rh_malloc_allocator = {
    .name = "malloc",
    .summary = "the C library",
    .threads = true,
    .process_malloc = true,
    .open = open_malloc,
    .version = version,
};
