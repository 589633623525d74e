#define _GNU_SOURCE
/* See results.h. Text that readers get lives in a list of blocks that close frees. */
#include "replay/results.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <sqlite3.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "replay/arena_store.h"

#define APPLICATION_ID 0x72656870 /* "rehp": says what the file is */
#define FORMAT         1
#define SUFFIX         ".unfinished"
#define MEMORY         ":memory:"

typedef struct memory_block memory_block;
struct memory_block {
    memory_block *next;
    max_align_t data[];
};

struct rh_results {
    sqlite3 *database;
    char *path;      /* the final name */
    char *temporary; /* where it lies until the first run; NULL afterwards */
    int lock;        /* on the file, held while it is written; -1: none */
    sqlite3_stmt *insert_metric, *insert_sample, *insert_bucket, *insert_latency, *insert_round;
    memory_block *memory;
};

/* The columns of `sample`: the replay's own, then the heap's counters. The heap's live_blocks gives
 * way to the replay's. */
static const char *const sample_columns[] = {"event",
                                             "time_ns",
                                             "requested_bytes",
                                             "live_blocks",
                                             "resident_bytes",
#define COUNTER_NAME(name, what) #name,
                                             RH_COUNTERS(COUNTER_NAME)
#undef COUNTER_NAME
};
enum {
    OWN_COLUMNS = 5,
    SAMPLE_COLUMNS = sizeof sample_columns / sizeof *sample_columns,
    COUNTER_COLUMNS = SAMPLE_COLUMNS - OWN_COLUMNS
};
_Static_assert(sizeof(rh_counters) == COUNTER_COLUMNS * sizeof(uint64_t), "counters are numbers");

static const char schema[] =
    "CREATE TABLE experiment(key TEXT PRIMARY KEY, value TEXT);"
    "CREATE TABLE trace(id INTEGER PRIMARY KEY, path TEXT, hash TEXT, info TEXT);"
    "CREATE TABLE mark(trace INTEGER REFERENCES trace(id), event INTEGER, time_ns INTEGER,"
    " text TEXT);"
    "CREATE TABLE run(id INTEGER PRIMARY KEY, trace INTEGER REFERENCES trace(id), spec TEXT,"
    " name TEXT, version TEXT, rep INTEGER, pass TEXT, status TEXT, provenance TEXT);"
    "CREATE TABLE metric(run INTEGER REFERENCES run(id), name TEXT, value REAL,"
    " PRIMARY KEY(run, name)) WITHOUT ROWID;"
    "CREATE TABLE histogram(run INTEGER REFERENCES run(id), operation TEXT, lower_ns INTEGER,"
    " upper_ns INTEGER, count INTEGER, response INTEGER, size_least INTEGER);"
    "CREATE INDEX histogram_run ON histogram(run);"
    "CREATE TABLE latency(run INTEGER REFERENCES run(id), response INTEGER, operation TEXT,"
    " size_least INTEGER, size_most INTEGER, calls INTEGER, max_ns INTEGER);"
    "CREATE INDEX latency_run ON latency(run);"
    "CREATE TABLE round(run INTEGER REFERENCES run(id), calls INTEGER, peak_mapped_bytes INTEGER,"
    " end_mapped_bytes INTEGER, peak_requested_bytes INTEGER, end_requested_bytes INTEGER,"
    " end_live_blocks INTEGER, busy_ns INTEGER);"
    "CREATE INDEX round_run ON round(run);";

static rh_status
database_error(rh_results *results, rh_error *error, const char *doing)
{
    int code = sqlite3_errcode(results->database);
    /* Of SQL that is right, SQLITE_ERROR complains of the tables that the file has. */
    rh_status status = code == SQLITE_NOTADB || code == SQLITE_CORRUPT || code == SQLITE_ERROR
                           ? RH_BAD_INPUT
                           : RH_SYSTEM;
    return rh_fail(error, status, "%s: cannot %s: %s", results->path, doing,
                   sqlite3_errmsg(results->database));
}

static rh_status
execute(rh_results *results, const char *sql, const char *doing, rh_error *error)
{
    if (sqlite3_exec(results->database, sql, NULL, NULL, NULL) != SQLITE_OK)
        return database_error(results, error, doing);
    return RH_OK;
}

