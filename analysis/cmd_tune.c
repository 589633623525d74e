/* reheap tune: which settings of an allocator are worth having for a recording. */
#define _GNU_SOURCE
#include <argp.h>
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "analysis/commands.h"
#include "analysis/compare.h"
#include "analysis/tune.h"
#include "analysis/vary.h"
#include "base/host.h"
#include "base/option_words.h"
#include "base/output.h"
#include "replay/experiment_options.h"
#include "replay/spec_check.h"

enum { KEY_VARY = 256, KEY_BASE, KEY_HOLDOUT, KEY_BUDGET, KEY_BY };

typedef struct tune_arguments {
    rh_experiment_call call;
    rh_vary varies[RH_VARY_KEYS_MAX];
    size_t vary_count;
    const char *base, *holdout, *memory;
    uint64_t budget_ns;
} tune_arguments;

static const struct argp_option known[] = {
    {"vary", KEY_VARY, "KEY=LIST", 0,
     "values to try for a key: FROM:TO doubles, A,B,C enumerates (and colons belong to the "
     "values: classes=linear:16,geometric:4); may be given several times "
     "(default: arena=256K:8M and pool=4K:32K)",
     0},
    {"base", KEY_BASE, "SPEC", 0,
     "the allocator to tune, and the baseline (default: pymalloc, CPython's constants)", 0},
    {"holdout", KEY_HOLDOUT, "FILE", 0, "a recording to try the recommended settings on", 0},
    {"budget", KEY_BUDGET, "TIME", 0,
     "stop repeating after that long: 90s, 10m, 1h (default: never)", 0},
    RH_OPTION_REPS(" of the speed of each, at most"),
    RH_OPTION_SEED,
    RH_OPTION_TOUCH,
    RH_OPTION_LOOP,
    RH_OPTION_AGE,
    RH_OPTION_DOMAIN,
    {"by", KEY_BY, "WHAT", 0, "which memory to judge by: mean (over time, the default) or peak", 0},
    RH_OPTION_OUTPUT(", for `reheap compare` and `plot`"),
    RH_OPTION_JSON("text"),
    {0},
};

/* "90", "90s", "10m", "1h"; false on anything else. */
static bool
parse_time(const char *text, uint64_t *ns)
{
    char *end;
    errno = 0;
    double number = strtod(text, &end);
    double unit = *end == 'h' ? 3600 : *end == 'm' ? 60 : 1;
    if (end == text || errno || !isfinite(number) || number <= 0 || number > 1e6)
        return false;
    if (*end && (strchr("smh", *end) == NULL || end[1]))
        return false;
    *ns = (uint64_t)(number * unit * 1e9);
    return true;
}

static void
add_vary(tune_arguments *arguments, const char *text, struct argp_state *state)
{
    rh_error error;
    if (arguments->vary_count == RH_VARY_KEYS_MAX)
        argp_error(state, "--vary %s: more than %d keys", text, RH_VARY_KEYS_MAX);
    if (rh_vary_parse(text, &arguments->varies[arguments->vary_count], &error) != RH_OK)
        argp_error(state, "%s", error.message);
    arguments->vary_count++;
}

static error_t
parse(int key, char *argument, struct argp_state *state)
{
    tune_arguments *arguments = state->input;
    switch (key) {
    case KEY_VARY:
        add_vary(arguments, argument, state);
        return 0;
    case KEY_BASE:
        arguments->base = argument;
        return 0;
    case KEY_HOLDOUT:
        arguments->holdout = argument;
        return 0;
    case KEY_BUDGET:
        if (!parse_time(argument, &arguments->budget_ns))
            argp_error(state, "--budget %s: give a time such as 90s, 10m or 1h", argument);
        return 0;
    case KEY_BY:
        if (strcmp(argument, "mean") != 0 && strcmp(argument, "peak") != 0)
            argp_error(state, "--by %s: give mean or peak", argument);
        arguments->memory = *argument == 'm' ? "fragmentation_mean" : "peak_mapped_bytes";
        return 0;
    case ARGP_KEY_END:
        if (arguments->call.experiment.trace_count == 0)
            argp_error(state, "name a recording that `reheap record` made");
        return 0;
    default:
        return rh_experiment_call_parse(key, argument, state, &arguments->call);
    }
}

