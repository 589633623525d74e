/* Channels for processes to come: as many as may want one at once, at the two places where they
 * look, the session's table and the collector's socket. */
#ifndef REHEAP_TRACES_OFFERED_CHANNELS_H
#define REHEAP_TRACES_OFFERED_CHANNELS_H

#include "base/error.h"
#include "traces/collection.h"

/* Puts new ones in the place of those that were taken. */
rh_status rh_channels_keep_on_offer(rh_collection *c);

/* Answers those who ask at the socket. `context`: an rh_collection. */
void rh_channels_serve_reception(void *context);

#endif
