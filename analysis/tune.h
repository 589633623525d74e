/* Tuning: which of many settings of an allocator are worth having for given recordings.
 *
 * Memory first: all candidates share passes over the recordings, and the numbers are exact. Then
 * speed, in rounds of one repetition of every candidate, interleaved with the baseline, until the
 * repetitions or the time are used up; where time is short, rounds after the first leave out those
 * that can no longer matter. The front (pareto.h) of the two names the candidates that
 * are worth having; of those that need no more memory and are not slower than the baseline, the one
 * with the least product of both is recommended. What it gains can be checked on a recording that
 * had no part in choosing it.
 */
#ifndef REHEAP_ANALYSIS_TUNE_H
#define REHEAP_ANALYSIS_TUNE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "analysis/statistics.h"
#include "analysis/summary.h"
#include "base/error.h"
#include "replay/experiment.h"

typedef struct rh_tune_options {
    const rh_experiment *experiment; /* traces, how they are replayed, seed, repetitions of speed at
                                        most, command; the rest is set here */
    const char *baseline;            /* also what the candidates' settings are put into */
    const char *const *candidates;
    size_t candidate_count;
    const char *holdout; /* NULL: none */
    const char *memory;  /* the number to judge memory by: "fragmentation_mean" (mapped over
                            requested, over time) or "peak_mapped_bytes" */
    uint64_t budget_ns;  /* begin no round that would end later; 0: no limit */
} rh_tune_options;

/* A candidate against the baseline, over all recordings: geometric means. */
typedef struct rh_tuned {
    const char *spec;
    double memory; /* 1 + fragmentation, or bytes; NAN when it could not run */
    double ns;     /* a call, median */
    rh_ratio time; /* to the baseline */
    double memory_ratio;
    bool front;
} rh_tuned;

typedef struct rh_tuning {
    rh_tuned *candidate; /* candidate[0] is the baseline */
    size_t count;
    size_t recommended;   /* place of the recommended one; 0: the baseline itself is */
    unsigned repetitions; /* that were made, of the baseline */
    bool has_holdout;
    rh_tuned holdout_baseline, holdout; /* of the recommended one, on the other recording */
} rh_tuning;

/* Runs everything, storing into `results`. RH_CANNOT_RUN: some runs failed, and `*tuning` still
 * holds what the others showed. On any other error it is NULL. */
rh_status rh_tune_run(const rh_tune_options *options, rh_results *results, rh_tuning **tuning,
                      rh_error *error);
void rh_tuning_release(rh_tuning *tuning);

/* Weighs what `workloads` (of one experiment) hold, without running anything: the middle of
 * rh_tune_run. specs[0] is the baseline. */
rh_tuning *rh_tune_weigh(const rh_workload *const *workloads, size_t workload_count,
                         const char *const *specs, size_t spec_count, const char *memory);

/* One sentence: what the recommended one gains over the baseline. Returns `text`. */
char *rh_tuning_sentence(const rh_tuning *tuning, const char *memory, char *text, size_t capacity);
/* The same on the holdout. */
char *rh_tuning_holdout_sentence(const rh_tuning *tuning, const char *memory, char *text,
                                 size_t capacity);

#endif
