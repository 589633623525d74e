#define _GNU_SOURCE
/* reheap replay: a recording against allocators. */
#include <argp.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/host.h"
#include "base/option_words.h"
#include "base/output.h"
#include "replay/age.h"
#include "replay/cmd_replay_show.h"
#include "replay/commands.h"
#include "replay/experiment.h"
#include "replay/experiment_options.h"
#include "replay/recall.h"
#include "replay/rounds.h"

enum { KEY_RESUME = 256, KEY_STATISTICS, KEY_SIZES, KEY_OVER_TIME };

typedef struct replay_options {
    rh_experiment_call call;
    bool over_time, statistics, sizes;
} replay_options;

static const struct argp_option known[] = {
    RH_OPTION_ALLOCATOR("pymalloc and malloc"),
    RH_OPTION_MEASURE,
    RH_OPTION_REPS(", each in fresh processes"),
    RH_OPTION_SEED,
    RH_OPTION_TOUCH,
    RH_OPTION_THREADS,
    RH_OPTION_PACE,
    RH_OPTION_LOOP,
    RH_OPTION_AGE,
    RH_OPTION_DOMAIN,
    RH_OPTION_SAMPLES,
    RH_OPTION_OUTPUT(""),
    RH_OPTION_PATIENCE,
    {"resume", KEY_RESUME, NULL, 0,
     "go on with the experiment in RESULTS: runs that are missing or failed are made, --reps may "
     "be more than before, and the rest need not be said again",
     0},
    {"statistics", KEY_STATISTICS, NULL, 0,
     "print what each heap says of itself at the end of its memory pass", 0},
    {"sizes", KEY_SIZES, NULL, 0, "print the latencies of each range of sizes, too", 0},
    RH_OPTION_JSON("a table"),
    {"over-time", KEY_OVER_TIME, NULL, 0,
     "with --json: every sample of the memory passes, too, with all counters", 0},
    {0},
};

static void
finish_options(struct argp_state *state, replay_options *options)
{
    rh_experiment *experiment = &options->call.experiment;
    if (options->over_time && !options->call.json)
        argp_error(state,
                   "--over-time is for --json; `reheap plot` draws the samples of -o RESULTS");
    if (options->sizes && rh_experiment_call_gave(&options->call, RH_KEY_MEASURE) &&
        !(experiment->measures & RH_MEASURE_LATENCY))
        argp_error(state, "--sizes tells latencies by size; --measure=latency takes them");
    if (experiment->resume) {
        if (!options->call.output)
            argp_error(state, "--resume goes on with the results that -o names");
        return; /* what was not given is in the results */
    }
    if (experiment->trace_count == 0)
        argp_error(state, "name the recording to replay; `reheap record` makes one");
    if (experiment->spec_count == 0) {
        rh_experiment_call_spec(&options->call, "pymalloc");
        rh_experiment_call_spec(&options->call, "malloc");
    }
}

static error_t
parse(int key, char *argument, struct argp_state *state)
{
    replay_options *options = state->input;
    switch (key) {
    case KEY_RESUME:
        options->call.experiment.resume = true;
        return 0;
    case KEY_OVER_TIME:
        options->over_time = true;
        return 0;
    case KEY_STATISTICS:
        options->statistics = true;
        return 0;
    case KEY_SIZES:
        options->sizes = true;
        return 0;
    case ARGP_KEY_END:
        finish_options(state, options);
        return 0;
    default:
        return rh_experiment_call_parse(key, argument, state, &options->call);
    }
}

static const struct argp parser = {
    known,
    parse,
    "FILE...",
    "Replays recordings against allocators and prints what each took in memory and time: every run "
    "in a process of its own, in shuffled order, memory, throughput and latency measured apart.\v"
    "`reheap allocators` lists what a SPEC may be. Latencies include the probe that takes them; "
    "what "
    "is under twice its cost is shown as `< N`.\n\n"
    "Example:\n"
    "  reheap replay program.rht -a pymalloc,arena=4M -a jemalloc -o runs.db\n"
    "  reheap replay --resume -o runs.db --reps 9",
    NULL,
    NULL,
    NULL,
};

