/* The memory pass: against numbers worked out by hand, and every byte of the project's own heaps at
 * every sample. */
#include "replay/memory.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "replay/metrics.h"
#include "tests/unit/replay/events.h"
#include "tests/unit/replay/ledger_heap.h"

enum { SLOTS = 2000, CALLS = 50000, SAMPLES = 600 };

static rh_memory_slot slots[SLOTS];
static rh_sample samples[SAMPLES];
static rh_member member;
static rh_memory memory;

static void
fresh(void)
{
    memset(slots, 0, sizeof slots);
    memset(&member, 0, sizeof member);
    memory = (rh_memory){
        .slots = slots, .samples = samples, .sample_capacity = SAMPLES, .totals = &member.memory};
}

/* Plays all events into `heap` and returns the metrics. */
static rh_metrics
play(rh_heap *heap, rh_test_events *events, uint64_t sample_every)
{
    rh_code codes[512];
    rh_wide wides[512];
    rh_compiler compiler = {
        .has_domains = 1, .sample_every = sample_every, .next_sample = sample_every};
    compiler.has_times = events->count && events->event[0].time_ns;
    rh_memory_begin(&memory, heap, (rh_memory_before){0});
    for (size_t done = 0; done < events->count;) {
        rh_program program = {
            .codes = codes, .wides = wides, .code_capacity = 512, .wide_capacity = 512};
        done += rh_compile(&compiler, events->event + done, events->count - done, &program);
        rh_memory_run(&memory, &program);
    }
    rh_memory_end(&memory, compiler.has_times ? compiler.last_time_ns : RH_UNKNOWN);
    member.failed_allocations = member.memory.failed_allocations;
    member.skipped_events = member.memory.skipped_events;
    rh_scan scan = {.counts = compiler};
    rh_metrics metrics;
    rh_metrics_fill(&metrics, &member, &scan, 1);
    return metrics;
}

static double
get(const rh_metrics *metrics, const char *name)
{
    return rh_metrics_get(metrics->metric, metrics->count, name);
}

/* requested 10 110 100 50 80 30 0, mapped 1000 + 16 128 112 64 96 32 0 */
static void
add_small_trace(rh_test_events *events)
{
    rh_event trace[] = {
        {.operation = RH_MALLOC, .domain = 2, .slot = 1, .size = 10},
        {.operation = RH_MALLOC, .domain = 2, .slot = 2, .size = 100},
        {.operation = RH_FREE, .domain = 2, .slot = 1},
        {.operation = RH_REALLOC, .domain = 2, .slot = 2, .size = 50},
        {.operation = RH_MALLOC, .domain = 2, .slot = 1, .size = 30},
        {.operation = RH_FREE, .domain = 2, .slot = 2},
        {.operation = RH_FREE, .domain = 2, .slot = 1},
    };
    for (size_t i = 0; i < sizeof trace / sizeof *trace; i++)
        rh_test_events_add(events, trace[i]);
}

static void
test_by_hand(void **state)
{
    (void)state;
    static ledger_heap ledger;
    rh_test_events events = {0};
    add_small_trace(&events);
    fresh();
    ledger_open(&ledger);
    rh_metrics metrics = play(&ledger.heap, &events, 2);
#define EXPECT(name, value) assert_true(get(&metrics, name) == (value))
    EXPECT("events", 7);
    EXPECT("allocations", 3);
    EXPECT("reallocations", 1);
    EXPECT("frees", 3);
    EXPECT("failed_allocations", 0);
    EXPECT("peak_requested_bytes", 110);
    EXPECT("peak_live_blocks", 2);
    EXPECT("end_requested_bytes", 0);
    EXPECT("peak_usable_bytes", 128);
    EXPECT("peak_mapped_bytes", 1128);
    EXPECT("end_mapped_bytes", 1000);
    EXPECT("fragmentation_mean", 7448. / 380 - 1);
    EXPECT("mapped_byte_events", 7448);
    EXPECT("requested_byte_events", 380);
    EXPECT("fragmentation_average",
           (1016. / 10 + 1128. / 110 + 1112. / 100 + 1064. / 50 + 1096. / 80 + 1032. / 30) / 6 - 1);
    assert_true(isnan(get(&metrics, "fragmentation_time_mean")));
    assert_true(isnan(get(&metrics, "mapped_byte_seconds")));
    EXPECT("fragmentation_at_peak_live", 1128. / 110 - 1);
    EXPECT("fragmentation_peak_mapped", 1128. / 110 - 1);
    EXPECT("fragmentation_peak_to_peak", 1128. / 110 - 1);
    EXPECT("requested_bytes", 110);
    EXPECT("rounding_bytes", 18);
    EXPECT("metadata_bytes", 1000);
    EXPECT("mapped_bytes", 1128);
#undef EXPECT
    static const uint64_t at[] = {0, 2, 4, 6, 7}, requested[] = {0, 110, 50, 30, 0};
    assert_int_equal(member.memory.sample_count, 5);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(samples[i].event, at[i]);
        assert_int_equal(samples[i].requested_bytes, requested[i]);
    }
    rh_test_events_release(&events);
}

