/* What a tuning concludes from given results, and the sentences it says it in. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "analysis/story.h"
#include "analysis/summary.h"
#include "analysis/tune.h"
#include "tests/unit/analysis/made_results.h"

static rh_summary *
open_made(const made_options *options)
{
    char path[4096];
    const char *folder = getenv("TEST_TMPDIR");
    snprintf(path, sizeof path, "%s/made.db", folder ? folder : "/tmp");
    make_results(path, options);
    rh_summary *summary;
    rh_error error = {.status = RH_OK};
    if (rh_summary_open(path, &summary, &error) != RH_OK)
        fail_msg("%s", error.message);
    return summary;
}

/* All specs, pymalloc first. */
static size_t
specs_of(const rh_workload *workload, const char **specs)
{
    size_t count = 1;
    specs[0] = "pymalloc";
    for (size_t i = 0; i < workload->subject_count; i++) {
        if (strcmp(workload->subjects[i].spec, "pymalloc") != 0)
            specs[count++] = workload->subjects[i].spec;
    }
    return count;
}

static void
the_recommended_is_the_cheapest_acceptable(void **state)
{
    (void)state;
    made_options options = made_standard;
    options.grid = 1;
    rh_summary *summary = open_made(&options);
    const rh_workload *workload = &summary->workloads[0];
    const char *specs[64];
    size_t count = specs_of(workload, specs);
    assert_int_equal(count, 6 + 23);
    rh_tuning *tuning = rh_tune_weigh(&workload, 1, specs, count, "fragmentation_mean");
    assert_int_equal(tuning->count, count);
    assert_int_equal(tuning->repetitions, 3);
    const rh_tuned *chosen = &tuning->candidate[tuning->recommended];
    assert_string_equal(chosen->spec, "pymalloc,arena=512K,pool=16K");
    assert_true(chosen->front);
    assert_true(chosen->memory_ratio <= 1);
    assert_true(chosen->time.verdict == RH_VERDICT_SAME || chosen->time.verdict == RH_VERDICT_LESS);
    for (size_t i = 0; i < count; i++) {
        const rh_tuned *other = &tuning->candidate[i];
        bool slower = other->time.verdict == RH_VERDICT_MORE;
        /* Nobody on the front that is not slower has less memory and no more time. */
        if (other->front && !slower && other->memory_ratio < chosen->memory_ratio)
            assert_true(other->time.value > chosen->time.value);
    }
    char text[512];
    rh_tuning_sentence(tuning, "fragmentation_mean", text, sizeof text);
    assert_non_null(strstr(text, chosen->spec));
    assert_non_null(strstr(text, " holds 2.6 % less memory over time than pymalloc and cannot be "
                                 "told from it in speed ("));
    rh_tuning_release(tuning);
    rh_summary_close(summary);
}

static void
nothing_better_keeps_the_baseline(void **state)
{
    (void)state;
    rh_summary *summary = open_made(&made_standard);
    const rh_workload *workload = &summary->workloads[0];
    const char *specs[] = {"pymalloc", "malloc", "jemalloc", "nonesuch"};
    rh_tuning *tuning = rh_tune_weigh(&workload, 1, specs, 4, "fragmentation_mean");
    assert_int_equal(tuning->recommended, 0);
    assert_true(tuning->candidate[0].front);
    assert_false(tuning->candidate[1].front);
    assert_true(isnan(tuning->candidate[3].memory) && !tuning->candidate[3].front);
    char text[512];
    rh_tuning_sentence(tuning, "fragmentation_mean", text, sizeof text);
    assert_non_null(strstr(text, "keep it"));
    rh_tuning_release(tuning);
    rh_summary_close(summary);
}

static void
one_run_is_not_called_sure(void **state)
{
    (void)state;
    made_options options = made_standard;
    options.grid = 1;
    options.repetitions = 1;
    rh_summary *summary = open_made(&options);
    const rh_workload *workload = &summary->workloads[0];
    const char *specs[] = {"pymalloc", "pymalloc,arena=512K,pool=16K",
                           "pymalloc,arena=256K,pool=16K"};
    rh_tuning *tuning = rh_tune_weigh(&workload, 1, specs, 3, "peak_mapped_bytes");
    assert_int_equal(tuning->candidate[1].time.verdict, RH_VERDICT_UNKNOWN);
    assert_true(tuning->recommended != 0);
    char text[512];
    rh_tuning_sentence(tuning, "peak_mapped_bytes", text, sizeof text);
    assert_non_null(strstr(text, "too few runs to be sure"));
    assert_non_null(strstr(text, "at the peak"));
    rh_tuning_release(tuning);
    rh_summary_close(summary);
}

/* Two recordings count as their geometric mean: the same twice is the same once. */
static void
two_recordings_are_averaged(void **state)
{
    (void)state;
    rh_summary *summary = open_made(&made_standard);
    const rh_workload *twice[] = {&summary->workloads[0], &summary->workloads[0]};
    const char *specs[] = {"pymalloc", "mimalloc"};
    rh_tuning *one = rh_tune_weigh(twice, 1, specs, 2, "fragmentation_mean");
    rh_tuning *two = rh_tune_weigh(twice, 2, specs, 2, "fragmentation_mean");
    assert_true(fabs(one->candidate[1].memory - two->candidate[1].memory) < 1e-12);
    assert_true(fabs(one->candidate[1].ns - two->candidate[1].ns) < 1e-9);
    assert_true(fabs(one->candidate[1].memory_ratio - 1.33 / 1.14) < 1e-9);
    rh_tuning_release(one);
    rh_tuning_release(two);
    rh_summary_close(summary);
}

static void
the_story_names_the_extremes(void **state)
{
    (void)state;
    rh_summary *summary = open_made(&made_standard);
    const rh_workload *workload = &summary->workloads[0];
    const rh_subject *baseline = rh_workload_subject(workload, "pymalloc");
    char text[600];
    rh_story_speed(workload, baseline, text, sizeof text);
    assert_string_equal(text, "A call takes pymalloc 11.2 ns; the library of the real CPython, "
                              "cpython, 11.9 ns (1.06 times as long); the fastest, mimalloc, 10.1 "
                              "ns (0.90 times as long); the slowest, malloc, 19.3 ns (1.72 times "
                              "as long).");
    rh_story_memory(workload, baseline, text, sizeof text);
    assert_non_null(strstr(text, "At its peak the program asks for "));
    assert_non_null(strstr(text, "the least of all, and mimalloc the most with "));
    rh_story_memory(workload, rh_workload_subject(workload, "malloc"), text, sizeof text);
    assert_non_null(strstr(text, ", pymalloc the least with "));
    rh_summary_close(summary);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_recommended_is_the_cheapest_acceptable),
        cmocka_unit_test(nothing_better_keeps_the_baseline),
        cmocka_unit_test(one_run_is_not_called_sure),
        cmocka_unit_test(two_recordings_are_averaged),
        cmocka_unit_test(the_story_names_the_extremes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
