/* Medians and quantiles against a naive computation; the verdicts of ratios. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "analysis/statistics.h"
#include "base/random.h"

static void
near(double a, double b)
{
    if (!(fabs(a - b) <= 1e-12 * fmax(fabs(a), fabs(b))))
        fail_msg("%.17g is not %.17g", a, b);
}

/* The value with as many below as above it, found by counting. */
static double
naive_median(const double *values, size_t count)
{
    double middle[2] = {NAN, NAN};
    for (size_t i = 0; i < count; i++) {
        size_t below = 0, equal_before = 0;
        for (size_t j = 0; j < count; j++) {
            below += values[j] < values[i];
            equal_before += values[j] == values[i] && j < i;
        }
        if (below + equal_before == (count - 1) / 2)
            middle[0] = values[i];
        if (below + equal_before == count / 2)
            middle[1] = values[i];
    }
    return (middle[0] + middle[1]) / 2;
}

static void
median_is_the_naive_one(void **state)
{
    (void)state;
    rh_random random = {.state = 7};
    double values[40];
    for (size_t count = 1; count <= 40; count++) {
        for (int round = 0; round < 20; round++) {
            for (size_t i = 0; i < count; i++)
                values[i] = (double)rh_random_below(&random, 30);
            near(rh_median(values, count), naive_median(values, count));
        }
    }
    assert_true(isnan(rh_median(values, 0)));
}

static void
nan_is_left_out_and_order_kept(void **state)
{
    (void)state;
    double values[] = {5, NAN, 1, 3, NAN};
    near(rh_median(values, 5), 3);
    assert_true(values[0] == 5 && values[2] == 1);
    near(rh_quantile(values, 5, 0), 1);
    near(rh_quantile(values, 5, 1), 5);
    near(rh_quantile(values, 5, 0.25), 2);
}

static void
pairs_cancel_what_both_met(void **state)
{
    (void)state;
    /* The machine slows down by half in the middle; the ratio is 0.9 all the same. */
    double base[] = {10, 10, 10, 15, 15, 15, 15.1, 10.2};
    double ours[8];
    for (int i = 0; i < 8; i++)
        ours[i] = base[i] * (0.9 + (i % 2 ? 0.002 : -0.002));
    rh_ratio ratio = rh_ratio_paired(ours, base, 8);
    assert_int_equal(ratio.verdict, RH_VERDICT_LESS);
    assert_true(ratio.low >= 0.897 && ratio.high <= 0.903 && ratio.low <= ratio.value &&
                ratio.value <= ratio.high);
    rh_ratio apart = rh_ratio_unpaired(ours, 8, base, 8);
    assert_int_equal(apart.verdict, RH_VERDICT_SAME);
}

static void
three_runs_are_judged_with_care(void **state)
{
    (void)state;
    double base[] = {10, 10.1, 9.9}, little[] = {9.7, 10.0, 9.75}, much[] = {8, 8.1, 7.9};
    /* All three are lower, but so they would be by chance in one of eight cases. */
    assert_int_equal(rh_ratio_paired(little, base, 3).verdict, RH_VERDICT_SAME);
    assert_int_equal(rh_ratio_paired(much, base, 3).verdict, RH_VERDICT_LESS);
    assert_int_equal(rh_ratio_paired(base, much, 3).verdict, RH_VERDICT_MORE);
    assert_int_equal(rh_ratio_unpaired(base, 3, much, 3).verdict, RH_VERDICT_MORE);
    rh_ratio two = rh_ratio_paired(much, base, 2);
    assert_int_equal(two.verdict, RH_VERDICT_UNKNOWN);
    assert_true(isfinite(two.value) && isnan(two.low) && isnan(two.high));
}

static void
student_interval_is_the_known_one(void **state)
{
    (void)state;
    /* Logarithms -0.1, 0, 0.1: mean 0, standard error 0.1/sqrt(3); t(2) = 5.523, which
     * one in 32 exceed. */
    double base[] = {1, 1, 1}, ours[] = {exp(-0.1), 1, exp(0.1)};
    rh_ratio ratio = rh_ratio_paired(ours, base, 3);
    near(ratio.high, exp(5.523 * 0.1 / sqrt(3)));
    near(ratio.low, exp(-5.523 * 0.1 / sqrt(3)));
    assert_int_equal(ratio.verdict, RH_VERDICT_SAME);
}

