/* Whole experiments over a trace file: what is stored, what fails and how. */
#define _GNU_SOURCE
#include "replay/experiment.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "replay/child.h"
#include "replay/metrics.h"
#include "tests/unit/replay/events.h"
#include "traces/writer.h"

static char trace_path[4096], library_path[4096];

/* Random calls as a file; domains told. */
static int
make_trace(void **state)
{
    (void)state;
    const char *folder = getenv("TEST_TMPDIR");
    snprintf(trace_path, sizeof trace_path, "%s/random.rht", folder ? folder : "/tmp");
    const char *sources = getenv("TEST_SRCDIR"), *workspace = getenv("TEST_WORKSPACE");
    snprintf(library_path, sizeof library_path, "%s/%s/tests/unit/replay/libfailing.so",
             sources ? sources : ".", workspace ? workspace : ".");
    rh_test_events events = {0};
    rh_test_events_random(&events, 3, 40000, 2000);
    rh_trace_info info;
    rh_trace_info_init(&info);
    info.domains = true;
    rh_writer *writer;
    rh_error error = {.message = ""};
    uint32_t handles[2000];
    rh_status status = rh_writer_open(trace_path, &info, NULL, &writer, &error);
    for (size_t i = 0; i < events.count && status == RH_OK; i++) {
        uint32_t slot = events.event[i].slot, none = 0;
        status = rh_writer_event(writer, &events.event[i],
                                 slot == RH_NO_SLOT ? &none : &handles[slot], &error);
    }
    if (status == RH_OK)
        status = rh_writer_finish(writer, 0, 0, &error);
    rh_test_events_release(&events);
    rh_trace_info_release(&info);
    return (int)status;
}

static int
remove_trace(void **state)
{
    (void)state;
    return unlink(trace_path);
}

static rh_experiment
experiment_of(const char *const *specs, size_t count, unsigned measures)
{
    static const char *traces[1];
    traces[0] = trace_path;
    rh_experiment experiment;
    rh_experiment_init(&experiment);
    experiment.traces = traces;
    experiment.trace_count = 1;
    experiment.specs = specs;
    experiment.spec_count = count;
    experiment.measures = measures;
    experiment.repetitions = 2;
    experiment.samples = 50;
    experiment.quiet = true;
    return experiment;
}

static rh_status
run(const rh_experiment *experiment, rh_results **results, rh_error *error)
{
    *error = (rh_error){.status = RH_OK};
    assert_int_equal(rh_results_create(NULL, results, error), RH_OK);
    return rh_experiment_run(experiment, *results, error);
}

static const rh_run *
runs_of(rh_results *results, size_t *count)
{
    const rh_run *runs;
    rh_error error;
    assert_int_equal(rh_results_runs(results, &runs, count, &error), RH_OK);
    return runs;
}

static double
get(const rh_run *run, const char *name)
{
    return rh_metrics_get(run->metrics, run->metric_count, name);
}

/* They are the run's calls and its time, cut. */
static void
expect_stretches(rh_results *results, const rh_run *run)
{
    rh_run loaded = *run;
    rh_error error;
    assert_int_equal(rh_results_load_stretches(results, &loaded, &error), RH_OK);
    double calls = 0, busy_ns = 0;
    for (size_t i = 0; i < loaded.stretch_count; i++) {
        calls += (double)loaded.stretches[i].calls;
        busy_ns += (double)loaded.stretches[i].busy_ns;
    }
    assert_true(calls == get(run, "events"));
    assert_true(fabs(busy_ns / calls - get(run, "ns_per_event")) < 0.001);
}

