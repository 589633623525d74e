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
#include "base/option_words.h"
#include "base/output.h"
#include "replay/cmd_replay_show.h"
#include "replay/commands.h"
#include "replay/experiment.h"
#include "replay/pace.h"
#include "replay/provenance.h"
#include "replay/recall.h"
#include "replay/rounds.h"

#define WORDS_MOST    256
#define PATIENCE_MOST 1000000

enum {
    KEY_REPS = 256,
    KEY_SEED,
    KEY_TOUCH,
    KEY_DOMAIN,
    KEY_MEASURE,
    KEY_SAMPLES,
    KEY_STATISTICS,
    KEY_OVER_TIME,
    KEY_PATIENCE,
    KEY_RESUME,
    KEY_THREADS,
    KEY_SIZES,
    KEY_PACE,
    KEY_LOOP,
    KEY_AGE,
    KEY_END
};

typedef struct replay_options {
    const char *traces[WORDS_MOST], *specs[WORDS_MOST];
    rh_experiment experiment;
    const char *output;
    bool json, over_time, statistics, sizes;
    bool given[KEY_END - KEY_REPS]; /* which of the options with a KEY were */
} replay_options;

static const struct argp_option known[] = {
    {"allocator", 'a', "SPEC", 0, "an allocator; may be given again (default: pymalloc and malloc)",
     0},
    {"measure", KEY_MEASURE, "LIST", 0,
     "of memory,throughput,latency,system (default: the first three)", 0},
    {"reps", KEY_REPS, "N", 0, "repetitions, each in fresh processes (default: 3)", 0},
    {"seed", KEY_SEED, "S", 0, "of the order of the runs (default: 1)", 0},
    {"touch", KEY_TOUCH, "MODE", 0,
     "what is done with blocks: none; write the first byte, one a page (pages), one a cache line "
     "(lines), all (write); or write all, and read it before it is freed (read); default: none",
     0},
    {"threads", KEY_THREADS, "one|recorded", 0,
     "throughput and latency: all calls in one thread, in recorded order (the default), or each "
     "recorded thread's in one of its own, all at once",
     0},
    {"pace", KEY_PACE, "1x|10x|...", 0,
     "latency: begin each call when it was recorded, so many times as fast, and tell response "
     "times "
     "from then on (default: none, one call after another)",
     0},
    {"loop", KEY_LOOP, "N|steady", 0,
     "play the recording N times on the same heap, or until the heap is steady; with `,end=free` "
     "what lives at the end of a round is freed (else it stays), with `steady,most=N` at most N "
     "rounds (else 100)",
     0},
    {"age", KEY_AGE, "CHURN", 0,
     "before the recording begins, fill each heap with blocks of its sizes, exchange them CHURN "
     "times "
     "over, and free all but 10 % (`,keep=25%` for another share, `,seed=S` for other blocks)",
     0},
    {"domain", KEY_DOMAIN, "D", 0,
     "where a recording without domains goes: raw, mem or obj (default: obj)", 0},
    {"samples", KEY_SAMPLES, "N", 0, "memory samples a run (default: 1000)", 0},
    {"output", 'o', "RESULTS", 0, "keep the results in this file", 0},
    {"patience", KEY_PATIENCE, "SECONDS", 0,
     "a run that makes no progress for so long has failed (default: 120)", 0},
    {"resume", KEY_RESUME, NULL, 0,
     "go on with the experiment in RESULTS: runs that are missing or failed are made, --reps may "
     "be "
     "more than before, and the rest need not be said again",
     0},
    {"statistics", KEY_STATISTICS, NULL, 0,
     "print what each heap says of itself at the end of its memory pass", 0},
    {"sizes", KEY_SIZES, NULL, 0, "print the latencies of each range of sizes, too", 0},
    {"json", 'j', NULL, 0, "print one JSON object instead of a table", 0},
    {"over-time", KEY_OVER_TIME, NULL, 0,
     "with --json: every sample of the memory passes, too, with all counters", 0},
    {0},
};

static unsigned
measures(struct argp_state *state, char *list)
{
    static const char *const names[] = {"memory", "throughput", "latency", "system", NULL};
    unsigned chosen = 0;
    char *rest = list, *word;
    while ((word = strsep(&rest, ",")))
        chosen |= 1u << rh_option_choice(state, "measure", word, names);
    return chosen;
}

