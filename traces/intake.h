/* What of a process's events goes into its file: all, or what lies within limits and outside of
 * pauses. It stands between the drain, which knows what happened, and the writer.
 *
 * While paused, births and deaths are followed and not written. When recording goes on, the file is
 * caught up: first die the blocks that died meanwhile, then those that live are born, in the order
 * in which they were; a resize is a death and a birth. Between the marks `paused` and `resumed` it
 * is as if all that happened in the pause had been no more than this; so no block is freed that was
 * never born, no address is born twice, and what is alive is known throughout.
 *
 * A recording with a pause cannot be verified: its arenas and checkpoints, and the flag that says
 * that a block lay in an arena, are left out from the first pause on.
 */
#ifndef REHEAP_TRACES_INTAKE_H
#define REHEAP_TRACES_INTAKE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "traces/event.h"
#include "traces/writer.h"

#define RH_INTAKE_MIN_BYTES UINT64_C(65536) /* the smallest limit of a file's size */

typedef struct rh_intake rh_intake;

/* Limits of the file; 0: none. */
typedef struct rh_intake_limits {
    uint64_t events; /* as rh_trace_info.events counts them */
    uint64_t bytes;  /* of the whole file; at least RH_INTAKE_MIN_BYTES */
} rh_intake_limits;

typedef enum rh_intake_end {
    RH_INTAKE_OPEN,
    RH_INTAKE_EVENTS, /* the limit of events is reached */
    RH_INTAKE_BYTES   /* of bytes */
} rh_intake_end;

/* `writer` stays the caller's; it may have got `events` (as the limit counts them) by itself
 * before. `limits` may be NULL: none. NULL: no memory. */
rh_intake *rh_intake_new(rh_writer *writer, uint64_t events, const rh_intake_limits *limits);
void rh_intake_free(rh_intake *intake);

/* As rh_writer_event, with handles of its own. Threads are numbered as they appear; the file's
 * numbers are others if one appeared in a pause. */
rh_status rh_intake_event(rh_intake *intake, const rh_event *event, uint32_t *handle,
                          rh_error *error);

/* That `handle` dies soon. */
void rh_intake_expect(const rh_intake *intake, uint32_t handle);

/* Begins and ends a pause; again is nothing. Before the first event of all, a pause leaves no mark.
 */
rh_status rh_intake_pause(rh_intake *intake, rh_error *error);
rh_status rh_intake_resume(rh_intake *intake, rh_error *error);

/* Whether a limit is reached: nothing more goes into the file. */
rh_intake_end rh_intake_ended(const rh_intake *intake);
bool rh_intake_paused(const rh_intake *intake);
/* Events in the file, and pauses so far. */
uint64_t rh_intake_events(const rh_intake *intake);
uint64_t rh_intake_pauses(const rh_intake *intake);

#endif
