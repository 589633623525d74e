/* reheap compare: which differences between allocators, or between two experiments, mean anything.
 */
#include <argp.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/alike.h"
#include "analysis/commands.h"
#include "analysis/compare.h"
#include "analysis/gate.h"
#include "analysis/summary.h"
#include "base/output.h"
#include "base/size.h"

#define GATES_MOST 64

typedef struct compare_options {
    const char *results, *newer, *baseline, *reference;
    rh_gate gates[GATES_MOST];
    size_t gate_count;
    bool json;
} compare_options;

/* What the gates said of all allocators. */
typedef struct gate_report {
    rh_table *table; /* of those that do not hold; NULL: none yet */
    json_t *list;
    size_t failed, judged;
} gate_report;

enum { KEY_BASELINE = 256, KEY_FAIL_IF, KEY_REFERENCE };

static const struct argp_option known[] = {
    {"baseline", KEY_BASELINE, "SPEC", 0,
     "what the others are compared with (default: pymalloc, or the first)", 0},
    {"reference", KEY_REFERENCE, "SPEC", 0,
     "of two files: an allocator in both that did not change; times are compared as multiples of "
     "its",
     0},
    {"fail-if", KEY_FAIL_IF, "CONDITION", 0,
     "end with status 1 where an allocator meets it: 'peak_mapped_bytes > +3%' (to the baseline or "
     "the "
     "older file), 'ns_per_event < -5%', 'peak_mapped_bytes > 200M'; may be given again",
     0},
    {"json", 'j', NULL, 0, "print one JSON object", 0},
    {0},
};

static void
add_gate(struct argp_state *state, compare_options *options, const char *text)
{
    rh_error error = {.status = RH_OK};
    if (options->gate_count == GATES_MOST)
        argp_error(state, "more than %d conditions", GATES_MOST);
    if (rh_gate_parse(text, &options->gates[options->gate_count++], &error) != RH_OK)
        argp_error(state, "%s", error.message);
}

