#define _GNU_SOURCE
#include "alloc/preloaded.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include "alloc/library_file.h"
#include "alloc/process_malloc.h"

/* Most of them give blocks of 8 bytes at multiples of 8. */
enum { ALIGNMENT = 8, SCUDO_ALIGNMENT = 16 };

/* The last part of a path. */
static const char *
file_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static rh_status
fail_other(const rh_malloc_probe *probe, const char *library, rh_error *error)
{
    return rh_fail(
        error, RH_CANNOT_RUN,
        "this process runs on the malloc of %s: it must be started with %s in LD_PRELOAD, "
        "and the loader must accept it",
        file_name(probe->library), library);
}

/* Opens a heap on this process's malloc if that is defined by a library called `soname`. */
static rh_status
open_named(const char *soname, size_t alignment, rh_heap **heap, rh_error *error)
{
    rh_malloc_probe probe;
    rh_malloc_probe_process(&probe);
    if (strcmp(file_name(probe.library), soname) != 0)
        return fail_other(&probe, soname, error);
    return rh_process_malloc_open(&probe, alignment, heap, error);
}

static rh_status
open_preload(const rh_spec_part *part, rh_heap **heap, rh_error *error)
{
    const char *so = ""; /* the parser has seen to it that there is one */
    rh_spec_text(part, "so", &so);
    /* The library may leave malloc to one that it depends on, so that it is only asked for being
     * there, and malloc for not being the C library's. */
    rh_malloc_probe probe;
    rh_malloc_probe_process(&probe);
    void *loaded = dlopen(so, RTLD_LAZY | RTLD_NOLOAD);
    if (loaded)
        dlclose(loaded);
    if (!loaded)
        return fail_other(&probe, so, error);
    if (rh_malloc_probe_is_libc(&probe))
        return rh_fail(error, RH_CANNOT_RUN, "%s is loaded, but malloc is still the C library's",
                       so);
    return rh_process_malloc_open(&probe, ALIGNMENT, heap, error);
}

/* For a library that tells no version: a hash of its file, so that results of two builds of it are
 * not taken for the same. */
static void
file_version(const char *path, char *text, size_t capacity)
{
    char hash[RH_LIBRARY_HASH_TEXT];
    if (rh_library_hash(path, hash))
        snprintf(text, capacity, "file %s", hash);
}

/* Only a process that runs on the library can be asked for the version. */
static void
version(const rh_spec_part *part, char *text, size_t capacity)
{
    (void)part;
    rh_malloc_probe probe;
    rh_malloc_probe_process(&probe);
    snprintf(text, capacity, "unknown");
    if (rh_malloc_probe_is_libc(&probe))
        return;
    if (probe.kind && probe.kind->version)
        probe.kind->version(probe.symbol, text, capacity);
    else
        file_version(probe.library, text, capacity);
}

#define JEMALLOC "libjemalloc.so.2"
#define TCMALLOC "libtcmalloc_minimal.so.4"
#define SCUDO    "libclang_rt.scudo_standalone-x86_64.so"
#define TBB      "libtbbmalloc_proxy.so.2"

static rh_status
open_jemalloc(const rh_spec_part *part, rh_heap **heap, rh_error *error)
{
    (void)part;
    return open_named(JEMALLOC, ALIGNMENT, heap, error);
}

static rh_status
open_tcmalloc(const rh_spec_part *part, rh_heap **heap, rh_error *error)
{
    (void)part;
    return open_named(TCMALLOC, ALIGNMENT, heap, error);
}

static rh_status
open_scudo(const rh_spec_part *part, rh_heap **heap, rh_error *error)
{
    (void)part;
    return open_named(SCUDO, SCUDO_ALIGNMENT, heap, error);
}

static rh_status
open_tbb(const rh_spec_part *part, rh_heap **heap, rh_error *error)
{
    (void)part;
    return open_named(TBB, ALIGNMENT, heap, error);
}

const rh_allocator rh_jemalloc_allocator = {
    .name = "jemalloc",
    .summary = "jemalloc, preloaded into a process of its own",
    .library = JEMALLOC,
    .package = "libjemalloc2",
    .threads = true,
    .process_malloc = true,
    .open = open_jemalloc,
    .version = version,
};

const rh_allocator rh_tcmalloc_allocator = {
    .name = "tcmalloc",
    .summary = "gperftools' tcmalloc, preloaded",
    .library = TCMALLOC,
    .package = "libtcmalloc-minimal4",
    .threads = true,
    .process_malloc = true,
    .open = open_tcmalloc,
    .version = version,
};

const rh_allocator rh_scudo_allocator = {
    .name = "scudo",
    .summary = "LLVM's hardened allocator, preloaded",
    .library = SCUDO,
    .package = "libclang-rt-14-dev",
    .threads = true,
    .process_malloc = true,
    .open = open_scudo,
    .version = version,
};

const rh_allocator rh_tbb_allocator = {
    .name = "tbb",
    .summary = "oneTBB's scalable allocator, preloaded",
    .library = TBB,
    .package = "libtbbmalloc2",
    .threads = true,
    .process_malloc = true,
    .open = open_tbb,
    .version = version,
};

static const rh_key preload_keys[] = {
    {.name = "so",
     .kind = RH_KEY_TEXT,
     .help = "the library: a path, or a name in the system's folders"},
    {.name = NULL},
};

const rh_allocator rh_preload_allocator = {
    .name = "preload",
    .summary = "any shared library that replaces malloc",
    .keys = preload_keys,
    .library = "",
    .threads = true,
    .process_malloc = true,
    .open = open_preload,
    .version = version,
};
