#define _GNU_SOURCE
#include "traces/recorded_program.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/host.h"
#include "base/size.h"
#include "traces/elf_needs.h"
#include "traces/recorded_facts.h"
#include "traces/recording_names.h"
#include "traces/recording_target.h"

enum {
    FLUSH_NS = 1000000000 /* how old the last events in the file may be while nothing happens */
};

void
rh_recorded_retire(rh_recorded_program *s)
{
    s->done = true;
    rh_drain_free(s->drain);
    rh_intake_free(s->intake);
    s->drain = NULL;
    free(s->place);
    s->place = NULL;
    s->intake = NULL;
    rh_shared_close(&s->shared);
    s->channel = NULL;
    if (s->process >= 0)
        close(s->process);
    s->process = -1;
}

/* Adds to the first error where what was written until then has stayed. */
static void
tell_of_part(rh_collection *c, const rh_recorded_program *s)
{
    if (c->error.status != RH_SYSTEM || !s->place || !rh_place_has_part(s->place))
        return;
    rh_error more = c->error;
    rh_fail(&c->error, RH_SYSTEM, "%s; what was recorded until then is in %s", more.message,
            s->place->partial);
}

/* From their next calls on the process's threads record nothing. They look up when the turn
 * changes, and where their rings are full. */
static void
stop_recording(rh_recorded_program *s)
{
    atomic_store(&s->channel->abandoned, RH_ALL_RECORDED);
    atomic_fetch_add(&s->channel->turn, 1);
}

static void
leave_process(rh_recorded_program *s)
{
    stop_recording(s);
    rh_recorded_retire(s);
}

void
rh_recorded_give_up(rh_collection *c, rh_recorded_program *s, const rh_error *error)
{
    rh_collection_keep_error(c, error);
    atomic_store(&s->channel->abandoned, RH_GIVEN_UP);
    if (s->writer && error->status == RH_SYSTEM) {
        /* What could be written is kept, but not where a whole recording is looked for. */
        rh_error again;
        rh_writer_finish(s->writer, -1, rh_drain_unseen(s->drain), &again);
        tell_of_part(c, s);
    } else if (s->writer) {
        rh_writer_discard(s->writer);
    }
    s->writer = NULL;
    s->recording.path[0] = '\0';
    rh_recorded_retire(s);
}

static rh_status
open_writer(const rh_collection *c, rh_recorded_program *s, rh_error *error)
{
    const char *program = s->channel->facts.program, *name = strrchr(program, '/');
    snprintf(s->recording.program, sizeof s->recording.program, "%.*s",
             (int)sizeof s->recording.program - 1, name ? name + 1 : program);
    rh_names_choose(c, s, s->recording.path, sizeof s->recording.path);
    s->place = malloc(sizeof *s->place);
    if (!s->place)
        return rh_fail(error, RH_SYSTEM, "out of memory");
    rh_status status = rh_place_name(s->place, s->recording.path, error);
    if (status == RH_OK && rh_place_is_pipe(s->place) && rh_names_images_before(c, s) > 0)
        status = rh_fail(error, RH_CANNOT_RUN,
                         "%s: it takes one recording, and the program has become another, %s; "
                         "choose a file",
                         s->recording.path, s->recording.program);
    if (status != RH_OK)
        return status;
    rh_trace_info info;
    rh_writer_options writing = {.in_place = true};
    rh_recorded_facts(s->channel, c->paused, &info);
    info.timestamps = c->options->timestamps;
    info.addresses = c->options->addresses;
    status = rh_writer_open(s->place->partial, &info, &writing, &s->writer, error);
    rh_trace_info_release(&info);
    if (status != RH_OK)
        return status;
    bool timed = c->options->timestamps != RH_TIMES_NONE;
    s->drain = rh_drain_new(s->channel, s->writer, timed ? rh_host_ticks_per_ns() : 0);
    return s->drain ? RH_OK : rh_fail(error, RH_SYSTEM, "out of memory");
}

rh_status
rh_recorded_use_intake(const rh_collection *c, rh_recorded_program *s, rh_error *error)
{
    if (!s->intake)
        s->intake = rh_intake_new(s->writer, rh_drain_events(s->drain), &c->options->limits);
    if (!s->intake)
        return rh_fail(error, RH_SYSTEM, "out of memory");
    rh_drain_set_intake(s->drain, s->intake);
    return RH_OK;
}

