/* reheap demo: the whole story on a real Python program.
 *
 * It does nothing that a user could not do: it runs this program's own public commands one after
 * the other, showing each line before it runs, so that any of them can be taken up by hand.
 */
#define _GNU_SOURCE
#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "analysis/commands.h"
#include "analysis/gnuplot.h"
#include "analysis/story.h"
#include "analysis/summary.h"
#include "analysis/tune.h"
#include "base/host.h"
#include "base/output.h"

extern char **environ;

#define PYTHON "/usr/bin/python3"

/* What is recorded: 2to3 on nine large modules, which it writes into a folder of their own. It
 * builds a syntax tree of a file, rewrites it again and again and drops it for the next: growth and
 * release, several times over. */
static const char *const modules[] = {"turtle.py",     "_pydecimal.py", "argparse.py",
                                      "datetime.py",   "doctest.py",    "mailbox.py",
                                      "subprocess.py", "difflib.py",    "ssl.py"};
enum { MODULES = sizeof modules / sizeof modules[0] };
#define LIBRARY "/usr/lib/python3.11"

static const char *const allocators[] = {"pymalloc", "cpython",  "mimalloc",
                                         "malloc",   "jemalloc", "tcmalloc"};
enum { ALLOCATORS = sizeof allocators / sizeof allocators[0], WORDS_MAX = 48 };

typedef struct demo_state {
    const char *directory;
    rh_status worst; /* of steps that may fail in part */
} demo_state;

static const struct argp_option known[] = {
    {"output", 'o', "DIR", 0, "where everything goes (default: reheap-demo)", 0},
    {0},
};

