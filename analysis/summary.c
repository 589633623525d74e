#define _GNU_SOURCE
#include "analysis/summary.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/calm.h"
#include "analysis/conditions.h"

/* Bytes of a command in a title that also says how it was replayed. */
enum { TITLE_COMMAND = 56 };

const rh_quantity rh_quantities[] = {
    {RH_SPEED, "calm ns/event", RH_QUANTITY_NS},
    {"ns_per_event", "ns/event", RH_QUANTITY_NS},
    {"malloc_p50_ns", "malloc p50", RH_QUANTITY_NS},
    {"malloc_p99_ns", "malloc p99", RH_QUANTITY_NS},
    {"malloc_p999_ns", "malloc p99.9", RH_QUANTITY_NS},
    {"free_p50_ns", "free p50", RH_QUANTITY_NS},
    {"free_p99_ns", "free p99", RH_QUANTITY_NS},
    {"free_p999_ns", "free p99.9", RH_QUANTITY_NS},
    {"malloc_response_p50_ns", "malloc response p50", RH_QUANTITY_NS},
    {"malloc_response_p99_ns", "malloc response p99", RH_QUANTITY_NS},
    {"malloc_response_p999_ns", "malloc response p99.9", RH_QUANTITY_NS},
    {"free_response_p50_ns", "free response p50", RH_QUANTITY_NS},
    {"free_response_p99_ns", "free response p99", RH_QUANTITY_NS},
    {"free_response_p999_ns", "free response p99.9", RH_QUANTITY_NS},
    {"peak_mapped_bytes", "peak mapped", RH_QUANTITY_BYTES},
    {"peak_resident_bytes", "peak resident", RH_QUANTITY_BYTES},
    {"fragmentation_mean", "mean fragmentation", RH_QUANTITY_EXCESS},
    {"fragmentation_peak_to_peak", "peak to peak", RH_QUANTITY_EXCESS},
    {"arenas_highwater", "arenas, most", RH_QUANTITY_COUNT},
    {"arenas_allocated", "born", RH_QUANTITY_COUNT},
    {"arenas_released", "released", RH_QUANTITY_COUNT},
    {"arenas_reused", "reused", RH_QUANTITY_COUNT},
    {"pools_recycled", "pools recycled", RH_QUANTITY_COUNT},
    {NULL, NULL, RH_QUANTITY_COUNT},
};

const rh_quantity *
rh_quantity_find(const char *name)
{
    for (const rh_quantity *quantity = rh_quantities; quantity->name; quantity++) {
        if (strcmp(quantity->name, name) == 0)
            return quantity;
    }
    return NULL;
}

static void *
grown(void *array, size_t count, size_t element)
{
    /* Doubles at powers of two: called before each append. */
    if (count & (count - 1))
        return array;
    void *larger = realloc(array, (count ? count * 2 : 1) * element);
    if (!larger)
        abort();
    return larger;
}

static char *
copied(const char *text)
{
    char *copy = strdup(text);
    if (!copy)
        abort();
    return copy;
}

/* What the trace says of itself, as far as titles and maps want it. */
static void
read_info(rh_workload *workload)
{
    json_t *info = workload->info ? json_loads(workload->info, 0, NULL) : NULL;
    const char *command = json_string_value(json_object_get(info, "command"));
    const char *slash = workload->path ? strrchr(workload->path, '/') : NULL;
    const char *file = slash ? slash + 1 : workload->path ? workload->path : "a trace";
    workload->command = copied(command ? command : file);
    json_int_t events = json_integer_value(json_object_get(info, "events"));
    workload->events = events > 0 ? (uint64_t)events : 0;
    json_int_t arena = json_integer_value(json_object_get(info, "arena_bytes"));
    json_int_t pool = json_integer_value(json_object_get(info, "pool_bytes"));
    workload->arena_bytes = arena > 0 ? (uint64_t)arena : 0;
    workload->pool_bytes = pool > 0 ? (uint64_t)pool : 0;
    json_decref(info);
}

