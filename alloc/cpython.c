/* libpython, opened but never initialised: its allocators work without an interpreter up to 3.11.
 *
 * The domains are the library's own functions, called directly. Arenas come through a wrapper that
 * counts and remembers them, so that close can give them back. What the library knows of its pools
 * it tells only as text, which a snapshot has it print into a file in memory and reads back. Blocks
 * above the small threshold and the raw domain are the C library's and appear in no figure here.
 * The size of a block in an arena stands in the header of its pool.
 *
 * The library keeps its state in globals: one heap to a process for each library. Close unloads it,
 * and with it the state.
 */
#define _GNU_SOURCE
#include "alloc/cpython.h"

#include <dlfcn.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "alloc/debug_stats.h"
#include "alloc/library_file.h"
#include "alloc/python_pools.h"
#include "alloc/side_memory.h"

#define LIBRARY_STANDARD "libpython3.11.so.1.0"
#define LIBRARY_PACKAGE  "libpython3.11"

enum { ALIGNMENT = 16, OLDEST_MINOR = 7, NEWEST_MINOR = 11, TEXT_BYTES = 16384 };
/* Pools are larger since LARGE_POOLS_MINOR. */
enum { POOL_BYTES = 4096, LARGE_POOL_BYTES = 16384, LARGE_POOLS_MINOR = 10 };

typedef struct arena {
    void *address;
    size_t size;
    uint32_t slot;
} arena;

/* What is used of the library. */
typedef struct python_library {
    void *library;
    const char *(*get_version)(void);
    void (*get_allocator)(PyMemAllocatorDomain, PyMemAllocatorEx *);
    void (*get_arenas)(PyObjectArenaAllocator *);
    void (*set_arenas)(PyObjectArenaAllocator *);
    int (*print_stats)(FILE *);
    int minor; /* of its version 3.x */
} python_library;

typedef struct cpython_heap {
    rh_heap heap;
    python_library python;
    PyObjectArenaAllocator source, original; /* under the wrapper; the library's own */
    uint64_t arenas_allocated, arenas_released, arenas_highwater, arena_bytes;
    rh_side_memory arenas; /* of struct arena: those held, by address */
    size_t arenas_current;
    rh_side_memory vacant; /* of uint32_t, a stack: the library's slots whose arenas went */
    uint32_t vacant_count, slots;
    rh_arena_watch watch;
    bool other_source; /* whose arenas may hold anything at first */
    size_t pool_bytes;
    FILE *stats;
    char stats_buffer[TEXT_BYTES];
} cpython_heap;

