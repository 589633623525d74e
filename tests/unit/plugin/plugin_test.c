// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#include <stdio.h>
#include <string.h>

#include "alloc/heap.h"
#include "alloc/plugin.h"
#include "tests/unit/plugin/odd_plugin.h"

#define FOLDER "./tests/unit/plugin/"

static rh_heap *
open_heap(const char *spec)
{
    rh_heap *heap = NULL;
    rh_error error = {0};
    if (rh_heap_open(spec, &heap, &error) != RH_OK)
        fail_msg("%s: %s", spec, error.message);
    return heap;
}

static rh_heap *
open_odd(enum odd_way way)
{
    char spec[128];
    snprintf(spec, sizeof spec, "plugin,so=" FOLDER "odd_%d.so", (int)way);
    return open_heap(spec);
}

/* The spec is refused with a message that has `words`. */
static void
refused(const char *spec, rh_status status, const char *words)
{
    rh_heap *heap;
    rh_error error = {0};
    assert_int_equal(rh_heap_open(spec, &heap, &error), status);
    if (!strstr(error.message, words))
        fail_msg("%s: '%s' lacks '%s'", spec, error.message, words);
}

static void
odd_refused(enum odd_way way, const char *words)
{
    char spec[128], name[32];
    snprintf(name, sizeof name, "odd_%d.so", (int)way);
    snprintf(spec, sizeof spec, "plugin,so=" FOLDER "%s", name);
    refused(spec, RH_CANNOT_RUN, words);
    refused(spec, RH_CANNOT_RUN, name); /* which file */
}

static void *
take(rh_heap *heap, int domain, size_t size)
{
    return heap->domain[domain].malloc(heap->domain[domain].ctx, size);
}

static void
give(rh_heap *heap, int domain, void *block)
{
    heap->domain[domain].free(heap->domain[domain].ctx, block);
}

static void
what_is_no_plugin_is_refused(void **state)
{
    (void)state;
    refused("plugin", RH_USAGE, "plugin needs so=, the library");
    refused("plugin,so=./missing.so", RH_CANNOT_RUN, "./missing.so");
    refused("plugin,so=missing.so", RH_CANNOT_RUN,
            "give a path with a slash in it, as ./missing.so");
    refused("plugin,so=" FOLDER "odd_plugin.h", RH_CANNOT_RUN, "not a shared library");
    refused("plugin,so=" FOLDER "nameless_plugin.so", RH_CANNOT_RUN, "exports no reheap_plugin");
    refused("plugin,so=" FOLDER "nameless_plugin.so", RH_CANNOT_RUN, "preload,so=");
    refused("plugin,so=" FOLDER "unfinished_plugin.so", RH_CANNOT_RUN, "nobody_has_this");
    refused("plugin,so=" FOLDER "function_plugin.so", RH_CANNOT_RUN, "REHEAP_PLUGIN_HEAD");
}

static void
odd_tables_are_refused(void **state)
{
    (void)state;
    odd_refused(ODD_MAGIC, "not a reheap_plugin_table");
    odd_refused(ODD_ABI, "version 2 of the interface, this reheap has version 1");
    odd_refused(ODD_SMALL, "its size must be sizeof(reheap_plugin_table)");
    odd_refused(ODD_LARGE, "its size must be sizeof(reheap_plugin_table)");
    odd_refused(ODD_NO_OPEN, "no open, which is required");
    odd_refused(ODD_NO_CLOSE, "no close, which is required");
    odd_refused(ODD_NO_FREE, "no functions.free, which is required");
    odd_refused(ODD_ALIGNMENT, "natural_alignment is 48");
    odd_refused(ODD_ONE_ARENA_FUNCTION, "get_arenas alone");
    odd_refused(ODD_MUTE, "does not say why");
    odd_refused(ODD_LOUD, "it did not open: xxxx");
    odd_refused(ODD_DOMAIN, "left out a function of domain 2");
}