/* An experiment in several rounds names its trace in each: the same content is the same trace. */
static rh_workload *
workload_of(rh_summary *summary, int64_t trace)
{
    const char *hash = rh_results_trace_hash(summary->results, trace);
    for (size_t i = 0; i < summary->workload_count; i++) {
        rh_workload *workload = &summary->workloads[i];
        if (workload->trace == trace ||
            (hash && workload->hash && strcmp(hash, workload->hash) == 0))
            return workload;
    }
    summary->workloads =
        grown(summary->workloads, summary->workload_count, sizeof *summary->workloads);
    rh_workload *workload = &summary->workloads[summary->workload_count++];
    *workload = (rh_workload){.trace = trace,
                              .path = rh_results_trace_path(summary->results, trace),
                              .hash = hash,
                              .info = rh_results_trace_info(summary->results, trace)};
    read_info(workload);
    return workload;
}

static void
add_run(rh_workload *workload, const rh_run *run)
{
    rh_subject *subject = NULL;
    for (size_t i = 0; i < workload->subject_count && !subject; i++) {
        if (strcmp(workload->subjects[i].spec, run->spec) == 0)
            subject = &workload->subjects[i];
    }
    if (!subject) {
        workload->subjects =
            grown(workload->subjects, workload->subject_count, sizeof *workload->subjects);
        subject = &workload->subjects[workload->subject_count++];
        *subject = (rh_subject){.spec = run->spec, .name = run->name, .version = run->version};
    }
    subject->failed += strcmp(run->status, "failed") == 0;
    subject->flagged += strcmp(run->status, "flagged") == 0;
    subject->runs = grown(subject->runs, subject->run_count, sizeof *subject->runs);
    subject->runs[subject->run_count++] = run;
}

static bool
is_control(const rh_run *run)
{
    return strcmp(run->pass, RH_CONTROL_PASS) == 0;
}

/* Its runs count as those of a latency pass, in a subject of its own. */
static void
add_control(rh_summary *summary, const rh_run *run)
{
    for (size_t i = 0; i < summary->workload_count; i++) {
        rh_workload *workload = &summary->workloads[i];
        if (workload->trace != run->trace)
            continue;
        rh_subject *control = &workload->control;
        rh_run *copy = malloc(sizeof *copy);
        if (!copy)
            abort();
        *copy = *run;
        copy->pass = "latency";
        control->spec = run->spec;
        control->name = run->name;
        control->version = run->version;
        control->failed += strcmp(run->status, "failed") == 0;
        control->flagged += strcmp(run->status, "flagged") == 0;
        control->runs = grown(control->runs, control->run_count, sizeof *control->runs);
        control->runs[control->run_count++] = copy;
    }
}

static void
release_control(rh_subject *control)
{
    for (size_t i = 0; i < control->run_count; i++)
        free((void *)control->runs[i]);
    free(control->runs);
}

/* The place of a spec in the list of the experiment ("allocators", a line each); after all others
 * when it is not there. */
static size_t
listed_place(const char *list, const char *spec)
{
    size_t place = 0, length = strlen(spec);
    for (const char *line = list; line; place++) {
        const char *end = strchr(line, '\n');
        size_t bytes = end ? (size_t)(end - line) : strlen(line);
        if (bytes == length && strncmp(line, spec, length) == 0)
            return place;
        line = end ? end + 1 : NULL;
    }
    return SIZE_MAX;
}

typedef struct listed {
    size_t place, before; /* in the list; among the runs, to keep ties in order */
    rh_subject subject;
} listed;

static int
compare_listed(const void *a, const void *b)
{
    const listed *x = a, *y = b;
    if (x->place != y->place)
        return x->place < y->place ? -1 : 1;
    return (x->before > y->before) - (x->before < y->before);
}

