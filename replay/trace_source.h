/* A trace file as a source of batches, and what to write down of it. */
#ifndef REHEAP_REPLAY_TRACE_SOURCE_H
#define REHEAP_REPLAY_TRACE_SOURCE_H

#include "base/error.h"
#include "replay/results.h"
#include "replay/scan.h"
#include "traces/reader.h"

#define RH_TRACE_HASH_TEXT 33

/* Batches of `reader`, which stays the caller's. */
rh_source rh_trace_source(rh_reader *reader);

/* The same of a file that can be read again: it is opened anew each time. The caller keeps it where
 * it is from open to close. */
typedef struct rh_trace_again {
    const char *path;
    rh_reader *reader; /* NULL: not open */
} rh_trace_again;

rh_status rh_trace_again_open(rh_trace_again *again, const char *path, rh_error *error);
rh_source rh_trace_again_source(rh_trace_again *again);
void rh_trace_again_close(rh_trace_again *again);

/* XXH3-128 of the file's bytes, in hexadecimal. RH_SYSTEM when it cannot be read. */
rh_status rh_trace_hash(const char *path, char hash[RH_TRACE_HASH_TEXT], rh_error *error);

/* What the trace says of itself, as a JSON object from malloc; totals that are unknown are null. */
char *rh_trace_describe(const rh_trace_info *info);

#endif
