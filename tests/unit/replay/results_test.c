/* What is stored is read back, and nothing incomplete ever carries the final name. */
#define _GNU_SOURCE
#include "replay/results.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char path[4096];

static int
choose_path(void **state)
{
    (void)state;
    const char *folder = getenv("TEST_TMPDIR");
    snprintf(path, sizeof path, "%s/results.db", folder ? folder : "/tmp");
    unlink(path);
    return 0;
}

/* Every counter of sample `n` differs from every other, and every fifth is unknown. */
static void
fill_counters(rh_counters *counters, uint64_t n)
{
    uint64_t i = 0;
#define FILL(name, what) counters->name = ++i % 5 ? n * 1000 + i : RH_UNKNOWN;
    RH_COUNTERS(FILL)
#undef FILL
}

static void
add_run(rh_results *results, int64_t trace, const char *spec)
{
    rh_metric metrics[] = {{"ns_per_event", 12.5}, {"peak_mapped_bytes", NAN}};
    rh_sample samples[3];
    for (uint64_t n = 0; n < 3; n++) {
        samples[n] = (rh_sample){.event = n,
                                 .time_ns = RH_UNKNOWN,
                                 .requested_bytes = n * 7,
                                 .live_blocks = n + 50,
                                 .resident_bytes = n * 4096};
        fill_counters(&samples[n].counters, n);
    }
    rh_latency_row latencies[] = {{"malloc", false, 65, 512, 5, 10},
                                  {"free", true, 1025, UINT64_MAX, 1, 1003}};
    rh_bucket buckets[] = {{"malloc", 10, 11, 5, false, 65}, {"free", 1000, 1008, 1, true, 1025}};
    rh_stretch stretches[] = {{8192, 100000}, {17, 0}};
    rh_run run = {.trace = trace,
                  .spec = spec,
                  .name = "bump",
                  .version = "1",
                  .pass = "memory",
                  .status = "complete",
                  .provenance = "{}",
                  .rep = 2,
                  .metrics = metrics,
                  .metric_count = 2,
                  .samples = samples,
                  .sample_count = 3,
                  .latencies = latencies,
                  .latency_count = 2,
                  .buckets = buckets,
                  .bucket_count = 2,
                  .stretches = stretches,
                  .stretch_count = 2};
    rh_error error;
    assert_int_equal(rh_results_add_run(results, &run, &error), RH_OK);
    assert_true(run.id > 0);
}

static void
check_run(rh_results *results, const rh_run *stored)
{
    rh_run run = *stored;
    rh_error error;
    assert_string_equal(run.pass, "memory");
    assert_string_equal(run.status, "complete");
    assert_string_equal(run.provenance, "{}");
    assert_int_equal(run.rep, 2);
    assert_int_equal(run.metric_count, 2);
    assert_string_equal(run.metrics[0].name, "ns_per_event");
    assert_true(run.metrics[0].value == 12.5);
    assert_true(isnan(run.metrics[1].value));
    assert_int_equal(rh_results_load_samples(results, &run, &error), RH_OK);
    assert_int_equal(run.sample_count, 3);
    for (uint64_t n = 0; n < 3; n++) {
        rh_counters expected;
        fill_counters(&expected, n);
        assert_memory_equal(&run.samples[n].counters, &expected, sizeof expected);
        assert_int_equal(run.samples[n].live_blocks, n + 50);
        assert_true(run.samples[n].time_ns == RH_UNKNOWN);
    }
    assert_int_equal(rh_results_load_buckets(results, &run, &error), RH_OK);
    assert_int_equal(run.bucket_count, 2);
    assert_string_equal(run.buckets[1].operation, "free");
    assert_int_equal(run.buckets[1].upper_ns, 1008);
    assert_int_equal(run.buckets[1].size_least, 1025);
    assert_true(run.buckets[1].response && !run.buckets[0].response);
    assert_int_equal(run.latency_count, 2);
    assert_int_equal(run.latencies[0].size_most, 512);
    assert_true(run.latencies[1].size_most == UINT64_MAX && run.latencies[1].response);
    assert_int_equal(run.latencies[1].max_ns, 1003);
    assert_int_equal(rh_results_load_stretches(results, &run, &error), RH_OK);
    assert_int_equal(run.stretch_count, 2);
    assert_int_equal(run.stretches[0].busy_ns, 100000);
    assert_int_equal(run.stretches[1].calls, 17);
}

static void
check_marks(rh_results *results, int64_t trace)
{
    const rh_mark *marks;
    size_t count;
    rh_error error;
    assert_int_equal(rh_results_load_marks(results, trace, &marks, &count, &error), RH_OK);
    assert_int_equal(count, 2);
    assert_string_equal(marks[0].text, "loading");
    assert_int_equal(marks[0].event, 7);
    assert_true(marks[0].time_ns == RH_UNKNOWN);
    assert_string_equal(marks[1].text, "");
    assert_int_equal(marks[1].time_ns, 5);
    assert_int_equal(rh_results_load_marks(results, 99, &marks, &count, &error), RH_OK);
    assert_int_equal(count, 0);
}

