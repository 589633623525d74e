#define _GNU_SOURCE
/* reheap arenas: how full a heap's arenas are, and what keeps those that are nearly empty. */
#include <argp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/option_words.h"
#include "base/output.h"
#include "replay/cmd_arenas_show.h"
#include "replay/commands.h"
#include "replay/experiment.h"
#include "replay/provenance.h"

#define WORDS_MOST 256

typedef struct arenas_options {
    const char *traces[WORDS_MOST], *specs[WORDS_MOST];
    const char *at[RH_PIN_ASKED + 3];
    rh_experiment experiment;
    rh_arenas_view view;
    const char *output;
    bool json;
} arenas_options;

enum { KEY_AT = 256, KEY_UNDER, KEY_BY, KEY_ROWS, KEY_LIST, KEY_DOMAIN, KEY_SAMPLES };

static const struct argp_option known[] = {
    {"allocator", 'a', "SPEC", 0, "an allocator; may be given again (default: pymalloc)", 0},
    {"at", KEY_AT, "WHEN", 0,
     "the moment to look into: peak, worst, end, the number of an event or the text of a mark; may "
     "be given again (default: worst)",
     0},
    {"under", KEY_UNDER, "PERCENT", 0, "arenas less than so full (default: 25)", 0},
    {"by", KEY_BY, "LIST", 0,
     "of size,lifetime,lifetime_from,domain,birth,size_lifetime (default: the first five)", 0},
    {"rows", KEY_ROWS, "N", 0, "rows of a table (default: 12, at most 64)", 0},
    {"list", KEY_LIST, NULL, 0, "every arena, too: birth, death, slot, and what keeps it", 0},
    {"domain", KEY_DOMAIN, "D", 0,
     "where a recording without domains goes: raw, mem or obj (default: obj)", 0},
    {"samples", KEY_SAMPLES, "N", 0, "memory samples a run (default: 1000)", 0},
    {"output", 'o', "RESULTS", 0, "keep the results in this file, for `reheap plot`", 0},
    {"json", 'j', NULL, 0, "print one JSON object instead of tables", 0},
    {0},
};

static void
choose_tables(struct argp_state *state, char *list)
{
    arenas_options *options = state->input;
    char *rest = list, *word;
    memset(options->view.by, 0, sizeof options->view.by);
    while ((word = strsep(&rest, ",")))
        options->view.by[rh_option_choice(state, "grouping", word, rh_pin_by_names)] = true;
}

static void
add_point(struct argp_state *state, const char *word)
{
    static const char *const standard[] = {"peak", "worst", "end"};
    arenas_options *options = state->input;
    rh_pin_wish *wish = &options->experiment.pin_wish;
    bool always = false;
    for (size_t i = 0; i < 3; i++)
        always = always || strcmp(word, standard[i]) == 0;
    for (size_t i = 0; i < options->view.at_count; i++)
        if (strcmp(options->at[i], word) == 0)
            return; /* said twice, meant once */
    if (!always && wish->at_count == RH_PIN_ASKED)
        argp_error(state, "--at: more than %d moments at once", RH_PIN_ASKED);
    if (!always)
        wish->at[wish->at_count++] = word;
    options->at[options->view.at_count++] = word;
}

static void
finish_options(struct argp_state *state, arenas_options *options)
{
    rh_experiment *experiment = &options->experiment;
    if (experiment->trace_count == 0)
        argp_error(state, "name the recording to look into; `reheap record` makes one");
    if (experiment->spec_count == 0)
        options->specs[experiment->spec_count++] = "pymalloc";
    if (options->view.at_count == 0)
        options->at[options->view.at_count++] = "worst";
    experiment->traces = options->traces;
    experiment->specs = options->specs;
    options->view.at = options->at;
    experiment->pin_wish.under_percent = options->view.under_percent;
}

static error_t
parse(int key, char *argument, struct argp_state *state)
{
    arenas_options *options = state->input;
    rh_experiment *experiment = &options->experiment;
    switch (key) {
    case 'a':
        rh_option_add(state, options->specs, WORDS_MOST, &experiment->spec_count, argument);
        return 0;
    case 'o':
        options->output = argument;
        return 0;
    case 'j':
        options->json = true;
        return 0;
    case KEY_AT:
        add_point(state, argument);
        return 0;
    case KEY_UNDER:
        options->view.under_percent =
            (unsigned)rh_option_number(state, "--under", argument, 1, 100);
        return 0;
    case KEY_BY:
        choose_tables(state, argument);
        return 0;
    case KEY_ROWS:
        options->view.rows = (unsigned)rh_option_number(state, "--rows", argument, 1, RH_PIN_ROWS);
        return 0;
    case KEY_LIST:
        options->view.lives = true;
        return 0;
    case KEY_DOMAIN:
        experiment->domain = rh_option_choice(state, "domain", argument, rh_domain_names);
        return 0;
    case KEY_SAMPLES:
        experiment->samples = (unsigned)rh_option_number(state, "--samples", argument, 1, 1000000);
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
    "Replays recordings and shows how full the allocator's arenas are, and which blocks keep those "
    "that are nearly empty: by size, by how long they stay, by domain and by the phase they came "
    "in.\v"
    "pins: an arena counts for each of its groups in equal parts. alone: arenas that hold no other "
    "blocks. if apart: what would be given back had this group lived in arenas of its own. packed: "
    "arenas that would do if blocks could be moved. worst: when most arenas are there beyond "
    "that.\n\n"
    "Example:\n"
    "  reheap arenas program.rht --at end -o arenas.db\n"
    "  reheap plot arenas.db -o figures",
    NULL,
    NULL,
    NULL,
};

static rh_status
show(const arenas_options *options, rh_results *results, rh_error *error)
{
    return options->json ? rh_arenas_show_json(results, options->view.lives, error)
                         : rh_arenas_show_tables(results, &options->view, error);
}

static rh_status
look(const arenas_options *options, rh_error *error)
{
    rh_results *results;
    rh_status status = rh_results_create(options->output, &results, error);
    if (status != RH_OK)
        return status;
    status = rh_experiment_run(&options->experiment, results, error);
    /* Failed runs do not hide the others. */
    rh_error problem = {.status = RH_OK};
    if (status != RH_USAGE && rh_results_check_kept(results, true, &problem) != RH_OK)
        status = rh_fail(error, problem.status, "%s", problem.message);
    if ((status == RH_OK || status == RH_CANNOT_RUN) && show(options, results, &problem) != RH_OK &&
        status == RH_OK)
        status = rh_fail(error, problem.status, "%s", problem.message);
    rh_results_close(results);
    return status;
}

static int
run(int argc, char **argv)
{
    char *line = rh_option_line(argc, argv);
    arenas_options options = {.view = {.under_percent = 25, .rows = 12}};
    for (int by = 0; by < RH_PIN_SIZE_LIFETIME; by++)
        options.view.by[by] = true;
    rh_experiment_init(&options.experiment);
    options.experiment.measures = RH_MEASURE_MEMORY;
    options.experiment.repetitions = 1;
    options.experiment.pins = true;
    argp_err_exit_status = RH_USAGE;
    argp_parse(&parser, argc, argv, 0, NULL, &options);
    options.experiment.command = line;
    rh_interrupt_watch();
    rh_error error = {.status = RH_OK};
    rh_status status = look(&options, &error);
    if (status != RH_OK)
        fprintf(stderr, "reheap arenas: %s\n", error.message);
    free(line);
    return (int)status;
}

const rh_command rh_cmd_arenas = {"arenas", "how full arenas are, and what keeps empty ones", run};