/* How many runs are stored, and whether any of them ran to its end. */
static size_t
stored_runs(rh_results *results, bool *any_good)
{
    const rh_run *runs;
    size_t count = 0;
    *any_good = false;
    if (rh_results_runs(results, &runs, &count, NULL) != RH_OK)
        return 0;
    for (size_t i = 0; i < count; i++)
        *any_good |= strcmp(runs[i].status, "failed") != 0;
    return count;
}

static rh_status
show(const replay_options *options, rh_results *results, rh_error *error)
{
    if (options->call.json)
        return rh_replay_show_json(results, options->over_time, error);
    rh_status status =
        rh_replay_show_table(results, options->call.experiment.specs,
                             options->call.experiment.spec_count, options->sizes, error);
    if (status == RH_OK && options->statistics)
        status = rh_replay_show_statistics(results, error);
    return status;
}

/* Shows what there is, also after failed runs or an interruption, and says where it is kept. Of a
 * call that was wrong, nothing ran. */
static rh_status
conclude(const replay_options *options, rh_results *results, rh_status status, rh_error *error)
{
    bool any_good;
    size_t count = stored_runs(results, &any_good);
    rh_error problem = {.status = RH_OK};
    if (status == RH_USAGE)
        return status;
    /* What is there may be another's, and is not shown. */
    if (rh_results_check_kept(results, true, &problem) != RH_OK)
        return rh_fail(error, problem.status, "%s", problem.message);
    if (count &&
        (options->call.experiment.repetitions > 1 || options->call.experiment.spec_count > 1))
        fprintf(stderr, "the runs were shuffled by --seed=%llu\n",
                (unsigned long long)options->call.experiment.seed);
    rh_replay_show_failures(results, NULL);
    if (any_good && show(options, results, &problem) != RH_OK && status == RH_OK)
        status = rh_fail(error, problem.status, "%s", problem.message);
    if (status == RH_INTERRUPTED && options->call.output)
        rh_fail(error, RH_INTERRUPTED, "%s: interrupted; %s", options->call.output,
                count ? "the runs that were complete are in it, and --resume goes on"
                      : "no run was complete, so it was not written");
    return status;
}

static bool
same_words(const char *const *a, size_t a_count, const char *const *b, size_t b_count)
{
    bool same = a_count == b_count;
    for (size_t i = 0; same && i < a_count; i++)
        same = strcmp(a[i], b[i]) == 0;
    return same;
}

/* What was said besides --resume, and does not fit what the results were made with; NULL: nothing.
 */
static const char *
misfit(const replay_options *options, const rh_experiment *kept)
{
    const rh_experiment *said = &options->call.experiment;
    const rh_experiment_call *call = &options->call;
    if (said->trace_count &&
        !same_words(said->traces, said->trace_count, kept->traces, kept->trace_count))
        return "recordings";
    if (said->spec_count &&
        !same_words(said->specs, said->spec_count, kept->specs, kept->spec_count))
        return "allocators";
    if (rh_experiment_call_gave(call, RH_KEY_MEASURE) && said->measures != kept->measures)
        return "--measure";
    if (rh_experiment_call_gave(call, RH_KEY_SEED) && said->seed != kept->seed)
        return "--seed";
    if (rh_experiment_call_gave(call, RH_KEY_TOUCH) && said->touch != kept->touch)
        return "--touch";
    if (rh_experiment_call_gave(call, RH_KEY_THREADS) && said->threads != kept->threads)
        return "--threads";
    if (rh_experiment_call_gave(call, RH_KEY_PACE) &&
        (said->pace < kept->pace || said->pace > kept->pace))
        return "--pace";
    if (rh_experiment_call_gave(call, RH_KEY_LOOP) && !rh_loop_same(&said->loop, &kept->loop))
        return "--loop";
    if (rh_experiment_call_gave(call, RH_KEY_AGE) && !rh_age_same(&said->age, &kept->age))
        return "--age";
    if (rh_experiment_call_gave(call, RH_KEY_DOMAIN) && said->domain != kept->domain)
        return "--domain";
    if (rh_experiment_call_gave(call, RH_KEY_SAMPLES) && said->samples != kept->samples)
        return "--samples";
    return NULL;
}

