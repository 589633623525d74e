/* reheap record: runs a program and records what it asks of its allocator. */
#define _GNU_SOURCE
#include <argp.h>
#include <inttypes.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/command.h"
#include "base/error.h"
#include "base/host.h"
#include "base/size.h"
#include "traces/collector.h"
#include "traces/commands.h"
#include "traces/session.h"

enum {
    KEY_PYTHON = 256,
    KEY_MALLOC,
    KEY_AUTO,
    KEY_TIMESTAMPS,
    KEY_ADDRESSES,
    KEY_CHILDREN,
    KEY_PASS,
    KEY_MAX_EVENTS,
    KEY_MAX_BYTES,
    KEY_DURATION,
    KEY_PAUSED,
    KEY_PID
};

/* With fewer the collector's time is that of beginning and ending, and says nothing of one event.
 */
enum { EVENTS_THAT_TELL = 100000 };

typedef struct arguments {
    const char *output;
    char **command;
    rh_timestamps timestamps;
    bool python, malloc, automatic, addresses, children, pass_status, paused;
    rh_intake_limits limits;
    uint64_t duration_ns;
    uint64_t process;
} arguments;

static const struct argp_option argument_list[] = {
    {"output", 'o', "FILE", 0,
     "write the recording to FILE (default: the program's name and .rht, numbered where there is "
     "one)",
     0},
    {"python", KEY_PYTHON, NULL, 0, "record CPython's three allocator domains and its arenas", 0},
    {"malloc", KEY_MALLOC, NULL, 0,
     "record the C library's functions: malloc and the others; with --python, both in one file", 0},
    {"auto", KEY_AUTO, NULL, 0,
     "choose by the program: --python where it is a CPython, or a shell or the like that starts "
     "one; "
     "else --malloc (the default)",
     0},
    {"timestamps", KEY_TIMESTAMPS, "none|coarse|exact", 0,
     "keep the time of each event: not at all (the default), to 1 µs, or as the processor tells it",
     0},
    {"addresses", KEY_ADDRESSES, NULL, 0, "keep the address of each block", 0},
    {"children", KEY_CHILDREN, NULL, 0,
     "record processes that the program starts too, each into FILE.PID", 0},
    {"max-events", KEY_MAX_EVENTS, "N", 0, "end the recording of a process after N events", 0},
    {"max-bytes", KEY_MAX_BYTES, "SIZE", 0,
     "end it before its file gets larger than SIZE: 100M, 2G", 0},
    {"duration", KEY_DURATION, "TIME", 0,
     "end the recording when TIME has been recorded: 500ms, 30s, 10m; pauses do not count", 0},
    {"paused", KEY_PAUSED, NULL, 0,
     "record nothing until this process gets SIGUSR1; SIGUSR2 pauses it again", 0},
    {"pid", KEY_PID, "PID", 0,
     "record a process that runs already, where the system permits, until it ends, Ctrl-C or a "
     "limit; it goes on",
     0},
    {"pass-status", KEY_PASS, NULL, 0, "end with the program's own exit status", 0},
    {0},
};

static const char documentation[] =
    "Runs PROGRAM and records every allocation it makes, without changing what it does.\v"
    "The program is followed through exec: scripts that start an interpreter are fine. The command "
    "ends with status 0 when the recording is complete, whatever became of the program; its status "
    "is printed and kept in the file.\n\n"
    "At a limit the recording ends, complete, and the program goes on unrecorded; the command "
    "waits "
    "for it. The signals SIGUSR2 and SIGUSR1 to this process pause the recording and go on with "
    "it: "
    "blocks born meanwhile that still live are then born in the file.\n\n"
    "Example:\n"
    "  reheap record -o build.rht -- python3 -m compileall -q -f .\n"
    "  reheap record -o log.rht -- git log --stat\n"
    "  reheap record --python --malloc -o both.rht -- python3 train.py\n"
    "  reheap record --malloc --paused --duration 30s -o busy.rht -- ./server";

static error_t
parse_timestamps(const char *text, struct argp_state *state)
{
    static const char *const names[] = {"none", "coarse", "exact"};
    arguments *given = state->input;
    for (unsigned i = 0; i < 3; i++) {
        if (strcmp(text, names[i]) == 0) {
            given->timestamps = (rh_timestamps)i;
            return 0;
        }
    }
    argp_error(state, "--timestamps=%s: it is one of none, coarse and exact", text);
    return EINVAL;
}