static const struct argp parser = {
    known,
    parse,
    "FILE...",
    "Replays recordings into many settings of one allocator, and names those worth having: no "
    "other needs less memory without being slower, or is faster without needing more. Says what "
    "the best of them gains over the baseline.\v"
    "Combinations that the allocator does not allow are left out and counted.\n\n"
    "Example:\n"
    "  reheap tune program.rht --vary arena=256K:8M --vary pool=4K,64K -o grid.db\n"
    "  reheap plot grid.db -o figures",
    NULL,
    NULL,
    NULL,
};

/* The candidates that can be opened, and the others with the reason. */
typedef struct candidates {
    char **spec;
    size_t count;
    char **skipped, **reason;
    size_t skipped_count;
} candidates;

static void
release_candidates(candidates *all)
{
    for (size_t i = 0; i < all->count; i++)
        free(all->spec[i]);
    for (size_t i = 0; i < all->skipped_count; i++) {
        free(all->skipped[i]);
        free(all->reason[i]);
    }
    free(all->spec);
    free(all->skipped);
    free(all->reason);
}

/* Standard values where none were asked for. */
static rh_status
vary_standard(tune_arguments *arguments, rh_error *error)
{
    static const char *const standard[] = {"arena=256K:8M", "pool=4K:32K"};
    if (arguments->vary_count > 0)
        return RH_OK;
    rh_status status = RH_OK;
    for (size_t i = 0; status == RH_OK && i < 2; i++)
        status = rh_vary_parse(standard[i], &arguments->varies[arguments->vary_count++], error);
    return status;
}

static rh_status
make_candidates(tune_arguments *arguments, candidates *all, rh_error *error)
{
    char **specs;
    size_t count;
    rh_status status = rh_spec_check(arguments->base, error);
    if (status == RH_OK)
        status = vary_standard(arguments, error);
    if (status == RH_OK)
        status = rh_vary_expand(arguments->base, arguments->varies, arguments->vary_count, &specs,
                                &count, error);
    if (status != RH_OK)
        return status;
    all->spec = calloc(count, sizeof *all->spec);
    all->skipped = calloc(count, sizeof *all->skipped);
    all->reason = calloc(count, sizeof *all->reason);
    if (!all->spec || !all->skipped || !all->reason)
        abort();
    rh_error reason = {.status = RH_OK};
    for (size_t i = 0; i < count; i++) {
        if (rh_spec_check(specs[i], &reason) == RH_OK) {
            all->spec[all->count++] = specs[i];
        } else {
            all->skipped[all->skipped_count] = specs[i];
            all->reason[all->skipped_count++] = strdup(reason.message);
        }
    }
    free(specs);
    if (all->count == 0)
        return rh_fail(error, reason.status,
                       "none of the %zu combinations is possible; the last: %s", count,
                       reason.message);
    return RH_OK;
}

static json_t *
candidate_json(const rh_tuned *candidate, bool excess)
{
    double memory = excess ? candidate->memory - 1 : candidate->memory;
    return json_pack(
        "{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:s, s:b}", "spec", candidate->spec,
        excess ? "fragmentation_mean" : "peak_mapped_bytes", rh_json_number(memory), "ns_per_event",
        rh_json_number(candidate->ns), "memory_ratio", rh_json_number(candidate->memory_ratio),
        "time_ratio", rh_json_number(candidate->time.value), "time_low",
        rh_json_number(candidate->time.low), "time_high", rh_json_number(candidate->time.high),
        "speed", rh_verdict_word(rh_quantity_find(RH_SPEED), &candidate->time), "pareto",
        candidate->front);
}

