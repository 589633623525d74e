/* What the parts of a recording share while it is made: the session, the program, and a source for
 * each program image that is recorded.
 *
 *     collector           the loop, from the start of the program to its end
 *     offered_channels    channels for processes to come
 *     recording_target    the program or process that is recorded: entered, watched, reaped
 *     recorded_program    one recording: opened, drained, finished or given up
 *     recording_names     which file is called what, and which of several is kept
 */
#ifndef REHEAP_TRACES_COLLECTION_H
#define REHEAP_TRACES_COLLECTION_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "base/error.h"
#include "traces/collector.h"
#include "traces/drain.h"
#include "traces/enter.h"
#include "traces/intake.h"
#include "traces/place.h"
#include "traces/reception.h"
#include "traces/recorder/channel.h"
#include "traces/session.h"
#include "traces/writer.h"

/* The recording of one program: a process may be several, one after the other. */
typedef struct rh_recorded_program {
    rh_shared shared;
    rh_channel *channel;
    int process;  /* a pidfd of it; -1: the program itself, or none to be had */
    bool offered; /* nobody has taken it yet */
    bool ended, done;
    rh_writer *writer;
    rh_drain *drain;
    rh_intake *intake; /* NULL: all goes straight into the file */
    rh_recording recording;
    rh_place *place; /* while it is written */
    bool replaced;   /* its process has become another program */
    bool ended_early;
    bool starter; /* a shell or its like, recorded for want of anything better */
    uint64_t flushed_events, flushed_ns;
} rh_recorded_program;

typedef struct rh_collection {
    const rh_recording_options *options;
    char subject[256]; /* what is recorded, for messages */
    rh_entry entry;    /* into a process that ran before */
    int process;       /* a pidfd of it */
    uint64_t asked_ns; /* when its interpreter was asked to take the hooks in */
    rh_shared session;
    rh_reception reception;
    struct rlimit file_limit; /* of this process before, and of the program */
    rh_place place;           /* of the program's own recording, held to the end */
    rh_recorded_program **sources;
    unsigned count;
    pid_t program;
    int exit_status;
    rh_recorded_program *found; /* the largest interpreter that a starter has started */
    unsigned finds;
    uint64_t program_ns; /* the processor time it used */
    bool program_ended;
    bool paused, time_is_up;
    uint64_t recorded_ns, looked_ns; /* pauses not counted; when they were */
    bool told_to_leave;              /* by a signal: a process that ran before */
    bool descendants;                /* processes that the program has left behind are there */
    bool told_to_stop;               /* by a signal, when only children were left to wait for */
    rh_error error;                  /* the first */
} rh_collection;

/* One line for the user, at once. */
void __attribute__((format(printf, 2, 3)))
rh_collection_tell(const rh_collection *c, const char *format, ...);

/* Keeps the first error for the end; the status of this one. */
rh_status rh_collection_keep_error(rh_collection *c, const rh_error *error);

#endif