static error_t
parse(int key, char *argument, struct argp_state *state)
{
    compare_options *options = state->input;
    switch (key) {
    case KEY_BASELINE:
        options->baseline = argument;
        return 0;
    case KEY_REFERENCE:
        options->reference = argument;
        return 0;
    case KEY_FAIL_IF:
        add_gate(state, options, argument);
        return 0;
    case 'j':
        options->json = true;
        return 0;
    case ARGP_KEY_ARG:
        if (options->newer)
            argp_error(state, "two results files at most; '%s' is the third", argument);
        *(options->results ? &options->newer : &options->results) = argument;
        return 0;
    case ARGP_KEY_END:
        if (!options->results)
            argp_error(state, "name the results file that `reheap replay -o` wrote");
        if (options->newer && options->baseline)
            argp_error(state, "two files are compared with each other, not with a --baseline");
        if (!options->newer && options->reference)
            argp_error(state, "--reference is for two files; of one, name a --baseline");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp parser = {
    known,
    parse,
    "RESULTS [NEWER]",
    "Compares the allocators of a results file with one of them, or the same allocators in two "
    "files. Numbers are medians over the repetitions; a ratio below 1 is better. A verdict other "
    "than \"same\" is given only to what the 95 % interval of the ratio and a difference of a "
    "hundredth bear out.\v"
    "Runs that were not made alike (another recording, touch mode, processor, kernel) are refused, "
    "naming what differs. pp: percentage points, of fragmentation. `~` stands before what varies "
    "from run to run besides times.\n\n"
    "A condition may name any number of docs/metrics.md. One on a change counts as met when the "
    "whole "
    "95 % interval does; where only the median does, that is said, and no failure.\n\n"
    "Example:\n"
    "  reheap replay program.rht -a pymalloc -a mimalloc --reps 7 -o runs.db\n"
    "  reheap compare runs.db --baseline mimalloc\n"
    "  reheap compare before.db after.db --reference bump\n"
    "  reheap compare before.db after.db --fail-if 'peak_mapped_bytes > +3%'",
    NULL,
    NULL,
    NULL,
};

/* A table and an empty line; nothing when there is no table. */
static void
print_table(const rh_table *table)
{
    if (!table)
        return;
    rh_table_print(table, stdout);
    putchar('\n');
}

static void
print_heading(const rh_workload *workload)
{
    char events[RH_SIZE_TEXT];
    rh_output_plain(workload->command, stdout);
    if (workload->events)
        printf(" (%s events)", rh_count_grouped(workload->events, events, sizeof events));
    putchar('\n');
    if (workload->conditions[0]) {
        fputs("replayed with ", stdout);
        rh_output_plain(workload->conditions, stdout);
        putchar('\n');
    }
}

/* Why an allocator has no numbers, or not of everything. */
static void
print_troubles(const rh_workload *workload)
{
    for (size_t i = 0; i < workload->subject_count; i++) {
        const rh_subject *subject = &workload->subjects[i];
        if (subject->flagged)
            printf("(!) %s failed allocations that succeeded in the recording: its numbers are of "
                   "less work\n",
                   subject->spec);
        for (size_t j = 0; j < subject->run_count; j++) {
            const rh_run *run = subject->runs[j];
            if (strcmp(run->status, "failed") != 0)
                continue;
            json_t *provenance = run->provenance ? json_loads(run->provenance, 0, NULL) : NULL;
            const char *reason = json_string_value(json_object_get(provenance, "reason"));
            printf("%s: %zu of %zu runs failed: %s\n", subject->spec, subject->failed,
                   subject->run_count, reason ? reason : "no reason was kept");
            json_decref(provenance);
            break;
        }
    }
}

static rh_status
find_baseline(const rh_summary *summary, const rh_workload *workload, const char *spec,
              const rh_subject **baseline, rh_error *error)
{
    *baseline = rh_workload_subject(workload, spec ? spec : "pymalloc");
    if (*baseline)
        return RH_OK;
    if (!spec) {
        *baseline = &workload->subjects[0];
        return RH_OK;
    }
    char there[600] = "";
    for (size_t i = 0; i < workload->subject_count; i++) {
        size_t used = strlen(there);
        snprintf(there + used, sizeof there - used, "%s%s", i ? " " : "",
                 workload->subjects[i].spec);
    }
    return rh_fail(error, RH_USAGE, "%s: it has no allocator '%s'; it has: %s", summary->path, spec,
                   there);
}

/* ------------------------------------------------------------------ gates */

static const char *const outcome_words[] = {
    [RH_GATE_HOLDS] = "holds",
    [RH_GATE_FAILS] = "FAILS",
    [RH_GATE_UNCERTAIN] = "uncertain",
    [RH_GATE_UNKNOWN] = "unknown",
};

static void
gate_row(gate_report *report, const rh_gate *gate, const rh_subject *subject, const rh_gated *gated)
{
    char value[64], low[64], high[64];
    if (!report->table) {
        static const char *const headings[] = {"Condition", "allocator", "is", "95 %", "outcome"};
        report->table = rh_table_new(5);
        for (size_t i = 0; i < 5; i++)
            rh_table_cell(report->table, "%s", headings[i]);
    }
    rh_table_cell(report->table, "%s", gate->text);
    rh_table_cell(report->table, "%s", subject->spec);
    rh_table_cell(report->table, "%s", rh_gate_value_text(gate, gated->value, value, sizeof value));
    if (gated->low < gated->high)
        rh_table_cell(report->table, "%s to %s",
                      rh_gate_value_text(gate, gated->low, low, sizeof low),
                      rh_gate_value_text(gate, gated->high, high, sizeof high));
    else
        rh_table_cell(report->table, "-");
    if (gated->more_runs)
        rh_table_cell(report->table, "uncertain (%u more runs)", gated->more_runs);
    else
        rh_table_cell(report->table, "%s", outcome_words[gated->outcome]);
}

/* `before`: what `subject` is compared with; itself: nothing. */
static void
judge(const compare_options *options, gate_report *report, const rh_workload *workload,
      const rh_subject *subject, const rh_subject *before, rh_relation relation)
{
    for (size_t i = 0; i < options->gate_count; i++) {
        const rh_gate *gate = &options->gates[i];
        if (gate->relative && before == subject)
            continue;
        rh_gated gated = rh_gate_judge(gate, subject, before, relation);
        report->judged += gated.outcome != RH_GATE_UNKNOWN;
        report->failed += gated.outcome == RH_GATE_FAILS;
        json_array_append_new(
            report->list,
            json_pack("{s:s, s:s, s:s, s:s, s:o, s:o, s:o}", "condition", gate->text, "trace",
                      workload->path ? workload->path : "", "spec", subject->spec, "outcome",
                      outcome_words[gated.outcome], "value", rh_json_number(gated.value), "low",
                      rh_json_number(gated.low), "high", rh_json_number(gated.high)));
        if (gated.outcome == RH_GATE_FAILS || gated.outcome == RH_GATE_UNCERTAIN)
            gate_row(report, gate, subject, &gated);
    }
}

/* A condition on a number that nobody has would hold for ever. */
static rh_status
check_gates(const compare_options *options, const rh_summary *summary, rh_error *error)
{
    for (size_t i = 0; i < options->gate_count; i++) {
        bool there = false;
        for (size_t w = 0; w < summary->workload_count; w++)
            for (size_t s = 0; s < summary->workloads[w].subject_count; s++)
                there |= isfinite(
                    rh_subject_median(&summary->workloads[w].subjects[s], options->gates[i].name));
        if (!there)
            return rh_fail(
                error, RH_USAGE,
                "%s: '%.100s': no allocator has a number '%s' in it; docs/metrics.md lists "
                "them, and the pass that measures it must have run",
                summary->path, options->gates[i].text, options->gates[i].name);
    }
    return RH_OK;
}

static rh_status
conclude_gates(const compare_options *options, const gate_report *report, rh_error *error)
{
    if (options->gate_count && !options->json) {
        if (report->table)
            print_table(report->table);
        printf("%zu of %zu conditions failed\n", report->failed, report->judged);
    }
    if (report->failed)
        return rh_fail(error, RH_DIFFERENT, "%zu of %zu conditions failed", report->failed,
                       report->judged);
    return RH_OK;
}

static rh_status
compare_one(const compare_options *options, const rh_summary *summary, json_t *workloads,
            gate_report *report, rh_error *error)
{
    for (size_t i = 0; i < summary->workload_count; i++) {
        const rh_workload *workload = &summary->workloads[i];
        const rh_subject *baseline;
        rh_status status = rh_alike_within(summary, workload, error);
        if (status == RH_OK)
            status = find_baseline(summary, workload, options->baseline, &baseline, error);
        if (status != RH_OK)
            return status;
        for (size_t s = 0; s < workload->subject_count; s++)
            judge(options, report, workload, &workload->subjects[s], baseline, RH_PAIRED);
        if (options->json) {
            json_array_append_new(workloads, rh_compare_json(workload, baseline));
            continue;
        }
        print_heading(workload);
        printf("baseline: %s; ratios are to it, below 1 is better\n\n", baseline->spec);
        rh_comparison tables = rh_compare_tables(workload, baseline);
        print_table(tables.speed);
        print_table(tables.latency);
        print_table(tables.response);
        print_table(tables.memory);
        print_table(tables.arenas);
        print_table(tables.system);
        rh_comparison_release(&tables);
        print_troubles(workload);
    }
    return RH_OK;
}

static const rh_workload *
same_trace(const rh_summary *summary, const rh_workload *wanted)
{
    for (size_t i = 0; i < summary->workload_count; i++) {
        const rh_workload *workload = &summary->workloads[i];
        if (wanted->hash && workload->hash && strcmp(wanted->hash, workload->hash) == 0)
            return workload;
    }
    /* None: the first, so that the message can say how it differs. */
    return &summary->workloads[0];
}

/* The build that made the first run of a workload which tells; "" when none does. */
static void
read_build(const rh_workload *workload, char text[12])
{
    text[0] = '\0';
    for (size_t i = 0; i < workload->subject_count && !text[0]; i++) {
        const char *provenance = workload->subjects[i].runs[0]->provenance;
        json_t *object = provenance ? json_loads(provenance, 0, NULL) : NULL;
        const char *build = json_string_value(json_object_get(object, "build"));
        if (build && build[strspn(build, "0123456789abcdef")] == '\0')
            snprintf(text, 12, "%.8s", build);
        json_decref(object);
    }
}

/* Two files may come from two builds: that is worth a line. */
static void
print_builds(const rh_workload *before, const rh_workload *after)
{
    char older[12], newer[12];
    read_build(before, older);
    read_build(after, newer);
    if (older[0] && newer[0] && strcmp(older, newer) != 0)
        printf("the builds of reheap differ: %s and %s\n", older, newer);
}

static rh_status
check_reference(const compare_options *options, const rh_workload *before, const rh_workload *after,
                rh_error *error)
{
    const char *spec = options->reference;
    if (!spec || (rh_workload_subject(before, spec) && rh_workload_subject(after, spec)))
        return RH_OK;
    return rh_fail(error, RH_USAGE, "%s: it has no allocator '%s' to refer to",
                   rh_workload_subject(before, spec) ? options->newer : options->results, spec);
}

static rh_status
compare_files(const compare_options *options, const rh_summary *older, const rh_summary *newer,
              json_t *workloads, gate_report *report, rh_error *error)
{
    for (size_t i = 0; i < older->workload_count; i++) {
        const rh_workload *before = &older->workloads[i], *after = same_trace(newer, before);
        rh_status status = rh_alike_between(older, before, newer, after, error);
        if (status == RH_OK)
            status = rh_alike_within(older, before, error);
        if (status == RH_OK)
            status = rh_alike_within(newer, after, error);
        if (status == RH_OK)
            status = check_reference(options, before, after, error);
        if (status != RH_OK)
            return status;
        for (size_t s = 0; s < after->subject_count; s++) {
            const char *spec = after->subjects[s].spec;
            judge(options, report, after, &after->subjects[s], rh_workload_subject(before, spec),
                  rh_relation_between(before, after, spec, options->reference));
        }
        if (options->json) {
            json_array_append_new(workloads,
                                  rh_compare_two_json(before, after, options->reference));
            continue;
        }
        print_heading(after);
        printf("older: %s; newer: %s; a ratio below 1 is an improvement\n", older->path,
               newer->path);
        print_builds(before, after);
        if (options->reference)
            printf("ratios of times are of multiples of the time of %s in the same repetition\n",
                   options->reference);
        putchar('\n');
        rh_table *table = rh_compare_two(before, after, options->reference);
        print_table(table);
        rh_table_free(table);
        print_troubles(after);
    }
    return RH_OK;
}

static void
print_json(const compare_options *options, json_t *workloads, json_t *gates)
{
    json_t *object = json_pack("{s:s, s:s, s:O}", "schema", "reheap.compare/1", "results",
                               options->results, "workloads", workloads);
    if (options->newer)
        json_object_set_new(object, "newer", json_string(options->newer));
    if (options->reference)
        json_object_set_new(object, "reference", json_string(options->reference));
    if (options->gate_count)
        json_object_set(object, "gates", gates);
    json_dumpf(object, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
    putchar('\n');
    json_decref(object);
}

static rh_status
compare(const compare_options *options, rh_error *error)
{
    rh_summary *older, *newer = NULL;
    rh_status status = rh_summary_open(options->results, &older, error);
    if (status != RH_OK)
        return status;
    if (options->newer)
        status = rh_summary_open(options->newer, &newer, error);
    if (status == RH_OK)
        status = check_gates(options, older, error);
    json_t *workloads = json_array();
    gate_report report = {.list = json_array()};
    if (status == RH_OK && newer)
        status = compare_files(options, older, newer, workloads, &report, error);
    else if (status == RH_OK)
        status = compare_one(options, older, workloads, &report, error);
    if (status == RH_OK && options->json)
        print_json(options, workloads, report.list);
    if (status == RH_OK)
        status = conclude_gates(options, &report, error);
    json_decref(workloads);
    json_decref(report.list);
    rh_table_free(report.table);
    rh_summary_close(older);
    rh_summary_close(newer);
    return status;
}

static int
run(int argc, char **argv)
{
    compare_options options = {.results = NULL};
    argp_err_exit_status = RH_USAGE;
    argp_parse(&parser, argc, argv, 0, NULL, &options);
    rh_error error = {.status = RH_OK};
    rh_status status = compare(&options, &error);
    if (status != RH_OK)
        fprintf(stderr, "reheap compare: %s\n", error.message);
    return (int)status;
}

const rh_command rh_cmd_compare = {"compare",
                                   "say which differences between allocators mean anything", run};
