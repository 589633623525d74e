#define _GNU_SOURCE
#include "replay/cmd_replay_show.h"

#include <jansson.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/output.h"
#include "base/size.h"
#include "replay/cmd_replay_samples.h"
#include "replay/latency_store.h"
#include "replay/metrics.h"

typedef struct run_list {
    const rh_run *run;
    size_t count;
} run_list;

static bool
same_allocator(const rh_run *left, const rh_run *right)
{
    return left->trace == right->trace && strcmp(left->spec, right->spec) == 0;
}

#define CONTROL_MARK " (control)"
#define PACE_SLACK   1.01 /* of the scheduled time: beyond it a pace was not held */

static bool
is_control(const rh_run *run)
{
    return strcmp(run->pass, RH_CONTROL_PASS) == 0;
}

static int
compare(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

/* Median of a metric over the runs of `like`'s allocator that know it; NAN when none does. */
static double
median(const run_list *runs, const rh_run *like, const char *metric)
{
    double *values = calloc(runs->count, sizeof *values);
    if (!values)
        abort();
    size_t count = 0;
    for (size_t i = 0; i < runs->count; i++) {
        const rh_run *run = &runs->run[i];
        double value = same_allocator(run, like)
                           ? rh_metrics_get(run->metrics, run->metric_count, metric)
                           : NAN;
        if (!isnan(value))
            values[count++] = value;
    }
    double middle = NAN;
    if (count) {
        qsort(values, count, sizeof *values, compare);
        middle = count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
    }
    free(values);
    return middle;
}

/* ------------------------------------------------------------------ the table */

typedef enum column_kind { BYTES, NANOSECONDS, RATIO, PROBED, COUNT } column_kind;

typedef struct figure_column {
    const char *heading, *metric;
    column_kind kind;
} figure_column;

/* Two tables, one below the other: lines have an end. */
static const figure_column columns[] = {
    {"ns/event", "ns_per_event", NANOSECONDS},
    {"malloc p50", "malloc_p50_ns", PROBED},
    {"p99", "malloc_p99_ns", PROBED},
    {"p99.99", "malloc_p9999_ns", PROBED},
    {"free p50", "free_p50_ns", PROBED},
    {"p99", "free_p99_ns", PROBED},
    {"p99.99", "free_p9999_ns", PROBED},
    {"peak mapped", "peak_mapped_bytes", BYTES},
    {"peak resident", "peak_resident_bytes", BYTES},
    {"fragmentation", "fragmentation_mean", RATIO},
};
static const figure_column system_columns[] = {
    {"mmap", "mmap_calls", COUNT},
    {"munmap", "munmap_calls", COUNT},
    {"mremap", "mremap_calls", COUNT},
    {"madvise", "madvise_calls", COUNT},
    {"mprotect", "mprotect_calls", COUNT},
    {"brk", "brk_calls", COUNT},
    {"faults", "system_page_faults", COUNT},
    {"in huge pages", "peak_huge_bytes", BYTES},
    {"of resident", "huge_coverage", RATIO},
    {"left after 0.1 s", "resident_after_100ms_bytes", BYTES},
    {"1 s", "resident_after_1s_bytes", BYTES},
    {"5 s", "resident_after_5s_bytes", BYTES},
};
static const figure_column round_columns[] = {
    {"rounds", "rounds", COUNT},
    {"steady from", "steady_round", COUNT},
    {"first peak mapped", "first_round_peak_mapped_bytes", BYTES},
    {"last", "last_round_peak_mapped_bytes", BYTES},
    {"a round more: mapped", "round_growth_mapped_bytes", BYTES},
    {"requested", "round_growth_requested_bytes", BYTES},
    {"timed rounds", "throughput_rounds", COUNT},
    {"first ns/event", "first_round_ns_per_event", NANOSECONDS},
    {"steady ns/event", "steady_ns_per_event", NANOSECONDS},
};
enum {
    ROUND_COLUMNS = sizeof round_columns / sizeof *round_columns,
    COLUMNS = sizeof columns / sizeof *columns,
    SYSTEM_COLUMNS = sizeof system_columns / sizeof *system_columns,
    COLUMNS_MOST = (int)COLUMNS > (int)SYSTEM_COLUMNS ? COLUMNS : SYSTEM_COLUMNS
};

static void
add_cell(rh_table *table, const figure_column *column, double value, double probe_ns)
{
    char text[RH_SIZE_TEXT];
    bool below;
    if (isnan(value)) {
        rh_table_cell(table, "-");
        return;
    }
    switch (column->kind) {
    case BYTES:
        rh_table_cell(table, "%s%s", value < 0 ? "-" : "",
                      rh_size_human((uint64_t)fabs(value), text, sizeof text));
        break;
    case NANOSECONDS:
        rh_table_cell(table, "%.2f", value);
        break;
    case RATIO:
        rh_table_cell(table, "%.1f %%", value * 100);
        break;
    case COUNT:
        rh_table_cell(table, "%s", rh_count_grouped((uint64_t)value, text, sizeof text));
        break;
    case PROBED:
        below = value < ceil(2 * probe_ns);
        rh_table_cell(
            table, "%s%s", below ? "< " : "",
            rh_time_human((uint64_t)(below ? ceil(2 * probe_ns) : value), text, sizeof text));
        break;
    }
}

/* Columns that some run of this trace knows. */
static unsigned
known_columns(const run_list *runs, int64_t trace, const figure_column *all, size_t columns_count,
              bool known[COLUMNS_MOST])
{
    unsigned count = 0;
    for (size_t c = 0; c < columns_count; c++) {
        known[c] = false;
        for (size_t i = 0; i < runs->count && !known[c]; i++)
            known[c] = runs->run[i].trace == trace &&
                       !isnan(rh_metrics_get(runs->run[i].metrics, runs->run[i].metric_count,
                                             all[c].metric));
        count += known[c];
    }
    return count;
}

static const char *
worst_status(const run_list *runs, const rh_run *like)
{
    const char *worst = "complete";
    for (size_t i = 0; i < runs->count; i++) {
        if (!same_allocator(&runs->run[i], like))
            continue;
        if (strcmp(runs->run[i].status, "failed") == 0)
            return "failed";
        if (strcmp(runs->run[i].status, "flagged") == 0)
            worst = "flagged";
    }
    return worst;
}

static bool
is_first_of_allocator(const run_list *runs, size_t at)
{
    for (size_t i = 0; i < at; i++)
        if (same_allocator(&runs->run[i], &runs->run[at]))
            return false;
    return true;
}

/* Runs were shuffled: the table is in the order in which the allocators were given. */
static size_t
place_of(const char *const *specs, size_t count, const char *spec)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(specs[i], spec) == 0)
            return i;
    return count;
}