static void
test_all_measures(void **state)
{
    (void)state;
    static const char *const specs[] = {"bump", "pymalloc", "malloc"};
    rh_experiment experiment = experiment_of(specs, 3, 7);
    rh_results *results;
    rh_error error;
    assert_int_equal(run(&experiment, &results, &error), RH_OK);
    size_t count, of_pass[3] = {0};
    const rh_run *runs = runs_of(results, &count);
    for (size_t i = 0; i < count; i++) {
        rh_run loaded = runs[i];
        assert_string_equal(runs[i].status, "complete");
        assert_true(get(&runs[i], "events") >= 40000);
        if (strcmp(runs[i].pass, "memory") == 0) {
            of_pass[0]++;
            assert_int_equal(rh_results_load_samples(results, &loaded, &error), RH_OK);
            assert_true(loaded.sample_count >= 51 && loaded.sample_count <= 53);
            assert_true(get(&runs[i], "peak_mapped_bytes") > 0);
        } else if (strcmp(runs[i].pass, "throughput") == 0) {
            of_pass[1]++;
            assert_true(get(&runs[i], "ns_per_event") > 0);
            expect_stretches(results, &runs[i]);
        } else {
            of_pass[2]++;
            assert_true(get(&runs[i], "probe_ns") > 0);
            assert_true(get(&runs[i], "malloc_p50_ns") <= get(&runs[i], "malloc_p9999_ns"));
            assert_true(get(&runs[i], "malloc_p9999_ns") <= get(&runs[i], "malloc_max_ns"));
            assert_int_equal(rh_results_load_buckets(results, &loaded, &error), RH_OK);
            uint64_t timed = 0;
            for (size_t b = 0; b < loaded.bucket_count; b++)
                timed += loaded.buckets[b].count;
            assert_true((double)timed == get(&runs[i], "malloc_timed_calls") +
                                             get(&runs[i], "calloc_timed_calls") +
                                             get(&runs[i], "realloc_timed_calls") +
                                             get(&runs[i], "free_timed_calls"));
        }
    }
    /* The memory of what behaves the same every time is measured once. */
    assert_int_equal(of_pass[0], 1 + 1 + 2);
    assert_int_equal(of_pass[1], 6);
    assert_int_equal(of_pass[2], 6);
    rh_results_close(results);
}

static void
test_memory_is_the_same_every_time(void **state)
{
    (void)state;
    static const char *const specs[] = {"bestfit", "pymalloc", "pymalloc,arena=4M", "bump",
                                        "pymalloc@3.7"};
    rh_results *results[2];
    rh_error error;
    const rh_run *runs[2];
    size_t count;
    for (unsigned i = 0; i < 2; i++) {
        rh_experiment experiment = experiment_of(specs, 5, RH_MEASURE_MEMORY);
        experiment.seed = i;
        assert_int_equal(run(&experiment, &results[i], &error), RH_OK);
        runs[i] = runs_of(results[i], &count);
        assert_int_equal(count, 5);
    }
    for (size_t i = 0; i < count; i++) {
        assert_string_equal(runs[0][i].spec, runs[1][i].spec);
        for (size_t m = 0; m < runs[0][i].metric_count; m++) {
            const rh_metric *a = &runs[0][i].metrics[m], *b = &runs[1][i].metrics[m];
            if (!strstr(a->name, "resident"))
                assert_true(a->value == b->value || (isnan(a->value) && isnan(b->value)));
        }
    }
    rh_results_close(results[0]);
    rh_results_close(results[1]);
}

static void
test_usage(void **state)
{
    (void)state;
    static const char *const wrong[] = {"nosuch", "pymalloc,arena=1", "bump,", "pymalloc@2.7"};
    rh_results *results;
    rh_error error;
    for (int i = 0; i < 4; i++) {
        rh_experiment experiment = experiment_of(&wrong[i], 1, 7);
        assert_int_equal(run(&experiment, &results, &error), RH_USAGE);
        size_t count;
        runs_of(results, &count);
        assert_int_equal(count, 0);
        rh_results_close(results);
    }
    static const char *const numbers[] = {"pymalloc,source=virtual"};
    rh_experiment touching = experiment_of(numbers, 1, 7);
    touching.touch = RH_TOUCH_FIRST;
    assert_int_equal(run(&touching, &results, &error), RH_USAGE);
    rh_results_close(results);
}

