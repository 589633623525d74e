/* What a run needs beside it to mean anything: the machine, the settings, the allocator. */
#ifndef REHEAP_REPLAY_PROVENANCE_H
#define REHEAP_REPLAY_PROVENANCE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/program_build.h"
#include "replay/channel.h"
#include "replay/experiment.h"

/* The machine and this program, read once an experiment. */
typedef struct rh_machine {
    char processor[128], kernel[256], huge_pages[64], governor[64], host[65];
    char build[RH_PROGRAM_BUILD_TEXT];
    unsigned processors;
    uint64_t memory_bytes;
    double ticks_per_ns;
} rh_machine;

void rh_machine_read(rh_machine *machine);

/* A JSON object from malloc. `opened`: the spec as the run's process opened it; `library`: the file
 * that has the allocator, "" when it is no file of its own or of no path; `preload`: what was
 * preloaded, "" for nothing; `reason`: why it failed, NULL when it did not. */
char *rh_provenance(const rh_machine *machine, const rh_experiment *experiment,
                    const rh_member *member, const char *opened, const char *library,
                    const char *preload, const char *trace_hash, const char *reason);

/* Whether the runs of that provenance were made by this build of the program and on this machine,
 * set up as it is now. If not, `field` names what differs. */
bool rh_provenance_is_of(const rh_machine *machine, const char *provenance, char *field,
                         size_t capacity);

extern const char *const rh_threads_names[]; /* by rh_experiment's `threads`; ends with NULL */
extern const char *const rh_touch_names[];   /* by rh_touch; ends with NULL */
extern const char *const rh_domain_names[];  /* by PyMemAllocatorDomain; ends with NULL */

#endif
