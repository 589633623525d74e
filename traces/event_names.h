/* The words for what an event is, as they stand in what commands print and in the text format. */
#ifndef REHEAP_TRACES_EVENT_NAMES_H
#define REHEAP_TRACES_EVENT_NAMES_H

#include "traces/event.h"

extern const char *const rh_event_domain_names[RH_EVENT_DOMAINS];
extern const char *const rh_event_operation_names[RH_OPERATIONS];

/* One name a flag; those that are in files come before the others. */
enum { RH_EVENT_FILE_FLAGS = 5, RH_EVENT_FLAGS };
extern const struct rh_event_flag_name {
    unsigned flag;
    const char *name;
} rh_event_flag_names[RH_EVENT_FLAGS];

#endif
