/* A group: one decoding of a trace, played by one or more allocators at once, each in a child
 * process of its own. Time passes have one member; memory passes as many as fit. */
#ifndef REHEAP_REPLAY_GROUP_H
#define REHEAP_REPLAY_GROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "replay/channel.h"
#include "replay/program.h"
#include "traces/reader.h"

/* Where batches come from: a reader, or a test. */
typedef struct rh_source {
    void *ctx;
    rh_status (*next)(void *ctx, rh_batch *batch, rh_error *error);
} rh_source;

/* What a first reading of a source tells, before anything is run. */
typedef struct rh_scan {
    uint32_t slots;
    uint32_t batches; /* that a channel needs for all of it, without samples */
    rh_compiler counts;
    uint64_t peak_requested_bytes, peak_live_blocks;
    uint64_t end_requested_bytes, end_live_blocks;
} rh_scan;

/* Reads the source to its end. `compiler` has the options. RH_INTERRUPTED on Ctrl-C. */
rh_status rh_scan_source(const rh_source *source, const rh_compiler *compiler, rh_scan *scan,
                         rh_error *error);

typedef struct rh_group_plan {
    rh_pass pass;
    rh_touch touch;
    rh_compiler compiler; /* options; samples too */
    uint64_t slots;
    uint64_t sample_capacity;
    const char *const *specs;     /* as the children open them */
    const char *const *libraries; /* to preload, "" for none */
    uint32_t members;
    uint32_t batches; /* above 0: all of the trace, so many batches, is compiled before a member
                         starts; 0: while they run */
    unsigned patience_seconds; /* a member that makes no progress for so long is ended; 0: 120 */
    void (*progress)(void *ctx, uint64_t calls);
    void *progress_ctx;
} rh_group_plan;

typedef struct rh_group rh_group;

/* Runs a group to its end. RH_OK: every member has its outcome (member->status RH_OK or what went
 * wrong with it). Else nothing can be used: RH_BAD_INPUT from the source, RH_SYSTEM,
 * RH_INTERRUPTED.
 */
rh_status rh_group_run(const rh_group_plan *plan, const rh_source *source, rh_group **group,
                       rh_error *error);
const rh_member *rh_group_member(const rh_group *group, uint32_t index);
const rh_sample *rh_group_samples(const rh_group *group, uint32_t index);
void rh_group_close(rh_group *group);

#endif
