/* See experiment.h. The work lies in rooms: what comes before (experiment_prepare.c,
 * experiment_settings.c), the plan (experiment_plan.c), what a group is given (experiment_group.c),
 * storing (experiment_store.c); here the groups of the plan run one after the other. */
#include "replay/experiment.h"

#include <stdlib.h>
#include <string.h>

#include "base/output.h"
#include "replay/arena_history.h"
#include "replay/experiment_parts.h"
#include "replay/group.h"
#include "replay/pass_spec.h"
#include "replay/pin_pass.h"
#include "replay/pin_plan.h"
#include "replay/trace_source.h"

#define SAMPLES_STANDARD     1000
#define REPETITIONS_STANDARD 3

void
rh_experiment_init(rh_experiment *experiment)
{
    *experiment =
        (rh_experiment){.measures = RH_MEASURE_MEMORY | RH_MEASURE_THROUGHPUT | RH_MEASURE_LATENCY,
                        .repetitions = REPETITIONS_STANDARD,
                        .seed = 1,
                        .domain = PYMEM_DOMAIN_OBJ};
}

unsigned
rh_experiment_samples(const rh_experiment *experiment)
{
    return experiment->samples ? experiment->samples : SAMPLES_STANDARD;
}

static rh_status
gather(rh_run_state *state, const rh_group_order *order, rh_attempt_set *attempt, rh_error *error)
{
    attempt->count = 0;
    for (size_t i = 0; i < order->count; i++) {
        rh_allocator_entry *candidate = &state->candidates[order->candidate[i]];
        if (candidate->status) {
            rh_status status = rh_experiment_store(state, order, order->candidate[i], NULL, NULL,
                                                   NULL, NULL, NULL, NULL, candidate->text, error);
            if (status != RH_OK)
                return status;
            continue;
        }
        attempt->candidate[attempt->count] = order->candidate[i];
        attempt->specs[attempt->count] =
            rh_pass_spec(candidate->text, &candidate->spec, order->pass);
        attempt->libraries[attempt->count++] = candidate->preload;
    }
    return RH_OK;
}

static rh_status
run_group(const rh_run_state *state, const rh_group_order *order, const rh_group_plan *plan,
          rh_group **group, rh_error *error)
{
    rh_trace_again again;
    *group = NULL;
    rh_status status = rh_trace_again_open(&again, state->traces[order->trace].path, error);
    if (status != RH_OK)
        return status;
    rh_source source = rh_trace_again_source(&again);
    status = rh_group_run(plan, &source, group, error);
    rh_trace_again_close(&again);
    return status;
}

/* What the passes over a trace found, before it is stored. */
typedef struct finding_set {
    rh_run_state *state;
    const rh_group_order *order;
    rh_group_plan memory_plan, pins_plan; /* as long as the groups */
    rh_group *memory, *pins;              /* pins: NULL when nobody asked */
    const size_t *candidates;             /* of the members */
} finding_set;

static void
order_pins(void *ctx, uint32_t index, void *room)
{
    const finding_set *found = ctx;
    const rh_run_state *state = found->state;
    rh_pin_findings *findings = room;
    rh_pin_plan(&state->experiment->pin_wish, &state->traces[found->order->trace].scan,
                state->experiment->age.aged, rh_group_room(found->memory, index),
                &rh_group_member(found->memory, index)->memory, &findings->order);
    findings->order.arenas_differ =
        !rh_spec_repeats(&state->candidates[found->candidates[index]].spec);
}

static rh_status
look_at_pins(finding_set *found, rh_error *error)
{
    rh_group_plan *plan = &found->pins_plan;
    *plan = found->memory_plan;
    plan->compiler.sample_every = 0;
    plan->sample_capacity = 0;
    plan->room_bytes = sizeof(rh_pin_findings);
    plan->pins = true;
    plan->pace = 0;
    plan->compiler.times = 0;
    plan->order_of = order_pins;
    plan->order_ctx = found;
    found->state->calls_done += found->state->traces[found->order->trace].scan.counts.calls;
    return run_group(found->state, found->order, plan, &found->pins, error);
}

