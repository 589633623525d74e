#include "analysis/compare.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/size.h"

const char *
rh_verdict_word(const rh_quantity *quantity, const rh_ratio *ratio)
{
    static const char *const words[][4] = {
        [RH_QUANTITY_NS] = {"unknown", "same", "faster", "slower"},
        [RH_QUANTITY_BYTES] = {"unknown", "same", "less", "more"},
        [RH_QUANTITY_EXCESS] = {"unknown", "same", "less", "more"},
        [RH_QUANTITY_COUNT] = {"unknown", "same", "fewer", "more"},
    };
    if (ratio->verdict == RH_VERDICT_SAME && ratio->more_runs)
        return "not distinguishable";
    return words[quantity->kind][ratio->verdict];
}

char *
rh_verdict_text(const rh_quantity *quantity, const rh_ratio *ratio, char *text, size_t capacity)
{
    bool few = ratio->verdict == RH_VERDICT_UNKNOWN && isfinite(ratio->value);
    const char *word = few ? "too few runs" : rh_verdict_word(quantity, ratio);
    if (ratio->more_runs >= RH_MORE_RUNS_MOST)
        snprintf(text, capacity, "%s (over %u more)", word, RH_MORE_RUNS_MOST);
    else if (ratio->more_runs)
        snprintf(text, capacity, "%s (%u more)", word, ratio->more_runs);
    else
        snprintf(text, capacity, "%s", word);
    return text;
}

char *
rh_quantity_text(const rh_quantity *quantity, double value, char *text, size_t capacity)
{
    if (!isfinite(value))
        snprintf(text, capacity, "-");
    else if (quantity->kind == RH_QUANTITY_BYTES)
        rh_size_human(value > 0 ? (uint64_t)value : 0, text, capacity);
    else if (quantity->kind == RH_QUANTITY_EXCESS)
        snprintf(text, capacity, "%.1f %%", value * 100);
    else if (quantity->kind == RH_QUANTITY_COUNT && value >= 0)
        rh_count_grouped((uint64_t)value, text, capacity);
    else
        snprintf(text, capacity, value < 99.95 ? "%.1f" : "%.0f", value);
    return text;
}

static bool
any_has(const rh_workload *workload, const char *metric)
{
    for (size_t i = 0; i < workload->subject_count; i++) {
        if (isfinite(rh_subject_median(&workload->subjects[i], metric)))
            return true;
    }
    return false;
}

static bool
ran(const rh_subject *subject)
{
    return subject->run_count > subject->failed;
}

/* A flagged allocator failed where the recording did not: its numbers are of a smaller load. */
static void
name_cell(rh_table *table, const rh_subject *subject)
{
    rh_table_cell(table, "%s%s", subject->spec, subject->flagged ? " (!)" : "");
}

static void
value_cell(rh_table *table, const rh_subject *subject, const rh_quantity *quantity)
{
    char text[RH_SIZE_TEXT];
    double value = rh_subject_median(subject, quantity->name);
    bool marked = quantity->kind != RH_QUANTITY_NS && rh_subject_varies(subject, quantity->name);
    rh_table_cell(table, "%s%s", marked ? "~" : "",
                  rh_quantity_text(quantity, value, text, sizeof text));
}

/* A ratio as it is shown to somebody who sees both numbers: of two fragmentations, of which it is
 * that of 1 + value, as their difference in percentage points, which are hundredths of what is
 * asked for. */
static const char *
ratio_text(const rh_quantity *quantity, const rh_subject *baseline, double ratio, char *text,
           size_t capacity)
{
    double points = (ratio - 1) * (1 + rh_subject_median(baseline, quantity->name)) * 100;
    if (!isfinite(ratio))
        snprintf(text, capacity, "-");
    else if (quantity->kind != RH_QUANTITY_EXCESS)
        snprintf(text, capacity, "%.3f", ratio);
    else if (fabs(points) < 0.05)
        snprintf(text, capacity, "0.0 pp");
    else
        snprintf(text, capacity, "%+.1f pp", points);
    return text;
}