static void
open_source(rh_collection *c, rh_recorded_program *s)
{
    rh_error error = {0};
    s->offered = false;
    s->starter = s->channel->facts.starter;
    s->recording.process_id = s->channel->process_id;
    s->recording.forked = s->channel->facts.forked != 0;
    if (s->channel->process_id != c->program)
        s->process = (int)syscall(SYS_pidfd_open, s->channel->process_id, 0);
    s->flushed_ns = rh_host_now_ns();
    const rh_intake_limits *limits = &c->options->limits;
    rh_status status = open_writer(c, s, &error);
    if (status == RH_OK && (limits->events || limits->bytes || c->paused))
        status = rh_recorded_use_intake(c, s, &error);
    if (status == RH_OK && c->paused)
        status = rh_intake_pause(s->intake, &error);
    if (status != RH_OK)
        rh_recorded_give_up(c, s, &error);
}

/* Why the recording ends before the process does; "" when it does not. */
static const char *
early_end(const rh_collection *c, const rh_recorded_program *s, char *text, size_t room)
{
    char number[RH_SIZE_TEXT];
    const rh_intake_limits *limits = &c->options->limits;
    rh_intake_end end = s->intake ? rh_intake_ended(s->intake) : RH_INTAKE_OPEN;
    text[0] = '\0';
    if (end == RH_INTAKE_EVENTS)
        snprintf(text, room, "at the limit of %s events",
                 rh_count_grouped(limits->events, number, sizeof number));
    else if (end == RH_INTAKE_BYTES)
        snprintf(text, room, "at the limit of %s",
                 rh_size_exact(limits->bytes, number, sizeof number));
    else if (c->told_to_leave && !c->program_ended)
        snprintf(text, room, "on request");
    else if (c->time_is_up)
        snprintf(text, room, "after %.6g s", (double)c->options->duration_ns / 1e9);
    return text;
}

static void
finish_source(rh_collection *c, rh_recorded_program *s, bool ended)
{
    rh_error error = {0};
    struct stat status;
    char early[128];
    bool last_image = ended && s->channel->process_id == c->program && !s->replaced;
    s->recording.events = s->intake ? rh_intake_events(s->intake) : rh_drain_events(s->drain);
    s->recording.dropped = rh_drain_unseen(s->drain);
    rh_writer_set_undecided(s->writer, rh_drain_undecided(s->drain));
    s->ended_early = *early_end(c, s, early, sizeof early) != '\0';
    if (s->ended_early)
        rh_writer_set_ended(s->writer, early);
    if (s->intake && rh_intake_pauses(s->intake))
        rh_writer_set_pauses(s->writer, rh_intake_pauses(s->intake));
    rh_status written =
        rh_writer_finish(s->writer, last_image ? c->exit_status : -1, s->recording.dropped, &error);
    s->writer = NULL;
    /* The last program of a process has the name, those before it have numbers. */
    if (s->replaced && !rh_place_is_pipe(s->place))
        snprintf(s->recording.path, sizeof s->recording.path, "%s.image%u", s->place->path,
                 rh_names_images_before(c, s) + 1);
    if (written == RH_OK)
        written = rh_place_complete(s->place, s->replaced ? s->recording.path : NULL, &error);
    if (written != RH_OK) {
        rh_collection_keep_error(c, &error);
        tell_of_part(c, s);
        s->recording.path[0] = '\0';
    }
    if (stat(s->recording.path, &status) == 0)
        s->recording.file_bytes = (uint64_t)status.st_size;
    if (s->intake && rh_intake_paused(s->intake) && s->recording.events == 0)
        rh_collection_tell(c, "%s: nothing was recorded: SIGUSR1 never came", s->recording.path);
    if (s->ended_early && !ended && written == RH_OK)
        rh_collection_tell(c, "%s: ended %s; process %d goes on unrecorded", s->recording.path,
                           early, s->recording.process_id);
    leave_process(s);
    rh_recorded_retire(s);
    if (c->options->python || c->options->malloc || c->options->children)
        return;
    if (s->starter && s->replaced)
        rh_names_drop(s);
    else if (s->recording.process_id != c->program)
        rh_names_keep_larger(c, s);
}

/* While nothing happens, what has happened belongs into the file. */
static void
flush_when_idle(rh_recorded_program *s, uint64_t new_events, uint64_t now, rh_error *error)
{
    uint64_t events = rh_drain_events(s->drain);
    if (new_events)
        s->flushed_ns = now;
    else if (events != s->flushed_events && now - s->flushed_ns > FLUSH_NS) {
        rh_writer_flush(s->writer, error);
        s->flushed_events = events;
    }
}

