/* A tracer whose Nth request of memory for its tables fails, for N = 1, 2, 3 … until all succeed:
 * after each step the figures are those of the blocks that the program was given. */
// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#include <stdlib.h>
#include <string.h>

#include "alloc/peak_sizes.h"
#include "alloc/side_memory.h"
#include "alloc/trace_snapshot.h"
#include "alloc/tracer.h"
#include "base/random.h"

enum { BLOCKS = 700, STEPS = 6000 };

/* The linker puts this in the place of rh_side_memory_grow (--wrap). */
static uint64_t requests, failing;
static bool fails_from_then_on;
bool __real_rh_side_memory_grow(rh_side_memory *memory, size_t bytes);
bool __wrap_rh_side_memory_grow(rh_side_memory *memory, size_t bytes);

bool
__wrap_rh_side_memory_grow(rh_side_memory *memory, size_t bytes)
{
    if (bytes > memory->bytes) {
        requests++;
        if (requests == failing || (fails_from_then_on && requests > failing && failing))
            return false;
    }
    return __real_rh_side_memory_grow(memory, bytes);
}

/* ------------------------------------------------------------------ what is traced */

static uint64_t live_inner; /* blocks that libc has given and not got back */

static void *
inner_malloc(void *ctx, size_t size)
{
    (void)ctx;
    live_inner++;
    return malloc(size);
}

static void *
inner_calloc(void *ctx, size_t nelem, size_t elsize)
{
    (void)ctx;
    live_inner++;
    return calloc(nelem, elsize);
}

static void *
inner_realloc(void *ctx, void *block, size_t size)
{
    (void)ctx;
    live_inner += !block;
    return realloc(block, size);
}

static void
inner_free(void *ctx, void *block)
{
    (void)ctx;
    live_inner -= block != NULL;
    free(block);
}

static const PyMemAllocatorEx inner = {NULL, inner_malloc, inner_calloc, inner_realloc, inner_free};

static rh_random places;

/* Many unlike tracebacks, so that their tables grow as well. */
static size_t
frames(void *ctx, const void *caller, rh_frame *out, size_t most)
{
    (void)ctx, (void)caller;
    size_t count = 1 + rh_random_below(&places, 6);
    for (size_t i = 0; i < count && i < most; i++)
        out[i] = (rh_frame){16, rh_random_below(&places, 40)};
    return count;
}

static const rh_frame_provider provider = {NULL, frames, NULL};

/* ------------------------------------------------------------------ a run */

typedef struct block {
    unsigned char *address;
    size_t size;
    bool lost; /* its trace could not be stored when it was resized */
} block;

typedef struct run {
    rh_tracer tracer;
    rh_traced traced;
    PyMemAllocatorEx outer;
    block blocks[BLOCKS];
    uint64_t failures, lost;
    bool just_lost;
} run;

static run it;
static rh_peak_sizes *peak_sizes; /* what the next run keeps */

static void
note_lost(void *ctx)
{
    ((run *)ctx)->just_lost = true;
    ((run *)ctx)->lost++;
}

static void
resize(block *old, size_t size)
{
    it.just_lost = false;
    unsigned char *moved = it.outer.realloc(it.outer.ctx, old->address, size);
    if (!moved) {
        assert_null(old->address); /* libc gave one, and it went back untraced */
        it.failures++;
        return;
    }
    old->address = moved;
    old->size = size;
    old->lost = it.just_lost;
}

static void
step(rh_random *random)
{
    block *chosen = &it.blocks[rh_random_below(random, BLOCKS)];
    size_t size = 1 + rh_random_below(random, 300);
    unsigned what = (unsigned)rh_random_below(random, 4);
    if (what == 3 || (what == 2 && !chosen->address)) {
        resize(chosen, size);
    } else if (chosen->address) {
        it.outer.free(it.outer.ctx, chosen->address);
        *chosen = (block){NULL, 0, false};
    } else {
        chosen->address =
            what ? it.outer.malloc(it.outer.ctx, size) : it.outer.calloc(it.outer.ctx, 1, size);
        chosen->size = size;
        chosen->lost = false;
        it.failures += !chosen->address;
    }
}

static void
verify(void)
{
    uint64_t bytes = 0, count = 0, live = 0;
    for (int i = 0; i < BLOCKS; i++) {
        const block *each = &it.blocks[i];
        live += each->address != NULL;
        if (!each->address || each->lost)
            continue;
        bytes += each->size;
        count++;
    }
    rh_tracer_figures figures;
    rh_error error = {0};
    rh_tracer_get_figures(&it.tracer, &figures);
    assert_int_equal(figures.traced_bytes, bytes);
    assert_int_equal(figures.blocks, count);
    assert_int_equal(live_inner, live); /* what was refused went back */
    if (rh_tracer_check(&it.tracer, &error) != RH_OK)
        fail_msg("%s", error.message);
}

