/* Starting the program that is to be recorded, with the recorder before its other libraries. */
#ifndef REHEAP_TRACES_LAUNCH_H
#define REHEAP_TRACES_LAUNCH_H

#include <sys/resource.h>
#include <sys/types.h>

#include "base/error.h"
#include "traces/record_signals.h"
#include "traces/recorder/channel.h"

/* All the file descriptors that this process may have, for each recorded process takes some here;
 * *before is what it had, and what the program keeps. */
void rh_launch_raise_file_limit(struct rlimit *before);

/* Starts `command` (its words, NULL at the end) as *program. The session is told which process that
 * is; signals and the limit are as they were. RH_CANNOT_RUN: there is no such program. */
rh_status rh_launch(rh_session *session, char **command, const rh_record_signals *before,
                    const struct rlimit *file_limit, pid_t *program, rh_error *error);

#endif
