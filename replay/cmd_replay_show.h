/* What `reheap replay` prints. */
#ifndef REHEAP_REPLAY_CMD_REPLAY_SHOW_H
#define REHEAP_REPLAY_CMD_REPLAY_SHOW_H

#include <stdbool.h>
#include <stddef.h>

#include "replay/results.h"

/* A table per trace: one line an allocator, in the order of `specs`, medians over the repetitions;
 * and one of latencies over all repetitions, with `sizes` for each range of sizes. */
rh_status rh_replay_show_table(rh_results *results, const char *const *specs, size_t spec_count,
                               bool sizes, rh_error *error);

/* What each heap said of itself at the end of its (first) memory pass, in its own words. */
rh_status rh_replay_show_statistics(rh_results *results, rh_error *error);

/* On stderr: why the first failed run of each allocator failed. */
rh_status rh_replay_show_failures(rh_results *results, rh_error *error);

/* One object of schema reheap.replay/1: a run is an allocator and a repetition, with the metrics of
 * all passes; what a deterministic heap's single memory pass found stands with each repetition.
 * `over_time`: with the samples of each memory pass. */
rh_status rh_replay_show_json(rh_results *results, bool over_time, rh_error *error);

#endif