static void
add_row(rh_table *table, const run_list *runs, const rh_run *run, const figure_column *all,
        size_t columns_count, const bool known[COLUMNS_MOST])
{
    double probe_ns = median(runs, run, "probe_ns");
    rh_table_cell(table, "%s%s", run->spec, is_control(run) ? CONTROL_MARK : "");
    for (size_t c = 0; c < columns_count; c++)
        if (known[c])
            add_cell(table, &all[c], median(runs, run, all[c].metric), probe_ns);
    rh_table_cell(table, "%s", worst_status(runs, run));
}

/* What any run of the trace says of a metric that is the trace's own, or nearly. */
static double
any_value(const run_list *runs, int64_t trace, const char *metric)
{
    double value = NAN;
    for (size_t i = 0; i < runs->count && isnan(value); i++)
        if (runs->run[i].trace == trace)
            value = rh_metrics_get(runs->run[i].metrics, runs->run[i].metric_count, metric);
    return value;
}

static void
print_heading(rh_results *results, const run_list *runs, const rh_run *first)
{
    char events[RH_SIZE_TEXT] = "no", requested[RH_SIZE_TEXT];
    double count = any_value(runs, first->trace, "events");
    if (!isnan(count))
        rh_count_grouped((uint64_t)count, events, sizeof events);
    printf("%s: %s events", rh_results_trace_path(results, first->trace), events);
    double peak = any_value(runs, first->trace, "peak_requested_bytes");
    if (!isnan(peak))
        printf(", at most %s requested at once",
               rh_size_human((uint64_t)peak, requested, sizeof requested));
    printf("\n");
    double probe_ns = any_value(runs, first->trace, "probe_ns");
    if (!isnan(probe_ns))
        printf("latencies include the probe that takes them: %.1f ns, measured with nothing in it"
               " (p99 %.0f, p99.99 %.0f, at most %.0f)\n",
               probe_ns, any_value(runs, first->trace, "probe_p99_ns"),
               any_value(runs, first->trace, "probe_p9999_ns"),
               any_value(runs, first->trace, "probe_max_ns"));
}

