/* libmimalloc, opened with dlopen and RTLD_LOCAL: linking it would put it in the place of this
 * process's own malloc.
 *
 * Which of its heaps serves which domain is CPython's choice, and differs by build:
 *
 *              heaps=default           heaps=state                    heaps=domain
 *              (interpreter lock)      (free-threaded)                (neither; without a preset)
 *   MEM        the thread's default    heap 0 of the thread           a heap of the thread
 *   OBJ        the thread's default    heap 1, or the one that the    another
 *                                      thread has switched to: 2 and
 *                                      3 are for collected objects
 *   RAW        C library until 3.14, the thread's default heap since 3.15: raw=libc, raw=mimalloc
 *
 * heaps=domain keeps what objects and buffers ask for apart, so that each can be looked at alone.
 * Heaps are made when a thread first allocates. A block may be freed by any thread; what a thread
 * leaves behind when it ends is abandoned, and adopted by others that need room.
 *
 * CPython brings a mimalloc of its own, 2.1.2 from 3.13 to 3.15; this is the one that is installed.
 * What CPython adds to it for threads without a lock, pages and frees that wait until every thread
 * has passed a safe point, is not there.
 *
 * Close destroys the heaps of the closing thread. Those of other threads, and blocks on default
 * heaps that were not freed, stay with the library, which stays loaded: it has left hooks in
 * threads.
 */
#define _GNU_SOURCE
#include "alloc/mimalloc.h"

#include <dlfcn.h>
#include <inttypes.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "alloc/library_file.h"
#include "alloc/mimalloc_segments.h"

#define LIBRARY "libmimalloc.so.2"
#define PACKAGE "libmimalloc2.0"

/* Blocks of up to 8 bytes lie at multiples of 8. */
enum { ALIGNMENT = 8 };

/* What CPython's text says of the mimalloc that it brings. */
enum { SMALL_BYTES = 16384, SIZE_CLASSES = 73, MEDIUM_BYTES = 131072, LARGE_BYTES = 16777216 };

typedef struct mi_heap mi_heap;

