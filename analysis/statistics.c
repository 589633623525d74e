#include "analysis/statistics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"

enum {
    RESAMPLES = 4095,
    ALL_RESAMPLES_TO = 12, /* pairs: of so many, 2^12 - 1 subsets are all there are */
    EXACT_FROM = 6,        /* pairs: fewer do not fall in as many ways as TAIL asks for */
    INTERVAL_FROM = 3,
    FOUR_STRETCHES_FROM = 16,
    FIVE_STRETCHES_FROM = 25,
    STRETCHES_MOST = 5
};

/* The variance of a median is that of one value times something between these, over the count: pi
 * / 2 for many, less for few. */
#define MEDIAN_LEAST 1.2
#define MEDIAN_MOST  1.5708

#define CUT 4 /* deviations from the median: a pair further off is a stall */

#define MEDIAN_TO_DEVIATION 1.4826 /* of a normal law's absolute values */

/* Of a speed that walks at random, the means of two experiments, one right after the other, differ
 * by a variance that is twice that of the stretches of one, for each: whatever their number. */
#define WALK 2

/* On either side. With one in 64 a mistake is made in one of 32 comparisons, and six pairs, of
 * whose 64 ways to fall it is one, can just decide. */
#define TAIL          (1.0 / 64)
#define RESAMPLE_SEED 0x52454845u

/* So many standard errors beyond the interval's reach, and a difference is found in four of five
 * experiments. */
#define LIKELY 0.84

static int
compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Without the NANs; *count becomes what is left. */
static double *
sorted_copy(const double *values, size_t *count)
{
    double *copy = malloc((*count ? *count : 1) * sizeof *copy);
    if (!copy)
        abort();
    size_t kept = 0;
    for (size_t i = 0; i < *count; i++) {
        if (!isnan(values[i]))
            copy[kept++] = values[i];
    }
    qsort(copy, kept, sizeof *copy, compare_doubles);
    *count = kept;
    return copy;
}

static double
quantile_of_sorted(const double *sorted, size_t count, double fraction)
{
    double place = fraction * (double)(count - 1);
    size_t below = (size_t)place;
    if (below + 1 >= count)
        return sorted[count - 1];
    return sorted[below] + (sorted[below + 1] - sorted[below]) * (place - (double)below);
}

double
rh_quantile(const double *values, size_t count, double fraction)
{
    double *sorted = sorted_copy(values, &count);
    double quantile = count ? quantile_of_sorted(sorted, count, fraction) : NAN;
    free(sorted);
    return quantile;
}

double
rh_median(const double *values, size_t count)
{
    return rh_quantile(values, count, 0.5);
}

/* Student's t, two-sided 95 %, by degrees of freedom; beyond the table the first terms of its
 * series.
 */
static double
student_t(double freedom)
{
    static const double t[] = {12.706, 12.706, 4.303, 3.182, 2.776, 2.571, 2.447,
                               2.365,  2.306,  2.262, 2.228, 2.201, 2.179};
    enum { LAST = sizeof t / sizeof t[0] - 1 };
    if (freedom > LAST)
        return 1.96 + 2.372 / freedom + 2.823 / (freedom * freedom);
    return t[freedom < 1 ? 1 : (size_t)freedom];
}

static double
mean_of(const double *values, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += values[i];
    return sum / (double)count;
}

static double
variance_of(const double *values, size_t count)
{
    double mean = mean_of(values, count), squares = 0;
    if (count < 2)
        return 0;
    for (size_t i = 0; i < count; i++)
        squares += (values[i] - mean) * (values[i] - mean);
    return squares / (double)(count - 1);
}

/* Student's t of so many pairs that leaves out TAIL on either side; from EXACT_FROM on, where none
 * is used but to foresee the reach of more, by the first terms of its series. */
static double
paired_t(size_t pairs)
{
    static const double few[] = {5.523, 3.835, 3.254};
    double freedom = (double)(pairs - 1);
    if (pairs < EXACT_FROM)
        return few[pairs - INTERVAL_FROM];
    return 2.154 + 3.037 / freedom + 4.148 / (freedom * freedom);
}

static void
student(const double *logs, size_t count, double *low, double *high)
{
    double mean = mean_of(logs, count);
    double reach = paired_t(count) * sqrt(variance_of(logs, count) / (double)count);
    *low = mean - reach;
    *high = mean + reach;
}

/* How far an interval of so many repetitions reaches, in standard deviations of one. Of two files
 * what they drift does not become better known, and the root of the number is all that is sure. */
static double
reach_of(size_t count, bool paired)
{
    return (paired ? paired_t(count) : student_t(INFINITY)) / sqrt((double)count);
}

