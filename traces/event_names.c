#include "traces/event_names.h"

const char *const rh_event_domain_names[RH_EVENT_DOMAINS] = {"raw", "mem", "obj", "libc"};

const char *const rh_event_operation_names[RH_OPERATIONS] = {
    [RH_MALLOC] = "malloc",         [RH_CALLOC] = "calloc",
    [RH_REALLOC] = "realloc",       [RH_FREE] = "free",
    [RH_ALIGNED] = "aligned",       [RH_ARENA_ALLOC] = "arena-alloc",
    [RH_ARENA_FREE] = "arena-free", [RH_MARK] = "mark",
    [RH_CHECKPOINT] = "checkpoint",
};

const struct rh_event_flag_name rh_event_flag_names[RH_EVENT_FLAGS] = {
    {RH_EVENT_FAILED, "failed"}, {RH_EVENT_NESTED, "nested"},   {RH_EVENT_NULL, "null"},
    {RH_EVENT_POOLED, "pooled"}, {RH_EVENT_FOREIGN, "foreign"}, {RH_EVENT_BRIDGE, "bridge"},
};
