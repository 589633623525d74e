/* PROGRAM SPEC [TRAIT...]: runs the suite on the heap that SPEC names. A process that must be
 * started with a library starts itself again with it. */
#define _GNU_SOURCE
#include "tests/contract/contract.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "alloc/plugin.h"

static struct subject subject_under_test;

const struct subject *
the_subject(void)
{
    return &subject_under_test;
}

bool
has_contents(void)
{
    return !subject_under_test.is_virtual && !subject_under_test.forgetful;
}

rh_heap *
open_subject(void)
{
    rh_heap *heap = NULL;
    rh_error error = {0};
    if (rh_heap_open(subject_under_test.spec, &heap, &error) != RH_OK)
        fail_msg("%s", error.message);
    return heap;
}

void
check_heap(rh_heap *heap)
{
    rh_error error = {0};
    if (rh_heap_check(heap, &error) != RH_OK)
        fail_msg("%s", error.message);
}

void *
heap_malloc(rh_heap *heap, int domain, size_t size)
{
    return heap->domain[domain].malloc(heap->domain[domain].ctx, size);
}

void *
heap_calloc(rh_heap *heap, int domain, size_t count, size_t size)
{
    return heap->domain[domain].calloc(heap->domain[domain].ctx, count, size);
}

void *
heap_realloc(rh_heap *heap, int domain, void *block, size_t size)
{
    return heap->domain[domain].realloc(heap->domain[domain].ctx, block, size);
}

void
heap_free(rh_heap *heap, int domain, void *block)
{
    heap->domain[domain].free(heap->domain[domain].ctx, block);
}

/* Starts this program again with the library that the subject needs, if it needs one and has not
 * got it. Returns only when there is nothing to do. */
static void
preload(const rh_spec *spec, char **argv)
{
    char library[4096];
    rh_error error = {0};
    if (rh_spec_library(spec, library, sizeof library, &error) != RH_OK) {
        printf("SKIP: %s\n", error.message);
        exit(0);
    }
    if (!library[0] || getenv("LD_PRELOAD"))
        return;
    setenv("LD_PRELOAD", library, 1);
    execv("/proc/self/exe", argv);
    perror("execv");
    exit(1);
}

/* Skips what this machine has no library for. */
static void
require_installed(void)
{
    rh_heap *heap;
    rh_error error = {0};
    if (rh_heap_open(subject_under_test.spec, &heap, &error) == RH_OK) {
        rh_heap_close(heap);
    } else if (error.status == RH_CANNOT_RUN && strstr(error.message, "is not installed")) {
        printf("SKIP: %s\n", error.message);
        exit(0);
    }
}

/* What the allocator promises: its row says it, and in place of the row of plug-ins the plug-in. */
static void
read_promises(const rh_spec *spec)
{
    subject_under_test.many = spec->allocator->many;
    subject_under_test.deterministic = spec->allocator->deterministic;
    subject_under_test.threads = spec->allocator->threads;
    rh_heap *heap;
    rh_error error = {0};
    if (spec->allocator != &rh_plugin_allocator ||
        spec->allocator->open(&spec->base, &heap, &error) != RH_OK)
        return;
    uint32_t flags = rh_plugin_table_of(heap)->flags;
    subject_under_test.many = flags & REHEAP_MANY;
    subject_under_test.deterministic = flags & REHEAP_DETERMINISTIC;
    subject_under_test.threads = flags & REHEAP_THREADS;
    rh_heap_close(heap);
}

static void
read_traits(int argc, char **argv)
{
    for (int i = 2; i < argc; i++) {
        subject_under_test.is_virtual |= strcmp(argv[i], "virtual") == 0;
        subject_under_test.forgetful |= strcmp(argv[i], "forgetful") == 0;
        subject_under_test.unguarded |= strcmp(argv[i], "unguarded") == 0;
        subject_under_test.shared |= strcmp(argv[i], "shared") == 0;
    }
}

int
main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: %s SPEC [virtual] [forgetful] [unguarded] [shared]\n", argv[0]);
        return 2;
    }
    rh_spec spec;
    rh_error error = {0};
    if (rh_spec_parse(argv[1], &spec, &error) != RH_OK) {
        fprintf(stderr, "%s\n", error.message);
        return 2;
    }
    preload(&spec, argv);
    subject_under_test.spec = argv[1];
    subject_under_test.allocator = spec.allocator;
    subject_under_test.layered = spec.layers > 0;
    read_promises(&spec);
    rh_spec_release(&spec);
    read_traits(argc, argv);
    require_installed();
    int failed = _cmocka_run_group_tests("basic", basic_contract, basic_contract_count, NULL, NULL);
    failed += _cmocka_run_group_tests("random", random_contract, random_contract_count, NULL, NULL);
    failed += _cmocka_run_group_tests("statistics", statistics_contract, statistics_contract_count,
                                      NULL, NULL);
    failed +=
        _cmocka_run_group_tests("threads", thread_contract, thread_contract_count, NULL, NULL);
    return failed != 0;
}