/* Runs are shuffled; people want the order in which they named the allocators. */
static void
order_subjects(rh_workload *workload, const char *list)
{
    size_t count = workload->subject_count;
    listed *order = list ? calloc(count + 1, sizeof *order) : NULL;
    if (!order)
        return;
    for (size_t i = 0; i < count; i++)
        order[i] =
            (listed){listed_place(list, workload->subjects[i].spec), i, workload->subjects[i]};
    qsort(order, count, sizeof *order, compare_listed);
    for (size_t i = 0; i < count; i++)
        workload->subjects[i] = order[i].subject;
    free(order);
}

static bool
ran_throughput(const rh_run *run)
{
    return strcmp(run->pass, "throughput") == 0 && strcmp(run->status, "failed") != 0;
}

/* The events of a run; 0 when it is not cut where `first` is, or holds what cannot be. */
static double
events_of_stretches(const rh_run *run, const rh_run *first)
{
    double events = 0;
    if (run->stretch_count != first->stretch_count)
        return 0;
    for (size_t i = 0; i < run->stretch_count; i++) {
        if (run->stretches[i].calls != first->stretches[i].calls ||
            run->stretches[i].busy_ns > INT64_MAX)
            return 0;
        events += (double)run->stretches[i].calls;
    }
    return events;
}

/* From the stretches of runs that are all cut at the same calls. */
static void
set_calm(rh_subject *subject, const rh_run *timed, const size_t *place, size_t count)
{
    size_t stretches = timed[0].stretch_count;
    double *times = malloc((count * stretches + 1) * sizeof *times);
    double *calm = malloc((count + 1) * sizeof *calm);
    subject->calm_ns = malloc((subject->run_count + 1) * sizeof *subject->calm_ns);
    if (!times || !calm || !subject->calm_ns)
        abort();
    for (size_t r = 0; r < count; r++)
        for (size_t s = 0; s < stretches; s++)
            times[r * stretches + s] = (double)timed[r].stretches[s].busy_ns;
    rh_calm_times(times, count, stretches, calm);
    for (size_t i = 0; i < subject->run_count; i++)
        subject->calm_ns[i] = NAN;
    for (size_t r = 0; r < count; r++)
        subject->calm_ns[place[r]] = calm[r] / events_of_stretches(&timed[r], &timed[0]);
    free(calm);
    free(times);
}

/* Unknown where the stretches of any run are, or are not those of the others, and of few runs: a
 * whole time beside a calm one would look slow. */
static rh_status
find_calm(const rh_summary *summary, rh_subject *subject, rh_error *error)
{
    rh_run *timed = calloc(subject->run_count + 1, sizeof *timed);
    size_t *place = calloc(subject->run_count + 1, sizeof *place), count = 0;
    if (!timed || !place)
        abort();
    rh_status status = RH_OK;
    bool alike = true;
    for (size_t i = 0; status == RH_OK && i < subject->run_count; i++) {
        if (!ran_throughput(subject->runs[i]))
            continue;
        place[count] = i;
        timed[count] = *subject->runs[i];
        status = rh_results_load_stretches(summary->results, &timed[count], error);
        alike = alike && status == RH_OK && events_of_stretches(&timed[count], &timed[0]) > 0;
        count++;
    }
    if (count >= RH_CALM_FROM && alike)
        set_calm(subject, timed, place, count);
    free(place);
    free(timed);
    return status;
}

/* How many of the first `most` bytes of UTF-8 are whole characters. */
static size_t
whole_characters(const char *text, size_t most)
{
    size_t length = strnlen(text, most + 1);
    if (length <= most)
        return length;
    for (length = most; length > 0 && ((unsigned char)text[length] & 0xC0) == 0x80;)
        length--;
    return length;
}

/* Passes differ in what they know of; the first run of each stands for the others, which `compare`
 * would refuse if they were unlike. */
