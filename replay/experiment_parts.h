/* What the rooms of experiment.h share: the state of an experiment that runs. */
#ifndef REHEAP_REPLAY_EXPERIMENT_PARTS_H
#define REHEAP_REPLAY_EXPERIMENT_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "alloc/spec.h"
#include "base/output.h"
#include "replay/experiment.h"
#include "replay/group.h"
#include "replay/program.h"
#include "replay/provenance.h"
#include "replay/results.h"
#include "replay/rounds.h"
#include "replay/scan.h"
#include "replay/stretches.h"
#include "replay/trace_source.h"

enum { RH_EXPERIMENT_SAMPLES_MOST = 1000000, RH_EXPERIMENT_MEMBERS_MOST = 32 };

typedef struct rh_trace_entry {
    const char *path;
    char hash[RH_TRACE_HASH_TEXT];
    int64_t id;
    rh_scan scan;
    rh_compiler compiler;   /* its options, without samples */
    rh_age_size *age_sizes; /* aged: what is drawn from */
    size_t age_size_count;
    rh_leftovers leftovers; /* looped: what lives at the end, found where it is asked for */
} rh_trace_entry;

/* An allocator as given, parsed. */
typedef struct rh_allocator_entry {
    const char *text;
    rh_spec spec;
    bool parsed;
    char preload[4096];
    char *library;    /* the file that so= names, whole; "" for none */
    rh_status status; /* of finding the library */
    char reason[1024];
} rh_allocator_entry;

typedef struct rh_group_order {
    size_t trace;
    rh_pass pass;
    unsigned rep;
    bool control; /* bump's latency, where nobody asked for bump: what the harness itself shows */
    size_t count;
    size_t candidate[RH_EXPERIMENT_MEMBERS_MOST];
} rh_group_order;

typedef struct rh_run_state {
    const rh_experiment *experiment;
    rh_results *results;
    rh_machine machine;
    rh_trace_entry *traces;
    rh_allocator_entry *candidates; /* those of the experiment, and the control last */
    rh_group_order *orders;
    size_t order_count, order_capacity;
    rh_progress progress;
    uint64_t calls_done; /* by earlier groups, over all members */
    unsigned failed, stored;
    char first_failure[1200];
} rh_run_state;

/* The members of an order that can be tried; the others are stored as failed at once. */
typedef struct rh_attempt_set {
    size_t candidate[RH_EXPERIMENT_MEMBERS_MOST];
    char *specs[RH_EXPERIMENT_MEMBERS_MOST];
    const char *libraries[RH_EXPERIMENT_MEMBERS_MOST];
    unsigned count;
} rh_attempt_set;

/* Reads and checks traces and allocators, and enters them and the settings into the results. */
rh_status rh_experiment_prepare(rh_run_state *state, rh_error *error);
/* RH_USAGE: they do not go together. */
rh_status rh_experiment_check_settings(const rh_experiment *experiment, rh_error *error);
/* Into the results, from which the experiment may go on. */
rh_status rh_experiment_store_settings(rh_run_state *state, rh_error *error);
/* Frees what the others took; the results stay. */
void rh_experiment_release(rh_run_state *state);
/* Fills the orders. */
void rh_experiment_plan(rh_run_state *state);
/* Takes out of the orders what the results have; failed runs are tried again. */
rh_status rh_experiment_go_on(rh_run_state *state, rh_error *error);
/* What a group is made of that plays an order. It points into all three. */
rh_group_plan rh_experiment_group(rh_run_state *state, const rh_group_order *order,
                                  const rh_attempt_set *attempt);
/* Stores a run of an order, and notes it if it failed. NULL: there is none of that. */
rh_status rh_experiment_store(rh_run_state *state, const rh_group_order *order, size_t which,
                              const rh_member *member, const rh_sample *samples,
                              const rh_arena_report *arenas, const rh_latency_findings *latency,
                              const rh_stretches *stretches, const rh_round *rounds,
                              const char *opened, rh_error *error);
/* The name of its pass in the results. */
const char *rh_group_order_pass(const rh_group_order *order);

#endif
