/* From what a run left to numbers with names: the ones of docs/metrics.md. */
#ifndef REHEAP_REPLAY_METRICS_H
#define REHEAP_REPLAY_METRICS_H

#include <stdbool.h>
#include <stddef.h>

#include "replay/channel.h"
#include "replay/results.h"
#include "replay/scan.h"

#define RH_METRICS_MAX 192

typedef struct rh_metrics {
    rh_metric metric[RH_METRICS_MAX];
    size_t count;
} rh_metrics;

/* The metrics of a finished member's pass. `scan`: of its trace. Names are
 * constants, or lie in the member (its figures). */
void rh_metrics_fill(rh_metrics *metrics, const rh_member *member, const rh_scan *scan,
                     double ticks_per_ns);

/* Those of the arenas, of a memory pass. */
void rh_metrics_add_arenas(rh_metrics *metrics, const rh_arena_report *report);

/* Those of a latency pass that its histograms tell; `paced`: with response times. */
void rh_metrics_add_latency(rh_metrics *metrics, const rh_latency_findings *found, bool paced);

/* Those of a looped run. */
void rh_metrics_add_rounds(rh_metrics *metrics, rh_pass pass, const rh_round *rounds, size_t count);

/* Value of a metric, NAN when it is unknown or not there. */
double rh_metrics_get(const rh_metric *metrics, size_t count, const char *name);

/* mapped ÷ requested − 1; NAN when one is unknown or nothing was requested. */
double rh_metrics_fragmentation(double mapped, double requested);

#endif
