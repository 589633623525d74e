/* What the commands that read one trace have in common on their command lines: the file, whether to
 * print JSON, the file to write. A child of their argp parsers. */
#ifndef REHEAP_TRACES_ONE_TRACE_H
#define REHEAP_TRACES_ONE_TRACE_H

#include <argp.h>
#include <stdbool.h>

typedef struct rh_one_trace {
    const char *path;
    const char *output; /* NULL where none is named */
    bool json;
} rh_one_trace;

/* For the `children` of a parser, which hands its rh_one_trace on at ARGP_KEY_INIT:
 * state->child_inputs[0] = &options->trace. Each ends the program with a usage error unless exactly
 * one trace is named. */
extern const struct argp_child rh_one_trace_argp[];         /* FILE [--json] */
extern const struct argp_child rh_one_trace_to_argp[];      /* FILE -o FILE */
extern const struct argp_child rh_one_trace_to_text_argp[]; /* FILE [-o OUT] */

#endif