static void
test_round_trip(void **state)
{
    (void)state;
    rh_results *results;
    rh_error error;
    int64_t trace;
    assert_int_equal(rh_results_create(path, &results, &error), RH_OK);
    assert_int_equal(rh_results_set(results, "seed", "7", &error), RH_OK);
    assert_int_equal(rh_results_add_trace(results, "a.rht", "00ff", "{}", &trace, &error), RH_OK);
    rh_mark stored[] = {{7, RH_UNKNOWN, (char[]){"loading"}}, {9, 5, (char[]){""}}};
    assert_int_equal(rh_results_add_marks(results, trace, stored, 2, &error), RH_OK);
    assert_int_not_equal(access(path, F_OK), 0);
    add_run(results, trace, "bump");
    assert_int_equal(access(path, F_OK), 0);
    add_run(results, trace, "bump,window=1M");
    rh_results_close(results);

    const rh_run *runs;
    size_t count;
    assert_int_equal(rh_results_open(path, &results, &error), RH_OK);
    assert_string_equal(rh_results_get(results, "seed"), "7");
    assert_null(rh_results_get(results, "nothing"));
    assert_int_equal(rh_results_runs(results, &runs, &count, &error), RH_OK);
    assert_int_equal(count, 2);
    assert_string_equal(runs[1].spec, "bump,window=1M");
    check_run(results, &runs[0]);
    check_run(results, &runs[1]);
    assert_string_equal(rh_results_trace_path(results, runs[0].trace), "a.rht");
    assert_string_equal(rh_results_trace_hash(results, runs[0].trace), "00ff");
    assert_null(rh_results_trace_info(results, 99));
    check_marks(results, runs[0].trace);
    rh_results_close(results);
}

static void
test_nothing_left_without_a_run(void **state)
{
    (void)state;
    rh_results *results;
    rh_error error;
    assert_int_equal(rh_results_create(path, &results, &error), RH_OK);
    rh_results_close(results);
    char other[5000];
    snprintf(other, sizeof other, "%s.unfinished", path);
    assert_int_not_equal(access(path, F_OK), 0);
    assert_int_not_equal(access(other, F_OK), 0);
}

static void
test_only_files_are_replaced(void **state)
{
    (void)state;
    rh_results *results;
    rh_error error;
    int64_t trace;
    assert_int_equal(rh_results_create("/dev/full", &results, &error), RH_SYSTEM);
    assert_int_not_equal(access("/dev/full.unfinished", F_OK), 0);
    char link[4200];
    snprintf(link, sizeof link, "%s.link", path);
    fclose(fopen(path, "w"));
    unlink(link);
    assert_int_equal(symlink(path, link), 0);
    assert_int_equal(rh_results_create(link, &results, &error), RH_OK);
    assert_int_equal(rh_results_add_trace(results, "a.rht", "", "{}", &trace, &error), RH_OK);
    add_run(results, trace, "bump");
    rh_results_close(results);
    assert_int_equal(rh_results_open(path, &results, &error), RH_OK);
    rh_results_close(results);
    unlink(link);
}

static void
test_other_files_are_refused(void **state)
{
    (void)state;
    rh_results *results;
    rh_error error;
    assert_int_equal(rh_results_open(path, &results, &error), RH_BAD_INPUT);
    FILE *file = fopen(path, "w");
    for (int i = 0; i < 1000; i++)
        fputs("not a database\n", file);
    fclose(file);
    assert_int_equal(rh_results_open(path, &results, &error), RH_BAD_INPUT);
    assert_non_null(strstr(error.message, path));
    file = fopen(path, "w");
    fclose(file);
    assert_int_equal(rh_results_open(path, &results, &error), RH_BAD_INPUT);
    assert_int_equal(rh_results_create("/nowhere/at/all.db", &results, &error), RH_SYSTEM);
}

/* Overwrites what stands at `offset`, or at the first `word`; the message is one line that says
 * what to do. */
static void
damaged_is_told(long offset, const char *word)
{
    rh_results *results;
    rh_error error;
    int64_t trace;
    static char start[1 << 18];
    assert_int_equal(rh_results_create(path, &results, &error), RH_OK);
    assert_int_equal(rh_results_add_trace(results, "a.rht", "", "{}", &trace, &error), RH_OK);
    add_run(results, trace, "bump");
    rh_results_close(results);
    FILE *file = fopen(path, "r+");
    size_t read = fread(start, 1, sizeof start, file);
    if (word) {
        const char *at = memmem(start, read, word, strlen(word));
        assert_non_null(at);
        offset = at - start;
    }
    assert_int_equal(fseek(file, offset, SEEK_SET), 0);
    fputs("]]]]]]]]]]]]", file);
    fclose(file);
    assert_int_equal(rh_results_open(path, &results, &error), RH_BAD_INPUT);
    assert_non_null(strstr(error.message, "damaged"));
    assert_non_null(strstr(error.message, "replay again"));
    assert_null(strchr(error.message, '\n'));
    unlink(path);
}

