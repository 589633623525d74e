/* Bringing the recorder into a process that runs already: one of its threads opens the library and
 * calls rh_recorder_attach (recorder/late.h). */
#ifndef REHEAP_TRACES_ENTER_H
#define REHEAP_TRACES_ENTER_H

#include <sys/types.h>

#include "base/error.h"
#include "traces/remote_call.h"

typedef struct rh_entry {
    pid_t process;
    char library[4200]; /* as the process opens it */
    int copy;           /* a descriptor of it, where the library was there already; -1 */
    rh_meanwhile meanwhile;
} rh_entry;

/* Checks what can be told without touching the process: that there is one, of 64 bits, dynamically
 * linked with the GNU C library, and that it sees `library`. RH_CANNOT_RUN with the reason. */
rh_status rh_enter_check(pid_t process, const char *library, rh_error *error);

/* `place` names the session, which has a channel on offer; `meanwhile` hands out descriptors to
 * whom cannot open them below /proc. RH_CANNOT_RUN: the system, or the process, does not let us; it
 * goes on as before. */
rh_status rh_enter(rh_entry *entry, pid_t process, const char *library, const char *place,
                   rh_meanwhile meanwhile, rh_error *error);

/* For an interpreter that has not taken the hooks in yet: tries it at once, if its main thread
 * waits in a system call; if not, nothing happens. */
void rh_enter_now(const rh_entry *entry);

void rh_entry_release(rh_entry *entry);

#endif
