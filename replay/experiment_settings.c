/* The settings of an experiment: whether they go together, and what the results keep of them. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>

#include "replay/experiment_parts.h"
#include "replay/pace.h"
#include "replay/rounds.h"

static rh_status
set_number(rh_run_state *state, const char *key, uint64_t value, rh_error *error)
{
    char text[32];
    snprintf(text, sizeof text, "%llu", (unsigned long long)value);
    return rh_results_set(state->results, key, text, error);
}

/* A list under a key, a line each. */
static rh_status
store_lines(rh_run_state *state, const char *key, const char *const *lines, size_t count,
            rh_error *error)
{
    char *text = NULL;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);
    for (size_t i = 0; out && i < count; i++)
        fprintf(out, "%s%s", i ? "\n" : "", lines[i]);
    if (!out || fclose(out) != 0)
        abort();
    rh_status status = rh_results_set(state->results, key, text, error);
    free(text);
    return status;
}

/* The allocators as they were named; of an experiment that goes on, the first. */
static rh_status
store_allocators(rh_run_state *state, rh_error *error)
{
    if (rh_results_get(state->results, "allocators"))
        return RH_OK;
    return store_lines(state, "allocators", state->experiment->specs, state->experiment->spec_count,
                       error);
}

static rh_status
store_pin_wish(rh_run_state *state, rh_error *error)
{
    const rh_pin_wish *wish = &state->experiment->pin_wish;
    rh_status status = set_number(state, "pins_under_percent", wish->under_percent, error);
    return status == RH_OK ? store_lines(state, "pins_at", wish->at, wish->at_count, error)
                           : status;
}

rh_status
rh_experiment_store_settings(rh_run_state *state, rh_error *error)
{
    const rh_experiment *experiment = state->experiment;
    rh_status status = set_number(state, "seed", experiment->seed, error);
    if (status == RH_OK)
        status = set_number(state, "repetitions", experiment->repetitions, error);
    if (status == RH_OK)
        status =
            rh_results_set(state->results, "threads", rh_threads_names[experiment->threads], error);
    if (status == RH_OK)
        status = set_number(state, "samples", experiment->samples, error);
    if (status == RH_OK)
        status = set_number(state, "measures", experiment->measures, error);
    if (status == RH_OK)
        status =
            rh_results_set(state->results, "domain", rh_domain_names[experiment->domain], error);
    if (status == RH_OK)
        status = rh_results_set(state->results, "touch", rh_touch_names[experiment->touch], error);
    char pace[32], loop[64], age[96];
    if (status == RH_OK)
        status = rh_results_set(state->results, "age",
                                rh_age_text(&experiment->age, age, sizeof age), error);
    if (status == RH_OK)
        status = rh_results_set(state->results, "loop",
                                rh_loop_text(&experiment->loop, loop, sizeof loop), error);
    if (status == RH_OK)
        status = rh_results_set(state->results, "pace",
                                rh_pace_text(experiment->pace, pace, sizeof pace), error);
    if (status == RH_OK && experiment->command && !experiment->resume)
        status = rh_results_set(state->results, "command", experiment->command, error);
    if (status == RH_OK && experiment->pins)
        status = store_pin_wish(state, error);
    if (status == RH_OK)
        status = store_allocators(state, error);
    return status;
}

rh_status
rh_experiment_check_settings(const rh_experiment *experiment, rh_error *error)
{
    if (experiment->trace_count == 0 || experiment->spec_count == 0 || experiment->measures == 0)
        return rh_fail(error, RH_USAGE, "needs at least a trace, an allocator and a measure");
    if (experiment->repetitions == 0 || experiment->repetitions > 10000)
        return rh_fail(error, RH_USAGE, "repetitions are 1 to 10000");
    if (experiment->samples > RH_EXPERIMENT_SAMPLES_MOST)
        return rh_fail(error, RH_USAGE, "samples are at most %d", RH_EXPERIMENT_SAMPLES_MOST);
    if (experiment->pace > 0 && experiment->measures == RH_MEASURE_THROUGHPUT)
        return rh_fail(error, RH_USAGE,
                       "the throughput pass has no pace, and --measure leaves out all others");
    if (experiment->threads &&
        !(experiment->measures & (RH_MEASURE_THROUGHPUT | RH_MEASURE_LATENCY)))
        return rh_fail(error, RH_USAGE,
                       "recorded threads are of the throughput and latency passes, which --measure "
                       "leaves out; the others have one thread");
    if (experiment->loop.rounds > RH_ROUNDS_MOST)
        return rh_fail(error, RH_USAGE, "rounds are at most %d", RH_ROUNDS_MOST);
    if (experiment->domain < 0 || experiment->domain >= RH_DOMAINS)
        return rh_fail(error, RH_USAGE, "domains are raw, mem and obj");
    return RH_OK;
}
