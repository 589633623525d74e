/* Rows out of results. What readers get lies in memory that closing frees. */
#include "replay/results_parts.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "replay/arena_store.h"

/* The one number that a query about `id` gives; 0 when it gives none. */
static int64_t
query_number(rh_results *results, const char *sql, int64_t id)
{
    sqlite3_stmt *statement;
    int64_t number = 0;
    if (sqlite3_prepare_v2(results->database, sql, -1, &statement, NULL) == SQLITE_OK) {
        sqlite3_bind_int64(statement, 1, id);
        if (sqlite3_step(statement) == SQLITE_ROW)
            number = sqlite3_column_int64(statement, 0);
    }
    sqlite3_finalize(statement);
    return number;
}

static rh_status
load_metrics(rh_results *results, rh_run *run, rh_error *error)
{
    size_t room = (size_t)query_number(results, "SELECT count(*) FROM metric WHERE run=?", run->id);
    sqlite3_stmt *statement;
    rh_status status = rh_results_prepare(results, "SELECT name, value FROM metric WHERE run=?",
                                          &statement, error);
    if (status != RH_OK)
        return status;
    sqlite3_bind_int64(statement, 1, run->id);
    rh_metric *metrics = rh_results_keep(results, room * sizeof *metrics);
    run->metrics = metrics;
    while (run->metric_count < room && sqlite3_step(statement) == SQLITE_ROW) {
        bool unknown = sqlite3_column_type(statement, 1) == SQLITE_NULL;
        metrics[run->metric_count++] =
            (rh_metric){.name = rh_results_keep_text(results, sqlite3_column_text(statement, 0)),
                        .value = unknown ? NAN : sqlite3_column_double(statement, 1)};
    }
    sqlite3_finalize(statement);
    return RH_OK;
}

static void
read_run(rh_results *results, sqlite3_stmt *statement, rh_run *run)
{
    const char *text[8];
    for (int i = 0; i < 8; i++)
        text[i] =
            i == 5 ? NULL : rh_results_keep_text(results, sqlite3_column_text(statement, i + 1));
    *run = (rh_run){.id = sqlite3_column_int64(statement, 0),
                    .trace = sqlite3_column_int64(statement, 1),
                    .spec = text[1],
                    .name = text[2],
                    .version = text[3],
                    .pass = text[4],
                    .rep = (unsigned)sqlite3_column_int64(statement, 6),
                    .status = text[6],
                    .provenance = text[7]};
}

rh_status
rh_results_runs(rh_results *results, const rh_run **runs, size_t *count, rh_error *error)
{
    size_t room = (size_t)query_number(results, "SELECT count(*) FROM run WHERE ?>=0", 0);
    sqlite3_stmt *statement;
    rh_status status =
        rh_results_prepare(results,
                           "SELECT id, trace, spec, name, version, pass, rep, status,"
                           " provenance FROM run ORDER BY id",
                           &statement, error);
    if (status != RH_OK)
        return status;
    rh_run *read = rh_results_keep(results, room * sizeof *read);
    *count = 0;
    while (*count < room && sqlite3_step(statement) == SQLITE_ROW)
        read_run(results, statement, &read[(*count)++]);
    sqlite3_finalize(statement);
    for (size_t i = 0; status == RH_OK && i < *count; i++)
        status = load_metrics(results, &read[i], error);
    *runs = read;
    return status;
}

static uint64_t
column_number(sqlite3_stmt *statement, int place)
{
    if (sqlite3_column_type(statement, place) == SQLITE_NULL)
        return RH_UNKNOWN;
    return (uint64_t)sqlite3_column_int64(statement, place);
}

static rh_sample
read_sample(sqlite3_stmt *statement)
{
    rh_sample sample = {.event = column_number(statement, 0),
                        .time_ns = column_number(statement, 1),
                        .requested_bytes = column_number(statement, 2),
                        .live_blocks = column_number(statement, 3),
                        .resident_bytes = column_number(statement, 4),
                        .aged_block_bytes = column_number(statement, 5)};
    uint64_t counters[COUNTER_COLUMNS];
    for (int c = 0; c < COUNTER_COLUMNS; c++)
        counters[c] = column_number(statement, OWN_COLUMNS + c);
    memcpy(&sample.counters, counters, sizeof counters);
    return sample;
}

