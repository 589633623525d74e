/* How long each stretch of a recording took: a throughput pass, cut into a few hundred pieces that
 * begin at the same calls in every run of the recording. What disturbs a run hits some of them, and
 * the same ones took as long as usual in other runs; analysis/calm.h takes it out by that.
 *
 * A stretch is some batches. How many is not known beforehand: when all stretches are used, each
 * two become one.
 */
#ifndef REHEAP_REPLAY_STRETCHES_H
#define REHEAP_REPLAY_STRETCHES_H

#include <stddef.h>
#include <stdint.h>

#include "replay/results.h"

#define RH_STRETCHES_MOST 512 /* even */

/* All zero to begin with. */
typedef struct rh_stretches {
    uint64_t calls[RH_STRETCHES_MOST], ticks[RH_STRETCHES_MOST];
    uint64_t batches, batches_each; /* each: 0 before the first */
} rh_stretches;

/* The next batch took so many ticks of a processor. */
void rh_stretches_add(rh_stretches *stretches, uint64_t calls, uint64_t ticks);

/* As results keep them, to be freed by the caller; NULL and *count 0 when there are none. */
rh_stretch *rh_stretches_rows(const rh_stretches *stretches, double ticks_per_ns, size_t *count);

#endif
