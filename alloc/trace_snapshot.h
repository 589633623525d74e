/* What a tracer knows at one moment, and what can be read out of it: the live blocks in groups, by
 * size, domain or origin, and how two moments differ.
 *
 * A snapshot stands on memory of its own; taking one stops the tracer for the time of a copy.
 */
#ifndef REHEAP_ALLOC_TRACE_SNAPSHOT_H
#define REHEAP_ALLOC_TRACE_SNAPSHOT_H

#include <stddef.h>
#include <stdint.h>

#include "alloc/side_memory.h"
#include "alloc/trace_table.h"
#include "alloc/traceback.h"
#include "alloc/tracer.h"
#include "base/error.h"

typedef struct rh_trace_snapshot {
    rh_side_memory memory;
    rh_trace *traces; /* in no order */
    size_t count;
    rh_tracebacks tracebacks;
    const rh_frame_provider *provider;
    rh_tracer_figures figures;
    rh_trace_table peak_sizes; /* where the tracer keeps them: see rh_peak_sizes_get */
} rh_trace_snapshot;

/* RH_SYSTEM when there is no memory. Released by the caller. */
rh_status rh_trace_snapshot_take(rh_trace_snapshot *snapshot, rh_tracer *tracer, rh_error *error);
void rh_trace_snapshot_release(rh_trace_snapshot *snapshot);

/* What blocks of a group have in common. */
typedef enum rh_trace_key {
    RH_BY_SIZE,      /* as requested */
    RH_BY_DOMAIN,    /* of the trace */
    RH_BY_TRACEBACK, /* all frames kept */
    RH_BY_LINE,      /* place and line of the newest frame */
    RH_BY_PLACE      /* place of the newest frame */
} rh_trace_key;

typedef struct rh_trace_group {
    uint64_t number;        /* by size: bytes; by domain: the domain; else 0 */
    rh_frame frame;         /* by origin: the newest frame; by place without its line */
    rh_traceback traceback; /* by traceback: all frames, in the snapshot */
    uint64_t blocks, bytes;
} rh_trace_group;

typedef struct rh_trace_groups {
    rh_trace_key by;
    rh_side_memory memory;
    rh_trace_group *groups; /* most bytes first, then most blocks, then the lesser key */
    size_t count;
} rh_trace_groups;

/* Groups live as long as their snapshot. RH_SYSTEM when there is no memory. */
rh_status rh_trace_groups_make(rh_trace_groups *groups, const rh_trace_snapshot *snapshot,
                               rh_trace_key by, rh_error *error);
/* By size, but of the moment when most was traced; none where the tracer does not keep that. */
rh_status rh_trace_groups_make_peak(rh_trace_groups *groups, const rh_trace_snapshot *snapshot,
                                    rh_error *error);
void rh_trace_groups_release(rh_trace_groups *groups);

/* One group at two moments: its newer state, and what was added since (negative: taken away). */
typedef struct rh_trace_change {
    rh_trace_group group; /* blocks and bytes now; 0 when it is gone */
    int64_t blocks_added, bytes_added;
} rh_trace_change;

typedef struct rh_trace_changes {
    rh_side_memory memory;
    rh_trace_change *changes; /* the largest change of bytes first; groups without change as well */
    size_t count;
} rh_trace_changes;

/* Both of the same key; origins are the same when their frames are. They live as long as both
 * snapshots. RH_SYSTEM when there is no memory. */
rh_status rh_trace_changes_make(rh_trace_changes *changes, const rh_trace_groups *before,
                                const rh_trace_groups *now, rh_error *error);
void rh_trace_changes_release(rh_trace_changes *changes);

#endif
