/* What a pin pass is to look into: moments, and the phases that blocks are born in. */
#ifndef REHEAP_REPLAY_PIN_PLAN_H
#define REHEAP_REPLAY_PIN_PLAN_H

#include <stddef.h>

#include "base/error.h"
#include "replay/arena_history.h"
#include "replay/memory.h"
#include "replay/pin_pass.h"
#include "replay/scan.h"

enum { RH_PIN_ASKED = RH_PIN_POINTS - 3 };

/* Beside the peak of mapped, the worst look and the end. */
typedef struct rh_pin_wish {
    const char *at[RH_PIN_ASKED]; /* numbers of calls, or texts of marks */
    size_t at_count;
    unsigned under_percent; /* beside 10, 25 and 50; 0: no other */
} rh_pin_wish;

/* Whether the trace has all moments that are asked for. RH_USAGE: `path` has not. */
rh_status rh_pin_wish_check(const rh_pin_wish *wish, const rh_scan *scan, const char *path,
                            rh_error *error);

/* `history` and `totals` are those of the pass before; `wish` fits the scan. `aged`: there are
 * blocks from before the first call. */
void rh_pin_plan(const rh_pin_wish *wish, const rh_scan *scan, bool aged,
                 const rh_arena_history *history, const rh_memory_totals *totals,
                 rh_pin_order *order);

#endif
