/* The plan: a list of groups (group.h), shuffled by the seed: time passes one run each, memory
 * passes all allocators of a trace together, as many as fit into memory. */
#include <stdlib.h>
#include <string.h>

#include "alloc/spec.h"
#include "base/host.h"
#include "base/random.h"
#include "replay/experiment_parts.h"
#include "replay/group.h"
#include "replay/latency_store.h"
#include "replay/pass_spec.h"
#include "replay/recall.h"

#define MEMBER_BYTES (UINT64_C(64) << 20) /* what a child takes besides its heap */

static rh_group_order *
add_order(rh_run_state *state, size_t trace, rh_pass pass, unsigned rep)
{
    if (state->order_count == state->order_capacity) {
        state->order_capacity = state->order_capacity ? state->order_capacity * 2 : 64;
        state->orders = realloc(state->orders, state->order_capacity * sizeof *state->orders);
        if (!state->orders)
            abort();
    }
    rh_group_order *order = &state->orders[state->order_count++];
    *order = (rh_group_order){.trace = trace, .pass = pass, .rep = rep};
    return order;
}

static void
plan_times(rh_run_state *state, size_t trace, rh_pass pass)
{
    for (unsigned rep = 0; rep < state->experiment->repetitions; rep++) {
        for (size_t c = 0; c < state->experiment->spec_count; c++) {
            rh_group_order *order = add_order(state, trace, pass, rep);
            order->candidate[order->count++] = c;
        }
    }
}

const char *
rh_group_order_pass(const rh_group_order *order)
{
    return order->control ? RH_CONTROL_PASS : rh_pass_names[order->pass];
}

/* One run for each repetition, unless bump is among the allocators anyway. */
static void
plan_control(rh_run_state *state, size_t trace)
{
    size_t control = state->experiment->spec_count;
    for (size_t c = 0; c < control; c++)
        if (strcmp(state->candidates[c].text, RH_CONTROL_SPEC) == 0)
            return;
    for (unsigned rep = 0; rep < state->experiment->repetitions; rep++) {
        rh_group_order *order = add_order(state, trace, RH_PASS_LATENCY, rep);
        order->control = true;
        order->candidate[order->count++] = control;
    }
}

/* How many heaps may hold this trace's blocks at once in half of the machine's memory. */
static unsigned
members_that_fit(const rh_run_state *state, const rh_trace_entry *trace)
{
    const rh_loop *loop = &state->experiment->loop;
    uint64_t kept = loop->frees ? 0 : trace->scan.end_requested_bytes * loop->rounds;
    uint64_t aged = state->experiment->age.aged ? trace->scan.peak_requested_bytes : 0;
    uint64_t each = (trace->scan.peak_requested_bytes + kept + aged) / 2 * 3 +
                    trace->scan.slots * (uint64_t)sizeof(rh_memory_slot) + MEMBER_BYTES;
    uint64_t fit = rh_host_memory_bytes() / 2 / each;
    return fit < 1                            ? 1
           : fit > RH_EXPERIMENT_MEMBERS_MOST ? RH_EXPERIMENT_MEMBERS_MOST
                                              : (unsigned)fit;
}

/* A heap that behaves the same every time runs once. */
static void
plan_shared(rh_run_state *state, size_t trace, rh_pass pass)
{
    unsigned most = members_that_fit(state, &state->traces[trace]);
    for (unsigned rep = 0; rep < state->experiment->repetitions; rep++) {
        rh_group_order *order = NULL;
        for (size_t c = 0; c < state->experiment->spec_count; c++) {
            if (rep > 0 && rh_spec_repeats(&state->candidates[c].spec))
                continue;
            if (!order || order->count == most)
                order = add_order(state, trace, pass, rep);
            order->candidate[order->count++] = c;
        }
    }
}

static void
shuffle(rh_group_order *orders, size_t count, rh_random *random)
{
    for (size_t i = count; i > 1; i--) {
        size_t j = (size_t)rh_random_below(random, i);
        rh_group_order swap = orders[i - 1];
        orders[i - 1] = orders[j];
        orders[j] = swap;
    }
}

/* A repetition is a round: what is compared in pairs runs within it, in an order that is drawn anew
 * each time. Rounds come in their order, so that a drift of the machine is to be seen in them. */
static void
shuffle_rounds(rh_run_state *state)
{
    rh_random random = {state->experiment->seed};
    rh_group_order *sorted = malloc((state->order_count + 1) * sizeof *sorted);
    if (!sorted)
        abort();
    size_t done = 0;
    for (unsigned rep = 0; done < state->order_count; rep++) {
        size_t first = done;
        for (size_t i = 0; i < state->order_count; i++)
            if (state->orders[i].rep == rep)
                sorted[done++] = state->orders[i];
        shuffle(sorted + first, done - first, &random);
    }
    free(state->orders);
    state->orders = sorted;
    state->order_capacity = state->order_count + 1;
}

void
rh_experiment_plan(rh_run_state *state)
{
    for (size_t t = 0; t < state->experiment->trace_count; t++) {
        if (state->experiment->measures & RH_MEASURE_MEMORY)
            plan_shared(state, t, RH_PASS_MEMORY);
        if (state->experiment->measures & RH_MEASURE_SYSTEM)
            plan_shared(state, t, RH_PASS_SYSTEM);
        if (state->experiment->measures & RH_MEASURE_THROUGHPUT)
            plan_times(state, t, RH_PASS_THROUGHPUT);
        if (state->experiment->measures & RH_MEASURE_LATENCY) {
            plan_times(state, t, RH_PASS_LATENCY);
            plan_control(state, t);
        }
    }
    shuffle_rounds(state);
}

/* Takes out of the plan what the results have. */
static void
strike_out(rh_run_state *state, const rh_run *runs, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < state->order_count; i++) {
        rh_group_order order = state->orders[i];
        size_t wanted = 0;
        for (size_t c = 0; c < order.count; c++)
            if (!rh_recall_has_run(runs, count, state->traces[order.trace].id,
                                   state->candidates[order.candidate[c]].text,
                                   rh_group_order_pass(&order),
                                   state->experiment->first_repetition + order.rep))
                order.candidate[wanted++] = order.candidate[c];
        order.count = wanted;
        if (wanted)
            state->orders[kept++] = order;
    }
    state->order_count = kept;
}

/* Failed runs are tried again: whoever goes on has likely mended what they lacked. */
rh_status
rh_experiment_go_on(rh_run_state *state, rh_error *error)
{
    const rh_run *runs;
    size_t count;
    rh_status status = rh_results_forget_failures(state->results, error);
    if (status == RH_OK)
        status = rh_results_runs(state->results, &runs, &count, error);
    if (status == RH_OK)
        status = rh_recall_check_machine(runs, count, &state->machine, error);
    if (status == RH_OK)
        strike_out(state, runs, count);
    return status;
}