rh_status
rh_results_load_samples(rh_results *results, rh_run *run, rh_error *error)
{
    size_t room = (size_t)query_number(results, "SELECT count(*) FROM sample WHERE run=?", run->id);
    char columns[4096], sql[4200];
    rh_results_columns(columns, sizeof columns, "");
    snprintf(sql, sizeof sql, "SELECT %s FROM sample WHERE run=? ORDER BY rowid", columns + 1);
    sqlite3_stmt *statement;
    rh_status status = rh_results_prepare(results, sql, &statement, error);
    if (status != RH_OK)
        return status;
    sqlite3_bind_int64(statement, 1, run->id);
    rh_sample *samples = rh_results_keep(results, room * sizeof *samples);
    run->samples = samples;
    run->sample_count = 0;
    while (run->sample_count < room && sqlite3_step(statement) == SQLITE_ROW)
        samples[run->sample_count++] = read_sample(statement);
    sqlite3_finalize(statement);
    return RH_OK;
}

/* Whether the file's histograms tell ranges of sizes. */
static bool
knows_sizes(rh_results *results)
{
    return query_number(results,
                        "SELECT count(*) FROM pragma_table_info('histogram') WHERE"
                        " name='size_least' AND ?",
                        1) != 0;
}

static rh_status
load_latencies(rh_results *results, rh_run *run, rh_error *error)
{
    size_t room =
        (size_t)query_number(results, "SELECT count(*) FROM latency WHERE run=?", run->id);
    sqlite3_stmt *statement;
    rh_status status =
        rh_results_prepare(results,
                           "SELECT operation, response, size_least, size_most, calls, max_ns"
                           " FROM latency WHERE run=? ORDER BY rowid",
                           &statement, error);
    if (status != RH_OK)
        return status;
    sqlite3_bind_int64(statement, 1, run->id);
    rh_latency_row *rows = rh_results_keep(results, room * sizeof *rows);
    run->latencies = rows;
    run->latency_count = 0;
    while (run->latency_count < room && sqlite3_step(statement) == SQLITE_ROW)
        rows[run->latency_count++] = (rh_latency_row){
            .operation = rh_results_keep_text(results, sqlite3_column_text(statement, 0)),
            .response = sqlite3_column_int64(statement, 1) != 0,
            .size_least = (uint64_t)sqlite3_column_int64(statement, 2),
            .size_most = column_number(statement, 3),
            .calls = (uint64_t)sqlite3_column_int64(statement, 4),
            .max_ns = (uint64_t)sqlite3_column_int64(statement, 5)};
    sqlite3_finalize(statement);
    return RH_OK;
}

rh_status
rh_results_load_buckets(rh_results *results, rh_run *run, rh_error *error)
{
    bool sizes = knows_sizes(results);
    size_t room =
        (size_t)query_number(results, "SELECT count(*) FROM histogram WHERE run=?", run->id);
    sqlite3_stmt *statement;
    rh_status status = rh_results_prepare(
        results,
        sizes ? "SELECT operation, lower_ns, upper_ns, count, response, size_least"
                " FROM histogram WHERE run=? ORDER BY rowid"
              : "SELECT operation, lower_ns, upper_ns, count, 0, 0"
                " FROM histogram WHERE run=? ORDER BY rowid",
        &statement, error);
    if (status != RH_OK)
        return status;
    sqlite3_bind_int64(statement, 1, run->id);
    rh_bucket *buckets = rh_results_keep(results, room * sizeof *buckets);
    run->buckets = buckets;
    run->bucket_count = 0;
    while (run->bucket_count < room && sqlite3_step(statement) == SQLITE_ROW)
        buckets[run->bucket_count++] = (rh_bucket){
            .operation = rh_results_keep_text(results, sqlite3_column_text(statement, 0)),
            .lower_ns = (uint64_t)sqlite3_column_int64(statement, 1),
            .upper_ns = (uint64_t)sqlite3_column_int64(statement, 2),
            .count = (uint64_t)sqlite3_column_int64(statement, 3),
            .response = sqlite3_column_int64(statement, 4) != 0,
            .size_least = (uint64_t)sqlite3_column_int64(statement, 5)};
    sqlite3_finalize(statement);
    return sizes ? load_latencies(results, run, error) : RH_OK;
}

rh_status
rh_results_load_rounds(rh_results *results, rh_run *run, rh_error *error)
{
    run->round_count = 0;
    if (query_number(results, "SELECT count(*) FROM sqlite_master WHERE name='round' AND ?", 1) ==
        0)
        return RH_OK;
    size_t room = (size_t)query_number(results, "SELECT count(*) FROM round WHERE run=?", run->id);
    sqlite3_stmt *statement;
    rh_status status = rh_results_prepare(
        results,
        "SELECT calls, peak_mapped_bytes, end_mapped_bytes, peak_requested_bytes,"
        " end_requested_bytes, end_live_blocks, busy_ns FROM round WHERE run=?"
        " ORDER BY rowid",
        &statement, error);
    if (status != RH_OK)
        return status;
    sqlite3_bind_int64(statement, 1, run->id);
    rh_round *rounds = rh_results_keep(results, room * sizeof *rounds);
    run->rounds = rounds;
    while (run->round_count < room && sqlite3_step(statement) == SQLITE_ROW) {
        uint64_t numbers[ROUND_COLUMNS];
        for (int c = 0; c < ROUND_COLUMNS; c++)
            numbers[c] = column_number(statement, c);
        memcpy(&rounds[run->round_count++], numbers, sizeof numbers);
    }
    sqlite3_finalize(statement);
    return RH_OK;
}

