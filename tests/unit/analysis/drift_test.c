/* What comparisons say of a machine that drifts, on made-up measurements whose true ratio is known:
 * how often the interval covers it, and how often a difference is found. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "analysis/calm.h"
#include "analysis/statistics.h"
#include "base/random.h"

enum { RUNS_MOST = 30, TRIALS = 600 };

/* Standard deviations, of logarithms. */
typedef struct machine {
    double noise;  /* of a single run */
    double drift;  /* of the speed around its mean; of a walk: what it moves in 30 runs */
    double memory; /* after so many runs the speed has forgotten where it was; 0: never, it walks */
    double stalls; /* the share of runs that something delays */
} machine;

static const machine machines[] = {
    {0.04, 0, 1, 0.05},    {0.04, 0.03, 5, 0.05},  {0.04, 0.03, 15, 0.05}, {0.04, 0.03, 60, 0.05},
    {0.04, 0.03, 0, 0.05}, {0.01, 0.02, 15, 0.02}, {0.01, 0.05, 60, 0},    {0.005, 0.003, 5, 0.1},
};
enum { MACHINES = sizeof machines / sizeof machines[0] };

static double
uniform(rh_random *random)
{
    return (double)rh_random_below(random, 1u << 30) / (1u << 30);
}

static double
normal(rh_random *random)
{
    double sum = -6;
    for (int i = 0; i < 12; i++)
        sum += uniform(random);
    return sum;
}

typedef struct clock_state {
    rh_random random;
    const machine *on;
    double speed;
} clock_state;

static void
start_machine(clock_state *now, const machine *on, uint64_t seed)
{
    *now = (clock_state){{seed}, on, 0};
    for (int i = 0; i < 20; i++)
        rh_random_next(&now->random);
    now->speed = on->memory > 0 ? on->drift * normal(&now->random) : 0;
}

static void
next_round(clock_state *now)
{
    double memory = now->on->memory, drift = now->on->drift;
    double keep = memory > 0 ? exp(-1 / memory) : 1;
    double step = memory > 0 ? drift * sqrt(1 - keep * keep) : drift / sqrt(30);
    now->speed = now->speed * keep + step * normal(&now->random);
}

static double
measure(clock_state *now, double truth)
{
    double off = now->speed + now->on->noise * normal(&now->random);
    if (uniform(&now->random) < now->on->stalls)
        off += 0.15 * uniform(&now->random);
    return truth * exp(off);
}

typedef struct tally {
    int covered, told_apart, undecided_without_advice;
} tally;

static void
count_in(tally *sum, const rh_ratio *ratio, double truth)
{
    sum->covered += ratio->low <= truth && truth <= ratio->high;
    bool apart = ratio->verdict == RH_VERDICT_LESS || ratio->verdict == RH_VERDICT_MORE;
    sum->told_apart += apart;
    bool wide = ratio->low < 1 - RH_NEGLIGIBLE || ratio->high > 1 + RH_NEGLIGIBLE;
    sum->undecided_without_advice += !apart && wide && ratio->more_runs == 0;
}

/* One experiment after the other: an allocator, and itself changed by `truth`; `held`: to the times
 * of one that did not change, in the same rounds. */
static tally
after_another(const machine *on, size_t runs, double truth, bool held)
{
    tally sum = {0};
    for (uint64_t seed = 1; seed <= TRIALS; seed++) {
        double times[2][RUNS_MOST];
        clock_state now;
        start_machine(&now, on, seed);
        for (int file = 0; file < 2; file++)
            for (size_t i = 0; i < runs; i++, next_round(&now)) {
                times[file][i] = measure(&now, file ? 10 * truth : 10);
                if (held)
                    times[file][i] /= measure(&now, 7);
            }
        rh_ratio ratio = rh_ratio_unpaired(times[1], runs, times[0], runs);
        count_in(&sum, &ratio, truth);
    }
    return sum;
}

static tally
two_files(const machine *on, size_t runs, double truth)
{
    return after_another(on, runs, truth, false);
}

static tally
two_files_with_reference(const machine *on, size_t runs, double truth)
{
    return after_another(on, runs, truth, true);
}

static tally
one_file(const machine *on, size_t runs, double truth)
{
    tally sum = {0};
    for (uint64_t seed = 1; seed <= TRIALS; seed++) {
        double base[RUNS_MOST], ours[RUNS_MOST];
        clock_state now;
        start_machine(&now, on, seed);
        for (size_t i = 0; i < runs; i++, next_round(&now)) {
            base[i] = measure(&now, 10);
            ours[i] = measure(&now, 10 * truth);
        }
        rh_ratio ratio = rh_ratio_paired(ours, base, runs);
        count_in(&sum, &ratio, truth);
    }
    return sum;
}

/* A machine whose other users come and go: runs on two shared processors looked like that. Of a run
 * some stretches in a row are slower by a tenth to nine tenths, and all by what their pace is. */
typedef struct crowd {
    double noise;         /* of a stretch */
    double pace;          /* of a run */
    double comes, leaves; /* chances, at each stretch */
} crowd;

static const crowd crowds[] = {
    {0.03, 0.015, 0.03, 0.4},
    {0.03, 0.015, 0.05, 0.2},
    {0.05, 0.03, 0.1, 0.3},
};
enum { CROWDS = sizeof crowds / sizeof crowds[0], STRETCHES = 40 };

