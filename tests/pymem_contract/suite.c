/* suite NAME VERSION [hooks] [traced]: runs everything in a process configured as PYTHONMALLOC=NAME
 * configures that version of CPython, "" for the defaults; `hooks`: and then the debug hooks are
 * set up; `traced`: and then tracing is started. */
#include "tests/pymem_contract/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc/pymalloc_geometry.h"
#include "alloc/pymem_config.h"
#include "alloc/pymem_trace.h"
#include "base/error.h"

const struct family families[FAMILIES] = {
    {"raw", PYMEM_DOMAIN_RAW, 'r', PyMem_RawMalloc, PyMem_RawCalloc, PyMem_RawRealloc,
     PyMem_RawFree},
    {"mem", PYMEM_DOMAIN_MEM, 'm', PyMem_Malloc, PyMem_Calloc, PyMem_Realloc, PyMem_Free},
    {"obj", PYMEM_DOMAIN_OBJ, 'o', PyObject_Malloc, PyObject_Calloc, PyObject_Realloc,
     PyObject_Free},
};

struct configuration configuration;

/* ---- hooks ---- */

static bool
is_refused(struct counting_hook *hook)
{
    return hook->refuse > 0 && hook->refuse-- > 0;
}

static void *
count_malloc(void *ctx, size_t size)
{
    struct counting_hook *hook = ctx;
    hook->mallocs++;
    hook->elsize = size;
    return is_refused(hook) ? NULL : hook->below.malloc(hook->below.ctx, size);
}

static void *
count_calloc(void *ctx, size_t nelem, size_t elsize)
{
    struct counting_hook *hook = ctx;
    hook->callocs++;
    hook->nelem = nelem;
    hook->elsize = elsize;
    return is_refused(hook) ? NULL : hook->below.calloc(hook->below.ctx, nelem, elsize);
}

static void *
count_realloc(void *ctx, void *block, size_t size)
{
    struct counting_hook *hook = ctx;
    hook->reallocs++;
    hook->block = block;
    hook->elsize = size;
    return is_refused(hook) ? NULL : hook->below.realloc(hook->below.ctx, block, size);
}

static void
count_free(void *ctx, void *block)
{
    struct counting_hook *hook = ctx;
    hook->frees++;
    hook->block = block;
    hook->below.free(hook->below.ctx, block);
}

void
put_hook(struct counting_hook *hook, PyMemAllocatorDomain domain)
{
    *hook = (struct counting_hook){.domain = domain};
    PyMem_GetAllocator(domain, &hook->below);
    PyMemAllocatorEx mine = {hook, count_malloc, count_calloc, count_realloc, count_free};
    PyMem_SetAllocator(domain, &mine);
}

void
take_hook(struct counting_hook *hook)
{
    PyMem_SetAllocator(hook->domain, &hook->below);
}

size_t
hook_calls(const struct counting_hook *hook)
{
    return hook->mallocs + hook->callocs + hook->reallocs + hook->frees;
}

/* ---- contents ---- */

static unsigned char
byte_at(size_t place, uint64_t mark)
{
    return (unsigned char)(mark + place / 255 + place * 7);
}

void
fill(void *block, size_t size, uint64_t mark)
{
    for (size_t i = 0; i < size; i++)
        ((unsigned char *)block)[i] = byte_at(i, mark);
}

bool
is_filled(const void *block, size_t size, uint64_t mark)
{
    for (size_t i = 0; i < size; i++)
        if (((const unsigned char *)block)[i] != byte_at(i, mark))
            return false;
    return true;
}

/* ---- configuration ---- */

static void
require(rh_status status, const rh_error *error)
{
    if (status == RH_OK)
        return;
    if (status == RH_CANNOT_RUN) {
        printf("SKIP: %s\n", error->message);
        exit(0);
    }
    fprintf(stderr, "%s\n", error->message);
    exit(2);
}

/* What the process has now, told by its own name for it. */
static void
read_configuration(const char *version)
{
    const rh_pymalloc_preset *preset = rh_pymalloc_preset_find(version);
    const char *name = rh_pymem_current_name();
    if (!preset || !name) {
        fprintf(stderr, "no preset of %s, or no name of what is set\n", version);
        exit(2);
    }
    configuration.debug = strstr(name, "_debug") != NULL;
    configuration.pymalloc = strncmp(name, "pymalloc", 8) == 0;
    configuration.mimalloc = strncmp(name, "mimalloc", 8) == 0;
    configuration.small_bytes = 512;
    configuration.arena_bytes = preset->arena_bytes;
    configuration.decoration = configuration.debug ? strcmp(version, "3.7") == 0 ? 32 : 24 : 0;
}

int
main(int argc, char **argv)
{
    rh_error error = {0};
    if (argc < 3) {
        fprintf(stderr, "usage: %s NAME VERSION [hooks] [traced]\n", argv[0]);
        return 2;
    }
    require(rh_pymem_configure(argv[1], argv[2], NULL, &error), &error);
    bool hooks = false;
    for (int i = 3; i < argc; i++) {
        hooks |= strcmp(argv[i], "hooks") == 0;
        configuration.tracing |= strcmp(argv[i], "traced") == 0;
    }
    if (hooks)
        PyMem_SetupDebugHooks();
    read_configuration(argv[2]);
    if (configuration.tracing)
        require(rh_pymem_trace_start(2, &error), &error);
    int failed = _cmocka_run_group_tests("requests", request_tests, request_test_count, NULL, NULL);
    failed += _cmocka_run_group_tests("exchange", exchange_tests, exchange_test_count, NULL, NULL);
    failed +=
        _cmocka_run_group_tests("statistics", statistics_tests, statistics_test_count, NULL, NULL);
    failed += _cmocka_run_group_tests("workloads", workload_tests, workload_test_count, NULL, NULL);
    return failed != 0;
}
