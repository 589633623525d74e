/* Results as analysis sees them: which pass a number comes from, failed and flagged runs, pairing,
 * order, the same trace named twice; and which runs are not alike. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "analysis/alike.h"
#include "analysis/summary.h"
#include "replay/results.h"

static rh_error error;

static void
must(rh_status status)
{
    if (status != RH_OK)
        fail_msg("%s", error.message);
}

static char *
made_path(void)
{
    static char path[4096];
    const char *folder = getenv("TEST_TMPDIR");
    snprintf(path, sizeof path, "%s/summary.db", folder ? folder : "/tmp");
    return path;
}

static rh_results *
create(int64_t *trace)
{
    rh_results *results;
    must(rh_results_create(made_path(), &results, &error));
    must(rh_results_add_trace(results, "a/b.rht", "aaaa", "{\"events\": 12}", trace, &error));
    return results;
}

static void
add(rh_results *results, int64_t trace, const char *spec, const char *pass, unsigned rep,
    const char *status, const char *name, double value)
{
    rh_metric metric = {name, value};
    rh_run run = {.trace = trace,
                  .spec = spec,
                  .name = spec,
                  .version = "1",
                  .pass = pass,
                  .status = status,
                  .provenance = "{\"touch\": \"none\"}",
                  .rep = rep,
                  .metrics = &metric,
                  .metric_count = 1};
    must(rh_results_add_run(results, &run, &error));
}

static rh_summary *
reopen(rh_results *results)
{
    rh_results_close(results);
    rh_summary *summary;
    must(rh_summary_open(made_path(), &summary, &error));
    return summary;
}

static void
numbers_come_from_their_pass(void **state)
{
    (void)state;
    int64_t trace;
    rh_results *results = create(&trace);
    add(results, trace, "a", "throughput", 0, "complete", "ns_per_event", 10);
    add(results, trace, "a", "memory", 0, "complete", "ns_per_event", 99);
    add(results, trace, "a", "latency", 0, "complete", "peak_mapped_bytes", 99);
    add(results, trace, "a", "memory", 1, "complete", "peak_mapped_bytes", 5);
    add(results, trace, "a", "throughput", 1, "failed", "ns_per_event", 1);
    add(results, trace, "a", "throughput", 2, "flagged", "ns_per_event", 30);
    add(results, trace, "a", "throughput", 3, "complete", "ns_per_event", NAN);
    rh_summary *summary = reopen(results);
    assert_int_equal(summary->workload_count, 1);
    const rh_workload *workload = &summary->workloads[0];
    assert_string_equal(workload->command, "b.rht");
    assert_int_equal(workload->events, 12);
    const rh_subject *a = rh_workload_subject(workload, "a");
    assert_true(rh_subject_median(a, "ns_per_event") == 20);
    assert_true(rh_subject_median(a, "peak_mapped_bytes") == 5);
    assert_true(isnan(rh_subject_median(a, "free_p50_ns")));
    assert_int_equal(a->failed, 1);
    assert_int_equal(a->flagged, 1);
    assert_null(rh_workload_subject(workload, "b"));
    rh_summary_close(summary);
}

/* How late a paced replay was is told by the latency pass alone, how many rounds it took by each.
 */
static void
numbers_without_a_pass_of_their_own_are_found(void **state)
{
    (void)state;
    int64_t trace;
    rh_results *results = create(&trace);
    add(results, trace, "a", "latency", 0, "complete", "pace_slowdown", 1.5);
    add(results, trace, "a", "throughput", 0, "complete", "steady_ns_per_event", 7);
    add(results, trace, "a", "latency", 1, "complete", "rounds", 3);
    add(results, trace, "a", "memory", 0, "complete", "rounds", 9);
    rh_summary *summary = reopen(results);
    const rh_subject *a = rh_workload_subject(&summary->workloads[0], "a");
    assert_true(rh_subject_median(a, "pace_slowdown") == 1.5);
    assert_true(rh_subject_median(a, "steady_ns_per_event") == 7);
    assert_true(rh_subject_median(a, "rounds") == 9);
    rh_summary_close(summary);
}

static void
add_cut(rh_results *results, int64_t trace, const char *spec, unsigned rep,
        const rh_stretch *stretches, size_t count)
{
    rh_run run = {.trace = trace,
                  .spec = spec,
                  .name = spec,
                  .version = "1",
                  .pass = "throughput",
                  .status = "complete",
                  .provenance = "{\"touch\": \"none\"}",
                  .rep = rep,
                  .stretches = stretches,
                  .stretch_count = count};
    must(rh_results_add_run(results, &run, &error));
}

/* One stretch of one run stalled; a run that is cut elsewhere, or not at all, leaves it unknown,
 * and so do four runs. */
