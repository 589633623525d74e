/* Rows into results: a run with all that belongs to it is in the file whole, or not at all. */
#include "replay/results_parts.h"

#include <math.h>
#include <string.h>

#include "replay/arena_store.h"

rh_status
rh_results_add_trace(rh_results *results, const char *path, const char *hash, const char *info_json,
                     int64_t *id, rh_error *error)
{
    sqlite3_stmt *statement;
    rh_status status = rh_results_prepare(
        results, "INSERT INTO trace(path, hash, info) VALUES(?,?,?)", &statement, error);
    if (status != RH_OK)
        return status;
    sqlite3_bind_text(statement, 1, path, -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 2, hash, -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 3, info_json, -1, SQLITE_STATIC);
    if (sqlite3_step(statement) != SQLITE_DONE)
        status = rh_results_error(results, error, "write it");
    *id = sqlite3_last_insert_rowid(results->database);
    sqlite3_finalize(statement);
    return status;
}

static bool
insert(sqlite3_stmt *statement)
{
    bool done = sqlite3_step(statement) == SQLITE_DONE;
    sqlite3_reset(statement);
    return done;
}

static void
bind_number(sqlite3_stmt *statement, int place, uint64_t value)
{
    if (value == RH_UNKNOWN)
        sqlite3_bind_null(statement, place);
    else
        sqlite3_bind_int64(statement, place, (int64_t)value);
}

static bool
insert_marks(sqlite3_stmt *statement, int64_t trace, const rh_mark *marks, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        sqlite3_bind_int64(statement, 1, trace);
        bind_number(statement, 2, marks[i].event);
        bind_number(statement, 3, marks[i].time_ns);
        sqlite3_bind_text(statement, 4, marks[i].text, -1, SQLITE_STATIC);
        if (!insert(statement))
            return false;
    }
    return true;
}

rh_status
rh_results_add_marks(rh_results *results, int64_t trace, const rh_mark *marks, size_t count,
                     rh_error *error)
{
    sqlite3_stmt *statement;
    rh_status status = rh_results_execute(results, "BEGIN", "write it", error);
    if (status == RH_OK)
        status = rh_results_prepare(results, "INSERT INTO mark VALUES(?,?,?,?)", &statement, error);
    if (status != RH_OK)
        return status;
    if (!insert_marks(statement, trace, marks, count))
        status = rh_results_error(results, error, "write it");
    sqlite3_finalize(statement);
    if (status == RH_OK)
        return rh_results_execute(results, "COMMIT", "write it", error);
    sqlite3_exec(results->database, "ROLLBACK", NULL, NULL, NULL);
    return status;
}

static bool
insert_metrics(rh_results *results, const rh_run *run)
{
    sqlite3_stmt *statement = results->insert_metric;
    for (size_t i = 0; i < run->metric_count; i++) {
        sqlite3_bind_int64(statement, 1, run->id);
        sqlite3_bind_text(statement, 2, run->metrics[i].name, -1, SQLITE_STATIC);
        if (isnan(run->metrics[i].value))
            sqlite3_bind_null(statement, 3);
        else
            sqlite3_bind_double(statement, 3, run->metrics[i].value);
        if (!insert(statement))
            return false;
    }
    return true;
}

static bool
insert_samples(rh_results *results, const rh_run *run)
{
    sqlite3_stmt *statement = results->insert_sample;
    for (size_t i = 0; i < run->sample_count; i++) {
        const rh_sample *sample = &run->samples[i];
        const uint64_t own[OWN_COLUMNS] = {sample->event,           sample->time_ns,
                                           sample->requested_bytes, sample->live_blocks,
                                           sample->resident_bytes,  sample->aged_block_bytes};
        uint64_t counters[COUNTER_COLUMNS];
        memcpy(counters, &sample->counters, sizeof counters);
        sqlite3_bind_int64(statement, 1, run->id);
        for (int c = 0; c < OWN_COLUMNS; c++)
            bind_number(statement, 2 + c, own[c]);
        for (int c = 0; c < COUNTER_COLUMNS; c++)
            bind_number(statement, 2 + OWN_COLUMNS + c, counters[c]);
        if (!insert(statement))
            return false;
    }
    return true;
}

static bool
insert_buckets(rh_results *results, const rh_run *run)
{
    sqlite3_stmt *statement = results->insert_bucket;
    for (size_t i = 0; i < run->bucket_count; i++) {
        const rh_bucket *bucket = &run->buckets[i];
        sqlite3_bind_int64(statement, 1, run->id);
        sqlite3_bind_text(statement, 2, bucket->operation, -1, SQLITE_STATIC);
        sqlite3_bind_int64(statement, 3, (int64_t)bucket->lower_ns);
        sqlite3_bind_int64(statement, 4, (int64_t)bucket->upper_ns);
        sqlite3_bind_int64(statement, 5, (int64_t)bucket->count);
        sqlite3_bind_int64(statement, 6, bucket->response);
        sqlite3_bind_int64(statement, 7, (int64_t)bucket->size_least);
        if (!insert(statement))
            return false;
    }
    return true;
}

