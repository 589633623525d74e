/* Made-up runs whose undisturbed time is known. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "analysis/calm.h"

enum { RUNS = 5, STRETCHES = 40 };

static double times[RUNS][STRETCHES];

/* Stretches are long and short, as those of a recording are, and the last is the heap's growth. */
static double
work(size_t stretch)
{
    return stretch == STRETCHES - 1 ? 4000 : 100 + (double)(stretch * 37 % 11);
}

static double
all_work(void)
{
    double sum = 0;
    for (size_t s = 0; s < STRETCHES; s++)
        sum += work(s);
    return sum;
}

static void
fill(const double *pace)
{
    for (size_t r = 0; r < RUNS; r++)
        for (size_t s = 0; s < STRETCHES; s++)
            times[r][s] = work(s) * (pace ? pace[r] : 1);
}

static void
expect(const double *wanted)
{
    double calm[RUNS];
    rh_calm_times(&times[0][0], RUNS, STRETCHES, calm);
    for (size_t r = 0; r < RUNS; r++)
        if (fabs(calm[r] / wanted[r] - 1) > 1e-9)
            fail_msg("run %zu: %.9g is not %.9g", r, calm[r], wanted[r]);
}

static void
undisturbed_runs_keep_their_time(void **state)
{
    (void)state;
    const double pace[RUNS] = {1, 1.3, 0.9, 1.02, 2};
    double wanted[RUNS];
    for (size_t r = 0; r < RUNS; r++)
        wanted[r] = all_work() * pace[r];
    fill(pace);
    expect(wanted);
}

/* A stretch that stalled counts a tenth more than it takes, wherever it is. */
static void
a_stall_is_cut(void **state)
{
    (void)state;
    fill(NULL);
    double wanted[RUNS] = {0};
    for (size_t r = 0; r < RUNS; r++) {
        times[r][3 * r] *= 5;
        wanted[r] = all_work() + RH_CALM_SPARE * work(3 * r);
    }
    expect(wanted);
}

static void
less_than_a_tenth_is_kept(void **state)
{
    (void)state;
    fill(NULL);
    double wanted[RUNS];
    for (size_t r = 0; r < RUNS; r++)
        wanted[r] = all_work();
    times[1][7] += 5;
    wanted[1] += 5;
    expect(wanted);
}

/* What is slow in every run is what the allocator takes. */
static void
what_is_always_slow_counts(void **state)
{
    (void)state;
    fill(NULL);
    double wanted[RUNS];
    for (size_t r = 0; r < RUNS; r++) {
        times[r][20] *= 9;
        wanted[r] = all_work() + 8 * work(20);
    }
    expect(wanted);
}

/* A third of one run is slower by half: its pace is that of the rest. */
static void
a_slow_third_is_cut(void **state)
{
    (void)state;
    fill(NULL);
    double wanted[RUNS];
    for (size_t r = 0; r < RUNS; r++)
        wanted[r] = all_work();
    for (size_t s = 0; s < STRETCHES / 3; s++) {
        times[2][s] *= 1.5;
        wanted[2] += RH_CALM_SPARE * work(s);
    }
    expect(wanted);
}

static void
few_runs_and_empty_stretches(void **state)
{
    (void)state;
    double calm[RH_CALM_FROM], all[RH_CALM_FROM][4];
    for (size_t r = 0; r < RH_CALM_FROM; r++)
        memcpy(all[r], (double[]){5, 0, 100, 7}, sizeof all[r]);
    all[1][1] = 9; /* of nothing there is no usual */
    all[1][3] = 700;
    rh_calm_times(&all[0][0], RH_CALM_FROM, 4, calm);
    assert_true(calm[0] == 112);
    assert_true(fabs(calm[1] - (5 + 9 + 100 + 7.7)) < 1e-9);
    rh_calm_times(&all[0][0], RH_CALM_FROM - 1, 4, calm);
    assert_true(calm[0] == 112 && calm[1] == 814);
    rh_calm_times(NULL, 0, 0, calm);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(undisturbed_runs_keep_their_time),
        cmocka_unit_test(a_stall_is_cut),
        cmocka_unit_test(less_than_a_tenth_is_kept),
        cmocka_unit_test(what_is_always_slow_counts),
        cmocka_unit_test(a_slow_third_is_cut),
        cmocka_unit_test(few_runs_and_empty_stretches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