/* The most of a number in one of the runs like this one. */
static double
most_of(const run_list *runs, const rh_run *like, const char *metric)
{
    double most = 0;
    for (size_t i = 0; i < runs->count; i++)
        if (same_allocator(&runs->run[i], like))
            most =
                fmax(most, rh_metrics_get(runs->run[i].metrics, runs->run[i].metric_count, metric));
    return most;
}

/* ------------------------------------------------------------------ latencies */

static bool
has_call(const rh_latency *latency)
{
    for (unsigned operation = 0; operation < RH_TIMED_OPERATIONS; operation++)
        for (unsigned range = 0; range < RH_SIZE_RANGES; range++)
            if (latency->histogram[operation][range].total)
                return true;
    return false;
}

/* What the runs like this one took, all repetitions together; NULL: they are not of a latency pass
 * (for response times, of a paced one), or of a build that kept less. */
static rh_latency *
latency_of(rh_results *results, const run_list *runs, const rh_run *like, bool response)
{
    rh_latency *latency = calloc(1, sizeof *latency);
    if (!latency)
        abort();
    bool any = false;
    for (size_t i = 0; i < runs->count; i++) {
        const rh_run *run = &runs->run[i];
        bool timed = strcmp(run->pass, "latency") == 0 || is_control(run);
        if (!timed || !same_allocator(run, like) || strcmp(run->status, "failed") == 0)
            continue;
        any |= rh_latency_recall(results, run, response, latency, NULL) == RH_OK;
    }
    if (any && has_call(latency))
        return latency;
    free(latency);
    return NULL;
}

static const struct {
    const char *heading, *key;
    double fraction;
} shown_quantiles[] = {{"p50", "p50_ns", .5},
                       {"p90", "p90_ns", .9},
                       {"p99", "p99_ns", .99},
                       {"p99.9", "p999_ns", .999},
                       {"p99.99", "p9999_ns", .9999}};
enum { SHOWN_QUANTILES = sizeof shown_quantiles / sizeof *shown_quantiles };

/* What the rows of one allocator have in common. */
typedef struct latency_rows {
    rh_table *table;
    const rh_run *run;
    const char *time; /* "service" or "response"; NULL: there is but one */
    bool sizes;
    double probe_ns;
} latency_rows;

static void
latency_row(const latency_rows *rows, const char *operation, const char *sizes,
            const rh_histogram *histogram)
{
    static const figure_column column = {.kind = PROBED};
    rh_table *table = rows->table;
    char calls[RH_SIZE_TEXT];
    if (histogram->total == 0)
        return;
    rh_table_cell(table, "%s%s", rows->run->spec, is_control(rows->run) ? CONTROL_MARK : "");
    if (rows->time)
        rh_table_cell(table, "%s", rows->time);
    rh_table_cell(table, "%s", operation);
    if (rows->sizes)
        rh_table_cell(table, "%s", sizes);
    rh_table_cell(table, "%s", rh_count_grouped(histogram->total, calls, sizeof calls));
    for (int i = 0; i < SHOWN_QUANTILES; i++)
        add_cell(table, &column,
                 (double)rh_histogram_quantile(histogram, shown_quantiles[i].fraction),
                 rows->probe_ns);
    add_cell(table, &column, (double)histogram->max, rows->probe_ns);
}

static void
add_latency_rows(const latency_rows *rows, const rh_latency *latency)
{
    static rh_histogram whole;
    for (unsigned operation = 0; latency && operation < RH_TIMED_OPERATIONS; operation++) {
        const char *name = rh_timed_names[operation];
        rh_latency_operation(latency, (rh_timed)operation, &whole);
        latency_row(rows, name, "all sizes", &whole);
        for (unsigned range = 0; rows->sizes && range < RH_SIZE_RANGES; range++) {
            char text[64];
            rh_size_range_text(rh_size_range_least(range), rh_size_range_most[range], text,
                               sizeof text);
            latency_row(rows, name, text, &latency->histogram[operation][range]);
        }
    }
}