/* The start of the library's own description of a run of blocks of one size. */
typedef struct mi_area {
    void *blocks;
    size_t reserved, committed;         /* bytes */
    size_t used;                        /* blocks */
    size_t block_size, full_block_size; /* the second with what the library adds to a block */
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
    X(bool, mi_heap_visit_blocks, (const mi_heap *, bool, mi_visitor *, void *))                   \
    X(bool, mi_is_in_heap_region, (const void *))

typedef struct mi_library {
#define MI_MEMBER(result, name, parameters) result(*name) parameters;
    MI_FUNCTIONS(MI_MEMBER)
#undef MI_MEMBER
} mi_library;

typedef enum arrangement { HEAPS_DOMAIN, HEAPS_DEFAULT, HEAPS_STATE } arrangement;

enum { RAW_MIMALLOC, RAW_LIBC };

typedef struct mimalloc_heap {
    rh_heap heap;
    mi_library mi;
    rh_mimalloc_segments *segments; /* NULL: they are not known to be as in segments.h */
    uint64_t serial;                /* never the same twice in a process */
    arrangement heaps;
    bool raw_is_libc;
    bool watched; /* its segments: calls are noted */
} mimalloc_heap;

/* The calling thread's heaps of the rh_heap that it used last. */
static _Thread_local struct {
    uint64_t serial;
    mi_heap *current[RH_DOMAINS]; /* raw: none */
    mi_heap *heap[RH_MIMALLOC_HEAPS];
} mine;

static void close_mimalloc(rh_heap *heap); /* by which such a heap is told */

static size_t
heaps_of_a_thread(const mimalloc_heap *mimalloc)
{
    switch (mimalloc->heaps) {
    case HEAPS_STATE:
        return RH_MIMALLOC_HEAPS;
    case HEAPS_DOMAIN:
        return 2;
    default:
        return 0;
    }
}

static void
destroy_heaps(const mimalloc_heap *mimalloc, mi_heap *const *heap, size_t count)
{
    for (size_t i = 0; i < count; i++)
        mimalloc->mi.mi_heap_destroy(heap[i]);
}

static bool
make_heaps(const mimalloc_heap *mimalloc)
{
    mi_heap *heap[RH_MIMALLOC_HEAPS] = {NULL};
    size_t wanted = heaps_of_a_thread(mimalloc);
    for (size_t i = 0; i < wanted; i++) {
        heap[i] = mimalloc->mi.mi_heap_new();
        if (!heap[i]) {
            destroy_heaps(mimalloc, heap, i);
            return false;
        }
    }
    mine.serial = mimalloc->serial;
    memcpy(mine.heap, heap, sizeof heap);
    mine.current[PYMEM_DOMAIN_MEM] = heap[RH_MIMALLOC_MEM];
    mine.current[PYMEM_DOMAIN_OBJ] = heap[RH_MIMALLOC_OBJECT];
    return true;
}

static __attribute__((noinline)) mi_heap *
first_heap_of(const mimalloc_heap *mimalloc, PyMemAllocatorDomain domain)
{
    return make_heaps(mimalloc) ? mine.current[domain] : NULL;
}

static inline mi_heap *
heap_of(const mimalloc_heap *mimalloc, PyMemAllocatorDomain domain)
{
    if (__builtin_expect(mine.serial == mimalloc->serial, 1))
        return mine.current[domain];
    return first_heap_of(mimalloc, domain);
}

bool
rh_mimalloc_use(rh_heap *heap, rh_mimalloc_heap which)
{
    const mimalloc_heap *mimalloc = (mimalloc_heap *)heap;
    if (heap->operations->close != close_mimalloc || mimalloc->heaps != HEAPS_STATE ||
        which == RH_MIMALLOC_MEM || !heap_of(mimalloc, PYMEM_DOMAIN_OBJ))
        return false;
    mine.current[PYMEM_DOMAIN_OBJ] = mine.heap[which];
    return true;
}

/* A size of 0 asks for 1: the library's realloc to 0 would otherwise differ between versions. */
static inline size_t
at_least_one(size_t size)
{
    return size ? size : 1;
}

/* A factor of an array's size; nothing, however it is divided, is an array of one byte. */
static inline size_t
factor(size_t one, size_t other)
{
    return one && other ? one : 1;
}

static void *
default_malloc(void *ctx, size_t size)
{
    return ((mimalloc_heap *)ctx)->mi.mi_malloc(at_least_one(size));
}

static void *
default_calloc(void *ctx, size_t count, size_t size)
{
    return ((mimalloc_heap *)ctx)->mi.mi_calloc(factor(count, size), factor(size, count));
}

static void *
default_realloc(void *ctx, void *block, size_t size)
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
        return heap ? mimalloc->mi.mi_heap_calloc(heap, factor(count, size), factor(size, count))  \
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

/* A free-threaded CPython does not let the library move an object: other threads may be reading its
 * first words. It stays when it fits and fills at least half of its block. */
static void *
state_realloc(void *ctx, void *block, size_t size)
{
    mimalloc_heap *mimalloc = ctx;
    if (!block)
        return object_malloc(ctx, size);
    size_t usable = mimalloc->mi.mi_usable_size(block);
    if (size > 0 && size <= usable && size >= usable / 2)
        return block;
    void *moved = object_malloc(ctx, size);
    if (!moved)
        return NULL;
    memcpy(moved, block, size < usable ? size : usable);
    mimalloc->mi.mi_free(block);
    return moved;
}

/* ---- RAW of the C library ---- */

static void *
libc_malloc(void *ctx, size_t size)
{
    (void)ctx;
    return malloc(at_least_one(size));
}

static void *
libc_calloc(void *ctx, size_t count, size_t size)
{
    (void)ctx;
    return calloc(factor(count, size), factor(size, count));
}

static void *
libc_realloc(void *ctx, void *block, size_t size)
{
    (void)ctx;
    return realloc(block, at_least_one(size));
}

static void
libc_free(void *ctx, void *block)
{
    (void)ctx;
    free(block);
}

static void *
libc_aligned_alloc(size_t alignment, size_t size)
{
    void *block;
    size_t least = sizeof block;
    int failed = posix_memalign(&block, alignment < least ? least : alignment, at_least_one(size));
    return failed ? NULL : block;
}

/* The library's plain aligned calls take a short cut for small sizes that, in 2.0.9, aligns no
 * further than to 128; those with an offset do not. */
static void *
aligned_of_library(mimalloc_heap *mimalloc, PyMemAllocatorDomain domain, size_t alignment,
                   size_t size)
{
    if (domain == PYMEM_DOMAIN_RAW || mimalloc->heaps == HEAPS_DEFAULT)
        return mimalloc->mi.mi_malloc_aligned_at(at_least_one(size), alignment, 0);
    mi_heap *of_domain = heap_of(mimalloc, domain);
    if (!of_domain)
        return NULL;
    return mimalloc->mi.mi_heap_malloc_aligned_at(of_domain, at_least_one(size), alignment, 0);
}

static void *
aligned_alloc_mimalloc(rh_heap *heap, PyMemAllocatorDomain domain, size_t alignment, size_t size)
{
    mimalloc_heap *mimalloc = (mimalloc_heap *)heap;
    if (domain == PYMEM_DOMAIN_RAW && mimalloc->raw_is_libc)
        return libc_aligned_alloc(alignment, size);
    void *block = aligned_of_library(mimalloc, domain, alignment, size);
    if (mimalloc->watched)
        rh_mimalloc_segments_note(mimalloc->segments, block);
    return block;
}

static size_t
usable_size(rh_heap *heap, PyMemAllocatorDomain domain, const void *block)
{
    const mimalloc_heap *mimalloc = (mimalloc_heap *)heap;
    if (domain == PYMEM_DOMAIN_RAW && mimalloc->raw_is_libc)
        return malloc_usable_size((void *)(uintptr_t)block);
    return mimalloc->mi.mi_usable_size(block);
}

/* ---- what it says of itself ---- */

typedef struct census {
    uint64_t blocks, bytes, full_bytes, reserved_bytes, committed_bytes;
} census;

static bool
add_area(const mi_heap *heap, const mi_area *area, void *block, size_t size, void *arg)
{
    (void)heap, (void)block, (void)size;
    census *sums = arg;
    sums->blocks += area->used;
    sums->bytes += area->used * area->block_size;
    sums->full_bytes += area->used * area->full_block_size;
    sums->reserved_bytes += area->reserved;
    sums->committed_bytes += area->committed;
    return true;
}

/* Without the library's own records of the thread's other heaps, which it makes there: CPython has
 * those elsewhere. */
static void
count_default_heap(const mimalloc_heap *mimalloc, census *sums)
{
    mimalloc->mi.mi_heap_visit_blocks(mimalloc->mi.mi_heap_get_default(), false, add_area, sums);
    if (mine.serial != mimalloc->serial)
        return;
    for (size_t i = 0; i < heaps_of_a_thread(mimalloc); i++) {
        size_t bytes = mimalloc->mi.mi_usable_size(mine.heap[i]);
        sums->blocks--;
        sums->bytes -= bytes;
        sums->full_bytes -= bytes;
    }
}

static void
count_own_heaps(const mimalloc_heap *mimalloc, census *sums)
{
    if (mine.serial != mimalloc->serial)
        return;
    for (size_t i = 0; i < heaps_of_a_thread(mimalloc); i++)
        mimalloc->mi.mi_heap_visit_blocks(mine.heap[i], false, add_area, sums);
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
    census sums = {0};
    count_default_heap(mimalloc, &sums);
    count_own_heaps(mimalloc, &sums);
    counters->reported_allocated_bytes = sums.bytes;
    /* Those not yet cut out of their page, too. */
    if (sums.reserved_bytes >= sums.full_bytes)
        counters->free_block_bytes = sums.reserved_bytes - sums.full_bytes;
    /* Of its segments, which it commits whole, and their heads. */
    if (commit >= sums.reserved_bytes)
        counters->free_page_bytes = commit - sums.reserved_bytes;
    if (mimalloc->segments)
        rh_mimalloc_segments_count(mimalloc->segments, counters);
}

/* ---- its segments ---- */

typedef struct segment_walk {
    rh_mimalloc_segments *segments;
    bool whole;
} segment_walk;

static bool
fill_page(const mi_heap *heap, const mi_area *area, void *block, size_t size, void *arg)
{
    (void)heap, (void)block, (void)size;
    rh_region page = {.kind = RH_REGION_PAGE,
                      .address = (uintptr_t)area->blocks,
                      .size_bytes = area->reserved,
                      .block_bytes = area->block_size,
                      .used = (uint32_t)area->used,
                      .capacity = (uint32_t)(area->reserved / area->full_block_size)};
    segment_walk *walk = arg;
    walk->whole = rh_mimalloc_segments_fill(walk->segments, &page);
    return walk->whole;
}

/* Of the calling thread's heaps, as the statistics. The library's visits fail for an empty heap. */
static bool
walk_pages(rh_heap *heap, rh_region_visitor *visit, void *ctx)
{
    const mimalloc_heap *mimalloc = (mimalloc_heap *)heap;
    const mi_library *mi = &mimalloc->mi;
    segment_walk walk = {mimalloc->segments, true};
    size_t own = mine.serial == mimalloc->serial ? heaps_of_a_thread(mimalloc) : 0;
    rh_mimalloc_segments_begin(walk.segments);
    mi->mi_heap_visit_blocks(mi->mi_heap_get_default(), false, fill_page, &walk);
    for (size_t i = 0; i < own && walk.whole; i++)
        mi->mi_heap_visit_blocks(mine.heap[i], false, fill_page, &walk);
    for (size_t i = 0; i < own; i++)
        rh_mimalloc_segments_except(walk.segments, mine.heap[i]);
    return walk.whole && rh_mimalloc_segments_show(walk.segments, visit, ctx);
}

static void
watch_arenas(rh_heap *heap, const rh_arena_watch *watch)
{
    mimalloc_heap *mimalloc = (mimalloc_heap *)heap;
    rh_mimalloc_segments_watch(mimalloc->segments, watch);
    if (mimalloc->watched)
        return;
    mimalloc->watched = true;
    for (int i = 0; i < RH_DOMAINS; i++)
        if (i != PYMEM_DOMAIN_RAW || !mimalloc->raw_is_libc)
            rh_mimalloc_segments_wrap(mimalloc->segments, (PyMemAllocatorDomain)i,
                                      &heap->domain[i]);
}

/* CPython's text, of the mimalloc that it brings: the thresholds are that one's. It looks at the
 * thread's default heap alone, which in a free-threaded build serves at most RAW. Where there is no
 * CPython's arrangement to go by, all heaps of the thread are in it. */
static bool
print_stats(rh_heap *heap, FILE *out)
{
    const mimalloc_heap *mimalloc = (mimalloc_heap *)heap;
    census sums = {0};
    count_default_heap(mimalloc, &sums);
    if (mimalloc->heaps == HEAPS_DOMAIN)
        count_own_heaps(mimalloc, &sums);
    fprintf(out,
            "Small block threshold = %d, in %d size classes.\n"
            "Medium block threshold = %d\n"
            "Large object max size = %d\n"
            "    Allocated Blocks: %" PRIu64 "\n"
            "    Allocated Bytes: %" PRIu64 "\n"
            "    Allocated Bytes w/ Overhead: %" PRIu64 "\n"
            "    Bytes Reserved: %" PRIu64 "\n"
            "    Bytes Committed: %" PRIu64 "\n",
            SMALL_BYTES, SIZE_CLASSES, MEDIUM_BYTES, LARGE_BYTES, sums.blocks, sums.bytes,
            sums.full_bytes, sums.reserved_bytes, sums.committed_bytes);
    return true;
}

static void
trim(rh_heap *heap)
{
    mimalloc_heap *mimalloc = (mimalloc_heap *)heap;
    mimalloc->mi.mi_collect(true);
    if (mimalloc->watched)
        rh_mimalloc_segments_settle(mimalloc->segments);
}

static void
close_mimalloc(rh_heap *heap)
{
    mimalloc_heap *mimalloc = (mimalloc_heap *)heap;
    if (mine.serial == mimalloc->serial) {
        destroy_heaps(mimalloc, mine.heap, heaps_of_a_thread(mimalloc));
        mine.serial = 0;
    }
    rh_mimalloc_segments_close(mimalloc->segments);
    free(mimalloc);
}

static const rh_heap_operations operations = {
    .aligned_alloc = aligned_alloc_mimalloc,
    .usable_size = usable_size,
    .snapshot = snapshot,
    .print_stats = print_stats,
    .trim = trim,
    .close = close_mimalloc,
};

/* The same of a library whose segments are known. */
static const rh_heap_operations operations_with_arenas = {
    .aligned_alloc = aligned_alloc_mimalloc,
    .usable_size = usable_size,
    .snapshot = snapshot,
    .print_stats = print_stats,
    .walk_pages = walk_pages,
    .watch_arenas = watch_arenas,
    .trim = trim,
    .close = close_mimalloc,
};

/* Its versions before cut segments otherwise, those after have none. */
enum { FIRST_VERSION_WITH_SEGMENTS = 209, VERSION_WITHOUT_SEGMENTS = 300 };

static rh_status
open_segments(mimalloc_heap *mimalloc, rh_error *error)
{
    const mi_library *mi = &mimalloc->mi;
    int number = mi->mi_version();
    mimalloc->heap.operations = &operations;
    if (number < FIRST_VERSION_WITH_SEGMENTS || number >= VERSION_WITHOUT_SEGMENTS)
        return RH_OK;
    mimalloc->heap.operations = &operations_with_arenas;
    mimalloc->segments = rh_mimalloc_segments_open(
        (rh_segment_questions){mi->mi_is_in_heap_region, mi->mi_usable_size});
    return mimalloc->segments ? RH_OK : rh_fail(error, RH_SYSTEM, "out of memory");
}

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

static const struct preset {
    const char *name;
    arrangement heaps;
    int raw;
} preset_table[] = {
    {"3.13", HEAPS_DEFAULT, RAW_LIBC},     {"3.14", HEAPS_DEFAULT, RAW_LIBC},
    {"3.15", HEAPS_DEFAULT, RAW_MIMALLOC}, {"3.13t", HEAPS_STATE, RAW_LIBC},
    {"3.14t", HEAPS_STATE, RAW_LIBC},      {"3.15t", HEAPS_STATE, RAW_MIMALLOC},
};

enum { PRESETS = sizeof preset_table / sizeof *preset_table };

static const char *const presets[PRESETS + 1] = {"3.13",  "3.14",  "3.15", "3.13t",
                                                 "3.14t", "3.15t", NULL};

/* The preset's arrangement, then what the keys change of it. */
static void
configure(const rh_spec_part *part, mimalloc_heap *mimalloc)
{
    uint64_t heaps = HEAPS_DOMAIN, raw = RAW_MIMALLOC;
    for (size_t i = 0; part->preset && i < PRESETS; i++) {
        if (strcmp(preset_table[i].name, part->preset) == 0) {
            heaps = preset_table[i].heaps;
            raw = (uint64_t)preset_table[i].raw;
        }
    }
    rh_spec_number(part, "heaps", &heaps);
    rh_spec_number(part, "raw", &raw);
    mimalloc->heaps = (arrangement)heaps;
    mimalloc->raw_is_libc = raw == RAW_LIBC;
}

static void
set_domains(mimalloc_heap *mimalloc)
{
    PyMemAllocatorEx *domain = mimalloc->heap.domain;
    PyMemAllocatorEx on_default = {mimalloc, default_malloc, default_calloc, default_realloc,
                                   free_block};
    for (int i = 0; i < RH_DOMAINS; i++)
        domain[i] = on_default;
    if (mimalloc->raw_is_libc)
        domain[PYMEM_DOMAIN_RAW] =
            (PyMemAllocatorEx){mimalloc, libc_malloc, libc_calloc, libc_realloc, libc_free};
    if (mimalloc->heaps == HEAPS_DEFAULT)
        return;
    domain[PYMEM_DOMAIN_MEM] =
        (PyMemAllocatorEx){mimalloc, mem_malloc, mem_calloc, mem_realloc, free_block};
    domain[PYMEM_DOMAIN_OBJ] = (PyMemAllocatorEx){
        mimalloc, object_malloc, object_calloc,
        mimalloc->heaps == HEAPS_STATE ? state_realloc : object_realloc, free_block};
}

static rh_status
open_mimalloc(const rh_spec_part *part, rh_heap **heap, rh_error *error)
{
    static atomic_uint_fast64_t serials;
    mimalloc_heap *mimalloc = calloc(1, sizeof *mimalloc);
    if (!mimalloc)
        return rh_fail(error, RH_SYSTEM, "out of memory");
    rh_status status = load(&mimalloc->mi, error);
    if (status == RH_OK)
        status = open_segments(mimalloc, error);
    if (status) {
        free(mimalloc);
        return status;
    }
    configure(part, mimalloc);
    mimalloc->serial = atomic_fetch_add(&serials, 1) + 1;
    mimalloc->heap.natural_alignment = ALIGNMENT;
    set_domains(mimalloc);
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

static const rh_key keys[] = {
    {.name = "heaps",
     .kind = RH_KEY_CHOICE,
     .choices = "domain|default|state",
     .help = "who serves MEM and OBJ: a heap of the thread for each domain (without a preset), the "
             "thread's default heap, four heaps a thread"},
    {.name = "raw",
     .kind = RH_KEY_CHOICE,
     .choices = "mimalloc|libc",
     .help = "who serves RAW: the thread's default heap (without a preset), the C library"},
    {.name = NULL},
};

const rh_allocator rh_mimalloc_allocator = {
    .name = "mimalloc",
    .summary = "libmimalloc; a preset arranges its heaps as that CPython does, t: free-threaded",
    .presets = presets,
    .keys = keys,
    .threads = true,
    .package = PACKAGE,
    .open = open_mimalloc,
    .version = version,
};
