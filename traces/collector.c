/* Recording: one process, one loop. Each turn puts new channels on offer, opens files for processes
 * that attached, drains every channel, and looks who has ended. Between turns it sleeps for as long
 * as the rings can take: the fewer the turns, the less the two sides pull at the same cache lines.
 */
#define _GNU_SOURCE
#include "traces/collector.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/host.h"
#include "base/size.h"
#include "traces/drain.h"
#include "traces/enter.h"
#include "traces/intake.h"
#include "traces/launch.h"
#include "traces/place.h"
#include "traces/reception.h"
#include "traces/record_signals.h"
#include "traces/recorded_facts.h"
#include "traces/session.h"
#include "traces/writer.h"

enum {
    OFFERED_WITH_CHILDREN = 8,
    TURN_NS = 1000000,
    IDLE_TURN_NS = 4000000,
    IDLE_TURNS = 50,         /* without an event, until turns become long */
    BUSY_EVENTS = 1 << 18,   /* after so many in a turn the next follows at once */
    PATIENCE_NS = 300000000, /* until an interpreter that was asked for something is asked again */
    FLUSH_NS = 1000000000    /* how old the last events in the file may be while nothing happens */
};

typedef struct source {
    rh_shared shared;
    rh_channel *channel;
    int process;  /* a pidfd of it; -1: the program itself, or none to be had */
    bool offered; /* nobody has taken it yet */
    bool ended, done;
    rh_writer *writer;
    rh_drain *drain;
    rh_intake *intake; /* NULL: all goes straight into the file */
    rh_recording recording;
    rh_place *place; /* while it is written */
    bool replaced;   /* its process has become another program */
    bool ended_early;
    bool starter; /* a shell or its like, recorded for want of anything better */
    uint64_t flushed_events, flushed_ns;
} source;

typedef struct collector {
    const rh_recording_options *options;
    char subject[256]; /* what is recorded, for messages */
    rh_entry entry;    /* into a process that ran before */
    int process;       /* a pidfd of it */
    uint64_t asked_ns; /* when its interpreter was asked to take the hooks in */
    rh_shared session;
    rh_reception reception;
    struct rlimit file_limit; /* of this process before, and of the program */
    rh_place place;           /* of the program's own recording, held to the end */
    source **sources;
    unsigned count;
    pid_t program;
    int exit_status;
    source *found; /* the largest interpreter that a starter has started */
    unsigned finds;
    uint64_t program_ns; /* the processor time it used */
    bool program_ended;
    bool paused, time_is_up;
    uint64_t recorded_ns, looked_ns; /* pauses not counted; when they were */
    bool told_to_leave;              /* by a signal: a process that ran before */
    bool descendants;                /* processes that the program has left behind are there */
    bool told_to_stop;               /* by a signal, when only children were left to wait for */
    rh_error error;                  /* the first */
} collector;

/* One line for the user, at once. */
static void __attribute__((format(printf, 2, 3))) tell(const collector *c, const char *format, ...)
{
    char text[5000];
    va_list values;
    va_start(values, format);
    vsnprintf(text, sizeof text, format, values);
    va_end(values);
    if (c->options->tell)
        c->options->tell(text);
}

static rh_status
keep_error(collector *c, const rh_error *error)
{
    if (c->error.status == RH_OK)
        c->error = *error;
    return error->status;
}

static rh_status
offer_channel(collector *c)
{
    rh_error error = {0};
    source *s = calloc(1, sizeof *s);
    source **sources = realloc(c->sources, (c->count + 1) * sizeof *sources);
    if (sources)
        c->sources = sources;
    if (!s || !sources) {
        free(s);
        rh_fail(&error, RH_SYSTEM, "out of memory");
        return keep_error(c, &error);
    }
    if (rh_channel_open(&s->shared, &error) != RH_OK) {
        free(s);
        return keep_error(c, &error);
    }
    s->channel = s->shared.memory;
    s->process = -1;
    s->offered = true;
    c->sources[c->count++] = s;
    rh_session *session = c->session.memory;
    for (unsigned i = 0; i < RH_SESSION_CHANNELS; i++) {
        if (atomic_load(&session->channels[i]) < 0) {
            atomic_store(&session->channels[i], s->shared.descriptor);
            break;
        }
    }
    return RH_OK;
}