/* Ratio, interval, verdict. */
static void
ratio_cells(rh_table *table, const rh_subject *baseline, const rh_quantity *quantity,
            const rh_ratio *ratio)
{
    char value[32], low[32], high[32];
    rh_table_cell(table, "%s", ratio_text(quantity, baseline, ratio->value, value, sizeof value));
    if (isfinite(ratio->low))
        rh_table_cell(table, "%s to %s",
                      ratio_text(quantity, baseline, ratio->low, low, sizeof low),
                      ratio_text(quantity, baseline, ratio->high, high, sizeof high));
    else
        rh_table_cell(table, "-");
    char text[64];
    rh_table_cell(table, "%s", rh_verdict_text(quantity, ratio, text, sizeof text));
}

static void
no_ratio_cells(rh_table *table)
{
    rh_table_cell(table, "1");
    rh_table_cell(table, "-");
    rh_table_cell(table, "baseline");
}

static rh_table *
speed_table(const rh_workload *workload, const rh_subject *baseline)
{
    const rh_quantity *whole = rh_quantity_find("ns_per_event");
    const rh_quantity *speed = rh_quantity_find(rh_workload_speed(workload));
    if (!any_has(workload, whole->name))
        return NULL;
    bool calm = speed != whole;
    rh_table *table = rh_table_new(calm ? 6 : 5);
    static const char *const headings[] = {"calm", "ratio", "95 %", "verdict"};
    rh_table_cell(table, "Speed");
    rh_table_cell(table, "%s", whole->heading);
    for (size_t i = !calm; i < 4; i++)
        rh_table_cell(table, "%s", headings[i]);
    for (size_t i = 0; i < workload->subject_count; i++) {
        const rh_subject *subject = &workload->subjects[i];
        if (!ran(subject))
            continue;
        name_cell(table, subject);
        value_cell(table, subject, whole);
        if (calm)
            value_cell(table, subject, speed);
        rh_ratio ratio = rh_subject_ratio(subject, baseline, speed, RH_PAIRED);
        if (subject == baseline)
            no_ratio_cells(table);
        else
            ratio_cells(table, baseline, speed, &ratio);
    }
    return table;
}

/* A quantile; what lies under twice the probe's own cost only says that it does. */
static void
latency_cell(rh_table *table, const rh_subject *subject, const char *metric)
{
    double value = rh_subject_median(subject, metric);
    double blind = ceil(2 * rh_subject_median(subject, "probe_ns"));
    bool below = isfinite(blind) && value < blind;
    char text[RH_SIZE_TEXT];
    if (!isfinite(value))
        rh_table_cell(table, "-");
    else
        rh_table_cell(
            table, "%s%s", below ? "< " : "",
            rh_time_human((uint64_t)fmax(round(below ? blind : value), 0), text, sizeof text));
}

enum { LATENCY_METRICS = 6 };

static void
latency_cells(rh_table *table, const rh_subject *subject, const char *const *metrics)
{
    for (size_t m = 0; m < LATENCY_METRICS; m++)
        latency_cell(table, subject, metrics[m]);
}

static const char *const service[LATENCY_METRICS] = {"malloc_p50_ns",  "malloc_p99_ns",
                                                     "malloc_p999_ns", "free_p50_ns",
                                                     "free_p99_ns",    "free_p999_ns"};

/* NULL where nobody measured the first of the metrics of either half: malloc's, free's. Columns are
 * headed as those of service times are. */
static rh_table *
latencies(const rh_workload *workload, const char *heading, const char *const *metrics)
{
    if (!any_has(workload, metrics[0]) && !any_has(workload, metrics[LATENCY_METRICS / 2]))
        return NULL;
    rh_table *table = rh_table_new(LATENCY_METRICS + 1);
    rh_table_cell(table, "%s", heading);
    for (size_t m = 0; m < LATENCY_METRICS; m++)
        rh_table_cell(table, "%s", rh_quantity_find(service[m])->heading);
    for (size_t i = 0; i < workload->subject_count; i++) {
        if (!ran(&workload->subjects[i]))
            continue;
        name_cell(table, &workload->subjects[i]);
        latency_cells(table, &workload->subjects[i], metrics);
    }
    if (ran(&workload->control)) {
        rh_table_cell(table, "%s (control)", workload->control.spec);
        latency_cells(table, &workload->control, metrics);
    }
    return table;
}