static void
calm_times_need_like_stretches(void **state)
{
    (void)state;
    static const rh_stretch usual[] = {{100, 1000}, {100, 3000}, {50, 1000}},
                            stalled[] = {{100, 9000}, {100, 3000}, {50, 1000}},
                            elsewhere[] = {{100, 1000}, {50, 1000}, {100, 3000}};
    for (int kind = 0; kind < 4; kind++) {
        int64_t trace;
        rh_results *results = create(&trace);
        for (unsigned rep = kind == 3; rep < 4; rep++)
            add_cut(results, trace, "a", rep, rep == 2 ? stalled : usual, 3);
        add_cut(results, trace, "a", 4, kind == 1 ? elsewhere : usual, kind == 2 ? 0 : 3);
        add(results, trace, "a", "throughput", 5, "failed", "ns_per_event", 1);
        rh_summary *summary = reopen(results);
        const rh_workload *workload = &summary->workloads[0];
        rh_values values = rh_subject_values(&workload->subjects[0], RH_SPEED);
        assert_int_equal(values.count, kind == 0 ? 5 : 0);
        assert_string_equal(rh_workload_speed(workload), kind == 0 ? RH_SPEED : "ns_per_event");
        for (size_t i = 0; i < values.count; i++)
            assert_true(fabs(values.value[i] - (i == 2 ? 5100.0 : 5000.0) / 250) < 1e-9);
        rh_values_release(&values);
        rh_summary_close(summary);
    }
}

static void
pairs_are_by_repetition(void **state)
{
    (void)state;
    int64_t trace;
    rh_results *results = create(&trace);
    /* Shuffled; the machine got slower from repetition to repetition; one partner is missing. */
    static const unsigned order[] = {3, 0, 4, 2, 1};
    for (int i = 0; i < 5; i++) {
        double base = 10 * pow(1.5, order[i]);
        add(results, trace, "b", "throughput", order[i], "complete", "ns_per_event", base);
        if (order[i] != 2)
            add(results, trace, "a", "throughput", 4 - order[i], "complete", "ns_per_event",
                0.5 * 10 * pow(1.5, 4 - order[i]));
    }
    rh_summary *summary = reopen(results);
    const rh_workload *workload = &summary->workloads[0];
    rh_ratio ratio =
        rh_subject_ratio(rh_workload_subject(workload, "a"), rh_workload_subject(workload, "b"),
                         rh_quantity_find("ns_per_event"), RH_PAIRED);
    assert_true(fabs(ratio.value - 0.5) < 1e-9 && fabs(ratio.high - 0.5) < 1e-9);
    rh_summary_close(summary);
}

static void
excess_is_compared_as_a_whole(void **state)
{
    (void)state;
    int64_t trace;
    rh_results *results = create(&trace);
    add(results, trace, "a", "memory", 0, "complete", "fragmentation_mean", 0.002);
    add(results, trace, "b", "memory", 0, "complete", "fragmentation_mean", 0.001);
    rh_summary *summary = reopen(results);
    const rh_workload *workload = &summary->workloads[0];
    rh_ratio ratio = rh_subject_ratio(&workload->subjects[0], &workload->subjects[1],
                                      rh_quantity_find("fragmentation_mean"), RH_PAIRED);
    assert_int_equal(ratio.verdict, RH_VERDICT_SAME);
    rh_summary_close(summary);
}

static void
order_is_that_of_the_list(void **state)
{
    (void)state;
    int64_t trace, again;
    rh_results *results = create(&trace);
    must(rh_results_set(results, "allocators", "c\na", &error));
    must(rh_results_add_trace(results, "a/b.rht", "aaaa", NULL, &again, &error));
    add(results, trace, "x", "memory", 0, "complete", "m", 1);
    add(results, again, "a", "memory", 0, "complete", "m", 1);
    add(results, trace, "c", "memory", 0, "complete", "m", 1);
    rh_summary *summary = reopen(results);
    /* The same hash is the same trace. */
    assert_int_equal(summary->workload_count, 1);
    const rh_workload *workload = &summary->workloads[0];
    assert_int_equal(workload->subject_count, 3);
    assert_string_equal(workload->subjects[0].spec, "c");
    assert_string_equal(workload->subjects[1].spec, "a");
    assert_string_equal(workload->subjects[2].spec, "x");
    rh_summary_close(summary);
}

static void
empty_results_are_refused(void **state)
{
    (void)state;
    int64_t trace;
    rh_results *results = create(&trace);
    rh_summary *summary;
    assert_int_equal(rh_summary_of("some.db", results, &summary, &error), RH_BAD_INPUT);
    assert_non_null(strstr(error.message, "some.db: it holds no run"));
    rh_results_close(results);
}