static rh_status
prepare(rh_results *results, const char *sql, sqlite3_stmt **statement, rh_error *error)
{
    if (sqlite3_prepare_v2(results->database, sql, -1, statement, NULL) != SQLITE_OK)
        return database_error(results, error, "read or write it");
    return RH_OK;
}

static void *
keep(rh_results *results, size_t bytes)
{
    memory_block *block = malloc(sizeof *block + bytes);
    if (!block)
        abort();
    block->next = results->memory;
    results->memory = block;
    return block->data;
}

static char *
keep_text(rh_results *results, const unsigned char *text)
{
    if (!text)
        return NULL;
    size_t bytes = strlen((const char *)text) + 1;
    return memcpy(keep(results, bytes), text, bytes);
}

/* The columns of a sample, each after ", " and with `suffix`. Returns `text`. */
static char *
column_list(char *text, size_t capacity, const char *suffix)
{
    size_t length = 0;
    for (size_t i = 0; i < SAMPLE_COLUMNS; i++) {
        bool counted = i >= OWN_COLUMNS && strcmp(sample_columns[i], "live_blocks") == 0;
        length += (size_t)snprintf(text + length, capacity - length, ", %s%s%s",
                                   counted ? "counted_" : "", sample_columns[i], suffix);
    }
    return text;
}

static rh_status
prepare_inserts(rh_results *results, rh_error *error)
{
    char sql[4096], *end = sql + sprintf(sql, "INSERT INTO sample VALUES(?");
    for (size_t i = 0; i < SAMPLE_COLUMNS; i++)
        end += sprintf(end, ",?");
    strcpy(end, ")");
    rh_status status = prepare(results, sql, &results->insert_sample, error);
    if (status == RH_OK)
        status = prepare(results, "INSERT OR REPLACE INTO metric VALUES(?,?,?)",
                         &results->insert_metric, error);
    if (status == RH_OK)
        status = prepare(results, "INSERT INTO histogram VALUES(?,?,?,?,?,?,?)",
                         &results->insert_bucket, error);
    if (status == RH_OK)
        status = prepare(results, "INSERT INTO latency VALUES(?,?,?,?,?,?,?)",
                         &results->insert_latency, error);
    if (status == RH_OK)
        status = prepare(results, "INSERT INTO round VALUES(?,?,?,?,?,?,?,?)",
                         &results->insert_round, error);
    return status;
}

static void
finalize_inserts(rh_results *results)
{
    sqlite3_finalize(results->insert_metric);
    sqlite3_finalize(results->insert_sample);
    sqlite3_finalize(results->insert_bucket);
    sqlite3_finalize(results->insert_latency);
    results->insert_metric = results->insert_sample = results->insert_bucket = NULL;
    sqlite3_finalize(results->insert_round);
    results->insert_latency = results->insert_round = NULL;
}

static rh_results *
new_results(const char *path)
{
    rh_results *results = calloc(1, sizeof *results);
    if (!results || !(results->path = strdup(path)))
        abort();
    results->lock = -1;
    return results;
}

static rh_status
open_database(rh_results *results, const char *path, int flags, rh_error *error)
{
    if (sqlite3_open_v2(path, &results->database, flags, NULL) != SQLITE_OK)
        return database_error(results, error, "open it");
    sqlite3_busy_timeout(results->database, 5000);
    return RH_OK;
}

static rh_status
create_tables(rh_results *results, rh_error *error)
{
    char sql[8192], columns[4096];
    snprintf(sql, sizeof sql,
             "PRAGMA application_id=%d; PRAGMA user_version=%d; BEGIN; %s"
             "CREATE TABLE sample(run INTEGER REFERENCES run(id)%s);"
             "CREATE INDEX sample_run ON sample(run); COMMIT",
             APPLICATION_ID, FORMAT, schema, column_list(columns, sizeof columns, " INTEGER"));
    rh_status status = execute(results, sql, "create it", error);
    if (status == RH_OK && !rh_arena_store_prepare(results->database))
        status = database_error(results, error, "create it");
    return status;
}

/* What stands at `path` will be replaced: that is for results of before, not for somebody's other
 * database. An empty file loses nothing. */
