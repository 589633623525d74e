/* Want of memory in the heaps: the Nth request fails, for N = 1, 2, 3, … until everything succeeds;
 * each time the heap is sound afterwards, nobody's contents are lost, nothing leaks, and with
 * memory there again all goes on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "alloc/heap.h"
#include "base/error.h"
#include "tests/fault/alloc/gate.h"
#include "tests/fault/alloc/workload.h"

/* Not malloc: it refuses a process whose malloc is not the C library's own. */
static const char *const specs[] = {
    "pymalloc",
    "pymalloc@3.9",
    "pymalloc,metadata=side",
    "pymalloc,large=libc",
    "pymalloc,source=virtual,metadata=side",
    "pymalloc,arena=64K,pool=4K,policy=lowest-address,keep=3",
    "pymalloc,classes=geometric:4",
    "bestfit",
    "bestfit,source=virtual",
    "bump",
    "bump,window=1M",
    "bestfit+count",
    "pymalloc+fault,nth=1000000",
    "pymalloc+count+fault,nth=1000000+count",
    "pymalloc+trace",
    "bestfit+trace",
    "bump+trace",
    "pymalloc+debug",
    "pymalloc,metadata=side+debug,serial=on",
    "bestfit+debug",
    "pymalloc+freelist",
    "bestfit+freelist,max=80+debug",
    "pymalloc+debug+trace",
    "pymalloc+trace+debug",
    "pymalloc,arena=64K,pool=4K,source=malloc",
    "pymalloc,arena=64K,pool=4K,source=cached",
    "pymalloc,arena=2M,source=huge",
    "python@3.9,malloc=debug",
    "python@3.7,malloc=pymalloc_debug",
};

enum { SPECS = sizeof specs / sizeof *specs, NTH_MAX = 100000 };

static bool
has_contents(const char *spec)
{
    return !strstr(spec, "virtual") && !strstr(spec, "bump");
}

static void
require_sound(rh_heap *heap, const char *spec, const char *when, uint64_t nth)
{
    rh_error error = {0};
    if (rh_heap_check(heap, &error) != RH_OK)
        fail_msg("%s, %s, failing request %lu: %s", spec, when, nth, error.message);
}

/* ---- opening and closing ---- */

static void
require_nothing_left(const char *spec, struct gate_account before, uint64_t nth)
{
    struct gate_account after = gate_account();
    if (after.blocks != before.blocks || after.mapped_bytes != before.mapped_bytes)
        fail_msg("%s, failing request %lu: %ld blocks and %ld mapped bytes are left over", spec,
                 nth, after.blocks - before.blocks, after.mapped_bytes - before.mapped_bytes);
}

static void
open_until_it_succeeds(const char *spec, bool lasting)
{
    rh_heap *heap;
    rh_error error = {0};
    assert_int_equal(rh_heap_open(spec, &heap, &error), RH_OK); /* what is made once is there */
    rh_heap_close(heap);
    for (uint64_t nth = 1; nth < NTH_MAX; nth++) {
        struct gate_account before = gate_account();
        error = (rh_error){0};
        gate_arm(GATE_ALL, nth, lasting);
        rh_status status = rh_heap_open(spec, &heap, &error);
        bool failed = gate_disarm();
        if (status == RH_OK) {
            require_sound(heap, spec, "opened", nth);
            rh_heap_close(heap);
        } else {
            if ((status != RH_SYSTEM && status != RH_CANNOT_RUN) || !error.message[0])
                fail_msg("%s, failing request %lu: status %d, \"%s\"", spec, nth, status,
                         error.message);
        }
        require_nothing_left(spec, before, nth);
        if (!failed)
            return;
    }
    fail_msg("%s never opens", spec);
}

static void
heaps_open_or_fail_cleanly(void **state)
{
    (void)state;
    for (size_t i = 0; i < SPECS; i++) {
        open_until_it_succeeds(specs[i], false);
        open_until_it_succeeds(specs[i], true);
    }
}

/* ---- a workload ---- */

enum { OPERATIONS = 1500 };

