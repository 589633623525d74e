/* A gate: a condition on a number that makes `reheap compare` fail, so that a build can be stopped
 * by it. "peak_mapped_bytes > +3%" is one on the change, "peak_mapped_bytes > 200M" one on the
 * value. */
#ifndef REHEAP_ANALYSIS_GATE_H
#define REHEAP_ANALYSIS_GATE_H

#include <stdbool.h>
#include <stddef.h>

#include "analysis/summary.h"
#include "base/error.h"

typedef struct rh_gate {
    const char *text; /* as it was given */
    char name[64];    /* of the number */
    rh_quantity_kind kind;
    bool above;    /* fails above the limit, not below */
    bool relative; /* the limit is a change: 0.03 for +3% */
    double limit;
} rh_gate;

typedef enum rh_gate_outcome {
    RH_GATE_HOLDS,
    RH_GATE_FAILS,     /* beyond the limit, with the whole interval where there is one; or its runs
                          failed */
    RH_GATE_UNCERTAIN, /* beyond it, but the interval reaches back */
    RH_GATE_UNKNOWN    /* the allocator has no such number */
} rh_gate_outcome;

typedef struct rh_gated {
    rh_gate_outcome outcome;
    double value; /* the change or the value that was held against the limit; NAN when unknown */
    double low, high;   /* its interval; NAN when there is none */
    unsigned more_runs; /* UNCERTAIN: repetitions more that would likely decide */
} rh_gated;

/* NAME > LIMIT or NAME < LIMIT; a limit is a change with sign and %, or a value, with K, M, G for
 * bytes. `text` is kept, not copied. RH_USAGE: something else. */
rh_status rh_gate_parse(const char *text, rh_gate *gate, rh_error *error);

/* `before` NULL: nothing to compare with, so the outcome of a relative gate is unknown. `relation`:
 * as for rh_subject_ratio. */
rh_gated rh_gate_judge(const rh_gate *gate, const rh_subject *subject, const rh_subject *before,
                       rh_relation relation);

/* "+4.2 %", or the value as tables show it. Returns `text`. */
char *rh_gate_value_text(const rh_gate *gate, double value, char *text, size_t capacity);

#endif
