#include "analysis/statistics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"

enum {
    RESAMPLES = 2000,
    BOOTSTRAP_FROM = 6,
    INTERVAL_FROM = 3,
    FOUR_STRETCHES_FROM = 16,
    FIVE_STRETCHES_FROM = 25
};

/* The variance of a median is that of one value times something between these, over the count: pi
 * / 2 for many, less for few. */
#define MEDIAN_LEAST 1.2
#define MEDIAN_MOST  1.5708

#define MEDIAN_TO_DEVIATION 1.4826 /* of a normal law's absolute values */

/* Of a speed that walks at random, the means of two experiments, one right after the other, differ
 * by a variance that is twice that of the stretches of one, for each: whatever their number. */
#define WALK 2

#define TAIL           0.025
#define BOOTSTRAP_SEED 0x52454845u

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

/* What would decide: an interval that leaves out 1, when the difference is one that counts; one
 * that lies within what does not, when it is not. `count`: repetitions there are. */
static unsigned
runs_to_decide(const rh_ratio *ratio, size_t count)
{
    double reach = (log(ratio->high) - log(ratio->low)) / 2;
    double off = fabs(log(ratio->value)), line = log1p(RH_NEGLIGIBLE);
    double wanted = off > line ? off : line - off;
    double needed = ceil((double)count * (reach / wanted) * (reach / wanted));
    double more = needed - (double)count;
    return !(more < RH_MORE_RUNS_MOST) ? RH_MORE_RUNS_MOST : more < 1 ? 1 : (unsigned)more;
}

static void
judge(rh_ratio *ratio, size_t count)
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
        ratio->more_runs = runs_to_decide(ratio, count);
}

/* Student's t, two-sided 95 %, by degrees of freedom; beyond the table the last is near enough. */
static double
student_t(double freedom)
{
    static const double t[] = {12.706, 12.706, 4.303, 3.182, 2.776, 2.571, 2.447,
                               2.365,  2.306,  2.262, 2.228, 2.201, 2.179};
    size_t whole = freedom < 1 ? 1 : (size_t)freedom;
    size_t last = sizeof t / sizeof t[0] - 1;
    return t[whole < last ? whole : last];
}

/* Mean of the logarithms, and the variance of that mean. */
static void
log_moments(const double *values, size_t count, double *mean, double *variance)
{
    double sum = 0, squares = 0;
    for (size_t i = 0; i < count; i++)
        sum += log(values[i]);
    *mean = sum / (double)count;
    for (size_t i = 0; i < count; i++)
        squares += (log(values[i]) - *mean) * (log(values[i]) - *mean);
    *variance = squares / (double)(count - 1) / (double)count;
}

/* A random draw with replacement of `count` values, and its median. */
static double
resampled_median(rh_random *random, const double *values, size_t count, double *draw)
{
    for (size_t i = 0; i < count; i++)
        draw[i] = values[rh_random_below(random, count)];
    qsort(draw, count, sizeof *draw, compare_doubles);
    return quantile_of_sorted(draw, count, 0.5);
}

/* How many of `count` values lie, with a probability of TAIL at most, all on one side of the true
 * median: the rank, from either end, where an interval for it may begin. At least 1 from
 * BOOTSTRAP_FROM on. */
static size_t
safe_rank(size_t count)
{
    double below = 0, exactly = pow(0.5, (double)count);
    size_t rank = 0;
    while (rank < count && (below += exactly) <= TAIL) {
        exactly *= (double)(count - rank) / (double)(rank + 1);
        rank++;
    }
    return rank;
}

/* Percentile interval of the median, and no narrower than the ranks that hold for any distribution:
 * of a dozen values a bootstrap alone covers 0.88 to 0.94. */
static void
bootstrap(const double *values, size_t count, rh_ratio *ratio)
{
    double *draw = malloc(count * sizeof *draw);
    double *medians = malloc(RESAMPLES * sizeof *medians);
    if (!draw || !medians)
        abort();
    rh_random random = {.state = BOOTSTRAP_SEED};
    for (size_t i = 0; i < RESAMPLES; i++)
        medians[i] = resampled_median(&random, values, count, draw);
    ratio->low = rh_quantile(medians, RESAMPLES, TAIL);
    ratio->high = rh_quantile(medians, RESAMPLES, 1 - TAIL);
    memcpy(draw, values, count * sizeof *draw);
    qsort(draw, count, sizeof *draw, compare_doubles);
    size_t rank = safe_rank(count);
    ratio->low = fmin(ratio->low, draw[rank ? rank - 1 : 0]);
    ratio->high = fmax(ratio->high, draw[rank ? count - rank : count - 1]);
    free(draw);
    free(medians);
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
    double *ratios = calloc(count + 1, sizeof *ratios);
    if (!ratios)
        abort();
    size_t pairs = 0;
    for (size_t i = 0; i < count; i++) {
        if (usable(subject[i]) && usable(baseline[i]))
            ratios[pairs++] = subject[i] / baseline[i];
    }
    ratio.value = rh_median(ratios, pairs);
    if (pairs >= BOOTSTRAP_FROM) {
        bootstrap(ratios, pairs, &ratio);
    } else if (pairs >= INTERVAL_FROM) {
        double mean, variance;
        log_moments(ratios, pairs, &mean, &variance);
        double reach = student_t((double)(pairs - 1)) * sqrt(variance);
        ratio.low = fmin(exp(mean - reach), ratio.value);
        ratio.high = fmax(exp(mean + reach), ratio.value);
    }
    free(ratios);
    judge(&ratio, pairs);
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

static double
log_variance(const double *values, size_t count)
{
    double mean, variance;
    if (count < 2)
        return 0;
    log_moments(values, count, &mean, &variance);
    return variance * (double)count;
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
    size_t stretches = count < FOUR_STRETCHES_FROM ? 3 : count < FIVE_STRETCHES_FROM ? 4 : 5;
    double middle[5];
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
    judge(&ratio, ours < theirs ? ours : theirs);
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
