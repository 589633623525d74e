#include "traces/one_trace.h"

#include "base/output.h"
#include "base/size.h"

static error_t
parse(int key, char *argument, struct argp_state *state)
{
    rh_one_trace *trace = state->input;
    switch (key) {
    case 'j':
        trace->json = true;
        return 0;
    case 'o':
        trace->output = argument;
        return 0;
    case ARGP_KEY_ARG:
        if (trace->path)
            argp_error(state, "one trace at a time; '%s' is the second", argument);
        trace->path = argument;
        return 0;
    case ARGP_KEY_END:
        if (!trace->path)
            argp_error(state, "name a trace");
        if (trace->output && rh_output_same_file(trace->path, trace->output))
            argp_error(state, "%s is what is read; give what is written another name",
                       trace->output);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* Where a trace is written, it has to be told where to. */
static error_t
parse_to(int key, char *argument, struct argp_state *state)
{
    const rh_one_trace *trace = state->input;
    if (key == ARGP_KEY_END && (!trace->path || !trace->output))
        argp_error(state, "name a trace, and the one to write (-o)");
    return parse(key, argument, state);
}

enum { KEY_MAX_LIVE = 0x1000, KEY_JOBS, JOBS_MAX = 256 };

static error_t
parse_reading(int key, char *argument, struct argp_state *state)
{
    rh_reading_options *reading = state->input;
    uint64_t number = 0;
    switch (key) {
    case KEY_MAX_LIVE:
        if (!rh_count_parse(argument, &reading->max_live) || reading->max_live == 0)
            argp_error(state, "--max-live takes a number of blocks, not '%s'", argument);
        return 0;
    case KEY_JOBS:
        if (!rh_count_parse(argument, &number) || number == 0 || number > JOBS_MAX)
            argp_error(state, "--jobs takes a number of threads from 1 to %d, not '%s'", JOBS_MAX,
                       argument);
        reading->jobs = (unsigned)number;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option reading_known[] = {
    {"jobs", KEY_JOBS, "N", 0,
     "read with N threads; default: one a processor, fewer where a lot is alive at once, so that "
     "memory stays small",
     0},
    {"max-live", KEY_MAX_LIVE, "BLOCKS", 0,
     "refuse a trace with more blocks alive at once; default: what half of the memory holds", 0},
    {0},
};
static const struct argp_option json[] = {
    {"json", 'j', NULL, 0, "print one JSON object", 0},
    {0},
};
static const struct argp_option to[] = {
    {"output", 'o', "FILE", 0, "write the trace to FILE", 0},
    {0},
};
static const struct argp_option to_text[] = {
    {"output", 'o', "OUT", 0, "write to OUT; default: standard output", 0},
    {0},
};

static const struct argp reading = {json, parse, NULL, NULL, NULL, NULL, NULL};
static const struct argp reading_how = {reading_known, parse_reading, NULL, NULL, NULL, NULL, NULL};
static const struct argp rewriting = {to, parse_to, NULL, NULL, NULL, NULL, NULL};
static const struct argp exporting = {to_text, parse, NULL, NULL, NULL, NULL, NULL};

const struct argp_child rh_one_trace_argp[] = {{&reading, 0, NULL, 0}, {0}};
const struct argp_child rh_one_trace_reading_argp[] = {
    {&reading, 0, NULL, 0}, {&reading_how, 0, NULL, 0}, {0}};
const struct argp_child rh_reading_argp[] = {{&reading_how, 0, NULL, 0}, {0}};
const struct argp_child rh_one_trace_to_argp[] = {{&rewriting, 0, NULL, 0}, {0}};
const struct argp_child rh_one_trace_to_text_argp[] = {{&exporting, 0, NULL, 0}, {0}};

error_t
rh_one_reading_parse(int key, char *argument, struct argp_state *state)
{
    rh_one_reading *options = state->input;
    (void)argument;
    if (key != ARGP_KEY_INIT)
        return ARGP_ERR_UNKNOWN;
    state->child_inputs[0] = &options->trace;
    state->child_inputs[1] = &options->reading;
    return 0;
}
