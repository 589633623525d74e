/* Whether an allocator could be replayed into, found out before anything runs. */
#ifndef REHEAP_REPLAY_SPEC_CHECK_H
#define REHEAP_REPLAY_SPEC_CHECK_H

#include "base/error.h"

/* Parses `spec` and, where the allocator may have several instances in a process, opens and closes
 * it, since some combinations of good values are bad. RH_USAGE: a bad spec or combination, the
 * message says which part and what is allowed; RH_CANNOT_RUN: it is not installed. */
rh_status rh_spec_check(const char *spec, rh_error *error);

#endif
