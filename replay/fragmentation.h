/* Sums from which fragmentation over a whole run is told: over the calls, and over recorded time.
 *
 * Of the ratio "mapped to requested" there are two means. The ratio of the sums weighs each moment
 * by what is requested then, and is that of the two integrals; the mean of the ratios, Johnstone
 * and Wilson's first measure, gives every moment the same weight, so that the start of a run, when
 * next to nothing is requested, can outweigh all the rest. ("The memory fragmentation problem:
 * solved?", 1998.) */
#ifndef REHEAP_REPLAY_FRAGMENTATION_H
#define REHEAP_REPLAY_FRAGMENTATION_H

#include <stdbool.h>
#include <stdint.h>

__extension__ typedef unsigned __int128 rh_sum;

/* All zero: nothing was counted. Plain numbers, so that it may lie in shared memory. */
typedef struct rh_fragmentation {
    rh_sum mapped_byte_events, requested_byte_events;
    double ratio_sum; /* of mapped ÷ requested, over the calls that leave something requested */
    uint64_t ratio_events; /* these calls */
    rh_sum mapped_byte_ns, requested_byte_ns;
    bool timed; /* a moment's time was known */
    uint64_t last_ns, last_mapped, last_requested;
} rh_fragmentation;

/* `events` calls, after each of which so much was mapped and requested. */
static inline void
rh_fragmentation_count(rh_fragmentation *sums, uint64_t mapped, uint64_t requested, uint64_t events)
{
    sums->mapped_byte_events += (rh_sum)mapped * events;
    sums->requested_byte_events += (rh_sum)requested * events;
    if (requested == 0)
        return;
    sums->ratio_sum += (double)events * ((double)mapped / (double)requested);
    sums->ratio_events += events;
}

/* It is `time_ns` since the recording began, or UINT64_MAX where that is not known. What was mapped
 * and requested at the last call stands until now; now it is so much. */
void rh_fragmentation_at(rh_fragmentation *sums, uint64_t time_ns, uint64_t mapped,
                         uint64_t requested);

/* The ratio of the integrals over the calls, less 1. NAN where nothing was requested. */
double rh_fragmentation_mean(const rh_fragmentation *sums);

/* The mean of the ratio over the calls, less 1. NAN as above. */
double rh_fragmentation_average(const rh_fragmentation *sums);

/* The ratio of the integrals over recorded time, less 1. NAN as above, or without times. */
double rh_fragmentation_time_mean(const rh_fragmentation *sums);

/* The integrals over recorded time, in bytes × seconds. NAN without times. */
double rh_fragmentation_mapped_byte_seconds(const rh_fragmentation *sums);
double rh_fragmentation_requested_byte_seconds(const rh_fragmentation *sums);

#endif
