/* Writing a trace: the recorder's drain, the importers and the generator speak to this.
 *
 * The writer numbers blocks and keeps the list of live ones; the caller keeps the handle that a
 * birth returns (in its table of pointers, say) and names the block by it when it dies. The file is
 * written under a temporary name beside `path` and renamed when it is complete; a writer that was
 * abandoned (rh_writer_discard) leaves none.
 */
#ifndef REHEAP_TRACES_WRITER_H
#define REHEAP_TRACES_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "traces/event.h"
#include "traces/trace_info.h"

typedef struct rh_writer rh_writer;

typedef struct rh_writer_options {
    int level;             /* zstd level; 0: the default */
    uint32_t block_events; /* events a block; 0: the default */
    uint32_t key_bytes;  /* what a key block is taken to cost beside its snapshot, which keeps keys
                            apart by a multiple of it; 0: the default */
    uint64_t key_events; /* a key block comes at the latest after so many events, whatever it costs;
                            0: the default */
    bool in_place; /* write under the final name at once: a recording that is killed must leave its
                      file */
} rh_writer_options;

/* RH_USAGE, with what to do, when a file stands at `path` that is not a trace, nor empty. */
rh_status rh_writer_may_replace(const char *path, rh_error *error);

/* Creates the file; `info` is copied, its totals ignored. A trace that stands there is replaced
 * when this one is complete; any other file is kept, and the call fails. */
rh_status rh_writer_open(const char *path, const rh_trace_info *info,
                         const rh_writer_options *options, rh_writer **writer, rh_error *error);

/* Appends one event. For a birth `*handle` is set; for a realloc or death it is read (and, for a
 * realloc, set anew); `event->slot` is not looked at. RH_EVENT_FAILED, _NULL (free, or realloc of
 * NULL: a birth) and _FOREIGN mean no old handle. event->address is stored only when the trace has
 * addresses, and hashed when the event is POOLED and not nested. Errors are those of the disk;
 * after one the writer only accepts discard or finish. */
rh_status rh_writer_event(rh_writer *writer, const rh_event *event, uint32_t *handle,
                          rh_error *error);

/* Says that `handle` dies soon, so that its memory can be on its way: a few nanoseconds now for a
 * wait later. */
void rh_writer_expect(const rh_writer *writer, uint32_t handle);

/* Ends the current block early, so that everything so far is in the file. */
rh_status rh_writer_flush(rh_writer *writer, rh_error *error);

/* Goes to the totals: how many events' place among those of other threads could not be told. Left
 * unknown if not called. */
void rh_writer_set_undecided(rh_writer *writer, uint64_t events);

/* Goes to the totals: why the recording ended before its program did (NULL: it did not), and how
 * often it was paused. False: no memory. */
bool rh_writer_set_ended(rh_writer *writer, const char *why);
void rh_writer_set_pauses(rh_writer *writer, uint64_t pauses);

/* How large the file would become if it ended now, at most (totals and what surrounds them apart);
 * what waits to be compressed is taken for incompressible. */
uint64_t rh_writer_size_bound(const rh_writer *writer);
/* What is in the file. */
typedef struct rh_writer_state {
    uint64_t events; /* of all kinds */
    uint64_t last_time_ns;
    uint32_t thread, threads; /* of the last event; how many are known, whose numbers lie below */
} rh_writer_state;
rh_writer_state rh_writer_look(const rh_writer *writer);

/* Writes the index and the totals, and gives the file its name. `exit_status` and `dropped` go to
 * the totals. Frees the writer, also on failure. */
rh_status rh_writer_finish(rh_writer *writer, int64_t exit_status, uint64_t dropped,
                           rh_error *error);

/* Gives the file up, removes it and frees the writer. */
void rh_writer_discard(rh_writer *writer);

#endif
