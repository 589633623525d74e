/* Want of memory behind the documented functions: the Nth request for memory fails, from the first
 * call on, for N = 1, 2, 3, … until nothing fails any more. Also refusals of RAW's hook and of the
 * source of arenas. Each N is a process of its own, since what is there is the process's. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "alloc/heap.h"
#include "alloc/pymem.h"
#include "alloc/pymem_domains.h"
#include "alloc/pymem_trace.h"
#include "tests/fault/alloc/gate.h"
#include "tests/fault/alloc/workload.h"

enum { OPERATIONS = 1200, NTH_MAX = 100000, UNFAILED = 0, FAILED = 10, WRONG = 11 };

/* ---- the public functions as a workload's domains ---- */

#define PASS_ON(prefix, name)                                                                      \
    static void *name##_malloc(void *ctx, size_t size)                                             \
    {                                                                                              \
        (void)ctx;                                                                                 \
        return prefix##Malloc(size);                                                               \
    }                                                                                              \
    static void *name##_calloc(void *ctx, size_t nelem, size_t elsize)                             \
    {                                                                                              \
        (void)ctx;                                                                                 \
        return prefix##Calloc(nelem, elsize);                                                      \
    }                                                                                              \
    static void *name##_realloc(void *ctx, void *block, size_t size)                               \
    {                                                                                              \
        (void)ctx;                                                                                 \
        return prefix##Realloc(block, size);                                                       \
    }                                                                                              \
    static void name##_free(void *ctx, void *block)                                                \
    {                                                                                              \
        (void)ctx;                                                                                 \
        prefix##Free(block);                                                                       \
    }

PASS_ON(PyMem_Raw, raw)
PASS_ON(PyMem_, mem)
PASS_ON(PyObject_, obj)

static const PyMemAllocatorEx domains[WORKLOAD_DOMAINS] = {
    {NULL, raw_malloc, raw_calloc, raw_realloc, raw_free},
    {NULL, mem_malloc, mem_calloc, mem_realloc, mem_free},
    {NULL, obj_malloc, obj_calloc, obj_realloc, obj_free},
};

/* ---- who fails ---- */

static struct refusal {
    uint64_t requests, nth;
    bool lasting, refused;
    PyMemAllocatorEx raw;
    PyObjectArenaAllocator arenas;
} refusal;

static bool
is_refused(void)
{
    uint64_t number = ++refusal.requests;
    bool refused = number == refusal.nth || (refusal.lasting && number > refusal.nth);
    refusal.refused |= refused;
    return refused;
}

static void *
refusing_malloc(void *ctx, size_t size)
{
    (void)ctx;
    return is_refused() ? NULL : refusal.raw.malloc(refusal.raw.ctx, size);
}

static void *
refusing_calloc(void *ctx, size_t nelem, size_t elsize)
{
    (void)ctx;
    return is_refused() ? NULL : refusal.raw.calloc(refusal.raw.ctx, nelem, elsize);
}

static void *
refusing_realloc(void *ctx, void *block, size_t size)
{
    (void)ctx;
    return is_refused() ? NULL : refusal.raw.realloc(refusal.raw.ctx, block, size);
}

static void
passing_free(void *ctx, void *block)
{
    (void)ctx;
    refusal.raw.free(refusal.raw.ctx, block);
}

static void *
refusing_arena(void *ctx, size_t size)
{
    (void)ctx;
    return is_refused() ? NULL : refusal.arenas.alloc(refusal.arenas.ctx, size);
}

static void
passing_arena(void *ctx, void *arena, size_t size)
{
    (void)ctx;
    refusal.arenas.free(refusal.arenas.ctx, arena, size);
}

enum culprit { MALLOC, MMAP, MALLOC_AND_MMAP, RAW_HOOK, ARENAS };

static void
begin_failing(enum culprit culprit, uint64_t nth, bool lasting)
{
    static const enum gate_requests kinds[] = {GATE_MALLOC, GATE_MMAP, GATE_ALL};
    refusal = (struct refusal){.nth = nth, .lasting = lasting};
    if (culprit == RAW_HOOK) {
        PyMemAllocatorEx raw = {NULL, refusing_malloc, refusing_calloc, refusing_realloc,
                                passing_free};
        PyMem_GetAllocator(PYMEM_DOMAIN_RAW, &refusal.raw);
        PyMem_SetAllocator(PYMEM_DOMAIN_RAW, &raw);
    } else if (culprit == ARENAS) {
        PyObjectArenaAllocator arenas = {NULL, refusing_arena, passing_arena};
        PyObject_GetArenaAllocator(&refusal.arenas);
        PyObject_SetArenaAllocator(&arenas);
    } else {
        gate_arm(kinds[culprit], nth, lasting);
    }
}

