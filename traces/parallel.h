/* Reading a trace on several processors: its key intervals at once, each by a thread with a reader
 * and a part of the result of its own; the parts are merged in the order of the trace.
 *
 * What comes out is what reading in order gives, to the last bit. A part is merged only if nothing
 * is wrong with its interval: no damage, no contradiction, and the next interval begins with the
 * live set that this one's events leave, so that by induction every interval is decoded from the
 * state in which a reader from the start would be. From the first one on of which that is not true
 * the trace is read in order, by one reader, straight into the whole result.
 *
 * Memory: every thread keeps a live set. By itself (`jobs` 0) reading takes as many threads as
 * there are processors, as long as what they need together stays under a fixed sum; an interval
 * that asks for more is read in order.
 */
#ifndef REHEAP_TRACES_PARALLEL_H
#define REHEAP_TRACES_PARALLEL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "traces/reader.h"

typedef enum rh_part_state {
    RH_PART_GOOD,
    RH_PART_DOUBTFUL, /* this has to be read in order */
    RH_PART_NO_MEMORY
} rh_part_state;

/* What is made of events: a whole, and parts of it that begin without knowledge of what is before
 * them. */
typedef struct rh_part_kind {
    void *(*begin)(const void *ctx); /* a new part; NULL: no memory; called in any thread */
    void (*end)(void *part);         /* frees it */
    /* The blocks alive where the part begins, oldest first, in several batches. Also called for the
     * whole, when reading goes on in order behind parts that were merged. */
    rh_part_state (*enter)(void *part, const rh_batch *live);
    rh_part_state (*add)(void *part, rh_reader *reader, const rh_batch *batch);
    /* The blocks alive where it ends, in the same way. */
    rh_part_state (*leave)(void *part, const rh_batch *live);
    /* Adds a part to the whole, in order. RH_PART_DOUBTFUL leaves the whole as it was. */
    rh_part_state (*merge)(void *whole, const void *part);
} rh_part_kind;

typedef struct rh_parallel_options {
    unsigned jobs;            /* threads; 0: see above */
    uint64_t interval_events; /* intervals are at least so long; 0: a standard */
    /* Told some ten times a second, in the caller's thread, how many events have been read of how
     * many; false stops the reading. May be NULL. */
    bool (*watch)(void *ctx, uint64_t done, uint64_t all);
    void *ctx;
} rh_parallel_options;

/* Reads all of the trace that `reader` has just opened, with `options` (may be NULL), into `whole`.
 * What fails is what would fail in order, and `whole` then holds what precedes it; RH_INTERRUPTED:
 * `watch` said so. `add` is also called for the empty batch at the end. */
rh_status rh_parallel_read(rh_reader *reader, const rh_reader_options *options,
                           const rh_parallel_options *parallel, const rh_part_kind *kind,
                           const void *ctx, void *whole, rh_error *error);

#endif