static void
sure_but_negligible_is_the_same(void **state)
{
    (void)state;
    double base[8], ours[8];
    for (int i = 0; i < 8; i++) {
        base[i] = 10 + i;
        ours[i] = base[i] * 1.004;
    }
    rh_ratio ratio = rh_ratio_paired(ours, base, 8);
    assert_true(ratio.low > 1);
    assert_int_equal(ratio.verdict, RH_VERDICT_SAME);
}

static void
same_input_same_interval(void **state)
{
    (void)state;
    double base[] = {3, 4, 5, 3.5, 4.2, 4.4, 3.9}, ours[] = {3.3, 4, 4.6, 3.6, 4.4, 4.1, 4};
    rh_ratio a = rh_ratio_paired(ours, base, 7), b = rh_ratio_paired(ours, base, 7);
    assert_true(a.low == b.low && a.high == b.high && a.low < a.high);
}

/* The interval of subsets' means covers the true ratio at least as often as it says. */
static void
interval_covers(void **state)
{
    (void)state;
    rh_random random = {.state = 99};
    int covered = 0;
    enum { TRIALS = 300, RUNS = 12 };
    for (int trial = 0; trial < TRIALS; trial++) {
        double base[RUNS], ours[RUNS];
        for (int i = 0; i < RUNS; i++) {
            base[i] = 100;
            ours[i] = 90 + (double)rh_random_below(&random, 21) + 0.0;
        }
        rh_ratio ratio = rh_ratio_paired(ours, base, RUNS);
        covered += ratio.low <= 1 && 1 <= ratio.high;
    }
    assert_in_range(covered, TRIALS * 95 / 100, TRIALS);
}

/* What cannot be told apart says how much more would tell: as many as the guess promises decide it.
 */
static void
more_runs_decide(void **state)
{
    (void)state;
    rh_random random = {.state = 5};
    double base[RH_MORE_RUNS_MOST], ours[RH_MORE_RUNS_MOST];
    for (int i = 0; i < RH_MORE_RUNS_MOST; i++) {
        base[i] = 100;
        ours[i] = i < 6 ? 94 + i * 2 : 92 + (double)rh_random_below(&random, 81) / 10; /* 96 +- 4 */
    }
    rh_ratio few = rh_ratio_paired(ours, base, 6);
    assert_int_equal(few.verdict, RH_VERDICT_SAME);
    assert_in_range(few.more_runs, 1, RH_MORE_RUNS_MOST - 1);
    assert_int_equal(rh_ratio_paired(ours, base, 400).verdict, RH_VERDICT_LESS);
    assert_int_equal(rh_ratio_paired(ours, base, 400).more_runs, 0);
    /* Nothing to tell apart, and an interval that says so. */
    for (int i = 0; i < 9; i++)
        ours[i] = 100 + (i % 3 - 1) * 0.1;
    rh_ratio same = rh_ratio_paired(ours, base, 9);
    assert_int_equal(same.verdict, RH_VERDICT_SAME);
    assert_int_equal(same.more_runs, 0);
    /* Two runs have no interval yet. */
    assert_int_equal(rh_ratio_paired(ours, base, 2).more_runs, 1);
    assert_int_equal(rh_ratio_paired(ours, base, 0).more_runs, 0);
}

static void
exact_needs_no_repetition(void **state)
{
    (void)state;
    assert_int_equal(rh_ratio_exact(90, 100).verdict, RH_VERDICT_LESS);
    assert_int_equal(rh_ratio_exact(100, 90).verdict, RH_VERDICT_MORE);
    assert_int_equal(rh_ratio_exact(100.5, 100).verdict, RH_VERDICT_SAME);
    assert_int_equal(rh_ratio_exact(NAN, 100).verdict, RH_VERDICT_UNKNOWN);
    assert_int_equal(rh_ratio_exact(1, 0).verdict, RH_VERDICT_UNKNOWN);
    assert_true(isnan(rh_ratio_exact(1, 0).value));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(median_is_the_naive_one),
        cmocka_unit_test(nan_is_left_out_and_order_kept),
        cmocka_unit_test(pairs_cancel_what_both_met),
        cmocka_unit_test(three_runs_are_judged_with_care),
        cmocka_unit_test(student_interval_is_the_known_one),
        cmocka_unit_test(sure_but_negligible_is_the_same),
        cmocka_unit_test(same_input_same_interval),
        cmocka_unit_test(interval_covers),
        cmocka_unit_test(more_runs_decide),
        cmocka_unit_test(exact_needs_no_repetition),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
