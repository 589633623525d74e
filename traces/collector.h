/* A recording from beginning to end: starts the program with the recorder preloaded, drains its
 * channel into a file, and its children's into files of their own, until all have ended. */
#ifndef REHEAP_TRACES_COLLECTOR_H
#define REHEAP_TRACES_COLLECTOR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "traces/intake.h"
#include "traces/trace_info.h"

typedef struct rh_recording_options {
    const char *output;  /* the file; children's get ".PID" behind it */
    const char *library; /* path of libreheap_record.so, or where malloc is recorded of
                            libreheap_record_malloc.so */
    char **command;      /* the program's words, NULL at the end */
    int process;         /* instead: a process that runs already; 0: none */
    rh_timestamps timestamps;
    bool python, malloc; /* an interpreter's functions, the C library's; with neither, each program
                            by what it is */
    bool addresses, children;
    rh_intake_limits limits; /* of each file */
    uint64_t duration_ns;    /* of the recording, pauses not counted; 0: to the program's end */
    bool paused;             /* record nothing until SIGUSR1 comes */
    void (*tell)(const char *text); /* what the user is to know at once; may be NULL */
} rh_recording_options;

/* One recorded process. */
typedef struct rh_recording {
    char path[4200];  /* "" when nothing was recorded */
    char program[64]; /* its name, cut */
    int process_id;
    uint64_t events, file_bytes;
    uint64_t dropped; /* calls that could not be recorded */
    bool forked;
} rh_recording;

typedef struct rh_recordings {
    rh_recording *list; /* the caller frees it */
    unsigned count;
    unsigned finds;      /* interpreters that a shell has started; the largest is in the list */
    bool left_out;       /* the program began others in processes of theirs, not recorded */
    int exit_status;     /* the program's, as wait(2) gives it; -1: it never ran */
    uint64_t drain_ns;   /* processor time that draining and writing took */
    uint64_t program_ns; /* that of the program, and of those children that it waited for */
} rh_recordings;

/* Runs the recording. Signals that ask this process to end (SIGINT, SIGTERM, SIGHUP, SIGQUIT) are
 * passed on to the program while it runs; the recording ends with the program, or at a limit (then
 * its files are complete at once, and the program is waited for). SIGUSR1 begins recording anew,
 * SIGUSR2 pauses it. RH_CANNOT_RUN: the
 * program cannot be started, or cannot be recorded (it has run to its end then, and the message
 * says why); RH_SYSTEM: the file could not be written to its end (`path` is where what there is
 * went). In all cases `recordings` is filled as far as things came. */
rh_status rh_collector_run(const rh_recording_options *options, rh_recordings *recordings,
                           rh_error *error);

#endif