/* Requests and mapped bytes can have their maxima at different moments: a heap that keeps what it
 * has. */
static void
test_first_maximum(void **state)
{
    (void)state;
    static ledger_heap ledger;
    rh_test_events events = {0};
    for (uint32_t i = 0; i < 4; i++) /* 17 bytes take 32; then 32 bytes take 32 */
        rh_test_events_add(&events, (rh_event){.slot = i, .domain = 2, .size = i < 2 ? 17 : 32});
    rh_test_events_add(&events, (rh_event){.operation = RH_FREE, .slot = 0, .domain = 2});
    rh_test_events_add(&events, (rh_event){.slot = 0, .domain = 2, .size = 20});
    fresh();
    ledger_open(&ledger);
    rh_metrics metrics = play(&ledger.heap, &events, 100);
    /* Both times 1,128 bytes are mapped: the parts are those of the first, 98 bytes requested. */
    assert_true(get(&metrics, "peak_mapped_bytes") == 1128);
    assert_true(get(&metrics, "requested_bytes") == 98);
    assert_true(get(&metrics, "rounding_bytes") == 30);
    assert_true(get(&metrics, "peak_requested_bytes") == 101);
    assert_true(get(&metrics, "fragmentation_peak_mapped") == 1128. / 98 - 1);
    assert_true(get(&metrics, "fragmentation_at_peak_live") == 1128. / 101 - 1);
    ledger_close(&ledger);
    rh_test_events_release(&events);
}

/* Johnstone and Wilson's four, each another number. Four blocks of 17 bytes: 68 requested, 4 × 32 +
 * 1,000 mapped, the most. Then these go one by one as three of 32 come: 96 requested, the most, and
 * 1,096 mapped. A second passes with each call, and there is a sample at each. */
static void
test_johnstone_and_wilson(void **state)
{
    (void)state;
    static ledger_heap ledger;
    static const uint64_t requested[] = {17, 34, 51, 68, 51, 34, 17, 0, 32, 64, 96},
                          mapped[] = {32, 64, 96, 128, 96, 64, 32, 0, 32, 64, 96};
    enum { MOMENTS = sizeof mapped / sizeof *mapped };
    rh_test_events events = {0};
    for (uint32_t i = 0; i < MOMENTS; i++)
        rh_test_events_add(&events, (rh_event){.operation = i < 4 || i > 7 ? RH_MALLOC : RH_FREE,
                                               .domain = 2,
                                               .slot = i % 4,
                                               .size = i < 4   ? 17
                                                       : i > 7 ? 32
                                                               : 0,
                                               .time_ns = (i + 1) * UINT64_C(1000000000)});
    fresh();
    ledger_open(&ledger);
    rh_metrics metrics = play(&ledger.heap, &events, 1);
    double ratios = 0, mapped_sum = 0, requested_sum = 0, mapped_time = 0, requested_time = 0;
    for (int i = 0; i < MOMENTS; i++) {
        ratios += requested[i] ? (1000. + (double)mapped[i]) / (double)requested[i] : 0;
        mapped_sum += 1000 + (double)mapped[i];
        requested_sum += (double)requested[i];
        if (i + 1 < MOMENTS) { /* it stands until the next */
            mapped_time += 1000 + (double)mapped[i];
            requested_time += (double)requested[i];
        }
    }
    assert_true(fabs(get(&metrics, "fragmentation_average") - (ratios / (MOMENTS - 1) - 1)) <
                1e-12);
    assert_true(get(&metrics, "fragmentation_mean") == mapped_sum / requested_sum - 1);
    assert_true(get(&metrics, "fragmentation_at_peak_live") == 1096. / 96 - 1);
    assert_true(get(&metrics, "fragmentation_peak_mapped") == 1128. / 68 - 1);
    assert_true(get(&metrics, "fragmentation_peak_to_peak") == 1128. / 96 - 1);
    /* For the first second, before the first call, 1,000 bytes are mapped. */
    assert_true(get(&metrics, "mapped_byte_seconds") == mapped_time + 1000);
    assert_true(get(&metrics, "requested_byte_seconds") == requested_time);
    assert_true(get(&metrics, "fragmentation_time_mean") ==
                (mapped_time + 1000) / requested_time - 1);
    ledger_close(&ledger);
    rh_test_events_release(&events);
}