static double
likely_reach_of(size_t count, bool paired)
{
    return reach_of(count, paired) + LIKELY / sqrt((double)count);
}

/* What would decide: an interval that leaves out 1, when the difference is one that counts; one
 * that lies within what does not, when it is not. `count`: repetitions there are. */
static unsigned
runs_to_decide(const rh_ratio *ratio, size_t count, bool paired)
{
    double reach = (log(ratio->high) - log(ratio->low)) / 2;
    double off = fabs(log(ratio->value)), line = log1p(RH_NEGLIGIBLE);
    double wanted = off > line ? off : line - off;
    double error = reach / reach_of(count, paired);
    unsigned more = 1;
    while (more < RH_MORE_RUNS_MOST && error * likely_reach_of(count + more, paired) > wanted)
        more++;
    return more;
}

static void
judge(rh_ratio *ratio, size_t count, bool paired)
{
    if (isnan(ratio->value) || isnan(ratio->low)) {
        ratio->verdict = RH_VERDICT_UNKNOWN;
        ratio->more_runs = isnan(ratio->value) ? 0 : (unsigned)(INTERVAL_FROM - count);
        return;
    }
    ratio->verdict = RH_VERDICT_SAME;
    if (ratio->high < 1 && ratio->value < 1 - RH_NEGLIGIBLE)
        ratio->verdict = RH_VERDICT_LESS;
    else if (ratio->low > 1 && ratio->value > 1 + RH_NEGLIGIBLE)
        ratio->verdict = RH_VERDICT_MORE;
    else if (ratio->low < 1 - RH_NEGLIGIBLE || ratio->high > 1 + RH_NEGLIGIBLE)
        ratio->more_runs = runs_to_decide(ratio, count, paired);
}

/* The mean of those values whose bits are set. */
static double
subset_mean(const double *values, size_t count, const uint64_t *bits)
{
    double sum = 0;
    size_t taken = 0;
    for (size_t i = 0; i < count; i++)
        if (bits[i / 64] >> i % 64 & 1) {
            sum += values[i];
            taken++;
        }
    return sum / (double)taken;
}

/* The next subset in the order of counting, or any but the empty one. */
static void
next_subset(rh_random *random, uint64_t *bits, size_t count)
{
    if (count <= ALL_RESAMPLES_TO) {
        bits[0]++;
        return;
    }
    bool any = false;
    while (!any)
        for (size_t i = 0; i < count; i += 64) {
            uint64_t kept = count - i < 64 ? (UINT64_C(1) << (count - i)) - 1 : UINT64_MAX;
            bits[i / 64] = rh_random_next(random) & kept;
            any = any || bits[i / 64];
        }
}

/* Brings what lies further than CUT deviations from the median to there. Where half of the values
 * are the same there is no telling what is far. */
static void
cut_far(double *values, size_t count)
{
    double *off = malloc(count * sizeof *off);
    if (!off)
        abort();
    double middle = rh_median(values, count);
    for (size_t i = 0; i < count; i++)
        off[i] = fabs(values[i] - middle);
    double most = CUT * MEDIAN_TO_DEVIATION * rh_median(off, count);
    for (size_t i = 0; most > 0 && i < count; i++)
        values[i] = fmin(fmax(values[i], middle - most), middle + most);
    free(off);
}

/* The ranks of subsets' means, see statistics.h. */
static void
resample(double *logs, size_t count, double *low, double *high)
{
    size_t means = count <= ALL_RESAMPLES_TO ? ((size_t)1 << count) - 1 : RESAMPLES;
    double *mean = malloc(means * sizeof *mean);
    uint64_t *bits = calloc(count / 64 + 1, sizeof *bits);
    if (!mean || !bits)
        abort();
    rh_random random = {.state = RESAMPLE_SEED};
    cut_far(logs, count);
    for (size_t i = 0; i < means; i++) {
        next_subset(&random, bits, count);
        mean[i] = subset_mean(logs, count, bits);
    }
    qsort(mean, means, sizeof *mean, compare_doubles);
    size_t rank = (size_t)(TAIL * (double)(means + 1));
    *low = mean[rank - 1];
    *high = mean[means - rank];
    free(bits);
    free(mean);
}

static bool
usable(double value)
{
    return isfinite(value) && value > 0;
}

