/* What commands print: progress, tables, files that appear whole or not at all. */
#ifndef REHEAP_BASE_OUTPUT_H
#define REHEAP_BASE_OUTPUT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"

/* A progress line on stderr, shown only when stderr is a terminal: what, how far, how fast, how
 * long still. */
typedef struct rh_progress {
    const char *what;
    const char *unit; /* "events" */
    uint64_t total;   /* 0: unknown */
    uint64_t start_ns, shown_ns;
    bool terminal;
} rh_progress;

void rh_progress_begin(rh_progress *progress, const char *what, const char *unit, uint64_t total);
/* Cheap enough for every batch: draws at most ten times a second. */
void rh_progress_update(rh_progress *progress, uint64_t done);
/* Removes the line. */
void rh_progress_end(rh_progress *progress);

/* A file under a temporary name beside `path`, renamed by commit, removed by abandon: the final
 * name never holds a part. A link is followed; a device or pipe is written to directly, and so is
 * standard output, whose path is "-". */
typedef struct rh_output_file {
    FILE *stream;
    char path[4096];
    char temporary[4096 + 16]; /* "" when written to directly */
} rh_output_file;

rh_status rh_output_open(rh_output_file *file, const char *path, rh_error *error);
/* Flushes, syncs, closes and renames. On failure nothing is left. */
rh_status rh_output_commit(rh_output_file *file, rh_error *error);
void rh_output_abandon(rh_output_file *file);

/* Both paths lead to one file, which is there. */
bool rh_output_same_file(const char *one, const char *other);

/* What stands at a path that is to be written. */
typedef enum rh_there { RH_THERE_NOTHING, RH_THERE_OURS, RH_THERE_OTHER } rh_there;

/* Nothing: no file, an empty one, or a pipe or device. Ours: it begins with `magic` (at most 64
 * bytes), as far as it goes. */
rh_there rh_output_there(const char *path, const void *magic, size_t magic_bytes);

/* Prints a text that came out of a file, on one line: control characters, which could end it or
 * command the terminal, are escaped. */
void rh_output_plain(const char *text, FILE *out);

/* A table: cells are copied; columns line up on print, numbers (cells that begin with a digit or
 * sign) to the right. */
typedef struct rh_table rh_table;
rh_table *rh_table_new(unsigned columns);
void rh_table_cell(rh_table *table, const char *format, ...) __attribute__((format(printf, 2, 3)));
void rh_table_print(const rh_table *table, FILE *out); /* first row is the heading */
void rh_table_free(rh_table *table);

/* Ctrl-C and termination: after rh_interrupt_watch a first SIGINT or SIGTERM only sets the flag; a
 * second one kills. A limit on the size of files (SIGXFSZ) becomes an error of the write. */
void rh_interrupt_watch(void);
bool rh_interrupted(void);

#endif