static rh_status
keep_channels_on_offer(collector *c)
{
    unsigned wanted = c->options->children ? OFFERED_WITH_CHILDREN : 1, offered = 0;
    for (unsigned i = 0; i < c->count; i++)
        offered += c->sources[i]->offered;
    rh_session *session = c->session.memory;
    rh_status status = RH_OK;
    for (; offered < wanted && status == RH_OK; offered++)
        status = offer_channel(c);
    /* Whoever finds none then does not wait for one. */
    atomic_store(&session->exhausted, status != RH_OK);
    return status;
}

/* What the loader and the library look for. A path with a blank or a colon would be two in
 * LD_PRELOAD, so a descriptor of this process stands for it. */
static rh_status
name_session(const collector *c, rh_error *error)
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

/* The program's own recording gets the name that was asked for, every other one its process's. A
 * number behind that makes it another than those there are already. */
static void
choose_path(const collector *c, const source *s, char *path, size_t room)
{
    bool own = s->channel->process_id == c->program;
    if (own)
        snprintf(path, room, "%s", c->options->output);
    else
        snprintf(path, room, "%s.%d", c->options->output, s->channel->process_id);
    for (unsigned again = 2, i = 0; i < c->count; i++) {
        if (!own && c->sources[i] != s && strcmp(c->sources[i]->recording.path, path) == 0) {
            snprintf(path, room, "%s.%d.%u", c->options->output, s->channel->process_id, again++);
            i = 0;
        }
    }
}

/* Lets go of what a source held; what it recorded stays told. */
static void
retire(source *s)
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
tell_of_part(collector *c, const source *s)
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
stop_recording(source *s)
{
    atomic_store(&s->channel->abandoned, RH_ALL_RECORDED);
    atomic_fetch_add(&s->channel->turn, 1);
}

static void
leave_process(source *s)
{
    stop_recording(s);
    retire(s);
}

/* Nothing more is taken from the process; it goes on by itself. */
static void
give_up(collector *c, source *s, const rh_error *error)
{
    keep_error(c, error);
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
    retire(s);
}

/* Programs that this one's process has been before. */
static unsigned
images_before(const collector *c, const source *s)
{
    unsigned number = 0;
    for (unsigned i = 0; i < c->count; i++)
        number += c->sources[i] != s && c->sources[i]->replaced &&
                  c->sources[i]->recording.path[0] &&
                  c->sources[i]->recording.process_id == s->recording.process_id;
    return number;
}

static rh_status
open_writer(const collector *c, source *s, rh_error *error)
{
    const char *program = s->channel->facts.program, *name = strrchr(program, '/');
    snprintf(s->recording.program, sizeof s->recording.program, "%.*s",
             (int)sizeof s->recording.program - 1, name ? name + 1 : program);
    choose_path(c, s, s->recording.path, sizeof s->recording.path);
    s->place = malloc(sizeof *s->place);
    if (!s->place)
        return rh_fail(error, RH_SYSTEM, "out of memory");
    rh_status status = rh_place_name(s->place, s->recording.path, error);
    if (status == RH_OK && rh_place_is_pipe(s->place) && images_before(c, s) > 0)
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

/* From here on what goes into the file is a question. */
static rh_status
use_intake(const collector *c, source *s, rh_error *error)
{
    if (!s->intake)
        s->intake = rh_intake_new(s->writer, rh_drain_events(s->drain), &c->options->limits);
    if (!s->intake)
        return rh_fail(error, RH_SYSTEM, "out of memory");
    rh_drain_set_intake(s->drain, s->intake);
    return RH_OK;
}

static void
open_source(collector *c, source *s)
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
        status = use_intake(c, s, &error);
    if (status == RH_OK && c->paused)
        status = rh_intake_pause(s->intake, &error);
    if (status != RH_OK)
        give_up(c, s, &error);
}