static void
test_failures_keep_the_sums(void **state)
{
    (void)state;
    static ledger_heap ledger;
    rh_test_events events = {0};
    add_small_trace(&events);
    fresh();
    ledger_open(&ledger);
    ledger.fail_at = 4; /* the realloc */
    rh_metrics metrics = play(&ledger.heap, &events, 1);
    assert_true(get(&metrics, "failed_allocations") == 1);
    assert_true(get(&metrics, "skipped_events") == 1);
    assert_true(get(&metrics, "end_mapped_bytes") == 1000);
    for (uint64_t i = 0; i < member.memory.sample_count; i++)
        assert_true(rh_sample_rounding(&samples[i]) >= 0);
    rh_test_events_release(&events);
}

/* What a foreign heap maps between two samples is seen nevertheless. */
static void
test_spike_of_a_foreign_heap(void **state)
{
    (void)state;
    enum { SPIKE = 64 << 20 };
    rh_heap *heap;
    rh_error error;
    rh_test_events events = {0};
    rh_test_events_add(&events, (rh_event){.slot = 0, .domain = 2, .size = SPIKE});
    rh_test_events_add(&events, (rh_event){.operation = RH_FREE, .slot = 0, .domain = 2});
    for (uint32_t i = 0; i < 10; i++)
        rh_test_events_add(&events, (rh_event){.slot = i, .domain = 2, .size = 10});
    for (uint32_t i = 0; i < 10; i++)
        rh_test_events_add(&events, (rh_event){.operation = RH_FREE, .slot = i, .domain = 2});
    assert_int_equal(rh_heap_open("malloc", &heap, &error), RH_OK);
    fresh();
    rh_metrics metrics = play(heap, &events, 5);
    assert_true(get(&metrics, "peak_mapped_bytes") >= SPIKE);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    /* A sanitizer's malloc maps shadows beside the blocks, and keeps those that are freed. */
    assert_true(get(&metrics, "end_mapped_bytes") < SPIKE / 2);
    assert_true(get(&metrics, "fragmentation_at_peak_live") < .1);
#endif
    assert_true(get(&metrics, "requested_bytes") == SPIKE);
    assert_true(get(&metrics, "resident_bytes") <= get(&metrics, "peak_resident_bytes"));
    for (uint64_t i = 0; i < member.memory.sample_count; i++)
        assert_int_equal(rh_counters_parts(&samples[i].counters), samples[i].counters.mapped_bytes);
    assert_int_equal(rh_counters_parts(&member.memory.peak.counters),
                     get(&metrics, "mapped_bytes"));
    rh_heap_close(heap);
    rh_test_events_release(&events);
}

/* What a heap that tells parts of itself, and no total, is asked. */
static uint64_t told_metadata, told_free_blocks, told_kept;

static void
tell_parts(rh_heap *heap, rh_counters *counters)
{
    (void)heap;
    counters->metadata_bytes = told_metadata;
    counters->free_block_bytes = told_free_blocks;
    counters->free_arena_bytes = told_kept;
}

static size_t
usable_of_libc(rh_heap *heap, PyMemAllocatorDomain domain, const void *block)
{
    (void)heap, (void)domain, (void)block;
    return 1000000; /* as was asked for */
}

/* The parts sum to what the kernel sees whatever the allocator says of itself: too much of it does
 * not fit, and what it does not tell is other_bytes. */
