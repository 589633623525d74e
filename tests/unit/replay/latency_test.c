/* Parts merged are the whole: threads, repetitions, and what several results files keep. */
#define _GNU_SOURCE
#include "replay/latency.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "replay/latency_store.h"

enum { PARTS = 3, VALUES = 30000 };

static rh_latency parts[PARTS], whole, merged;

/* Durations of all magnitudes, of every operation and size; each goes to one part and to the whole.
 */
static int
draw(void **state)
{
    (void)state;
    rh_random random = {5};
    memset(parts, 0, sizeof parts);
    memset(&whole, 0, sizeof whole);
    memset(&merged, 0, sizeof merged);
    for (int i = 0; i < VALUES; i++) {
        uint64_t ns = rh_random_next(&random) >> (64 - 1 - rh_random_below(&random, 39));
        uint64_t size = rh_random_next(&random) >> (64 - 1 - rh_random_below(&random, 24));
        unsigned operation = (unsigned)rh_random_below(&random, RH_TIMED_OPERATIONS);
        unsigned range = rh_size_range(size);
        rh_histogram_add(&parts[i % PARTS].histogram[operation][range], ns);
        rh_histogram_add(&whole.histogram[operation][range], ns);
    }
    return 0;
}

static void
test_every_size_is_in_its_range(void **state)
{
    (void)state;
    static const uint64_t sizes[] = {0,    1,     64,    65,      512,           513,
                                     4096, 65536, 65537, 1 << 20, (1 << 20) + 1, UINT64_MAX};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        unsigned range = rh_size_range(sizes[i]);
        assert_true(range < RH_SIZE_RANGES);
        assert_true(rh_size_range_least(range) <= sizes[i]);
        assert_true(sizes[i] <= rh_size_range_most[range]);
    }
    char text[64];
    assert_string_equal(rh_size_range_text(0, 64, text, sizeof text), "to 64 B");
    assert_string_equal(rh_size_range_text(513, 4096, text, sizeof text), "to 4 KiB");
    assert_string_equal(rh_size_range_text((1 << 20) + 1, UINT64_MAX, text, sizeof text),
                        "above 1 MiB");
}

static void
test_merged_parts_are_the_whole(void **state)
{
    (void)state;
    for (int i = 0; i < PARTS; i++)
        rh_latency_merge(&merged, &parts[i]);
    assert_memory_equal(&merged, &whole, sizeof whole);
}

/* A run in a results file of its own. */
static rh_results *
store(const rh_latency *latency, bool response)
{
    rh_results *results;
    rh_error error;
    rh_latency_rows rows = {.row_count = 0};
    rh_latency_rows_add(&rows, latency, response);
    rh_run run = {.spec = "a",
                  .name = "a",
                  .version = "",
                  .pass = "latency",
                  .status = "complete",
                  .provenance = "{}",
                  .latencies = rows.row,
                  .latency_count = rows.row_count,
                  .buckets = rows.bucket,
                  .bucket_count = rows.bucket_count};
    assert_int_equal(rh_results_create(NULL, &results, &error), RH_OK);
    assert_int_equal(rh_results_add_trace(results, "a.rht", "00", "{}", &run.trace, &error), RH_OK);
    assert_int_equal(rh_results_add_run(results, &run, &error), RH_OK);
    rh_latency_rows_release(&rows);
    return results;
}

static rh_status
recall(rh_results *results, bool response)
{
    const rh_run *runs;
    size_t count;
    rh_error error;
    assert_int_equal(rh_results_runs(results, &runs, &count, &error), RH_OK);
    assert_int_equal(count, 1);
    return rh_latency_recall(results, &runs[0], response, &merged, &error);
}

static void
test_several_files_are_the_whole(void **state)
{
    (void)state;
    for (int i = 0; i < PARTS; i++) {
        bool response = i == 1;
        rh_results *results = store(&parts[i], response);
        assert_int_equal(recall(results, !response), RH_OK); /* has none of these */
        assert_int_equal(recall(results, response), RH_OK);
        rh_results_close(results);
    }
    assert_memory_equal(&merged, &whole, sizeof whole);
}

static void
test_other_buckets_are_refused(void **state)
{
    (void)state;
    rh_latency_row row = {"malloc", false, 0, 64, 1, 130};
    rh_bucket bucket = {"malloc", 129, 131, 1, false, 0};
    rh_histogram histogram = {.total = 0};
    assert_false(rh_histogram_restore(&histogram, 129, 131, 1));
    assert_int_equal(histogram.total, 0);
    rh_results *results;
    rh_error error;
    rh_run run = {.spec = "a",
                  .name = "a",
                  .version = "",
                  .pass = "latency",
                  .status = "complete",
                  .provenance = "{}",
                  .latencies = &row,
                  .latency_count = 1,
                  .buckets = &bucket,
                  .bucket_count = 1};
    assert_int_equal(rh_results_create(NULL, &results, &error), RH_OK);
    assert_int_equal(rh_results_add_trace(results, "a.rht", "00", "{}", &run.trace, &error), RH_OK);
    assert_int_equal(rh_results_add_run(results, &run, &error), RH_OK);
    assert_int_equal(recall(results, false), RH_BAD_INPUT);
    rh_results_close(results);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_size_is_in_its_range),
        cmocka_unit_test_setup(test_merged_parts_are_the_whole, draw),
        cmocka_unit_test_setup(test_several_files_are_the_whole, draw),
        cmocka_unit_test_setup(test_other_buckets_are_refused, draw),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
