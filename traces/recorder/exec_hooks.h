/* Following a recorded process into the programs that it becomes. */
#ifndef REHEAP_TRACES_RECORDER_EXEC_HOOKS_H
#define REHEAP_TRACES_RECORDER_EXEC_HOOKS_H

#include <stdbool.h>

#include "traces/recorder/channel.h"
#include "traces/recorder/producer.h"

/* From now on what this process executes is given the recorder; with `children`, or where they are
 * recorded anyway, also what its children execute. */
void rh_recorder_follow(const rh_session *session, bool children) RH_HIDDEN;

#endif
