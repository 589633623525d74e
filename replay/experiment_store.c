/* A run becomes rows of the results. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replay/experiment_parts.h"
#include "replay/latency_store.h"
#include "replay/metrics.h"
#include "replay/provenance.h"
#include "replay/stretches.h"

static void
note_failure(rh_run_state *state, const rh_allocator_entry *candidate, const char *reason)
{
    if (state->failed++ > 0)
        return;
    bool named = strstr(reason, candidate->text) != NULL;
    snprintf(state->first_failure, sizeof state->first_failure, "%.150s%s%s",
             named ? "" : candidate->text, named ? "" : ": ", reason);
}

rh_status
rh_experiment_store(rh_run_state *state, const rh_group_order *order, size_t which,
                    const rh_member *member, const rh_sample *samples,
                    const rh_arena_report *arenas, const rh_latency_findings *latency,
                    const rh_stretches *stretches, const rh_round *rounds, const char *opened,
                    rh_error *error)
{
    const rh_allocator_entry *candidate = &state->candidates[which];
    const rh_trace_entry *trace = &state->traces[order->trace];
    const char *reason = candidate->status ? candidate->reason : member->message;
    bool failed = candidate->status || member->status;
    rh_latency_rows rows = {.row_count = 0};
    size_t round_count = failed || !state->experiment->loop.rounds ? 0 : member->rounds_played;
    rh_metrics metrics = {.count = 0};
    if (failed)
        note_failure(state, candidate, reason);
    else
        rh_metrics_fill(&metrics, member, &trace->scan, state->machine.ticks_per_ns);
    if (!failed && arenas)
        rh_metrics_add_arenas(&metrics, arenas);
    rh_metrics_add_rounds(&metrics, order->pass, rounds, round_count);
    if (!failed && latency) {
        bool paced = state->experiment->pace > 0;
        rh_metrics_add_latency(&metrics, latency, paced);
        rh_latency_rows_add(&rows, &latency->service, false);
        if (paced)
            rh_latency_rows_add(&rows, &latency->response, true);
    }
    size_t stretch_count = 0;
    rh_stretch *stretch =
        failed || !stretches
            ? NULL
            : rh_stretches_rows(stretches, state->machine.ticks_per_ns, &stretch_count);
    char *provenance =
        rh_provenance(&state->machine, state->experiment, member, opened, candidate->library,
                      candidate->preload, trace->hash, failed ? reason : NULL);
    rh_run run = {.trace = trace->id,
                  .spec = candidate->text,
                  .name = candidate->spec.allocator->name,
                  .version = member ? member->version : "",
                  .pass = rh_group_order_pass(order),
                  .rep = state->experiment->first_repetition + order->rep,
                  .status = failed                       ? "failed"
                            : member->failed_allocations ? "flagged"
                                                         : "complete",
                  .provenance = provenance,
                  .metrics = metrics.metric,
                  .metric_count = metrics.count,
                  .samples = samples,
                  .sample_count = failed || order->pass != RH_PASS_MEMORY
                                      ? 0
                                      : (size_t)member->memory.sample_count,
                  .rounds = rounds,
                  .round_count = round_count,
                  .latencies = rows.row,
                  .latency_count = rows.row_count,
                  .buckets = rows.bucket,
                  .bucket_count = rows.bucket_count,
                  .stretches = stretch,
                  .stretch_count = stretch_count,
                  .arenas = failed ? NULL : arenas};
    rh_status status = rh_results_add_run(state->results, &run, error);
    state->stored += status == RH_OK;
    free(provenance);
    free(stretch);
    rh_latency_rows_release(&rows);
    return status;
}
