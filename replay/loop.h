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
#include "replay/latency.h"
#include "replay/pace.h"
#include "replay/program.h"
#include "replay/touch.h"

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

/* Where durations go. */
typedef struct rh_stopwatch {
    rh_latency *service;
    uint64_t scale; /* rh_ticks_scale */
} rh_stopwatch;

/* Plays it with a probe around each call: the durations have the probe's own cost in them, writes
 * into the blocks not. */
void rh_loop_probe(rh_target *target, const rh_program *program, rh_stopwatch *watch);

/* The same of a program compiled with `times`, each call begun when it is due or, when that is
 * over, at once. */
/* Plays it with each call begun when it is due, and nothing timed. */
void rh_loop_on_time(rh_target *target, const rh_program *program, rh_pacer *pacer);
void rh_loop_paced(rh_target *target, const rh_program *program, rh_stopwatch *watch,
                   rh_pacer *pacer);

/* Times the empty probe, in ticks: `probes` times into `ns`, which is added to; returns the median
 * of some of them. */
uint64_t rh_loop_calibrate(const rh_stopwatch *watch, unsigned probes, rh_histogram *ns);

#endif
