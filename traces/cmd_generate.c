/* reheap generate: traces that are made, and not recorded. */
#define _GNU_SOURCE
#include <argp.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/output.h"
#include "base/size.h"
#include "traces/commands.h"
#include "traces/generate/likeness.h"
#include "traces/generate/maker.h"
#include "traces/generate/model.h"
#include "traces/trace_info.h"
#include "traces/trace_json.h"

enum { KEY_EVENTS = 256, KEY_SEED, KEY_MODELS, KEY_LIKE, KEY_WINDOW, WINDOW_MOST = 1 << 24 };

typedef struct generate_options {
    const char *model, *like, *output;
    rh_likeness_options likeness;
    uint64_t events, seed;
    bool models, json;
} generate_options;

static const struct argp_option known[] = {
    {"events", KEY_EVENTS, "N", 0,
     "how many calls, as 500K or 10M (default: the model's own, or the trace's)", 0},
    {"like", KEY_LIKE, "FILE", 0, "make a trace like this one, instead of a model's", 0},
    {"window", KEY_WINDOW, "CALLS", 0,
     "with --like: what is born is shuffled within so many calls (default: 2048)", 0},
    {"seed", KEY_SEED, "S", 0, "another trace of the same kind for each (default: 1)", 0},
    {"output", 'o', "FILE", 0, "write the trace to FILE", 0},
    {"models", KEY_MODELS, NULL, 0, "list the models with their keys; MODEL: this one alone", 0},
    {"json", 'j', NULL, 0, "print one JSON object", 0},
    {0},
};

static uint64_t
read_count(struct argp_state *state, const char *option, const char *text, uint64_t least)
{
    uint64_t number = 0;
    if (!rh_count_parse(text, &number) || number < least)
        argp_error(state, "--%s=%s: it is a number%s", option, text, least ? ", 1 at least" : "");
    return number;
}

