/* Runs in child processes: what comes back, alone and in company, and what a failing child leaves.
 */
#include "replay/group.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "replay/child.h"
#include "replay/metrics.h"
#include "tests/unit/replay/events.h"

enum { CALLS = 60000, SLOTS = 3000 };

static rh_test_events events;
static rh_scan scan;

static int
make_events(void **state)
{
    (void)state;
    rh_test_events_random(&events, 11, CALLS, SLOTS);
    rh_source source = rh_test_events_source(&events);
    rh_compiler options = {.has_domains = 1};
    rh_error error;
    return (int)rh_scan_source(&source, &options, &scan, &error);
}

static int
release_events(void **state)
{
    (void)state;
    rh_test_events_release(&events);
    return 0;
}

static rh_group_plan
plan_for(rh_pass pass, const char *const *specs, uint32_t members)
{
    static const char *const none[] = {"", "", "", ""};
    rh_group_plan plan = {.pass = pass,
                          .compiler = {.has_domains = 1},
                          .slots = scan.slots,
                          .specs = specs,
                          .libraries = none,
                          .members = members};
    if (pass == RH_PASS_MEMORY) {
        plan.compiler.sample_every = plan.compiler.next_sample = 100;
        plan.sample_capacity = CALLS / 100 + 10;
    }
    return plan;
}

static rh_group *
run(const rh_group_plan *plan)
{
    rh_source source = rh_test_events_source(&events);
    rh_group *group;
    rh_error error = {0};
    rh_status status = rh_group_run(plan, &source, &group, &error);
    if (status != RH_OK)
        fail_msg("%s", error.message);
    return group;
}

/* Fed while it runs, or with all of the trace before it starts. */
static void
expect_throughput(uint32_t batches)
{
    const char *specs[] = {"bump"};
    rh_group_plan plan = plan_for(RH_PASS_THROUGHPUT, specs, 1);
    plan.batches = batches;
    rh_group *group = run(&plan);
    const rh_member *member = rh_group_member(group, 0);
    assert_string_equal(member->message, "");
    assert_int_equal(member->status, RH_OK);
    assert_string_equal(member->name, "bump");
    assert_int_equal(member->calls, scan.counts.calls);
    assert_int_equal(member->failed_allocations, 0);
    assert_true(member->loop_ticks > 0);
    rh_group_close(group);
}

static void
test_throughput(void **state)
{
    (void)state;
    expect_throughput(0);
    assert_true(scan.batches >= CALLS / RH_CHANNEL_CODES);
    expect_throughput(scan.batches);
}

static void
test_more_batches_than_were_counted(void **state)
{
    (void)state;
    const char *specs[] = {"bump"};
    rh_group_plan plan = plan_for(RH_PASS_THROUGHPUT, specs, 1);
    plan.batches = scan.batches - 1;
    rh_source source = rh_test_events_source(&events);
    rh_group *group;
    rh_error error;
    assert_int_equal(rh_group_run(&plan, &source, &group, &error), RH_BAD_INPUT);
}

static void
test_latency_times_every_call(void **state)
{
    (void)state;
    const char *specs[] = {"malloc"};
    rh_group_plan plan = plan_for(RH_PASS_LATENCY, specs, 1);
    plan.room_bytes = sizeof(rh_latency_findings);
    rh_group *group = run(&plan);
    const rh_member *member = rh_group_member(group, 0);
    assert_int_equal(member->status, RH_OK);
    uint64_t timed = 0;
    const rh_latency_findings *found = rh_group_room(group, 0);
    static rh_histogram whole;
    for (unsigned i = 0; i < RH_TIMED_OPERATIONS; i++) {
        rh_latency_operation(&found->service, (rh_timed)i, &whole);
        timed += whole.total;
    }
    assert_int_equal(timed, scan.counts.calls - scan.counts.null_frees);
    assert_int_equal(whole.total, scan.counts.frees); /* the last operation is free */
    assert_true(found->probe.total > 0);
    assert_true(member->probe_ticks > 0);
    rh_group_close(group);
}

static const rh_histogram *
mallocs(const rh_latency *latency)
{
    static rh_histogram whole;
    rh_latency_operation(latency, RH_TIMED_MALLOC, &whole);
    return &whole;
}

