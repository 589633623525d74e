/* An experiment: traces × allocators × repetitions × passes, each run in a fresh child process,
 * stored as it completes. The child is this same program: whoever runs experiments answers to
 * RH_CHILD_COMMAND (child.h). */
#ifndef REHEAP_REPLAY_EXPERIMENT_H
#define REHEAP_REPLAY_EXPERIMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "replay/age.h"
#include "replay/pin_plan.h"
#include "replay/results.h"
#include "replay/rounds.h"
#include "replay/touch.h"

enum {
    RH_MEASURE_MEMORY = 1,
    RH_MEASURE_THROUGHPUT = 2,
    RH_MEASURE_LATENCY = 4,
    RH_MEASURE_SYSTEM = 8
};

typedef struct rh_experiment {
    const char *const *traces;
    size_t trace_count;
    const char *const *specs;
    size_t spec_count;
    unsigned measures;         /* RH_MEASURE_… */
    unsigned first_repetition; /* the number of the first one: an experiment may go on later */
    unsigned repetitions; /* of the throughput and latency passes; of memory and system, of a heap
                             that is not the same every time */
    uint64_t seed;        /* order of the runs, and whatever a run draws */
    rh_touch touch;
    bool threads; /* time passes have a thread for each recorded one, all at once */
    rh_age age;   /* of every heap, before the recording begins */
    rh_loop loop; /* the recording again and again; rounds 0: once */
    double pace;  /* of all passes but throughput: calls are begun when recorded, so many times as
                     fast; 0: at once */
    int domain;   /* where events of a trace without domains go; PYMEM_DOMAIN_OBJ by default */
    unsigned samples; /* memory samples a run; 0: the default */
    bool quiet;       /* no progress bar */
    bool resume;      /* the results hold a part of it: what is there is not made again */
    bool pins;        /* memory passes: a second one, to see what keeps arenas (pins.h) */
    rh_pin_wish pin_wish;
    unsigned patience_seconds; /* a run that makes no progress for so long fails; 0: the default */
    const char *command;       /* the command line, for the provenance; may be NULL */
} rh_experiment;

/* The defaults: memory, throughput and latency, 3 repetitions, seed 1, no touching. */
void rh_experiment_init(rh_experiment *experiment);

/* Memory samples a run: the default where it does not say. */
unsigned rh_experiment_samples(const rh_experiment *experiment);

/* Runs it and stores every run into `results`. Specs are checked before anything runs. A run that
 * fails (its allocator will not load, its process dies) is stored as failed and the others go on;
 * the status is then RH_CANNOT_RUN at the end. RH_INTERRUPTED: Ctrl-C; complete runs are kept.
 * RH_USAGE, when resumed: a trace or the machine is not the one that it began with. */
rh_status rh_experiment_run(const rh_experiment *experiment, rh_results *results, rh_error *error);

#endif