static void
read_conditions(rh_workload *workload)
{
    rh_conditions conditions = {0};
    for (size_t i = 0; i < workload->subject_count; i++) {
        const rh_subject *subject = &workload->subjects[i];
        const char *before = "";
        for (size_t j = 0; j < subject->run_count; j++) {
            if (strcmp(subject->runs[j]->pass, before) != 0)
                rh_conditions_add(&conditions, subject->runs[j]->provenance);
            before = subject->runs[j]->pass;
        }
    }
    char text[RH_CONDITIONS_TEXT], title[RH_CONDITIONS_TEXT + TITLE_COMMAND + 16];
    workload->conditions = copied(rh_conditions_text(&conditions, text));
    size_t shown = whole_characters(workload->command, TITLE_COMMAND);
    bool cut = workload->command[shown] != '\0';
    snprintf(title, sizeof title, "%.*s%s (%s)", (int)shown, workload->command, cut ? "…" : "",
             text);
    workload->title = copied(text[0] ? title : workload->command);
}

rh_status
rh_summary_of(const char *path, rh_results *results, rh_summary **summary, rh_error *error)
{
    rh_summary *made = calloc(1, sizeof *made);
    if (!made)
        abort();
    made->path = copied(path);
    made->results = results;
    const rh_run *runs;
    size_t count;
    rh_status status = rh_results_runs(results, &runs, &count, error);
    size_t own = 0;
    for (size_t i = 0; status == RH_OK && i < count; i++)
        own += runs[i].pass && !is_control(&runs[i]);
    if (status == RH_OK && own == 0)
        status = rh_fail(error, RH_BAD_INPUT,
                         "%s: it holds no run; fill it with `reheap replay -o` or `reheap tune -o`",
                         path);
    for (size_t i = 0; status == RH_OK && i < count; i++) {
        if (runs[i].spec && runs[i].pass && runs[i].status && !is_control(&runs[i]))
            add_run(workload_of(made, runs[i].trace), &runs[i]);
    }
    for (size_t i = 0; status == RH_OK && i < count; i++) {
        if (runs[i].spec && runs[i].pass && runs[i].status && is_control(&runs[i]))
            add_control(made, &runs[i]);
    }
    if (status != RH_OK) {
        rh_summary_detach(made);
        return status;
    }
    const char *list = rh_results_get(results, "allocators");
    for (size_t i = 0; status == RH_OK && i < made->workload_count; i++) {
        rh_workload *workload = &made->workloads[i];
        order_subjects(workload, list);
        for (size_t s = 0; status == RH_OK && s < workload->subject_count; s++)
            status = find_calm(made, &workload->subjects[s], error);
        if (status != RH_OK)
            break;
        read_conditions(workload);
        status = rh_results_load_marks(results, workload->trace, &workload->marks,
                                       &workload->mark_count, error);
    }
    if (status != RH_OK) {
        rh_summary_detach(made);
        return status;
    }
    *summary = made;
    return RH_OK;
}

rh_status
rh_summary_open(const char *path, rh_summary **summary, rh_error *error)
{
    rh_results *results;
    rh_status status = rh_results_open(path, &results, error);
    if (status != RH_OK)
        return status;
    status = rh_summary_of(path, results, summary, error);
    if (status != RH_OK)
        rh_results_close(results);
    return status;
}

void
rh_summary_close(rh_summary *summary)
{
    if (!summary)
        return;
    rh_results *results = summary->results;
    rh_summary_detach(summary);
    rh_results_close(results);
}

void
rh_summary_detach(rh_summary *summary)
{
    for (size_t i = 0; i < summary->workload_count; i++) {
        rh_workload *workload = &summary->workloads[i];
        for (size_t j = 0; j < workload->subject_count; j++) {
            free(workload->subjects[j].runs);
            free(workload->subjects[j].calm_ns);
        }
        free(workload->subjects);
        release_control(&workload->control);
        free(workload->command);
        free(workload->conditions);
        free(workload->title);
    }
    free(summary->workloads);
    free(summary->path);
    free(summary);
}

const rh_subject *
rh_workload_subject(const rh_workload *workload, const char *spec)
{
    for (size_t i = 0; i < workload->subject_count; i++) {
        if (strcmp(workload->subjects[i].spec, spec) == 0)
            return &workload->subjects[i];
    }
    return NULL;
}

