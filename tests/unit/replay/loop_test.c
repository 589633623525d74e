#define _GNU_SOURCE
/* The loops issue the calls of the trace, and only those. */
#include "replay/loop.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "tests/unit/replay/ledger_heap.h"

enum { ROOM = 64 };
static rh_code codes[ROOM];
static rh_wide wides[ROOM];
static rh_program program;
static rh_compiler compiler;
static ledger_heap ledger;
static void *slots[ROOM];
static rh_target target;

static int
fresh(void **state)
{
    (void)state;
    program =
        (rh_program){.codes = codes, .wides = wides, .code_capacity = ROOM, .wide_capacity = ROOM};
    compiler = (rh_compiler){.has_domains = 1};
    memset(slots, 0, sizeof slots);
    ledger_open(&ledger);
    target = (rh_target){.heap = &ledger.heap, .slots = slots};
    return 0;
}

static int
done(void **state)
{
    (void)state;
    ledger_close(&ledger);
    return 0;
}

static void
add(rh_event event)
{
    assert_int_equal(rh_compile(&compiler, &event, 1, &program), 1);
}

static void
expect_call(size_t at, char operation, int domain, size_t size)
{
    assert_true(at < ledger.calls);
    assert_int_equal(ledger.call[at].operation, operation);
    assert_int_equal(ledger.call[at].domain, domain);
    assert_int_equal(ledger.call[at].size, size);
}

static void
test_calls_in_order(void **state)
{
    (void)state;
    add((rh_event){.operation = RH_MALLOC, .domain = 2, .slot = 1, .size = 10});
    add((rh_event){
        .operation = RH_CALLOC, .domain = 1, .slot = 2, .size = 20, .count = 1, .element = 20});
    add((rh_event){
        .operation = RH_CALLOC, .domain = 0, .slot = 3, .size = 24, .count = 3, .element = 8});
    add((rh_event){.operation = RH_REALLOC, .domain = 2, .slot = 1, .size = 30});
    add((rh_event){
        .operation = RH_REALLOC, .flags = RH_EVENT_NULL, .domain = 1, .slot = 4, .size = 5});
    add((rh_event){.operation = RH_FREE, .flags = RH_EVENT_NULL, .domain = 1, .slot = RH_NO_SLOT});
    add((rh_event){.operation = RH_FREE, .domain = 2, .slot = 1});
    rh_loop_run(&target, &program);
    assert_int_equal(ledger.calls, 7);
    expect_call(0, 'm', 2, 10);
    expect_call(1, 'c', 1, 20);
    assert_int_equal(ledger.call[1].extra, 1);
    expect_call(2, 'c', 0, 8);
    assert_int_equal(ledger.call[2].extra, 3);
    expect_call(3, 'r', 2, 30);
    assert_ptr_equal(ledger.call[3].in, ledger.call[0].out);
    expect_call(4, 'r', 1, 5);
    assert_null(ledger.call[4].in);
    expect_call(5, 'f', 1, 0);
    assert_null(ledger.call[5].in);
    expect_call(6, 'f', 2, 0);
    assert_ptr_equal(ledger.call[6].in, ledger.call[3].out);
}

static void
test_failed_allocation_skips_its_block(void **state)
{
    (void)state;
    add((rh_event){.operation = RH_MALLOC, .domain = 2, .slot = 1, .size = 10});
    add((rh_event){.operation = RH_REALLOC, .domain = 2, .slot = 1, .size = 20});
    add((rh_event){.operation = RH_FREE, .domain = 2, .slot = 1});
    add((rh_event){.operation = RH_MALLOC, .domain = 2, .slot = 1, .size = 30});
    add((rh_event){.operation = RH_FREE, .domain = 2, .slot = 1});
    ledger.fail_at = 1;
    rh_loop_run(&target, &program);
    assert_int_equal(target.failed_allocations, 1);
    assert_int_equal(target.skipped_events, 2);
    assert_int_equal(ledger.calls, 3);
    expect_call(1, 'm', 2, 30);
    expect_call(2, 'f', 2, 0);
    assert_int_equal(ledger.block_bytes, 0);
}

static void
test_failed_realloc_gives_up_the_block(void **state)
{
    (void)state;
    add((rh_event){.operation = RH_MALLOC, .domain = 2, .slot = 1, .size = 10});
    add((rh_event){.operation = RH_REALLOC, .domain = 2, .slot = 1, .size = 20});
    add((rh_event){.operation = RH_FREE, .domain = 2, .slot = 1});
    ledger.fail_at = 2;
    rh_loop_run(&target, &program);
    assert_int_equal(target.failed_allocations, 1);
    assert_int_equal(target.skipped_events, 1);
    assert_int_equal(ledger.block_bytes, 0);
}

