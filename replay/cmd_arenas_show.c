#include "replay/cmd_arenas_show.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "alloc/counters.h"
#include "base/output.h"
#include "base/size.h"

/* ---- cells ---- */

static void
count_cell(rh_table *table, uint64_t count)
{
    char text[RH_SIZE_TEXT];
    rh_table_cell(table, "%s",
                  count == RH_UNKNOWN ? "-" : rh_count_grouped(count, text, sizeof text));
}

static void
bytes_cell(rh_table *table, uint64_t bytes)
{
    char text[RH_SIZE_TEXT];
    rh_table_cell(table, "%s", bytes == RH_UNKNOWN ? "-" : rh_size_human(bytes, text, sizeof text));
}

static void
share_cell(rh_table *table, uint64_t part, uint64_t whole)
{
    if (whole)
        rh_table_cell(table, "%.1f %%", 100.0 * (double)part / (double)whole);
    else
        rh_table_cell(table, "-");
}

static void
heading(rh_table *table, const char *const *names)
{
    for (size_t i = 0; names[i]; i++)
        rh_table_cell(table, "%s", names[i]);
}

/* ---- the arenas at the points ---- */

/* Bytes that a perfect packing of all blocks would give back. */
static uint64_t
packing_gain(const rh_arena_census *census)
{
    if (census->packed_arenas == RH_UNKNOWN || census->arenas == 0)
        return RH_UNKNOWN;
    uint64_t needed = census->packed_arenas * (census->arena_bytes / census->arenas);
    return census->arena_bytes > needed ? census->arena_bytes - needed : 0;
}

static void
show_points(const rh_arena_report *report)
{
    static const char *const names[] = {"at",    "event",  "arenas", "empty",   "<10 %", "<25 %",
                                        "<50 %", "in use", "packed", "to gain", NULL};
    rh_table *table = rh_table_new(10);
    heading(table, names);
    for (size_t i = 0; i < report->points_count; i++) {
        const rh_pin_point *point = &report->points[i];
        const rh_arena_census *census = &point->census;
        rh_table_cell(table, "%s", point->name);
        count_cell(table, census->event);
        count_cell(table, census->arenas);
        count_cell(table, census->empty_arenas);
        count_cell(table, census->under_10_arenas);
        count_cell(table, census->under_25_arenas);
        count_cell(table, census->under_50_arenas);
        share_cell(table, census->block_bytes, census->arena_bytes);
        count_cell(table, census->packed_arenas);
        bytes_cell(table, packing_gain(census));
    }
    rh_table_print(table, stdout);
    rh_table_free(table);
}

/* ---- the lives ---- */

typedef struct life_sums {
    uint64_t reused, dead, most_held;
    bool exact;
} life_sums;

static life_sums
sum_lives(const rh_arena_report *report)
{
    life_sums sums = {.exact = true};
    for (size_t i = 0; i < report->lives_count; i++) {
        const rh_arena_life *life = &report->lives[i];
        sums.reused += life->generation > 0;
        sums.dead += life->died_event != RH_UNKNOWN;
        sums.exact = sums.exact && life->exact;
        if (life->slot != UINT32_MAX && life->slot + UINT64_C(1) > sums.most_held)
            sums.most_held = life->slot + UINT64_C(1);
    }
    return sums;
}

static void
show_summary(const rh_run *run, const rh_arena_report *report)
{
    char born[RH_SIZE_TEXT], dead[RH_SIZE_TEXT], reused[RH_SIZE_TEXT], size[RH_SIZE_TEXT];
    char held[RH_SIZE_TEXT];
    life_sums sums = sum_lives(report);
    rh_size_human(report->lives_count ? report->lives[0].size_bytes : 0, size, sizeof size);
    printf("\n%s: %s arenas of %s, %s of them in the place of an earlier one; %s given back; at "
           "most %s at once%s\n",
           run->spec, rh_count_grouped(report->lives_count, born, sizeof born), size,
           rh_count_grouped(sums.reused, reused, sizeof reused),
           rh_count_grouped(sums.dead, dead, sizeof dead),
           rh_count_grouped(sums.most_held, held, sizeof held),
           sums.exact ? "" : " (as far as it was looked at)");
}

/* ---- what keeps them ---- */

static const struct by_text {
    const char *heading, *each;
} by_texts[RH_PIN_BYS] = {
    [RH_PIN_SIZE] = {"size of block", "each size"},
    [RH_PIN_LIFETIME] = {"stays up to, calls", "each of these lifetimes"},
    [RH_PIN_LIFETIME_FROM] = {"stays more than, calls", NULL},
    [RH_PIN_DOMAIN] = {"domain", "each domain"},
    [RH_PIN_BIRTH] = {"came during", "each of these phases"},
    [RH_PIN_SIZE_LIFETIME] = {"size, stays up to, calls", "each of these pairs"},
};