/* Returns whether anything was refused. */
static bool
run_once(long frames_most, const rh_frame_provider *whose, uint64_t nth, bool from_then_on)
{
    rh_random random = {42};
    rh_error error = {0};
    memset(&it, 0, sizeof it);
    places = (rh_random){7};
    requests = 0;
    failing = nth;
    fails_from_then_on = from_then_on;
    rh_tracer_init(&it.tracer);
    it.tracer.peak_sizes = peak_sizes;
    it.tracer.lost = note_lost;
    it.tracer.lost_ctx = &it;
    rh_tracer_set_provider(&it.tracer, whose);
    rh_tracer_wrap(&it.traced, &it.tracer, 0, &inner, &it.outer);
    assert_int_equal(rh_tracer_start(&it.tracer, frames_most, &error), RH_OK);
    for (unsigned i = 0; i < STEPS; i++) {
        uint64_t before = it.failures + it.lost;
        step(&random);
        if (it.failures + it.lost != before || i % 500 == 0)
            verify();
    }
    verify();
    bool refused = it.failures + it.lost > 0;
    failing = 0;
    for (int i = 0; i < BLOCKS; i++)
        it.outer.free(it.outer.ctx, it.blocks[i].address);
    memset(it.blocks, 0, sizeof it.blocks);
    verify();
    rh_tracer_release(&it.tracer);
    return refused;
}

static void
each_request_may_fail(long frames_most, const rh_frame_provider *whose, unsigned least)
{
    uint64_t nth = 1;
    while (run_once(frames_most, whose, nth, false))
        nth++;
    assert_true(nth > least); /* so many requests were made to fail */
    assert_true(requests < nth);
}

static void
without_frames(void **state)
{
    (void)state;
    each_request_may_fail(1, NULL, 3); /* the table: 128, 256, 512 entries */
}

static void
with_frames(void **state)
{
    (void)state;
    each_request_may_fail(4, &provider, 8);
}

/* The buffer of a deep traceback is one more thing there may be no memory for. */
static void
with_deep_frames(void **state)
{
    (void)state;
    for (uint64_t nth = 1; nth < 200; nth += 17)
        assert_true(run_once(100, &provider, nth, false));
}

/* No memory any more: a resized block keeps its trace's room, a new one is refused. */
static void
from_then_on(void **state)
{
    (void)state;
    for (uint64_t nth = 1; nth < 4; nth++) {
        assert_true(run_once(1, NULL, nth, true));
        assert_int_equal(it.lost, 0);
        assert_true(it.failures > 0);
        assert_true(run_once(4, &provider, nth, true));
    }
}

/* Sizes at the peak are forgotten when there is no memory for them; no block is refused for that.
 */
static void
the_peak_by_size_is_lost_alone(void **state)
{
    (void)state;
    rh_peak_sizes kept = {.changes = 0};
    peak_sizes = &kept;
    unsigned refused = 0, harmless = 0;
    for (uint64_t nth = 1; nth < 12; nth++) {
        bool any = run_once(1, NULL, nth, false);
        refused += any;
        harmless += !any;
        assert_int_equal(rh_peak_sizes_bytes(&kept), 0); /* released with the tracer */
        kept = (rh_peak_sizes){.changes = 0};
    }
    peak_sizes = NULL;
    assert_true(refused >= 3);
    assert_true(harmless >= 3);
}

static void
track_says_when_there_is_no_memory(void **state)
{
    (void)state;
    rh_tracer tracer;
    rh_tracer_figures figures;
    rh_tracer_init(&tracer);
    rh_tracer_start(&tracer, 1, NULL);
    requests = 0;
    failing = 1;
    fails_from_then_on = true;
    assert_int_equal(rh_tracer_track(&tracer, 5, 16, 100), -1);
    rh_tracer_get_figures(&tracer, &figures);
    assert_int_equal(figures.traced_bytes, 0);
    assert_int_equal(figures.peak_bytes, 0);
    failing = 0;
    assert_int_equal(rh_tracer_track(&tracer, 5, 16, 100), 0);
    rh_tracer_release(&tracer);
}

/* A snapshot is whole or not there. */
static void
snapshots_may_fail(void **state)
{
    (void)state;
    rh_tracer tracer;
    rh_tracer_init(&tracer);
    rh_tracer_set_provider(&tracer, &provider);
    rh_tracer_start(&tracer, 4, NULL);
    failing = 0;
    for (uintptr_t i = 1; i < 1000; i++)
        assert_int_equal(rh_tracer_track(&tracer, 0, i * 16, i), 0);
    unsigned failed = 0;
    for (uint64_t nth = 1;; nth++) {
        rh_trace_snapshot snapshot;
        rh_trace_groups groups = {.count = 0};
        rh_trace_changes changes = {.count = 0};
        rh_error error = {0};
        requests = 0;
        failing = nth;
        fails_from_then_on = false;
        rh_status status = rh_trace_snapshot_take(&snapshot, &tracer, &error);
        if (status == RH_OK)
            status = rh_trace_groups_make(&groups, &snapshot, RH_BY_TRACEBACK, &error);
        if (status == RH_OK)
            status = rh_trace_changes_make(&changes, &groups, &groups, &error);
        failing = 0;
        rh_trace_changes_release(&changes);
        rh_trace_groups_release(&groups);
        rh_trace_snapshot_release(&snapshot);
        if (status == RH_OK)
            break;
        assert_int_equal(status, RH_SYSTEM);
        failed++;
    }
    assert_int_equal(failed, 5);
    rh_tracer_release(&tracer);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_frames),
        cmocka_unit_test(with_frames),
        cmocka_unit_test(with_deep_frames),
        cmocka_unit_test(from_then_on),
        cmocka_unit_test(the_peak_by_size_is_lost_alone),
        cmocka_unit_test(track_says_when_there_is_no_memory),
        cmocka_unit_test(snapshots_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