static void
finish_options(struct argp_state *state, replay_options *options)
{
    rh_experiment *experiment = &options->experiment;
    experiment->traces = options->traces;
    experiment->specs = options->specs;
    if (options->over_time && !options->json)
        argp_error(state,
                   "--over-time is for --json; `reheap plot` draws the samples of -o RESULTS");
    if (options->sizes && options->given[KEY_MEASURE - KEY_REPS] &&
        !(experiment->measures & RH_MEASURE_LATENCY))
        argp_error(state, "--sizes tells latencies by size; --measure=latency takes them");
    if (experiment->resume) {
        if (!options->output)
            argp_error(state, "--resume goes on with the results that -o names");
        return; /* what was not given is in the results */
    }
    if (experiment->trace_count == 0)
        argp_error(state, "name the recording to replay; `reheap record` makes one");
    if (experiment->spec_count == 0) {
        options->specs[experiment->spec_count++] = "pymalloc";
        options->specs[experiment->spec_count++] = "malloc";
    }
}

static error_t
parse(int key, char *argument, struct argp_state *state)
{
    replay_options *options = state->input;
    rh_experiment *experiment = &options->experiment;
    rh_error error = {.status = RH_OK};
    if (key >= KEY_REPS && key < KEY_END)
        options->given[key - KEY_REPS] = true;
    switch (key) {
    case 'a':
        rh_option_add(state, options->specs, WORDS_MOST, &experiment->spec_count, argument);
        return 0;
    case 'o':
        options->output = argument;
        return 0;
    case KEY_MEASURE:
        experiment->measures = measures(state, argument);
        return 0;
    case KEY_REPS:
        experiment->repetitions = (unsigned)rh_option_number(state, "--reps", argument, 1, 10000);
        return 0;
    case KEY_SEED:
        experiment->seed = rh_option_number(state, "--seed", argument, 0, INT64_MAX);
        return 0;
    case KEY_TOUCH:
        experiment->touch =
            (rh_touch)rh_option_choice(state, "touch mode", argument, rh_touch_names);
        return 0;
    case KEY_THREADS:
        experiment->threads =
            rh_option_choice(state, "way of threads", argument, rh_threads_names) == 1;
        return 0;
    case KEY_PACE:
        if (!rh_pace_parse(argument, &experiment->pace))
            argp_error(state,
                       "--pace=%s: it is none, or how many times as fast as recorded, 0.001x to "
                       "1000000x, as in "
                       "1x, 10x or 0.5x",
                       argument);
        return 0;
    case KEY_LOOP:
        if (rh_loop_parse(argument, &experiment->loop, &error) != RH_OK)
            argp_error(state,
                       "--loop=%s: %s; it is a number of rounds or steady, and may be followed by "
                       ",end=keep or ,end=free and, after steady, by ,most=N",
                       argument, error.message);
        return 0;
    case KEY_AGE:
        if (rh_age_parse(argument, &experiment->age, &error) != RH_OK)
            argp_error(state,
                       "--age=%s: %s; it is how many times over blocks are exchanged, and may be "
                       "followed by ,keep=PERCENT and ,seed=S",
                       argument, error.message);
        return 0;
    case KEY_DOMAIN:
        experiment->domain = rh_option_choice(state, "domain", argument, rh_domain_names);
        return 0;
    case KEY_SAMPLES:
        experiment->samples = (unsigned)rh_option_number(state, "--samples", argument, 1, 1000000);
        return 0;
    case KEY_PATIENCE:
        experiment->patience_seconds =
            (unsigned)rh_option_number(state, "--patience", argument, 1, PATIENCE_MOST);
        return 0;
    case KEY_RESUME:
        experiment->resume = true;
        return 0;
    case 'j':
        options->json = true;
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
    case ARGP_KEY_ARG:
        rh_option_add(state, options->traces, WORDS_MOST, &experiment->trace_count, argument);
        return 0;
    case ARGP_KEY_END:
        finish_options(state, options);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
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
    if (options->json)
        return rh_replay_show_json(results, options->over_time, error);
    rh_status status = rh_replay_show_table(results, options->experiment.specs,
                                            options->experiment.spec_count, options->sizes, error);
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
    if (count && (options->experiment.repetitions > 1 || options->experiment.spec_count > 1))
        fprintf(stderr, "the runs were shuffled by --seed=%llu\n",
                (unsigned long long)options->experiment.seed);
    rh_replay_show_failures(results, NULL);
    if (any_good && show(options, results, &problem) != RH_OK && status == RH_OK)
        status = rh_fail(error, problem.status, "%s", problem.message);
    if (status == RH_INTERRUPTED && options->output)
        rh_fail(error, RH_INTERRUPTED, "%s: interrupted; %s", options->output,
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
    const rh_experiment *said = &options->experiment;
    const bool *given = options->given;
    if (said->trace_count &&
        !same_words(said->traces, said->trace_count, kept->traces, kept->trace_count))
        return "recordings";
    if (said->spec_count &&
        !same_words(said->specs, said->spec_count, kept->specs, kept->spec_count))
        return "allocators";
    if (given[KEY_MEASURE - KEY_REPS] && said->measures != kept->measures)
        return "--measure";
    if (given[KEY_SEED - KEY_REPS] && said->seed != kept->seed)
        return "--seed";
    if (given[KEY_TOUCH - KEY_REPS] && said->touch != kept->touch)
        return "--touch";
    if (given[KEY_THREADS - KEY_REPS] && said->threads != kept->threads)
        return "--threads";
    if (given[KEY_PACE - KEY_REPS] && (said->pace < kept->pace || said->pace > kept->pace))
        return "--pace";
    if (given[KEY_LOOP - KEY_REPS] && !rh_loop_same(&said->loop, &kept->loop))
        return "--loop";
    if (given[KEY_AGE - KEY_REPS] && !rh_age_same(&said->age, &kept->age))
        return "--age";
    if (given[KEY_DOMAIN - KEY_REPS] && said->domain != kept->domain)
        return "--domain";
    if (given[KEY_SAMPLES - KEY_REPS] && said->samples != kept->samples)
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
                       options->output, wrong);
    rh_experiment *experiment = &options->experiment;
    rh_experiment said = *experiment;
    bool counted = options->given[KEY_REPS - KEY_REPS];
    if (counted && said.repetitions < kept->repetitions)
        return rh_fail(error, RH_USAGE,
                       "%s: is to have %u repetitions; --reps cannot make it fewer",
                       options->output, kept->repetitions);
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
                       options->output);
    rh_status status = rh_recall(recalled, results, error);
    return status == RH_OK ? status : rh_error_prefix(error, "%s", options->output);
}

