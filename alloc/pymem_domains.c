/* The twelve functions of the three domains, and the exchange of the allocators behind them.
 *
 * A function does what CPython's does: it refuses a size that no allocator may see, and passes on
 * to the domain's current allocator in a tail call.
 */
#define _GNU_SOURCE
#include "alloc/pymem_domains.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "alloc/c_library.h"
#include "alloc/pymalloc.h"
#include "alloc/pymalloc_geometry.h"

#define UNLIKELY(x) __builtin_expect(!!(x), 0)

/* ---- MEM and OBJ while the heap is not open ---- */

static void *first_malloc(void *ctx, size_t size);
static void *first_calloc(void *ctx, size_t nelem, size_t elsize);
static void *first_realloc(void *ctx, void *block, size_t size);
static void first_free(void *ctx, void *block);

static const PyMemAllocatorEx unopened = {NULL, first_malloc, first_calloc, first_realloc,
                                          first_free};

static _Atomic(const PyMemAllocatorEx *) current[RH_DOMAINS] = {&rh_c_library, &unopened,
                                                                &unopened};

/* ---- the twelve functions ---- */

#define CURRENT(domain) atomic_load_explicit(&current[domain], memory_order_acquire)

#define DOMAIN_FUNCTIONS(prefix, domain)                                                           \
    void *prefix##Malloc(size_t size)                                                              \
    {                                                                                              \
        if (UNLIKELY(size > (size_t)PY_SSIZE_T_MAX))                                               \
            return NULL;                                                                           \
        const PyMemAllocatorEx *allocator = CURRENT(domain);                                       \
        return allocator->malloc(allocator->ctx, size);                                            \
    }                                                                                              \
    void *prefix##Calloc(size_t nelem, size_t elsize)                                              \
    {                                                                                              \
        size_t size;                                                                               \
        if (UNLIKELY(__builtin_mul_overflow(nelem, elsize, &size) ||                               \
                     size > (size_t)PY_SSIZE_T_MAX))                                               \
            return NULL;                                                                           \
        const PyMemAllocatorEx *allocator = CURRENT(domain);                                       \
        return allocator->calloc(allocator->ctx, nelem, elsize);                                   \
    }                                                                                              \
    void *prefix##Realloc(void *ptr, size_t new_size)                                              \
    {                                                                                              \
        if (UNLIKELY(new_size > (size_t)PY_SSIZE_T_MAX))                                           \
            return NULL;                                                                           \
        const PyMemAllocatorEx *allocator = CURRENT(domain);                                       \
        return allocator->realloc(allocator->ctx, ptr, new_size);                                  \
    }                                                                                              \
    void prefix##Free(void *ptr)                                                                   \
    {                                                                                              \
        const PyMemAllocatorEx *allocator = CURRENT(domain);                                       \
        allocator->free(allocator->ctx, ptr);                                                      \
    }

DOMAIN_FUNCTIONS(PyMem_Raw, PYMEM_DOMAIN_RAW)
DOMAIN_FUNCTIONS(PyMem_, PYMEM_DOMAIN_MEM)
DOMAIN_FUNCTIONS(PyObject_, PYMEM_DOMAIN_OBJ)

/* ---- the lock ---- */

static pthread_mutex_t exchange = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;

void
rh_domains_lock(void)
{
    pthread_mutex_lock(&exchange);
}

void
rh_domains_unlock(void)
{
    pthread_mutex_unlock(&exchange);
}

/* A child has the thread that forked alone, and it may not be the one that the lock knows. */
static void
renew_lock(void)
{
    exchange = (pthread_mutex_t)PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
}

__attribute__((constructor)) static void
survive_forks(void)
{
    pthread_atfork(rh_domains_lock, rh_domains_unlock, renew_lock);
}

/* ---- the process's pymalloc ---- */

/* What pymalloc passes on goes to whatever RAW is at the time, as a hook on RAW expects. */
static void *
pass_malloc(void *ctx, size_t size)
{
    (void)ctx;
    return PyMem_RawMalloc(size);
}

static void *
pass_calloc(void *ctx, size_t nelem, size_t elsize)
{
    (void)ctx;
    return PyMem_RawCalloc(nelem, elsize);
}

static void *
pass_realloc(void *ctx, void *block, size_t size)
{
    (void)ctx;
    return PyMem_RawRealloc(block, size);
}