static rh_table *
latency_table(const rh_workload *workload)
{
    return latencies(workload, "Latency", service);
}

/* Of paced runs: from the moment at which a call was due. */
static rh_table *
response_table(const rh_workload *workload)
{
    static const char *const metrics[LATENCY_METRICS] = {
        "malloc_response_p50_ns", "malloc_response_p99_ns", "malloc_response_p999_ns",
        "free_response_p50_ns",   "free_response_p99_ns",   "free_response_p999_ns"};
    return latencies(workload, "Response", metrics);
}

static void
ratio_and_verdict(rh_table *table, const rh_subject *subject, const rh_subject *baseline,
                  const rh_quantity *quantity)
{
    char text[32];
    rh_ratio ratio = rh_subject_ratio(subject, baseline, quantity, RH_PAIRED);
    if (subject == baseline)
        rh_table_cell(table, "baseline");
    else if (!isfinite(ratio.value))
        rh_table_cell(table, "-");
    else
        rh_table_cell(table, "%s %s",
                      ratio_text(quantity, baseline, ratio.value, text, sizeof text),
                      rh_verdict_word(quantity, &ratio));
}

static rh_table *
memory_table(const rh_workload *workload, const rh_subject *baseline)
{
    const rh_quantity *mapped = rh_quantity_find("peak_mapped_bytes");
    const rh_quantity *resident = rh_quantity_find("peak_resident_bytes");
    const rh_quantity *mean = rh_quantity_find("fragmentation_mean");
    if (!any_has(workload, mapped->name) && !any_has(workload, mean->name))
        return NULL;
    rh_table *table = rh_table_new(6);
    static const char *const headings[] = {"Memory",        "peak mapped", "to baseline",
                                           "fragmentation", "to baseline", "peak resident"};
    for (size_t i = 0; i < 6; i++)
        rh_table_cell(table, "%s", headings[i]);
    for (size_t i = 0; i < workload->subject_count; i++) {
        const rh_subject *subject = &workload->subjects[i];
        if (!ran(subject))
            continue;
        name_cell(table, subject);
        value_cell(table, subject, mapped);
        ratio_and_verdict(table, subject, baseline, mapped);
        value_cell(table, subject, mean);
        ratio_and_verdict(table, subject, baseline, mean);
        value_cell(table, subject, resident);
    }
    return table;
}

static rh_table *
arenas_table(const rh_workload *workload)
{
    static const char *const metrics[] = {"arenas_highwater", "arenas_allocated", "arenas_released",
                                          "arenas_reused", "pools_recycled"};
    enum { METRICS = sizeof metrics / sizeof metrics[0] };
    if (!any_has(workload, "arenas_allocated"))
        return NULL;
    rh_table *table = rh_table_new(METRICS + 1);
    rh_table_cell(table, "Arenas");
    for (size_t m = 0; m < METRICS; m++)
        rh_table_cell(table, "%s", rh_quantity_find(metrics[m])->heading);
    for (size_t i = 0; i < workload->subject_count; i++) {
        const rh_subject *subject = &workload->subjects[i];
        if (!isfinite(rh_subject_median(subject, "arenas_allocated")))
            continue;
        name_cell(table, subject);
        for (size_t m = 0; m < METRICS; m++)
            value_cell(table, subject, rh_quantity_find(metrics[m]));
    }
    return table;
}