/* With nothing but the required functions, all else is unknown or politely refused. */
static void
what_is_left_out_is_unknown(void **state)
{
    (void)state;
    rh_heap *heap = open_odd(ODD_NOT);
    rh_counters counters;
    rh_error error = {0};
    PyObjectArenaAllocator arenas;
    void *block = take(heap, PYMEM_DOMAIN_MEM, 100);
    assert_non_null(block);
    rh_heap_snapshot(heap, &counters);
#define ASSERT_UNKNOWN(name, what) assert_true(counters.name == RH_UNKNOWN);
    RH_COUNTERS(ASSERT_UNKNOWN)
#undef ASSERT_UNKNOWN
    assert_null(heap->mapped_bytes);
    assert_int_equal(heap->natural_alignment, 8);
    assert_int_equal(rh_heap_usable_size(heap, PYMEM_DOMAIN_MEM, block), 0);
    assert_null(rh_heap_aligned_alloc(heap, PYMEM_DOMAIN_MEM, 4096, 1));
    assert_false(rh_heap_get_arenas(heap, &arenas));
    assert_false(rh_heap_print_stats(heap, stderr));
    assert_int_equal(rh_heap_check(heap, &error), RH_OK);
    rh_heap_trim(heap);
    give(heap, PYMEM_DOMAIN_MEM, block);
    rh_heap_close(heap);
}

/* A table from an earlier copy of the header ends early; what lies behind it is not looked at. */
static void
an_older_table_lacks_the_last_members(void **state)
{
    (void)state;
    rh_heap *heap = open_odd(ODD_OLD);
    rh_counters counters;
    assert_null(rh_plugin_table_of(heap)->statistics);
    rh_heap_snapshot(heap, &counters);
    assert_true(counters.pools_in_use == RH_UNKNOWN);
    rh_heap_close(heap);
}

static void
take_figure(void *ctx, const char *name, uint64_t value)
{
    assert_string_equal(name, "plugin_wings");
    *(uint64_t *)ctx += value;
}

static bool
count_regions(void *ctx, const rh_region *region)
{
    assert_int_equal(region->kind, RH_REGION_ARENA);
    ++*(int *)ctx;
    return true;
}

static void
what_a_plugin_says_is_taken_with_care(void **state)
{
    (void)state;
    rh_heap *heap = open_odd(ODD_ORDER);
    rh_counters counters;
    rh_error error = {0};
    int regions = 0;
    assert_int_equal(rh_heap_check(heap, &error), RH_OK);
    for (int domain = 0; domain < RH_DOMAINS; domain++)
        for (int i = 0; i < domain + 1; i++) {
            give(heap, domain, take(heap, domain, 10));
            if (domain == PYMEM_DOMAIN_OBJ && i == 0) {
                assert_int_equal(rh_heap_check(heap, &error), RH_DIFFERENT);
                assert_non_null(strstr(error.message, "does not say what"));
            }
        }
    rh_heap_snapshot(heap, &counters);
    assert_int_equal(counters.pools_in_use, 1); /* each domain has its own context */
    assert_int_equal(counters.pools_free, 2);
    assert_int_equal(counters.live_blocks, 3);
    assert_true(counters.mapped_bytes == RH_UNKNOWN);
    uint64_t wings = 0; /* which no list has: a figure of its own */
    rh_heap_figures(heap, take_figure, &wings);
    assert_int_equal(wings, 3);
    assert_false(rh_heap_walk(heap, count_regions, &regions));
    assert_int_equal(regions, 1); /* it ended at what is no region */
    assert_int_equal(rh_heap_check(heap, &error), RH_DIFFERENT);
    assert_non_null(strstr(error.message, "odd_"));
    assert_non_null(strstr(error.message, "yyyy"));
    rh_heap_close(heap);
}

