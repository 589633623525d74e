/* Paced replay: calls are begun at the times at which they were recorded, so many times as fast.
 *
 * A call is due at a moment that does not depend on how long the calls before it took. Its response
 * time is what passes from there to its end, so a slow call is seen in all those that had to wait
 * for it (measured from their beginning, they would each look quick: coordinated omission). A call
 * is late when it is begun more than RH_PACE_LATE_NS after it was due.
 *
 * Nothing here reads a clock but rh_pacer_await; all else is given moments, in ticks of one.
 */
#ifndef REHEAP_REPLAY_PACE_H
#define REHEAP_REPLAY_PACE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/host.h"
#include "replay/latency.h"

#define RH_PACE_LATE_NS UINT64_C(1000)
#define RH_PACE_MOST    1e6
#define RH_PACE_LEAST   1e-3

/* "10x", "0.5x", "none" (0: as fast as possible). False, leaving *pace alone, on anything else and
 * outside the bounds above. */
bool rh_pace_parse(const char *text, double *pace);
/* The shortest spelling that is read back. Returns `text`. */
char *rh_pace_text(double pace, char *text, size_t capacity);

/* What a paced replay adds up. */
typedef struct rh_pace_totals {
    uint64_t calls, late;
    uint64_t latest_ns;                /* the largest lateness */
    uint64_t scheduled_ns, elapsed_ns; /* from the first call's moment to the last's: due, begun */
} rh_pace_totals;

typedef struct rh_pacer {
    double ticks_per_recorded_ns; /* rh_pacer_make */
    double ns_per_tick;
    uint64_t scale; /* ns a tick, times 2^32 */
    uint64_t late_ticks;
    bool begun;
    uint64_t start_ticks;             /* of the first round */
    uint64_t origin_ns, origin_ticks; /* of the schedule: set by the first time that is met, unless
                                         `begun` */
    uint64_t due_ticks;               /* of the calls that come next */
    rh_latency *response;
    _Atomic uint32_t *beat; /* counted on while waiting long: this is alive; may be NULL */
    bool roughly;           /* what is due soon is begun: nobody times the calls, and others need
                               the processor */

    uint64_t calls, late, latest_ticks, last_due_ticks, last_begun_ticks; /* found */
} rh_pacer;

/* `pace` above 0. */
rh_pacer rh_pacer_make(double pace, double ticks_per_ns, rh_latency *response,
                       _Atomic uint32_t *beat);

/* The calls that come next were recorded at `recorded_ns`. The first such time is due `now`. */
void rh_pacer_due(rh_pacer *pacer, uint64_t recorded_ns, uint64_t now_ticks);

/* The same, and waits until then: sleeps while it is far, spins when it is near. */
void rh_pacer_await(rh_pacer *pacer, uint64_t recorded_ns);

/* The recording comes again: its first call is due with the last one so far. */
void rh_pacer_again(rh_pacer *pacer);

/* A call was begun and ended at these moments. Returns its response time in ns. */
static inline uint64_t
rh_pacer_note(rh_pacer *pacer, uint64_t begun_ticks, uint64_t ended_ticks)
{
    uint64_t due = pacer->due_ticks;
    uint64_t late = begun_ticks > due ? begun_ticks - due : 0;
    uint64_t took = ended_ticks > due ? ended_ticks - due : 0;
    pacer->calls++;
    pacer->late += late > pacer->late_ticks;
    pacer->latest_ticks = late > pacer->latest_ticks ? late : pacer->latest_ticks;
    pacer->last_due_ticks = due > pacer->last_due_ticks ? due : pacer->last_due_ticks;
    pacer->last_begun_ticks = begun_ticks;
    return rh_ticks_ns(took, pacer->scale);
}

/* A call begins. */
static inline void
rh_pacer_begin(rh_pacer *pacer)
{
    uint64_t now = rh_host_ticks();
    rh_pacer_note(pacer, now, now);
}

/* What was found so far. */
rh_pace_totals rh_pacer_totals(const rh_pacer *pacer);

/* Adds what another thread of the same replay found. */
void rh_pace_totals_merge(rh_pace_totals *totals, const rh_pace_totals *other);

#endif