static void
test_damage_is_told(void **state)
{
    (void)state;
    damaged_is_told(0, "CREATE INDEX");
    damaged_is_told(2 * 4096 + 1, NULL);
}

/* Before its first run the file lies under another name, afterwards under its own. */
static void
test_a_second_writer_is_refused(void **state)
{
    (void)state;
    rh_results *first, *second;
    rh_error error;
    int64_t trace;
    assert_int_equal(rh_results_create(path, &first, &error), RH_OK);
    assert_int_equal(rh_results_create(path, &second, &error), RH_SYSTEM);
    assert_non_null(strstr(error.message, "another replay"));
    assert_int_equal(rh_results_add_trace(first, "a.rht", "", "{}", &trace, &error), RH_OK);
    add_run(first, trace, "bump");
    assert_int_equal(rh_results_create(path, &second, &error), RH_SYSTEM);
    add_run(first, trace, "malloc");
    rh_results_close(first);
    assert_int_equal(rh_results_create(path, &second, &error), RH_OK);
    rh_results_close(second);
    assert_int_equal(rh_results_open(path, &first, &error), RH_OK);
    rh_results_close(first);
}

static rh_results *
begun(const char *name)
{
    rh_results *results;
    rh_error error;
    int64_t trace;
    assert_int_equal(rh_results_create(name, &results, &error), RH_OK);
    assert_int_equal(rh_results_add_trace(results, "a.rht", "", "{}", &trace, &error), RH_OK);
    add_run(results, trace, "bump");
    return results;
}

/* As cp does it: into the file that is there. */
static void
copy_over(const char *from, const char *to)
{
    static char bytes[1 << 20];
    FILE *in = fopen(from, "r"), *out = fopen(to, "w");
    size_t size = fread(bytes, 1, sizeof bytes, in);
    assert_true(size > 0 && size < sizeof bytes);
    assert_int_equal(fwrite(bytes, 1, size, out), size);
    fclose(in);
    fclose(out);
}

static void
is_told(rh_results *results, const char *words)
{
    rh_error error;
    rh_run run = {.trace = 1,
                  .spec = "malloc",
                  .name = "malloc",
                  .version = "",
                  .pass = "memory",
                  .status = "complete",
                  .provenance = "{}"};
    assert_int_equal(rh_results_add_run(results, &run, &error), RH_SYSTEM);
    assert_non_null(strstr(error.message, words));
    assert_int_equal(rh_results_check_kept(results, true, &error), RH_SYSTEM);
    assert_non_null(strstr(error.message, words));
    rh_results_close(results);
}

/* Others that write do not ask for the lock. The other file is as much like ours as can be: SQLite
 * itself would not notice. */
static void
test_other_writers_are_noticed(void **state)
{
    (void)state;
    char other[4200], earlier[4200];
    rh_error error;
    snprintf(other, sizeof other, "%s.other", path);
    snprintf(earlier, sizeof earlier, "%s.earlier", path);
    unlink(other);
    rh_results_close(begun(other));

    rh_results *results = begun(path);
    assert_int_equal(rh_results_check_kept(results, true, &error), RH_OK);
    copy_over(other, path);
    is_told(results, "wrote over it");

    results = begun(path);
    copy_over(path, earlier);
    add_run(results, 1, "malloc");
    copy_over(earlier, path); /* ours, without the last run */
    is_told(results, "wrote over it");

    results = begun(path);
    FILE *file = fopen(path, "w");
    fputs("no database", file);
    fclose(file);
    is_told(results, "wrote over it");
    unlink(path);

    results = begun(path);
    unlink(path);
    is_told(results, "removed or replaced");

    results = begun(path);
    assert_int_equal(rename(other, path), 0);
    is_told(results, "removed or replaced");

    assert_int_equal(rh_results_reopen(path, &results, &error), RH_OK);
    add_run(results, 1, "malloc");
    assert_int_equal(rh_results_check_kept(results, true, &error), RH_OK);
    rh_results_close(results);
    unlink(earlier);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_round_trip, choose_path),
        cmocka_unit_test_setup(test_nothing_left_without_a_run, choose_path),
        cmocka_unit_test_setup(test_only_files_are_replaced, choose_path),
        cmocka_unit_test_setup(test_other_files_are_refused, choose_path),
        cmocka_unit_test_setup(test_damage_is_told, choose_path),
        cmocka_unit_test_setup(test_a_second_writer_is_refused, choose_path),
        cmocka_unit_test_setup(test_other_writers_are_noticed, choose_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