static void
drain_source(rh_collection *c, rh_recorded_program *s, uint64_t *events)
{
    rh_error error = {0};
    bool ended = rh_target_process_ended(c, s); /* asked first: what it did before is then there */
    bool last = ended || c->told_to_leave || c->time_is_up;
    uint64_t taken = 0;
    /* A process that goes on might fill its rings as fast as they are read. */
    if (last)
        stop_recording(s);
    if (rh_drain_run(s->drain, last, &taken, &error) == RH_OK)
        flush_when_idle(s, taken, rh_host_now_ns(), &error);
    *events += taken;
    if (error.status != RH_OK)
        rh_recorded_give_up(c, s, &error);
    else if (last || (s->intake && rh_intake_ended(s->intake) != RH_INTAKE_OPEN))
        finish_source(c, s, ended);
}

/* The programs that this one's process was before have come to their ends. */
static void
end_earlier_images(rh_collection *c, const rh_recorded_program *s)
{
    for (unsigned i = 0; i < c->count; i++) {
        rh_recorded_program *earlier = c->sources[i];
        if (earlier == s || earlier->done || earlier->offered ||
            earlier->channel->process_id != s->channel->process_id)
            continue;
        rh_error error = {0};
        uint64_t taken = 0;
        earlier->replaced = true;
        if (!earlier->drain)
            rh_recorded_retire(earlier);
        else if (rh_drain_run(earlier->drain, true, &taken, &error) == RH_OK)
            finish_source(c, earlier, true);
        else
            rh_recorded_give_up(c, earlier, &error);
    }
}

/* The one that attached first of those that have not been opened: of a process that has become
 * another program meanwhile, both may be there. */
static rh_recorded_program *
next_attached(const rh_collection *c)
{
    rh_recorded_program *first = NULL;
    for (unsigned i = 0; i < c->count; i++) {
        rh_recorded_program *s = c->sources[i];
        if (!s->done && !s->drain && atomic_load(&s->channel->state) == RH_CHANNEL_ATTACHED &&
            (!first || s->channel->started_ticks < first->channel->started_ticks))
            first = s;
    }
    return first;
}

/* The time is up, or the process has reached a limit as another program. */
static bool
recorded_enough(const rh_collection *c, const rh_recorded_program *s)
{
    bool enough = c->time_is_up;
    for (unsigned i = 0; i < c->count; i++)
        enough |= c->sources[i]->ended_early &&
                  c->sources[i]->recording.process_id == s->channel->process_id;
    return enough;
}

void
rh_recorded_open_attached(rh_collection *c)
{
    /* Once one is seen, those that attached before it are seen by the second look. */
    while (next_attached(c)) {
        rh_recorded_program *s = next_attached(c);
        end_earlier_images(c, s);
        if (recorded_enough(c, s)) {
            s->offered = false;
            leave_process(s);
        } else {
            open_source(c, s);
        }
    }
}

static void
refuse_source(rh_collection *c, rh_recorded_program *s)
{
    rh_error error = {0};
    s->offered = false;
    rh_fail(&error, RH_CANNOT_RUN, "%s: it cannot be recorded: %.*s", c->subject,
            (int)sizeof s->channel->reason - 1, s->channel->reason);
    rh_recorded_give_up(c, s, &error);
}

void
rh_recorded_serve(rh_collection *c, rh_recorded_program *s, uint64_t *events)
{
    if (s->done)
        return;
    uint32_t state = atomic_load_explicit(&s->channel->state, memory_order_acquire);
    if (state == RH_CHANNEL_REFUSED) {
        end_earlier_images(c, s);
        refuse_source(c, s);
    } else if (state == RH_CHANNEL_TAKEN) {
        s->offered = false;
        /* Ended, it changes its state no more: before that it may just have done so. */
        if (rh_target_process_ended(c, s) && atomic_load(&s->channel->state) == RH_CHANNEL_TAKEN)
            rh_recorded_retire(s); /* before it said anything */
    } else if (s->drain) {
        drain_source(c, s, events);
    }
}

bool
rh_recorded_is_open(const rh_recorded_program *s)
{
    return !s->done && s->drain;
}

void
rh_recorded_take_all(rh_collection *c, rh_recorded_program *s)
{
    uint64_t waiting = rh_recorded_is_open(s) ? rh_drain_waiting(s->drain) : 0, taken = 0, before;
    do {
        before = taken;
        rh_recorded_serve(c, s, &taken);
    } while (taken != before && taken < waiting);
}
