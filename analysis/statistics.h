/* What repeated measurements allow one to say.
 *
 * Times on a shared machine are noisy and skewed by stalls, so a value is the median of its
 * repetitions, and a comparison is a ratio with an interval that covers 95 %.
 *
 * Repetitions of one experiment are rounds: the n-th run of one allocator met much the same machine
 * as the n-th of another, so their ratio is taken pair by pair. Which of the two ran first was
 * drawn, so if they are the same, each pair's logarithm could as well have the other sign, whatever
 * the machine did. That alone gives an interval: of the means of all subsets of the logarithms, 2^n
 * - 1, any is as likely as another to be the last below the truth, so the ranks at either end leave
 * it out as often as they are asked to (J. A. Hartigan, Using subsample values as typical values,
 * 1969). From six repetitions on that is what is done, with all subsets up to twelve and a seeded
 * draw of them beyond. A pair that a stall put far off the others is brought nearer first; that
 * makes the level a little less than exact, and leaves it above 95 % (drift_test).
 *
 * With five pairs or less no test can decide without taking something for granted: all five fall to
 * one side by chance in 6 of 100 experiments. There Student's t on the logarithms is used, which
 * asks that the noise is normal, and tells too little rather than too much when it has stalls.
 * Fewer than three repetitions give no interval and no verdict.
 *
 * Runs out of two files have no such partner, and worse: machines drift, and what moved between the
 * experiments moved all runs of one of them. A comparison that takes the runs for independent is
 * far too sure: it calls four of ten like allocators unlike where the drift is as large as the
 * noise. So each file is cut into stretches of rounds, three to five, and what the stretches differ
 * by beyond the noise within them is drift. A whole file is taken for one draw of it, which more
 * rounds of the same short experiment would not make any surer; the interval is Student's t, with
 * as many degrees of freedom as there are stretches less two.
 */
#ifndef REHEAP_ANALYSIS_STATISTICS_H
#define REHEAP_ANALYSIS_STATISTICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A difference below this part of the value is not called one however sure it is: where the linker
 * happens to put code and data moves a timing by as much. */
#define RH_NEGLIGIBLE 0.01

typedef enum rh_verdict {
    RH_VERDICT_UNKNOWN, /* no interval: too few repetitions, or a value is missing */
    RH_VERDICT_SAME,    /* not distinguishable; `more_runs` says whether that is final */
    RH_VERDICT_LESS,
    RH_VERDICT_MORE
} rh_verdict;

typedef struct rh_ratio {
    double value;     /* NAN when either side has none */
    double low, high; /* NAN when there is no interval */
    rh_verdict verdict;
    unsigned more_runs; /* SAME or UNKNOWN: how many repetitions more would likely decide, at most
                           RH_MORE_RUNS_MOST; 0: it is decided, or nothing can tell */
} rh_ratio;

/* The interval shrinks with the root of the number of repetitions. Beyond this many more, the guess
 * is no use. */
#define RH_MORE_RUNS_MOST 1000

/* The middle value, or the mean of the middle two; NAN for none. `values` keeps its order;
 * NANs in it are left out. */
double rh_median(const double *values, size_t count);

/* The value below which `fraction` (0 to 1) of the values lie, linear between neighbours; NAN for
 * none. */
double rh_quantile(const double *values, size_t count, double fraction);

/* Median of subject[i] / baseline[i]. Values must be positive and finite; pairs that are not are
 * left out. */
rh_ratio rh_ratio_paired(const double *subject, const double *baseline, size_t count);

/* Median of `subject` over median of `baseline`: two experiments, each in the order of its rounds.
 */
rh_ratio rh_ratio_unpaired(const double *subject, size_t subject_count, const double *baseline,
                           size_t baseline_count);

/* Ratio of two numbers that do not vary from run to run: no interval, a verdict beyond
 * RH_NEGLIGIBLE. */
rh_ratio rh_ratio_exact(double subject, double baseline);

#endif