/* Replays so many mallocs, one every `every_ns` of the recording, so many times as fast. */
static rh_group *
run_paced(rh_group_plan *plan, double pace, uint32_t count, uint64_t every_ns)
{
    rh_test_events queue = {0};
    for (uint32_t i = 0; i < count; i++)
        rh_test_events_add(&queue, (rh_event){.operation = RH_MALLOC,
                                              .domain = 2,
                                              .slot = i,
                                              .size = 10,
                                              .time_ns = 1 + i * every_ns});
    plan->room_bytes = sizeof(rh_latency_findings);
    plan->slots = queue.slots;
    plan->pace = pace;
    plan->compiler.times = plan->compiler.has_times = 1;
    rh_source source = rh_test_events_source(&queue);
    rh_group *group;
    rh_error error = {0};
    assert_int_equal(rh_group_run(plan, &source, &group, &error), RH_OK);
    rh_test_events_release(&queue);
    return group;
}

/* A queue whose answer is known: 100 allocations due a microsecond after each other, each of which
 * the heap draws out to a millisecond. The k-th ends k ms after the first was due at the earliest,
 * so its response time is at least k ms less k µs; the time of each call is a millisecond alone. */
static void
test_paced_calls_wait_for_slow_ones(void **state)
{
    (void)state;
    enum { COUNT = 100 };
    const char *specs[] = {"bump+delay,every=1,ns=1000000"};
    rh_group_plan plan = plan_for(RH_PASS_LATENCY, specs, 1); /* outlives the group */
    rh_group *group = run_paced(&plan, 10, COUNT, 10000);
    const rh_latency_findings *found = rh_group_room(group, 0);
    assert_int_equal(rh_group_member(group, 0)->status, RH_OK);
    assert_int_equal(mallocs(&found->service)->total, COUNT);
    assert_true(rh_histogram_quantile(mallocs(&found->service), 0) >= 999999);
    const uint64_t ms = 1000000, us = 1000;
    const rh_histogram *response = mallocs(&found->response);
    assert_int_equal(response->total, COUNT);
    for (uint64_t k = 1; k <= COUNT; k++)
        assert_true(rh_histogram_quantile(response, (double)k / COUNT) >=
                    k * (ms - 1) - (k - 1) * us - 2);
    assert_int_equal(found->pace.calls, COUNT);
    assert_true(found->pace.late >= COUNT - 1); /* all but the first */
    assert_true(found->pace.latest_ns >= (COUNT - 1) * (ms - 1 - us) - 2);
    assert_true(found->pace.elapsed_ns >= found->pace.scheduled_ns * 900);
    assert_true(found->pace.scheduled_ns - (COUNT - 1) * us + 2 <= 4);
    rh_group_close(group);
}

/* No call begins before it is due: a schedule takes as long as it is. */
static void
test_a_schedule_takes_its_time(void **state)
{
    (void)state;
    const char *specs[] = {"bump"};
    rh_group_plan plan = plan_for(RH_PASS_LATENCY, specs, 1);
    rh_group *group = run_paced(&plan, 1, 3, 20000000);
    const rh_latency_findings *found = rh_group_room(group, 0);
    assert_true(found->pace.elapsed_ns + 2 >= 40000000);
    assert_true(atomic_load(&rh_group_member(group, 0)->beat) > 0);
    rh_group_close(group);
}

/* The trace of all tests three times. What it leaves alive is left in each round, and no more; or
 * nothing is, when that is freed. */