static void
test_realloc_to_nothing(void **state)
{
    (void)state;
    add((rh_event){.operation = RH_MALLOC, .domain = 2, .slot = 1, .size = 10});
    add((rh_event){.operation = RH_REALLOC, .domain = 2, .slot = 1, .size = 0});
    rh_loop_run(&target, &program);
    expect_call(1, 'r', 2, 1);
    target.zero_fits = true;
    rh_loop_run(&target, &program);
    expect_call(3, 'r', 2, 0);
}

static void
test_alignment(void **state)
{
    (void)state;
    add((rh_event){
        .operation = RH_ALIGNED, .domain = 0, .slot = 1, .size = 9, .alignment_log2 = 4});
    add((rh_event){
        .operation = RH_ALIGNED, .domain = 0, .slot = 2, .size = 9, .alignment_log2 = 5});
    rh_loop_run(&target, &program);
    expect_call(0, 'm', 0, 9);
    expect_call(1, 'a', 0, 9);
    assert_int_equal(ledger.call[1].extra, 32);
    assert_int_equal((uintptr_t)ledger.call[1].out % 32, 0);
}

/* The bytes that a mode writes into a fresh block of `size`. */
static void
expect_touched(rh_touch touch, size_t size, size_t stride)
{
    done(NULL);
    fresh(NULL);
    target.touch = touch;
    add((rh_event){.operation = RH_MALLOC, .domain = 2, .slot = 1, .size = size});
    rh_loop_run(&target, &program);
    const char *block = ledger.call[0].out;
    for (size_t i = 0; i < size; i++)
        assert_int_equal(block[i], stride && i % stride == 0);
}

static void
test_touch_modes(void **state)
{
    (void)state;
    expect_touched(RH_TOUCH_NONE, 10000, 0);
    expect_touched(RH_TOUCH_FIRST, 10000, 10000);
    expect_touched(RH_TOUCH_PAGES, 10000, 4096);
    expect_touched(RH_TOUCH_LINES, 10000, 64);
    expect_touched(RH_TOUCH_LINES, 64, 64);
    expect_touched(RH_TOUCH_LINES, 0, 0);
    expect_touched(RH_TOUCH_PAGES, 8192, 4096);
    expect_touched(RH_TOUCH_WRITE, 1001, 1);
    expect_touched(RH_TOUCH_READ, 1001, 1);
    expect_touched(RH_TOUCH_READ, 0, 1);
}

/* A heap that gives out one span, to see who looks at it. */
static struct {
    char *place;
    size_t bytes;
    volatile int looks;
} span;

static void *
span_malloc(void *ctx, size_t size)
{
    (void)ctx;
    assert_true(size <= span.bytes);
    return span.place + span.bytes - size; /* a byte beyond it cannot be read */
}

static void
span_free(void *ctx, void *block)
{
    (void)ctx;
    (void)block;
}

static void
see_look(int number)
{
    (void)number;
    span.looks++;
    mprotect(span.place, span.bytes, PROT_READ);
}

/* Frees a block of `size` that nobody may look at, and returns whether somebody did. */
static int
looks_at_death(rh_touch touch, size_t size, bool probed)
{
    static rh_latency service;
    rh_stopwatch watch = {.service = &service, .scale = rh_ticks_scale(1)};
    rh_heap heap = {0};
    void *slot;
    rh_target one = {.heap = &heap, .slots = &slot, .touch = touch};
    heap.domain[2] = (PyMemAllocatorEx){.malloc = span_malloc, .free = span_free};
    span.looks = 0;
    program.code_count = program.wide_count = 0;
    add((rh_event){.operation = RH_MALLOC, .domain = 2, .slot = 0, .size = size});
    rh_loop_run(&one, &program);
    program.code_count = program.wide_count = 0;
    add((rh_event){.operation = RH_FREE, .domain = 2, .slot = 0, .size = size});
    mprotect(span.place, span.bytes, PROT_NONE);
    if (probed)
        rh_loop_probe(&one, &program, &watch);
    else
        rh_loop_run(&one, &program);
    mprotect(span.place, span.bytes, PROT_READ | PROT_WRITE);
    return span.looks;
}

