/* reheap export: a trace as text, or in the form of others. */
#include <argp.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/output.h"
#include "base/size.h"
#include "traces/commands.h"
#include "traces/export.h"
#include "traces/format.h"
#include "traces/one_trace.h"
#include "traces/reader.h"

typedef struct export_options {
    const rh_exporter *exporter;
    rh_one_trace trace; /* output NULL: standard output */
} export_options;

static const struct argp_option known[] = {
    {"to", 't', "FORMAT", 0, "what to write: see below", 0},
    {0},
};

static error_t
parse(int key, char *argument, struct argp_state *state)
{
    export_options *options = state->input;
    switch (key) {
    case 't':
        for (const rh_exporter *const *at = rh_exporters; *at && !options->exporter; at++)
            if (strcmp((*at)->name, argument) == 0)
                options->exporter = *at;
        if (!options->exporter)
            argp_error(state,
                       "--to=%s: there is no such format; it is one of text, android and dsa",
                       argument);
        return 0;
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &options->trace;
        return 0;
    case ARGP_KEY_END:
        if (!options->exporter)
            argp_error(state, "name the format (--to)");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp parser = {
    known,
    parse,
    "FILE",
    "Writes a trace in another form.\v"
    "Formats:\n"
    "  text     reheap's own text, which can be imported again\n"
    "  android  Android's memory_replay: `TID: malloc P SIZE`; stand-ins for\n"
    "           addresses that are not in the trace\n"
    "  dsa      a packing problem: id,lower,upper,size; time is counted in\n"
    "           calls, blocks of 0 bytes are left out\n\n"
    "Example:\n"
    "  reheap export --to text program.rht | less",
    rh_one_trace_to_text_argp,
    NULL,
    NULL,
};

static rh_status
export_to(const export_options *options, rh_reader *reader, rh_export_report *report,
          rh_error *error)
{
    const rh_one_trace *trace = &options->trace;
    if (!trace->output)
        return options->exporter->run(reader, trace->path, stdout, report, error);
    if (rh_output_there(trace->output, RH_TRACE_MAGIC, sizeof RH_TRACE_MAGIC - 1) == RH_THERE_OURS)
        return rh_fail(error, RH_USAGE,
                       "%s: a trace is there, and would be replaced by what is no trace; remove it "
                       "first, or choose another name",
                       trace->output);
    rh_output_file file;
    rh_status status = rh_output_open(&file, trace->output, error);
    if (status != RH_OK)
        return status;
    status = options->exporter->run(reader, trace->path, file.stream, report, error);
    if (status == RH_OK)
        return rh_output_commit(&file, error);
    rh_output_abandon(&file);
    if (status == RH_INTERRUPTED)
        rh_fail(error, RH_INTERRUPTED, "%s: interrupted; there is no %s", trace->path,
                trace->output);
    return status;
}

static int
run(int argc, char **argv)
{
    export_options options = {0};
    rh_export_report report = {0};
    rh_error error = {.status = RH_OK};
    rh_reader *reader;
    argp_err_exit_status = RH_USAGE;
    argp_parse(&parser, argc, argv, 0, NULL, &options);
    rh_interrupt_watch();
    rh_status status = rh_reader_open(options.trace.path, NULL, &reader, &error);
    if (status == RH_OK) {
        status = export_to(&options, reader, &report, &error);
        rh_reader_close(reader);
    }
    if (status != RH_OK) {
        fprintf(stderr, "reheap export: %s\n", error.message);
        return (int)status;
    }
    char count[RH_SIZE_TEXT];
    if (report.left_out)
        fprintf(stderr, "reheap export: %s events left out, for which the format has no words\n",
                rh_count_grouped(report.left_out, count, sizeof count));
    return RH_OK;
}

const rh_command rh_cmd_export = {"export", "write a trace as text or in another's form", run};
