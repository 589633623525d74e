/* Recorded threads: the plan never comes to a standstill and never lets a block be touched before
 * what the recording did with it before, whatever thread goes on next; and run for real, every
 * block is freed once. */
#include "replay/thread_run.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "tests/unit/replay/events.h"

enum { CALLS = 60000, SLOTS = 700, CODES = 1000, WIDES = 64 };

/* Random calls, in bursts of `threads` threads that use one another's blocks. */
static void
make_events(rh_test_events *events, uint64_t seed, unsigned threads)
{
    rh_random random = {.state = seed};
    uint32_t thread = 0;
    rh_test_events_random(events, seed, CALLS, SLOTS);
    for (size_t i = 0; i < events->count; i++) {
        if (rh_random_below(&random, 6) == 0)
            thread = (uint32_t)rh_random_below(&random, threads);
        events->event[i].thread = thread;
    }
}

static rh_thread_plan *
make_plan(const rh_test_events *events, rh_compiler *compiler, bool times)
{
    static rh_code codes[CODES];
    static rh_wide wides[WIDES];
    rh_thread_plan *plan;
    rh_error error;
    *compiler = (rh_compiler){.has_domains = 1, .threads = 1, .times = times};
    assert_int_equal(rh_thread_plan_open(events->slots, &plan, &error), RH_OK);
    for (size_t done = 0; done < events->count;) {
        rh_program program = {
            .codes = codes, .wides = wides, .code_capacity = CODES, .wide_capacity = WIDES};
        done += rh_compile(compiler, events->event + done, events->count - done, &program);
        assert_int_equal(rh_thread_plan_add(plan, &program, &error), RH_OK);
    }
    rh_thread_plan_finish(plan);
    return plan;
}

/* ---- the plan against any scheduler ---- */

typedef struct doing {
    size_t done, wait, posted, visible; /* visible: as others see it */
} doing;

static uint32_t
slot_of(const rh_thread_stream *stream, rh_code code)
{
    if (RH_CODE_OF(code) == RH_CODE_WIDE)
        return stream->wides[RH_CODE_SIZE(code)].slot;
    return RH_CODE_OF(code) == RH_CODE_FREE_NULL ? UINT32_MAX : RH_CODE_SLOT(code);
}

static bool
may_go_on(const rh_thread_stream *stream, const doing *doings, doing *self)
{
    for (; self->wait < stream->wait_count && stream->waits[self->wait].at == self->done;
         self->wait++)
        if (doings[stream->waits[self->wait].on].visible < stream->waits[self->wait].count)
            return false;
    return true;
}

/* Whoever may go on does so by chance; each slot has to see its operations in recorded order. */
static void
play_by_chance(const rh_thread_plan *plan, uint64_t seed, size_t calls)
{
    rh_random random = {.state = seed};
    size_t threads = rh_thread_plan_count(plan), all = 0;
    doing *doings = calloc(threads, sizeof *doings);
    int64_t *last = malloc(rh_thread_plan_slots(plan) * sizeof *last);
    assert_true(doings && last);
    memset(last, 0xFF, rh_thread_plan_slots(plan) * sizeof *last);
    for (size_t stuck = 0; all < calls;) {
        size_t which = (size_t)rh_random_below(&random, threads);
        const rh_thread_stream *stream = rh_thread_plan_stream(plan, which);
        doing *self = &doings[which];
        size_t burst = 1 + (size_t)rh_random_below(&random, 40), before = self->done;
        for (; burst > 0 && self->done < stream->count && may_go_on(stream, doings, self);
             burst--) {
            uint32_t slot = slot_of(stream, stream->codes[self->done]);
            if (slot != UINT32_MAX) {
                assert_true(last[slot] < (int64_t)stream->order[self->done]);
                last[slot] = stream->order[self->done];
            }
            self->done++;
            if (self->posted < stream->post_count && stream->posts[self->posted] == self->done) {
                self->visible = self->done;
                self->posted++;
            }
        }
        all += self->done - before;
        stuck = self->done > before ? 0 : stuck + 1;
        assert_true(stuck < 100000);
    }
    for (size_t i = 0; i < threads; i++)
        assert_int_equal(doings[i].done, rh_thread_plan_stream(plan, i)->count);
    free(doings);
    free(last);
}

static void
plan_is_sound(void **state)
{
    (void)state;
    static const unsigned counts[] = {1, 2, 4, 16, 300};
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
        rh_test_events events = {0};
        rh_compiler compiler;
        make_events(&events, c + 1, counts[c]);
        rh_thread_plan *plan = make_plan(&events, &compiler, c % 2);
        unsigned expected = counts[c] < RH_THREADS_MOST ? counts[c] : RH_THREADS_MOST;
        assert_int_equal(rh_thread_plan_count(plan), expected);
        for (uint64_t seed = 0; seed < 5; seed++)
            play_by_chance(plan, seed, compiler.calls);
        rh_thread_plan_close(plan);
        rh_test_events_release(&events);
    }
}

/* ---- threads for real ---- */

#define ALIVE UINT64_C(0xA11FE)
#define DEAD  UINT64_C(0xDEAD)

typedef struct header {
    _Alignas(16) _Atomic uint64_t state;
    struct header *next;
} header;

/* Memory goes back at the end alone, so that a second free is seen and harmless. */
typedef struct counting_heap {
    rh_heap heap;
    _Atomic(header *) all;
    _Atomic uint64_t births, deaths, nulls, faults;
} counting_heap;

