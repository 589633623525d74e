/* reheap import: a trace that something else wrote becomes one of ours. */
#define _GNU_SOURCE
#include <argp.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/output.h"
#include "base/size.h"
#include "traces/commands.h"
#include "traces/import.h"

enum { KEY_LENIENT = 256 };

static const struct argp_option known[] = {
    {"from", 'f', "FORMAT", 0, "what IN is: see below", 0},
    {"output", 'o', "FILE", 0, "write the trace to FILE", 0},
    {"lenient", KEY_LENIENT, NULL, 0, "leave out lines that make no sense, and count them", 0},
    {0},
};

static error_t
parse(int key, char *argument, struct argp_state *state)
{
    rh_import_options *options = state->input;
    switch (key) {
    case 'f':
        for (const rh_importer *const *at = rh_importers; *at && !options->importer; at++)
            if (strcmp((*at)->name, argument) == 0)
                options->importer = *at;
        if (!options->importer)
            argp_error(state, "--from=%s: there is no such format; --help lists them", argument);
        return 0;
    case 'o':
        options->output = argument;
        return 0;
    case KEY_LENIENT:
        options->lenient = true;
        return 0;
    case ARGP_KEY_ARG:
        if (options->input)
            argp_error(state, "one file at a time; '%s' is the second", argument);
        options->input = argument;
        return 0;
    case ARGP_KEY_END:
        if (!options->input || !options->importer || !options->output)
            argp_error(state,
                       "name the format (--from), the file to read, and the trace to write (-o)");
        if (rh_output_same_file(options->input, options->output))
            argp_error(state, "%s is what is read; give what is written another name",
                       options->output);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* The list of formats goes between the two parts of the text. */
static char *
list_formats(int key, const char *text, void *input)
{
    (void)input;
    if (key != ARGP_KEY_HELP_POST_DOC)
        return (char *)(uintptr_t)text;
    char *list = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&list, &bytes);
    if (!out)
        return NULL;
    fputs("Formats:\n", out);
    for (const rh_importer *const *at = rh_importers; *at; at++)
        fprintf(out, "  %-10s %s\n", (*at)->name, (*at)->summary);
    fprintf(out, "\n%s", text);
    fclose(out);
    return list;
}

static const struct argp parser = {
    known,
    parse,
    "IN",
    "Makes a trace of a file that something else wrote; IN may be - for standard input, and packed "
    "with zstd.\v"
    "Examples:\n"
    "  reheap import --from heaptrack heaptrack.app.1234.zst -o app.rht\n"
    "  unzip -p systemui.zip | reheap import --from android - -o systemui.rht",
    NULL,
    list_formats,
    NULL,
};

static int
run(int argc, char **argv)
{
    rh_import_options options = {0};
    rh_import_report report;
    rh_error error = {.status = RH_OK};
    char events[RH_SIZE_TEXT], lines[RH_SIZE_TEXT], skipped[RH_SIZE_TEXT];
    argp_err_exit_status = RH_USAGE;
    argp_parse(&parser, argc, argv, 0, NULL, &options);
    rh_interrupt_watch();
    rh_status status = rh_import_run(&options, &report, &error);
    if (status != RH_OK) {
        fprintf(stderr, "reheap import: %s\n", error.message);
        return (int)status;
    }
    fprintf(stderr, "reheap import: %s: %s events from %s lines\n", options.output,
            rh_count_grouped(report.events, events, sizeof events),
            rh_count_grouped(report.lines, lines, sizeof lines));
    if (report.skipped)
        fprintf(stderr, "reheap import: %s lines left out; the first: %s\n",
                rh_count_grouped(report.skipped, skipped, sizeof skipped), report.first_skipped);
    return RH_OK;
}

const rh_command rh_cmd_import = {"import", "make a trace of a file that something else wrote",
                                  run};