static rh_table *
latency_table(bool paced, bool sizes)
{
    rh_table *table = rh_table_new(4u + SHOWN_QUANTILES + paced + sizes);
    rh_table_cell(table, "latency");
    if (paced)
        rh_table_cell(table, "time");
    rh_table_cell(table, "call");
    if (sizes)
        rh_table_cell(table, "size");
    rh_table_cell(table, "calls");
    for (int i = 0; i < SHOWN_QUANTILES; i++)
        rh_table_cell(table, "%s", shown_quantiles[i].heading);
    rh_table_cell(table, "max");
    return table;
}

/* How long calls took, over all repetitions. Nothing where nobody measured that. */
static void
print_latencies(rh_results *results, const run_list *runs, const rh_run *first,
                const char *const *specs, size_t spec_count, bool sizes)
{
    bool paced = !isnan(any_value(runs, first->trace, "late_share")), any = false;
    rh_table *table = latency_table(paced, sizes);
    for (size_t place = 0; place <= spec_count; place++) {
        for (size_t i = 0; i < runs->count; i++) {
            const rh_run *run = &runs->run[i];
            if (run->trace != first->trace || !is_first_of_allocator(runs, i) ||
                place_of(specs, spec_count, run->spec) != place)
                continue;
            rh_latency *service = latency_of(results, runs, run, false);
            rh_latency *response = paced ? latency_of(results, runs, run, true) : NULL;
            latency_rows rows = {.table = table,
                                 .run = run,
                                 .time = paced ? "service" : NULL,
                                 .sizes = sizes,
                                 .probe_ns = median(runs, run, "probe_ns")};
            add_latency_rows(&rows, service);
            rows.time = "response";
            add_latency_rows(&rows, response);
            any |= service != NULL;
            free(service);
            free(response);
        }
    }
    if (any)
        rh_table_print(table, stdout);
    rh_table_free(table);
}

/* Whether the recorded times were kept: of the repetitions the median, and of them all the latest
 * call, which is among the response times of the table above. */
static void
print_slowdown(const run_list *runs, const rh_run *run, const char *pass, const char *metric)
{
    double slowdown = median(runs, run, metric);
    if (slowdown > PACE_SLACK)
        printf("%s: the pace was not held in the %s pass: its calls took %.2f times as long as "
               "they should\n",
               run->spec, pass, slowdown);
}

static void
print_pace(const run_list *runs, const rh_run *run)
{
    print_slowdown(runs, run, "memory", "memory_pace_slowdown");
    print_slowdown(runs, run, "system", "system_pace_slowdown");
    double late = median(runs, run, "late_share");
    if (isnan(late))
        return;
    char latest[RH_SIZE_TEXT];
    printf("%s%s: %.1f %% of the calls began more than 1 µs after they were due, the latest by %s",
           run->spec, is_control(run) ? CONTROL_MARK : "", late * 100,
           rh_time_human((uint64_t)most_of(runs, run, "latest_ns"), latest, sizeof latest));
    double slowdown = median(runs, run, "pace_slowdown");
    if (slowdown > PACE_SLACK)
        printf("; the pace was not held: the calls took %.2f times as long as they should",
               slowdown);
    printf("\n");
}

/* What kept a heap that was to become steady from it. */
static void
print_unsteady(const run_list *runs, const rh_run *run)
{
    char leak[RH_SIZE_TEXT];
    double grows = median(runs, run, "round_growth_requested_bytes");
    if (isnan(grows) || !isnan(median(runs, run, "steady_round")))
        return;
    printf("%s is not steady after %.0f rounds", run->spec, median(runs, run, "rounds"));
    if (grows > 0)
        printf(": each leaves %s alive, which --loop=...,end=free would free",
               rh_size_human((uint64_t)grows, leak, sizeof leak));
    printf("\n");
}

/* What `flagged` means, for each allocator that is. */
static void
explain_flags(const run_list *runs, const rh_run *run)
{
    char calls[RH_SIZE_TEXT];
    if (strcmp(worst_status(runs, run), "flagged") != 0)
        return;
    double most = most_of(runs, run, "failed_allocations");
    printf("%s is flagged: %s %s failed in a run that had succeeded in the recording\n", run->spec,
           rh_count_grouped((uint64_t)most, calls, sizeof calls), most == 1 ? "call" : "calls");
}

typedef void print_notes(const run_list *runs, const rh_run *run);

