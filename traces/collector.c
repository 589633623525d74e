/* Recording: one process, one loop. Each turn puts new channels on offer, opens files for processes
 * that attached, drains every channel, and looks who has ended. Between turns it sleeps for as long
 * as the rings can take: the fewer the turns, the less the two sides pull at the same cache lines.
 */
#define _GNU_SOURCE
#include "traces/collector.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/host.h"
#include "traces/collection.h"
#include "traces/launch.h"
#include "traces/offered_channels.h"
#include "traces/record_signals.h"
#include "traces/recorded_program.h"
#include "traces/recording_names.h"
#include "traces/recording_target.h"

enum {
    TURN_NS = 1000000,
    IDLE_TURN_NS = 4000000,
    IDLE_TURNS = 50,      /* without an event, until turns become long */
    BUSY_EVENTS = 1 << 18 /* after so many in a turn the next follows at once */
};

/* What the loader and the library look for. A path with a blank or a colon would be two in
 * LD_PRELOAD, so a descriptor of this process stands for it. */
static rh_status
name_session(const rh_collection *c, rh_error *error)
{
    const char *library = c->options->library;
    rh_session *session = c->session.memory;
    char by_descriptor[64];
    if (strpbrk(library, " :")) {
        int file = open(library, O_RDONLY | O_CLOEXEC);
        snprintf(by_descriptor, sizeof by_descriptor, "/proc/%d/fd/%d", (int)getpid(), file);
        library = by_descriptor;
    }
    if (strlen(library) >= sizeof session->library)
        return rh_fail(error, RH_SYSTEM, "%s: the path is too long", library);
    strcpy(session->library, library);
    snprintf(session->place, sizeof session->place, RH_SESSION_FORMAT, (int)getpid(),
             c->session.descriptor, (unsigned long long)c->reception.name,
             (unsigned long long)c->reception.key, (unsigned long long)c->reception.network);
    return RH_OK;
}

/* One turn; false when nobody is left. */
static bool
turn(rh_collection *c, uint64_t *events)
{
    bool ended = c->program_ended, busy = false;
    rh_channels_keep_on_offer(c);
    rh_channels_serve_reception(c);
    rh_recorded_open_attached(c);
    for (unsigned i = 0; i < c->count; i++)
        rh_recorded_serve(c, c->sources[i], events);
    for (unsigned i = 0; i < c->count; i++)
        busy |= !c->sources[i]->done && !c->sources[i]->offered;
    if (c->options->process && (c->told_to_leave || c->sources[0]->done))
        ended = true; /* it is not waited for */
    return busy || !ended || (c->options->children && c->descendants && !c->told_to_stop);
}

static void
set_paused(rh_collection *c, bool paused)
{
    uint64_t events = 0;
    if (c->paused == paused)
        return;
    turn(c, &events); /* what was done before is on this side of it */
    for (unsigned i = 0; i < c->count; i++)
        rh_recorded_take_all(c, c->sources[i]);
    c->paused = paused;
    for (unsigned i = 0; i < c->count; i++) {
        rh_recorded_program *s = c->sources[i];
        rh_error error = {0};
        if (!rh_recorded_is_open(s))
            continue;
        rh_status status = rh_recorded_use_intake(c, s, &error);
        if (status == RH_OK)
            status =
                paused ? rh_intake_pause(s->intake, &error) : rh_intake_resume(s->intake, &error);
        if (status != RH_OK)
            rh_recorded_give_up(c, s, &error);
    }
    rh_collection_tell(c, paused ? "paused" : "recording");
}

/* Counts the time that is recorded, from the first process on; the next turn is the last when it is
 * up. */
static void
look_at_clock(rh_collection *c)
{
    uint64_t now = rh_host_now_ns(), before = c->looked_ns;
    bool open = false;
    for (unsigned i = 0; i < c->count; i++)
        open |= rh_recorded_is_open(c->sources[i]);
    c->looked_ns = now;
    if (!open || c->paused || before == 0 || c->options->duration_ns == 0 || c->time_is_up)
        return;
    c->recorded_ns += now - before;
    c->time_is_up = c->recorded_ns >= c->options->duration_ns;
}

