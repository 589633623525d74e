/* What the commands that read a trace have in common on their command lines: the file, whether to
 * print JSON, the file to write, how to read. Children of their argp parsers. */
#ifndef REHEAP_TRACES_ONE_TRACE_H
#define REHEAP_TRACES_ONE_TRACE_H

#include <argp.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct rh_one_trace {
    const char *path;
    const char *output; /* NULL where none is named */
    bool json;
} rh_one_trace;

/* How to read a whole trace. */
typedef struct rh_reading_options {
    uint64_t max_live; /* blocks; 0: the standard */
    unsigned jobs;     /* threads; 0: as many as make sense */
} rh_reading_options;

/* All that a command has which reads one whole trace. */
typedef struct rh_one_reading {
    rh_one_trace trace;
    rh_reading_options reading;
} rh_one_reading;

/* For the `children` of a parser, which hands its rh_one_trace on at ARGP_KEY_INIT:
 * state->child_inputs[0] = &options->trace. Each ends the program with a usage error unless exactly
 * one trace is named. */
extern const struct argp_child rh_one_trace_argp[]; /* FILE [--json] */
/* The same, with --max-live and --jobs, for the parser rh_one_reading_parse, whose input is an
 * rh_one_reading. */
extern const struct argp_child rh_one_trace_reading_argp[];
error_t rh_one_reading_parse(int key, char *argument, struct argp_state *state);
/* --max-live and --jobs alone: rh_reading_options at state->child_inputs[0]. */
extern const struct argp_child rh_reading_argp[];
extern const struct argp_child rh_one_trace_to_argp[];      /* FILE -o FILE */
extern const struct argp_child rh_one_trace_to_text_argp[]; /* FILE [-o OUT] */

#endif