/* Of each allocator on a trace, in the order in which they were named; runs are shuffled. */
static void
print_of_each(print_notes *print, const run_list *runs, const rh_run *first,
              const char *const *specs, size_t spec_count)
{
    for (size_t place = 0; place <= spec_count; place++)
        for (size_t i = 0; i < runs->count; i++)
            if (runs->run[i].trace == first->trace && is_first_of_allocator(runs, i) &&
                place_of(specs, spec_count, runs->run[i].spec) == place)
                print(runs, &runs->run[i]);
}

/* The control knows latencies alone; whoever was asked for has a row anyway. */
static bool
knows_any(const run_list *runs, const rh_run *run, const figure_column *all, size_t columns_count)
{
    bool knows = !is_control(run);
    for (size_t c = 0; c < columns_count && !knows; c++)
        knows = !isnan(median(runs, run, all[c].metric));
    return knows;
}

/* Nothing where no run knows any of the columns. */
static void
print_columns(const run_list *runs, const rh_run *first, const figure_column *all,
              size_t columns_count, const char *const *specs, size_t spec_count)
{
    bool known[COLUMNS_MOST];
    unsigned shown = known_columns(runs, first->trace, all, columns_count, known);
    if (!shown)
        return;
    rh_table *table = rh_table_new(shown + 2);
    rh_table_cell(table, "allocator");
    for (size_t c = 0; c < columns_count; c++)
        if (known[c])
            rh_table_cell(table, "%s", all[c].heading);
    rh_table_cell(table, "runs");
    for (size_t place = 0; place <= spec_count; place++)
        for (size_t i = 0; i < runs->count; i++)
            if (runs->run[i].trace == first->trace && is_first_of_allocator(runs, i) &&
                knows_any(runs, &runs->run[i], all, columns_count) &&
                place_of(specs, spec_count, runs->run[i].spec) == place)
                add_row(table, runs, &runs->run[i], all, columns_count, known);
    rh_table_print(table, stdout);
    rh_table_free(table);
}

static void
print_trace(rh_results *results, const run_list *runs, const rh_run *first,
            const char *const *specs, size_t spec_count, bool sizes)
{
    print_heading(results, runs, first);
    print_columns(runs, first, columns, COLUMNS, specs, spec_count);
    print_latencies(results, runs, first, specs, spec_count, sizes);
    print_of_each(print_pace, runs, first, specs, spec_count);
    print_columns(runs, first, system_columns, SYSTEM_COLUMNS, specs, spec_count);
    print_columns(runs, first, round_columns, ROUND_COLUMNS, specs, spec_count);
    print_of_each(print_unsteady, runs, first, specs, spec_count);
    print_of_each(explain_flags, runs, first, specs, spec_count);
}

static rh_status
load(rh_results *results, run_list *runs, rh_error *error)
{
    return rh_results_runs(results, &runs->run, &runs->count, error);
}

rh_status
rh_replay_show_table(rh_results *results, const char *const *specs, size_t spec_count, bool sizes,
                     rh_error *error)
{
    run_list runs;
    rh_status status = load(results, &runs, error);
    if (status != RH_OK)
        return status;
    int64_t highest = 0;
    for (size_t i = 0; i < runs.count; i++)
        highest = runs.run[i].trace > highest ? runs.run[i].trace : highest;
    for (int64_t trace = 0; trace <= highest; trace++) {
        for (size_t i = 0; i < runs.count; i++) {
            if (runs.run[i].trace == trace) {
                print_trace(results, &runs, &runs.run[i], specs, spec_count, sizes);
                break;
            }
        }
    }
    return RH_OK;
}

/* The statistics of a run's heap, which follow its name; nothing where it has none. */
static void
print_statistics(const rh_run *run)
{
    json_t *provenance = run->provenance ? json_loads(run->provenance, 0, NULL) : NULL;
    const char *text = json_string_value(json_object_get(provenance, "statistics"));
    if (text)
        printf("\n%s:\n%s", run->spec, text);
    json_decref(provenance);
}

rh_status
rh_replay_show_statistics(rh_results *results, rh_error *error)
{
    run_list runs;
    rh_status status = load(results, &runs, error);
    for (size_t i = 0; status == RH_OK && i < runs.count; i++)
        if (strcmp(runs.run[i].pass, "memory") == 0 && runs.run[i].rep == 0)
            print_statistics(&runs.run[i]);
    return status;
}

/* ------------------------------------------------------------------ JSON */