static error_t
parse(int key, char *argument, struct argp_state *state)
{
    demo_state *options = state->input;
    switch (key) {
    case 'o':
        if (!*argument)
            argp_error(state, "-o needs the name of a folder");
        options->directory = argument;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "takes no file; '%s' is one too many", argument);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp parser = {
    known,
    parse,
    "",
    "Records a real Python program (2to3 rewriting nine modules of the standard library), "
    "verifies the recording, replays it under six allocators, tries a grid of arena and pool "
    "sizes, draws the figures, and says what they show. Every step is a command that is printed "
    "before it runs.\v"
    "Takes two minutes where the machine is idle, four where it is not.\n\n"
    "Example:\n"
    "  reheap demo -o /tmp/demo",
    NULL,
    NULL,
    NULL,
};

/* A command line under construction. */
typedef struct command_line {
    char *word[WORDS_MAX + 1];
    size_t count;
} command_line;

static void add(command_line *line, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void
add(command_line *line, const char *format, ...)
{
    if (line->count == WORDS_MAX)
        abort();
    va_list arguments;
    va_start(arguments, format);
    if (vasprintf(&line->word[line->count++], format, arguments) < 0)
        abort();
    va_end(arguments);
    line->word[line->count] = NULL;
}

static void
release(command_line *line)
{
    for (size_t i = 0; i < line->count; i++)
        free(line->word[i]);
    line->count = 0;
}

/* A word as a shell would read it back. */
static void
print_word(const char *word, FILE *out)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./=,:+@%";
    if (*word && strspn(word, plain) == strlen(word)) {
        fputs(word, out);
        return;
    }
    fputc('\'', out);
    for (; *word; word++)
        fputs(*word == '\'' ? "'\\''" : (const char[]){*word, '\0'}, out);
    fputc('\'', out);
}

/* With the name that the user called: the launcher's, where there was one. */
static void
print_line(const command_line *line, FILE *out)
{
    const char *called = getenv("REHEAP_CALLED_AS");
    fputs("$ ", out);
    print_word(called && *called ? called : "reheap", out);
    for (size_t i = 1; i < line->count; i++) {
        fputc(' ', out);
        print_word(line->word[i], out);
    }
    fputc('\n', out);
}

/* Ctrl-C reaches the step as well as us; a signal sent to us alone does not, and is passed on. A
 * second one would end the step before it has tidied up, so it first has time to end by itself. */
static int
await_step(pid_t child)
{
    const struct timespec pause = {.tv_nsec = 5000000};
    const uint64_t patience_ns = 3000000000;
    uint64_t interrupted_ns = 0;
    bool passed_on = false;
    int state = 0;
    pid_t ended;
    while ((ended = waitpid(child, &state, WNOHANG)) != child) {
        if (ended < 0 && errno != EINTR)
            break;
        if (rh_interrupted() && interrupted_ns == 0)
            interrupted_ns = rh_host_now_ns();
        if (interrupted_ns && !passed_on && rh_host_now_ns() - interrupted_ns > patience_ns) {
            kill(child, SIGINT);
            passed_on = true;
        }
        nanosleep(&pause, NULL);
    }
    return state;
}

/* Runs one of this program's commands; its exit code becomes the status. */
static rh_status
run_line(command_line *line, rh_error *error)
{
    fputs("\n", stdout);
    print_line(line, stdout);
    fflush(stdout);
    uint64_t start = rh_host_now_ns();
    pid_t child;
    int state;
    int problem = posix_spawn(&child, "/proc/self/exe", NULL, NULL, line->word, environ);
    if (problem != 0)
        return rh_fail_errno(error, RH_SYSTEM, problem, "cannot run this program again");
    state = await_step(child);
    fprintf(stderr, "(%s: %.1f s)\n", line->word[1], (double)(rh_host_now_ns() - start) / 1e9);
    if (rh_interrupted())
        return rh_fail(error, RH_INTERRUPTED,
                       "interrupted; the steps before this one are complete");
    if (WIFEXITED(state) && WEXITSTATUS(state) == 0)
        return RH_OK;
    if (WIFEXITED(state))
        return rh_fail(error, (rh_status)WEXITSTATUS(state),
                       "`reheap %s` ended with status %d; its own message stands above",
                       line->word[1], WEXITSTATUS(state));
    return rh_fail(error, RH_SYSTEM, "`reheap %s` was ended by signal %d", line->word[1],
                   WTERMSIG(state));
}

static command_line
begin(const char *command)
{
    command_line line = {.count = 0};
    add(&line, "reheap");
    add(&line, "%s", command);
    return line;
}

/* A step that ends the demo when it fails. */
static rh_status
step(command_line *line, rh_error *error)
{
    rh_status status = run_line(line, error);
    release(line);
    return status;
}

/* A step some of whose runs may fail (an allocator that does not load): the rest is still worth
 * showing. */
static rh_status
tolerant_step(demo_state *demo, command_line *line, rh_error *error)
{
    rh_status status = step(line, error);
    if (status != RH_CANNOT_RUN)
        return status;
    demo->worst = RH_CANNOT_RUN;
    return RH_OK;
}

static rh_status
record_and_verify(const demo_state *demo, rh_error *error)
{
    command_line record = begin("record");
    add(&record, "-o");
    add(&record, "%s/demo.rht", demo->directory);
    add(&record, "--python");
    add(&record, "--");
    static const char *const program[] = {PYTHON,    "-m",          "lib2to3",   "--fix=all",
                                          "--write", "--nobackups", "--no-diffs"};
    for (size_t i = 0; i < sizeof program / sizeof program[0]; i++)
        add(&record, "%s", program[i]);
    add(&record, "--output-dir=%s/rewritten", demo->directory);
    for (size_t i = 0; i < MODULES; i++)
        add(&record, LIBRARY "/%s", modules[i]);
    rh_status status = step(&record, error);
    static const char *const readers[] = {"info", "verify"};
    for (size_t i = 0; status == RH_OK && i < 2; i++) {
        command_line read = begin(readers[i]);
        add(&read, "%s/demo.rht", demo->directory);
        status = step(&read, error);
    }
    return status;
}

static rh_status
replay_and_tune(demo_state *demo, rh_error *error)
{
    command_line replay = begin("replay");
    add(&replay, "%s/demo.rht", demo->directory);
    for (size_t i = 0; i < ALLOCATORS; i++) {
        add(&replay, "-a");
        add(&replay, "%s", allocators[i]);
    }
    add(&replay, "-o");
    add(&replay, "%s/replay.db", demo->directory);
    rh_status status = tolerant_step(demo, &replay, error);
    if (status != RH_OK)
        return status;
    command_line tune = begin("tune");
    add(&tune, "%s/demo.rht", demo->directory);
    add(&tune, "--vary");
    add(&tune, "arena=256K:8M");
    add(&tune, "--vary");
    add(&tune, "pool=4K:32K");
    add(&tune, "--reps");
    add(&tune, "7");
    add(&tune, "--budget");
    add(&tune, "60s");
    add(&tune, "-o");
    add(&tune, "%s/tuning.db", demo->directory);
    return tolerant_step(demo, &tune, error);
}

static rh_status
compare_and_plot(const demo_state *demo, rh_error *error)
{
    command_line compare = begin("compare");
    add(&compare, "%s/replay.db", demo->directory);
    rh_status status = step(&compare, error);
    static const char *const files[][2] = {{"replay.db", "figures"},
                                           {"tuning.db", "figures-of-tuning"}};
    for (size_t i = 0; status == RH_OK && i < 2; i++) {
        command_line plot = begin("plot");
        add(&plot, "%s/%s", demo->directory, files[i][0]);
        add(&plot, "-o");
        add(&plot, "%s/%s", demo->directory, files[i][1]);
        status = step(&plot, error);
    }
    return status;
}

static rh_status
open_results(const demo_state *demo, const char *name, rh_summary **summary, rh_error *error)
{
    char *path;
    if (asprintf(&path, "%s/%s", demo->directory, name) < 0)
        abort();
    rh_status status = rh_summary_open(path, summary, error);
    free(path);
    return status;
}

static void
tell_tuning(const rh_workload *workload, char *text, size_t capacity)
{
    const char **specs = calloc(workload->subject_count + 1, sizeof *specs);
    if (!specs)
        abort();
    size_t count = 1;
    specs[0] = "pymalloc";
    for (size_t i = 0; i < workload->subject_count; i++) {
        if (strcmp(workload->subjects[i].spec, specs[0]) != 0)
            specs[count++] = workload->subjects[i].spec;
    }
    rh_tuning *tuning = rh_tune_weigh(&workload, 1, specs, count, "fragmentation_mean");
    rh_tuning_sentence(tuning, "fragmentation_mean", text, capacity);
    rh_tuning_release(tuning);
    free(specs);
}

/* The three sentences, and where everything is. */
static rh_status
tell(const demo_state *demo, rh_error *error)
{
    rh_summary *replay, *tuning = NULL;
    rh_status status = open_results(demo, "replay.db", &replay, error);
    if (status != RH_OK)
        return status;
    status = open_results(demo, "tuning.db", &tuning, error);
    if (status == RH_OK) {
        const rh_workload *workload = &replay->workloads[0];
        const rh_subject *baseline = rh_workload_subject(workload, "pymalloc");
        char memory[600] = "", speed[600] = "", gain[600];
        if (baseline) {
            rh_story_memory(workload, baseline, memory, sizeof memory);
            rh_story_speed(workload, baseline, speed, sizeof speed);
        }
        tell_tuning(&tuning->workloads[0], gain, sizeof gain);
        printf("\n%s\n%s\n%s\n\n", memory, speed, gain);
    }
    rh_summary_close(replay);
    rh_summary_close(tuning);
    if (status == RH_OK)
        printf("The figures: %s/figures/figures.html and %s/figures-of-tuning/figures.html\n"
               "The recording: %s/demo.rht; the numbers: %s/replay.db, %s/tuning.db\n",
               demo->directory, demo->directory, demo->directory, demo->directory, demo->directory);
    return status;
}

/* What would only be missed minutes later. */
static rh_status
check_tools(rh_error *error)
{
    static const char *const files[][2] = {
        {PYTHON, "python3"},
        {LIBRARY "/lib2to3/main.py", "python3-lib2to3"},
        {LIBRARY "/turtle.py", "libpython3.11-stdlib"},
    };
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        if (access(files[i][0], R_OK) != 0)
            return rh_fail(error, RH_CANNOT_RUN, "%s is not there; install the Debian package %s",
                           files[i][0], files[i][1]);
    }
    if (!rh_gnuplot_installed())
        return rh_fail(error, RH_CANNOT_RUN,
                       "gnuplot is not installed; install the Debian package gnuplot-nox");
    return RH_OK;
}

