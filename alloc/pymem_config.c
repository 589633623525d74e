#include "alloc/pymem_config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc/c_library.h"
#include "alloc/pymalloc_geometry.h"
#include "alloc/pymem_debug.h"
#include "alloc/pymem_domains.h"
#include "alloc/pymem_mimalloc.h"
#include "alloc/pymem_trace.h"

#define VERSION_VARIABLE "REHEAP_PYTHON_VERSION"
#define BUILD_VARIABLE   "REHEAP_PYTHON_BUILD"

static const rh_python_build as_it_comes;
static bool huge_pages_wanted;

/* ---- configuring ---- */

static rh_status
choose_allocator(PyMemAllocatorDomain domain, rh_python_kind kind, const rh_heap *mimalloc,
                 PyMemAllocatorEx *chosen, rh_error *error)
{
    *chosen = rh_c_library;
    if (kind == RH_PYTHON_MIMALLOC)
        *chosen = mimalloc->domain[domain];
    else if (kind == RH_PYTHON_PYMALLOC && !rh_domains_pymalloc(chosen))
        return rh_fail(error, RH_SYSTEM, "there is no memory for pymalloc");
    return RH_OK;
}

/* Whether a domain that nobody has set has this one anyway. It is left alone then, and pymalloc
 * unopened, so that a version can still be chosen. */
static bool
is_standard(PyMemAllocatorDomain domain, rh_python_kind kind)
{
    return kind == (domain == PYMEM_DOMAIN_RAW ? RH_PYTHON_MALLOC : RH_PYTHON_PYMALLOC);
}

static rh_status
configure(bool named, const rh_python_memory *memory, const rh_heap *mimalloc, rh_error *error)
{
    PyMemAllocatorEx chosen[RH_DOMAINS];
    bool wanted[RH_DOMAINS];
    rh_status status = RH_OK;
    for (int i = 0; i < RH_DOMAINS && status == RH_OK; i++) {
        PyMemAllocatorDomain domain = (PyMemAllocatorDomain)i;
        rh_python_kind kind = domain == PYMEM_DOMAIN_RAW ? memory->raw : memory->objects;
        wanted[i] = rh_domains_is_untouched(domain) ? !is_standard(domain, kind) : named;
        if (wanted[i])
            status = choose_allocator(domain, kind, mimalloc, &chosen[i], error);
    }
    if (status != RH_OK)
        return status;
    for (int i = 0; i < RH_DOMAINS; i++)
        if (wanted[i])
            PyMem_SetAllocator((PyMemAllocatorDomain)i, &chosen[i]);
    if (memory->debug)
        PyMem_SetupDebugHooks();
    return RH_OK;
}

static rh_status
open_mimalloc(const char *version, bool free_threaded, rh_heap **mimalloc, rh_error *error)
{
    char arrangement[16];
    snprintf(arrangement, sizeof arrangement, "%s%s", rh_pymalloc_preset_find(version)->version,
             free_threaded ? "t" : "");
    return rh_domains_mimalloc(arrangement, mimalloc, error);
}

rh_status
rh_pymem_configure(const char *name, const char *version, const rh_python_build *build,
                   rh_error *error)
{
    rh_python_memory memory;
    rh_heap *mimalloc = NULL;
    const rh_python_build *built = build ? build : &as_it_comes;
    const char *wanted = version ? version : RH_PYMALLOC_STANDARD_PRESET;
    rh_status status = rh_pythonmalloc_resolve(name, wanted, built, &memory, error);
    if (status == RH_OK && memory.objects == RH_PYTHON_MIMALLOC)
        status = open_mimalloc(wanted, built->free_threaded, &mimalloc, error);
    if (status != RH_OK)
        return status;
    rh_domains_lock();
    status = rh_domains_set_version(wanted, error);
    if (status == RH_OK)
        status = rh_domains_set_huge_pages(built->huge_pages, huge_pages_wanted, error);
    if (status == RH_OK) {
        rh_pymem_set_free_threaded_hooks(built->free_threaded);
        status = configure(name && *name, &memory, mimalloc, error);
    }
    rh_domains_unlock();
    return status;
}

void
rh_pymem_use_huge_pages(bool wanted)
{
    huge_pages_wanted = wanted;
}

/* ---- the environment ---- */

/* The value of a variable; NULL when it is unset or empty. */
static const char *
value_of(const char *variable)
{
    const char *value = getenv(variable);
    return value && *value ? value : NULL;
}

