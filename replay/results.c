/* The file of results: its names, its lock, its tables, and what is said of the whole experiment.
 */
#define _GNU_SOURCE
#include "replay/results_parts.h"

#include <errno.h>
#include <fcntl.h>
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
#define FORMAT         2          /* 2: aged_block_bytes */
#define SUFFIX         ".unfinished"
#define MEMORY         ":memory:"

/* The columns of `sample`: the replay's own, then the heap's counters. The heap's live_blocks gives
 * way to the replay's. */
static const char *const sample_columns[] = {"event",
                                             "time_ns",
                                             "requested_bytes",
                                             "live_blocks",
                                             "resident_bytes",
                                             "aged_block_bytes",
#define COUNTER_NAME(name, what) #name,
                                             RH_COUNTERS(COUNTER_NAME)
#undef COUNTER_NAME
};
_Static_assert(sizeof sample_columns / sizeof *sample_columns == SAMPLE_COLUMNS,
               "each column has a name");

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

/* Results of an earlier build get it when runs are added. */
static const char stretch_schema[] =
    "CREATE TABLE IF NOT EXISTS stretch(run INTEGER REFERENCES run(id), calls INTEGER,"
    " busy_ns INTEGER);"
    "CREATE INDEX IF NOT EXISTS stretch_run ON stretch(run);";

rh_status
rh_results_error(rh_results *results, rh_error *error, const char *doing)
{
    int code = sqlite3_errcode(results->database);
    /* Of SQL that is right, SQLITE_ERROR complains of the tables that the file has. */
    rh_status status = code == SQLITE_NOTADB || code == SQLITE_CORRUPT || code == SQLITE_ERROR
                           ? RH_BAD_INPUT
                           : RH_SYSTEM;
    return rh_fail(error, status, "%s: cannot %s: %s", results->path, doing,
                   sqlite3_errmsg(results->database));
}

rh_status
rh_results_execute(rh_results *results, const char *sql, const char *doing, rh_error *error)
{
    if (sqlite3_exec(results->database, sql, NULL, NULL, NULL) != SQLITE_OK)
        return rh_results_error(results, error, doing);
    return RH_OK;
}

rh_status
rh_results_prepare(rh_results *results, const char *sql, sqlite3_stmt **statement, rh_error *error)
{
    if (sqlite3_prepare_v2(results->database, sql, -1, statement, NULL) != SQLITE_OK)
        return rh_results_error(results, error, "read or write it");
    return RH_OK;
}

void *
rh_results_keep(rh_results *results, size_t bytes)
{
    memory_block *block = malloc(sizeof *block + bytes);
    if (!block)
        abort();
    block->next = results->memory;
    results->memory = block;
    return block->data;
}

char *
rh_results_keep_text(rh_results *results, const unsigned char *text)
{
    if (!text)
        return NULL;
    size_t bytes = strlen((const char *)text) + 1;
    return memcpy(rh_results_keep(results, bytes), text, bytes);
}

char *
rh_results_columns(char *text, size_t capacity, const char *suffix)
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
    rh_status status = rh_results_prepare(results, sql, &results->insert_sample, error);
    if (status == RH_OK)
        status = rh_results_prepare(results, "INSERT OR REPLACE INTO metric VALUES(?,?,?)",
                                    &results->insert_metric, error);
    if (status == RH_OK)
        status = rh_results_prepare(results, "INSERT INTO histogram VALUES(?,?,?,?,?,?,?)",
                                    &results->insert_bucket, error);
    if (status == RH_OK)
        status = rh_results_prepare(results, "INSERT INTO latency VALUES(?,?,?,?,?,?,?)",
                                    &results->insert_latency, error);
    if (status == RH_OK)
        status = rh_results_prepare(results, "INSERT INTO round VALUES(?,?,?,?,?,?,?,?)",
                                    &results->insert_round, error);
    if (status == RH_OK)
        status = rh_results_execute(results, stretch_schema, "write it", error);
    if (status == RH_OK)
        status = rh_results_prepare(results, "INSERT INTO stretch VALUES(?,?,?)",
                                    &results->insert_stretch, error);
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
    sqlite3_finalize(results->insert_stretch);
    results->insert_latency = results->insert_round = results->insert_stretch = NULL;
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
        return rh_results_error(results, error, "open it");
    sqlite3_busy_timeout(results->database, RH_RESULTS_PATIENCE_MS);
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
             APPLICATION_ID, FORMAT, schema,
             rh_results_columns(columns, sizeof columns, " INTEGER"));
    rh_status status = rh_results_execute(results, sql, "create it", error);
    if (status == RH_OK && !rh_arena_store_prepare(results->database))
        status = rh_results_error(results, error, "create it");
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
        status = rh_results_guard(results, error);
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

/* SQLite's findings are lines under a heading; the last is the one that says where. */
static rh_status
damaged(const rh_results *results, const char *finding, rh_error *error)
{
    const char *line = strrchr(finding, '\n');
    return rh_fail(error, RH_BAD_INPUT, "%s: the results file is damaged (%s); replay again",
                   results->path, line && line[1] ? line + 1 : finding);
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
        status = sqlite3_errcode(results->database) == SQLITE_CORRUPT
                     ? damaged(results, sqlite3_errmsg(results->database), error)
                     : rh_results_error(results, error, "check it");
    } else {
        const char *found = (const char *)sqlite3_column_text(statement, 0);
        if (!found || strcmp(found, "ok") != 0)
            status = damaged(results, found ? found : "unreadable", error);
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
                       "%s: is a results file of format %lld, and this program reads format %d; "
                       "replay again",
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
        status = rh_results_guard(results, error);
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

rh_status
rh_results_take_name(rh_results *results, rh_error *error)
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
    rh_status status = rh_results_prepare(results, "INSERT OR REPLACE INTO experiment VALUES(?,?)",
                                          &statement, error);
    if (status != RH_OK)
        return status;
    sqlite3_bind_text(statement, 1, key, -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 2, value, -1, SQLITE_STATIC);
    if (sqlite3_step(statement) != SQLITE_DONE)
        status = rh_results_error(results, error, "write it");
    sqlite3_finalize(statement);
    return status;
}

const char *
rh_results_get(rh_results *results, const char *key)
{
    sqlite3_stmt *statement;
    if (rh_results_prepare(results, "SELECT value FROM experiment WHERE key=?", &statement, NULL) !=
        RH_OK)
        return NULL;
    sqlite3_bind_text(statement, 1, key, -1, SQLITE_STATIC);
    const char *value = NULL;
    if (sqlite3_step(statement) == SQLITE_ROW)
        value = rh_results_keep_text(results, sqlite3_column_text(statement, 0));
    sqlite3_finalize(statement);
    return value;
}