static void
set_text(json_t *object, const char *name, const char *text)
{
    json_t *value = text ? json_string(text) : NULL;
    json_object_set_new(object, name, value ? value : json_null());
}

static json_t *
trace_json(rh_results *results, int64_t trace)
{
    const char *info = rh_results_trace_info(results, trace);
    json_t *object = info ? json_loads(info, 0, NULL) : NULL;
    if (!object)
        object = json_object();
    set_text(object, "path", rh_results_trace_path(results, trace));
    set_text(object, "hash", rh_results_trace_hash(results, trace));
    return object;
}

static void
add_metrics(json_t *metrics, const rh_run *run)
{
    for (size_t i = 0; i < run->metric_count; i++) {
        double value = run->metrics[i].value;
        json_t *number = isnan(value) ? json_null()
                         : value == floor(value) && fabs(value) < 9e15
                             ? json_integer((json_int_t)value)
                             : json_real(value);
        json_object_set_new(metrics, run->metrics[i].name, number);
    }
}

static json_t *
histogram_json(const char *operation, const char *time, unsigned range,
               const rh_histogram *histogram)
{
    json_t *object = json_object();
    uint64_t most = rh_size_range_most[range];
    set_text(object, "operation", operation);
    set_text(object, "time", time);
    json_object_set_new(object, "size_least", json_integer((json_int_t)rh_size_range_least(range)));
    json_object_set_new(object, "size_most",
                        most == UINT64_MAX ? json_null() : json_integer((json_int_t)most));
    json_object_set_new(object, "calls", json_integer((json_int_t)histogram->total));
    for (int i = 0; i < SHOWN_QUANTILES; i++) {
        uint64_t value = rh_histogram_quantile(histogram, shown_quantiles[i].fraction);
        json_object_set_new(object, shown_quantiles[i].key, json_integer((json_int_t)value));
    }
    json_object_set_new(object, "max_ns", json_integer((json_int_t)histogram->max));
    return object;
}

static void
add_latencies(json_t *list, const rh_latency *latency, const char *time)
{
    for (unsigned operation = 0; operation < RH_TIMED_OPERATIONS; operation++)
        for (unsigned range = 0; range < RH_SIZE_RANGES; range++)
            if (latency->histogram[operation][range].total)
                json_array_append_new(list, histogram_json(rh_timed_names[operation], time, range,
                                                           &latency->histogram[operation][range]));
}

/* The histograms of a latency pass. */
static json_t *
latencies_json(rh_results *results, const rh_run *run)
{
    json_t *list = json_array();
    for (int response = 0; response < 2; response++) {
        rh_latency *latency = calloc(1, sizeof *latency);
        if (!latency)
            abort();
        if (rh_latency_recall(results, run, response, latency, NULL) == RH_OK)
            add_latencies(list, latency, response ? "response" : "service");
        free(latency);
    }
    return list;
}

/* The rounds of a looped run, in order. */
static json_t *
rounds_json(const rh_run *run)
{
    json_t *list = json_array();
    for (size_t i = 0; i < run->round_count; i++) {
        const rh_round *round = &run->rounds[i];
        json_t *object = json_object();
#define ROUND_NUMBER(name)                                                                         \
    json_object_set_new(object, #name,                                                             \
                        round->name == RH_UNKNOWN ? json_null()                                    \
                                                  : json_integer((json_int_t)round->name));
        ROUND_NUMBER(calls)
        ROUND_NUMBER(peak_mapped_bytes)
        ROUND_NUMBER(end_mapped_bytes)
        ROUND_NUMBER(peak_requested_bytes)
        ROUND_NUMBER(end_requested_bytes)
        ROUND_NUMBER(end_live_blocks)
        ROUND_NUMBER(busy_ns)
#undef ROUND_NUMBER
        json_array_append_new(list, object);
    }
    return list;
}

static void
add_pass(rh_results *results, json_t *passes, const rh_run *run)
{
    json_t *pass = json_object();
    set_text(pass, "status", run->status);
    json_t *provenance = run->provenance ? json_loads(run->provenance, 0, NULL) : NULL;
    json_t *statistics = json_object_get(provenance, "statistics");
    if (statistics) { /* the heap's own words: beside what is known of the run */
        json_object_set(pass, "statistics", statistics);
        json_object_del(provenance, "statistics");
    }
    json_object_set_new(pass, "provenance", provenance ? provenance : json_null());
    rh_run loaded = *run;
    if (rh_results_load_rounds(results, &loaded, NULL) == RH_OK && loaded.round_count)
        json_object_set_new(pass, "rounds", rounds_json(&loaded));
    if (strcmp(run->pass, "latency") == 0 || is_control(run))
        json_object_set_new(pass, "latencies", latencies_json(results, run));
    json_object_set_new(passes, run->pass, pass);
}