static bool
insert_latencies(rh_results *results, const rh_run *run)
{
    sqlite3_stmt *statement = results->insert_latency;
    for (size_t i = 0; i < run->latency_count; i++) {
        const rh_latency_row *row = &run->latencies[i];
        sqlite3_bind_int64(statement, 1, run->id);
        sqlite3_bind_int64(statement, 2, row->response);
        sqlite3_bind_text(statement, 3, row->operation, -1, SQLITE_STATIC);
        sqlite3_bind_int64(statement, 4, (int64_t)row->size_least);
        bind_number(statement, 5, row->size_most);
        sqlite3_bind_int64(statement, 6, (int64_t)row->calls);
        sqlite3_bind_int64(statement, 7, (int64_t)row->max_ns);
        if (!insert(statement))
            return false;
    }
    return true;
}

static bool
insert_rounds(rh_results *results, const rh_run *run)
{
    sqlite3_stmt *statement = results->insert_round;
    for (size_t i = 0; i < run->round_count; i++) {
        uint64_t numbers[ROUND_COLUMNS];
        memcpy(numbers, &run->rounds[i], sizeof numbers);
        sqlite3_bind_int64(statement, 1, run->id);
        for (int c = 0; c < ROUND_COLUMNS; c++)
            bind_number(statement, 2 + c, numbers[c]);
        if (!insert(statement))
            return false;
    }
    return true;
}

static bool
insert_stretches(rh_results *results, const rh_run *run)
{
    sqlite3_stmt *statement = results->insert_stretch;
    for (size_t i = 0; i < run->stretch_count; i++) {
        sqlite3_bind_int64(statement, 1, run->id);
        bind_number(statement, 2, run->stretches[i].calls);
        bind_number(statement, 3, run->stretches[i].busy_ns);
        if (!insert(statement))
            return false;
    }
    return true;
}

static bool
insert_run(rh_results *results, rh_run *run)
{
    sqlite3_stmt *statement;
    if (sqlite3_prepare_v2(results->database,
                           "INSERT INTO run(trace, spec, name, version, rep, pass, status,"
                           " provenance) VALUES(?,?,?,?,?,?,?,?)",
                           -1, &statement, NULL) != SQLITE_OK)
        return false;
    const char *texts[] = {run->spec, run->name, run->version};
    sqlite3_bind_int64(statement, 1, run->trace);
    for (int i = 0; i < 3; i++)
        sqlite3_bind_text(statement, 2 + i, texts[i], -1, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 5, run->rep);
    sqlite3_bind_text(statement, 6, run->pass, -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 7, run->status, -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 8, run->provenance, -1, SQLITE_STATIC);
    bool done = sqlite3_step(statement) == SQLITE_DONE;
    sqlite3_finalize(statement);
    run->id = sqlite3_last_insert_rowid(results->database);
    return done && insert_metrics(results, run) && insert_samples(results, run) &&
           insert_buckets(results, run) && insert_latencies(results, run) &&
           insert_rounds(results, run) && insert_stretches(results, run) &&
           (!run->arenas || rh_arena_store(results->database, run->id, run->arenas));
}

rh_status
rh_results_add_run(rh_results *results, rh_run *run, rh_error *error)
{
    rh_status status = rh_results_check_kept(results, false, error);
    if (status == RH_OK)
        status = rh_results_execute(results, "BEGIN", "write it", error);
    if (status != RH_OK)
        return status;
    if (!insert_run(results, run)) {
        status = rh_results_error(results, error, "write it");
        sqlite3_exec(results->database, "ROLLBACK", NULL, NULL, NULL);
        return status;
    }
    status = rh_results_execute(results, "COMMIT", "write it", error);
    if (status != RH_OK) {
        sqlite3_exec(results->database, "ROLLBACK", NULL, NULL, NULL);
        return status;
    }
    results->runs_stored++;
    return results->temporary ? rh_results_take_name(results, error) : RH_OK;
}

rh_status
rh_results_forget_failures(rh_results *results, rh_error *error)
{
    static const char sql[] =
        "BEGIN; CREATE TEMP TABLE gone AS SELECT id FROM run WHERE status='failed';"
        "DELETE FROM metric WHERE run IN (SELECT id FROM gone);"
        "DELETE FROM sample WHERE run IN (SELECT id FROM gone);"
        "DELETE FROM histogram WHERE run IN (SELECT id FROM gone);"
        "DELETE FROM latency WHERE run IN (SELECT id FROM gone);"
        "DELETE FROM round WHERE run IN (SELECT id FROM gone);"
        "DELETE FROM run WHERE id IN (SELECT id FROM gone); DROP TABLE gone; COMMIT";
    rh_status status = rh_results_check_kept(results, false, error);
    if (status != RH_OK)
        return status;
    status = rh_results_execute(results, sql, "write it", error);
    if (status == RH_OK)
        return rh_results_guard(results, error); /* fewer runs */
    sqlite3_exec(results->database, "ROLLBACK", NULL, NULL, NULL);
    return status;
}