rh_ratio
rh_ratio_paired(const double *subject, const double *baseline, size_t count)
{
    rh_ratio ratio = {.value = NAN, .low = NAN, .high = NAN};
    double *logs = calloc(count + 1, sizeof *logs);
    if (!logs)
        abort();
    size_t pairs = 0;
    for (size_t i = 0; i < count; i++) {
        if (usable(subject[i]) && usable(baseline[i]))
            logs[pairs++] = log(subject[i] / baseline[i]);
    }
    ratio.value = exp(rh_median(logs, pairs));
    if (pairs >= INTERVAL_FROM) {
        double low, high;
        if (pairs >= EXACT_FROM)
            resample(logs, pairs, &low, &high);
        else
            student(logs, pairs, &low, &high);
        ratio.low = fmin(exp(low), ratio.value);
        ratio.high = fmax(exp(high), ratio.value);
    }
    free(logs);
    judge(&ratio, pairs, true);
    return ratio;
}

static double *
usable_copy(const double *values, size_t count, size_t *kept)
{
    double *copy = calloc(count + 1, sizeof *copy);
    if (!copy)
        abort();
    *kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (usable(values[i]))
            copy[(*kept)++] = values[i];
    }
    return copy;
}

/* How far one experiment can be off: the variance of its median's logarithm, and with how many
 * degrees of freedom that is known. */
typedef struct rh_standing {
    double variance, freedom;
} rh_standing;

/* Of the logarithms. */
static double
log_variance(const double *values, size_t count)
{
    double logs[STRETCHES_MOST];
    for (size_t i = 0; i < count; i++)
        logs[i] = log(values[i]);
    return variance_of(logs, count);
}

/* The variance of a single run's logarithm, from what one run and the next differ by: drift is not
 * in it, and stalls hardly. */
static double
noise_variance(const double *values, size_t count)
{
    double *steps = malloc(count * sizeof *steps);
    if (!steps)
        abort();
    for (size_t i = 0; i + 1 < count; i++)
        steps[i] = fabs(log(values[i + 1] / values[i]));
    double deviation = rh_median(steps, count - 1) * MEDIAN_TO_DEVIATION;
    free(steps);
    return deviation * deviation / 2;
}

static rh_standing
standing_of(const double *values, size_t count)
{
    size_t stretches = count < FOUR_STRETCHES_FROM   ? 3
                       : count < FIVE_STRETCHES_FROM ? 4
                                                     : STRETCHES_MOST;
    double middle[STRETCHES_MOST];
    for (size_t i = 0, from = 0; i < stretches; i++) {
        size_t to = (i + 1) * count / stretches;
        middle[i] = rh_median(values + from, to - from);
        from = to;
    }
    double noise = noise_variance(values, count) / (double)count;
    double drift = log_variance(middle, stretches) - MEDIAN_LEAST * noise * (double)stretches;
    drift = drift > 0 ? WALK * drift : 0;
    return (rh_standing){.variance = drift + MEDIAN_MOST * noise,
                         .freedom = (double)(stretches - 1)};
}

/* Welch's interval, from the standings of two experiments. */
static void
between(const double *subject, size_t subject_count, const double *baseline, size_t baseline_count,
        rh_ratio *ratio)
{
    rh_standing a = standing_of(subject, subject_count);
    rh_standing b = standing_of(baseline, baseline_count);
    double sum = a.variance + b.variance;
    double spread = a.variance * a.variance / a.freedom + b.variance * b.variance / b.freedom;
    double reach = spread > 0 ? student_t(sum * sum / spread) * sqrt(sum) : 0;
    ratio->low = exp(log(ratio->value) - reach);
    ratio->high = exp(log(ratio->value) + reach);
}

rh_ratio
rh_ratio_unpaired(const double *subject, size_t subject_count, const double *baseline,
                  size_t baseline_count)
{
    size_t ours, theirs;
    double *a = usable_copy(subject, subject_count, &ours);
    double *b = usable_copy(baseline, baseline_count, &theirs);
    rh_ratio ratio = {.value = rh_median(a, ours) / rh_median(b, theirs), .low = NAN, .high = NAN};
    if (ours >= INTERVAL_FROM && theirs >= INTERVAL_FROM)
        between(a, ours, b, theirs, &ratio);
    free(a);
    free(b);
    judge(&ratio, ours < theirs ? ours : theirs, false);
    return ratio;
}

rh_ratio
rh_ratio_exact(double subject, double baseline)
{
    rh_ratio ratio = {.value = NAN, .low = NAN, .high = NAN};
    if (!usable(subject) || !usable(baseline))
        return ratio;
    ratio.value = subject / baseline;
    ratio.verdict = ratio.value < 1 - RH_NEGLIGIBLE   ? RH_VERDICT_LESS
                    : ratio.value > 1 + RH_NEGLIGIBLE ? RH_VERDICT_MORE
                                                      : RH_VERDICT_SAME;
    return ratio;
}
