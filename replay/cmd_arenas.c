#define _GNU_SOURCE
/* reheap arenas: how full a heap's arenas are, and what keeps those that are nearly empty. */
#include <argp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/host.h"
#include "base/option_words.h"
#include "base/output.h"
#include "replay/cmd_arenas_show.h"
#include "replay/commands.h"
#include "replay/experiment.h"
#include "replay/experiment_options.h"

typedef struct arenas_options {
    rh_experiment_call call;
    const char *at[RH_PIN_ASKED + 3];
    rh_arenas_view view;
} arenas_options;

enum { KEY_AT = 256, KEY_UNDER, KEY_BY, KEY_ROWS, KEY_LIST };

static const struct argp_option known[] = {
    RH_OPTION_ALLOCATOR("pymalloc"),
    {"at", KEY_AT, "WHEN", 0,
     "the moment to look into: peak, worst, end, the number of an event or the text of a mark; may "
     "be given again (default: worst)",
     0},
    {"under", KEY_UNDER, "PERCENT", 0, "arenas less than so full (default: 25)", 0},
    {"by", KEY_BY, "LIST", 0,
     "of size,lifetime,lifetime_from,domain,birth,size_lifetime (default: the first five)", 0},
    {"rows", KEY_ROWS, "N", 0, "rows of a table (default: 12, at most 64)", 0},
    {"list", KEY_LIST, NULL, 0, "every arena, too: birth, death, slot, and what keeps it", 0},
    RH_OPTION_AGE,
    RH_OPTION_DOMAIN,
    RH_OPTION_SAMPLES,
    RH_OPTION_OUTPUT(", for `reheap plot`"),
    RH_OPTION_JSON("tables"),
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
    rh_pin_wish *wish = &options->call.experiment.pin_wish;
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
    rh_experiment *experiment = &options->call.experiment;
    if (experiment->trace_count == 0)
        argp_error(state, "name the recording to look into; `reheap record` makes one");
    if (experiment->spec_count == 0)
        rh_experiment_call_spec(&options->call, "pymalloc");
    if (options->view.at_count == 0)
        options->at[options->view.at_count++] = "worst";
    options->view.at = options->at;
    experiment->pin_wish.under_percent = options->view.under_percent;
}

static error_t
parse(int key, char *argument, struct argp_state *state)
{
    arenas_options *options = state->input;
    switch (key) {
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
    return options->call.json ? rh_arenas_show_json(results, options->view.lives, error)
                              : rh_arenas_show_tables(results, &options->view, error);
}

static rh_status
look(const arenas_options *options, rh_error *error)
{
    rh_results *results;
    rh_status status = rh_results_create(options->call.output, &results, error);
    if (status != RH_OK)
        return status;
    status = rh_experiment_run(&options->call.experiment, results, error);
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
    rh_experiment_call_init(&options.call);
    options.call.experiment.measures = RH_MEASURE_MEMORY;
    options.call.experiment.repetitions = 1;
    options.call.experiment.pins = true;
    argp_err_exit_status = RH_USAGE;
    argp_parse(&parser, argc, argv, 0, NULL, &options);
    options.call.experiment.command = line;
    rh_interrupt_watch();
    rh_host_keep_freed(); /* each pass reads the trace */
    rh_error error = {.status = RH_OK};
    rh_status status = look(&options, &error);
    if (status != RH_OK)
        fprintf(stderr, "reheap arenas: %s\n", error.message);
    free(line);
    return (int)status;
}

const rh_command rh_cmd_arenas = {"arenas", "how full arenas are, and what keeps empty ones", run};
