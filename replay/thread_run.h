/* Replays a plan of threads (thread_plan.h): one thread for each recorded one, all at once, each at
 * its own pace and waiting only where the plan says so. Between two such places it is the timed
 * loop of loop.h, with nothing added; or, to measure latencies, its probed loop, whose histograms
 * each thread has for itself until the end. */
#ifndef REHEAP_REPLAY_THREAD_RUN_H
#define REHEAP_REPLAY_THREAD_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include "alloc/heap.h"
#include "base/error.h"
#include "replay/loop.h"
#include "replay/pace.h"
#include "replay/thread_plan.h"
#include "replay/touch.h"

typedef struct rh_thread_totals {
    uint64_t threads;
    uint64_t wall_ticks;   /* from the start of all to the end of the last */
    uint64_t busy_ticks;   /* summed over the threads: with a processor, and not waiting */
    uint64_t waited_ticks; /* summed: for another thread */
    uint64_t waits;        /* places where the plan has a thread wait */
    uint64_t late;         /* of these, where it really had to */
    uint64_t reordered;    /* operations that came before one that was recorded earlier, as far as
                              stretches of at most 256 tell */
    uint64_t failed_allocations, skipped_events;
} rh_thread_totals;

/* What latencies are to be measured; the caller's. */
typedef struct rh_thread_watch {
    rh_stopwatch watch;   /* service time is added to what it points to */
    double pace;          /* 0: as fast as possible */
    rh_latency *response; /* paced: response time is added to it */
    rh_pace_totals *pace_totals;
    _Atomic uint32_t *beat;
} rh_thread_watch;

/* `watch`: NULL where no latencies are. `slots`: rh_thread_plan_slots of them, NULL. The heap must
 * be one that threads may share. RH_SYSTEM: a thread or memory could not be had. */
rh_status rh_thread_run(const rh_thread_plan *plan, rh_heap *heap, void **slots, bool zero_fits,
                        rh_touch touch, const rh_thread_watch *watch, rh_thread_totals *totals,
                        rh_error *error);

#endif
