#define _GNU_SOURCE
#include "traces/copier.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

rh_status
rh_copier_open(rh_copier *copier, const char *path, const rh_trace_info *info, const char *how,
               rh_error *error)
{
    rh_trace_info changed;
    *copier = (rh_copier){0};
    if (!rh_trace_info_copy(&changed, info))
        return rh_fail(error, RH_SYSTEM, "out of memory");
    char *capture = NULL;
    if (asprintf(&capture, "%s%s%s", info->capture ? info->capture : "", info->capture ? ", " : "",
                 how) < 0)
        capture = NULL;
    free(changed.capture);
    changed.capture = capture;
    rh_status status = rh_writer_open(path, &changed, NULL, &copier->writer, error);
    rh_trace_info_release(&changed);
    return status;
}

/* Makes `*array` hold element `index`, new ones zeroed. */
static bool
make_room(void **array, uint32_t *room, uint32_t index, size_t element_bytes)
{
    if (index < *room)
        return true;
    uint64_t wanted = *room ? *room : 64;
    while (wanted <= index)
        wanted *= 2;
    if (wanted > UINT32_MAX)
        wanted = UINT32_MAX;
    char *grown = realloc(*array, wanted * element_bytes);
    if (!grown)
        return false;
    memset(grown + *room * element_bytes, 0, (wanted - *room) * element_bytes);
    *array = grown;
    *room = (uint32_t)wanted;
    return true;
}

static bool
number_thread(rh_copier *copier, rh_copy_source *source, rh_event *event)
{
    if (!make_room((void **)&source->threads, &source->thread_room, event->thread,
                   sizeof *source->threads))
        return false;
    uint32_t *number = &source->threads[event->thread];
    if (*number == 0)
        *number = ++copier->threads;
    event->thread = *number - 1;
    return true;
}

static rh_status
write_event(rh_copier *copier, rh_event *event, uint32_t *handle, rh_error *error)
{
    if (event->time_ns < copier->last_time_ns)
        event->time_ns = copier->last_time_ns;
    copier->last_time_ns = event->time_ns;
    copier->events++;
    return rh_writer_event(copier->writer, event, handle, error);
}

static bool
names_no_block(const rh_event *event)
{
    return event->operation == RH_MARK || (event->flags & RH_EVENT_FAILED) ||
           (event->operation == RH_FREE && (event->flags & (RH_EVENT_NULL | RH_EVENT_FOREIGN)));
}

rh_status
rh_copier_put(rh_copier *copier, rh_copy_source *source, const rh_event *event, rh_error *error)
{
    bool call = event->operation <= RH_ALIGNED;
    if (!call && event->operation != RH_MARK)
        return RH_OK;
    rh_event copy = *event;
    uint32_t none = 0;
    copy.flags &= (uint8_t) ~(RH_EVENT_POOLED | RH_EVENT_BRIDGE);
    if (names_no_block(event)) {
        if (!number_thread(copier, source, &copy))
            return rh_fail(error, RH_SYSTEM, "out of memory");
        return write_event(copier, &copy, &none, error);
    }
    if (!make_room((void **)&source->slots, &source->slot_room, event->slot, sizeof *source->slots))
        return rh_fail(error, RH_SYSTEM, "out of memory");
    rh_copied_slot *slot = &source->slots[event->slot];
    bool uses_old =
        event->operation == RH_FREE ||
        (event->operation == RH_REALLOC && !(event->flags & (RH_EVENT_NULL | RH_EVENT_FOREIGN)));
    if (uses_old && !slot->copied) {
        if (event->operation == RH_FREE)
            return RH_OK;
        copy.flags |= RH_EVENT_NULL;
    }
    if (!number_thread(copier, source, &copy))
        return rh_fail(error, RH_SYSTEM, "out of memory");
    slot->copied = event->operation != RH_FREE;
    return write_event(copier, &copy, &slot->handle, error);
}

rh_status
rh_copier_end(rh_copier *copier, rh_status status, rh_error *error)
{
    if (status == RH_OK)
        status = rh_writer_finish(copier->writer, -1, 0, error);
    else
        rh_writer_discard(copier->writer);
    copier->writer = NULL;
    return status;
}

void
rh_copy_source_release(rh_copy_source *source)
{
    free(source->slots);
    free(source->threads);
    *source = (rh_copy_source){0};
}