const char *
rh_workload_speed(const rh_workload *workload)
{
    for (size_t i = 0; i < workload->subject_count; i++) {
        const rh_subject *subject = &workload->subjects[i];
        for (size_t j = 0; !subject->calm_ns && j < subject->run_count; j++)
            if (ran_throughput(subject->runs[j]))
                return "ns_per_event";
    }
    return RH_SPEED;
}

static bool
ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), tail = strlen(end);
    return length >= tail && strcmp(text + length - tail, end) == 0;
}

/* The pass that measures a number undisturbed; NULL: any that has it. */
static const char *
pass_of(const char *metric)
{
    static const char *const timed[] = {RH_SPEED,
                                        "ns_per_event",
                                        "wall_ns",
                                        "preempted_ns",
                                        "waited_ns",
                                        "page_faults",
                                        "context_switches",
                                        "throughput_rounds",
                                        "first_round_ns_per_event",
                                        "steady_ns_per_event"};
    static const char *const probed[] = {"late_share", "pace_slowdown", "latency_rounds"};
    static const char *const of_kernel[] = {
        "mmap_calls", "munmap_calls",       "mremap_calls",    "madvise_calls",  "mprotect_calls",
        "brk_calls",  "system_page_faults", "peak_huge_bytes", "end_huge_bytes", "huge_coverage"};
    for (size_t i = 0; i < sizeof of_kernel / sizeof of_kernel[0]; i++)
        if (strcmp(metric, of_kernel[i]) == 0)
            return "system";
    if (strncmp(metric, "resident_after_", strlen("resident_after_")) == 0)
        return "system";
    for (size_t i = 0; i < sizeof timed / sizeof timed[0]; i++)
        if (strcmp(metric, timed[i]) == 0)
            return "throughput";
    for (size_t i = 0; i < sizeof probed / sizeof probed[0]; i++)
        if (strcmp(metric, probed[i]) == 0)
            return "latency";
    return ends_with(metric, "_ns") ? "latency" : NULL;
}

static double
metric_of(const rh_run *run, const char *metric)
{
    for (size_t i = 0; i < run->metric_count; i++) {
        if (run->metrics[i].name && strcmp(run->metrics[i].name, metric) == 0)
            return run->metrics[i].value;
    }
    return NAN;
}

/* Whether a number can be what its name says; what cannot (files come from strangers) counts as
 * unknown. */
static bool
plausible(const char *metric, double value)
{
    const double least = strncmp(metric, "fragmentation", 13) == 0 ? -0.999999
                         : ends_with(metric, "ns_per_event")       ? 1e-6
                                                                   : 0;
    return value >= least && value <= 1e18;
}

static void
insert_value(rh_values *values, double value, unsigned repetition)
{
    values->value = grown(values->value, values->count, sizeof *values->value);
    values->repetition = grown(values->repetition, values->count, sizeof *values->repetition);
    size_t at = values->count++;
    for (; at > 0 && values->repetition[at - 1] > repetition; at--) {
        values->value[at] = values->value[at - 1];
        values->repetition[at] = values->repetition[at - 1];
    }
    values->value[at] = value;
    values->repetition[at] = repetition;
}

static rh_values
values_of_pass(const rh_subject *subject, const char *metric, const char *pass)
{
    rh_values values = {NULL, NULL, 0};
    for (size_t i = 0; i < subject->run_count; i++) {
        const rh_run *run = subject->runs[i];
        if (strcmp(run->pass, pass) != 0 || strcmp(run->status, "failed") == 0)
            continue;
        double value = strcmp(metric, RH_SPEED) != 0 ? metric_of(run, metric)
                       : subject->calm_ns            ? subject->calm_ns[i]
                                                     : NAN;
        if (plausible(metric, value))
            insert_value(&values, value, run->rep);
    }
    return values;
}

