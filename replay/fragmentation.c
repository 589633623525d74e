#include "replay/fragmentation.h"

#include <math.h>

#define NS_PER_SECOND 1e9

void
rh_fragmentation_at(rh_fragmentation *sums, uint64_t time_ns, uint64_t mapped, uint64_t requested)
{
    if (time_ns != UINT64_MAX && time_ns >= sums->last_ns) { /* a clock may have gone back */
        uint64_t passed_ns = time_ns - sums->last_ns;
        sums->mapped_byte_ns += (rh_sum)sums->last_mapped * passed_ns;
        sums->requested_byte_ns += (rh_sum)sums->last_requested * passed_ns;
        sums->last_ns = time_ns;
        sums->timed = true;
    }
    sums->last_mapped = mapped;
    sums->last_requested = requested;
}

static double
less_one(rh_sum mapped, rh_sum requested)
{
    return requested > 0 ? (double)mapped / (double)requested - 1 : NAN;
}

double
rh_fragmentation_mean(const rh_fragmentation *sums)
{
    return less_one(sums->mapped_byte_events, sums->requested_byte_events);
}

double
rh_fragmentation_average(const rh_fragmentation *sums)
{
    return sums->ratio_events > 0 ? sums->ratio_sum / (double)sums->ratio_events - 1 : NAN;
}

double
rh_fragmentation_time_mean(const rh_fragmentation *sums)
{
    return less_one(sums->mapped_byte_ns, sums->requested_byte_ns);
}

double
rh_fragmentation_mapped_byte_seconds(const rh_fragmentation *sums)
{
    return sums->timed ? (double)sums->mapped_byte_ns / NS_PER_SECOND : NAN;
}

double
rh_fragmentation_requested_byte_seconds(const rh_fragmentation *sums)
{
    return sums->timed ? (double)sums->requested_byte_ns / NS_PER_SECOND : NAN;
}
