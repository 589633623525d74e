#include "analysis/calm.h"

#include <math.h>
#include <stdlib.h>

#define USUAL 0.25 /* the quantile over other runs */

typedef struct weighted {
    double value, weight;
} weighted;

static int
compare_values(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The quantile of `count` sorted values without the one in place `left_out`. */
static double
quantile_without(const double *sorted, size_t count, size_t left_out, double fraction)
{
    double place = fraction * (double)(count - 2);
    size_t below = (size_t)place, above = below + 2 < count ? below + 1 : below;
    double low = sorted[below + (below >= left_out)], high = sorted[above + (above >= left_out)];
    return low + (high - low) * (place - (double)below);
}

static size_t
place_of(const double *sorted, double value)
{
    size_t place = 0;
    while (sorted[place] < value)
        place++;
    return place;
}

/* Where half of the weight lies below; 1 when there is none. */
static double
weighted_median(weighted *values, size_t count)
{
    double half = 0, below = 0;
    qsort(values, count, sizeof *values, compare_values);
    for (size_t i = 0; i < count; i++)
        half += values[i].weight / 2;
    for (size_t i = 0; i < count; i++)
        if ((below += values[i].weight) >= half && half > 0)
            return values[i].value;
    return 1;
}

static void
whole_times(const double *times, size_t runs, size_t stretches, double *sums)
{
    for (size_t r = 0; r < runs; r++) {
        sums[r] = 0;
        for (size_t s = 0; s < stretches; s++)
            sums[r] += times[r * stretches + s];
    }
}

/* usual[run * stretches + stretch]: the lower quartile over the other runs. */
static void
find_usual(const double *times, size_t runs, size_t stretches, double *usual, double *sorted)
{
    for (size_t s = 0; s < stretches; s++) {
        for (size_t r = 0; r < runs; r++)
            sorted[r] = times[r * stretches + s];
        qsort(sorted, runs, sizeof *sorted, compare_values);
        for (size_t r = 0; r < runs; r++)
            usual[r * stretches + s] =
                quantile_without(sorted, runs, place_of(sorted, times[r * stretches + s]), USUAL);
    }
}

static double
calm_time(const double *times, const double *usual, size_t stretches, weighted *ratios)
{
    size_t count = 0;
    for (size_t s = 0; s < stretches; s++)
        if (usual[s] > 0)
            ratios[count++] = (weighted){times[s] / usual[s], fmin(times[s], usual[s])};
    double most = weighted_median(ratios, count) * (1 + RH_CALM_SPARE), sum = 0;
    for (size_t s = 0; s < stretches; s++)
        sum += usual[s] > 0 ? fmin(times[s], most * usual[s]) : times[s];
    return sum;
}

void
rh_calm_times(const double *times, size_t runs, size_t stretches, double *calm)
{
    if (runs < RH_CALM_FROM) {
        whole_times(times, runs, stretches, calm);
        return;
    }
    double *usual = calloc(runs * stretches + 1, sizeof *usual);
    double *sorted = calloc(runs + 1, sizeof *sorted);
    weighted *ratios = calloc(stretches + 1, sizeof *ratios);
    if (!usual || !sorted || !ratios)
        abort();
    find_usual(times, runs, stretches, usual, sorted);
    for (size_t r = 0; r < runs; r++)
        calm[r] = calm_time(times + r * stretches, usual + r * stretches, stretches, ratios);
    free(ratios);
    free(sorted);
    free(usual);
}
