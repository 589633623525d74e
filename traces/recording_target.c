#define _GNU_SOURCE
#include "traces/recording_target.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/host.h"
#include "traces/enter.h"
#include "traces/offered_channels.h"
#include "traces/record_signals.h"
#include "traces/session.h"

enum {
    PATIENCE_NS = 300000000 /* until an interpreter that was asked for something is asked again */
};

bool
rh_target_process_ended(const rh_collection *c, const rh_recorded_program *s)
{
    if (c->told_to_stop)
        return true;
    if (s->channel->process_id == c->program)
        return c->program_ended;
    if (s->process < 0)
        return kill(s->channel->process_id, 0) != 0 && errno == ESRCH;
    /* Of a process that is no child of ours, this tells only that it is there; so the signal. */
    return syscall(SYS_pidfd_send_signal, s->process, 0, NULL, 0) != 0 && errno == ESRCH;
}

static uint64_t
microseconds(struct timeval time)
{
    return (uint64_t)time.tv_sec * 1000000u + (uint64_t)time.tv_usec;
}

/* One that is no child of ours is ours to leave, not to end. */
static void
look_after_visited(rh_collection *c)
{
    struct pollfd end = {c->process, POLLIN, 0};
    c->program_ended |= poll(&end, 1, 0) > 0;
    c->told_to_leave |= rh_record_signals_end(true) != 0;
    rh_recorded_program *s = c->sources[0];
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
reap(rh_collection *c)
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

void
rh_target_look_after(rh_collection *c)
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

rh_status
rh_target_fail_unrecorded(rh_collection *c)
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

rh_status
rh_target_visit(rh_collection *c, rh_error *error)
{
    const rh_meanwhile meanwhile = {rh_channels_serve_reception, c};
    rh_session *session = c->session.memory;
    session->root = c->program = c->options->process;
    c->process = (int)syscall(SYS_pidfd_open, c->program, 0);
    if (c->process < 0)
        return rh_fail_errno(error, RH_CANNOT_RUN, errno, "%s: cannot attach", c->subject);
    c->asked_ns = rh_host_now_ns();
    c->exit_status = -1; /* that is for its parent to know */
    return rh_enter(&c->entry, c->program, c->options->library, session->place, meanwhile, error);
}

rh_status
rh_target_check(rh_collection *c, rh_error *error)
{
    const rh_recording_options *options = c->options;
    if (options->process) {
        snprintf(c->subject, sizeof c->subject, "process %d", options->process);
        return rh_enter_check(options->process, options->library, error);
    }
    snprintf(c->subject, sizeof c->subject, "%s", options->command[0]);
    return rh_program_check(options->command[0], error);
}