static error_t
parse_limit(int key, const char *text, struct argp_state *state)
{
    arguments *given = state->input;
    rh_intake_limits *limits = &given->limits;
    if (key == KEY_MAX_EVENTS && (!rh_count_parse(text, &limits->events) || limits->events == 0))
        argp_error(state, "--max-events=%s: give a number of events, from 1 on", text);
    if (key == KEY_MAX_BYTES &&
        (!rh_size_parse(text, &limits->bytes) || limits->bytes < RH_INTAKE_MIN_BYTES))
        argp_error(state, "--max-bytes=%s: give a size, such as 100M; the smallest is 64K", text);
    if (key == KEY_DURATION &&
        (!rh_time_parse(text, &given->duration_ns) || given->duration_ns == 0))
        argp_error(state, "--duration=%s: give a time, such as 500ms, 30s or 10m", text);
    return 0;
}

/* What does not go together with a process that runs already. */
static void
check_visit(const arguments *given, const struct argp_state *state)
{
    if (given->command)
        argp_error(state, "either a program or --pid, not both");
    if (given->children)
        argp_error(state, "--pid records one process, and not its children");
    if (given->python && given->malloc)
        argp_error(state, "--pid records --python or --malloc, not both at once");
    if (given->pass_status)
        argp_error(state, "--pass-status: the status of a process that reheap did not start cannot "
                          "be had");
}