/* A memory pass that was not repeated stands for every repetition. */
static bool
belongs(const run_list *runs, const rh_run *run, const rh_run *like)
{
    if (!same_allocator(run, like))
        return false;
    if (run->rep == like->rep)
        return true;
    if (run->rep != 0 || strcmp(run->pass, "memory") != 0)
        return false;
    for (size_t i = 0; i < runs->count; i++)
        if (same_allocator(&runs->run[i], like) && runs->run[i].rep == like->rep &&
            strcmp(runs->run[i].pass, "memory") == 0)
            return false;
    return true;
}

static json_t *
run_json(rh_results *results, const run_list *runs, const rh_run *like, bool over_time)
{
    rh_error ignored; /* the runs were just read from the same file */
    json_t *object = json_object(), *allocator = json_object();
    json_t *metrics = json_object(), *passes = json_object();
    set_text(allocator, "spec", like->spec);
    set_text(allocator, "name", like->name);
    for (size_t i = 0; i < runs->count; i++) {
        const rh_run *run = &runs->run[i];
        if (!belongs(runs, run, like))
            continue;
        add_metrics(metrics, run);
        add_pass(results, passes, run);
        if (over_time && strcmp(run->pass, "memory") == 0)
            rh_replay_add_samples(json_object_get(passes, "memory"), results, run, &ignored);
        set_text(allocator, "version", run->version && *run->version ? run->version : NULL);
    }
    json_object_set_new(object, "trace", trace_json(results, like->trace));
    json_object_set_new(object, "allocator", allocator);
    json_object_set_new(object, "rep", json_integer(like->rep));
    json_object_set_new(object, "passes", passes);
    json_object_set_new(object, "metrics", metrics);
    return object;
}

static bool
is_first_of_repetition(const run_list *runs, size_t at)
{
    for (size_t i = 0; i < at; i++)
        if (same_allocator(&runs->run[i], &runs->run[at]) && runs->run[i].rep == runs->run[at].rep)
            return false;
    return true;
}

/* The reason in a failed run's provenance; from malloc. */
static char *
reason_of(const rh_run *run)
{
    json_t *provenance = run->provenance ? json_loads(run->provenance, 0, NULL) : NULL;
    const char *text = json_string_value(json_object_get(provenance, "reason"));
    char *reason = strdup(text ? text : "unknown");
    if (!reason)
        abort();
    json_decref(provenance);
    return reason;
}

rh_status
rh_replay_show_failures(rh_results *results, rh_error *error)
{
    run_list runs;
    rh_status status = load(results, &runs, error);
    for (size_t i = 0; status == RH_OK && i < runs.count; i++) {
        bool told = strcmp(runs.run[i].status, "failed") != 0;
        for (size_t j = 0; j < i && !told; j++)
            told = strcmp(runs.run[j].status, "failed") == 0 &&
                   strcmp(runs.run[j].spec, runs.run[i].spec) == 0;
        if (told)
            continue;
        char *reason = reason_of(&runs.run[i]);
        fprintf(stderr, "reheap replay: %s failed (%s): %s\n", runs.run[i].spec, runs.run[i].pass,
                reason);
        free(reason);
    }
    return status;
}

rh_status
rh_replay_show_json(rh_results *results, bool over_time, rh_error *error)
{
    run_list runs;
    rh_status status = load(results, &runs, error);
    if (status != RH_OK)
        return status;
    json_t *object = json_object(), *list = json_array(), *control = json_array();
    set_text(object, "schema", "reheap.replay/1");
    for (size_t i = 0; i < runs.count; i++)
        if (is_first_of_repetition(&runs, i))
            json_array_append_new(is_control(&runs.run[i]) ? control : list,
                                  run_json(results, &runs, &runs.run[i], over_time));
    json_object_set_new(object, "runs", list);
    json_object_set_new(object, "control", control);
    json_dumpf(object, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(15));
    printf("\n");
    json_decref(object);
    return RH_OK;
}
