/* reheap check: whether a trace is sound. */
#include <argp.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

#include "base/error.h"
#include "base/output.h"
#include "base/size.h"
#include "traces/check.h"
#include "traces/commands.h"
#include "traces/one_trace.h"
#include "traces/read_loop.h"
#include "traces/trace_json.h"

static const struct argp parser = {
    NULL,
    rh_one_reading_parse,
    "FILE",
    "Checks a trace: every checksum, every rule of the format, and whether its events and sums can "
    "be "
    "true together.\v"
    "Exit code: 0 sound (a missing index is told, and is no fault); 1 something in it contradicts "
    "itself; 3 damaged, and which events are lost is told, or not a trace.\n\n"
    "Example:\n"
    "  reheap check program.rht",
    rh_one_trace_reading_argp,
    NULL,
    NULL,
};

static const char *const index_names[] = {
    [RH_INDEX_SOUND] = "sound", [RH_INDEX_MISSING] = "missing", [RH_INDEX_DAMAGED] = "damaged"};

static json_t *
json_notes(const rh_check_report *report, bool damage)
{
    json_t *notes = json_array();
    for (size_t i = 0; i < report->notes; i++)
        if (report->note[i].damage == damage)
            json_array_append_new(notes, rh_trace_json_string(report->note[i].text));
    return notes;
}

static void
print_json(const rh_one_reading *options, const rh_check_report *report, rh_status status)
{
    json_t *object = json_object();
    json_object_set_new(object, "schema", json_string("reheap.check/1"));
    json_object_set_new(object, "file", rh_trace_json_string(options->trace.path));
    json_object_set_new(object, "sound", json_boolean(status == RH_OK));
    json_object_set_new(object, "index", json_string(index_names[report->index]));
    json_object_set_new(object, "events", json_integer((json_int_t)report->events));
    json_object_set_new(object, "lost_events", json_integer((json_int_t)report->lost_events));
    json_object_set_new(object, "damaged_places", json_integer((json_int_t)report->damages));
    json_object_set_new(object, "breaches", json_integer((json_int_t)report->breaches));
    json_object_set_new(object, "damage", json_notes(report, true));
    json_object_set_new(object, "contradictions", json_notes(report, false));
    json_dumpf(object, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(object);
}

static void
print_human(const rh_one_reading *options, const rh_check_report *report, rh_status status)
{
    char events[RH_SIZE_TEXT], lost[RH_SIZE_TEXT];
    for (size_t i = 0; i < report->notes; i++)
        printf("%s: %s: %s\n", options->trace.path,
               report->note[i].damage ? "damaged" : "contradiction", report->note[i].text);
    size_t more = report->damages + report->breaches - report->notes;
    if (more)
        printf("%s: and %zu more\n", options->trace.path, more);
    if (report->index == RH_INDEX_MISSING && report->damages == 0)
        printf("%s: there is no index: the recording ended early, after its last whole block\n",
               options->trace.path);
    rh_count_grouped(report->events, events, sizeof events);
    rh_count_grouped(report->lost_events, lost, sizeof lost);
    if (status == RH_BAD_INPUT)
        printf("%s: damaged in %zu place%s; %s events can be read, at least %s are lost\n",
               options->trace.path, report->damages, report->damages == 1 ? "" : "s", events, lost);
    else if (status == RH_DIFFERENT)
        printf("%s: undamaged, %s events, but %zu contradiction%s\n", options->trace.path, events,
               report->breaches, report->breaches == 1 ? "" : "s");
    else
        printf("%s: sound, %s events, arena events, marks and checkpoints included\n",
               options->trace.path, events);
}

static rh_status
check(const rh_one_reading *options, rh_error *error)
{
    rh_progress progress;
    rh_progress_begin(&progress, "checking", "events", 0);
    rh_parallel_options parallel = {
        .jobs = options->reading.jobs, .watch = rh_read_loop_watch, .ctx = &progress};
    rh_check_report report;
    rh_status status =
        rh_check_trace(options->trace.path, options->reading.max_live, &parallel, &report, error);
    rh_progress_end(&progress);
    if (error->status != RH_OK)
        return error->status;
    if (options->trace.json)
        print_json(options, &report, status);
    else
        print_human(options, &report, status);
    return status;
}

static int
run(int argc, char **argv)
{
    rh_one_reading options = {.trace = {.path = NULL}};
    argp_err_exit_status = RH_USAGE;
    argp_parse(&parser, argc, argv, 0, NULL, &options);
    rh_interrupt_watch();
    rh_error error = {.status = RH_OK};
    rh_status status = check(&options, &error);
    if (error.status == RH_OK && (fflush(stdout) != 0 || ferror(stdout)))
        status = rh_fail(&error, RH_SYSTEM, "cannot print to the standard output");
    if (error.status != RH_OK)
        fprintf(stderr, "reheap check: %s\n", error.message);
    return (int)status;
}

const rh_command rh_cmd_check = {"check", "say whether a trace is sound", run};
