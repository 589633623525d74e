/* Letting a thread of another process run on to a certain place in its code: the processor watches
 * for it (debug registers), so that neither the code is changed, which other threads run too, nor
 * each instruction costs a stop. */
#ifndef REHEAP_TRACES_RUN_TO_H
#define REHEAP_TRACES_RUN_TO_H

#include <stdint.h>
#include <sys/types.h>

enum { RH_RUN_TO_PLACES = 4 };

typedef enum rh_ran {
    RH_RAN_THERE,  /* it stands at one of the places */
    RH_RAN_NOT,    /* it did not come there in time, or cannot be watched; it stands still */
    RH_RAN_TO_END, /* there is no such thread any more */
} rh_ran;

/* `thread` is seized (PTRACE_SEIZE) and stands still. Signals that come meanwhile are passed on.
 * Up to RH_RUN_TO_PLACES of `places`. */
rh_ran rh_run_to(pid_t thread, const uint64_t *places, unsigned count, uint64_t within_ns);

#endif
