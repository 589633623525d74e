/* Redirecting functions in a process that runs: every loaded object's references to them, in its
 * table of addresses, are made to point to others, as if those had been preloaded. */
#ifndef REHEAP_TRACES_RECORDER_RELINK_H
#define REHEAP_TRACES_RECORDER_RELINK_H

#include <stdbool.h>
#include <stdint.h>

#include "traces/recorder/producer.h"

enum { RH_RELINKED_LISTS = 2 };

typedef struct rh_relinked {
    const char *name;
    void *from, *to;  /* from NULL: let be */
    bool not_its_own; /* the object that `from` lies in goes on calling that */
} rh_relinked;

/* The library that defines `name`, the first that was loaded, this one apart: a handle for dlsym.
 * NULL: none. *is_program: the program itself defines it, too, and calls its own. */
void *rh_relink_provider(const char *name, bool *is_program) RH_HIDDEN;

/* Points all references from `from` to `to`, in all objects but this one. `functions` ends with a
 * NULL name and stays the caller's for good. At most RH_RELINKED_LISTS times. */
void rh_relink(const rh_relinked *functions) RH_HIDDEN;

/* The same for objects that were loaded since, if any were: to be called now and then, with the
 * time-stamp counter. Allocates nothing. */
void rh_relink_new_objects(uint64_t ticks, uint64_t ticks_per_us) RH_HIDDEN;

/* Points them back, and lets it be. */
void rh_relink_undo(void) RH_HIDDEN;

#endif
