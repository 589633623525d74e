/* libmimalloc, opened with dlopen and RTLD_LOCAL: linking it would put it in the place of this
 * process's own malloc.
 *
 * As CPython 3.13 and later arrange it, each thread has a mimalloc heap for the mem domain and one
 * for the object domain, made when it first allocates; the raw domain uses the thread's default
 * heap. A block may be freed by any thread.
 *
 * Close destroys the heaps of the closing thread. Those of other threads, and raw blocks that were
 * not freed, stay with the library, which stays loaded: it has left hooks in threads.
 */
#define _GNU_SOURCE
#include "alloc/mimalloc.h"

#include <dlfcn.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "alloc/library_file.h"

#define LIBRARY "libmimalloc.so.2"
#define PACKAGE "libmimalloc2.0"

/* Blocks of up to 8 bytes lie at multiples of 8. */
enum { ALIGNMENT = 8 };

typedef struct mi_heap mi_heap;

/* The start of the library's own description of a run of blocks of one size. */
typedef struct mi_area {
    void *blocks;
    size_t reserved, committed, used, block_size;
} mi_area;

typedef bool mi_visitor(const mi_heap *, const mi_area *, void *block, size_t size, void *arg);

/* X(result, name, parameters): what is used of the library. */
#define MI_FUNCTIONS(X)                                                                            \
    X(int, mi_version, (void))                                                                     \
    X(mi_heap *, mi_heap_new, (void))                                                              \
    X(mi_heap *, mi_heap_get_default, (void))                                                      \
    X(void, mi_heap_destroy, (mi_heap *))                                                          \
    X(void *, mi_heap_malloc, (mi_heap *, size_t))                                                 \
    X(void *, mi_heap_calloc, (mi_heap *, size_t, size_t))                                         \
    X(void *, mi_heap_realloc, (mi_heap *, void *, size_t))                                        \
    X(void *, mi_heap_malloc_aligned_at, (mi_heap *, size_t, size_t, size_t))                      \
    X(void *, mi_malloc, (size_t))                                                                 \
    X(void *, mi_calloc, (size_t, size_t))                                                         \
    X(void *, mi_realloc, (void *, size_t))                                                        \
    X(void *, mi_malloc_aligned_at, (size_t, size_t, size_t))                                      \
    X(void, mi_free, (void *))                                                                     \
    X(size_t, mi_usable_size, (const void *))                                                      \
    X(void, mi_collect, (bool))                                                                    \
    X(void, mi_process_info,                                                                       \
      (size_t *, size_t *, size_t *, size_t *, size_t *, size_t *, size_t *, size_t *))            \
    X(bool, mi_heap_visit_blocks, (const mi_heap *, bool, mi_visitor *, void *))

typedef struct mi_library {
#define MI_MEMBER(result, name, parameters) result(*name) parameters;
    MI_FUNCTIONS(MI_MEMBER)
#undef MI_MEMBER
} mi_library;

typedef struct mimalloc_heap {
    rh_heap heap;
    mi_library mi;
    uint64_t serial; /* never the same twice in a process */
} mimalloc_heap;

/* The calling thread's heaps of the rh_heap that it used last. */
static _Thread_local struct {
    uint64_t serial;
    mi_heap *heap[RH_DOMAINS]; /* raw: none */
} mine;

static __attribute__((noinline)) mi_heap *
make_heaps(const mimalloc_heap *mimalloc, PyMemAllocatorDomain domain)
{
    mi_heap *mem = mimalloc->mi.mi_heap_new(), *object = mimalloc->mi.mi_heap_new();
    if (!mem || !object)
        return NULL;
    mine.serial = mimalloc->serial;
    mine.heap[PYMEM_DOMAIN_MEM] = mem;
    mine.heap[PYMEM_DOMAIN_OBJ] = object;
    return mine.heap[domain];
}

static inline mi_heap *
heap_of(const mimalloc_heap *mimalloc, PyMemAllocatorDomain domain)
{
    if (__builtin_expect(mine.serial == mimalloc->serial, 1))
        return mine.heap[domain];
    return make_heaps(mimalloc, domain);
}

