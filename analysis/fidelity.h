/* How far the replays of a made trace are from those of the one it was made after.
 *
 * Both are replayed into the same allocators, for memory. A number's difference is a fraction: 0
 * when both replays agree, at most 1. What is compared, for every allocator:
 *
 *   peak_mapped_bytes           |made − original| ÷ the larger
 *   fragmentation_mean          the same of 1 + fragmentation: mapped over requested
 *   fragmentation_at_peak_live  the same
 *   mapped_over_time            Σ |made − original| ÷ Σ the larger, of mapped bytes at so many
 * places from the first call to the last arenas_highwater            as the peak, for allocators
 * that have arenas pools_recycled              the same, per call
 *
 * An allocator's score is one less the mean of its differences; the score of all, the mean of the
 * allocators'.
 */
#ifndef REHEAP_ANALYSIS_FIDELITY_H
#define REHEAP_ANALYSIS_FIDELITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "replay/results.h"

enum { RH_FIDELITY_NUMBERS = 6 };

typedef struct rh_fidelity_number {
    const char *name;
    double original, made; /* NAN: the allocator cannot tell; mapped_over_time: means in bytes;
                              pools_recycled: of a call */
    double difference;     /* NAN: unknown, and not in the score */
} rh_fidelity_number;

typedef struct rh_fidelity_allocator {
    char *spec;
    rh_fidelity_number number[RH_FIDELITY_NUMBERS];
    double score; /* NAN when nothing is known */
} rh_fidelity_allocator;

typedef struct rh_fidelity {
    rh_fidelity_allocator *allocator;
    size_t count;
    double score;
    double worst; /* the largest difference */
} rh_fidelity;

/* Weighs two sets of memory runs, of the same specs in any order. Runs that failed count as
 * unknown. */
rh_status rh_fidelity_weigh(rh_results *original, rh_results *made, const char *const *specs,
                            size_t spec_count, rh_fidelity *fidelity, rh_error *error);

/* Replays both and weighs. RH_CANNOT_RUN: an allocator could not be run. */
rh_status rh_fidelity_measure(const char *original, const char *made, const char *const *specs,
                              size_t spec_count, rh_fidelity *fidelity, rh_error *error);
void rh_fidelity_release(rh_fidelity *fidelity);

#endif
