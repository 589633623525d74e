// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#include <math.h>
#include <string.h>

#include "analysis/fidelity.h"

enum { SAMPLES = 100 };

/* A memory run whose mapped bytes rise to `peak`, with one spec. */
static rh_results *
make_results(const char *spec, double peak, double fragmentation, double arenas)
{
    static rh_sample samples[SAMPLES];
    const rh_metric metrics[] = {{"peak_mapped_bytes", peak},
                                 {"fragmentation_mean", fragmentation},
                                 {"fragmentation_at_peak_live", fragmentation},
                                 {"arenas_highwater", arenas},
                                 {"pools_recycled", NAN},
                                 {"events", 1000}};
    for (int i = 0; i < SAMPLES; i++) {
        memset(&samples[i], 0xff, sizeof samples[i]); /* RH_UNKNOWN */
        samples[i].event = (uint64_t)i * 10;
        samples[i].requested_bytes = 0;
        samples[i].live_blocks = 0;
        samples[i].counters.mapped_bytes = (uint64_t)(peak * i / (SAMPLES - 1));
    }
    rh_error error = {0};
    rh_results *results;
    assert_int_equal(rh_results_create(NULL, &results, &error), RH_OK);
    rh_run run = {.spec = spec,
                  .name = spec,
                  .version = "1",
                  .pass = "memory",
                  .status = "complete",
                  .provenance = "{}",
                  .metrics = metrics,
                  .metric_count = sizeof metrics / sizeof *metrics,
                  .samples = samples,
                  .sample_count = SAMPLES};
    assert_int_equal(rh_results_add_trace(results, "a.rht", "00", "{}", &run.trace, &error), RH_OK);
    assert_int_equal(rh_results_add_run(results, &run, &error), RH_OK);
    return results;
}

static rh_fidelity
weigh(rh_results *original, rh_results *made, const char *spec)
{
    rh_fidelity fidelity;
    rh_error error = {0};
    assert_int_equal(rh_fidelity_weigh(original, made, &spec, 1, &fidelity, &error), RH_OK);
    rh_results_close(original);
    rh_results_close(made);
    return fidelity;
}

static void
near(double a, double b)
{
    assert_true(fabs(a - b) < 1e-9);
}

static void
the_same_is_perfect(void **state)
{
    (void)state;
    rh_fidelity fidelity = weigh(make_results("pymalloc", 1e6, 0.2, 3),
                                 make_results("pymalloc", 1e6, 0.2, 3), "pymalloc");
    near(fidelity.score, 1);
    near(fidelity.worst, 0);
    rh_fidelity_release(&fidelity);
}

/* Worked out by hand: 1 - 0.8, 1.2 over 1.5 twice, the same curve at four fifths, 3 arenas of 4. */
static void
differences_are_shares_of_the_larger(void **state)
{
    (void)state;
    rh_fidelity fidelity = weigh(make_results("pymalloc", 1e6, 0.2, 3),
                                 make_results("pymalloc", 8e5, 0.5, 4), "pymalloc");
    const rh_fidelity_number *number = fidelity.allocator[0].number;
    near(number[0].difference, 0.2);
    near(number[1].difference, 0.2);
    near(number[2].difference, 0.2);
    assert_true(fabs(number[3].difference - 0.2) < 1e-4); /* whole bytes */
    near(number[4].difference, 0.25);
    assert_true(isnan(number[5].difference));
    assert_true(fabs(fidelity.score - (1 - (0.2 * 4 + 0.25) / 5)) < 1e-4);
    near(fidelity.worst, 0.25);
    rh_fidelity_release(&fidelity);
}

static void
what_is_not_there_has_no_score(void **state)
{
    (void)state;
    rh_fidelity fidelity =
        weigh(make_results("pymalloc", 1e6, 0.2, 3), make_results("malloc", 1e6, 0.2, 3), "malloc");
    assert_true(isnan(fidelity.score));
    rh_fidelity_release(&fidelity);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_is_perfect),
        cmocka_unit_test(differences_are_shares_of_the_larger),
        cmocka_unit_test(what_is_not_there_has_no_score),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