static void
pass_free(void *ctx, void *block)
{
    (void)ctx;
    PyMem_RawFree(block);
}

static const PyMemAllocatorEx pass_to_raw = {NULL, pass_malloc, pass_calloc, pass_realloc,
                                             pass_free};

/* The tables that CPython would keep. It resizes the table of arenas through RAW whatever RAW has
 * become, and dies when the debug hooks came or went meanwhile. Here a block that another RAW gave
 * is left alone; nothing is in it but where the one before is, so that a search for leaks finds it.
 */
static void *
book_realloc(void *ctx, void *block, size_t size)
{
    static const PyMemAllocatorEx *giver;
    const PyMemAllocatorEx *raw = CURRENT(PYMEM_DOMAIN_RAW);
    (void)ctx;
    bool same = giver == raw;
    void *given = PyMem_RawRealloc(same ? block : NULL, size);
    if (given && !same)
        memcpy(given, &block, sizeof block);
    if (given)
        giver = raw;
    return given;
}

static const PyMemAllocatorEx books = {NULL, pass_malloc, pass_calloc, book_realloc, pass_free};

static _Atomic(rh_heap *) process_heap;
static const char *process_version = RH_PYMALLOC_STANDARD_PRESET;
static bool built_for_huge_pages, on_huge_pages;

/* With the lock held. */
static rh_heap *
open_heap(void)
{
    rh_pymalloc_config config;
    rh_heap *heap;
    if (rh_pymalloc_config_init(&config, process_version, NULL) != RH_OK)
        return NULL;
    config.large = RH_LARGE_LIBC;
    config.metadata = RH_METADATA_SIDE; /* the faster: docs/pymalloc.md */
    if (built_for_huge_pages)
        config.arena_bytes = RH_HUGE_PAGE_BYTES;
    if (on_huge_pages)
        config.source = RH_SOURCE_HUGE;
    if (rh_pymalloc_open(&config, &heap, NULL) != RH_OK)
        return NULL;
    rh_heap_set_raw(heap, &pass_to_raw);
    rh_pymalloc_keep_books(heap, &books);
    atomic_store_explicit(&process_heap, heap, memory_order_release);
    for (int i = PYMEM_DOMAIN_MEM; i <= PYMEM_DOMAIN_OBJ; i++)
        if (atomic_load(&current[i]) == &unopened)
            atomic_store_explicit(&current[i], &heap->domain[i], memory_order_release);
    return heap;
}

rh_heap *
rh_domains_heap(void)
{
    rh_heap *heap = atomic_load_explicit(&process_heap, memory_order_acquire);
    if (heap)
        return heap;
    rh_domains_lock();
    heap = atomic_load(&process_heap);
    if (!heap)
        heap = open_heap();
    rh_domains_unlock();
    return heap;
}

bool
rh_domains_pymalloc(PyMemAllocatorEx *allocator)
{
    const rh_heap *heap = rh_domains_heap();
    *allocator = heap ? heap->domain[PYMEM_DOMAIN_OBJ] : unopened;
    return heap != NULL;
}

rh_status
rh_domains_set_version(const char *version, rh_error *error)
{
    const rh_pymalloc_preset *preset =
        rh_pymalloc_preset_find(version ? version : RH_PYMALLOC_STANDARD_PRESET);
    if (!preset)
        return rh_fail(error, RH_USAGE, "CPython %s is not known; 3.7 to 3.15 are", version);
    rh_status status = RH_OK;
    rh_domains_lock();
    if (!atomic_load(&process_heap))
        process_version = preset->version;
    else if (strcmp(process_version, preset->version) != 0)
        status = rh_fail(error, RH_USAGE,
                         "memory was already allocated as CPython %s does it; choose %s before the "
                         "first allocation",
                         process_version, preset->version);
    rh_domains_unlock();
    return status;
}

rh_status
rh_domains_set_huge_pages(bool built, bool wanted, rh_error *error)
{
    rh_status status = RH_OK;
    rh_domains_lock();
    if (!atomic_load(&process_heap)) {
        built_for_huge_pages = built;
        on_huge_pages = built && wanted;
    } else if (built != built_for_huge_pages || (built && wanted) != on_huge_pages) {
        status = rh_fail(error, RH_USAGE,
                         "memory was already allocated; huge pages are chosen before that");
    }
    rh_domains_unlock();
    return status;
}

