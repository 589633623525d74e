/* A results file as analysis sees it: for every trace its allocators, for every allocator its
 * numbers over the repetitions.
 *
 * A number belongs to the pass that measures it without disturbance: times to the throughput pass,
 * quantiles to the latency pass, bytes and counts to the memory pass. Failed runs contribute
 * nothing; flagged ones (allocations failed that succeeded in the recording) do, and are counted so
 * that a reader is warned.
 */
#ifndef REHEAP_ANALYSIS_SUMMARY_H
#define REHEAP_ANALYSIS_SUMMARY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "analysis/statistics.h"
#include "base/error.h"
#include "replay/results.h"

typedef enum rh_quantity_kind {
    RH_QUANTITY_NS,     /* a time: varies from run to run */
    RH_QUANTITY_BYTES,  /* memory */
    RH_QUANTITY_EXCESS, /* a fraction above 1, stored less 1: ratios are taken of 1 + value */
    RH_QUANTITY_COUNT
} rh_quantity_kind;

/* A main number: its name in results and JSON, and how it is shown. Less is better in each but the
 * counts, which have no better. */
typedef struct rh_quantity {
    const char *name, *heading;
    rh_quantity_kind kind;
} rh_quantity;

/* The numbers that comparisons show, in the order of the tables; ends with a NULL name. */
#define RH_SPEED "calm_ns_per_event"
extern const rh_quantity rh_quantities[];
const rh_quantity *rh_quantity_find(const char *name);

/* An allocator on one trace: all its runs. */
typedef struct rh_subject {
    const char *spec, *name, *version;
    const rh_run **runs;
    double *calm_ns; /* of each run an event (calm.h), NAN of other passes; NULL: unknown */
    size_t run_count, flagged, failed;
} rh_subject;

typedef struct rh_workload {
    int64_t trace;
    const char *path, *hash, *info;   /* info: JSON, may be NULL */
    char *command;                    /* what was recorded; the file's name when unknown */
    char *conditions;                 /* how it was replayed, as options; "" in the ordinary way */
    char *title;                      /* for figures: both, a long command shortened */
    uint64_t events;                  /* 0: unknown */
    uint64_t arena_bytes, pool_bytes; /* of the recorded pymalloc; 0: unknown */
    rh_subject *subjects;             /* in the order in which they were named */
    size_t subject_count;
    rh_subject control; /* bump's latencies, where it ran as the control alone; else without runs */
    const rh_mark *marks; /* the phases that the program announced, on the clock of samples */
    size_t mark_count;
} rh_workload;

typedef struct rh_summary {
    char *path;
    rh_results *results;
    rh_workload *workloads;
    size_t workload_count;
} rh_summary;

/* Reads FILE. RH_BAD_INPUT: not a results file, or one without a run. */
rh_status rh_summary_open(const char *path, rh_summary **summary, rh_error *error);
/* The same of results that are already open, which belong to the summary when
 * that succeeds. */
rh_status rh_summary_of(const char *path, rh_results *results, rh_summary **summary,
                        rh_error *error);
void rh_summary_close(rh_summary *summary);
/* As close, but the results stay open. */
void rh_summary_detach(rh_summary *summary);

/* NULL when there is none of that spec. */
const rh_subject *rh_workload_subject(const rh_workload *workload, const char *spec);

/* What the allocators' speeds are compared by: RH_SPEED, or where an allocator's is unknown (files
 * of builds that did not keep stretches, replays in several threads, few runs) `ns_per_event`. */
const char *rh_workload_speed(const rh_workload *workload);

/* A number's values with the repetitions they come from, in rising order of repetition. */
typedef struct rh_values {
    double *value;
    unsigned *repetition;
    size_t count;
} rh_values;
rh_values rh_subject_values(const rh_subject *subject, const char *metric);
void rh_values_release(rh_values *values);

/* The median over repetitions; NAN when no run knows it. */
double rh_subject_median(const rh_subject *subject, const char *metric);

/* Whether a number came out differently in different repetitions. A heap that behaves the same
 * every time runs once, and its numbers never do. */
bool rh_subject_varies(const rh_subject *subject, const char *metric);

/* How two subjects belong together. */
typedef struct rh_relation {
    bool paired; /* both ran in one experiment */
    /* Two experiments: an allocator that ran in each and is the same in both; times are taken as
     * multiples of its time in the same repetition. NULL: none. */
    const rh_subject *reference, *baseline_reference;
} rh_relation;
#define RH_PAIRED ((rh_relation){.paired = true})

/* `subject` over `baseline`: with an interval where a number varies from run to run. Quantiles of
 * latency under twice the probe's cost count as that much. */
rh_ratio rh_subject_ratio(const rh_subject *subject, const rh_subject *baseline,
                          const rh_quantity *quantity, rh_relation relation);

/* The samples of the first memory run that has any, to be freed by the caller; count 0 when there
 * are none. */
rh_status rh_subject_samples(const rh_summary *summary, const rh_subject *subject,
                             rh_sample **samples, size_t *count, rh_error *error);

/* What the first memory run that knows any tells of arenas; empty lists when none does. Valid until
 * the summary closes. */
void rh_subject_arenas(const rh_summary *summary, const rh_subject *subject,
                       rh_arena_report *report);

/* The latency buckets of one operation, of all sizes, summed over the repetitions, in rising order,
 * to be freed by the caller. `response`: from the moment at which a call was due, of paced runs;
 * else of the call itself. */
rh_status rh_subject_buckets(const rh_summary *summary, const rh_subject *subject,
                             const char *operation, bool response, rh_bucket **buckets,
                             size_t *count, rh_error *error);

#endif
