/* Reading a trace: batches of events in order, in memory bounded by the live set and never by the
 * length of the file. */
#ifndef REHEAP_TRACES_READER_H
#define REHEAP_TRACES_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "traces/event.h"
#include "traces/trace_info.h"
#include "traces/wording.h"

typedef struct rh_reader rh_reader;

typedef struct rh_reader_options {
    uint64_t max_live_blocks; /* a trace with more live blocks is refused (RH_BAD_INPUT); 0: half of
                                 the machine's memory */
    bool lenient; /* skip damage up to the next key block and go on, counting what was lost, instead
                     of failing there; frees and mallocs with RH_EVENT_BRIDGE first bring the live
                     set to what it is there */
    bool audit;   /* compare every sum and snapshot in the file with the events (for `check`) */
} rh_reader_options;

/* A run of events that does not cross a block of the file. */
typedef struct rh_batch {
    const rh_event *events; /* valid until the next call on this reader */
    size_t count;           /* 0: the end of the trace */
    uint64_t first_event;   /* number of the first in the trace, from 0; events that bridge a loss
                               have no numbers, and precede this one */
    uint32_t slots;         /* every slot so far is below this */
    bool block_ends;        /* the last event ends a block of the file, whose sums follow */
    uint64_t address_hash;  /* rh_address_hash over the block's pooled births */
    uint64_t hashed;        /* how many those were; 0: the recording has no hashes */
    uint64_t time_ns;       /* when the block of the file began; known without timestamps too */
} rh_batch;

/* Opens FILE. `options` may be NULL. RH_BAD_INPUT: missing, not a trace, a future version, damaged
 * header; RH_SYSTEM: there, but cannot be read. Messages begin with the file's name. */
rh_status rh_reader_open(const char *path, const rh_reader_options *options, rh_reader **reader,
                         rh_error *error);
void rh_reader_close(rh_reader *reader);

/* As it was opened. */
const char *rh_reader_path(const rh_reader *reader);

/* Header and totals; belongs to the reader. */
const rh_trace_info *rh_reader_info(const rh_reader *reader);

/* The next events. RH_BAD_INPUT names byte offset and event number of the damage; what came before
 * it was sound. */
rh_status rh_reader_next(rh_reader *reader, rh_batch *batch, rh_error *error);

/* From now on rh_reader_next_words may be called; before the first batch. `wording` is kept. */
void rh_reader_use_wording(rh_reader *reader, const rh_wording *wording);

/* The next events, as words or, where they have none, as a batch: one of them is empty, and both
 * are at the end. `words` has room for at least one; words and events come in the order of the
 * trace. Of the batch, events and count are meant and slots. Fails as rh_reader_next does. */
rh_status rh_reader_next_words(rh_reader *reader, rh_words *words, rh_batch *batch,
                               rh_error *error);

/* Goes to the last key block at or before event number `event`; the next batch starts there
 * (batch.first_event). The blocks alive there are then listed by rh_reader_live. */
rh_status rh_reader_seek(rh_reader *reader, uint64_t event, rh_error *error);

/* Goes to the last key block that began before `ns`: no event at or after that time comes earlier.
 * In a trace without times that is the first. */
rh_status rh_reader_seek_time(rh_reader *reader, uint64_t ns, rh_error *error);

/* The live set at the reader's place, oldest first, as if each block were born now
 * (RH_EVENT_BRIDGE): after a seek or between batches, called until `count` is 0. */
rh_status rh_reader_live(rh_reader *reader, rh_batch *batch, rh_error *error);

/* A piece of a trace that can be read without what is before it: from a key block to another. */
typedef struct rh_interval {
    size_t block, end_block; /* of the file, counted from 0; SIZE_MAX: to the end */
    uint64_t first_event;
} rh_interval;

/* All of the trace in intervals of at least `least_events` events, the last perhaps fewer; at least
 * one. From malloc; NULL: no memory. */
rh_interval *rh_reader_intervals(const rh_reader *reader, uint64_t least_events, size_t *count);

/* Goes to the start of an interval, as rh_reader_seek does; to that of the trace, before its first
 * batch, when the interval is the first. Reading ends with the interval, and nothing that comes
 * after it has to be known: there what the next key block says is compared with what the events
 * made, and where that differs there is a contradiction or damage as if it had been read on. */
rh_status rh_reader_enter(rh_reader *reader, const rh_interval *interval, rh_error *error);

/* Another reader of the same trace at its start, for use by another thread. It shares what opening
 * found, and must be closed before `reader`. `options` may be NULL. */
rh_status rh_reader_fork(const rh_reader *reader, const rh_reader_options *options,
                         rh_reader **fork, rh_error *error);

/* The most live blocks it takes, as told or by itself. */
uint64_t rh_reader_max_live(const rh_reader *reader);

/* How many blocks of the file have been unpacked: what reading has cost so far. */
uint64_t rh_reader_blocks_unpacked(const rh_reader *reader);

/* What in the file contradicts its own events although nothing is damaged (a sum, a snapshot): the
 * first of it, NULL when there is none. Sums are compared always, snapshots with `audit`. */
const char *rh_reader_contradiction(const rh_reader *reader);

/* A place where events were lost, as a lenient reader met it. */
typedef struct rh_damage {
    const char *what;     /* a phrase; static */
    uint64_t offset;      /* byte in the file */
    uint64_t event;       /* the first that could not be read */
    uint64_t lost_events; /* known or believed lost; 0: unknown */
} rh_damage;

/* With `lenient`: the places met so far; belongs to the reader, valid until the next call on it. */
const rh_damage *rh_reader_damages(const rh_reader *reader, size_t *count);

typedef enum rh_index_state {
    RH_INDEX_SOUND,
    RH_INDEX_MISSING, /* the file ends, at the latest, before the index does: a recording cut short
                       */
    RH_INDEX_DAMAGED
} rh_index_state;

rh_index_state rh_reader_index(const rh_reader *reader);

/* 0 to 1 of the file consumed, for progress. */
double rh_reader_progress(const rh_reader *reader);

/* The number of the event that comes next, and of the one that would follow the last of the file;
 * by what index or heads say, so that they are known before the events are read. */
uint64_t rh_reader_next_event(const rh_reader *reader);
uint64_t rh_reader_end_event(const rh_reader *reader);

#endif
