#include "replay/latency.h"

#include <inttypes.h>
#include <stdio.h>

const char *const rh_timed_names[RH_TIMED_OPERATIONS] = {"malloc", "calloc", "realloc", "free"};

const uint64_t rh_size_range_most[RH_SIZE_RANGES] = {
    64, 512, UINT64_C(4) << 10, UINT64_C(64) << 10, UINT64_C(1) << 20, UINT64_MAX};

uint64_t
rh_size_range_least(unsigned range)
{
    return range == 0 ? 0 : rh_size_range_most[range - 1] + 1;
}

char *
rh_size_range_text(uint64_t least, uint64_t most, char *text, size_t capacity)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB"};
    uint64_t bound = most == UINT64_MAX ? least - 1 : most;
    size_t unit = 0;
    for (; bound >= 1024 && bound % 1024 == 0 && unit < 3; unit++)
        bound /= 1024;
    if (least == 0 && most == UINT64_MAX)
        snprintf(text, capacity, "all sizes");
    else
        snprintf(text, capacity, "%s %" PRIu64 " %s", most == UINT64_MAX ? "above" : "to", bound,
                 units[unit]);
    return text;
}

uint64_t
rh_ticks_scale(double ticks_per_ns)
{
    return (uint64_t)(4294967296.0 / ticks_per_ns);
}

void
rh_latency_merge(rh_latency *latency, const rh_latency *other)
{
    for (int operation = 0; operation < RH_TIMED_OPERATIONS; operation++)
        for (int range = 0; range < RH_SIZE_RANGES; range++)
            rh_histogram_merge(&latency->histogram[operation][range],
                               &other->histogram[operation][range]);
}

void
rh_latency_operation(const rh_latency *latency, rh_timed operation, rh_histogram *whole)
{
    *whole = (rh_histogram){.total = 0};
    for (int range = 0; range < RH_SIZE_RANGES; range++)
        rh_histogram_merge(whole, &latency->histogram[operation][range]);
}