/* A size of 0 asks for 1: the library's realloc to 0 would otherwise differ between versions. */
static inline size_t
at_least_one(size_t size)
{
    return size ? size : 1;
}

static void *
raw_malloc(void *ctx, size_t size)
{
    return ((mimalloc_heap *)ctx)->mi.mi_malloc(at_least_one(size));
}

static void *
raw_calloc(void *ctx, size_t count, size_t size)
{
    return ((mimalloc_heap *)ctx)->mi.mi_calloc(at_least_one(count), at_least_one(size));
}

static void *
raw_realloc(void *ctx, void *block, size_t size)
{
    return ((mimalloc_heap *)ctx)->mi.mi_realloc(block, at_least_one(size));
}

static void
free_block(void *ctx, void *block)
{
    ((mimalloc_heap *)ctx)->mi.mi_free(block);
}

#define DOMAIN_FUNCTIONS(prefix, which)                                                            \
    static void *prefix##_malloc(void *ctx, size_t size)                                           \
    {                                                                                              \
        mimalloc_heap *mimalloc = ctx;                                                             \
        mi_heap *heap = heap_of(mimalloc, which);                                                  \
        return heap ? mimalloc->mi.mi_heap_malloc(heap, at_least_one(size)) : NULL;                \
    }                                                                                              \
    static void *prefix##_calloc(void *ctx, size_t count, size_t size)                             \
    {                                                                                              \
        mimalloc_heap *mimalloc = ctx;                                                             \
        mi_heap *heap = heap_of(mimalloc, which);                                                  \
        return heap ? mimalloc->mi.mi_heap_calloc(heap, at_least_one(count), at_least_one(size))   \
                    : NULL;                                                                        \
    }                                                                                              \
    static void *prefix##_realloc(void *ctx, void *block, size_t size)                             \
    {                                                                                              \
        mimalloc_heap *mimalloc = ctx;                                                             \
        mi_heap *heap = heap_of(mimalloc, which);                                                  \
        return heap ? mimalloc->mi.mi_heap_realloc(heap, block, at_least_one(size)) : NULL;        \
    }

DOMAIN_FUNCTIONS(mem, PYMEM_DOMAIN_MEM)
DOMAIN_FUNCTIONS(object, PYMEM_DOMAIN_OBJ)

/* The library's plain aligned calls take a short cut for small sizes that, in 2.0.9, aligns no
 * further than to 128; those with an offset do not. */
static void *
aligned_alloc_mimalloc(rh_heap *heap, PyMemAllocatorDomain domain, size_t alignment, size_t size)
{
    mimalloc_heap *mimalloc = (mimalloc_heap *)heap;
    if (domain == PYMEM_DOMAIN_RAW)
        return mimalloc->mi.mi_malloc_aligned_at(at_least_one(size), alignment, 0);
    mi_heap *of_domain = heap_of(mimalloc, domain);
    if (!of_domain)
        return NULL;
    return mimalloc->mi.mi_heap_malloc_aligned_at(of_domain, at_least_one(size), alignment, 0);
}

static size_t
usable_size(rh_heap *heap, PyMemAllocatorDomain domain, const void *block)
{
    (void)domain;
    return ((mimalloc_heap *)heap)->mi.mi_usable_size(block);
}

static bool
add_area(const mi_heap *heap, const mi_area *area, void *block, size_t size, void *arg)
{
    (void)heap, (void)block, (void)size;
    *(uint64_t *)arg += area->used * area->block_size;
    return true;
}

/* Bytes in use are those of the calling thread's heaps; what is committed is the library's. */
static void
snapshot(rh_heap *heap, rh_counters *counters)
{
    const mimalloc_heap *mimalloc = (mimalloc_heap *)heap;
    size_t unused, commit = 0;
    mimalloc->mi.mi_process_info(&unused, &unused, &unused, &unused, &unused, &commit, &unused,
                                 &unused);
    counters->reported_mapped_bytes = commit;
    uint64_t allocated = 0;
    const mi_heap *raw = mimalloc->mi.mi_heap_get_default();
    mimalloc->mi.mi_heap_visit_blocks(raw, false, add_area, &allocated);
    if (mine.serial == mimalloc->serial)
        for (int i = PYMEM_DOMAIN_MEM; i <= PYMEM_DOMAIN_OBJ; i++)
            mimalloc->mi.mi_heap_visit_blocks(mine.heap[i], false, add_area, &allocated);
    counters->reported_allocated_bytes = allocated;
}

