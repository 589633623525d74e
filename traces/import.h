/* Importing: traces and logs that others wrote become traces of ours.
 *
 * An importer reads a format line by line and says what each line means: a birth, a death or a
 * resize of the block of some name (an address, an ordinal), a call that yielded nothing. This
 * keeps the names, numbers threads, writes the trace, and turns a complaint into a message with the
 * line's number, or, when the user is lenient, into a count.
 */
#ifndef REHEAP_TRACES_IMPORT_H
#define REHEAP_TRACES_IMPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "traces/event.h"
#include "traces/pointer_table.h"
#include "traces/trace_info.h"
#include "traces/writer.h"

typedef struct rh_import {
    rh_trace_info info;      /* an importer fills it before its first event */
    void *state;             /* the importer's own, zeroed */
    const char *number_sign; /* the importer's, below */

    /* for this module */
    const char *output;
    rh_writer *writer; /* there from the first event on */
    rh_pointer_table blocks, threads;
    uint32_t thread_count;
    uint64_t last_time_ns;
    uint64_t events;
    char complaint[160];
    bool rejected;  /* leaving lines out would not help */
    rh_error error; /* of writing */
} rh_import;

typedef struct rh_importer {
    const char *name;
    const char *summary;
    size_t state_bytes;
    /* False: rh_import_complain has said why. `line` may be changed. */
    bool (*line)(rh_import *import, char *line);
    /* After the last line; may be NULL. */
    bool (*end)(rh_import *import);
    /* Frees what the state holds, however the import ended; may be NULL. */
    void (*release)(rh_import *import);
    /* Where blocks have numbers, a block's name being one more: what stands before the number.
     * NULL: names are addresses. */
    const char *number_sign;
} rh_importer;

/* All of them, NULL at the end. */
extern const rh_importer *const rh_importers[];

typedef struct rh_import_options {
    const rh_importer *importer;
    const char *input; /* "-": standard input; zstd is unpacked */
    const char *output;
    bool lenient; /* skip lines that make no sense */
} rh_import_options;

typedef struct rh_import_report {
    uint64_t lines, events;
    uint64_t skipped;        /* lines */
    char first_skipped[256]; /* the first of them, and why */
} rh_import_report;

/* Writes options->output. RH_BAD_INPUT names the line and the reason. Nothing is left on failure.
 */
rh_status rh_import_run(const rh_import_options *options, rh_import_report *report,
                        rh_error *error);

/* ---- for importers: each returns false after a complaint or an error of writing ---- */

/* Always false. */
bool rh_import_complain(rh_import *import, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The same, and that the file is none of the format, so that leaving lines out would not help. */
#define rh_import_reject(import, ...)                                                              \
    ((import)->rejected = true, rh_import_complain((import), __VA_ARGS__))

/* The number in the trace of a thread that the source calls `name`. */
uint32_t rh_import_thread(rh_import *import, uint64_t name);

/* `event` has operation, sizes, thread, domain, time and further flags. A block's name is not 0 and
 * below 2^63. */
bool rh_import_birth(rh_import *import, uint64_t name, rh_event *event);
bool rh_import_death(rh_import *import, uint64_t name, rh_event *event);
bool rh_import_resize(rh_import *import, uint64_t old_name, uint64_t new_name, rh_event *event);
/* An event without a block: failed, a free of NULL, of a block from before, an arena, a text. */
bool rh_import_plain(rh_import *import, rh_event *event);

#endif
