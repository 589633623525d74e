/* What a recording says of where it comes from: the program, its interpreter, its command line,
 * this host, and how and when it was recorded. */
#ifndef REHEAP_TRACES_RECORDED_FACTS_H
#define REHEAP_TRACES_RECORDED_FACTS_H

#include <stdbool.h>

#include "traces/recorder/channel.h"
#include "traces/trace_info.h"

/* Of the process whose facts are in the channel, as of now; `paused`: nothing is recorded at first.
 * The caller releases *info, in which there is less where memory is short. */
void rh_recorded_facts(const rh_channel *channel, bool paused, rh_trace_info *info);

#endif