/* Gives the options the settings with which the results were begun. */
static rh_status
go_on_with(replay_options *options, const rh_experiment *kept, rh_error *error)
{
    const char *wrong = misfit(options, kept);
    if (wrong)
        return rh_fail(error, RH_USAGE,
                       "%s: its runs were begun with other %s; leave that away, or replay anew",
                       options->call.output, wrong);
    rh_experiment *experiment = &options->call.experiment;
    rh_experiment said = *experiment;
    bool counted = rh_experiment_call_gave(&options->call, RH_KEY_REPS);
    if (counted && said.repetitions < kept->repetitions)
        return rh_fail(error, RH_USAGE,
                       "%s: is to have %u repetitions; --reps cannot make it fewer",
                       options->call.output, kept->repetitions);
    *experiment = *kept;
    experiment->resume = true;
    experiment->patience_seconds = said.patience_seconds;
    experiment->command = said.command;
    if (counted)
        experiment->repetitions = said.repetitions;
    return RH_OK;
}

static rh_status
recall(const replay_options *options, rh_results *results, rh_recalled *recalled, rh_error *error)
{
    static const char *const makers[] = {"reheap replay", "reheap arenas"};
    const char *command = rh_results_get(results, "command");
    bool known_maker = false;
    for (size_t i = 0; command && i < sizeof makers / sizeof *makers; i++)
        known_maker |= strncmp(command, makers[i], strlen(makers[i])) == 0;
    if (!known_maker)
        return rh_fail(error, RH_USAGE,
                       "%s: was not made by `reheap replay` or `reheap arenas`, with whose results "
                       "alone it goes on",
                       options->call.output);
    rh_status status = rh_recall(recalled, results, error);
    return status == RH_OK ? status : rh_error_prefix(error, "%s", options->call.output);
}

static rh_status
resume(replay_options *options, rh_error *error)
{
    rh_results *results;
    rh_recalled recalled;
    if (access(options->call.output, F_OK) != 0 && errno == ENOENT)
        return rh_fail(error, RH_BAD_INPUT,
                       "%s: No such file or directory: a replay that ends before its first run is "
                       "complete leaves none; replay without --resume",
                       options->call.output);
    rh_status status = rh_results_reopen(options->call.output, &results, error);
    if (status != RH_OK)
        return status;
    status = recall(options, results, &recalled, error);
    if (status != RH_OK) {
        rh_results_close(results);
        return status;
    }
    status = go_on_with(options, &recalled.experiment, error);
    if (status == RH_OK && options->sizes &&
        !(options->call.experiment.measures & RH_MEASURE_LATENCY))
        status = rh_fail(error, RH_USAGE,
                         "%s: its runs take no latencies, which --sizes would tell by size; leave "
                         "that away",
                         options->call.output);
    if (status == RH_OK) {
        status = rh_experiment_run(&options->call.experiment, results, error);
        status = conclude(options, results, status, error);
    }
    rh_recalled_release(&recalled);
    rh_results_close(results);
    return status;
}

static rh_status
replay(replay_options *options, rh_error *error)
{
    if (options->call.experiment.resume)
        return resume(options, error);
    rh_results *results;
    rh_status status = rh_results_create(options->call.output, &results, error);
    if (status != RH_OK)
        return status;
    status = rh_experiment_run(&options->call.experiment, results, error);
    status = conclude(options, results, status, error);
    rh_results_close(results);
    return status;
}

static int
run(int argc, char **argv)
{
    char *line = rh_option_line(argc, argv);
    replay_options options = {.over_time = false};
    rh_experiment_call_init(&options.call);
    argp_err_exit_status = RH_USAGE;
    argp_parse(&parser, argc, argv, 0, NULL, &options);
    options.call.experiment.command = line;
    rh_interrupt_watch();
    rh_host_keep_freed(); /* each pass reads the trace */
    rh_error error = {.status = RH_OK};
    rh_status status = replay(&options, &error);
    if (status != RH_OK)
        fprintf(stderr, "reheap replay: %s\n", error.message);
    free(line);
    return (int)status;
}

const rh_command rh_cmd_replay = {"replay", "replay recordings against allocators and measure",
                                  run};
