/* Verification: is our pymalloc the one that was recorded?
 *
 * A recording of a Python program is replayed into pymalloc with the preset of its version. Arenas
 * are put where the recorded allocator had them (as numbers: nothing is mapped), so every block has
 * to come out at the recorded address, arenas have to be asked for and given back at the recorded
 * events, and the statistics at each checkpoint have to be the same text.
 */
#ifndef REHEAP_REPLAY_VERIFY_H
#define REHEAP_REPLAY_VERIFY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "replay/scan.h"
#include "traces/trace_info.h"

typedef struct rh_verification {
    char spec[128];    /* what it was compared with */
    uint64_t events;   /* read */
    uint64_t replayed; /* played into the heap */
    uint64_t addresses_compared;
    /* With the address column: how many. Without: those of the blocks of the file whose hash is
     * another, of which one at least differs. */
    uint64_t addresses_different;
    uint64_t checkpoints_compared, checkpoints_different;
    uint64_t arenas_compared, arenas_different;
    bool columns; /* the recording has the address column */
    /* The first difference of each kind in words, "" for none. */
    char address_difference[512], arena_difference[512], checkpoint_difference[1024];
} rh_verification;

/* RH_OK: all equal; RH_DIFFERENT: some are not; both leave the counts in *verification. RH_USAGE:
 * not a recording of pymalloc, or of a version without a preset. `progress` may be NULL. */
rh_status rh_verify(const rh_source *source, const rh_trace_info *info,
                    void (*progress)(void *ctx, uint64_t events), void *progress_ctx,
                    rh_verification *verification, rh_error *error);

#endif