static void
expect_rounds(rh_pass pass, uint32_t batches, const rh_leftovers *leftovers)
{
    enum { ROUNDS = 3 };
    const char *specs[] = {"pymalloc", "bump,window=1G", "malloc"};
    uint32_t members = pass == RH_PASS_MEMORY ? 3 : 1;
    rh_group_plan plan = plan_for(pass, specs, members);
    plan.loop = (rh_loop){.rounds = ROUNDS, .frees = leftovers != NULL};
    plan.leftovers = leftovers;
    plan.round_leaves = leftovers ? 0 : scan.end_requested_bytes;
    plan.batches = batches;
    plan.sample_capacity *= ROUNDS;
    uint64_t calls = scan.counts.calls + (leftovers ? leftovers->count : 0);
    rh_group *group = run(&plan);
    for (uint32_t m = 0; m < members; m++) {
        const rh_member *member = rh_group_member(group, m);
        const rh_round *rounds = rh_group_rounds(group, m);
        assert_string_equal(member->message, "");
        assert_int_equal(member->rounds_played, ROUNDS);
        assert_int_equal(member->calls, ROUNDS * calls);
        assert_int_equal(member->failed_allocations + member->skipped_events, 0);
        for (uint64_t r = 0; r < ROUNDS; r++) {
            assert_int_equal(rounds[r].calls, calls);
            assert_int_equal(rounds[r].end_requested_bytes,
                             leftovers ? 0 : (r + 1) * scan.end_requested_bytes);
            if (pass != RH_PASS_MEMORY)
                continue;
            assert_int_equal(rounds[r].end_live_blocks,
                             leftovers ? 0 : (r + 1) * scan.end_live_blocks);
            uint64_t before = leftovers ? 0 : r * scan.end_requested_bytes;
            assert_int_equal(rounds[r].peak_requested_bytes, before + scan.peak_requested_bytes);
            assert_true(rounds[r].end_mapped_bytes <= rounds[r].peak_mapped_bytes);
        }
    }
    rh_group_close(group);
}

static void
test_rounds_leave_what_the_recording_leaves(void **state)
{
    (void)state;
    rh_leftovers leftovers;
    rh_source source = rh_test_events_source(&events);
    rh_error error;
    assert_int_equal(rh_leftovers_find(&source, &leftovers, &error), RH_OK);
    assert_int_equal(leftovers.count, scan.end_live_blocks);
    assert_int_equal(leftovers.bytes, scan.end_requested_bytes);
    assert_true(scan.end_requested_bytes > 0);
    uint32_t whole = scan.batches + (uint32_t)(leftovers.count / (RH_CHANNEL_WIDES - 2)) + 1;
    for (int frees = 0; frees < 2; frees++) {
        const rh_leftovers *left = frees ? &leftovers : NULL;
        expect_rounds(RH_PASS_MEMORY, 0, left);
        expect_rounds(RH_PASS_THROUGHPUT, 0, left); /* fed each round */
        expect_rounds(RH_PASS_THROUGHPUT, whole, left);
    }
    rh_leftovers_release(&leftovers);
}

static void
expect_same_memory(const rh_group *left, uint32_t l, const rh_group *right, uint32_t r)
{
    const rh_member *a = rh_group_member(left, l), *b = rh_group_member(right, r);
    assert_int_equal(a->status, RH_OK);
    assert_int_equal(b->status, RH_OK);
    assert_int_equal(a->memory.sample_count, b->memory.sample_count);
    rh_metrics ma, mb;
    rh_metrics_fill(&ma, a, &scan, 1);
    rh_metrics_fill(&mb, b, &scan, 1);
    assert_int_equal(ma.count, mb.count);
    for (size_t i = 0; i < ma.count; i++) {
        /* What the kernel had resident may differ; nothing else. */
        if (strstr(ma.metric[i].name, "resident"))
            continue;
        if (memcmp(&ma.metric[i].value, &mb.metric[i].value, sizeof(double)) != 0 &&
            !(isnan(ma.metric[i].value) && isnan(mb.metric[i].value)))
            fail_msg("%s differs: %.17g and %.17g", ma.metric[i].name, ma.metric[i].value,
                     mb.metric[i].value);
    }
    const rh_sample *sa = rh_group_samples(left, l), *sb = rh_group_samples(right, r);
    for (uint64_t i = 0; i < a->memory.sample_count; i++) {
        assert_int_equal(sa[i].event, sb[i].event);
        assert_memory_equal(&sa[i].counters, &sb[i].counters, sizeof sa[i].counters);
    }
}

/* `plan` is the group's as long as that is open. */
static rh_group *
run_aged(rh_group_plan *plan, rh_age age, const rh_age_size *sizes, size_t count)
{
    static const char *const specs[] = {"pymalloc", "bestfit", "malloc"};
    *plan = plan_for(RH_PASS_MEMORY, specs, 3);
    plan->age = age;
    plan->age_sizes = sizes;
    plan->age_size_count = count;
    plan->age_most_blocks = scan.peak_live_blocks;
    plan->age_most_bytes = scan.peak_requested_bytes;
    return run(plan);
}