static void
test_parts_of_a_foreign_heap(void **state)
{
    (void)state;
    static const rh_heap_operations operations = {.usable_size = usable_of_libc,
                                                  .snapshot = tell_parts};
    static const struct {
        uint64_t metadata, free_blocks, kept;
    } said[] = {{0, 0, 0},
                {1000, 2000, 3000},
                {1000, RH_UNKNOWN, UINT64_MAX / 4},
                {RH_UNKNOWN, RH_UNKNOWN, RH_UNKNOWN}};
    for (size_t i = 0; i < sizeof said / sizeof *said; i++) {
        rh_heap *libc;
        rh_error error;
        rh_test_events events = {0};
        for (uint32_t slot = 0; slot < 20; slot++)
            rh_test_events_add(&events, (rh_event){.slot = slot, .domain = 2, .size = 1000000});
        assert_int_equal(rh_heap_open("malloc", &libc, &error), RH_OK);
        rh_heap heap = *libc;
        heap.operations = &operations;
        heap.block_header_bytes = 8;
        told_metadata = said[i].metadata;
        told_free_blocks = said[i].free_blocks;
        told_kept = said[i].kept;
        fresh();
        rh_metrics metrics = play(&heap, &events, 5);
        assert_true(member.memory.sample_count > 4);
        for (uint64_t s = 0; s < member.memory.sample_count; s++) {
            const rh_counters *counters = &samples[s].counters;
            assert_int_equal(rh_counters_parts(counters), counters->mapped_bytes);
            assert_int_equal(counters->header_bytes, 8 * samples[s].live_blocks);
        }
        assert_true(get(&metrics, "header_bytes") == 160);
        if (told_kept == 3000)
            assert_true(get(&metrics, "free_arena_bytes") == 3000);
        if (told_kept == UINT64_MAX / 4)
            assert_true(get(&metrics, "other_bytes") == 0);
        if (told_kept == RH_UNKNOWN)
            assert_true(isnan(get(&metrics, "metadata_bytes")));
        for (uint32_t slot = 0; slot < 20; slot++)
            libc->domain[2].free(libc->domain[2].ctx, slots[slot].block);
        rh_heap_close(libc);
        rh_test_events_release(&events);
    }
}

static void
expect_sums(const char *spec, const rh_sample *sample)
{
    uint64_t mapped = sample->counters.mapped_bytes;
    double rounding = rh_sample_rounding(sample);
    if (mapped == RH_UNKNOWN || rh_counters_parts(&sample->counters) != mapped)
        fail_msg("%s: the parts add up to %llu of %llu mapped bytes at event %llu", spec,
                 (unsigned long long)rh_counters_parts(&sample->counters),
                 (unsigned long long)mapped, (unsigned long long)sample->event);
    if (isnan(rounding) || rounding < 0)
        fail_msg("%s: blocks take %g bytes less than was requested at event %llu", spec, -rounding,
                 (unsigned long long)sample->event);
    if (sample->counters.other_bytes != 0)
        fail_msg("%s: other_bytes is not 0", spec);
}

static void
test_waterfall_of_own_heaps(void **state)
{
    (void)state;
    static const char *const specs[] = {
        "pymalloc",
        "pymalloc@3.7",
        "pymalloc@3.9",
        "pymalloc,arena=4M,pool=64K,policy=lowest-address",
        "bestfit",
        "pymalloc,source=virtual",
        "pymalloc,keep=8",
        "bump,window=1G",
        "pymalloc,small=256",
        "pymalloc,metadata=side,policy=least-full",
        "pymalloc,classes=geometric:2",
        "pymalloc,source=cached,cache=4,arena=64K",
        "pymalloc,source=malloc",
        "pymalloc,source=huge",
        "pymalloc+freelist",
        "pymalloc+debug+trace",
        "bestfit+freelist,max=20+count",
    };
    rh_test_events events = {0};
    rh_test_events_random(&events, 5, CALLS, SLOTS);
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
        rh_heap *heap;
        rh_error error = {.message = ""};
        if (rh_heap_open(specs[i], &heap, &error) != RH_OK)
            fail_msg("%s: %s", specs[i], error.message);
        fresh();
        memory.zero_fits = true;
        rh_metrics metrics = play(heap, &events, 100);
        assert_true(member.memory.sample_count > CALLS / 100);
        for (uint64_t s = 0; s < member.memory.sample_count; s++) {
            expect_sums(specs[i], &samples[s]);
            assert_true((double)samples[s].counters.mapped_bytes <=
                        get(&metrics, "peak_mapped_bytes"));
        }
        expect_sums(specs[i], &member.memory.peak);
        assert_true(get(&metrics, "failed_allocations") == 0);
        rh_heap_close(heap);
    }
    rh_test_events_release(&events);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_hand),
        cmocka_unit_test(test_first_maximum),
        cmocka_unit_test(test_johnstone_and_wilson),
        cmocka_unit_test(test_failures_keep_the_sums),
        cmocka_unit_test(test_spike_of_a_foreign_heap),
        cmocka_unit_test(test_parts_of_a_foreign_heap),
        cmocka_unit_test(test_waterfall_of_own_heaps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