static bool
process_ended(const collector *c, const source *s)
{
    if (c->told_to_stop)
        return true;
    if (s->channel->process_id == c->program)
        return c->program_ended;
    if (s->process < 0)
        return kill(s->channel->process_id, 0) != 0 && errno == ESRCH;
    siginfo_t information;
    /* Of a process that is no child of ours, this tells only that it is there; so the signal. */
    (void)information;
    return syscall(SYS_pidfd_send_signal, s->process, 0, NULL, 0) != 0 && errno == ESRCH;
}

/* Why the recording ends before the process does; "" when it does not. */
static const char *
early_end(const collector *c, const source *s, char *text, size_t room)
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

/* `ended`: with the process. */
static void
drop_recording(source *s)
{
    if (s->recording.path[0])
        unlink(s->recording.path);
    s->recording.path[0] = '\0';
}

/* Of the interpreters that a shell has started, one is what the recording is for: not the one that
 * was asked for its version. */
static void
keep_larger(collector *c, source *s)
{
    c->finds++;
    bool larger = !c->found || s->recording.events > c->found->recording.events;
    if (larger && c->found)
        drop_recording(c->found);
    else if (!larger)
        drop_recording(s);
    if (larger)
        c->found = s;
}

/* At the end: what a shell has started has the name that was asked for, and not the shell. */
static void
name_found(collector *c)
{
    rh_error error = {0};
    source *last = NULL;
    for (unsigned i = 0; i < c->count; i++) {
        source *s = c->sources[i];
        if (s->recording.path[0] && s->recording.process_id == c->program)
            last = s;
    }
    if (!c->found || !c->found->recording.path[0] || rh_place_is_pipe(&c->place))
        return;
    if (last && !last->starter) {
        drop_recording(c->found); /* what a shell did before it became the program */
        c->finds = 0;
        return;
    }
    if (rename(c->found->recording.path, c->place.path) != 0) {
        rh_fail_errno(&error, RH_SYSTEM, errno, "%s: cannot give it the name %s",
                      c->found->recording.path, c->place.path);
        keep_error(c, &error);
        return;
    }
    if (last)
        last->recording.path[0] = '\0';
    snprintf(c->found->recording.path, sizeof c->found->recording.path, "%s", c->place.path);
}

static void
finish_source(collector *c, source *s, bool ended)
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
                 images_before(c, s) + 1);
    if (written == RH_OK)
        written = rh_place_complete(s->place, s->replaced ? s->recording.path : NULL, &error);
    if (written != RH_OK) {
        keep_error(c, &error);
        tell_of_part(c, s);
        s->recording.path[0] = '\0';
    }
    if (stat(s->recording.path, &status) == 0)
        s->recording.file_bytes = (uint64_t)status.st_size;
    if (s->intake && rh_intake_paused(s->intake) && s->recording.events == 0)
        tell(c, "%s: nothing was recorded: SIGUSR1 never came", s->recording.path);
    if (s->ended_early && !ended && written == RH_OK)
        tell(c, "%s: ended %s; process %d goes on unrecorded", s->recording.path, early,
             s->recording.process_id);
    leave_process(s);
    retire(s);
    if (c->options->python || c->options->malloc || c->options->children)
        return;
    if (s->starter && s->replaced)
        drop_recording(s);
    else if (s->recording.process_id != c->program)
        keep_larger(c, s);
}