/* The place of the first arena held that begins after `address`. */
static size_t
place_after(const cpython_heap *cpython, const void *address)
{
    const arena *held = cpython->arenas.base;
    size_t low = 0, high = cpython->arenas_current;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if ((uintptr_t)held[middle].address > (uintptr_t)address)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

/* The library takes the slot that became vacant last, and else the next that never had an arena. */
static uint32_t
take_slot(cpython_heap *cpython)
{
    if (cpython->vacant_count == 0)
        return cpython->slots++;
    return ((uint32_t *)cpython->vacant.base)[--cpython->vacant_count];
}

static void *
arena_alloc(void *ctx, size_t size)
{
    cpython_heap *cpython = ctx;
    size_t count = cpython->arenas_current;
    if (!rh_side_memory_grow(&cpython->arenas, (count + 1) * sizeof(arena)) ||
        !rh_side_memory_grow(&cpython->vacant, (count + 1) * sizeof(uint32_t)))
        return NULL;
    void *address = cpython->source.alloc(cpython->source.ctx, size);
    if (!address)
        return NULL;
    uint32_t slot = take_slot(cpython);
    arena *at = (arena *)cpython->arenas.base + place_after(cpython, address);
    memmove(at + 1, at, (size_t)((arena *)cpython->arenas.base + count - at) * sizeof *at);
    *at = (arena){address, size, slot};
    cpython->arenas_allocated++;
    cpython->arena_bytes += size;
    if (++cpython->arenas_current > cpython->arenas_highwater)
        cpython->arenas_highwater = cpython->arenas_current;
    if (cpython->watch.born)
        cpython->watch.born(cpython->watch.ctx, slot, (uintptr_t)address, size);
    return address;
}

static void
arena_free(void *ctx, void *address, size_t size)
{
    cpython_heap *cpython = ctx;
    arena *end = (arena *)cpython->arenas.base + cpython->arenas_current;
    arena *after = (arena *)cpython->arenas.base + place_after(cpython, address);
    uint32_t slot = after[-1].slot;
    ((uint32_t *)cpython->vacant.base)[cpython->vacant_count++] = slot;
    if (cpython->watch.died)
        cpython->watch.died(cpython->watch.ctx, slot, (uintptr_t)address);
    memmove(after - 1, after, (size_t)(end - after) * sizeof *after);
    cpython->arenas_current--;
    cpython->arenas_released++;
    cpython->arena_bytes -= size;
    cpython->source.free(cpython->source.ctx, address, size);
}

static size_t
usable_size(rh_heap *heap, PyMemAllocatorDomain domain, const void *block)
{
    (void)domain;
    const cpython_heap *cpython = (cpython_heap *)heap;
    size_t place = place_after(cpython, block);
    const arena *held = (const arena *)cpython->arenas.base + place - (place > 0);
    if (place == 0 || (uintptr_t)block - (uintptr_t)held->address >= held->size)
        return malloc_usable_size((void *)(uintptr_t)block);
    uintptr_t pool = (uintptr_t)block & ~(uintptr_t)(cpython->pool_bytes - 1);
    return rh_python_pool_block_bytes((const void *)pool);
}

static void
get_arenas(rh_heap *heap, PyObjectArenaAllocator *arenas)
{
    *arenas = ((cpython_heap *)heap)->source;
}

static rh_status
set_arenas(rh_heap *heap, const PyObjectArenaAllocator *arenas, rh_error *error)
{
    cpython_heap *cpython = (cpython_heap *)heap;
    if (cpython->arenas_allocated > 0)
        return rh_fail(error, RH_USAGE,
                       "the source of arenas must be set before the first allocation");
    cpython->source = *arenas;
    cpython->other_source = true;
    return RH_OK;
}

static bool
walk_pages(rh_heap *heap, rh_region_visitor *visit, void *ctx)
{
    const cpython_heap *cpython = (cpython_heap *)heap;
    const arena *held = cpython->arenas.base;
    bool on = !cpython->other_source;
    for (size_t i = 0; i < cpython->arenas_current && on; i++)
        on = rh_python_arena_show((uintptr_t)held[i].address, held[i].size, cpython->pool_bytes,
                                  visit, ctx);
    return on;
}

static void
watch_arenas(rh_heap *heap, const rh_arena_watch *watch)
{
    ((cpython_heap *)heap)->watch = watch ? *watch : (rh_arena_watch){.ctx = NULL};
}

/* Has the library print its statistics, and reads them. */
static bool
read_stats(cpython_heap *cpython, rh_debug_stats *stats)
{
    char text[TEXT_BYTES];
    rewind(cpython->stats);
    if (!cpython->python.print_stats(cpython->stats) || fflush(cpython->stats) != 0)
        return false;
    long length = ftell(cpython->stats);
    if (length < 0 || length >= TEXT_BYTES)
        return false;
    if (pread(fileno(cpython->stats), text, (size_t)length, 0) != length)
        return false;
    text[length] = '\0';
    return rh_debug_stats_parse(text, stats);
}

static void
snapshot(rh_heap *heap, rh_counters *counters)
{
    cpython_heap *cpython = (cpython_heap *)heap;
    counters->arenas_allocated = cpython->arenas_allocated;
    counters->arenas_released = cpython->arenas_released;
    counters->arenas_current = cpython->arenas_current;
    counters->arenas_highwater = cpython->arenas_highwater;
    counters->arena_bytes = cpython->arena_bytes;
    counters->reported_mapped_bytes = cpython->arena_bytes;
    rh_debug_stats stats;
    if (!read_stats(cpython, &stats))
        return;
    counters->pools_in_use = stats.pools_in_use;
    counters->pools_free = stats.pools_free;
    counters->page_header_bytes = stats.header_bytes;
    counters->page_tail_bytes = stats.quantization_bytes;
    counters->free_block_bytes = stats.available_bytes;
    /* The text does not tell in which arenas they lie: an arena that holds no block is here, too.
     */
    counters->free_page_bytes = stats.pools_free * stats.pool_bytes + stats.alignment_bytes;
    counters->reported_allocated_bytes = stats.allocated_bytes;
    counters->reported_metadata_bytes = stats.map_bytes;
}

static bool
print_stats(rh_heap *heap, FILE *out)
{
    return ((cpython_heap *)heap)->python.print_stats(out) != 0;
}

/* What the library says of itself must add up, and agree with the arenas that it was given. */
static rh_status
check(rh_heap *heap, rh_error *error)
{
    cpython_heap *cpython = (cpython_heap *)heap;
    rh_debug_stats stats;
    if (!read_stats(cpython, &stats))
        return rh_fail(error, RH_SYSTEM, "cpython: its statistics cannot be read");
    uint64_t parts = stats.allocated_bytes + stats.available_bytes + stats.header_bytes +
                     stats.quantization_bytes + stats.alignment_bytes +
                     stats.pools_free * stats.pool_bytes;
    if (parts != stats.total_bytes || stats.total_bytes != cpython->arena_bytes)
        return rh_fail(error, RH_DIFFERENT, "cpython: its statistics do not add up to its arenas");
    if (stats.arenas_current != cpython->arenas_current ||
        stats.arenas_allocated != cpython->arenas_allocated ||
        stats.arenas_highwater != cpython->arenas_highwater)
        return rh_fail(error, RH_DIFFERENT, "cpython: it counts other arenas than it was given");
    return RH_OK;
}

static void
close_cpython(rh_heap *heap)
{
    cpython_heap *cpython = (cpython_heap *)heap;
    arena *held = cpython->arenas.base;
    for (size_t i = 0; i < cpython->arenas_current; i++)
        cpython->source.free(cpython->source.ctx, held[i].address, held[i].size);
    cpython->python.set_arenas(&cpython->original);
    rh_side_memory_release(&cpython->arenas);
    rh_side_memory_release(&cpython->vacant);
    fclose(cpython->stats);
    dlclose(cpython->python.library);
    free(cpython);
}

static const rh_heap_operations operations = {
    .usable_size = usable_size,
    .get_arenas = get_arenas,
    .set_arenas = set_arenas,
    .snapshot = snapshot,
    .print_stats = print_stats,
    .walk_pages = walk_pages,
    .watch_arenas = watch_arenas,
    .check = check,
    .close = close_cpython,
};

/* The file of the library that `part` asks for. */
static rh_status
find_library(const rh_spec_part *part, char *path, size_t capacity, rh_error *error)
{
    const char *so = LIBRARY_STANDARD;
    rh_spec_text(part, "so", &so);
    if (strchr(so, '/')) {
        if ((size_t)snprintf(path, capacity, "%s", so) >= capacity)
            return rh_fail(error, RH_CANNOT_RUN, "%s: the path is too long", so);
    } else if (!rh_library_find(so, path, capacity)) {
        if (strcmp(so, LIBRARY_STANDARD) == 0)
            return rh_fail(error, RH_CANNOT_RUN,
                           "%s is not installed; it is in Debian's package " LIBRARY_PACKAGE, so);
        return rh_fail(error, RH_CANNOT_RUN, "%s: no library folder has it; give a path", so);
    }
    return rh_library_check(path, error);
}

static bool
resolve(python_library *python)
{
    *(void **)&python->get_version = dlsym(python->library, "Py_GetVersion");
    *(void **)&python->get_allocator = dlsym(python->library, "PyMem_GetAllocator");
    *(void **)&python->get_arenas = dlsym(python->library, "PyObject_GetArenaAllocator");
    *(void **)&python->set_arenas = dlsym(python->library, "PyObject_SetArenaAllocator");
    *(void **)&python->print_stats = dlsym(python->library, "_PyObject_DebugMallocStats");
    return python->get_version && python->get_allocator && python->get_arenas &&
           python->set_arenas && python->print_stats;
}

/* Later versions need a thread state for their first allocation, and crash without one. */
static rh_status
check_version(python_library *python, const char *path, rh_error *error)
{
    int major = 0;
    const char *version = python->get_version();
    if (sscanf(version, "%d.%d", &major, &python->minor) != 2 || major != 3 ||
        python->minor < OLDEST_MINOR || python->minor > NEWEST_MINOR)
        return rh_fail(error, RH_CANNOT_RUN,
                       "%s is Python %.*s; only 3.%d to 3.%d work without an interpreter", path,
                       (int)strcspn(version, " "), version, OLDEST_MINOR, NEWEST_MINOR);
    return RH_OK;
}

static rh_status
load(const rh_spec_part *part, python_library *python, rh_error *error)
{
    char path[4096];
    rh_status status = find_library(part, path, sizeof path, error);
    if (status)
        return status;
    void *loaded = dlopen(path, RTLD_NOW | RTLD_NOLOAD);
    if (loaded)
        dlclose(loaded);
    python->library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!python->library)
        return rh_fail(error, RH_CANNOT_RUN, "%s", dlerror());
    if (!resolve(python))
        status = rh_fail(error, RH_CANNOT_RUN, "%s: not a libpython", path);
    else if (loaded)
        status = rh_fail(error, RH_CANNOT_RUN,
                         "%s is in use in this process, and its heap is one to a process", path);
    else
        status = check_version(python, path, error);
    if (status)
        dlclose(python->library);
    return status;
}