static rh_status
read_build(rh_python_build *build, rh_error *error)
{
    *build = as_it_comes;
    const char *word = value_of(BUILD_VARIABLE);
    const struct {
        const char *word;
        bool *flag;
    } words[] = {
        {"debug", &build->debug},
        {"free-threaded", &build->free_threaded},
        {"without-pymalloc", &build->without_pymalloc},
        {"without-mimalloc", &build->without_mimalloc},
        {"hugepages", &build->huge_pages},
    };
    enum { WORDS = sizeof words / sizeof words[0] };
    while (word && *word) {
        size_t length = strcspn(word, ","), i = 0;
        while (i < WORDS &&
               (strlen(words[i].word) != length || strncmp(words[i].word, word, length) != 0))
            i++;
        if (i == WORDS)
            return rh_fail(error, RH_USAGE,
                           BUILD_VARIABLE ": '%.*s' is not known; debug, free-threaded, "
                                          "without-pymalloc, without-mimalloc and hugepages are",
                           (int)(length < 80 ? length : 80), word);
        *words[i].flag = true;
        word += length + (word[length] == ',');
    }
    return RH_OK;
}

/* In CPython's words, which are others in 3.7. */
static rh_status
refuse_name(const char *version, rh_error *error)
{
    bool is_3_7 = strncmp(version, "3.7", 3) == 0;
    return rh_fail(error, RH_USAGE,
                   is_3_7 ? "Fatal Python error: _Py_InitializeCore_impl: "
                            "Unknown PYTHONMALLOC allocator\n"
                          : "Fatal Python error: preconfig_init_allocator: "
                            "PYTHONMALLOC: unknown allocator\n"
                            "Python runtime state: preinitializing\n");
}

rh_status
rh_pymem_configure_by_environment(rh_error *error)
{
    rh_python_build build;
    rh_python_memory memory;
    const char *version = value_of(VERSION_VARIABLE), *name = value_of("PYTHONMALLOC");
    if (!version)
        version = RH_PYMALLOC_STANDARD_PRESET;
    if (!rh_pymalloc_preset_find(version))
        return rh_fail(error, RH_USAGE,
                       VERSION_VARIABLE ": CPython %s is not known; 3.7 to 3.15 are", version);
    rh_status status = read_build(&build, error);
    if (status == RH_OK)
        status = rh_pythonmalloc_resolve(NULL, version, &build, &memory, error);
    if (status != RH_OK)
        return status;
    if (name && rh_pythonmalloc_resolve(name, version, &build, &memory, NULL) != RH_OK)
        return refuse_name(version, error);
    if (!name && value_of("PYTHONDEVMODE"))
        name = "debug";
    rh_pymem_use_huge_pages(rh_pythonmalloc_wants_huge_pages(getenv("PYTHON_PYMALLOC_HUGEPAGES")));
    status = rh_pymem_configure(name, version, &build, error);
    if (status == RH_OK)
        status = rh_pymem_trace_configure(getenv("PYTHONTRACEMALLOC"), error);
    if (status == RH_OK && value_of("PYTHONMALLOCSTATS")) {
        rh_pymem_print_stats_at_arenas(true);
        rh_pymem_print_stats_at_exit(true);
    }
    return status;
}

/* ---- the current name ---- */

/* The allocators of all domains; when all are the hooks, what they stand on. */
static bool
read_allocators(PyMemAllocatorEx found[RH_DOMAINS])
{
    int hooked = 0;
    PyMemAllocatorEx under[RH_DOMAINS];
    for (int i = 0; i < RH_DOMAINS; i++) {
        found[i] = rh_domains_peek((PyMemAllocatorDomain)i);
        const PyMemAllocatorEx *inner = rh_pymem_under_debug_hooks(&found[i]);
        if (inner)
            under[hooked++] = *inner;
    }
    if (hooked == RH_DOMAINS)
        memcpy(found, under, sizeof under);
    return hooked == RH_DOMAINS;
}

const char *
rh_pymem_current_name(void)
{
    PyMemAllocatorEx found[RH_DOMAINS];
    rh_domains_lock();
    bool debug = read_allocators(found);
    rh_domains_unlock();
    const PyMemAllocatorEx *raw = &found[PYMEM_DOMAIN_RAW], *mem = &found[PYMEM_DOMAIN_MEM],
                           *object = &found[PYMEM_DOMAIN_OBJ];
    bool plain_raw = rh_domains_same(raw, &rh_c_library);
    if (plain_raw && rh_domains_same(mem, raw) && rh_domains_same(object, raw))
        return debug ? "malloc_debug" : "malloc";
    if (plain_raw && rh_domains_is_pymalloc(mem) && rh_domains_is_pymalloc(object))
        return debug ? "pymalloc_debug" : "pymalloc";
    const rh_heap *mimalloc = rh_domains_mimalloc_of(object);
    if (mimalloc && rh_domains_mimalloc_of(mem) == mimalloc &&
        (plain_raw || rh_domains_mimalloc_of(raw) == mimalloc))
        return debug ? "mimalloc_debug" : "mimalloc";
    return NULL;
}