static void
arenas_pass_through(void **state)
{
    (void)state;
    rh_heap *heap = open_odd(ODD_ORDER);
    int marker;
    PyObjectArenaAllocator given = {&marker, NULL, NULL}, got;
    rh_error error = {0};
    assert_int_equal(rh_heap_set_arenas(heap, &given, &error), RH_OK);
    assert_true(rh_heap_get_arenas(heap, &got));
    assert_ptr_equal(got.ctx, &marker);
    give(heap, PYMEM_DOMAIN_OBJ, take(heap, PYMEM_DOMAIN_OBJ, 10));
    assert_int_equal(rh_heap_set_arenas(heap, &given, &error), RH_USAGE);
    rh_heap_close(heap);
}

static void
one_to_a_process_unless_it_says_otherwise(void **state)
{
    (void)state;
    rh_heap *alone = open_odd(ODD_NOT);
    char spec[128];
    snprintf(spec, sizeof spec, "plugin,so=" FOLDER "odd_%d.so", ODD_NOT);
    refused(spec, RH_CANNOT_RUN, "in use in this process");
    rh_heap_close(alone);
    rh_heap_close(open_odd(ODD_NOT));
    rh_heap *first = open_odd(ODD_ORDER), *second = open_odd(ODD_ORDER);
    rh_heap_close(first);
    rh_heap_close(second);
}

static void
options_reach_the_plugin(void **state)
{
    (void)state;
    refused("plugin,so=./alloc/kingsley.so,options=reserve=0", RH_CANNOT_RUN,
            "'reserve=0': give reserve=GIGABYTES");
    refused("plugin,so=./alloc/kingsley.so,options=size=1\\,reserve=2", RH_CANNOT_RUN,
            "'size=1,reserve=2': give");
    rh_heap_close(open_heap("plugin,so=./alloc/kingsley.so,options=reserve=1"));
}

static void
cplusplus_can_write_one(void **state)
{
    (void)state;
    rh_heap *heap = open_heap("plugin,so=" FOLDER "plain_plugin.so");
    rh_counters counters;
    void *block = take(heap, PYMEM_DOMAIN_OBJ, 100);
    rh_heap_snapshot(heap, &counters);
    assert_int_equal(counters.live_blocks, 1);
    give(heap, PYMEM_DOMAIN_OBJ, block);
    rh_heap_close(heap);
}

/* Name, version and a hash of the file; nothing where there is no file to tell of. */
static void
versions_tell_builds_apart(void **state)
{
    (void)state;
    char one[128], other[128], none[128] = "x";
    rh_spec spec;
    rh_error error = {0};
    assert_int_equal(rh_spec_parse("plugin,so=./alloc/kingsley.so", &spec, &error), RH_OK);
    spec.allocator->version(&spec.base, one, sizeof one);
    rh_spec_release(&spec);
    snprintf(other, sizeof other, "plugin,so=" FOLDER "odd_%d.so", ODD_NOT);
    assert_int_equal(rh_spec_parse(other, &spec, &error), RH_OK);
    spec.allocator->version(&spec.base, other, sizeof other);
    rh_spec_release(&spec);
    rh_spec_part empty = {.preset = NULL};
    rh_plugin_allocator.version(&empty, none, sizeof none);
    assert_memory_equal(one, "kingsley 1.0, file ", 19);
    assert_int_equal(strlen(one), 19 + 16);
    assert_memory_equal(other, "odd without a version, file ", 28);
    assert_string_not_equal(one + 19, other + 28);
    assert_string_equal(none, "");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_plugin_is_refused),
        cmocka_unit_test(odd_tables_are_refused),
        cmocka_unit_test(what_is_left_out_is_unknown),
        cmocka_unit_test(an_older_table_lacks_the_last_members),
        cmocka_unit_test(what_a_plugin_says_is_taken_with_care),
        cmocka_unit_test(arenas_pass_through),
        cmocka_unit_test(one_to_a_process_unless_it_says_otherwise),
        cmocka_unit_test(options_reach_the_plugin),
        cmocka_unit_test(cplusplus_can_write_one),
        cmocka_unit_test(versions_tell_builds_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
