#include "traces/generate/maker.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LOOK_EVENTS = 1 << 16 };

rh_status
rh_maker_open(rh_maker *maker, const char *path, const rh_trace_info *info, uint64_t seed,
              uint64_t wanted, rh_error *error)
{
    *maker = (rh_maker){.random = {seed}, .wanted = wanted, .path = path, .next_look = LOOK_EVENTS};
    rh_status status = rh_writer_open(path, info, NULL, &maker->writer, error);
    if (status == RH_OK)
        rh_progress_begin(&maker->progress, "making", "events", wanted);
    return status;
}

rh_status
rh_maker_close(rh_maker *maker, rh_error *error)
{
    rh_progress_end(&maker->progress);
    free(maker->numbers);
    rh_status status = maker->error.status;
    if (status != RH_OK) {
        rh_writer_discard(maker->writer);
        if (error)
            *error = maker->error;
        return status;
    }
    rh_writer_set_undecided(maker->writer, 0);
    return rh_writer_finish(maker->writer, -1, 0, error);
}

bool
rh_maker_fail(rh_maker *maker, rh_status status, const char *format, ...)
{
    if (maker->error.status != RH_OK)
        return false;
    char message[sizeof maker->error.message];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    rh_fail(&maker->error, status, "%s", message);
    return false;
}

bool
rh_maker_no_memory(rh_maker *maker)
{
    return rh_maker_fail(maker, RH_SYSTEM, "out of memory");
}

static bool
look_around(rh_maker *maker)
{
    maker->next_look = maker->events + LOOK_EVENTS;
    rh_progress_update(&maker->progress, maker->events);
    if (rh_interrupted())
        return rh_maker_fail(maker, RH_INTERRUPTED, "interrupted; there is no %s", maker->path);
    return true;
}

/* Room for a thread's number. */
static bool
reserve_thread(rh_maker *maker, uint32_t thread)
{
    if (thread < maker->numbers_room)
        return true;
    size_t room = (size_t)thread + thread / 2 + 16;
    uint32_t *numbers = room < UINT32_MAX ? realloc(maker->numbers, room * sizeof *numbers) : NULL;
    if (!numbers)
        return rh_maker_no_memory(maker);
    memset(numbers + maker->numbers_room, 0, (room - maker->numbers_room) * sizeof *numbers);
    maker->numbers = numbers;
    maker->numbers_room = (uint32_t)room;
    return true;
}

bool
rh_maker_switch(rh_maker *maker, uint32_t thread)
{
    if (!reserve_thread(maker, thread))
        return false;
    if (!maker->numbers[thread])
        maker->numbers[thread] = ++maker->threads;
    maker->thread = maker->numbers[thread] - 1;
    return true;
}

bool
rh_make_event(rh_maker *maker, rh_event *event, uint32_t *block)
{
    bool call = event->operation <= RH_ALIGNED;
    if (maker->error.status != RH_OK || (call && maker->wanted && maker->events >= maker->wanted))
        return false;
    event->thread = maker->thread;
    if (rh_writer_event(maker->writer, event, block, &maker->error) != RH_OK)
        return false;
    maker->events += call;
    return maker->events < maker->next_look || look_around(maker);
}

bool
rh_make_birth(rh_maker *maker, uint64_t size, uint32_t *block)
{
    rh_event event = {.operation = RH_MALLOC, .size = size};
    return rh_make_event(maker, &event, block);
}

bool
rh_make_death(rh_maker *maker, uint32_t block)
{
    rh_event event = {.operation = RH_FREE};
    return rh_make_event(maker, &event, &block);
}

bool
rh_make_resize(rh_maker *maker, uint32_t *block, uint64_t size)
{
    rh_event event = {.operation = RH_REALLOC, .size = size};
    return rh_make_event(maker, &event, block);
}

bool
rh_make_mark(rh_maker *maker, const char *text)
{
    rh_event event = {.operation = RH_MARK, .slot = RH_NO_SLOT, .size = strlen(text), .text = text};
    uint32_t none = 0;
    return rh_make_event(maker, &event, &none);
}
