/* The timed loop: a compiled batch played into one heap.
 *
 * A heap that fails where the recording succeeded is counted; the block's slot is empty from then
 * on and what the recording did with it is skipped.
 */
#ifndef REHEAP_REPLAY_LOOP_H
#define REHEAP_REPLAY_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "alloc/heap.h"
#include "replay/histogram.h"
#include "replay/program.h"
#include "replay/touch.h"

/* The operations that have a histogram of their own. */
typedef enum rh_timed {
    RH_TIMED_MALLOC,
    RH_TIMED_CALLOC,
    RH_TIMED_REALLOC,
    RH_TIMED_FREE
} rh_timed;
#define RH_TIMED_OPERATIONS 4
extern const char *const rh_timed_names[RH_TIMED_OPERATIONS];

typedef struct rh_target {
    rh_heap *heap;
    void **slots;   /* one per slot of the trace; the caller's */
    bool zero_fits; /* realloc(p, 0) keeps p, as CPython's; elsewhere it is replayed as size 1 */
    rh_touch touch;
    uint64_t failed_allocations; /* failed where the recording succeeded */
    uint64_t skipped_events;     /* of blocks that are not there for that reason */
} rh_target;

/* Plays the batch. */
void rh_loop_run(rh_target *target, const rh_program *program);

/* Plays it with a probe around each call: durations in ticks of the time-stamp counter, the probe's
 * own included, writes into the blocks not. */
void rh_loop_probe(rh_target *target, const rh_program *program,
                   rh_histogram histograms[RH_TIMED_OPERATIONS]);

/* The median of the empty probe, in ticks. */
uint64_t rh_loop_probe_ticks(void);

#endif
