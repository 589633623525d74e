/* What is recorded: a program that was started, with what it starts, or a process that ran before.
 */
#ifndef REHEAP_TRACES_RECORDING_TARGET_H
#define REHEAP_TRACES_RECORDING_TARGET_H

#include <stdbool.h>

#include "base/error.h"
#include "traces/collection.h"

/* Names it, and tells what speaks against recording it. */
rh_status rh_target_check(rh_collection *c, rh_error *error);

/* Goes into the process that ran before. */
rh_status rh_target_visit(rh_collection *c, rh_error *error);

/* Looks whether it has ended, and passes signals on. */
void rh_target_look_after(rh_collection *c);

/* Whether the source's process has. */
bool rh_target_process_ended(const rh_collection *c, const rh_recorded_program *s);

/* The error of one that is gone and never offered anything. */
rh_status rh_target_fail_unrecorded(rh_collection *c);

#endif
