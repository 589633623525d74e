#define _GNU_SOURCE /* strdup */
#include "traces/trace_info.h"

#include <stdlib.h>
#include <string.h>

#include "traces/event.h"

void
rh_trace_info_init(rh_trace_info *info)
{
    *info = (rh_trace_info){
        .events = RH_TOTAL_UNKNOWN,
        .allocations = RH_TOTAL_UNKNOWN,
        .reallocations = RH_TOTAL_UNKNOWN,
        .frees = RH_TOTAL_UNKNOWN,
        .null_frees = RH_TOTAL_UNKNOWN,
        .failures = RH_TOTAL_UNKNOWN,
        .nested_events = RH_TOTAL_UNKNOWN,
        .arena_events = RH_TOTAL_UNKNOWN,
        .marks = RH_TOTAL_UNKNOWN,
        .checkpoints = RH_TOTAL_UNKNOWN,
        .threads = RH_TOTAL_UNKNOWN,
        .dropped_events = RH_TOTAL_UNKNOWN,
        .undecided_events = RH_TOTAL_UNKNOWN,
        .peak_requested_bytes = RH_TOTAL_UNKNOWN,
        .peak_live_blocks = RH_TOTAL_UNKNOWN,
        .end_requested_bytes = RH_TOTAL_UNKNOWN,
        .end_live_blocks = RH_TOTAL_UNKNOWN,
        .elapsed_ns = RH_TOTAL_UNKNOWN,
        .pauses = RH_TOTAL_UNKNOWN,
        .exit_status = -1,
        .file_bytes = RH_TOTAL_UNKNOWN,
    };
}

void
rh_trace_info_release(rh_trace_info *info)
{
    free(info->command);
    free(info->program);
    free(info->capture);
    free(info->python_version);
    free(info->allocator);
    free(info->recorder);
    free(info->host);
    free(info->started);
    free(info->ended);
    rh_trace_info_init(info);
}

static bool
copy_text(char **copy, const char *text)
{
    *copy = text ? strdup(text) : NULL;
    return !text || *copy;
}

static void
zero_totals(rh_trace_info *info)
{
    info->events = info->allocations = info->reallocations = info->frees = 0;
    info->null_frees = info->failures = info->nested_events = 0;
    info->arena_events = info->marks = info->checkpoints = info->threads = 0;
    info->peak_requested_bytes = info->peak_live_blocks = 0;
    info->end_requested_bytes = info->end_live_blocks = info->elapsed_ns = 0;
}

bool
rh_trace_info_copy(rh_trace_info *copy, const rh_trace_info *info)
{
    rh_trace_info_init(copy);
    copy->arena_bytes = info->arena_bytes;
    copy->pool_bytes = info->pool_bytes;
    copy->process_id = info->process_id;
    copy->timestamps = info->timestamps;
    copy->addresses = info->addresses;
    copy->domains = info->domains;
    zero_totals(copy);
    bool good = copy_text(&copy->command, info->command) &&
                copy_text(&copy->program, info->program) &&
                copy_text(&copy->capture, info->capture) &&
                copy_text(&copy->python_version, info->python_version) &&
                copy_text(&copy->allocator, info->allocator) &&
                copy_text(&copy->recorder, info->recorder) && copy_text(&copy->host, info->host) &&
                copy_text(&copy->started, info->started);
    if (!good)
        rh_trace_info_release(copy);
    return good;
}

static uint64_t *
counter_of(rh_trace_info *info, unsigned operation, unsigned flags)
{
    switch (operation) {
    case RH_ARENA_ALLOC:
    case RH_ARENA_FREE:
        return &info->arena_events;
    case RH_MARK:
        return &info->marks;
    case RH_CHECKPOINT:
        return &info->checkpoints;
    case RH_FREE:
        return flags & RH_EVENT_NULL ? &info->null_frees : &info->frees;
    default:
        break;
    }
    if (flags & RH_EVENT_FAILED)
        return &info->failures;
    bool resizes = operation == RH_REALLOC && !(flags & RH_EVENT_NULL);
    return resizes ? &info->reallocations : &info->allocations;
}

void
rh_trace_info_count(rh_trace_info *info, unsigned operation, unsigned flags, uint64_t uses)
{
    if (operation >= RH_OPERATIONS)
        return;
    *counter_of(info, operation, flags) += uses;
    if (operation > RH_ALIGNED)
        return;
    info->events += uses;
    if (flags & RH_EVENT_NESTED)
        info->nested_events += uses;
}