static void
test_what_was_written_is_read(void **state)
{
    (void)state;
    struct sigaction action = {.sa_handler = see_look}, before;
    span.bytes = 8192;
    char *place = mmap(NULL, 3 * span.bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(place != MAP_FAILED);
    span.place = place + span.bytes;
    assert_int_equal(mprotect(span.place, span.bytes, PROT_READ | PROT_WRITE), 0);
    sigaction(SIGSEGV, &action, &before);
    for (int probed = 0; probed < 2; probed++) {
        assert_int_equal(looks_at_death(RH_TOUCH_NONE, 5000, probed), 0);
        assert_int_equal(looks_at_death(RH_TOUCH_WRITE, 5000, probed), 0);
        assert_int_equal(looks_at_death(RH_TOUCH_READ, 5000, probed), 1);
        assert_int_equal(looks_at_death(RH_TOUCH_READ, 3, probed), 1);
        assert_int_equal(looks_at_death(RH_TOUCH_READ, 0, probed), 0);
    }
    sigaction(SIGSEGV, &before, NULL);
    munmap(place, 3 * span.bytes);
}

static uint64_t
timed(const rh_latency *latency, rh_timed operation, uint64_t size)
{
    return latency->histogram[operation][rh_size_range(size)].total;
}

static void
test_probed_loop_does_the_same(void **state)
{
    (void)state;
    static rh_latency service;
    static rh_histogram probe;
    rh_stopwatch watch = {.service = &service, .scale = rh_ticks_scale(1)};
    memset(&service, 0, sizeof service);
    memset(&probe, 0, sizeof probe);
    add((rh_event){.operation = RH_MALLOC, .domain = 2, .slot = 1, .size = 100});
    add((rh_event){
        .operation = RH_CALLOC, .domain = 2, .slot = 2, .size = 600, .count = 2, .element = 300});
    add((rh_event){
        .operation = RH_CALLOC, .domain = 2, .slot = 3, .size = 70, .count = 7, .element = 10});
    add((rh_event){.operation = RH_REALLOC, .domain = 2, .slot = 1, .size = 20000});
    add((rh_event){.operation = RH_FREE, .flags = RH_EVENT_NULL, .domain = 2, .slot = RH_NO_SLOT});
    add((rh_event){.operation = RH_FREE, .domain = 2, .slot = 1, .size = 20000});
    add((rh_event){.operation = RH_FREE, .domain = 2, .slot = 2, .size = 600});
    target.touch = RH_TOUCH_LINES;
    rh_loop_probe(&target, &program, &watch);
    assert_int_equal(ledger.calls, 7);
    assert_int_equal(timed(&service, RH_TIMED_MALLOC, 100), 1);
    assert_int_equal(timed(&service, RH_TIMED_CALLOC, 600), 1);
    assert_int_equal(timed(&service, RH_TIMED_CALLOC, 70), 1);
    assert_int_equal(timed(&service, RH_TIMED_REALLOC, 20000), 1);
    assert_int_equal(timed(&service, RH_TIMED_FREE, 20000), 1);
    assert_int_equal(timed(&service, RH_TIMED_FREE, 600), 1);
    uint64_t all = 0;
    for (unsigned operation = 0; operation < RH_TIMED_OPERATIONS; operation++) {
        static rh_histogram whole;
        rh_latency_operation(&service, (rh_timed)operation, &whole);
        all += whole.total;
    }
    assert_int_equal(all, 6);
    assert_true(rh_loop_calibrate(&watch, 5000, &probe) > 0);
    assert_int_equal(probe.total, 5000);
}

static void
test_ticks_become_nanoseconds(void **state)
{
    (void)state;
    rh_stopwatch watch = {.scale = rh_ticks_scale(2.5)};
    assert_int_equal(rh_ticks_ns(0, watch.scale), 0);
    assert_int_equal(rh_ticks_ns(2, watch.scale), 0);
    assert_int_equal(rh_ticks_ns(26, watch.scale), 10);
    /* a day, to a millionth */
    uint64_t day = UINT64_C(86400000000000);
    uint64_t got = rh_ticks_ns(day / 2 * 5, watch.scale);
    assert_true(got <= day && day - got < day / 1000000);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_calls_in_order, fresh, done),
        cmocka_unit_test_setup_teardown(test_failed_allocation_skips_its_block, fresh, done),
        cmocka_unit_test_setup_teardown(test_failed_realloc_gives_up_the_block, fresh, done),
        cmocka_unit_test_setup_teardown(test_realloc_to_nothing, fresh, done),
        cmocka_unit_test_setup_teardown(test_alignment, fresh, done),
        cmocka_unit_test_setup_teardown(test_touch_modes, fresh, done),
        cmocka_unit_test_setup_teardown(test_what_was_written_is_read, fresh, done),
        cmocka_unit_test_setup_teardown(test_probed_loop_does_the_same, fresh, done),
        cmocka_unit_test(test_ticks_become_nanoseconds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