/* What the kernel was asked for, and what it got back when nothing happened any more. */
static rh_table *
system_table(const rh_workload *workload)
{
    static const rh_quantity columns[] = {
        {"mmap_calls", "mmap", RH_QUANTITY_COUNT},
        {"munmap_calls", "munmap", RH_QUANTITY_COUNT},
        {"mremap_calls", "mremap", RH_QUANTITY_COUNT},
        {"madvise_calls", "madvise", RH_QUANTITY_COUNT},
        {"mprotect_calls", "mprotect", RH_QUANTITY_COUNT},
        {"brk_calls", "brk", RH_QUANTITY_COUNT},
        {"system_page_faults", "faults", RH_QUANTITY_COUNT},
        {"peak_huge_bytes", "in huge pages", RH_QUANTITY_BYTES},
        {"resident_after_100ms_bytes", "left after 0.1 s", RH_QUANTITY_BYTES},
        {"resident_after_1s_bytes", "1 s", RH_QUANTITY_BYTES},
        {"resident_after_5s_bytes", "5 s", RH_QUANTITY_BYTES},
    };
    enum { COLUMNS = sizeof columns / sizeof columns[0] };
    if (!any_has(workload, "resident_after_1s_bytes"))
        return NULL;
    rh_table *table = rh_table_new(COLUMNS + 1);
    rh_table_cell(table, "Kernel");
    for (size_t c = 0; c < COLUMNS; c++)
        rh_table_cell(table, "%s", columns[c].heading);
    for (size_t i = 0; i < workload->subject_count; i++) {
        if (!ran(&workload->subjects[i]))
            continue;
        name_cell(table, &workload->subjects[i]);
        for (size_t c = 0; c < COLUMNS; c++)
            value_cell(table, &workload->subjects[i], &columns[c]);
    }
    return table;
}

rh_comparison
rh_compare_tables(const rh_workload *workload, const rh_subject *baseline)
{
    return (rh_comparison){.speed = speed_table(workload, baseline),
                           .latency = latency_table(workload),
                           .response = response_table(workload),
                           .memory = memory_table(workload, baseline),
                           .arenas = arenas_table(workload),
                           .system = system_table(workload)};
}

void
rh_comparison_release(rh_comparison *tables)
{
    rh_table_free(tables->speed);
    rh_table_free(tables->latency);
    rh_table_free(tables->response);
    rh_table_free(tables->memory);
    rh_table_free(tables->arenas);
    rh_table_free(tables->system);
}

static void
number_cell(rh_table *table, const rh_subject *subject, const rh_quantity *quantity)
{
    if (quantity->kind == RH_QUANTITY_NS && !strstr(quantity->name, "ns_per_event"))
        latency_cell(table, subject, quantity->name);
    else
        value_cell(table, subject, quantity);
}

/* The reference itself is compared as it is: that tells how the machine moved. */
rh_relation
rh_relation_between(const rh_workload *before, const rh_workload *after, const char *spec,
                    const char *reference)
{
    rh_relation relation = {.paired = false};
    if (reference && strcmp(spec, reference) != 0) {
        relation.reference = rh_workload_subject(after, reference);
        relation.baseline_reference = rh_workload_subject(before, reference);
    }
    return relation;
}

rh_table *
rh_compare_two(const rh_workload *before, const rh_workload *after, const char *reference)
{
    rh_table *table = rh_table_new(7);
    static const char *const headings[] = {"Allocator", "number", "older",  "newer",
                                           "ratio",     "95 %",   "verdict"};
    for (size_t i = 0; i < 7; i++)
        rh_table_cell(table, "%s", headings[i]);
    for (size_t i = 0; i < before->subject_count; i++) {
        const rh_subject *older = &before->subjects[i];
        const rh_subject *newer = rh_workload_subject(after, older->spec);
        rh_relation relation = rh_relation_between(before, after, older->spec, reference);
        for (const rh_quantity *quantity = rh_quantities; newer && quantity->name; quantity++) {
            rh_ratio ratio = rh_subject_ratio(newer, older, quantity, relation);
            bool count = quantity->kind == RH_QUANTITY_COUNT;
            if (!isfinite(ratio.value) || (count && ratio.verdict == RH_VERDICT_SAME))
                continue;
            name_cell(table, newer);
            rh_table_cell(table, "%s", quantity->heading);
            number_cell(table, older, quantity);
            number_cell(table, newer, quantity);
            ratio_cells(table, older, quantity, &ratio);
        }
    }
    return table;
}