/* While nothing happens, what has happened belongs into the file. */
static void
flush_when_idle(source *s, uint64_t new_events, uint64_t now, rh_error *error)
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
drain_source(collector *c, source *s, uint64_t *events)
{
    rh_error error = {0};
    bool ended = process_ended(c, s); /* asked first: what it did before is then there */
    bool last = ended || c->told_to_leave || c->time_is_up;
    uint64_t taken = 0;
    /* A process that goes on might fill its rings as fast as they are read. */
    if (last)
        stop_recording(s);
    if (rh_drain_run(s->drain, last, &taken, &error) == RH_OK)
        flush_when_idle(s, taken, rh_host_now_ns(), &error);
    *events += taken;
    if (error.status != RH_OK)
        give_up(c, s, &error);
    else if (last || (s->intake && rh_intake_ended(s->intake) != RH_INTAKE_OPEN))
        finish_source(c, s, ended);
}

/* The programs that this one's process was before have come to their ends. */
static void
end_earlier_images(collector *c, const source *s)
{
    for (unsigned i = 0; i < c->count; i++) {
        source *earlier = c->sources[i];
        if (earlier == s || earlier->done || earlier->offered ||
            earlier->channel->process_id != s->channel->process_id)
            continue;
        rh_error error = {0};
        uint64_t taken = 0;
        earlier->replaced = true;
        if (!earlier->drain)
            retire(earlier);
        else if (rh_drain_run(earlier->drain, true, &taken, &error) == RH_OK)
            finish_source(c, earlier, true);
        else
            give_up(c, earlier, &error);
    }
}

/* The one that attached first of those that have not been opened: of a process that has become
 * another program meanwhile, both may be there. */
static source *
next_attached(const collector *c)
{
    source *first = NULL;
    for (unsigned i = 0; i < c->count; i++) {
        source *s = c->sources[i];
        if (!s->done && !s->drain && atomic_load(&s->channel->state) == RH_CHANNEL_ATTACHED &&
            (!first || s->channel->started_ticks < first->channel->started_ticks))
            first = s;
    }
    return first;
}

/* The time is up, or the process has reached a limit as another program. */
static bool
recorded_enough(const collector *c, const source *s)
{
    bool enough = c->time_is_up;
    for (unsigned i = 0; i < c->count; i++)
        enough |= c->sources[i]->ended_early &&
                  c->sources[i]->recording.process_id == s->channel->process_id;
    return enough;
}

static void
open_attached(collector *c)
{
    /* Once one is seen, those that attached before it are seen by the second look. */
    while (next_attached(c)) {
        source *s = next_attached(c);
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
refuse_source(collector *c, source *s)
{
    rh_error error = {0};
    s->offered = false;
    rh_fail(&error, RH_CANNOT_RUN, "%s: it cannot be recorded: %.*s", c->subject,
            (int)sizeof s->channel->reason - 1, s->channel->reason);
    give_up(c, s, &error);
}

static void
serve_source(collector *c, source *s, uint64_t *events)
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
        if (process_ended(c, s) && atomic_load(&s->channel->state) == RH_CHANNEL_TAKEN)
            retire(s); /* before it said anything */
    } else if (s->drain) {
        drain_source(c, s, events);
    }
}

static uint64_t
microseconds(struct timeval time)
{
    return (uint64_t)time.tv_sec * 1000000u + (uint64_t)time.tv_usec;
}

/* One that is no child of ours is ours to leave, not to end. */
static void
look_after_visited(collector *c)
{
    struct pollfd end = {c->process, POLLIN, 0};
    c->program_ended |= poll(&end, 1, 0) > 0;
    c->told_to_leave |= rh_record_signals_end(true) != 0;
    source *s = c->sources[0];
    if (c->program_ended || s->done || !s->offered)
        return;
    uint64_t now = rh_host_now_ns();
    if (!c->options->malloc && now - c->asked_ns > PATIENCE_NS) {
        rh_enter_now(&c->entry);
        c->asked_ns = rh_host_now_ns();
    }
}

/* With children, this process is the reaper of those whose parents have ended: then it knows of one
 * that has not said a word yet. */
