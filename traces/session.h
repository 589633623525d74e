/* The collector's side of the shared memory: making sessions and channels, and keeping as many
 * channels on offer as processes may want at once. */
#ifndef REHEAP_TRACES_SESSION_H
#define REHEAP_TRACES_SESSION_H

#include <stdbool.h>

#include "base/error.h"
#include "traces/recorder/channel.h"

/* Shared memory that another process opens as /proc/PID/fd/DESCRIPTOR. */
typedef struct rh_shared {
    void *memory;
    int descriptor;
    unsigned long bytes; /* mapped */
} rh_shared;

/* `session` and `channel` are cleared, with their magic set. A session counts as alive until the
 * thread that opened it closes it or ends. */
rh_status rh_session_open(rh_shared *session, rh_error *error);
void rh_session_close(rh_shared *session);
/* Of a channel only as much is mapped as every program needs; see recorder/ring_pieces.h. */
rh_status rh_channel_open(rh_shared *channel, rh_error *error);
void rh_shared_close(rh_shared *shared);

/* Whether `program` (as found in PATH) can be started with the recorder in it: RH_CANNOT_RUN with
 * the reason if it is missing, not executable, statically linked, or changes its user. Scripts are
 * followed to their interpreter. */
rh_status rh_program_check(const char *program, rh_error *error);

/* Whether what would be started as `program` is CPython's interpreter, or linked to it: as far as
 * its file tells, or that of a script's interpreter. */
bool rh_program_is_python(const char *program);

#endif