json_t *
rh_json_number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *
ratio_json(const rh_quantity *quantity, const rh_ratio *ratio)
{
    return json_pack("{s:o, s:o, s:o, s:s, s:i, s:b}", "ratio", rh_json_number(ratio->value), "low",
                     rh_json_number(ratio->low), "high", rh_json_number(ratio->high), "verdict",
                     rh_verdict_word(quantity, ratio), "more_runs", (int)ratio->more_runs, "varies",
                     (int)isfinite(ratio->low));
}

static json_t *
numbers_json(const rh_subject *subject, const rh_subject *baseline)
{
    json_t *numbers = json_object();
    for (const rh_quantity *quantity = rh_quantities; quantity->name; quantity++) {
        rh_values values = rh_subject_values(subject, quantity->name);
        rh_ratio ratio = rh_subject_ratio(subject, baseline, quantity, RH_PAIRED);
        json_t *number = ratio_json(quantity, &ratio);
        json_object_set_new(number, "median",
                            rh_json_number(rh_median(values.value, values.count)));
        json_object_set_new(number, "runs", json_integer((json_int_t)values.count));
        json_object_set_new(numbers, quantity->name, number);
        rh_values_release(&values);
    }
    return numbers;
}

static json_t *
text_json(const char *text)
{
    json_t *value = text ? json_string(text) : NULL;
    return value ? value : json_null();
}

static json_t *
subject_json(const rh_subject *subject)
{
    return json_pack("{s:o, s:o, s:o, s:I, s:I, s:I}", "spec", text_json(subject->spec), "name",
                     text_json(subject->name), "version", text_json(subject->version), "runs",
                     (json_int_t)subject->run_count, "flagged", (json_int_t)subject->flagged,
                     "failed", (json_int_t)subject->failed);
}

static json_t *
workload_json(const rh_workload *workload)
{
    json_t *trace = json_pack("{s:o, s:o, s:o}", "path", text_json(workload->path), "hash",
                              text_json(workload->hash), "command", text_json(workload->command));
    json_object_set_new(trace, "events",
                        workload->events ? json_integer((json_int_t)workload->events)
                                         : json_null());
    return json_pack("{s:o, s:o}", "trace", trace, "allocators", json_array());
}

json_t *
rh_compare_json(const rh_workload *workload, const rh_subject *baseline)
{
    json_t *object = workload_json(workload);
    json_object_set_new(object, "baseline", text_json(baseline->spec));
    for (size_t i = 0; i < workload->subject_count; i++) {
        json_t *one = subject_json(&workload->subjects[i]);
        json_object_set_new(one, "numbers", numbers_json(&workload->subjects[i], baseline));
        json_array_append_new(json_object_get(object, "allocators"), one);
    }
    return object;
}

json_t *
rh_compare_two_json(const rh_workload *before, const rh_workload *after, const char *reference)
{
    json_t *object = workload_json(after);
    for (size_t i = 0; i < before->subject_count; i++) {
        const rh_subject *older = &before->subjects[i];
        const rh_subject *newer = rh_workload_subject(after, older->spec);
        if (!newer)
            continue;
        rh_relation relation = rh_relation_between(before, after, older->spec, reference);
        json_t *one = subject_json(newer), *numbers = json_object();
        for (const rh_quantity *quantity = rh_quantities; quantity->name; quantity++) {
            rh_ratio ratio = rh_subject_ratio(newer, older, quantity, relation);
            json_t *number = ratio_json(quantity, &ratio);
            json_object_set_new(number, "older",
                                rh_json_number(rh_subject_median(older, quantity->name)));
            json_object_set_new(number, "newer",
                                rh_json_number(rh_subject_median(newer, quantity->name)));
            json_object_set_new(numbers, quantity->name, number);
        }
        json_object_set_new(one, "numbers", numbers);
        json_array_append_new(json_object_get(object, "allocators"), one);
    }
    return object;
}