/* One run of it with the Nth request failing; whether one failed. */
static bool
work_with_failure(const char *spec, enum gate_requests kinds, uint64_t nth, bool lasting)
{
    static struct workload workload;
    rh_heap *heap;
    rh_error error = {0};
    workload = (struct workload){.contents = has_contents(spec), .random = {nth % 3}};
    struct gate_account before = gate_account();
    if (rh_heap_open(spec, &heap, &error) != RH_OK)
        fail_msg("%s", error.message);
    workload.domain = heap->domain;
    gate_arm(kinds, nth, lasting);
    workload_run(&workload, OPERATIONS);
    bool failed = gate_disarm();
    require_sound(heap, spec, "after the failure", nth);
    workload_verify(&workload);
    uint64_t failures = workload.failures;
    assert_true(failed || failures == 0 || strstr(spec, "bump")); /* a window has an end */
    workload_run(&workload, OPERATIONS / 10);
    if (!strstr(spec, "bump"))
        assert_int_equal(workload.failures, failures); /* there is memory again */
    workload_free_all(&workload);
    require_sound(heap, spec, "emptied", nth);
    rh_heap_close(heap);
    require_nothing_left(spec, before, nth);
    return failed;
}

/* The last of a workload's requests come thousands later: one after the other at first, then at
 * growing distances. */
static uint64_t
next_nth(uint64_t nth)
{
    return nth < 60 ? nth + 1 : nth + nth / 13;
}

static void
work_until_it_succeeds(enum gate_requests kinds, bool lasting)
{
    for (size_t i = 0; i < SPECS; i++) {
        uint64_t nth = 1;
        while (work_with_failure(specs[i], kinds, nth, lasting) && nth < NTH_MAX)
            nth = next_nth(nth);
        assert_true(nth < NTH_MAX);
    }
}

static void
heaps_survive_a_failure_of_malloc(void **state)
{
    (void)state;
    work_until_it_succeeds(GATE_MALLOC, false);
}

static void
heaps_survive_a_failure_of_mmap(void **state)
{
    (void)state;
    work_until_it_succeeds(GATE_MMAP, false);
}

static void
heaps_survive_lasting_want(void **state)
{
    (void)state;
    work_until_it_succeeds(GATE_ALL, true);
}

/* ---- arenas ---- */

struct arena_source {
    PyObjectArenaAllocator below;
    uint64_t requests, nth;
    bool lasting;
    int64_t held;
};

static void *
source_alloc(void *ctx, size_t size)
{
    struct arena_source *source = ctx;
    uint64_t number = ++source->requests;
    if (number == source->nth || (source->lasting && number > source->nth))
        return NULL;
    void *arena = source->below.alloc(source->below.ctx, size);
    source->held += arena != NULL;
    return arena;
}

static void
source_free(void *ctx, void *arena, size_t size)
{
    struct arena_source *source = ctx;
    source->held--;
    source->below.free(source->below.ctx, arena, size);
}

/* An arena that does not come is no failure: what is asked for comes from elsewhere. */
static bool
work_without_arena(const char *spec, uint64_t nth, bool lasting)
{
    static struct workload workload;
    rh_heap *heap;
    struct arena_source source = {.nth = nth, .lasting = lasting};
    rh_error error = {0};
    workload = (struct workload){.contents = has_contents(spec), .random = {nth}};
    if (rh_heap_open(spec, &heap, &error) != RH_OK)
        fail_msg("%s", error.message);
    if (!rh_heap_get_arenas(heap, &source.below)) {
        rh_heap_close(heap);
        return false;
    }
    workload.domain = heap->domain;
    PyObjectArenaAllocator arenas = {&source, source_alloc, source_free};
    assert_int_equal(rh_heap_set_arenas(heap, &arenas, &error), RH_OK);
    workload_run(&workload, OPERATIONS * 4);
    assert_int_equal(workload.failures, 0);
    require_sound(heap, spec, "without an arena", nth);
    workload_verify(&workload);
    workload_free_all(&workload);
    require_sound(heap, spec, "emptied", nth);
    rh_heap_close(heap);
    assert_int_equal(source.held, 0);
    return source.requests >= nth;
}

static void
arenas_that_fail_are_no_failure(void **state)
{
    (void)state;
    for (size_t i = 0; i < SPECS; i++)
        for (int lasting = 0; lasting < 2; lasting++)
            for (uint64_t nth = 1; work_without_arena(specs[i], nth, lasting); nth++)
                assert_true(nth < NTH_MAX);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heaps_open_or_fail_cleanly),
        cmocka_unit_test(heaps_survive_a_failure_of_malloc),
        cmocka_unit_test(heaps_survive_a_failure_of_mmap),
        cmocka_unit_test(heaps_survive_lasting_want),
        cmocka_unit_test(arenas_that_fail_are_no_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
