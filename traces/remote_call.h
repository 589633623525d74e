/* Calling a function in another process: a thread of it is stopped where that does no harm, runs
 * the function, and goes on as if nothing had been.
 *
 * Where it does no harm: the function may load libraries and allocate, so the thread must not hold
 * a lock of the allocator or of the loader. It holds none while it waits in a system call that
 * neither of them makes, or when it runs code that is not the C library's, the loader's or the
 * allocator's: these call nobody back. The other threads keep running, so whatever they hold they
 * let go.
 *
 * The function runs on a stack of its own, with all signals held, and returns to address 0, which
 * stops the thread again. Then all registers are as they were; a system call that was interrupted
 * begins again. Source of the way: what debuggers do for a call by hand.
 */
#ifndef REHEAP_TRACES_REMOTE_CALL_H
#define REHEAP_TRACES_REMOTE_CALL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "traces/process_map.h"

typedef struct rh_remote rh_remote;

/* Called over and over while a function runs there: it may need this process for something. */
typedef struct rh_meanwhile {
    void (*call)(void *context);
    void *context;
} rh_meanwhile;

/* Stops a thread of the process at such a place, waiting up to some seconds for it. `only_main`:
 * the first thread and no other, and only where it waits in a system call. RH_CANNOT_RUN: the
 * system does not let us (the message says why, and what to do), or no thread came to such a place.
 */
rh_status rh_remote_stop(const rh_process_map *map, bool only_main, rh_meanwhile meanwhile,
                         rh_remote **remote, rh_error *error);

/* Why the system does not let us look into a process or stop it, and what can be done; `problem` is
 * the errno of it. */
rh_status rh_remote_refused(pid_t process, int problem, rh_error *error);

/* Calls the function at `address` with up to four arguments. A text can be put into the process by
 * rh_remote_text, for the time until the thread goes on. */
rh_status rh_remote_call(rh_remote *remote, uint64_t address, const uint64_t arguments[4],
                         uint64_t *result, rh_error *error);
rh_status rh_remote_text(rh_remote *remote, const char *text, uint64_t *address, rh_error *error);
/* Reads a text of the process, cut at `room`. */
void rh_remote_read_text(const rh_remote *remote, uint64_t address, char *text, size_t room);

/* The thread goes on. */
void rh_remote_release(rh_remote *remote);

#endif