rh_status
rh_results_load_stretches(rh_results *results, rh_run *run, rh_error *error)
{
    run->stretch_count = 0;
    if (query_number(results, "SELECT count(*) FROM sqlite_master WHERE name='stretch' AND ?", 1) ==
        0)
        return RH_OK;
    size_t room =
        (size_t)query_number(results, "SELECT count(*) FROM stretch WHERE run=?", run->id);
    sqlite3_stmt *statement;
    rh_status status =
        rh_results_prepare(results, "SELECT calls, busy_ns FROM stretch WHERE run=? ORDER BY rowid",
                           &statement, error);
    if (status != RH_OK)
        return status;
    sqlite3_bind_int64(statement, 1, run->id);
    rh_stretch *stretches = rh_results_keep(results, room * sizeof *stretches);
    run->stretches = stretches;
    while (run->stretch_count < room && sqlite3_step(statement) == SQLITE_ROW)
        stretches[run->stretch_count++] = (rh_stretch){.calls = column_number(statement, 0),
                                                       .busy_ns = column_number(statement, 1)};
    sqlite3_finalize(statement);
    return RH_OK;
}

size_t
rh_results_traces(rh_results *results)
{
    return (size_t)query_number(results, "SELECT count(*) FROM trace WHERE ?>=0", 0);
}

int64_t
rh_results_trace_id(rh_results *results, size_t index)
{
    return query_number(results, "SELECT id FROM trace ORDER BY id LIMIT 1 OFFSET ?",
                        (int64_t)index);
}

static void *
keep_rows(void *ctx, size_t bytes)
{
    return rh_results_keep(ctx, bytes);
}

void
rh_results_load_arenas(rh_results *results, rh_run *run)
{
    rh_arena_report *report = rh_results_keep(results, sizeof *report);
    rh_arena_recall(results->database, run->id, report, keep_rows, results);
    run->arenas = report;
}

static const char *
trace_text(rh_results *results, int64_t trace, const char *sql)
{
    sqlite3_stmt *statement;
    if (rh_results_prepare(results, sql, &statement, NULL) != RH_OK)
        return NULL;
    sqlite3_bind_int64(statement, 1, trace);
    const char *text = NULL;
    if (sqlite3_step(statement) == SQLITE_ROW)
        text = rh_results_keep_text(results, sqlite3_column_text(statement, 0));
    sqlite3_finalize(statement);
    return text;
}

const char *
rh_results_trace_path(rh_results *results, int64_t trace)
{
    return trace_text(results, trace, "SELECT path FROM trace WHERE id=?");
}

const char *
rh_results_trace_hash(rh_results *results, int64_t trace)
{
    return trace_text(results, trace, "SELECT hash FROM trace WHERE id=?");
}

const char *
rh_results_trace_info(rh_results *results, int64_t trace)
{
    return trace_text(results, trace, "SELECT info FROM trace WHERE id=?");
}

rh_status
rh_results_load_marks(rh_results *results, int64_t trace, const rh_mark **marks, size_t *count,
                      rh_error *error)
{
    *count = 0;
    *marks = NULL;
    if (query_number(results, "SELECT count(*) FROM sqlite_master WHERE name='mark' AND ?", 1) == 0)
        return RH_OK;
    size_t room = (size_t)query_number(results, "SELECT count(*) FROM mark WHERE trace=?", trace);
    sqlite3_stmt *statement;
    rh_status status = rh_results_prepare(
        results, "SELECT event, time_ns, text FROM mark WHERE trace=? ORDER BY rowid", &statement,
        error);
    if (status != RH_OK)
        return status;
    sqlite3_bind_int64(statement, 1, trace);
    rh_mark *read = rh_results_keep(results, room * sizeof *read);
    while (*count < room && sqlite3_step(statement) == SQLITE_ROW) {
        const unsigned char *text = sqlite3_column_text(statement, 2);
        read[(*count)++] = (rh_mark){
            .event = column_number(statement, 0),
            .time_ns = column_number(statement, 1),
            .text = rh_results_keep_text(results, text ? text : (const unsigned char *)"")};
    }
    sqlite3_finalize(statement);
    *marks = read;
    return RH_OK;
}