static rh_status
play(demo_state *demo, rh_error *error)
{
    uint64_t start = rh_host_now_ns();
    rh_status status = check_tools(error);
    if (status == RH_OK && mkdir(demo->directory, 0777) != 0 && errno != EEXIST)
        status = rh_fail_errno(error, RH_SYSTEM, errno, "%s: cannot create it", demo->directory);
    if (status == RH_OK)
        status = record_and_verify(demo, error);
    if (status == RH_OK)
        status = replay_and_tune(demo, error);
    if (status == RH_OK)
        status = compare_and_plot(demo, error);
    if (status == RH_OK)
        status = tell(demo, error);
    if (status == RH_OK)
        fprintf(stderr, "(all of it: %.1f s)\n", (double)(rh_host_now_ns() - start) / 1e9);
    if (status == RH_OK && demo->worst != RH_OK)
        status = rh_fail(error, demo->worst,
                         "some allocators could not be run; what the others showed is complete");
    return status;
}

static int
run(int argc, char **argv)
{
    demo_state demo = {.directory = "reheap-demo"};
    argp_err_exit_status = RH_USAGE;
    argp_parse(&parser, argc, argv, 0, NULL, &demo);
    rh_interrupt_watch();
    rh_error error = {.status = RH_OK};
    rh_status status = play(&demo, &error);
    if (status != RH_OK)
        fprintf(stderr, "reheap demo: %s\n", error.message);
    return (int)status;
}

const rh_command rh_cmd_demo = {"demo", "the whole story on a real Python program", run};
