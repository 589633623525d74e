/* Everything that `info` and `diff` tell of a trace, read on as many processors as there are. */
#ifndef REHEAP_TRACES_SUMMARY_H
#define REHEAP_TRACES_SUMMARY_H

#include "base/error.h"
#include "traces/digest.h"
#include "traces/habits.h"
#include "traces/parallel.h"
#include "traces/reader.h"

typedef struct rh_summary {
    rh_digest digest;
    rh_habits habits;
} rh_summary;

/* False: no memory. To be released in either case. */
bool rh_summary_init(rh_summary *summary);
void rh_summary_release(rh_summary *summary);

/* Reads, once, all of the trace that `reader` has just opened with `options` (NULL: none). On
 * RH_BAD_INPUT the summary holds what precedes the damage. */
rh_status rh_summary_read(rh_summary *summary, rh_reader *reader, const rh_reader_options *options,
                          const rh_parallel_options *parallel, rh_error *error);

#endif