/* Whether anything failed. */
static bool
end_failing(enum culprit culprit)
{
    if (culprit == RAW_HOOK)
        PyMem_SetAllocator(PYMEM_DOMAIN_RAW, &refusal.raw);
    else if (culprit == ARENAS)
        PyObject_SetArenaAllocator(&refusal.arenas);
    else
        return gate_disarm();
    return refusal.refused;
}

/* ---- what is done meanwhile ---- */

enum stage { PLAIN, UNDER_HOOKS, TRACED };

static void
set_the_stage(enum stage stage)
{
    if (stage == UNDER_HOOKS)
        PyMem_SetupDebugHooks();
    else if (stage == TRACED)
        rh_pymem_trace_start(3, NULL);
}

static bool
is_sound(const char *when)
{
    rh_error error = {0};
    rh_heap *heap = rh_domains_heap();
    if (!heap || rh_heap_check(heap, &error) == RH_OK)
        return true;
    fprintf(stderr, "%s: %s\n", when, error.message);
    return false;
}

/* In the child. With `early`, want begins before anything was set up. */
static int
live_through(enum stage stage, enum culprit culprit, bool early, uint64_t nth, bool lasting)
{
    static struct workload workload;
    workload = (struct workload){.domain = domains, .contents = true, .random = {nth % 5}};
    if (!early)
        set_the_stage(stage);
    begin_failing(culprit, nth, lasting);
    if (early)
        set_the_stage(stage);
    workload_run(&workload, OPERATIONS);
    bool failed = end_failing(culprit);
    uint64_t failures = workload.failures;
    if (!is_sound("after the failure") || (failures && !failed) || (failures && culprit == ARENAS))
        return WRONG;
    workload_verify(&workload);
    workload_run(&workload, OPERATIONS / 10);
    if (workload.failures != failures) {
        fprintf(stderr, "requests fail although there is memory again\n");
        return WRONG;
    }
    workload_free_all(&workload);
    return !is_sound("emptied") ? WRONG : failed ? FAILED : UNFAILED;
}

static bool
fails_once(enum stage stage, enum culprit culprit, bool early, uint64_t nth, bool lasting)
{
    fflush(NULL);
    pid_t child = fork();
    if (child == 0)
        _exit(live_through(stage, culprit, early, nth, lasting));
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    if (!WIFEXITED(status) || (WEXITSTATUS(status) != FAILED && WEXITSTATUS(status) != UNFAILED))
        fail_msg("stage %d, culprit %d, %s, %s, request %lu: %s %d", stage, culprit,
                 early ? "early" : "late", lasting ? "lasting" : "once", nth,
                 WIFEXITED(status) ? "status" : "signal",
                 WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
    return WEXITSTATUS(status) == FAILED;
}

/* One after the other at first, then at growing distances. */
static uint64_t
next_nth(uint64_t nth)
{
    return nth < 40 ? nth + 1 : nth + nth / 10;
}

static void
live_through_all(enum culprit culprit)
{
    for (int stage = PLAIN; stage <= TRACED; stage++) {
        for (int how = 0; how < 4; how++) {
            /* A hook below what was there before it cannot be taken away alone. */
            bool early = how & 1, lasting = how & 2;
            if (early && (culprit == RAW_HOOK || culprit == ARENAS))
                continue;
            uint64_t nth = 1;
            while (fails_once((enum stage)stage, culprit, early, nth, lasting)) {
                nth = next_nth(nth);
                assert_true(nth < NTH_MAX);
            }
            assert_true(nth > 1); /* something was asked for */
        }
    }
}

static void
a_failure_of_malloc_is_survived(void **state)
{
    (void)state;
    live_through_all(MALLOC);
}

static void
a_failure_of_mmap_is_survived(void **state)
{
    (void)state;
    live_through_all(MMAP);
}

static void
want_of_everything_is_survived(void **state)
{
    (void)state;
    live_through_all(MALLOC_AND_MMAP);
}

static void
refusals_of_raw_are_survived(void **state)
{
    (void)state;
    live_through_all(RAW_HOOK);
}

static void
arenas_that_fail_are_no_failure(void **state)
{
    (void)state;
    live_through_all(ARENAS);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failure_of_malloc_is_survived),
        cmocka_unit_test(a_failure_of_mmap_is_survived),
        cmocka_unit_test(want_of_everything_is_survived),
        cmocka_unit_test(refusals_of_raw_are_survived),
        cmocka_unit_test(arenas_that_fail_are_no_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