static rh_status
check_replaceable(const char *path, rh_error *error)
{
    enum { ID_OFFSET = 68, HEAD_BYTES = 72 }; /* of a database's first page */
    static const char magic[16] = "SQLite format 3";
    unsigned char head[HEAD_BYTES];
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return rh_fail_errno(error, RH_SYSTEM, errno, "%s: cannot read what it would replace",
                             path);
    ssize_t got = read(file, head, sizeof head);
    close(file);
    if (got < 0)
        return rh_fail_errno(error, RH_SYSTEM, errno, "%s: cannot read what it would replace",
                             path);
    const unsigned char *id = head + ID_OFFSET;
    bool ours = got == HEAD_BYTES && memcmp(head, magic, sizeof magic) == 0 &&
                ((uint32_t)id[0] << 24 | (uint32_t)id[1] << 16 | (uint32_t)id[2] << 8 | id[3]) ==
                    APPLICATION_ID;
    if (got == 0 || ours)
        return RH_OK;
    return rh_fail(error, RH_USAGE,
                   "%s: is there and no results file; it is not replaced: choose another name, or "
                   "remove it first",
                   path);
}

/* The file that `path` means, links followed; what stands there is replaced, so it has to be a
 * file, and one of results. */
static rh_status
final_path(const char *path, char **final, rh_error *error)
{
    struct stat facts;
    *final = NULL;
    if (stat(path, &facts) == 0) {
        if (!S_ISREG(facts.st_mode))
            return rh_fail(error, RH_SYSTEM, "%s: is no regular file; results need one", path);
        rh_status status = check_replaceable(path, error);
        if (status != RH_OK)
            return status;
        *final = realpath(path, NULL);
    }
    if (!*final)
        *final = strdup(path);
    if (!*final)
        abort();
    return RH_OK;
}

