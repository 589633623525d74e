/* What a tracer knows, as text: the figures, then live blocks by size and, where there are any
 * frames, by the line that allocated them; where that is kept, the sizes at the peak. */
#ifndef REHEAP_ALLOC_TRACE_REPORT_H
#define REHEAP_ALLOC_TRACE_REPORT_H

#include <stdio.h>

#include "alloc/trace_snapshot.h"
#include "alloc/tracer.h"

/* Takes a snapshot and writes it; a line that says so when there is no memory for it. */
void rh_trace_report_write(rh_tracer *tracer, FILE *out);

/* The first `most` groups as a table, then one line for the others. */
void rh_trace_report_groups(const rh_trace_groups *groups, const rh_trace_snapshot *snapshot,
                            size_t most, FILE *out);

/* The text of a traceback as CPython writes it, `  File "x", line 1` for each frame. */
void rh_trace_report_traceback(const rh_traceback *traceback, const rh_frame_provider *provider,
                               FILE *out);

/* For a report on a block: `heading`, then its traceback, at most 64 frames of it. Allocates
 * nothing. False, writing nothing, when the block is not known. */
bool rh_trace_report_origin(rh_tracer *tracer, unsigned domain, uintptr_t address,
                            const char *heading, FILE *out);

#endif