static rh_arena_report
arena_report(const finding_set *found, uint32_t index)
{
    rh_arena_report report = {0};
    const rh_arena_history *history = rh_group_room(found->memory, index);
    if (history->known)
        report = (rh_arena_report){.lives = history->arenas,
                                   .lives_count = history->arena_count,
                                   .looks = history->looks,
                                   .looks_count = history->look_count,
                                   .rows = history->rows,
                                   .rows_count = history->row_count,
                                   .worst = &history->worst};
    if (!history->known || !found->pins || rh_group_member(found->pins, index)->status != RH_OK)
        return report;
    const rh_pin_findings *pins = rh_group_room(found->pins, index);
    report.points = pins->points;
    report.points_count = pins->point_count;
    report.sums = pins->sums;
    report.sums_count = pins->sum_count;
    report.tables = pins->tables;
    report.tables_count = pins->table_count;
    report.pins = pins->pins;
    report.pins_count = pins->pin_count;
    report.pinned = pins->arenas;
    report.pinned_count = pins->arena_count;
    return report;
}

static rh_status
store_member(finding_set *found, const rh_attempt_set *attempt, uint32_t index, rh_error *error)
{
    bool memory = found->order->pass == RH_PASS_MEMORY;
    bool latency = found->order->pass == RH_PASS_LATENCY;
    bool throughput = found->order->pass == RH_PASS_THROUGHPUT;
    const rh_member *member = rh_group_member(found->memory, index);
    rh_arena_report report;
    if (memory)
        report = arena_report(found, index);
    if (found->pins && member->status == RH_OK)
        if (rh_group_member(found->pins, index)->status != RH_OK)
            member = rh_group_member(found->pins, index); /* what it says is the run's failure */
    return rh_experiment_store(found->state, found->order, attempt->candidate[index], member,
                               rh_group_samples(found->memory, index), memory ? &report : NULL,
                               latency ? rh_group_room(found->memory, index) : NULL,
                               throughput ? rh_group_room(found->memory, index) : NULL,
                               rh_group_rounds(found->memory, index), attempt->specs[index], error);
}

static rh_status
run_attempt(rh_run_state *state, const rh_group_order *order, const rh_attempt_set *attempt,
            rh_error *error)
{
    finding_set found = {.state = state,
                         .order = order,
                         .candidates = attempt->candidate,
                         .memory_plan = rh_experiment_group(state, order, attempt)};
    rh_status status = run_group(state, order, &found.memory_plan, &found.memory, error);
    if (status == RH_OK && state->experiment->pins && order->pass == RH_PASS_MEMORY)
        status = look_at_pins(&found, error);
    for (uint32_t i = 0; status == RH_OK && i < attempt->count; i++)
        status = store_member(&found, attempt, i, error);
    rh_group_close(found.pins);
    rh_group_close(found.memory);
    return status;
}

static rh_status
run_order(rh_run_state *state, const rh_group_order *order, rh_error *error)
{
    rh_attempt_set attempt;
    rh_status status = gather(state, order, &attempt, error);
    if (status == RH_OK && attempt.count)
        status = run_attempt(state, order, &attempt, error);
    for (unsigned i = 0; i < attempt.count; i++)
        free(attempt.specs[i]);
    state->calls_done += state->traces[order->trace].scan.counts.calls;
    return status;
}

/* How often the recording is played. */
static unsigned
passes_of(const rh_run_state *state, const rh_group_order *order)
{
    return state->experiment->pins && order->pass == RH_PASS_MEMORY ? 2 : 1;
}

static rh_status
run_orders(rh_run_state *state, rh_error *error)
{
    uint64_t total = 0;
    for (size_t i = 0; i < state->order_count; i++)
        total += state->traces[state->orders[i].trace].scan.counts.calls *
                 passes_of(state, &state->orders[i]);
    rh_progress_begin(&state->progress, "replaying", "events", total);
    rh_status status = RH_OK;
    for (size_t i = 0; i < state->order_count && status == RH_OK; i++)
        status = rh_interrupted() ? rh_fail(error, RH_INTERRUPTED, "interrupted")
                                  : run_order(state, &state->orders[i], error);
    rh_progress_end(&state->progress);
    return status;
}

rh_status
rh_experiment_run(const rh_experiment *experiment, rh_results *results, rh_error *error)
{
    rh_run_state state = {.experiment = experiment, .results = results};
    rh_status status = rh_experiment_prepare(&state, error);
    if (status == RH_OK) {
        rh_machine_read(&state.machine);
        rh_experiment_plan(&state);
        if (experiment->resume)
            status = rh_experiment_go_on(&state, error);
    }
    if (status == RH_OK)
        status = run_orders(&state, error);
    if (status == RH_OK && state.failed)
        status = rh_fail(error, RH_CANNOT_RUN, "%u of %u runs failed; the first: %s", state.failed,
                         state.stored, state.first_failure);
    rh_experiment_release(&state);
    return status;
}
