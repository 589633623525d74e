#include "replay/histogram.h"

#include <math.h>

void
rh_histogram_bounds(size_t place, uint64_t *lower, uint64_t *upper)
{
    const size_t linear = (size_t)1 << RH_HISTOGRAM_BITS;
    size_t octave = place >> RH_HISTOGRAM_BITS;
    octave = octave ? octave - 1 : 0;
    uint64_t head = place - (octave << RH_HISTOGRAM_BITS);
    if (place < linear)
        head = place;
    *lower = head << octave;
    *upper = (head + 1) << octave;
}

void
rh_histogram_merge(rh_histogram *histogram, const rh_histogram *other)
{
    for (size_t i = 0; i < RH_HISTOGRAM_BUCKETS; i++)
        histogram->bucket[i] += other->bucket[i];
    histogram->total += other->total;
    histogram->max = other->max > histogram->max ? other->max : histogram->max;
}

bool
rh_histogram_restore(rh_histogram *histogram, uint64_t lower, uint64_t upper, uint64_t count)
{
    uint64_t known_lower, known_upper;
    size_t place = rh_histogram_place(lower);
    rh_histogram_bounds(place, &known_lower, &known_upper);
    if (lower != known_lower || upper != known_upper)
        return false;
    histogram->bucket[place] += count;
    histogram->total += count;
    return true;
}

uint64_t
rh_histogram_quantile(const rh_histogram *histogram, double fraction)
{
    if (histogram->total == 0)
        return 0;
    uint64_t rank = (uint64_t)ceil(fraction * (double)histogram->total);
    rank = rank < 1 ? 1 : rank > histogram->total ? histogram->total : rank;
    uint64_t seen = 0;
    for (size_t i = 0; i < RH_HISTOGRAM_BUCKETS; i++) {
        seen += histogram->bucket[i];
        if (seen >= rank) {
            uint64_t lower, upper;
            rh_histogram_bounds(i, &lower, &upper);
            return upper - 1 < histogram->max ? upper - 1 : histogram->max;
        }
    }
    return histogram->max;
}