/* A number that several passes have is the memory pass's, whose clock disturbs nobody. */
rh_values
rh_subject_values(const rh_subject *subject, const char *metric)
{
    static const char *const passes[] = {"memory", "throughput", "latency", "system"};
    const char *pass = pass_of(metric);
    rh_values values = values_of_pass(subject, metric, pass ? pass : passes[0]);
    for (size_t i = 1; !pass && values.count == 0 && i < sizeof passes / sizeof passes[0]; i++)
        values = values_of_pass(subject, metric, passes[i]);
    return values;
}

void
rh_values_release(rh_values *values)
{
    free(values->value);
    free(values->repetition);
    *values = (rh_values){NULL, NULL, 0};
}

double
rh_subject_median(const rh_subject *subject, const char *metric)
{
    rh_values values = rh_subject_values(subject, metric);
    double median = rh_median(values.value, values.count);
    rh_values_release(&values);
    return median;
}

static bool
vary(const rh_values *values)
{
    for (size_t i = 1; i < values->count; i++)
        if (values->value[i] != values->value[0])
            return true;
    return false;
}

bool
rh_subject_varies(const rh_subject *subject, const char *metric)
{
    rh_values values = rh_subject_values(subject, metric);
    bool varies = vary(&values);
    rh_values_release(&values);
    return varies;
}

/* One value stands for as many repetitions as the other side has. */
static void
stand_for(rh_values *values, const rh_values *other)
{
    if (values->count != 1 || other->count < 2)
        return;
    double value = values->value[0];
    values->value = realloc(values->value, other->count * sizeof *values->value);
    values->repetition = realloc(values->repetition, other->count * sizeof *values->repetition);
    if (!values->value || !values->repetition)
        abort();
    for (size_t i = 0; i < other->count; i++) {
        values->value[i] = value;
        values->repetition[i] = other->repetition[i];
    }
    values->count = other->count;
}

/* Puts the values of repetitions that both have side by side; returns how many. */
static size_t
pair_up(rh_values *a, rh_values *b)
{
    size_t pairs = 0;
    for (size_t i = 0, j = 0; i < a->count && j < b->count;) {
        if (a->repetition[i] < b->repetition[j]) {
            i++;
        } else if (a->repetition[i] > b->repetition[j]) {
            j++;
        } else {
            a->value[pairs] = a->value[i++];
            b->value[pairs++] = b->value[j++];
        }
    }
    return pairs;
}

/* A quantile under twice the probe's own cost says no more than that it lies there. */
static void
lift_to_probe(rh_values *values, const rh_subject *subject, const char *metric)
{
    double blind = 2 * rh_subject_median(subject, "probe_ns");
    const char *pass = pass_of(metric);
    for (size_t i = 0; pass && strcmp(pass, "latency") == 0 && i < values->count; i++)
        values->value[i] = values->value[i] < blind ? blind : values->value[i];
}

/* Leaves the repetitions that the reference has too, as multiples of its value; all as they are
 * when it has none. */
static void
divide(rh_values *values, const rh_subject *reference, const char *metric)
{
    rh_values unit = rh_subject_values(reference, metric);
    if (unit.count) {
        values->count = pair_up(values, &unit);
        for (size_t i = 0; i < values->count; i++)
            values->value[i] /= unit.value[i];
    }
    rh_values_release(&unit);
}

rh_ratio
rh_subject_ratio(const rh_subject *subject, const rh_subject *baseline, const rh_quantity *quantity,
                 rh_relation relation)
{
    rh_values ours = rh_subject_values(subject, quantity->name);
    rh_values theirs = rh_subject_values(baseline, quantity->name);
    lift_to_probe(&ours, subject, quantity->name);
    lift_to_probe(&theirs, baseline, quantity->name);
    if (quantity->kind == RH_QUANTITY_NS && relation.reference && relation.baseline_reference) {
        divide(&ours, relation.reference, quantity->name);
        divide(&theirs, relation.baseline_reference, quantity->name);
    }
    double shift = quantity->kind == RH_QUANTITY_EXCESS ? 1 : 0;
    for (size_t i = 0; i < ours.count; i++)
        ours.value[i] += shift;
    for (size_t i = 0; i < theirs.count; i++)
        theirs.value[i] += shift;
    rh_ratio ratio;
    bool exact = quantity->kind != RH_QUANTITY_NS && !vary(&ours) && !vary(&theirs);
    if (quantity->kind != RH_QUANTITY_NS) {
        stand_for(&ours, &theirs);
        stand_for(&theirs, &ours);
    }
    if (exact)
        ratio = rh_ratio_exact(rh_median(ours.value, ours.count),
                               rh_median(theirs.value, theirs.count));
    else if (relation.paired)
        ratio = rh_ratio_paired(ours.value, theirs.value, pair_up(&ours, &theirs));
    else
        ratio = rh_ratio_unpaired(ours.value, ours.count, theirs.value, theirs.count);
    rh_values_release(&ours);
    rh_values_release(&theirs);
    return ratio;
}

