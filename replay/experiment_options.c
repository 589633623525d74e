#define _GNU_SOURCE
#include "replay/experiment_options.h"

#include <string.h>

#include "base/option_words.h"
#include "replay/age.h"
#include "replay/pace.h"
#include "replay/provenance.h"
#include "replay/rounds.h"

#define REPETITIONS_MOST 10000
#define SAMPLES_MOST     1000000
#define PATIENCE_MOST    1000000

void
rh_experiment_call_init(rh_experiment_call *call)
{
    *call = (rh_experiment_call){.output = NULL};
    rh_experiment_init(&call->experiment);
    call->experiment.traces = call->traces;
    call->experiment.specs = call->specs;
}

void
rh_experiment_call_spec(rh_experiment_call *call, const char *spec)
{
    call->specs[call->experiment.spec_count++] = spec;
}

bool
rh_experiment_call_gave(const rh_experiment_call *call, int key)
{
    return call->given[key - RH_KEY_FIRST];
}

static unsigned
measures(struct argp_state *state, char *list)
{
    static const char *const names[] = {"memory", "throughput", "latency", "system", NULL};
    unsigned chosen = 0;
    char *rest = list, *word;
    while ((word = strsep(&rest, ",")))
        chosen |= 1u << rh_option_choice(state, "measure", word, names);
    return chosen;
}

static void
parse_pace(struct argp_state *state, const char *argument, rh_experiment *experiment)
{
    if (!rh_pace_parse(argument, &experiment->pace))
        argp_error(state,
                   "--pace=%s: it is none, or how many times as fast as recorded, 0.001x to "
                   "1000000x, as in 1x, 10x or 0.5x",
                   argument);
}

static void
parse_loop(struct argp_state *state, const char *argument, rh_experiment *experiment)
{
    rh_error error = {.status = RH_OK};
    if (rh_loop_parse(argument, &experiment->loop, &error) != RH_OK)
        argp_error(state,
                   "--loop=%s: %s; it is a number of rounds or steady, and may be followed by "
                   ",end=keep or ,end=free and, after steady, by ,most=N",
                   argument, error.message);
}

static void
parse_age(struct argp_state *state, const char *argument, rh_experiment *experiment)
{
    rh_error error = {.status = RH_OK};
    if (rh_age_parse(argument, &experiment->age, &error) != RH_OK)
        argp_error(state, "--age=%s: %s; CHURN may be followed by ,keep=PERCENT and ,seed=S",
                   argument, error.message);
}

/* An option with a key. */
static error_t
parse_setting(int key, char *argument, struct argp_state *state, rh_experiment *experiment)
{
    switch (key) {
    case RH_KEY_REPS:
        experiment->repetitions =
            (unsigned)rh_option_number(state, "--reps", argument, 1, REPETITIONS_MOST);
        return 0;
    case RH_KEY_SEED:
        experiment->seed = rh_option_number(state, "--seed", argument, 0, INT64_MAX);
        return 0;
    case RH_KEY_TOUCH:
        experiment->touch =
            (rh_touch)rh_option_choice(state, "touch mode", argument, rh_touch_names);
        return 0;
    case RH_KEY_DOMAIN:
        experiment->domain = rh_option_choice(state, "domain", argument, rh_domain_names);
        return 0;
    case RH_KEY_MEASURE:
        experiment->measures = measures(state, argument);
        return 0;
    case RH_KEY_SAMPLES:
        experiment->samples =
            (unsigned)rh_option_number(state, "--samples", argument, 1, SAMPLES_MOST);
        return 0;
    case RH_KEY_PATIENCE:
        experiment->patience_seconds =
            (unsigned)rh_option_number(state, "--patience", argument, 1, PATIENCE_MOST);
        return 0;
    case RH_KEY_THREADS:
        experiment->threads =
            rh_option_choice(state, "way of threads", argument, rh_threads_names) == 1;
        return 0;
    case RH_KEY_PACE:
        parse_pace(state, argument, experiment);
        return 0;
    case RH_KEY_LOOP:
        parse_loop(state, argument, experiment);
        return 0;
    case RH_KEY_AGE:
        parse_age(state, argument, experiment);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

error_t
rh_experiment_call_parse(int key, char *argument, struct argp_state *state,
                         rh_experiment_call *call)
{
    rh_experiment *experiment = &call->experiment;
    switch (key) {
    case 'a':
        rh_option_add(state, call->specs, RH_OPTION_WORDS, &experiment->spec_count, argument);
        return 0;
    case 'o':
        call->output = argument;
        return 0;
    case 'j':
        call->json = true;
        return 0;
    case ARGP_KEY_ARG:
        rh_option_add(state, call->traces, RH_OPTION_WORDS, &experiment->trace_count, argument);
        return 0;
    default:
        if (key >= RH_KEY_FIRST && key < RH_KEY_END)
            call->given[key - RH_KEY_FIRST] = true;
        return parse_setting(key, argument, state, experiment);
    }
}