static void
collect(rh_collection *c)
{
    uint64_t idle_turns = 0;
    for (;;) {
        uint64_t events = 0;
        rh_target_look_after(c);
        if (!turn(c, &events))
            return;
        look_at_clock(c);
        rh_record_wish wish = rh_record_signals_wish();
        if (wish != RH_WISH_NONE)
            set_paused(c, wish == RH_WISH_PAUSE);
        idle_turns = events ? 0 : idle_turns + 1;
        if (events >= BUSY_EVENTS)
            continue;
        struct timespec span = {.tv_nsec = idle_turns > IDLE_TURNS ? IDLE_TURN_NS : TURN_NS};
        nanosleep(&span, NULL);
    }
}

static void
report(const rh_collection *c, rh_recordings *recordings)
{
    const rh_session *session = c->session.memory;
    recordings->left_out = atomic_load(&session->left_out) != 0;
    recordings->exit_status = c->program > 0 && c->program_ended ? c->exit_status : -1;
    recordings->program_ns = c->program_ns;
    recordings->finds = c->finds;
    recordings->list = calloc(c->count ? c->count : 1, sizeof *recordings->list);
    for (unsigned i = 0; i < c->count && recordings->list; i++) {
        if (c->sources[i]->recording.path[0])
            recordings->list[recordings->count++] = c->sources[i]->recording;
    }
    struct timespec used;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    recordings->drain_ns = (uint64_t)used.tv_sec * 1000000000u + (uint64_t)used.tv_nsec;
}

static void
release(rh_collection *c)
{
    for (unsigned i = 0; i < c->count; i++) {
        if (!c->sources[i]->done)
            rh_recorded_retire(c->sources[i]);
        free(c->sources[i]);
    }
    free(c->sources);
    rh_entry_release(&c->entry);
    if (c->process >= 0)
        close(c->process);
    rh_session_close(&c->session);
    rh_reception_close(&c->reception);
    rh_place_release(&c->place);
}

static rh_capture
wanted_capture(const rh_recording_options *options)
{
    if (options->malloc)
        return options->python ? RH_CAPTURE_BOTH : RH_CAPTURE_MALLOC;
    return options->python ? RH_CAPTURE_PYTHON : RH_CAPTURE_AUTO;
}

static rh_status
open_session(rh_collection *c, rh_error *error)
{
    static const rh_timing timing[] = {[RH_TIMES_NONE] = RH_TIMING_NONE,
                                       [RH_TIMES_COARSE] = RH_TIMING_COARSE,
                                       [RH_TIMES_EXACT] = RH_TIMING_EXACT};
    rh_status status = rh_session_open(&c->session, error);
    if (status != RH_OK)
        return status;
    rh_reception_open(&c->reception);
    rh_session *session = c->session.memory;
    session->children = c->options->children;
    session->timing = timing[c->options->timestamps];
    session->capture = wanted_capture(c->options);
    return name_session(c, error);
}

rh_status
rh_collector_run(const rh_recording_options *options, rh_recordings *recordings, rh_error *error)
{
    rh_collection c = {.options = options,
                       .entry.copy = -1,
                       .process = -1,
                       .session.descriptor = -1,
                       .place.held = -1,
                       .reception.socket = -1};
    *recordings = (rh_recordings){.exit_status = -1};
    rh_record_signals before;
    rh_status status = rh_target_check(&c, error);
    if (status != RH_OK)
        return status;
    rh_record_signals_watch(&before);
    rh_launch_raise_file_limit(&c.file_limit);
    if (options->children)
        prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    status = rh_place_name(&c.place, options->output, error);
    if (status == RH_OK)
        status = rh_place_hold(&c.place, error);
    if (status == RH_OK)
        status = open_session(&c, error);
    if (status == RH_OK && (status = rh_channels_keep_on_offer(&c)) != RH_OK && error)
        *error = c.error;
    c.paused = options->paused;
    if (status == RH_OK)
        status = options->process ? rh_target_visit(&c, error)
                                  : rh_launch(c.session.memory, options->command, &before,
                                              &c.file_limit, &c.program, error);
    if (status == RH_OK) {
        if (c.paused)
            rh_collection_tell(&c, "paused; `kill -USR1 %d` begins recording, -USR2 pauses it",
                               (int)getpid());
        collect(&c);
        rh_names_give_found(&c);
        report(&c, recordings);
        status = c.error.status;
        if (status == RH_OK && recordings->count == 0)
            status = rh_target_fail_unrecorded(&c);
        if (error)
            *error = c.error;
    }
    release(&c);
    rh_record_signals_unwatch(&before, false);
    setrlimit(RLIMIT_NOFILE, &c.file_limit);
    return status;
}