/* What survived is in no number of the recording's; the parts sum to what is mapped all the same.
 */
static void
expect_aged(const rh_group *group, uint32_t index, const rh_group *young)
{
    const rh_member *member = rh_group_member(group, index),
                    *unaged = rh_group_member(young, index);
    const rh_memory_totals *totals = &member->memory;
    assert_int_equal(member->status, RH_OK);
    assert_int_equal(totals->calls, scan.counts.calls);
    assert_int_equal(totals->peak_requested_bytes, scan.peak_requested_bytes);
    assert_int_equal(totals->peak_live_blocks, scan.peak_live_blocks);
    assert_int_equal(totals->end.requested_bytes, scan.end_requested_bytes);
    assert_true(member->aged.blocks > 0 && member->aged.bytes > 0);
    assert_true(member->aged_mapped_bytes >= member->aged.bytes);
    assert_int_equal(unaged->aged.calls, 0);
    const rh_sample *samples = rh_group_samples(group, index);
    assert_int_equal(samples[0].counters.mapped_bytes, member->aged_mapped_bytes);
    for (uint64_t i = 0; i < totals->sample_count && index < 2; i++) {
        const rh_counters *counters = &samples[i].counters;
        assert_int_equal(rh_counters_parts(counters) + samples[i].aged_block_bytes,
                         counters->mapped_bytes);
        assert_true(counters->block_bytes >= samples[i].requested_bytes);
        assert_true(samples[i].aged_block_bytes >= member->aged.bytes);
        assert_int_equal(counters->other_bytes, 0);
    }
}

static void
test_an_aged_heap(void **state)
{
    (void)state;
    rh_source source = rh_test_events_source(&events);
    rh_age_size *sizes;
    size_t count;
    rh_error error;
    assert_int_equal(rh_age_sizes_find(&source, true, PYMEM_DOMAIN_OBJ, 1, &sizes, &count, &error),
                     RH_OK);
    rh_group_plan plans[4];
    rh_group *young = run_aged(&plans[0], (rh_age){.aged = false}, NULL, 0);
    rh_group *aged = run_aged(&plans[1], (rh_age){true, 2, 10, 1}, sizes, count);
    rh_group *again = run_aged(&plans[2], (rh_age){true, 2, 10, 1}, sizes, count);
    rh_group *other = run_aged(&plans[3], (rh_age){true, 2, 10, 2}, sizes, count);
    for (uint32_t i = 0; i < 3; i++)
        expect_aged(aged, i, young);
    for (uint32_t i = 0; i < 2; i++) {
        expect_same_memory(aged, i, again, i);
        assert_memory_equal(&rh_group_member(aged, i)->aged, &rh_group_member(again, i)->aged,
                            sizeof(rh_age_totals));
        assert_int_not_equal(rh_group_member(aged, i)->aged.bytes,
                             rh_group_member(other, i)->aged.bytes);
    }
    rh_group_close(young);
    rh_group_close(aged);
    rh_group_close(again);
    rh_group_close(other);
    free(sizes);
}

/* One block that is freed needs the same each time: steady after three rounds. Each member ends
 * when it is, and none waits for the others. */
static void
test_steady_heaps_end(void **state)
{
    (void)state;
    const char *specs[] = {"pymalloc", "bump,window=4G", "bestfit"};
    rh_test_events small = {0};
    rh_test_events_add(&small,
                       (rh_event){.operation = RH_MALLOC, .domain = 2, .slot = 0, .size = 40});
    rh_test_events_add(&small,
                       (rh_event){.operation = RH_FREE, .domain = 2, .slot = 0, .size = 40});
    for (int leaks = 0; leaks < 2; leaks++) {
        rh_group_plan plan = plan_for(RH_PASS_MEMORY, specs, 3);
        plan.slots = small.slots;
        plan.loop = (rh_loop){.rounds = 50, .steady = true};
        small.count = leaks ? 1 : 2;
        rh_source source = rh_test_events_source(&small);
        rh_group *group;
        rh_error error;
        assert_int_equal(rh_group_run(&plan, &source, &group, &error), RH_OK);
        for (uint32_t m = 0; m < 3; m++) {
            const rh_member *member = rh_group_member(group, m);
            assert_int_equal(member->status, RH_OK);
            assert_int_equal(member->rounds_played, leaks ? 50 : RH_STEADY_TIMES);
        }
        rh_group_close(group);
    }
    rh_test_events_release(&small);
}

