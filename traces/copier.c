#define _GNU_SOURCE
#include "traces/copier.h"

#include <stddef.h>
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
number_thread(rh_copier *copier, rh_copy_source *source, uint32_t thread)
{
    if (!make_room((void **)&source->threads, &source->thread_room, thread,
                   sizeof *source->threads))
        return false;
    uint32_t *number = &source->threads[thread];
    if (*number == 0)
        *number = ++copier->threads;
    source->last_thread = thread;
    source->last_number = *number;
    return true;
}

enum { OLD_UNUSED = RH_EVENT_FAILED | RH_EVENT_NULL | RH_EVENT_FOREIGN };

static bool
names_no_block(const rh_event *event)
{
    return event->operation == RH_MARK || (event->flags & RH_EVENT_FAILED) ||
           (event->operation == RH_FREE && (event->flags & (RH_EVENT_NULL | RH_EVENT_FOREIGN)));
}

static bool
uses_old(const rh_event *event)
{
    return (event->operation == RH_FREE || event->operation == RH_REALLOC) &&
           !(event->flags & OLD_UNUSED);
}

/* What is rare: the source's tables are too small, or its thread is another than before. */
static rh_status __attribute__((noinline))
prepare(rh_copier *copier, rh_copy_source *source, const rh_event *event, bool block,
        rh_error *error)
{
    if (block &&
        !make_room((void **)&source->slots, &source->slot_room, event->slot, sizeof *source->slots))
        return rh_fail(error, RH_SYSTEM, "out of memory");
    bool left_out = block && event->operation == RH_FREE && !source->slots[event->slot].copied;
    if (!left_out && !number_thread(copier, source, event->thread))
        return rh_fail(error, RH_SYSTEM, "out of memory");
    return RH_OK;
}

/* Takes from a copied event what was the recorded allocator's. Operation, domain and flags are
 * changed as one word: the writer reads them as one, and would wait for a byte that was written
 * into it. */
static inline void
strip(rh_event *copy, const rh_event *event, unsigned more_flags)
{
    enum { FLAGS_SHIFT = 8 * offsetof(rh_event, flags) };
    const uint32_t gone = (uint32_t)(RH_EVENT_POOLED | RH_EVENT_BRIDGE) << FLAGS_SHIFT;
    uint32_t word;
    memcpy(&word, event, sizeof word);
    word = (word & ~gone) | (uint32_t)more_flags << FLAGS_SHIFT;
    memcpy(copy, &word, sizeof word);
}

rh_status
rh_copier_put(rh_copier *copier, rh_copy_source *source, const rh_event *event, rh_error *error)
{
    if (event->operation > RH_ALIGNED && event->operation != RH_MARK)
        return RH_OK;
    uint32_t none = 0, *handle = &none;
    unsigned more_flags = 0;
    bool block = !names_no_block(event);
    if ((block && event->slot >= source->slot_room) || event->thread != source->last_thread ||
        source->last_number == 0) {
        rh_status status = prepare(copier, source, event, block, error);
        if (status != RH_OK)
            return status;
    }
    if (block) {
        rh_copied_slot *slot = &source->slots[event->slot];
        if (!slot->copied && uses_old(event)) {
            if (event->operation == RH_FREE)
                return RH_OK;
            more_flags = RH_EVENT_NULL;
        }
        slot->copied = event->operation != RH_FREE;
        handle = &slot->handle;
    }
    rh_event copy = *event;
    strip(&copy, event, more_flags);
    copy.thread = source->last_number - 1;
    if (event->time_ns > copier->last_time_ns)
        copier->last_time_ns = event->time_ns;
    copy.time_ns = copier->last_time_ns;
    copier->events++;
    return rh_writer_event(copier->writer, &copy, handle, error);
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
