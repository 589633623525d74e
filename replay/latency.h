/* How long calls took: a histogram of nanoseconds for each operation and each range of sizes.
 *
 * The size of a call is what it asks for; of a free, the size of the block. Nanoseconds and not
 * ticks, so that the histograms of repetitions, of threads and of several results files have the
 * same buckets and add up exactly.
 */
#ifndef REHEAP_REPLAY_LATENCY_H
#define REHEAP_REPLAY_LATENCY_H

#include <stddef.h>
#include <stdint.h>

#include "replay/histogram.h"

/* The operations that are told apart. */
typedef enum rh_timed {
    RH_TIMED_MALLOC, /* aligned calls too */
    RH_TIMED_CALLOC,
    RH_TIMED_REALLOC, /* of NULL too */
    RH_TIMED_FREE
} rh_timed;
#define RH_TIMED_OPERATIONS 4
extern const char *const rh_timed_names[RH_TIMED_OPERATIONS];

/* The ranges of sizes: range i is of sizes above the most of i - 1, up to its own. */
#define RH_SIZE_RANGES 6
extern const uint64_t rh_size_range_most[RH_SIZE_RANGES];

static inline unsigned
rh_size_range(uint64_t size)
{
    unsigned range = 0;
    while (size > rh_size_range_most[range])
        range++;
    return range;
}

/* The least size of a range. */
uint64_t rh_size_range_least(unsigned range);

/* For reading: "to 512 B", "above 1.00 MiB"; "all sizes" for 0 to UINT64_MAX. Returns `text`. */
char *rh_size_range_text(uint64_t least, uint64_t most, char *text, size_t capacity);

/* Nanoseconds a tick of a clock, times 2^32. */
uint64_t rh_ticks_scale(double ticks_per_ns);

__extension__ typedef unsigned __int128 rh_wide_ticks;

/* A difference of ticks in whole nanoseconds, rounded down. `scale`: rh_ticks_scale. */
static inline uint64_t
rh_ticks_ns(uint64_t ticks, uint64_t scale)
{
    return (uint64_t)(((rh_wide_ticks)ticks * scale) >> 32);
}

typedef struct rh_latency {
    rh_histogram histogram[RH_TIMED_OPERATIONS][RH_SIZE_RANGES]; /* of ns */
} rh_latency;

void rh_latency_merge(rh_latency *latency, const rh_latency *other);

/* An operation over all sizes, into `whole`. */
void rh_latency_operation(const rh_latency *latency, rh_timed operation, rh_histogram *whole);

#endif
