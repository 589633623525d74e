/* Histograms of latency as rows of a results file, and back. */
#ifndef REHEAP_REPLAY_LATENCY_STORE_H
#define REHEAP_REPLAY_LATENCY_STORE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "replay/latency.h"
#include "replay/results.h"

typedef struct rh_latency_rows {
    rh_latency_row *row;
    rh_bucket *bucket;
    size_t row_count, bucket_count, row_room, bucket_room;
} rh_latency_rows;

/* Adds the histograms that have a call, zeroed `rows` at first. */
void rh_latency_rows_add(rh_latency_rows *rows, const rh_latency *latency, bool response);
void rh_latency_rows_release(rh_latency_rows *rows);

/* Adds what a stored run found to `latency`: those of several runs, and of several files, add up to
 * what one run of all their calls would have. RH_BAD_INPUT: its buckets are not those of this
 * build. */
rh_status rh_latency_recall(rh_results *results, const rh_run *run, bool response,
                            rh_latency *latency, rh_error *error);

#endif