static void
measure_stretches(rh_random *random, const crowd *on, double truth, double *times)
{
    double pace = exp(on->pace * normal(random)), busy = 0;
    for (size_t s = 0; s < STRETCHES; s++) {
        if (busy > 0 && uniform(random) < on->leaves)
            busy = 0;
        else if (busy <= 0 && uniform(random) < on->comes)
            busy = 0.1 + 0.8 * uniform(random);
        double work = s % 10 == 0 ? 4 : 1;
        times[s] = work * truth * pace * (1 + busy) * exp(on->noise * normal(random));
    }
}

static tally
crowded(const crowd *on, size_t runs, double truth)
{
    static double base[RUNS_MOST * STRETCHES], ours[RUNS_MOST * STRETCHES];
    double calm_base[RUNS_MOST], calm_ours[RUNS_MOST];
    tally sum = {0};
    for (uint64_t seed = 1; seed <= TRIALS; seed++) {
        rh_random random = {seed};
        for (int i = 0; i < 20; i++)
            rh_random_next(&random);
        for (size_t i = 0; i < runs; i++) {
            measure_stretches(&random, on, 1, &base[i * STRETCHES]);
            measure_stretches(&random, on, truth, &ours[i * STRETCHES]);
        }
        rh_calm_times(base, runs, STRETCHES, calm_base);
        rh_calm_times(ours, runs, STRETCHES, calm_ours);
        rh_ratio ratio = rh_ratio_paired(calm_ours, calm_base, runs);
        count_in(&sum, &ratio, truth);
    }
    return sum;
}

typedef tally experiment(const machine *on, size_t runs, double truth);

static const size_t run_counts[] = {3, 6, 9, 21};
enum { RUN_COUNTS = sizeof run_counts / sizeof run_counts[0] };

/* Of a change by 3 %, and of none, which must not be told apart more often than one time in
 * twenty; where nothing is told there must be advice how many runs more would do. */
static void
expect_coverage(experiment *made, const char *name)
{
    for (size_t m = 0; m < MACHINES; m++)
        for (size_t r = 0; r < RUN_COUNTS; r++) {
            tally changed = made(&machines[m], run_counts[r], 1.03);
            tally same = made(&machines[m], run_counts[r], 1);
            if (changed.covered < 0.95 * TRIALS || same.covered < 0.95 * TRIALS ||
                same.told_apart > 0.05 * TRIALS)
                fail_msg("%s, machine %zu, %zu runs: covers %.3f and %.3f, false alarms %.3f", name,
                         m, run_counts[r], (double)changed.covered / TRIALS,
                         (double)same.covered / TRIALS, (double)same.told_apart / TRIALS);
            assert_int_equal(changed.undecided_without_advice + same.undecided_without_advice, 0);
        }
}

static void
two_files_cover(void **state)
{
    (void)state;
    expect_coverage(two_files, "two files");
}

static void
a_reference_covers(void **state)
{
    (void)state;
    expect_coverage(two_files_with_reference, "two files with a reference");
}

static void
pairs_cover(void **state)
{
    (void)state;
    expect_coverage(one_file, "one file");
}

static void
calm_times_cover(void **state)
{
    (void)state;
    for (size_t m = 0; m < CROWDS; m++)
        for (size_t r = 0; r < RUN_COUNTS; r++) {
            tally changed = crowded(&crowds[m], run_counts[r], 1.03);
            tally same = crowded(&crowds[m], run_counts[r], 1);
            if (changed.covered < 0.95 * TRIALS || same.covered < 0.95 * TRIALS ||
                same.told_apart > 0.05 * TRIALS)
                fail_msg("crowd %zu, %zu runs: covers %.3f and %.3f, false alarms %.3f", m,
                         run_counts[r], (double)changed.covered / TRIALS,
                         (double)same.covered / TRIALS, (double)same.told_apart / TRIALS);
        }
}

static void
expect_found(tally sum, const char *name)
{
    if (sum.told_apart < 0.9 * TRIALS)
        fail_msg("%s: found %.3f", name, (double)sum.told_apart / TRIALS);
}

/* By nine runs on a machine that has nothing else to do; on one that drifts by 3 %, by as many in
 * one file and by twenty-one with a reference; in one file even through noise of 4 %, by thirty. */
static void
five_percent_are_found(void **state)
{
    (void)state;
    static const machine idle = {0.005, 0.003, 5, 0.05}, drifting = {0.005, 0.03, 30, 0.05};
    expect_found(two_files(&idle, 9, 1.05), "two files, idle");
    expect_found(two_files_with_reference(&drifting, 21, 1.05), "a reference, drifting");
    expect_found(one_file(&drifting, 9, 1.05), "one file, drifting");
    expect_found(one_file(&machines[4], 30, 1.05), "one file, noisy");
    expect_found(crowded(&crowds[0], 9, 1.05), "calm times, crowded");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_files_cover),
        cmocka_unit_test(a_reference_covers),
        cmocka_unit_test(pairs_cover),
        cmocka_unit_test(calm_times_cover),
        cmocka_unit_test(five_percent_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