const char *
rh_domains_version(void)
{
    rh_domains_lock();
    const char *version = process_version;
    rh_domains_unlock();
    return version;
}

/* Where requests of MEM and OBJ go until the heap is open, or for as long as it cannot be. */
static const PyMemAllocatorEx *
first_allocator(void)
{
    const rh_heap *heap = rh_domains_heap();
    return heap ? &heap->domain[PYMEM_DOMAIN_OBJ] : &pass_to_raw;
}

static void *
first_malloc(void *ctx, size_t size)
{
    (void)ctx;
    const PyMemAllocatorEx *allocator = first_allocator();
    return allocator->malloc(allocator->ctx, size);
}

static void *
first_calloc(void *ctx, size_t nelem, size_t elsize)
{
    (void)ctx;
    const PyMemAllocatorEx *allocator = first_allocator();
    return allocator->calloc(allocator->ctx, nelem, elsize);
}

static void *
first_realloc(void *ctx, void *block, size_t size)
{
    (void)ctx;
    const PyMemAllocatorEx *allocator = first_allocator();
    return allocator->realloc(allocator->ctx, block, size);
}

static void
first_free(void *ctx, void *block)
{
    (void)ctx;
    const PyMemAllocatorEx *allocator = first_allocator();
    allocator->free(allocator->ctx, block);
}

/* ---- allocators exchanged ---- */

/* Tables there are; the first ones need no memory that might not be there. */
enum { TABLES_AT_FIRST = 64 };

typedef struct table {
    PyMemAllocatorEx allocator;
    struct table *older;
} table;

static table first_tables[TABLES_AT_FIRST];
static size_t first_tables_used;
static table *newest_table;

/* A table with this content; NULL when there is no memory. With the lock held. */
static const PyMemAllocatorEx *
table_of(const PyMemAllocatorEx *allocator)
{
    table *found = newest_table;
    while (found && !rh_domains_same(&found->allocator, allocator))
        found = found->older;
    if (found)
        return &found->allocator;
    found = first_tables_used < TABLES_AT_FIRST ? &first_tables[first_tables_used++]
                                                : malloc(sizeof *found);
    if (!found)
        return NULL;
    *found = (table){.allocator = *allocator, .older = newest_table};
    newest_table = found;
    return &found->allocator;
}

bool
rh_domains_same(const PyMemAllocatorEx *a, const PyMemAllocatorEx *b)
{
    return a->ctx == b->ctx && a->malloc == b->malloc && a->calloc == b->calloc &&
           a->realloc == b->realloc && a->free == b->free;
}

bool
rh_domains_is_untouched(PyMemAllocatorDomain domain)
{
    const PyMemAllocatorEx *now = CURRENT(domain);
    const rh_heap *heap = atomic_load(&process_heap);
    return now == &rh_c_library || now == &unopened || (heap && now == &heap->domain[domain]);
}

PyMemAllocatorEx
rh_domains_peek(PyMemAllocatorDomain domain)
{
    return *CURRENT(domain);
}

bool
rh_domains_is_pymalloc(const PyMemAllocatorEx *allocator)
{
    const rh_heap *heap = atomic_load(&process_heap);
    return rh_domains_same(allocator, &unopened) ||
           (heap && rh_domains_same(allocator, &heap->domain[PYMEM_DOMAIN_OBJ]));
}

static bool
is_domain(PyMemAllocatorDomain domain)
{
    return (unsigned)domain < RH_DOMAINS;
}

void
PyMem_GetAllocator(PyMemAllocatorDomain domain, PyMemAllocatorEx *allocator)
{
    *allocator = (PyMemAllocatorEx){NULL, NULL, NULL, NULL, NULL};
    if (!is_domain(domain))
        return;
    if (CURRENT(domain) == &unopened)
        rh_domains_heap();
    *allocator = *CURRENT(domain);
}

/* Where there is no memory to remember a new allocator, the old one stays; after 64 unlike ones in
 * a process, that is. */
void
PyMem_SetAllocator(PyMemAllocatorDomain domain, PyMemAllocatorEx *allocator)
{
    if (!is_domain(domain))
        return;
    rh_domains_lock();
    const PyMemAllocatorEx *published = table_of(allocator);
    if (published)
        atomic_store_explicit(&current[domain], published, memory_order_release);
    rh_domains_unlock();
}