static void *
counted_malloc(void *ctx, size_t size)
{
    counting_heap *counting = ctx;
    header *block = malloc(sizeof *block + size);
    assert_non_null(block);
    atomic_init(&block->state, ALIVE);
    block->next = atomic_load(&counting->all);
    while (!atomic_compare_exchange_weak(&counting->all, &block->next, block))
        ;
    memset(block + 1, 0, size);
    atomic_fetch_add(&counting->births, 1);
    return block + 1;
}

static void *
counted_calloc(void *ctx, size_t count, size_t size)
{
    return counted_malloc(ctx, count * size);
}

static void
counted_free(void *ctx, void *place)
{
    counting_heap *counting = ctx;
    if (!place) {
        atomic_fetch_add(&counting->nulls, 1);
        return;
    }
    header *block = (header *)place - 1;
    atomic_fetch_add(&counting->faults, atomic_exchange(&block->state, DEAD) != ALIVE);
    atomic_fetch_add(&counting->deaths, 1);
}

static void *
counted_realloc(void *ctx, void *place, size_t size)
{
    void *moved = counted_malloc(ctx, size);
    if (place)
        counted_free(ctx, place);
    return moved;
}

static void *
counted_aligned(rh_heap *heap, PyMemAllocatorDomain domain, size_t alignment, size_t size)
{
    (void)domain;
    (void)alignment;
    return counted_malloc(heap->domain[0].ctx, size);
}

/* Calls that took part in a histogram. */
static uint64_t
timed(const rh_latency *latency)
{
    uint64_t calls = 0;
    for (unsigned operation = 0; operation < RH_TIMED_OPERATIONS; operation++)
        for (unsigned range = 0; range < RH_SIZE_RANGES; range++)
            calls += latency->histogram[operation][range].total;
    return calls;
}

/* With latencies, as fast as possible or paced, or without: the same calls. */
static void
expect_freed_once(const rh_thread_watch *watch)
{
    static const unsigned counts[] = {1, 4, 16};
    static const rh_heap_operations operations = {.aligned_alloc = counted_aligned};
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
        rh_test_events events = {0};
        rh_compiler compiler;
        make_events(&events, c + 50, counts[c]);
        for (size_t i = 0; i < events.count; i++)
            events.event[i].time_ns = 1000 + i * 20;
        rh_thread_plan *plan = make_plan(&events, &compiler, watch && watch->pace > 0);
        counting_heap counting = {.heap = {.operations = &operations}};
        for (int d = 0; d < RH_DOMAINS; d++)
            counting.heap.domain[d] = (PyMemAllocatorEx){&counting, counted_malloc, counted_calloc,
                                                         counted_realloc, counted_free};
        void **slots = calloc(rh_thread_plan_slots(plan) + 1, sizeof *slots);
        assert_non_null(slots);
        rh_thread_totals totals;
        rh_error error;
        assert_int_equal(rh_thread_run(plan, &counting.heap, slots, true, RH_TOUCH_FIRST, watch,
                                       &totals, &error),
                         RH_OK);
        assert_int_equal(totals.threads, counts[c]);
        assert_int_equal(counting.faults, 0);
        assert_int_equal(counting.births, compiler.allocations + compiler.reallocations);
        assert_int_equal(counting.deaths, compiler.frees + compiler.reallocations);
        assert_int_equal(counting.nulls, compiler.null_frees);
        assert_int_equal(totals.failed_allocations + totals.skipped_events, 0);
        assert_true(totals.late <= totals.waits);
        assert_true(counts[c] > 1 || (totals.waits == 0 && totals.reordered == 0));
        assert_true(counts[c] == 1 || totals.waits > 0);
        for (header *block = counting.all, *next; block; block = next) {
            next = block->next;
            free(block);
        }
        rh_thread_plan_close(plan);
        rh_test_events_release(&events);
        free(slots);
    }
}

static void
every_block_is_freed_once(void **state)
{
    (void)state;
    expect_freed_once(NULL);
}

static void
latencies_of_threads_are_merged(void **state)
{
    (void)state;
    static rh_latency service, response;
    rh_pace_totals pace = {.calls = 0};
    rh_thread_watch watch = {.watch = {.service = &service, .scale = rh_ticks_scale(1)},
                             .response = &response,
                             .pace_totals = &pace};
    expect_freed_once(&watch);
    uint64_t calls = timed(&service);
    assert_true(calls > 3 * CALLS * UINT64_C(9) / 10);
    assert_int_equal(timed(&response), 0);
    watch.pace = 100;
    expect_freed_once(&watch);
    assert_int_equal(timed(&service), 2 * calls);
    assert_int_equal(timed(&response), calls);
    assert_int_equal(pace.calls, calls);
}

/* Each call is due at its own time whatever thread makes it. */
static void
times_go_with_the_calls(void **state)
{
    (void)state;
    rh_test_events events = {0};
    rh_compiler compiler;
    make_events(&events, 9, 5);
    for (size_t i = 0; i < events.count; i++)
        events.event[i].time_ns = 1 + i / 3;
    rh_thread_plan *plan = make_plan(&events, &compiler, true);
    for (size_t t = 0; t < rh_thread_plan_count(plan); t++) {
        const rh_thread_stream *stream = rh_thread_plan_stream(plan, t);
        for (size_t i = 0; i < stream->count; i++)
            assert_int_equal(stream->times[i], 1 + stream->order[i] / 3);
    }
    rh_thread_plan_close(plan);
    plan = make_plan(&events, &compiler, false);
    assert_null(rh_thread_plan_stream(plan, 0)->times);
    rh_thread_plan_close(plan);
    rh_test_events_release(&events);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plan_is_sound),
        cmocka_unit_test(times_go_with_the_calls),
        cmocka_unit_test(latencies_of_threads_are_merged),
        cmocka_unit_test(every_block_is_freed_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
