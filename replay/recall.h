/* An experiment that goes on: its settings as its results file keeps them, and which of its runs
 * are there. */
#ifndef REHEAP_REPLAY_RECALL_H
#define REHEAP_REPLAY_RECALL_H

#include <stdbool.h>

#include "base/error.h"
#include "replay/experiment.h"
#include "replay/provenance.h"
#include "replay/results.h"

typedef struct rh_recalled {
    rh_experiment experiment; /* traces, allocators and settings; the rest as rh_experiment_init */
    const char **lists;       /* of traces, then of allocators: both point into it */
    char *words;              /* allocators */
    char *moments;            /* of the wish for pins */
} rh_recalled;

/* The texts belong to `recalled` and to the results. RH_BAD_INPUT: the file does not say how it was
 * made. */
rh_status rh_recall(rh_recalled *recalled, rh_results *results, rh_error *error);
void rh_recalled_release(rh_recalled *recalled);

/* Whether that run is among them. */
bool rh_recall_has_run(const rh_run *runs, size_t count, int64_t trace, const char *spec,
                       const char *pass, unsigned rep);

/* RH_USAGE: the runs were made on another machine, or on this one set up otherwise. */
rh_status rh_recall_check_machine(const rh_run *runs, size_t count, const rh_machine *machine,
                                  rh_error *error);

#endif