static void
trim(rh_heap *heap)
{
    ((mimalloc_heap *)heap)->mi.mi_collect(true);
}

static void
close_mimalloc(rh_heap *heap)
{
    mimalloc_heap *mimalloc = (mimalloc_heap *)heap;
    if (mine.serial == mimalloc->serial) {
        mimalloc->mi.mi_heap_destroy(mine.heap[PYMEM_DOMAIN_MEM]);
        mimalloc->mi.mi_heap_destroy(mine.heap[PYMEM_DOMAIN_OBJ]);
        mine.serial = 0;
    }
    free(mimalloc);
}

static const rh_heap_operations operations = {
    .aligned_alloc = aligned_alloc_mimalloc,
    .usable_size = usable_size,
    .snapshot = snapshot,
    .trim = trim,
    .close = close_mimalloc,
};

static rh_status
load(mi_library *mi, rh_error *error)
{
    char path[4096];
    if (!rh_library_find(LIBRARY, path, sizeof path))
        return rh_fail(error, RH_CANNOT_RUN,
                       LIBRARY " is not installed; it is in Debian's package " PACKAGE);
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library)
        return rh_fail(error, RH_CANNOT_RUN, "%s", dlerror());
#define MI_RESOLVE(result, name, parameters)                                                       \
    *(void **)&mi->name = dlsym(library, #name);                                                   \
    if (!mi->name)                                                                                 \
        return rh_fail(error, RH_CANNOT_RUN, "%s has no " #name, path);
    MI_FUNCTIONS(MI_RESOLVE)
#undef MI_RESOLVE
    return RH_OK;
}

static rh_status
open_mimalloc(const rh_spec_part *part, rh_heap **heap, rh_error *error)
{
    (void)part;
    static atomic_uint_fast64_t serials;
    mimalloc_heap *mimalloc = calloc(1, sizeof *mimalloc);
    if (!mimalloc)
        return rh_fail(error, RH_SYSTEM, "out of memory");
    rh_status status = load(&mimalloc->mi, error);
    if (status) {
        free(mimalloc);
        return status;
    }
    mimalloc->serial = atomic_fetch_add(&serials, 1) + 1;
    mimalloc->heap.operations = &operations;
    mimalloc->heap.natural_alignment = ALIGNMENT;
    mimalloc->heap.domain[PYMEM_DOMAIN_RAW] =
        (PyMemAllocatorEx){mimalloc, raw_malloc, raw_calloc, raw_realloc, free_block};
    mimalloc->heap.domain[PYMEM_DOMAIN_MEM] =
        (PyMemAllocatorEx){mimalloc, mem_malloc, mem_calloc, mem_realloc, free_block};
    mimalloc->heap.domain[PYMEM_DOMAIN_OBJ] =
        (PyMemAllocatorEx){mimalloc, object_malloc, object_calloc, object_realloc, free_block};
    *heap = &mimalloc->heap;
    return RH_OK;
}

static void
version(const rh_spec_part *part, char *text, size_t capacity)
{
    (void)part;
    mi_library mi;
    snprintf(text, capacity, "unknown");
    if (load(&mi, NULL) != RH_OK)
        return;
    int number = mi.mi_version(); /* 209 is 2.0.9 */
    snprintf(text, capacity, "%d.%d.%d", number / 100, number / 10 % 10, number % 10);
}

const rh_allocator rh_mimalloc_allocator = {
    .name = "mimalloc",
    .summary = "libmimalloc, with one heap per domain and thread as CPython 3.13 arranges it",
    .threads = true,
    .package = PACKAGE,
    .open = open_mimalloc,
    .version = version,
};