static error_t
parse(int key, char *argument, struct argp_state *state)
{
    generate_options *options = state->input;
    switch (key) {
    case KEY_EVENTS:
        options->events = read_count(state, "events", argument, 1);
        return 0;
    case KEY_SEED:
        options->seed = read_count(state, "seed", argument, 0);
        return 0;
    case KEY_LIKE:
        options->like = argument;
        return 0;
    case KEY_WINDOW:
        options->likeness.window = read_count(state, "window", argument, 1);
        if (options->likeness.window > WINDOW_MOST)
            argp_error(state, "--window=%s: at most %u", argument, (unsigned)WINDOW_MOST);
        return 0;
    case KEY_MODELS:
        options->models = true;
        return 0;
    case 'o':
        options->output = argument;
        return 0;
    case 'j':
        options->json = true;
        return 0;
    case ARGP_KEY_ARG:
        if (options->model)
            argp_error(state, "one model at a time; '%s' is the second", argument);
        options->model = argument;
        return 0;
    case ARGP_KEY_END:
        if (options->models)
            return 0;
        if (options->model && options->like)
            argp_error(state, "either a model or --like, not both");
        if ((!options->model && !options->like) || !options->output)
            argp_error(state, "name a model or a trace to be --like, and the trace to write (-o)");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp parser = {
    known,
    parse,
    "MODEL[,KEY=VALUE]...\n--like FILE",
    "Makes a trace, of a model or like another one. The same seed makes the same file, byte for "
    "byte.\v"
    "A model that has an end is made once when no number of events is given; with one it begins "
    "again until they are made. A trace --like another keeps what lasts of it; more events "
    "are more of what lives shortly.\n\n"
    "Example:\n"
    "  reheap generate --models\n"
    "  reheap generate random,live=50K,lifetimes=bimodal --events 10M -o random.rht\n"
    "  reheap generate profile,file=TCMALLOC_0.csv,live=256M -o fleet.rht\n"
    "  reheap generate --like program.rht --seed 2 -o another.rht",
    NULL,
    NULL,
    NULL,
};

/* ---- the list of models ---- */

static void
print_model(const rh_model *model)
{
    printf("%-10s  %s\n", model->name, model->summary);
    for (const rh_key *key = model->keys; key->name; key++) {
        printf("    %-9s %s\n              allowed: ", key->name, key->help);
        rh_key_print_allowed(key, stdout);
        printf("; default: %s\n", key->standard ? key->standard : "none; needed");
    }
    if (model->standard_events)
        printf("    --events  default: %" PRIu64 "\n", model->standard_events);
    else
        printf("    --events  default: one round\n");
}

static json_t *
describe_model(const rh_model *model)
{
    static const char *const kinds[] = {"size", "count", "choice", "text"};
    json_t *keys = json_array();
    for (const rh_key *key = model->keys; key->name; key++) {
        json_t *one = json_pack("{s:s, s:s, s:s, s:s?}", "name", key->name, "kind",
                                kinds[key->kind], "help", key->help, "default", key->standard);
        if (key->kind == RH_KEY_SIZE || key->kind == RH_KEY_COUNT) {
            json_object_set_new(one, "min", json_integer((json_int_t)key->min));
            json_object_set_new(one, "max", json_integer((json_int_t)key->max));
        } else if (key->choices) {
            json_object_set_new(one, "allowed", json_string(key->choices));
        }
        json_array_append_new(keys, one);
    }
    json_t *events =
        model->standard_events ? json_integer((json_int_t)model->standard_events) : json_null();
    return json_pack("{s:s, s:s, s:o, s:o}", "name", model->name, "summary", model->summary,
                     "events", events, "keys", keys);
}

static rh_status
print_object(json_t *object, rh_error *error)
{
    int failed = object ? json_dumpf(object, stdout, JSON_INDENT(2)) : -1;
    json_decref(object);
    putchar('\n');
    return failed ? rh_fail(error, RH_SYSTEM, "cannot print the JSON") : RH_OK;
}

static rh_status
list_models(const generate_options *options, rh_error *error)
{
    rh_model_spec only = {.model = NULL};
    if (options->model) {
        rh_status status = rh_model_parse(options->model, &only, error);
        /* A model that needs a key may be listed without. */
        for (size_t i = 0; status != RH_OK && rh_models[i]; i++)
            if (strcmp(rh_models[i]->name, options->model) == 0) {
                only.model = rh_models[i];
                status = RH_OK;
            }
        if (status != RH_OK)
            return status;
    }
    json_t *list = json_array();
    for (size_t i = 0, printed = 0; rh_models[i]; i++) {
        if (only.model && only.model != rh_models[i])
            continue;
        if (options->json) {
            json_array_append_new(list, describe_model(rh_models[i]));
        } else {
            printf("%s", printed++ ? "\n" : "");
            print_model(rh_models[i]);
        }
    }
    rh_model_spec_release(&only);
    if (!options->json) {
        json_decref(list);
        return RH_OK;
    }
    return print_object(json_pack("{s:s, s:o}", "schema", "reheap.generate/1", "models", list),
                        error);
}

/* ---- a trace ---- */

static bool
describe(const generate_options *options, rh_trace_info *info)
{
    char *command = NULL, *capture = NULL;
    const char *what = options->like ? "--like" : options->model;
    if (asprintf(&command, "reheap generate %s%s%s --events %" PRIu64 " --seed %" PRIu64, what,
                 options->like ? " " : "", options->like ? options->like : "", options->events,
                 options->seed) < 0)
        command = NULL;
    if (asprintf(&capture, "generate:%.*s", (int)strcspn(what, ","), what) < 0)
        capture = NULL;
    info->command = command;
    info->capture = capture;
    info->recorder = strdup("reheap generate");
    return command && capture && info->recorder;
}

static rh_status
open_maker(const generate_options *options, rh_trace_info *info, rh_maker *maker, rh_error *error)
{
    return describe(options, info)
               ? rh_maker_open(maker, options->output, info, options->seed, options->events, error)
               : rh_fail(error, RH_SYSTEM, "out of memory");
}

/* What was made, for the report. */
typedef struct generated {
    uint64_t events;
    rh_likeness_facts facts; /* with --like */
    rh_likeness_made made;
} generated;

static rh_status
make_model(generate_options *options, generated *outcome, rh_error *error)
{
    rh_model_spec spec;
    rh_trace_info info;
    rh_maker maker;
    rh_status status = rh_model_parse(options->model, &spec, error);
    if (status != RH_OK)
        return status;
    if (!options->events)
        options->events = spec.model->standard_events;
    rh_trace_info_init(&info);
    status = open_maker(options, &info, &maker, error);
    rh_trace_info_release(&info);
    if (status == RH_OK) {
        rh_model_call call = {&spec.settings, spec.model->keys};
        spec.model->run(&maker, &call);
        outcome->events = maker.events;
        status = rh_maker_close(&maker, error);
        if (status == RH_USAGE)
            rh_error_prefix(error, "model '%.160s'", options->model);
    }
    rh_model_spec_release(&spec);
    return status;
}

static rh_status
make_likeness(generate_options *options, generated *outcome, rh_error *error)
{
    rh_likeness *likeness;
    rh_trace_info info;
    rh_maker maker;
    rh_status status = rh_likeness_fit(options->like, &options->likeness, &likeness, error);
    if (status != RH_OK)
        return status;
    outcome->facts = rh_likeness_tell(likeness);
    if (!options->events)
        options->events = outcome->facts.events;
    rh_trace_info_init(&info);
    info.domains = rh_likeness_info(likeness)->domains;
    status = open_maker(options, &info, &maker, error);
    rh_trace_info_release(&info);
    if (status == RH_OK) {
        rh_likeness_make(likeness, &maker, &outcome->made);
        outcome->events = maker.events;
        status = rh_maker_close(&maker, error);
        if (status == RH_USAGE)
            rh_error_prefix(error, "%s", options->like);
    }
    rh_likeness_free(likeness);
    return status;
}

/* ---- what is said of it ---- */

static double
moved_share(const generated *outcome)
{
    const rh_likeness_made *made = &outcome->made;
    return made->neighbours ? (double)made->moved / (double)made->neighbours : 0;
}

static void
report_human(const generate_options *options, const generated *outcome)
{
    char count[RH_SIZE_TEXT];
    fprintf(stderr, "reheap generate: %s: %s events, seed %" PRIu64, options->output,
            rh_count_grouped(outcome->events, count, sizeof count), options->seed);
    if (options->like)
        fprintf(stderr, "; like %s, but %.0f %% of the births follow another one than there",
                options->like, 100 * moved_share(outcome));
    fputc('\n', stderr);
}

static rh_status
report_json(const generate_options *options, const generated *outcome, rh_error *error)
{
    json_t *object = json_pack("{s:s, s:o, s:I, s:I}", "schema", "reheap.generate/1", "file",
                               rh_trace_json_string(options->output), "events",
                               (json_int_t)outcome->events, "seed", (json_int_t)options->seed);
    if (options->model)
        json_object_set_new(object, "model", rh_trace_json_string(options->model));
    if (options->like)
        json_object_update_new(
            object,
            json_pack("{s:o, s:I, s:I, s:I, s:I, s:f}", "like", rh_trace_json_string(options->like),
                      "original_events", (json_int_t)outcome->facts.events, "lasting_events",
                      (json_int_t)outcome->facts.lasting_events, "windows",
                      (json_int_t)outcome->facts.windows, "lives", (json_int_t)outcome->facts.lives,
                      "moved_share", moved_share(outcome)));
    return print_object(object, error);
}

static rh_status
generate(generate_options *options, rh_error *error)
{
    generated outcome = {.events = 0};
    rh_status status = options->like ? make_likeness(options, &outcome, error)
                                     : make_model(options, &outcome, error);
    if (status == RH_OK && options->json)
        status = report_json(options, &outcome, error);
    else if (status == RH_OK)
        report_human(options, &outcome);
    return status;
}

static int
run(int argc, char **argv)
{
    generate_options options = {.seed = 1};
    rh_error error = {.status = RH_OK};
    argp_err_exit_status = RH_USAGE;
    argp_parse(&parser, argc, argv, 0, NULL, &options);
    rh_interrupt_watch();
    rh_status status = options.models ? list_models(&options, &error) : generate(&options, &error);
    if (status != RH_OK)
        fprintf(stderr, "reheap generate: %s\n", error.message);
    return (int)status;
}

const rh_command rh_cmd_generate = {"generate",
                                    "make a trace: classic models, a profile, a likeness", run};