static FILE *
open_memory_file(char *buffer, size_t capacity)
{
    int file = memfd_create("statistics", MFD_CLOEXEC);
    if (file < 0)
        return NULL;
    FILE *stream = fdopen(file, "w+");
    if (!stream) {
        close(file);
        return NULL;
    }
    setvbuf(stream, buffer, _IOFBF, capacity); /* so that printing allocates nothing */
    return stream;
}

static rh_status
open_cpython(const rh_spec_part *part, rh_heap **heap, rh_error *error)
{
    python_library python;
    rh_status status = load(part, &python, error);
    if (status)
        return status;
    cpython_heap *cpython = calloc(1, sizeof *cpython);
    if (cpython)
        cpython->stats = open_memory_file(cpython->stats_buffer, sizeof cpython->stats_buffer);
    if (!cpython || !cpython->stats) {
        free(cpython);
        dlclose(python.library);
        return rh_fail(error, RH_SYSTEM, "out of memory");
    }
    cpython->python = python;
    cpython->heap.operations = &operations;
    cpython->heap.natural_alignment = ALIGNMENT;
    cpython->pool_bytes = python.minor < LARGE_POOLS_MINOR ? POOL_BYTES : LARGE_POOL_BYTES;
    for (int i = 0; i < RH_DOMAINS; i++)
        python.get_allocator((PyMemAllocatorDomain)i, &cpython->heap.domain[i]);
    python.get_arenas(&cpython->original);
    cpython->source = cpython->original;
    PyObjectArenaAllocator counting = {cpython, arena_alloc, arena_free};
    python.set_arenas(&counting);
    *heap = &cpython->heap;
    return RH_OK;
}

static void
version(const rh_spec_part *part, char *text, size_t capacity)
{
    char path[4096];
    snprintf(text, capacity, "unknown");
    if (find_library(part, path, sizeof path, NULL) != RH_OK)
        return;
    void *library = dlopen(path, RTLD_LAZY | RTLD_LOCAL);
    const char *(*get_version)(void) = NULL;
    if (library)
        *(void **)&get_version = dlsym(library, "Py_GetVersion");
    if (get_version) {
        const char *whole = get_version(); /* "3.11.2 (main, ...) [GCC ...]" */
        snprintf(text, capacity, "%.*s", (int)strcspn(whole, " "), whole);
    }
    if (library)
        dlclose(library);
}

static const rh_key keys[] = {
    {.name = "so",
     .kind = RH_KEY_TEXT,
     .standard = LIBRARY_STANDARD,
     .help = "a libpython of 3.7 to 3.11: a path, or a name in the system's folders"},
    {.name = NULL},
};

const rh_allocator rh_cpython_allocator = {
    .name = "cpython",
    .summary = "the real pymalloc, out of an installed libpython",
    .keys = keys,
    .package = LIBRARY_PACKAGE,
    .open = open_cpython,
    .version = version,
};
