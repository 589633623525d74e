/* What every recorder library does first in a process: find the session that it was loaded for,
 * leave the environment as it was before, and say which program this is. None of it allocates. */
#ifndef REHEAP_TRACES_RECORDER_ENLIST_H
#define REHEAP_TRACES_RECORDER_ENLIST_H

#include "traces/recorder/channel.h"
#include "traces/recorder/producer.h"

/* The session that the environment names, mapped for good; NULL when it names none. */
const rh_session *rh_recorder_session(void) RH_HIDDEN;

/* Neither this process nor its children see the recorder any more. */
void rh_recorder_leave_environment(const rh_session *session) RH_HIDDEN;

/* Path and command line of this process; empty where the system does not tell. */
void rh_recorder_read_command(rh_channel_facts *facts) RH_HIDDEN;

#endif