static void
reap(collector *c)
{
    int status;
    struct rusage used;
    pid_t ended;
    while ((ended = wait4(-1, &status, WNOHANG, &used)) > 0) {
        if (ended != c->program)
            continue;
        c->program_ended = true;
        c->exit_status = status;
        c->program_ns = 1000 * (microseconds(used.ru_utime) + microseconds(used.ru_stime));
        rh_record_signals_end(true); /* a Ctrl-C that has ended it is not meant for its children */
    }
    c->descendants = ended == 0;
}

static void
look_after_program(collector *c)
{
    if (c->options->process) {
        look_after_visited(c);
        return;
    }
    int number = rh_record_signals_end(c->program_ended);
    if (number) {
        if (!c->program_ended)
            kill(c->program, number);
        else
            c->told_to_stop = true;
    }
    reap(c);
}

/* What recorded processes map is all they may have. */
static bool
is_shared(const void *context, int descriptor)
{
    const collector *c = context;
    bool found = descriptor == c->session.descriptor;
    for (unsigned i = 0; i < c->count; i++)
        found |= !c->sources[i]->done && descriptor == c->sources[i]->shared.descriptor;
    return found;
}

/* One turn; false when nobody is left. */
static bool
turn(collector *c, uint64_t *events)
{
    bool ended = c->program_ended, busy = false;
    keep_channels_on_offer(c);
    rh_reception_serve(&c->reception, is_shared, c);
    open_attached(c);
    for (unsigned i = 0; i < c->count; i++)
        serve_source(c, c->sources[i], events);
    for (unsigned i = 0; i < c->count; i++)
        busy |= !c->sources[i]->done && !c->sources[i]->offered;
    if (c->options->process && (c->told_to_leave || c->sources[0]->done))
        ended = true; /* it is not waited for */
    return busy || !ended || (c->options->children && c->descendants && !c->told_to_stop);
}

/* Those that are being recorded. */
static bool
is_open(const source *s)
{
    return !s->done && s->drain;
}

/* What has been done so far is taken. */
static void
take_all(collector *c, source *s)
{
    uint64_t waiting = is_open(s) ? rh_drain_waiting(s->drain) : 0, taken = 0, before;
    do {
        before = taken;
        serve_source(c, s, &taken);
    } while (taken != before && taken < waiting);
}

static void
set_paused(collector *c, bool paused)
{
    uint64_t events = 0;
    if (c->paused == paused)
        return;
    turn(c, &events); /* what was done before is on this side of it */
    for (unsigned i = 0; i < c->count; i++)
        take_all(c, c->sources[i]);
    c->paused = paused;
    for (unsigned i = 0; i < c->count; i++) {
        source *s = c->sources[i];
        rh_error error = {0};
        if (!is_open(s))
            continue;
        rh_status status = use_intake(c, s, &error);
        if (status == RH_OK)
            status =
                paused ? rh_intake_pause(s->intake, &error) : rh_intake_resume(s->intake, &error);
        if (status != RH_OK)
            give_up(c, s, &error);
    }
    tell(c, paused ? "paused" : "recording");
}

/* Counts the time that is recorded, from the first process on; the next turn is the last when it is
 * up. */
static void
look_at_clock(collector *c)
{
    uint64_t now = rh_host_now_ns(), before = c->looked_ns;
    bool open = false;
    for (unsigned i = 0; i < c->count; i++)
        open |= is_open(c->sources[i]);
    c->looked_ns = now;
    if (!open || c->paused || before == 0 || c->options->duration_ns == 0 || c->time_is_up)
        return;
    c->recorded_ns += now - before;
    c->time_is_up = c->recorded_ns >= c->options->duration_ns;
}

