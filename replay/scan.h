/* The first reading of a trace: what has to be known before anything is run. */
#ifndef REHEAP_REPLAY_SCAN_H
#define REHEAP_REPLAY_SCAN_H

#include <stdint.h>

#include "base/error.h"
#include "replay/program.h"
#include "replay/results.h"
#include "replay/source.h"

/* What a first reading of a source tells, before anything is run. */
typedef struct rh_scan {
    uint32_t slots;
    uint32_t batches; /* that a channel needs for all of it, without samples */
    rh_compiler counts;
    uint64_t peak_requested_bytes, peak_live_blocks;
    uint64_t end_requested_bytes, end_live_blocks;
    rh_mark *marks; /* the phases; of very many, every 2nd, 4th, 8th, … */
    size_t mark_count;
    uint64_t marks_met, marks_every; /* in the trace; of which one is kept */
} rh_scan;

/* Reads the source to its end. `compiler` has the options. RH_INTERRUPTED on Ctrl-C. What `scan`
 * holds is released also after a failure. */
rh_status rh_scan_source(const rh_source *source, const rh_compiler *compiler, rh_scan *scan,
                         rh_error *error);
void rh_scan_release(rh_scan *scan);

#endif