static error_t
parse_option(int key, char *text, struct argp_state *state)
{
    arguments *given = state->input;
    switch (key) {
    case 'o':
        if (!*text)
            argp_error(state, "the name of the file to write (-o) is empty");
        given->output = text;
        return 0;
    case KEY_PYTHON:
        given->python = true;
        return 0;
    case KEY_AUTO:
        given->automatic = true;
        return 0;
    case KEY_MALLOC:
        given->malloc = true;
        return 0;
    case KEY_TIMESTAMPS:
        return parse_timestamps(text, state);
    case KEY_ADDRESSES:
        given->addresses = true;
        return 0;
    case KEY_CHILDREN:
        given->children = true;
        return 0;
    case KEY_PASS:
        given->pass_status = true;
        return 0;
    case KEY_PID:
        if (!rh_count_parse(text, &given->process) || given->process == 0 ||
            given->process > INT32_MAX)
            argp_error(state, "--pid=%s: give the number of a process", text);
        return 0;
    case KEY_PAUSED:
        given->paused = true;
        return 0;
    case KEY_MAX_EVENTS:
    case KEY_MAX_BYTES:
    case KEY_DURATION:
        return parse_limit(key, text, state);
    case ARGP_KEY_ARGS:
        given->command = state->argv + state->next;
        state->next = state->argc;
        return 0;
    case ARGP_KEY_END:
        if (given->automatic && (given->python || given->malloc))
            argp_error(state, "--auto chooses between --python and --malloc; give it alone");
        if (!given->command && !given->process)
            argp_error(state, "no program is given; it stands behind `--`");
        if (given->process)
            check_visit(given, state);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static void
tell(const char *text)
{
    fprintf(stderr, "reheap record: %s\n", text);
}

static void
print_recording(const rh_recording *recording, bool one_of_several)
{
    char events[RH_SIZE_TEXT], bytes[RH_SIZE_TEXT];
    fprintf(stderr, "reheap record: %s: %s%s%s %s, %s", recording->path,
            one_of_several ? recording->program : "", one_of_several ? ", " : "",
            rh_count_grouped(recording->events, events, sizeof events),
            recording->events == 1 ? "event" : "events",
            rh_size_human(recording->file_bytes, bytes, sizeof bytes));
    if (recording->events)
        fprintf(stderr, ", %.3f bytes an event",
                (double)recording->file_bytes / (double)recording->events);
    fprintf(stderr, ", %" PRIu64 " dropped\n", recording->dropped);
}

/* What recording cost beside the program. */
static void
print_cost(const rh_recordings *recordings)
{
    uint64_t events = 0;
    for (unsigned i = 0; i < recordings->count; i++)
        events += recordings->list[i].events;
    if (!events)
        return;
    fprintf(stderr, "reheap record: collecting took %.2f s of another processor",
            (double)recordings->drain_ns / 1e9);
    if (events >= EVENTS_THAT_TELL)
        fprintf(stderr, ", %.1f ns an event", (double)recordings->drain_ns / (double)events);
    if (recordings->program_ns)
        fprintf(stderr, "; the program itself, %.3f s", (double)recordings->program_ns / 1e9);
    fputc('\n', stderr);
}

static void
print_status(const char *program, int status)
{
    if (WIFSIGNALED(status))
        fprintf(stderr, "reheap record: %s was ended by signal %d (%s)\n", program,
                WTERMSIG(status), strsignal(WTERMSIG(status)));
    else
        fprintf(stderr, "reheap record: %s ended with status %d\n", program, WEXITSTATUS(status));
}

static int
passed_status(int status)
{
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* PROGRAM.rht, or, where that is taken, PROGRAM.2.rht and so on: nobody asked to replace it. */
static void
choose_name(const char *program, char *name, size_t room)
{
    char copy[4096], part[sizeof copy + 256];
    snprintf(copy, sizeof copy, "%s", program);
    const char *base = basename(copy);
    snprintf(name, room, "%s.rht", base);
    for (unsigned number = 2;; number++) {
        snprintf(part, sizeof part, "%s.partial", name);
        if (access(name, F_OK) != 0 && access(part, F_OK) != 0)
            return;
        snprintf(name, room, "%s.%u.rht", base, number);
    }
}

static void
name_program(const arguments *given, char *name, size_t room)
{
    char link[64];
    snprintf(name, room, "%s", given->process ? "process" : given->command[0]);
    snprintf(link, sizeof link, "/proc/%d/exe", (int)given->process);
    ssize_t length = given->process ? readlink(link, name, room - 1) : 0;
    if (length > 0)
        name[length] = '\0';
}

/* A program that is known beforehand does without functions that only pass on. */
static void
choose_capture(arguments *given)
{
    char file[64];
    snprintf(file, sizeof file, "/proc/%d/exe", (int)given->process);
    if (given->process && !given->python && !given->malloc)
        given->malloc = !rh_program_is_python(file);
    if (!given->malloc && (given->process || rh_program_is_python(given->command[0])))
        given->python = true;
}

static int
run_record(int argc, char **argv)
{
    const struct argp parser = {
        argument_list, parse_option, "[--] PROGRAM [ARGUMENT...]\n--pid PID", documentation, NULL,
        NULL,          NULL};
    arguments given = {0};
    argp_err_exit_status = RH_USAGE;
    if (argp_parse(&parser, argc, argv, ARGP_IN_ORDER, NULL, &given) != 0)
        return RH_USAGE;
    char library[4200], standard[4200], program[4096];
    rh_error error = {0};
    rh_recordings recordings = {.exit_status = -1};
    if (!given.output) {
        name_program(&given, program, sizeof program);
        choose_name(program, standard, sizeof standard);
        given.output = standard;
    }
    choose_capture(&given);
    bool python_alone = given.python && !given.malloc;
    rh_status status = rh_host_companion(
        "traces", python_alone ? "libreheap_record.so" : "libreheap_record_malloc.so", library,
        sizeof library, &error);
    if (status == RH_OK) {
        rh_recording_options options = {.output = given.output,
                                        .library = library,
                                        .command = given.command,
                                        .timestamps = given.timestamps,
                                        .python = given.python,
                                        .malloc = given.malloc,
                                        .addresses = given.addresses,
                                        .children = given.children,
                                        .limits = given.limits,
                                        .duration_ns = given.duration_ns,
                                        .paused = given.paused,
                                        .process = (int)given.process,
                                        .tell = tell};
        status = rh_collector_run(&options, &recordings, &error);
    }
    if (status != RH_OK)
        fprintf(stderr, "reheap record: %s\n", error.message);
    for (unsigned i = 0; i < recordings.count; i++)
        print_recording(&recordings.list[i], recordings.count > 1);
    if (recordings.finds > 1)
        fprintf(stderr,
                "reheap record: the largest of %u Python programs that %s started; --children "
                "records them all\n",
                recordings.finds, given.command[0]);
    print_cost(&recordings);
    if (recordings.exit_status >= 0)
        print_status(given.command[0], recordings.exit_status);
    if (recordings.left_out && recordings.count)
        fprintf(stderr, "reheap record: it started other processes, which are not recorded; "
                        "--children records them too\n");
    free(recordings.list);
    if (given.pass_status && recordings.exit_status >= 0)
        return passed_status(recordings.exit_status);
    return (int)status;
}

const rh_command rh_cmd_record = {"record", "run a program and record its allocations", run_record};