static void
collect(collector *c)
{
    uint64_t idle_turns = 0;
    for (;;) {
        uint64_t events = 0;
        look_after_program(c);
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
report(const collector *c, rh_recordings *recordings)
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
release(collector *c)
{
    for (unsigned i = 0; i < c->count; i++) {
        if (!c->sources[i]->done)
            retire(c->sources[i]);
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

/* The program is gone and never offered anything. */
static rh_status
fail_unrecorded(collector *c)
{
    const char *program = c->subject;
    if (c->options->process)
        return rh_fail(&c->error, c->told_to_leave ? RH_INTERRUPTED : RH_CANNOT_RUN,
                       "%s: %s before there was anything to record: there is no file", program,
                       c->told_to_leave ? "interrupted" : "it has ended");
    int signal_number = WIFSIGNALED(c->exit_status) ? WTERMSIG(c->exit_status) : 0;
    if (signal_number == SIGINT || signal_number == SIGTERM)
        return rh_fail(&c->error, RH_INTERRUPTED,
                       "%s: interrupted before there was anything to record: there is no file",
                       program);
    if (!c->options->python)
        return rh_fail(&c->error, RH_CANNOT_RUN,
                       "%s: it has run, but never with the recorder in it: nothing was recorded",
                       program);
    return rh_fail(&c->error, RH_CANNOT_RUN,
                   "%s: it has run, but is not a CPython 3.7 or later, nor became one: nothing was "
                   "recorded; give the interpreter and its script, as in `-- python3 SCRIPT`, or "
                   "--malloc to record any program%s",
                   program,
                   c->options->children ? "" : ", or --children to record what the program starts");
}

static rh_capture
wanted_capture(const rh_recording_options *options)
{
    if (options->malloc)
        return options->python ? RH_CAPTURE_BOTH : RH_CAPTURE_MALLOC;
    return options->python ? RH_CAPTURE_PYTHON : RH_CAPTURE_AUTO;
}

static rh_status
open_session(collector *c, rh_error *error)
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

static void
serve_reception(void *context)
{
    const collector *c = context;
    rh_reception_serve(&c->reception, is_shared, c);
}

static rh_status
visit_process(collector *c, rh_error *error)
{
    const rh_meanwhile meanwhile = {serve_reception, c};
    rh_session *session = c->session.memory;
    session->root = c->program = c->options->process;
    c->process = (int)syscall(SYS_pidfd_open, c->program, 0);
    if (c->process < 0)
        return rh_fail_errno(error, RH_CANNOT_RUN, errno, "%s: cannot attach", c->subject);
    c->asked_ns = rh_host_now_ns();
    c->exit_status = -1; /* that is for its parent to know */
    return rh_enter(&c->entry, c->program, c->options->library, session->place, meanwhile, error);
}

static rh_status
check_subject(collector *c, rh_error *error)
{
    const rh_recording_options *options = c->options;
    if (options->process) {
        snprintf(c->subject, sizeof c->subject, "process %d", options->process);
        return rh_enter_check(options->process, options->library, error);
    }
    snprintf(c->subject, sizeof c->subject, "%s", options->command[0]);
    return rh_program_check(options->command[0], error);
}

rh_status
rh_collector_run(const rh_recording_options *options, rh_recordings *recordings, rh_error *error)
{
    collector c = {.options = options,
                   .entry.copy = -1,
                   .process = -1,
                   .session.descriptor = -1,
                   .place.held = -1,
                   .reception.socket = -1};
    *recordings = (rh_recordings){.exit_status = -1};
    rh_record_signals before;
    rh_status status = check_subject(&c, error);
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
    if (status == RH_OK && (status = keep_channels_on_offer(&c)) != RH_OK && error)
        *error = c.error;
    c.paused = options->paused;
    if (status == RH_OK)
        status = options->process ? visit_process(&c, error)
                                  : rh_launch(c.session.memory, options->command, &before,
                                              &c.file_limit, &c.program, error);
    if (status == RH_OK) {
        if (c.paused)
            tell(&c, "paused; `kill -USR1 %d` begins recording, -USR2 pauses it", (int)getpid());
        collect(&c);
        name_found(&c);
        report(&c, recordings);
        status = c.error.status;
        if (status == RH_OK && recordings->count == 0)
            status = fail_unrecorded(&c);
        if (error)
            *error = c.error;
    }
    release(&c);
    rh_record_signals_unwatch(&before, false);
    setrlimit(RLIMIT_NOFILE, &c.file_limit);
    return status;
}