static void
test_bad_traces(void **state)
{
    (void)state;
    static const char *const specs[] = {"bump"};
    rh_experiment experiment = experiment_of(specs, 1, 7);
    const char *traces[] = {library_path};
    experiment.traces = traces;
    rh_results *results;
    rh_error error;
    assert_int_equal(run(&experiment, &results, &error), RH_BAD_INPUT);
    assert_non_null(strstr(error.message, library_path));
    rh_results_close(results);
}

/* What cannot run is stored with its reason, and the others run. */
static void
expect_one_failure(const char *bad, const char *reason)
{
    const char *const specs[] = {bad, "bump"};
    rh_experiment experiment = experiment_of(specs, 2, RH_MEASURE_THROUGHPUT);
    experiment.patience_seconds = 1;
    rh_results *results;
    rh_error error;
    assert_int_equal(run(&experiment, &results, &error), RH_CANNOT_RUN);
    if (!strstr(error.message, reason))
        fail_msg("'%s' does not tell of '%s'", error.message, reason);
    size_t count, failed = 0;
    const rh_run *runs = runs_of(results, &count);
    assert_int_equal(count, 4);
    for (size_t i = 0; i < count; i++) {
        bool is_bad = strcmp(runs[i].spec, bad) == 0;
        assert_string_equal(runs[i].status, is_bad ? "failed" : "complete");
        if (is_bad)
            assert_non_null(strstr(runs[i].provenance, "\"reason\""));
        failed += is_bad;
    }
    assert_int_equal(failed, 2);
    rh_results_close(results);
}

static void
test_library_that_is_not_there(void **state)
{
    (void)state;
    expect_one_failure("preload,so=/nowhere/libmine.so", "/nowhere/libmine.so");
}

static char *
with_mode(const char *mode)
{
    static char spec[5000];
    setenv("FAILING_MALLOC", mode, 1);
    snprintf(spec, sizeof spec, "preload,so=%s", library_path);
    return spec;
}

static void
test_allocator_that_crashes(void **state)
{
    (void)state;
    expect_one_failure(with_mode("crash"), "ended by signal");
}

static void
test_allocator_that_hangs(void **state)
{
    (void)state;
    expect_one_failure(with_mode("hang"), "made no progress");
}

/* Failing where the recording succeeded does not end a run, but marks it. */
static void
test_allocator_that_fails(void **state)
{
    (void)state;
    const char *specs[] = {with_mode("fail")};
    rh_experiment experiment =
        experiment_of(specs, 1, RH_MEASURE_THROUGHPUT | RH_MEASURE_MEMORY | RH_MEASURE_LATENCY);
    rh_results *results;
    rh_error error;
    rh_status status = run(&experiment, &results, &error);
    if (status != RH_OK)
        fail_msg("%s", error.message);
    size_t count;
    const rh_run *runs = runs_of(results, &count);
    assert_int_equal(count, 6 + 2); /* the control of each repetition */
    size_t controls = 0;
    for (size_t i = 0; i < count; i++) {
        bool control = strcmp(runs[i].pass, RH_CONTROL_PASS) == 0;
        controls += control;
        assert_string_equal(runs[i].status, control ? "complete" : "flagged");
        if (control)
            continue;
        assert_true(get(&runs[i], "failed_allocations") > 0);
        assert_true(get(&runs[i], "skipped_events") > 0);
    }
    assert_int_equal(controls, 2);
    rh_results_close(results);
}

int
main(int argc, char **argv)
{
    rh_child_asked(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_measures),
        cmocka_unit_test(test_memory_is_the_same_every_time),
        cmocka_unit_test(test_usage),
        cmocka_unit_test(test_bad_traces),
        cmocka_unit_test(test_library_that_is_not_there),
        cmocka_unit_test(test_allocator_that_crashes),
        cmocka_unit_test(test_allocator_that_hangs),
        cmocka_unit_test(test_allocator_that_fails),
    };
    return cmocka_run_group_tests(tests, make_trace, remove_trace);
}
