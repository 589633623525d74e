/* Part of reheap replay: the samples of memory passes as JSON. */
#ifndef REHEAP_REPLAY_CMD_REPLAY_SAMPLES_H
#define REHEAP_REPLAY_CMD_REPLAY_SAMPLES_H

#include <jansson.h>

#include "base/error.h"
#include "replay/results.h"

/* Adds "samples" to the object of a pass: an object a sample, with the parts of the waterfall and
 * all counters under their names, null where unknown. `run`: that memory pass. */
rh_status rh_replay_add_samples(json_t *object, rh_results *results, const rh_run *run,
                                rh_error *error);

#endif