static void
group_cell(rh_table *table, const rh_pin_row *row)
{
    char text[RH_SIZE_TEXT];
    bool never = row->lifetime == RH_PIN_LIFETIMES - 1;
    /* A cell that begins with a digit is a number and goes to the right. */
    switch ((rh_pin_by)row->by) {
    case RH_PIN_SIZE:
        rh_table_cell(table, "%" PRIu64 " B", row->block_size_bytes);
        break;
    case RH_PIN_LIFETIME:
        rh_table_cell(table, "%s", rh_lifetime_short(row->lifetime, text, sizeof text));
        break;
    case RH_PIN_LIFETIME_FROM:
        rh_table_cell(table, "%s", rh_lifetime_short(row->lifetime - !never, text, sizeof text));
        break;
    case RH_PIN_DOMAIN:
        rh_table_cell(table, "%s", rh_pin_domain_name(row->domain));
        break;
    case RH_PIN_BIRTH:
        rh_table_cell(table, "%s", row->birth);
        break;
    default:
        rh_table_cell(table, "%" PRIu64 " B, %s", row->block_size_bytes,
                      rh_lifetime_short(row->lifetime, text, sizeof text));
        break;
    }
}

static void
show_rows(const rh_arena_report *report, const rh_pin_table *table, unsigned most)
{
    size_t count;
    const rh_pin_row *rows = rh_arena_report_pins(report, table, &count);
    bool overlap = table->by == RH_PIN_LIFETIME_FROM;
    rh_table *cells = rh_table_new(overlap ? 6 : 7);
    rh_table_cell(cells, "%s", by_texts[table->by].heading);
    rh_table_cell(cells, "blocks");
    rh_table_cell(cells, "bytes");
    rh_table_cell(cells, "arenas");
    rh_table_cell(cells, "alone");
    if (!overlap)
        rh_table_cell(cells, "pins");
    rh_table_cell(cells, "if apart");
    for (size_t i = 0; i < count && i < most; i++) {
        group_cell(cells, &rows[i]);
        count_cell(cells, rows[i].blocks);
        bytes_cell(cells, rows[i].block_bytes);
        count_cell(cells, rows[i].arenas);
        count_cell(cells, rows[i].alone_arenas);
        if (!overlap)
            bytes_cell(cells, (uint64_t)(rows[i].pinned_bytes + 0.5));
        bytes_cell(cells, rows[i].apart_bytes);
    }
    printf("\n");
    rh_table_print(cells, stdout);
    rh_table_free(cells);
    char text[RH_SIZE_TEXT];
    size_t shown = count < most ? count : most;
    if (table->groups > shown)
        printf("and %" PRIu64 " more\n", table->groups - shown);
    if (!overlap && table->groups > 1)
        printf("%s apart from all others: %s given back\n", by_texts[table->by].each,
               rh_size_human(table->all_apart_bytes, text, sizeof text));
}

static void
show_sum(const rh_pin_sum *sum, const rh_pin_point *point)
{
    char event[RH_SIZE_TEXT], arenas[RH_SIZE_TEXT], bytes[RH_SIZE_TEXT], blocks[RH_SIZE_TEXT];
    char packed[RH_SIZE_TEXT], taken[RH_SIZE_TEXT];
    printf("\n%s (event %s), less than %" PRIu32 " %% in use: ", point->name,
           rh_count_grouped(point->census.event, event, sizeof event), sum->under_percent);
    if (sum->arenas)
        printf("%s %s, %s, kept by blocks: %s, of %s together; packed perfectly they would fill %s",
               rh_count_grouped(sum->arenas, arenas, sizeof arenas),
               sum->arenas == 1 ? "arena" : "arenas",
               rh_size_human(sum->arena_bytes, bytes, sizeof bytes),
               rh_count_grouped(sum->blocks, blocks, sizeof blocks),
               rh_size_human(sum->block_bytes, taken, sizeof taken),
               rh_count_grouped(sum->packed_arenas, packed, sizeof packed));
    else
        printf("no arena");
    printf("\n");
}