static rh_status
resume(replay_options *options, rh_error *error)
{
    rh_results *results;
    rh_recalled recalled;
    if (access(options->output, F_OK) != 0 && errno == ENOENT)
        return rh_fail(error, RH_BAD_INPUT,
                       "%s: No such file or directory: a replay that ends before its first run is "
                       "complete leaves none; replay without --resume",
                       options->output);
    rh_status status = rh_results_reopen(options->output, &results, error);
    if (status != RH_OK)
        return status;
    status = recall(options, results, &recalled, error);
    if (status != RH_OK) {
        rh_results_close(results);
        return status;
    }
    status = go_on_with(options, &recalled.experiment, error);
    if (status == RH_OK && options->sizes && !(options->experiment.measures & RH_MEASURE_LATENCY))
        status = rh_fail(error, RH_USAGE,
                         "%s: its runs take no latencies, which --sizes would tell by size; leave "
                         "that away",
                         options->output);
    if (status == RH_OK) {
        status = rh_experiment_run(&options->experiment, results, error);
        status = conclude(options, results, status, error);
    }
    rh_recalled_release(&recalled);
    rh_results_close(results);
    return status;
}

static rh_status
replay(replay_options *options, rh_error *error)
{
    if (options->experiment.resume)
        return resume(options, error);
    rh_results *results;
    rh_status status = rh_results_create(options->output, &results, error);
    if (status != RH_OK)
        return status;
    status = rh_experiment_run(&options->experiment, results, error);
    status = conclude(options, results, status, error);
    rh_results_close(results);
    return status;
}

static int
run(int argc, char **argv)
{
    char *line = rh_option_line(argc, argv);
    replay_options options = {.output = NULL};
    rh_experiment_init(&options.experiment);
    argp_err_exit_status = RH_USAGE;
    argp_parse(&parser, argc, argv, 0, NULL, &options);
    options.experiment.command = line;
    rh_interrupt_watch();
    rh_error error = {.status = RH_OK};
    rh_status status = replay(&options, &error);
    if (status != RH_OK)
        fprintf(stderr, "reheap replay: %s\n", error.message);
    free(line);
    return (int)status;
}

const rh_command rh_cmd_replay = {"replay", "replay recordings against allocators and measure",
                                  run};
