#include "traces/one_trace.h"

static const struct argp_option known[] = {
    {"json", 'j', NULL, 0, "print one JSON object", 0},
    {0},
};

static error_t
parse(int key, char *argument, struct argp_state *state)
{
    rh_one_trace *trace = state->input;
    switch (key) {
    case 'j':
        trace->json = true;
        return 0;
    case ARGP_KEY_ARG:
        if (trace->path)
            argp_error(state, "one trace at a time; '%s' is the second", argument);
        trace->path = argument;
        return 0;
    case ARGP_KEY_END:
        if (!trace->path)
            argp_error(state, "name a trace");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp parser = {known, parse, NULL, NULL, NULL, NULL, NULL};

const struct argp_child rh_one_trace_argp[] = {{&parser, 0, NULL, 0}, {0}};
