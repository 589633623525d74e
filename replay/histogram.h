/* A log-linear histogram of durations: exact below 128, above that 128 buckets an octave, so that
 * a bucket is never wider than 1/128 of its values (the idea of HdrHistogram). Of fixed size and
 * without pointers: it lies in memory shared between processes. The bounds of the buckets are the
 * same everywhere, so adding the counts of two gives what one would have counted. */
#ifndef REHEAP_REPLAY_HISTOGRAM_H
#define REHEAP_REPLAY_HISTOGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RH_HISTOGRAM_BITS    7
#define RH_HISTOGRAM_OCTAVES 34 /* values up to 2^41 - 1; longer ones count as that */
#define RH_HISTOGRAM_BUCKETS ((RH_HISTOGRAM_OCTAVES + 1) << RH_HISTOGRAM_BITS)

typedef struct rh_histogram {
    uint64_t bucket[RH_HISTOGRAM_BUCKETS];
    uint64_t total;
    uint64_t max; /* exact */
} rh_histogram;

/* The bucket a value falls into. */
static inline size_t
rh_histogram_place(uint64_t value)
{
    const uint64_t linear = 1u << RH_HISTOGRAM_BITS;
    const uint64_t largest = (linear << RH_HISTOGRAM_OCTAVES) - 1;
    if (value < linear)
        return (size_t)value;
    if (value > largest)
        value = largest;
    unsigned octave = 63u - (unsigned)__builtin_clzll(value) - RH_HISTOGRAM_BITS;
    return ((size_t)octave << RH_HISTOGRAM_BITS) + (size_t)(value >> octave);
}

static inline void
rh_histogram_add(rh_histogram *histogram, uint64_t value)
{
    histogram->bucket[rh_histogram_place(value)]++;
    histogram->total++;
    histogram->max = value > histogram->max ? value : histogram->max;
}

/* The values of bucket `place` are in [lower, upper). */
void rh_histogram_bounds(size_t place, uint64_t *lower, uint64_t *upper);

/* Adds the counts of `other`: what comes of it is the histogram of all values of both. */
void rh_histogram_merge(rh_histogram *histogram, const rh_histogram *other);

/* Adds the counts of a bucket that was written down by its bounds; false, and nothing is added,
 * where no bucket has these. The maximum is added by the caller. */
bool rh_histogram_restore(rh_histogram *histogram, uint64_t lower, uint64_t upper, uint64_t count);

/* The value that a `fraction` of all values (0 to 1) do not exceed: the largest one of its bucket,
 * at most 1/128 above the true one and never above max. 0 for an empty histogram. */
uint64_t rh_histogram_quantile(const rh_histogram *histogram, double fraction);

#endif
