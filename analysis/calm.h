/* Times of runs without what disturbed single ones.
 *
 * A replay does the same work in the same order each time. On a machine that others use, something
 * slows it down now and then for a millisecond or two, by a tenth or by half: whoever shares the
 * processor's caches or its other hardware thread, and the cold caches after a preemption. Of one
 * run nobody could tell that from a part of the recording that is slow by itself; beside other runs
 * of the same allocator one can, for there the same stretch was quick.
 *
 * A stretch is usual if it took what it took in other runs, their lower quartile, times the pace of
 * this run, by which all its stretches were slower or faster; the pace is the median over the
 * stretches, weighted by what they take. What a stretch took more than that and RH_CALM_SPARE, does
 * not count. So a run keeps its time but for the peaks, and runs stay independent of one another as
 * far as statistics are concerned: others decide only where the cut is, not what is counted.
 *
 * What this cannot tell from a disturbance is an allocator that is slow at another place each time.
 * Such a heap's whole time is far above its calm one, more so than that of others in the same
 * rounds.
 */
#ifndef REHEAP_ANALYSIS_CALM_H
#define REHEAP_ANALYSIS_CALM_H

#include <stddef.h>

#define RH_CALM_SPARE 0.1
#define RH_CALM_FROM  5 /* runs: fewer do not know what is usual */

/* times[run * stretches + stretch]: at least 0. Writes the calm time of each run; of fewer
 * than RH_CALM_FROM runs the whole. */
void rh_calm_times(const double *times, size_t runs, size_t stretches, double *calm);

#endif
