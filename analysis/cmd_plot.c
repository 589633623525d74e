/* reheap plot: the figures of a results file. */
#include <argp.h>
#include <stdio.h>
#include <stdlib.h>

#include "analysis/commands.h"
#include "analysis/gnuplot.h"
#include "analysis/plot.h"
#include "analysis/summary.h"
#include "base/output.h"

typedef struct plot_options {
    const char *results, *directory;
} plot_options;

static const struct argp_option known[] = {
    {"output", 'o', "DIR", 0, "the folder for the figures; needed", 0},
    {0},
};

static error_t
parse(int key, char *argument, struct argp_state *state)
{
    plot_options *options = state->input;
    switch (key) {
    case 'o':
        options->directory = argument;
        return 0;
    case ARGP_KEY_ARG:
        if (options->results)
            argp_error(state, "one results file at a time; '%s' is the second", argument);
        options->results = argument;
        return 0;
    case ARGP_KEY_END:
        if (!options->results)
            argp_error(state, "name the results file that `reheap replay -o` wrote");
        if (!options->directory || !*options->directory)
            argp_error(state, "name the folder for the figures with -o DIR");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp parser = {
    known,
    parse,
    "RESULTS -o DIR",
    "Draws what a results file holds: memory, fragmentation and arenas over time, the parts of the "
    "memory at the peak, tails of latency, speed against memory, and maps of arena by pool size "
    "where the results have such a grid.\v"
    "Each figure is an SVG and a PNG, beside the gnuplot script and the table it was drawn from: "
    "change NAME.gp and run `gnuplot NAME.gp` in DIR. figures.html shows them all.\n\n"
    "Example:\n"
    "  reheap replay program.rht -a pymalloc -a mimalloc -o runs.db\n"
    "  reheap plot runs.db -o figures",
    NULL,
    NULL,
    NULL,
};

static rh_status
plot(const plot_options *options, rh_error *error)
{
    rh_summary *summary;
    rh_status status = rh_summary_open(options->results, &summary, error);
    if (status != RH_OK)
        return status;
    rh_figures figures = {.figure = NULL};
    status = rh_plot_all(summary, &figures, error);
    if (status == RH_OK && figures.count == 0)
        status = rh_fail(error, RH_BAD_INPUT, "%s: no run in it succeeded: nothing to draw",
                         options->results);
    if (status == RH_OK)
        status =
            rh_figures_draw(&figures, options->directory, summary->workloads[0].command, error);
    for (size_t i = 0; status == RH_OK && i < figures.count; i++)
        printf("%s/%s.svg  %s\n", options->directory, figures.figure[i].name,
               figures.figure[i].caption);
    rh_figures_release(&figures);
    rh_summary_close(summary);
    return status;
}

static int
run(int argc, char **argv)
{
    plot_options options = {.results = NULL};
    argp_err_exit_status = RH_USAGE;
    argp_parse(&parser, argc, argv, 0, NULL, &options);
    rh_interrupt_watch();
    rh_error error = {.status = RH_OK};
    rh_status status = plot(&options, &error);
    if (status != RH_OK)
        fprintf(stderr, "reheap plot: %s\n", error.message);
    return (int)status;
}

const rh_command rh_cmd_plot = {"plot", "draw the figures of a results file", run};
