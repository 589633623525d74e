/* A recording taken apart into its threads: what each of them does, in its order, and where it has
 * to wait for another.
 *
 * A thread waits where it touches a block that another one touched last, until that is done, and
 * nowhere else. Every wait is for something that was recorded earlier, so the earliest operation
 * that is not done yet never waits, and no replay can come to a standstill. Slots of the trace
 * would add waits of their own, since one slot serves blocks of several threads; blocks get new
 * slots here, which are used again only by the thread that freed the last block in them.
 */
#ifndef REHEAP_REPLAY_THREAD_PLAN_H
#define REHEAP_REPLAY_THREAD_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "replay/program.h"

#define RH_THREADS_MOST 256 /* more recorded threads take turns in these */

/* Before operation `at` of its thread: until `count` operations of thread `on` are done. */
typedef struct rh_thread_wait {
    uint32_t at, on, count;
} rh_thread_wait;

typedef struct rh_thread_stream {
    rh_code *codes;
    uint32_t *order; /* of each, its place in the recording */
    uint64_t *times; /* of each, when it was recorded; NULL unless compiled with `times` */
    rh_wide *wides;
    rh_thread_wait *waits; /* in order */
    uint32_t *posts;       /* counts of operations that others wait for, rising */
    size_t count, wide_count, wait_count, post_count;
} rh_thread_stream;

typedef struct rh_thread_plan rh_thread_plan;

/* `slots`: of the trace. RH_SYSTEM: no memory, here and below; it does not come from malloc, which
 * may be under test. */
rh_status rh_thread_plan_open(uint64_t slots, rh_thread_plan **plan, rh_error *error);
/* A batch that was compiled with `threads` set. RH_BAD_INPUT: more than can be told apart. */
rh_status rh_thread_plan_add(rh_thread_plan *plan, const rh_program *program, rh_error *error);
/* After the last batch; the streams are whole then. */
void rh_thread_plan_finish(rh_thread_plan *plan);
void rh_thread_plan_close(rh_thread_plan *plan);

size_t rh_thread_plan_count(const rh_thread_plan *plan); /* of threads */
const rh_thread_stream *rh_thread_plan_stream(const rh_thread_plan *plan, size_t thread);
uint32_t rh_thread_plan_slots(const rh_thread_plan *plan); /* that the streams use */

#endif