static void
show_point(const rh_arena_report *report, const rh_arenas_view *view, uint32_t number)
{
    const rh_pin_sum *sum = NULL;
    for (size_t i = 0; i < report->sums_count; i++)
        if (report->sums[i].point == number && report->sums[i].under_percent == view->under_percent)
            sum = &report->sums[i];
    if (!sum)
        return;
    show_sum(sum, &report->points[number]);
    for (size_t i = 0; sum->arenas && i < report->tables_count; i++) {
        const rh_pin_table *table = &report->tables[i];
        if (table->point == number && table->under_percent == view->under_percent &&
            view->by[table->by])
            show_rows(report, table, view->rows);
    }
}

/* ---- every arena ---- */

static const rh_pin_arena *
pinned_by(const rh_arena_report *report, uint32_t point, uint32_t arena)
{
    for (size_t i = 0; i < report->pinned_count; i++)
        if (report->pinned[i].point == point && report->pinned[i].arena == arena)
            return &report->pinned[i];
    return NULL;
}

static void
life_cells(rh_table *table, const rh_arena_life *life, size_t number)
{
    rh_table_cell(table, "%zu", number);
    rh_table_cell(table, "%" PRIu32, life->slot);
    rh_table_cell(table, "%" PRIu32, life->generation);
    count_cell(table, life->born_event);
    count_cell(table, life->died_event);
    share_cell(table, life->most_block_bytes, life->size_bytes);
}

static void
show_lives(const rh_arena_report *report, uint32_t point)
{
    static const char *const names[] = {"arena",   "slot",   "before it", "born",         "died",
                                        "at most", "in use", "blocks",    "most of them", NULL};
    char text[RH_SIZE_TEXT];
    bool has_point = point < report->points_count;
    rh_table *table = rh_table_new(9);
    heading(table, names);
    for (size_t i = 0; i < report->lives_count; i++) {
        const rh_pin_arena *pinned = has_point ? pinned_by(report, point, (uint32_t)i) : NULL;
        life_cells(table, &report->lives[i], i);
        if (!pinned) {
            rh_table_cell(table, "-");
            rh_table_cell(table, "-");
            rh_table_cell(table, "-");
            continue;
        }
        share_cell(table, pinned->block_bytes, pinned->size_bytes);
        count_cell(table, pinned->blocks);
        rh_table_cell(table, "%" PRIu64 " of %" PRIu64 " B, stay up to %s", pinned->main_blocks,
                      pinned->main_size_bytes,
                      rh_lifetime_short(pinned->main_lifetime, text, sizeof text));
    }
    printf("\n");
    if (has_point)
        printf("in use, blocks, most of them: %s, of arenas less than 50 %% in use\n",
               report->points[point].name);
    rh_table_print(table, stdout);
    rh_table_free(table);
}

/* ---- a run ---- */

static bool
is_memory(const rh_run *run)
{
    return strcmp(run->pass, "memory") == 0 && strcmp(run->status, "failed") != 0;
}

static uint32_t
find_point(const rh_arena_report *report, const char *name)
{
    for (uint32_t p = 0; p < report->points_count; p++)
        if (strcmp(report->points[p].name, name) == 0)
            return p;
    return UINT32_MAX;
}

static void
show_run(const rh_run *run, const rh_arenas_view *view)
{
    const rh_arena_report *report = run->arenas;
    if (report->looks_count == 0) {
        printf("\n%s: does not tell what it keeps in which arena\n", run->spec);
        return;
    }
    show_summary(run, report);
    if (report->points_count == 0)
        printf("what keeps them was not looked into: `reheap arenas` does, of a recording\n");
    else
        show_points(report);
    uint32_t shown = UINT32_MAX;
    for (size_t a = 0; a < view->at_count; a++) {
        uint32_t point = find_point(report, view->at[a]);
        if (point == UINT32_MAX)
            printf("\n%s: no such moment: no arena was held, or never one more than a perfect "
                   "packing needs\n",
                   view->at[a]);
        else
            show_point(report, view, point);
        shown = shown == UINT32_MAX ? point : shown;
    }
    if (view->lives)
        show_lives(report, shown);
}

rh_status
rh_arenas_show_tables(rh_results *results, const rh_arenas_view *view, rh_error *error)
{
    const rh_run *runs;
    size_t count;
    rh_status status = rh_results_runs(results, &runs, &count, error);
    int64_t trace = -1;
    for (size_t i = 0; status == RH_OK && i < count; i++) {
        rh_run run = runs[i];
        if (!is_memory(&run) || run.rep > 0)
            continue;
        rh_results_load_arenas(results, &run);
        if (run.trace != trace)
            printf("%s%s:\n", trace < 0 ? "" : "\n", rh_results_trace_path(results, run.trace));
        trace = run.trace;
        show_run(&run, view);
    }
    return status;
}

/* ---- JSON ---- */

