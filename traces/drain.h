/* The reading end of a channel: takes the records out of its rings, puts them into one order, finds
 * out which block each address means, and hands events to a writer.
 *
 * The order. The main ring is in order, being written under the interpreter's lock. A record of a
 * thread's ring says how far the main ring had come; it goes there. That is exact for threads that
 * held the lock. Among the others the time-stamp counter decides, and where that is not sharp
 * enough the addresses: an address dies before it is born again, and is born before it dies. A
 * record that would break this waits for one that another ring still holds; if none does, it is
 * taken as it is (a block from before the recording, or one freed behind the hooks' back).
 *
 * Arena events come before the event that caused them. Births are recorded after the call, so there
 * they do by themselves; a free is held until the record after it is there, to see whether that is
 * an arena's death.
 */
#ifndef REHEAP_TRACES_DRAIN_H
#define REHEAP_TRACES_DRAIN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "traces/intake.h"
#include "traces/recorder/channel.h"
#include "traces/writer.h"

typedef struct rh_drain rh_drain;

/* `channel` is the mapped channel, whose facts are there; both it and `writer` stay the caller's.
 * NULL when there is no memory. `ticks_per_ns` of the time-stamp counter gives events their
 * times; 0: they get none. */
rh_drain *rh_drain_new(rh_channel *channel, rh_writer *writer, double ticks_per_ns);
void rh_drain_free(rh_drain *drain);

/* From now on events go through `intake`, which stays the caller's. What was handed
 * on before went to the writer. */
void rh_drain_set_intake(rh_drain *drain, rh_intake *intake);

/* Takes what is there when it is called, or some part of it where that is much, and adds the number
 * of events in it to *events. `last`: the program has ended or records no more; all of it is taken,
 * nothing is held back. Errors are the writer's, or RH_SYSTEM for want of memory. */
rh_status rh_drain_run(rh_drain *drain, bool last, uint64_t *events, rh_error *error);

/* Records that are there now, at least as many as there are events in them. */
uint64_t rh_drain_waiting(rh_drain *drain);

/* Events handed on so far; arenas, marks and checkpoints apart. */
uint64_t rh_drain_events(const rh_drain *drain);
/* Of them, those whose place among other threads' could not be told: at most a few microseconds
 * off. And the calls that are not in the recording: made by signal handlers in the middle of
 * another call, more of them than a thread can keep. */
uint64_t rh_drain_undecided(const rh_drain *drain);
uint64_t rh_drain_unseen(const rh_drain *drain);

#endif
