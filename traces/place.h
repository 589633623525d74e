/* Where a recording goes. It is written to FILE.partial and gets its name when it is complete, so
 * that FILE is never the part that a crash has left, and what stood there is kept until then. A
 * pipe or device has only the one name. */
#ifndef REHEAP_TRACES_PLACE_H
#define REHEAP_TRACES_PLACE_H

#include <stdbool.h>

#include "base/error.h"

typedef struct rh_place {
    char path[4160];
    char partial[4176]; /* to be written to; `path` itself for a pipe or device */
    int held;           /* a descriptor; -1: none */
    bool made;          /* by rh_place_hold */
} rh_place;

/* Names the place; RH_USAGE when a file stands there that is not a trace, or the path is too long.
 * A link is followed. */
rh_status rh_place_name(rh_place *place, const char *path, rh_error *error);

/* Opens it once, before a program runs in vain, and keeps it open: a second recording into the same
 * file is refused, and the reader of a pipe does not take a pause for the end. */
rh_status rh_place_hold(rh_place *place, rh_error *error);

/* The recording is complete: it gets its name, or another one (`name` not NULL). */
rh_status rh_place_complete(rh_place *place, const char *name, rh_error *error);

bool rh_place_is_pipe(const rh_place *place);

/* Whether what could not be completed has stayed under its partial name. */
bool rh_place_has_part(const rh_place *place);

/* Lets go of it. A file that was made to hold the place goes when nothing has come into it. */
void rh_place_release(rh_place *place);

#endif
