/* Whether a file of results still is what this process made of it.
 *
 * Only other replays look at our lock. Whoever else writes over the file (cp, a synchroniser) or
 * puts another in its place meets no resistance, and SQLite, which keeps what it has read, would go
 * on and mix both. So the file carries a number that no other has, and it and the count of runs are
 * read anew, by a connection that knows nothing yet, before a run is added and at the end.
 */
#define _GNU_SOURCE
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "replay/results_parts.h"

#define IDENTITY "identity"

static rh_status
count_runs(rh_results *results, rh_error *error)
{
    sqlite3_stmt *statement;
    rh_status status = rh_results_prepare(results, "SELECT count(*) FROM run", &statement, error);
    if (status != RH_OK)
        return status;
    if (sqlite3_step(statement) == SQLITE_ROW)
        results->runs_stored = sqlite3_column_int64(statement, 0);
    else
        status = rh_results_error(results, error, "read it");
    sqlite3_finalize(statement);
    return status;
}

rh_status
rh_results_guard(rh_results *results, rh_error *error)
{
    uint64_t number;
    rh_status status = count_runs(results, error);
    if (status != RH_OK || results->identity[0])
        return status;
    const char *kept = rh_results_get(results, IDENTITY);
    if (kept && strlen(kept) < sizeof results->identity) {
        strcpy(results->identity, kept);
        return RH_OK;
    }
    if (getrandom(&number, sizeof number, 0) != sizeof number)
        return rh_fail(error, RH_SYSTEM, "%s: the system gives no random number", results->path);
    snprintf(results->identity, sizeof results->identity, "%016" PRIx64, number);
    return rh_results_set(results, IDENTITY, results->identity, error);
}

/* What a connection of its own reads in the file. */
static bool
reads_as_left(const rh_results *results, const char *path, bool thorough)
{
    static const char sql[] =
        "SELECT value, (SELECT count(*) FROM run) FROM experiment WHERE key='" IDENTITY "'";
    sqlite3 *database = NULL;
    sqlite3_stmt *statement = NULL;
    bool same = sqlite3_open_v2(path, &database, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK;
    sqlite3_busy_timeout(database, RH_RESULTS_PATIENCE_MS);
    same = same && sqlite3_prepare_v2(database, sql, -1, &statement, NULL) == SQLITE_OK &&
           sqlite3_step(statement) == SQLITE_ROW;
    if (same) {
        const char *identity = (const char *)sqlite3_column_text(statement, 0);
        same = identity && strcmp(identity, results->identity) == 0 &&
               sqlite3_column_int64(statement, 1) == results->runs_stored;
    }
    sqlite3_finalize(statement);
    statement = NULL;
    if (same && thorough) {
        same = sqlite3_prepare_v2(database, "PRAGMA integrity_check(1)", -1, &statement, NULL) ==
                   SQLITE_OK &&
               sqlite3_step(statement) == SQLITE_ROW;
        const char *found = same ? (const char *)sqlite3_column_text(statement, 0) : NULL;
        same = found && strcmp(found, "ok") == 0;
        sqlite3_finalize(statement);
    }
    sqlite3_close(database);
    return same;
}

rh_status
rh_results_check_kept(rh_results *results, bool thorough, rh_error *error)
{
    struct stat named, held;
    if (results->lock < 0)
        return RH_OK; /* in memory, or only read */
    const char *path = results->temporary ? results->temporary : results->path;
    if (stat(path, &named) != 0 || fstat(results->lock, &held) != 0 ||
        named.st_ino != held.st_ino || named.st_dev != held.st_dev)
        return rh_fail(error, RH_SYSTEM,
                       "%s: it was removed or replaced while the replay ran, and the runs made "
                       "until then with it; replay again",
                       path);
    if (!reads_as_left(results, path, thorough))
        return rh_fail(error, RH_SYSTEM,
                       "%s: something else wrote over it while the replay ran, so what it holds "
                       "cannot be relied on; remove it and replay again",
                       path);
    return RH_OK;
}
