#include "traces/one_trace.h"

#include "base/output.h"

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
static const struct argp rewriting = {to, parse_to, NULL, NULL, NULL, NULL, NULL};
static const struct argp exporting = {to_text, parse, NULL, NULL, NULL, NULL, NULL};

const struct argp_child rh_one_trace_argp[] = {{&reading, 0, NULL, 0}, {0}};
const struct argp_child rh_one_trace_to_argp[] = {{&rewriting, 0, NULL, 0}, {0}};
const struct argp_child rh_one_trace_to_text_argp[] = {{&exporting, 0, NULL, 0}, {0}};
