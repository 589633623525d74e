/* What every recorder library does first in a process: find the session that it was loaded for,
 * leave the environment as it was before, and say which program this is. None of it allocates. */
#ifndef REHEAP_TRACES_RECORDER_ENLIST_H
#define REHEAP_TRACES_RECORDER_ENLIST_H

#include <stdint.h>

#include "traces/recorder/channel.h"
#include "traces/recorder/producer.h"

/* The session that the environment names, mapped for good; NULL when it names none, or one that is
 * over. Where that cannot be told from one that is out of reach, it says so. */
const rh_session *rh_recorder_session(void) RH_HIDDEN;

/* The same by the text that the variable has. */
const rh_session *rh_recorder_session_at(const char *text) RH_HIDDEN;

/* Opens a descriptor of the collector's in this process; -1: it cannot be had. *process_id is this
 * process's number as the collector sees it. */
int rh_recorder_fetch(int descriptor, int32_t *process_id) RH_HIDDEN;

/* This is the process that was started, and not one that it started. */
bool rh_recorder_is_root(const rh_session *session) RH_HIDDEN;

/* Neither this process nor its children see the recorder any more. */
void rh_recorder_leave_environment(const rh_session *session) RH_HIDDEN;

/* Path and command line of this process; empty where the system does not tell. */
void rh_recorder_read_command(rh_channel_facts *facts) RH_HIDDEN;

#endif
