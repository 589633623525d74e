/* reheap diff: what changed between two traces: how much was asked for, in what sizes, for how
 * long. */
#include <argp.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/output.h"
#include "base/size.h"
#include "traces/commands.h"
#include "traces/info_format.h"
#include "traces/one_trace.h"
#include "traces/read_loop.h"
#include "traces/reader.h"
#include "traces/summary.h"
#include "traces/trace_json.h"

enum { OLD, NEW, SIDES };

typedef struct diff_options {
    const char *paths[SIDES];
    unsigned count;
    bool json;
    rh_reading_options reading;
} diff_options;

static const struct argp_option known[] = {
    {"json", 'j', NULL, 0, "print one JSON object", 0},
    {0},
};

static error_t
parse(int key, char *argument, struct argp_state *state)
{
    diff_options *options = state->input;
    switch (key) {
    case 'j':
        options->json = true;
        return 0;
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &options->reading;
        return 0;
    case ARGP_KEY_ARG:
        if (options->count == SIDES)
            argp_error(state, "two traces; '%s' is the third", argument);
        options->paths[options->count++] = argument;
        return 0;
    case ARGP_KEY_END:
        if (options->count < SIDES)
            argp_error(state, "name two traces, the older first");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp parser = {
    known,
    parse,
    "OLD NEW",
    "Sets two traces side by side: counts, the sizes that are asked for, and how long blocks live. "
    "Ends with 0, whether they differ or not.\v"
    "Example:\n"
    "  reheap diff before.rht after.rht",
    rh_reading_argp,
    NULL,
    NULL,
};

static rh_status
read_side(const diff_options *options, int which, rh_summary *summary, rh_error *error)
{
    rh_reader_options how = {.max_live_blocks = options->reading.max_live};
    rh_reader *reader;
    rh_status status = rh_reader_open(options->paths[which], &how, &reader, error);
    if (status != RH_OK)
        return status;
    rh_progress progress;
    rh_progress_begin(&progress, "reading", "events", 0);
    rh_parallel_options parallel = {
        .jobs = options->reading.jobs, .watch = rh_read_loop_watch, .ctx = &progress};
    status = rh_summary_read(summary, reader, &how, &parallel, error);
    rh_progress_end(&progress);
    rh_reader_close(reader);
    return status;
}

/* What is compared: counts under the names that `info --json` has. */
typedef struct figure {
    const char *name, *label;
    bool bytes;
    uint64_t value[SIDES];
} figure;

enum { FIGURES = 9 };

static void
collect(const rh_summary sides[SIDES], figure figures[FIGURES])
{
    for (int i = 0; i < SIDES; i++) {
        const rh_trace_info *totals = &sides[i].digest.totals;
        const struct {
            const char *name, *label;
            bool bytes;
            uint64_t value;
        } all[FIGURES] = {
            {"events", "events", false, totals->events},
            {"allocations", "allocations", false, totals->allocations},
            {"reallocations", "reallocations", false, totals->reallocations},
            {"frees", "frees", false, totals->frees},
            {"requested_bytes", "requested, in all", true, sides[i].digest.birth_bytes},
            {"peak_live_blocks", "most blocks alive", false, totals->peak_live_blocks},
            {"peak_requested_bytes", "most bytes alive", true, totals->peak_requested_bytes},
            {"end_requested_bytes", "bytes alive at the end", true, totals->end_requested_bytes},
            {"threads", "threads", false, totals->threads},
        };
        for (int at = 0; at < FIGURES; at++) {
            figures[at].name = all[at].name;
            figures[at].label = all[at].label;
            figures[at].bytes = all[at].bytes;
            figures[at].value[i] = all[at].value;
        }
    }
}

static void
change_cell(rh_table *table, uint64_t before, uint64_t after)
{
    if (before == after)
        rh_table_cell(table, "=");
    else if (before == 0)
        rh_table_cell(table, "new");
    else
        rh_table_cell(table, "%+.1f %%", 100.0 * ((double)after - (double)before) / (double)before);
}

static void
row(rh_table *table, const char *label, bool bytes, uint64_t before, uint64_t after)
{
    char text[SIDES][RH_SIZE_TEXT];
    const uint64_t value[SIDES] = {before, after};
    rh_table_cell(table, "  %s", label);
    for (int i = 0; i < SIDES; i++)
        rh_table_cell(table, "%s",
                      bytes ? rh_size_human(value[i], text[i], sizeof text[i])
                            : rh_count_grouped(value[i], text[i], sizeof text[i]));
    change_cell(table, before, after);
}

static rh_table *
begin_table(const char *what)
{
    rh_table *table = rh_table_new(4);
    rh_table_cell(table, "  %s", what);
    rh_table_cell(table, "old");
    rh_table_cell(table, "new");
    rh_table_cell(table, "change");
    return table;
}

static void
end_table(rh_table *table)
{
    rh_table_print(table, stdout);
    rh_table_free(table);
    putchar('\n');
}

static void
print_human(const diff_options *options, const rh_summary sides[SIDES])
{
    char label[RH_SIZE_TEXT];
    figure figures[FIGURES];
    collect(sides, figures);
    printf("old: %s\nnew: %s\n\n", options->paths[OLD], options->paths[NEW]);
    rh_table *table = begin_table("");
    for (int i = 0; i < FIGURES; i++)
        row(table, figures[i].label, figures[i].bytes, figures[i].value[OLD],
            figures[i].value[NEW]);
    end_table(table);
    table = begin_table("requests of up to");
    for (unsigned i = 0; i < RH_DIGEST_SIZES; i++) {
        uint64_t before = sides[OLD].digest.size_births[i],
                 after = sides[NEW].digest.size_births[i];
        uint64_t limit = rh_digest_bucket_limit(i);
        if (before || after)
            row(table, limit == UINT64_MAX ? "more" : rh_size_exact(limit, label, sizeof label),
                false, before, after);
    }
    end_table(table);
    table = begin_table("blocks that live up to, calls");
    for (unsigned i = 0; i < RH_LIFETIMES; i++) {
        uint64_t before = sides[OLD].habits.lifetimes[i], after = sides[NEW].habits.lifetimes[i];
        uint64_t limit = rh_lifetime_limit(i);
        if (before || after)
            row(table,
                limit == UINT64_MAX ? "longer" : rh_count_grouped(limit, label, sizeof label),
                false, before, after);
    }
    row(table, "to the end", false, sides[OLD].habits.survivors, sides[NEW].habits.survivors);
    end_table(table);
}

static void
append_bucket(json_t *list, const char *limit_name, uint64_t limit, uint64_t before, uint64_t after)
{
    if (!before && !after)
        return;
    json_t *bucket = json_object();
    rh_info_set_count(bucket, limit_name, limit);
    rh_info_set_count(bucket, "old", before);
    rh_info_set_count(bucket, "new", after);
    json_array_append_new(list, bucket);
}

static rh_status
print_json(const diff_options *options, const rh_summary sides[SIDES], rh_error *error)
{
    figure figures[FIGURES];
    json_t *object = json_object(), *counts = json_object(), *sizes = json_array(),
           *lifetimes = json_array();
    collect(sides, figures);
    json_object_set_new(object, "schema", json_string("reheap.diff/1"));
    json_object_set_new(object, "old", rh_trace_json_string(options->paths[OLD]));
    json_object_set_new(object, "new", rh_trace_json_string(options->paths[NEW]));
    for (int i = 0; i < FIGURES; i++) {
        json_t *pair = json_object();
        rh_info_set_count(pair, "old", figures[i].value[OLD]);
        rh_info_set_count(pair, "new", figures[i].value[NEW]);
        json_object_set_new(counts, figures[i].name, pair);
    }
    for (unsigned i = 0; i < RH_DIGEST_SIZES; i++)
        append_bucket(sizes, "up_to_bytes", rh_digest_bucket_limit(i),
                      sides[OLD].digest.size_births[i], sides[NEW].digest.size_births[i]);
    for (unsigned i = 0; i < RH_LIFETIMES; i++)
        append_bucket(lifetimes, "up_to_calls", rh_lifetime_limit(i),
                      sides[OLD].habits.lifetimes[i], sides[NEW].habits.lifetimes[i]);
    json_object_set_new(object, "counts", counts);
    json_object_set_new(object, "requests", sizes);
    json_object_set_new(object, "lifetimes", lifetimes);
    int failed = json_dumpf(object, stdout, JSON_INDENT(2));
    json_decref(object);
    putchar('\n');
    return failed ? rh_fail(error, RH_SYSTEM, "cannot print the JSON") : RH_OK;
}

static int
run(int argc, char **argv)
{
    rh_summary sides[SIDES];
    diff_options options = {.count = 0};
    rh_error error = {.status = RH_OK};
    rh_status status = RH_OK;
    argp_err_exit_status = RH_USAGE;
    argp_parse(&parser, argc, argv, 0, NULL, &options);
    rh_interrupt_watch();
    for (int i = 0; i < SIDES; i++)
        if (!rh_summary_init(&sides[i]))
            status = rh_fail(&error, RH_SYSTEM, "out of memory");
    for (int i = 0; i < SIDES && status == RH_OK; i++)
        status = read_side(&options, i, &sides[i], &error);
    if (status == RH_OK && options.json)
        status = print_json(&options, sides, &error);
    else if (status == RH_OK)
        print_human(&options, sides);
    for (int i = 0; i < SIDES; i++)
        rh_summary_release(&sides[i]);
    if (status != RH_OK)
        fprintf(stderr, "reheap diff: %s\n", error.message);
    return (int)status;
}

const rh_command rh_cmd_diff = {"diff", "set two traces side by side: what changed", run};