static void
buckets_are_summed_over_repetitions(void **state)
{
    (void)state;
    int64_t trace;
    rh_results *results = create(&trace);
    for (unsigned rep = 0; rep < 2; rep++) {
        rh_bucket buckets[] = {
            {.operation = "malloc", .lower_ns = 20, .upper_ns = 25, .count = 3},
            {.operation = "free", .lower_ns = 1, .upper_ns = 2, .count = 7},
            {.operation = "malloc", .lower_ns = 10, .upper_ns = 20, .count = 5 + rep},
            /* a range of sizes more; and not the time of the call */
            {.operation = "malloc", .lower_ns = 10, .upper_ns = 20, .count = 1, .size_least = 65},
            {.operation = "malloc", .lower_ns = 10, .upper_ns = 20, .count = 9, .response = true}};
        rh_run run = {.trace = trace,
                      .spec = "a",
                      .name = "a",
                      .version = "",
                      .pass = "latency",
                      .status = "complete",
                      .provenance = "{}",
                      .rep = rep,
                      .buckets = buckets,
                      .bucket_count = 5};
        must(rh_results_add_run(results, &run, &error));
    }
    rh_summary *summary = reopen(results);
    rh_bucket *merged;
    size_t count;
    must(rh_subject_buckets(summary, &summary->workloads[0].subjects[0], "malloc", false, &merged,
                            &count, &error));
    assert_int_equal(count, 2);
    assert_true(merged[0].lower_ns == 10 && merged[0].count == 13);
    assert_true(merged[1].lower_ns == 20 && merged[1].count == 6);
    free(merged);
    must(rh_subject_buckets(summary, &summary->workloads[0].subjects[0], "malloc", true, &merged,
                            &count, &error));
    assert_int_equal(count, 1);
    assert_int_equal(merged[0].count, 18);
    free(merged);
    rh_summary_close(summary);
}

static void
add_with(rh_results *results, int64_t trace, const char *spec, const char *pass,
         const char *provenance, const char *status)
{
    rh_run run = {.trace = trace,
                  .spec = spec,
                  .name = spec,
                  .version = "",
                  .pass = pass,
                  .status = status,
                  .provenance = provenance};
    must(rh_results_add_run(results, &run, &error));
}

static void
control_is_no_allocator(void **state)
{
    (void)state;
    int64_t trace;
    rh_results *results = create(&trace);
    add_with(results, trace, RH_CONTROL_SPEC, RH_CONTROL_PASS, "{}", "complete");
    rh_summary *summary;
    assert_int_equal(rh_summary_of("made", results, &summary, &error), RH_BAD_INPUT);
    add_with(results, trace, "a", "latency", "{}", "complete");
    summary = reopen(results);
    const rh_workload *workload = &summary->workloads[0];
    assert_int_equal(workload->subject_count, 1);
    assert_string_equal(workload->subjects[0].spec, "a");
    assert_int_equal(workload->control.run_count, 1);
    assert_string_equal(workload->control.runs[0]->pass, "latency");
    rh_summary_close(summary);
}

static void
unlike_runs_are_named(void **state)
{
    (void)state;
    int64_t trace;
    rh_results *results = create(&trace);
    add_with(results, trace, "a", "memory", "{\"touch\": \"none\", \"seed\": 1}", "complete");
    add_with(results, trace, "b", "memory", "{\"touch\": \"none\", \"seed\": 2}", "complete");
    /* Another pass, and one that failed, may differ. */
    add_with(results, trace, "a", "latency", "{\"touch\": \"none\", \"pinned\": true}", "complete");
    add_with(results, trace, "c", "memory", "{\"reason\": \"no library\"}", "failed");
    rh_summary *summary = reopen(results);
    must(rh_alike_within(summary, &summary->workloads[0], &error));
    rh_summary_close(summary);

    static const char *const modes[] = {"pace", "loop", "age"};
    for (size_t i = 0; i < 3; i++) {
        char provenance[64], other[64], words[64];
        snprintf(provenance, sizeof provenance, "{\"%s\": \"10\"}", modes[i]);
        snprintf(other, sizeof other, "{\"%s\": \"none\"}", modes[i]);
        snprintf(words, sizeof words, "differ in %s", modes[i]);
        results = create(&trace);
        add_with(results, trace, "a", "latency", provenance, "complete");
        add_with(results, trace, "b", "latency", other, "complete");
        summary = reopen(results);
        assert_int_equal(rh_alike_within(summary, &summary->workloads[0], &error), RH_USAGE);
        assert_non_null(strstr(error.message, words));
        rh_summary_close(summary);
    }

    results = create(&trace);
    add_with(results, trace, "a", "memory", "{\"kernel\": \"six\"}", "complete");
    add_with(results, trace, "b", "memory", "{\"kernel\": \"seven\"}", "complete");
    summary = reopen(results);
    assert_int_equal(rh_alike_within(summary, &summary->workloads[0], &error), RH_USAGE);
    assert_non_null(strstr(error.message, "differ in kernel"));
    assert_non_null(strstr(error.message, "\"seven\" for b"));
    rh_summary_close(summary);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_come_from_their_pass),
        cmocka_unit_test(numbers_without_a_pass_of_their_own_are_found),
        cmocka_unit_test(calm_times_need_like_stretches),
        cmocka_unit_test(pairs_are_by_repetition),
        cmocka_unit_test(excess_is_compared_as_a_whole),
        cmocka_unit_test(order_is_that_of_the_list),
        cmocka_unit_test(empty_results_are_refused),
        cmocka_unit_test(buckets_are_summed_over_repetitions),
        cmocka_unit_test(control_is_no_allocator),
        cmocka_unit_test(unlike_runs_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