/* Takes a lock that ends with this process. Only other replays look for it, not SQLite. */
static rh_status
lock_file(const char *path, int flags, int *lock, rh_error *error)
{
    *lock = open(path, flags | O_CLOEXEC, 0666);
    if (*lock < 0)
        return errno == ENOENT ? RH_OK
                               : rh_fail_errno(error, RH_SYSTEM, errno, "%s: cannot open it", path);
    if (flock(*lock, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK)
        return RH_OK;
    close(*lock);
    *lock = -1;
    return rh_fail(error, RH_SYSTEM, "%s: another replay is writing it; choose another place",
                   path);
}

static rh_status
place_new(rh_results *results, rh_error *error)
{
    char *temporary;
    int earlier;
    rh_status status = lock_file(results->path, O_RDONLY, &earlier, error);
    if (earlier >= 0)
        close(earlier);
    if (status != RH_OK)
        return status;
    if (asprintf(&temporary, "%s" SUFFIX, results->path) < 0)
        abort();
    status = lock_file(temporary, O_RDWR | O_CREAT, &results->lock, error);
    if (status == RH_OK && results->lock < 0)
        status = rh_fail_errno(error, RH_SYSTEM, ENOENT, "%s: cannot open it", results->path);
    if (status == RH_OK && ftruncate(results->lock, 0) != 0)
        status = rh_fail_errno(error, RH_SYSTEM, errno, "%s: cannot replace it", temporary);
    if (status != RH_OK) {
        free(temporary);
        return status;
    }
    results->temporary = temporary;
    return open_database(results, temporary, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, error);
}

rh_status
rh_results_create(const char *path, rh_results **created, rh_error *error)
{
    *created = NULL;
    char *final = NULL;
    rh_status status = path ? final_path(path, &final, error) : RH_OK;
    if (status != RH_OK)
        return status;
    rh_results *results = new_results(path ? final : MEMORY);
    free(final);
    status =
        path ? place_new(results, error)
             : open_database(results, MEMORY, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, error);
    if (status == RH_OK)
        status = create_tables(results, error);
    if (status == RH_OK)
        status = prepare_inserts(results, error);
    if (status != RH_OK) {
        rh_results_close(results);
        return status;
    }
    *created = results;
    return RH_OK;
}

static int64_t
pragma(rh_results *results, const char *sql)
{
    sqlite3_stmt *statement;
    int64_t value = -1;
    if (sqlite3_prepare_v2(results->database, sql, -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW)
        value = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return value;
}

/* SQLite keeps no checksums; it can tell whether its tables and indexes agree. */
static rh_status
check_sound(rh_results *results, rh_error *error)
{
    sqlite3_stmt *statement = NULL;
    rh_status status = RH_OK;
    if (sqlite3_prepare_v2(results->database, "PRAGMA integrity_check(1)", -1, &statement, NULL) !=
            SQLITE_OK ||
        sqlite3_step(statement) != SQLITE_ROW) {
        status = database_error(results, error, "check it");
    } else {
        const char *found = (const char *)sqlite3_column_text(statement, 0);
        if (!found || strcmp(found, "ok") != 0)
            status =
                rh_fail(error, RH_BAD_INPUT, "%s: the results file is damaged (%s); replay again",
                        results->path, found ? found : "unreadable");
    }
    sqlite3_finalize(statement);
    return status;
}

static rh_status
check_kind(rh_results *results, rh_error *error)
{
    if (pragma(results, "PRAGMA application_id") != APPLICATION_ID)
        return rh_fail(error, RH_BAD_INPUT,
                       "%s: this is not a results file; `reheap replay -o FILE` makes one",
                       results->path);
    int64_t format = pragma(results, "PRAGMA user_version");
    if (format != FORMAT)
        return rh_fail(error, RH_BAD_INPUT,
                       "%s: is a results file of format %lld, and this program reads format %d",
                       results->path, (long long)format, FORMAT);
    return check_sound(results, error);
}

rh_status
rh_results_open(const char *path, rh_results **opened, rh_error *error)
{
    *opened = NULL;
    if (access(path, R_OK) != 0)
        return rh_fail_errno(error, errno == ENOENT ? RH_BAD_INPUT : RH_SYSTEM, errno,
                             "%s: cannot read it", path);
    rh_results *results = new_results(path);
    rh_status status = open_database(results, path, SQLITE_OPEN_READONLY, error);
    if (status == RH_OK)
        status = check_kind(results, error);
    if (status != RH_OK) {
        rh_results_close(results);
        return status;
    }
    *opened = results;
    return RH_OK;
}

rh_status
rh_results_reopen(const char *path, rh_results **opened, rh_error *error)
{
    rh_results *results;
    *opened = NULL;
    rh_status status = rh_results_open(path, &results, error);
    if (status != RH_OK)
        return status;
    sqlite3_close(results->database);
    results->database = NULL;
    status = lock_file(path, O_RDWR, &results->lock, error);
    if (status == RH_OK)
        status = open_database(results, path, SQLITE_OPEN_READWRITE, error);
    if (status == RH_OK)
        status = prepare_inserts(results, error);
    if (status != RH_OK) {
        rh_results_close(results);
        return status;
    }
    *opened = results;
    return RH_OK;
}

void
rh_results_close(rh_results *results)
{
    if (!results)
        return;
    finalize_inserts(results);
    sqlite3_close(results->database);
    if (results->temporary)
        unlink(results->temporary);
    if (results->lock >= 0)
        close(results->lock);
    while (results->memory) {
        memory_block *block = results->memory;
        results->memory = block->next;
        free(block);
    }
    free(results->temporary);
    free(results->path);
    free(results);
}

/* Gives the file its final name. The database is closed meanwhile: SQLite names its journal after
 * the file. */
static rh_status
take_name(rh_results *results, rh_error *error)
{
    finalize_inserts(results);
    sqlite3_close(results->database);
    results->database = NULL;
    if (rename(results->temporary, results->path) != 0)
        return rh_fail_errno(error, RH_SYSTEM, errno, "%s: cannot write it", results->path);
    free(results->temporary);
    results->temporary = NULL;
    rh_status status = open_database(results, results->path, SQLITE_OPEN_READWRITE, error);
    return status == RH_OK ? prepare_inserts(results, error) : status;
}

rh_status
rh_results_set(rh_results *results, const char *key, const char *value, rh_error *error)
{
    sqlite3_stmt *statement;
    rh_status status =
        prepare(results, "INSERT OR REPLACE INTO experiment VALUES(?,?)", &statement, error);
    if (status != RH_OK)
        return status;
    sqlite3_bind_text(statement, 1, key, -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 2, value, -1, SQLITE_STATIC);
    if (sqlite3_step(statement) != SQLITE_DONE)
        status = database_error(results, error, "write it");
    sqlite3_finalize(statement);
    return status;
}

const char *
rh_results_get(rh_results *results, const char *key)
{
    sqlite3_stmt *statement;
    if (prepare(results, "SELECT value FROM experiment WHERE key=?", &statement, NULL) != RH_OK)
        return NULL;
    sqlite3_bind_text(statement, 1, key, -1, SQLITE_STATIC);
    const char *value = NULL;
    if (sqlite3_step(statement) == SQLITE_ROW)
        value = keep_text(results, sqlite3_column_text(statement, 0));
    sqlite3_finalize(statement);
    return value;
}

rh_status
rh_results_add_trace(rh_results *results, const char *path, const char *hash, const char *info_json,
                     int64_t *id, rh_error *error)
{
    sqlite3_stmt *statement;
    rh_status status =
        prepare(results, "INSERT INTO trace(path, hash, info) VALUES(?,?,?)", &statement, error);
    if (status != RH_OK)
        return status;
    sqlite3_bind_text(statement, 1, path, -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 2, hash, -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 3, info_json, -1, SQLITE_STATIC);
    if (sqlite3_step(statement) != SQLITE_DONE)
        status = database_error(results, error, "write it");
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
    rh_status status = execute(results, "BEGIN", "write it", error);
    if (status == RH_OK)
        status = prepare(results, "INSERT INTO mark VALUES(?,?,?,?)", &statement, error);
    if (status != RH_OK)
        return status;
    if (!insert_marks(statement, trace, marks, count))
        status = database_error(results, error, "write it");
    sqlite3_finalize(statement);
    if (status == RH_OK)
        return execute(results, "COMMIT", "write it", error);
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
        const uint64_t own[OWN_COLUMNS] = {sample->event, sample->time_ns, sample->requested_bytes,
                                           sample->live_blocks, sample->resident_bytes};
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

enum { ROUND_COLUMNS = sizeof(rh_round) / sizeof(uint64_t) };
_Static_assert(sizeof(rh_round) == ROUND_COLUMNS * sizeof(uint64_t) && ROUND_COLUMNS == 7,
               "a round is numbers, in the order of the columns");

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
           insert_rounds(results, run) &&
           (!run->arenas || rh_arena_store(results->database, run->id, run->arenas));
}

rh_status
rh_results_add_run(rh_results *results, rh_run *run, rh_error *error)
{
    rh_status status = execute(results, "BEGIN", "write it", error);
    if (status != RH_OK)
        return status;
    if (!insert_run(results, run)) {
        status = database_error(results, error, "write it");
        sqlite3_exec(results->database, "ROLLBACK", NULL, NULL, NULL);
        return status;
    }
    status = execute(results, "COMMIT", "write it", error);
    if (status != RH_OK) {
        sqlite3_exec(results->database, "ROLLBACK", NULL, NULL, NULL);
        return status;
    }
    return results->temporary ? take_name(results, error) : RH_OK;
}

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
    rh_status status =
        prepare(results, "SELECT name, value FROM metric WHERE run=?", &statement, error);
    if (status != RH_OK)
        return status;
    sqlite3_bind_int64(statement, 1, run->id);
    rh_metric *metrics = keep(results, room * sizeof *metrics);
    run->metrics = metrics;
    while (run->metric_count < room && sqlite3_step(statement) == SQLITE_ROW) {
        bool unknown = sqlite3_column_type(statement, 1) == SQLITE_NULL;
        metrics[run->metric_count++] =
            (rh_metric){.name = keep_text(results, sqlite3_column_text(statement, 0)),
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
        text[i] = i == 5 ? NULL : keep_text(results, sqlite3_column_text(statement, i + 1));
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
    rh_status status = prepare(results,
                               "SELECT id, trace, spec, name, version, pass, rep, status,"
                               " provenance FROM run ORDER BY id",
                               &statement, error);
    if (status != RH_OK)
        return status;
    rh_run *read = keep(results, room * sizeof *read);
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
                        .resident_bytes = column_number(statement, 4)};
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
    column_list(columns, sizeof columns, "");
    snprintf(sql, sizeof sql, "SELECT %s FROM sample WHERE run=? ORDER BY rowid", columns + 1);
    sqlite3_stmt *statement;
    rh_status status = prepare(results, sql, &statement, error);
    if (status != RH_OK)
        return status;
    sqlite3_bind_int64(statement, 1, run->id);
    rh_sample *samples = keep(results, room * sizeof *samples);
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
    rh_status status = prepare(results,
                               "SELECT operation, response, size_least, size_most, calls, max_ns"
                               " FROM latency WHERE run=? ORDER BY rowid",
                               &statement, error);
    if (status != RH_OK)
        return status;
    sqlite3_bind_int64(statement, 1, run->id);
    rh_latency_row *rows = keep(results, room * sizeof *rows);
    run->latencies = rows;
    run->latency_count = 0;
    while (run->latency_count < room && sqlite3_step(statement) == SQLITE_ROW)
        rows[run->latency_count++] =
            (rh_latency_row){.operation = keep_text(results, sqlite3_column_text(statement, 0)),
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
    rh_status status =
        prepare(results,
                sizes ? "SELECT operation, lower_ns, upper_ns, count, response, size_least"
                        " FROM histogram WHERE run=? ORDER BY rowid"
                      : "SELECT operation, lower_ns, upper_ns, count, 0, 0"
                        " FROM histogram WHERE run=? ORDER BY rowid",
                &statement, error);
    if (status != RH_OK)
        return status;
    sqlite3_bind_int64(statement, 1, run->id);
    rh_bucket *buckets = keep(results, room * sizeof *buckets);
    run->buckets = buckets;
    run->bucket_count = 0;
    while (run->bucket_count < room && sqlite3_step(statement) == SQLITE_ROW)
        buckets[run->bucket_count++] =
            (rh_bucket){.operation = keep_text(results, sqlite3_column_text(statement, 0)),
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
    rh_status status =
        prepare(results,
                "SELECT calls, peak_mapped_bytes, end_mapped_bytes, peak_requested_bytes,"
                " end_requested_bytes, end_live_blocks, busy_ns FROM round WHERE run=?"
                " ORDER BY rowid",
                &statement, error);
    if (status != RH_OK)
        return status;
    sqlite3_bind_int64(statement, 1, run->id);
    rh_round *rounds = keep(results, room * sizeof *rounds);
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
    rh_status status = execute(results, sql, "write it", error);
    if (status != RH_OK)
        sqlite3_exec(results->database, "ROLLBACK", NULL, NULL, NULL);
    return status;
}

static void *
keep_rows(void *ctx, size_t bytes)
{
    return keep(ctx, bytes);
}

void
rh_results_load_arenas(rh_results *results, rh_run *run)
{
    rh_arena_report *report = keep(results, sizeof *report);
    rh_arena_recall(results->database, run->id, report, keep_rows, results);
    run->arenas = report;
}

static const char *
trace_text(rh_results *results, int64_t trace, const char *sql)
{
    sqlite3_stmt *statement;
    if (prepare(results, sql, &statement, NULL) != RH_OK)
        return NULL;
    sqlite3_bind_int64(statement, 1, trace);
    const char *text = NULL;
    if (sqlite3_step(statement) == SQLITE_ROW)
        text = keep_text(results, sqlite3_column_text(statement, 0));
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
    rh_status status =
        prepare(results, "SELECT event, time_ns, text FROM mark WHERE trace=? ORDER BY rowid",
                &statement, error);
    if (status != RH_OK)
        return status;
    sqlite3_bind_int64(statement, 1, trace);
    rh_mark *read = keep(results, room * sizeof *read);
    while (*count < room && sqlite3_step(statement) == SQLITE_ROW) {
        const unsigned char *text = sqlite3_column_text(statement, 2);
        read[(*count)++] =
            (rh_mark){.event = column_number(statement, 0),
                      .time_ns = column_number(statement, 1),
                      .text = keep_text(results, text ? text : (const unsigned char *)"")};
    }
    sqlite3_finalize(statement);
    *marks = read;
    return RH_OK;
}