static json_t *
text_or_null(const char *text)
{
    json_t *value = text && *text ? json_string(text) : NULL;
    return value ? value : json_null();
}

static json_t *
number_or_null(uint64_t number, uint64_t none)
{
    return number == none ? json_null() : json_integer((json_int_t)number);
}

static json_t *
field_json(const rh_field *field, const char *at)
{
    uint64_t number;
    uint32_t place;
    int named;
    double real;
    switch (field->kind) {
    case RH_FIELD_NUMBER:
    case RH_FIELD_POSITIVE:
        memcpy(&number, at, sizeof number);
        return number_or_null(number, field->kind == RH_FIELD_NUMBER ? RH_UNKNOWN : 0);
    case RH_FIELD_PLACE:
        memcpy(&place, at, sizeof place);
        return number_or_null(place, UINT32_MAX);
    case RH_FIELD_FLAG:
        return json_boolean(*(const bool *)at);
    case RH_FIELD_REAL:
        memcpy(&real, at, sizeof real);
        return isnan(real) ? json_null() : json_real(real);
    case RH_FIELD_TEXT:
        return text_or_null(at);
    default:
        break;
    }
    memcpy(&named, at, sizeof named);
    if (field->kind == RH_FIELD_BY)
        return text_or_null(rh_pin_by_names[named]);
    if (named < 0)
        return json_null();
    return text_or_null(field->kind == RH_FIELD_DOMAIN ? rh_pin_domain_name(named)
                                                       : rh_lifetime_name(named));
}

static json_t *
list_json(const rh_arena_list *list, const rh_arena_report *report)
{
    const char *rows;
    size_t count;
    memcpy(&rows, (const char *)report + list->list_offset, sizeof rows);
    memcpy(&count, (const char *)report + list->count_offset, sizeof count);
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++) {
        json_t *row = json_object();
        for (size_t f = 0; f < list->field_count; f++)
            json_object_set_new(
                row, list->fields[f].name,
                field_json(&list->fields[f], rows + i * list->row_bytes + list->fields[f].offset));
        json_array_append_new(array, row);
    }
    return array;
}

static json_t *
run_json(rh_results *results, const rh_run *run, bool lives)
{
    json_t *object = json_object(), *trace = json_object(), *allocator = json_object();
    json_t *metrics = json_object();
    json_object_set_new(trace, "path", text_or_null(rh_results_trace_path(results, run->trace)));
    json_object_set_new(trace, "hash", text_or_null(rh_results_trace_hash(results, run->trace)));
    json_object_set_new(allocator, "spec", text_or_null(run->spec));
    json_object_set_new(allocator, "name", text_or_null(run->name));
    json_object_set_new(allocator, "version", text_or_null(run->version));
    for (size_t i = 0; i < run->metric_count; i++)
        if (strstr(run->metrics[i].name, "arena"))
            json_object_set_new(metrics, run->metrics[i].name,
                                isnan(run->metrics[i].value)
                                    ? json_null()
                                    : json_integer((json_int_t)run->metrics[i].value));
    json_object_set_new(object, "trace", trace);
    json_object_set_new(object, "allocator", allocator);
    json_object_set_new(object, "status", text_or_null(run->status));
    json_object_set_new(object, "metrics", metrics);
    for (size_t i = 0; i < RH_ARENA_LIST_COUNT; i++) {
        const rh_arena_list *list = &rh_arena_lists[i];
        bool long_list = list->list_offset == offsetof(rh_arena_report, lives) ||
                         list->list_offset == offsetof(rh_arena_report, rows) ||
                         list->list_offset == offsetof(rh_arena_report, pinned);
        if (!long_list || lives)
            json_object_set_new(object, list->table,
                                run->arenas->looks_count ? list_json(list, run->arenas)
                                                         : json_null());
    }
    return object;
}

rh_status
rh_arenas_show_json(rh_results *results, bool lives, rh_error *error)
{
    const rh_run *runs;
    size_t count;
    rh_status status = rh_results_runs(results, &runs, &count, error);
    if (status != RH_OK)
        return status;
    json_t *object = json_object(), *list = json_array();
    json_object_set_new(object, "schema", json_string("reheap.arenas/1"));
    for (size_t i = 0; i < count; i++) {
        rh_run run = runs[i];
        if (!is_memory(&run) || run.rep > 0)
            continue;
        rh_results_load_arenas(results, &run);
        json_array_append_new(list, run_json(results, &run, lives));
    }
    json_object_set_new(object, "runs", list);
    json_dumpf(object, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(15));
    printf("\n");
    json_decref(object);
    return RH_OK;
}