static void
print_json(const tune_arguments *arguments, const candidates *all, const rh_tuning *tuning)
{
    bool excess = strcmp(arguments->memory, "fragmentation_mean") == 0;
    char sentence[512];
    json_t *traces = json_array(), *list = json_array(), *skipped = json_array();
    for (size_t i = 0; i < arguments->call.experiment.trace_count; i++)
        json_array_append_new(traces, json_string(arguments->call.traces[i]));
    for (size_t i = 1; i < tuning->count; i++)
        json_array_append_new(list, candidate_json(&tuning->candidate[i], excess));
    for (size_t i = 0; i < all->skipped_count; i++)
        json_array_append_new(
            skipped, json_pack("{s:s, s:s}", "spec", all->skipped[i], "reason", all->reason[i]));
    json_t *recommended = candidate_json(&tuning->candidate[tuning->recommended], excess);
    rh_tuning_sentence(tuning, arguments->memory, sentence, sizeof sentence);
    json_object_set_new(recommended, "gain", json_string(sentence));
    json_t *holdout = json_null();
    if (tuning->has_holdout) {
        rh_tuning_holdout_sentence(tuning, arguments->memory, sentence, sizeof sentence);
        holdout = json_pack("{s:s, s:o, s:o, s:s}", "trace", arguments->holdout, "baseline",
                            candidate_json(&tuning->holdout_baseline, excess), "recommended",
                            candidate_json(&tuning->holdout, excess), "gain", sentence);
    }
    json_t *object =
        json_pack("{s:s, s:o, s:I, s:o, s:o, s:o, s:o, s:o}", "schema", "reheap.tune/1", "traces",
                  traces, "repetitions", (json_int_t)tuning->repetitions, "baseline",
                  candidate_json(&tuning->candidate[0], excess), "candidates", list, "skipped",
                  skipped, "recommended", recommended, "holdout", holdout);
    json_dumpf(object, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
    putchar('\n');
    json_decref(object);
}

static void
row(rh_table *table, const rh_tuned *candidate, const rh_quantity *memory, const char *note)
{
    const rh_quantity *ns = rh_quantity_find(RH_SPEED);
    char text[64];
    double shown = memory->kind == RH_QUANTITY_EXCESS ? candidate->memory - 1 : candidate->memory;
    rh_table_cell(table, "%s", candidate->spec);
    rh_table_cell(table, "%s", rh_quantity_text(memory, shown, text, sizeof text));
    rh_table_cell(table, "%.3f", candidate->memory_ratio);
    rh_table_cell(table, "%s", rh_quantity_text(ns, candidate->ns, text, sizeof text));
    rh_table_cell(table, "%.3f", candidate->time.value);
    rh_table_cell(table, "%s", rh_verdict_text(ns, &candidate->time, text, sizeof text));
    rh_table_cell(table, "%s", note);
}

static int
by_memory(const void *a, const void *b)
{
    const rh_tuned *x = *(const rh_tuned *const *)a, *y = *(const rh_tuned *const *)b;
    return (x->memory > y->memory) - (x->memory < y->memory);
}

static void
print_front(const rh_tuning *tuning, const rh_quantity *memory)
{
    const rh_tuned **front = calloc(tuning->count, sizeof *front);
    size_t count = 0;
    if (!front)
        abort();
    for (size_t i = 0; i < tuning->count; i++) {
        if (tuning->candidate[i].front || i == 0)
            front[count++] = &tuning->candidate[i];
    }
    qsort(front, count, sizeof *front, by_memory);
    rh_table *table = rh_table_new(7);
    const char *const headings[] = {"Worth having", memory->heading, "ratio", "ns/event",
                                    "ratio",        "speed",         ""};
    for (size_t i = 0; i < 7; i++)
        rh_table_cell(table, "%s", headings[i]);
    for (size_t i = 0; i < count; i++) {
        size_t place = (size_t)(front[i] - tuning->candidate);
        row(table, front[i], memory,
            place == 0                     ? "baseline"
            : place == tuning->recommended ? "recommended"
                                           : "");
    }
    rh_table_print(table, stdout);
    rh_table_free(table);
    free(front);
}

static void
print_text(const tune_arguments *arguments, const candidates *all, const rh_tuning *tuning)
{
    char sentence[512];
    print_front(tuning, rh_quantity_find(arguments->memory));
    printf("\n%zu candidates tried, %s%u repetition%s; ratios are to %s.\n", tuning->count - 1,
           arguments->budget_ns ? "the likely ones with " : "each with ", tuning->repetitions,
           tuning->repetitions == 1 ? "" : "s", tuning->candidate[0].spec);
    if (all->skipped_count > 0)
        printf("%zu combinations left out, being impossible; such as %s\n", all->skipped_count,
               all->reason[0]);
    printf("%s\n", rh_tuning_sentence(tuning, arguments->memory, sentence, sizeof sentence));
    if (tuning->has_holdout)
        printf("%s\n",
               rh_tuning_holdout_sentence(tuning, arguments->memory, sentence, sizeof sentence));
    if (arguments->call.output)
        printf("All of it: reheap compare %s; reheap plot %s -o DIR\n", arguments->call.output,
               arguments->call.output);
}

/* A place for results that nobody asked to keep. */
static rh_status
make_temporary(char *folder, size_t capacity, rh_error *error)
{
    const char *where = getenv("TMPDIR");
    snprintf(folder, capacity, "%s/reheap-tune.XXXXXX", where && *where ? where : "/tmp");
    if (!mkdtemp(folder))
        return rh_fail_errno(error, RH_SYSTEM, errno, "%s: cannot create it", folder);
    return RH_OK;
}

static void
say_what_is_left(rh_results *results, const char *path, rh_error *error)
{
    const rh_run *runs;
    size_t count = 0;
    if (rh_results_runs(results, &runs, &count, NULL) != RH_OK)
        count = 0;
    rh_fail(error, RH_INTERRUPTED, "%s: interrupted; %s", path,
            count ? "the runs that were complete are in it"
                  : "no run was complete, so it was not written");
}

static rh_status
measure(const tune_arguments *arguments, const candidates *all, const char *path, rh_error *error)
{
    rh_results *results;
    rh_status status = rh_results_create(path, &results, error);
    if (status != RH_OK)
        return status;
    rh_tune_options options = {.experiment = &arguments->call.experiment,
                               .baseline = arguments->base,
                               .candidates = (const char *const *)all->spec,
                               .candidate_count = all->count,
                               .holdout = arguments->holdout,
                               .memory = arguments->memory,
                               .budget_ns = arguments->budget_ns};
    rh_tuning *tuning;
    status = rh_tune_run(&options, results, &tuning, error);
    rh_error lost;
    if (status != RH_USAGE && rh_results_check_kept(results, true, &lost) != RH_OK) {
        rh_tuning_release(tuning);
        rh_results_close(results);
        return rh_fail(error, lost.status, "%s", lost.message);
    }
    if (tuning && arguments->call.json)
        print_json(arguments, all, tuning);
    else if (tuning)
        print_text(arguments, all, tuning);
    rh_tuning_release(tuning);
    if (status == RH_INTERRUPTED && arguments->call.output)
        say_what_is_left(results, path, error);
    rh_results_close(results);
    return status;
}

static rh_status
tune(tune_arguments *arguments, rh_error *error)
{
    candidates all = {.count = 0};
    rh_status status = make_candidates(arguments, &all, error);
    if (status == RH_OK && arguments->call.output) {
        status = measure(arguments, &all, arguments->call.output, error);
    } else if (status == RH_OK) {
        char folder[4096], path[4096 + 16];
        status = make_temporary(folder, sizeof folder, error);
        if (status == RH_OK) {
            snprintf(path, sizeof path, "%s/results.db", folder);
            status = measure(arguments, &all, path, error);
            unlink(path);
            rmdir(folder);
        }
    }
    release_candidates(&all);
    return status;
}

static int
run(int argc, char **argv)
{
    tune_arguments arguments = {.base = "pymalloc", .memory = "fragmentation_mean"};
    rh_experiment_call_init(&arguments.call);
    argp_err_exit_status = RH_USAGE;
    char *command = rh_option_line(argc, argv);
    argp_parse(&parser, argc, argv, 0, NULL, &arguments);
    arguments.call.experiment.command = command;
    rh_interrupt_watch();
    rh_host_keep_freed(); /* each pass reads the trace */
    rh_error error = {.status = RH_OK};
    rh_status status = tune(&arguments, &error);
    if (status != RH_OK)
        fprintf(stderr, "reheap tune: %s\n", error.message);
    for (size_t i = 0; i < arguments.vary_count; i++)
        rh_vary_release(&arguments.varies[i]);
    free(command);
    return (int)status;
}

const rh_command rh_cmd_tune = {"tune", "find the settings that are worth having", run};