static void
test_memory_alone_and_in_company(void **state)
{
    (void)state;
    const char *specs[] = {"bump", "bump,window=256M", "malloc"};
    rh_group_plan plan = plan_for(RH_PASS_MEMORY, specs, 3);
    rh_group *together = run(&plan), *again = run(&plan);
    plan.members = 1;
    rh_group *alone = run(&plan);
    expect_same_memory(together, 0, again, 0);
    expect_same_memory(together, 0, alone, 0);
    expect_same_memory(together, 1, again, 1);
    assert_int_equal(rh_group_member(together, 2)->status, RH_OK);
    rh_group_close(together);
    rh_group_close(again);
    rh_group_close(alone);
}

/* What the replay itself knows is the same for every heap, and is what the scan found. */
static void
test_requests_are_the_traces(void **state)
{
    (void)state;
    const char *specs[] = {"bump", "malloc"};
    rh_group_plan plan = plan_for(RH_PASS_MEMORY, specs, 2);
    rh_group *group = run(&plan);
    for (uint32_t i = 0; i < 2; i++) {
        const rh_memory_totals *totals = &rh_group_member(group, i)->memory;
        assert_int_equal(totals->calls, scan.counts.calls);
        assert_int_equal(totals->peak_requested_bytes, scan.peak_requested_bytes);
        assert_int_equal(totals->peak_live_blocks, scan.peak_live_blocks);
        assert_int_equal(totals->end.requested_bytes, scan.end_requested_bytes);
        assert_int_equal(totals->end.event, scan.counts.calls);
        assert_true(totals->peak_usable_bytes == RH_UNKNOWN ||
                    totals->peak_usable_bytes >= totals->peak_requested_bytes);
        assert_int_equal(totals->sample_count, scan.counts.calls / 100 + 2);
    }
    rh_group_close(group);
}

static void
test_a_child_that_cannot_open(void **state)
{
    (void)state;
    const char *specs[] = {"nosuch", "bump"};
    rh_group_plan plan = plan_for(RH_PASS_MEMORY, specs, 2);
    rh_group *group = run(&plan);
    assert_int_equal(rh_group_member(group, 0)->status, RH_USAGE);
    assert_non_null(strstr(rh_group_member(group, 0)->message, "nosuch"));
    assert_int_equal(rh_group_member(group, 1)->status, RH_OK);
    assert_int_equal(rh_group_member(group, 1)->calls, scan.counts.calls);
    rh_group_close(group);
}

static rh_status
broken(void *ctx, rh_batch *batch, rh_error *error)
{
    rh_source source = rh_test_events_source(ctx);
    events.at = events.count / 2;
    source.next(source.ctx, batch, error);
    return batch->count ? rh_fail(error, RH_BAD_INPUT, "damaged") : RH_OK;
}

static void
test_a_source_that_breaks(void **state)
{
    (void)state;
    const char *specs[] = {"bump"};
    rh_group_plan plan = plan_for(RH_PASS_THROUGHPUT, specs, 1);
    rh_source source = {.ctx = &events, .next = broken};
    rh_group *group;
    rh_error error;
    assert_int_equal(rh_group_run(&plan, &source, &group, &error), RH_BAD_INPUT);
    assert_null(group);
    assert_string_equal(error.message, "damaged");
}

int
main(int argc, char **argv)
{
    rh_child_asked(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_throughput),
        cmocka_unit_test(test_more_batches_than_were_counted),
        cmocka_unit_test(test_latency_times_every_call),
        cmocka_unit_test(test_rounds_leave_what_the_recording_leaves),
        cmocka_unit_test(test_steady_heaps_end),
        cmocka_unit_test(test_an_aged_heap),
        cmocka_unit_test(test_paced_calls_wait_for_slow_ones),
        cmocka_unit_test(test_a_schedule_takes_its_time),
        cmocka_unit_test(test_memory_alone_and_in_company),
        cmocka_unit_test(test_requests_are_the_traces),
        cmocka_unit_test(test_a_child_that_cannot_open),
        cmocka_unit_test(test_a_source_that_breaks),
    };
    return cmocka_run_group_tests(tests, make_events, release_events);
}