rh_status
rh_subject_samples(const rh_summary *summary, const rh_subject *subject, rh_sample **samples,
                   size_t *count, rh_error *error)
{
    *samples = NULL;
    *count = 0;
    for (size_t i = 0; i < subject->run_count && *count == 0; i++) {
        rh_run run = *subject->runs[i];
        if (strcmp(run.pass, "memory") != 0 || strcmp(run.status, "failed") == 0)
            continue;
        rh_status status = rh_results_load_samples(summary->results, &run, error);
        if (status != RH_OK)
            return status;
        if (run.sample_count == 0)
            continue;
        *samples = malloc(run.sample_count * sizeof **samples);
        if (!*samples)
            abort();
        memcpy(*samples, run.samples, run.sample_count * sizeof **samples);
        *count = run.sample_count;
    }
    return RH_OK;
}

void
rh_subject_arenas(const rh_summary *summary, const rh_subject *subject, rh_arena_report *report)
{
    *report = (rh_arena_report){0};
    for (size_t i = 0; i < subject->run_count && report->looks_count == 0; i++) {
        rh_run run = *subject->runs[i];
        if (strcmp(run.pass, "memory") != 0 || strcmp(run.status, "failed") == 0)
            continue;
        rh_results_load_arenas(summary->results, &run);
        *report = *run.arenas;
    }
}

static int
compare_buckets(const void *a, const void *b)
{
    const rh_bucket *x = a, *y = b;
    return (x->lower_ns > y->lower_ns) - (x->lower_ns < y->lower_ns);
}

/* Sorts, and makes one of buckets with the same bounds. */
static size_t
merge_buckets(rh_bucket *buckets, size_t count)
{
    size_t kept = 0;
    if (count > 1)
        qsort(buckets, count, sizeof *buckets, compare_buckets);
    for (size_t i = 0; i < count; i++) {
        if (kept > 0 && buckets[kept - 1].lower_ns == buckets[i].lower_ns)
            buckets[kept - 1].count += buckets[i].count;
        else
            buckets[kept++] = buckets[i];
    }
    return kept;
}

rh_status
rh_subject_buckets(const rh_summary *summary, const rh_subject *subject, const char *operation,
                   bool response, rh_bucket **buckets, size_t *count, rh_error *error)
{
    rh_bucket *all = NULL;
    size_t found = 0;
    for (size_t i = 0; i < subject->run_count; i++) {
        rh_run run = *subject->runs[i];
        if (strcmp(run.pass, "latency") != 0 || strcmp(run.status, "failed") == 0)
            continue;
        rh_status status = rh_results_load_buckets(summary->results, &run, error);
        if (status != RH_OK) {
            free(all);
            return status;
        }
        for (size_t j = 0; j < run.bucket_count; j++) {
            if (!run.buckets[j].operation || run.buckets[j].count == 0 ||
                run.buckets[j].response != response ||
                strcmp(run.buckets[j].operation, operation) != 0)
                continue;
            all = grown(all, found, sizeof *all);
            all[found] = run.buckets[j];
            all[found++].operation = operation;
        }
    }
    *buckets = all;
    *count = merge_buckets(all, found);
    return RH_OK;
}
