/* Recording a process that runs already: the collector has a thread of it open this library and
 * call this. */
#ifndef REHEAP_TRACES_RECORDER_LATE_H
#define REHEAP_TRACES_RECORDER_LATE_H

typedef enum rh_late {
    RH_LATE_DONE,       /* or refused: the channel says so */
    RH_LATE_AGAIN,      /* this copy of the library has recorded before */
    RH_LATE_NO_SESSION, /* the collector cannot be reached */
    RH_LATE_NO_CHANNEL,
    RH_LATE_NO_MALLOC, /* no library has the function */
    RH_LATE_NO_PYTHON, /* there is no interpreter, or none that runs */
    RH_LATE_BUSY       /* the interpreter takes no more calls for now */
} rh_late;

/* `place` is what the environment variable has when a program is started. An rh_late. With an
 * interpreter it has only asked for the hooks, which the main thread puts in between two
 * instructions of its program. */
__attribute__((visibility("default"))) int rh_recorder_attach(const char *place);

/* Puts the interpreter's hooks in now, if they are not there yet: for a main thread that waits in a
 * system call, and so comes to no instruction. */
__attribute__((visibility("default"))) int rh_recorder_attach_now(void);

#endif
