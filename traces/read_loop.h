/* The loop of the commands that read a trace from somewhere to somewhere: batch after batch, with a
 * progress line and an ear for Ctrl-C. */
#ifndef REHEAP_TRACES_READ_LOOP_H
#define REHEAP_TRACES_READ_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "traces/reader.h"

typedef struct rh_read_loop {
    const char *path;   /* of the trace, to begin a message with */
    const char *doing;  /* before the progress: "cutting" */
    bool prints;        /* to the standard output meanwhile: no progress between that */
    const char *output; /* does not come to be when the user interrupts; NULL: there is none */
    uint64_t end;       /* events from this number on are not wanted; UINT64_MAX: to the end */
    /* Takes the next batch; `*done` ends the loop without a failure. */
    rh_status (*take)(void *ctx, const rh_batch *batch, bool *done, rh_error *error);
    void *ctx;
} rh_read_loop;

/* Reads from the reader's place to the end of the trace, to `end`, until `take` is done or fails,
 * until the reader fails, or until the user interrupts (RH_INTERRUPTED). */
rh_status rh_read_loop_run(const rh_read_loop *loop, rh_reader *reader, rh_error *error);

/* For those who read in another way (rh_parallel_options.watch): draws the line of `progress`,
 * which is an rh_progress, and says false when the user interrupts. */
bool rh_read_loop_watch(void *progress, uint64_t done, uint64_t all);

#endif
