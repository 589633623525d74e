/* What the parts of results.h share: results.c has the file and its names, results_write.c puts
 * rows in, results_read.c takes them out. */
#ifndef REHEAP_REPLAY_RESULTS_PARTS_H
#define REHEAP_REPLAY_RESULTS_PARTS_H

#include <sqlite3.h>
#include <stddef.h>
#include <stdint.h>

#include "replay/results.h"

typedef struct memory_block memory_block;
struct memory_block {
    memory_block *next;
    max_align_t data[];
};

struct rh_results {
    sqlite3 *database;
    char *path;          /* the final name */
    char *temporary;     /* where it lies until the first run; NULL afterwards */
    int lock;            /* on the file, held while it is written; -1: none */
    char identity[32];   /* of the file that is written: its number among all; "": none yet */
    int64_t runs_stored; /* in it */
    sqlite3_stmt *insert_metric, *insert_sample, *insert_bucket, *insert_latency, *insert_round,
        *insert_stretch;
    memory_block *memory;
};

/* Of the table `sample`: the replay's own columns, then the heap's counters. */
enum {
    OWN_COLUMNS = 6,
    COUNTER_COLUMNS = sizeof(rh_counters) / sizeof(uint64_t),
    SAMPLE_COLUMNS = OWN_COLUMNS + COUNTER_COLUMNS
};
_Static_assert(sizeof(rh_counters) == COUNTER_COLUMNS * sizeof(uint64_t), "counters are numbers");

/* Of the table `round`, behind `run`. */
enum { ROUND_COLUMNS = sizeof(rh_round) / sizeof(uint64_t) };
_Static_assert(sizeof(rh_round) == ROUND_COLUMNS * sizeof(uint64_t) && ROUND_COLUMNS == 7,
               "a round is numbers, in the order of the columns");

/* Fails with what the database has to say of `doing` ("write it"). */
rh_status rh_results_error(rh_results *results, rh_error *error, const char *doing);
rh_status rh_results_execute(rh_results *results, const char *sql, const char *doing,
                             rh_error *error);
rh_status rh_results_prepare(rh_results *results, const char *sql, sqlite3_stmt **statement,
                             rh_error *error);

/* Memory that closing the results frees; a copy of a text in it, NULL of NULL. */
void *rh_results_keep(rh_results *results, size_t bytes);
char *rh_results_keep_text(rh_results *results, const unsigned char *text);

/* The columns of a sample, each after ", " and with `suffix`. Returns `text`. */
char *rh_results_columns(char *text, size_t capacity, const char *suffix);

/* Gives the file its final name. The database is closed meanwhile: SQLite names its journal after
 * the file. */
rh_status rh_results_take_name(rh_results *results, rh_error *error);

/* How long another connection may hold the file. */
enum { RH_RESULTS_PATIENCE_MS = 5000 };

/* Gives a file that is written its identity, and counts its runs. */
rh_status rh_results_guard(rh_results *results, rh_error *error);

#endif
