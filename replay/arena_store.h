/* The lists of an arena report as tables of a results file: a table for each list, a row for each
 * row, with the run before the list's own columns. */
#ifndef REHEAP_REPLAY_ARENA_STORE_H
#define REHEAP_REPLAY_ARENA_STORE_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "replay/results_arenas.h"

/* Adds the report of a run, making tables that are not there yet. False: SQLite says why. */
bool rh_arena_store(sqlite3 *database, int64_t run, const rh_arena_report *report);

/* Makes the tables that are not there. */
bool rh_arena_store_prepare(sqlite3 *database);

/* Memory that somebody else gives back. */
typedef void *rh_arena_room(void *ctx, size_t bytes);

/* Reads the report of a run; a file without such tables has empty lists. What cannot be read of a
 * damaged file is left out. */
void rh_arena_recall(sqlite3 *database, int64_t run, rh_arena_report *report, rh_arena_room *room,
                     void *ctx);

#endif
