/* Makes events of the records of rings: finds out which block each address means, and hands the
 * event to the file. Which ring's record is next is for others to say (drain.c). */
#ifndef REHEAP_TRACES_RESOLVER_H
#define REHEAP_TRACES_RESOLVER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "traces/arena_set.h"
#include "traces/event.h"
#include "traces/intake.h"
#include "traces/lives.h"
#include "traces/recorder/channel.h"
#include "traces/ring_view.h"
#include "traces/writer.h"

/* What became of a record. */
typedef enum rh_outcome {
    RH_TAKEN,
    RH_EMPTY,   /* it is not whole yet, or what comes behind it has to be seen first */
    RH_BLOCKED, /* by its address, something else has to come before it */
    RH_FAILED   /* `error` of the resolver says why */
} rh_outcome;

/* A ring, and what of its past matters to the next record. */
typedef struct rh_stream {
    rh_ring_view view;
    bool is_main;
    uint64_t place, stamp; /* threads: of the last place record */
    uint64_t ticks;        /* the time of events; 0: they have none */
    uint64_t wide[2];
    unsigned wide_count;
    struct {
        uint64_t key; /* 0: none */
        uint32_t handle;
        bool known, nested;
    } resized[RH_AMOUNT_DEPTH_MASK + 1]; /* between the two records of a realloc */
} rh_stream;

typedef struct rh_resolver {
    rh_channel *channel;
    rh_writer *writer;
    rh_intake *intake; /* NULL: straight to the writer */
    bool last;         /* there are no more records than are seen */
    bool several;      /* threads, each with a ring */
    uint64_t events;   /* handed on; arenas, marks and checkpoints apart */
    rh_lives lives;
    rh_error error;

    rh_arena_set arenas;
    uint8_t pooled; /* RH_EVENT_POOLED; 0 where the heap is older than the recording */
    double ns_per_tick;
    unsigned domain_mask; /* 0: events have no domains */
    uint64_t last_time_ns;
    uint32_t *threads; /* by the recorder's number: ours + 1 */
    uint32_t threads_room, threads_seen;
    uint32_t last_thread, last_thread_dense; /* the one before, mostly the same */
    uint8_t alignment_log2;                  /* of the aligned birth that is taken */
    char *text;
    rh_event common; /* what malloc and free do not say stays 0 */
} rh_resolver;

/* Arguments as rh_drain_new's. False when there is no memory; to be released all the same. */
bool rh_resolver_init(rh_resolver *resolver, rh_channel *channel, rh_writer *writer,
                      double ticks_per_ns);
void rh_resolver_release(rh_resolver *resolver);

/* One record at the stream's place; on RH_TAKEN the place has moved. `forced`: whatever it waits
 * for does not come. */
rh_outcome rh_resolver_take(rh_resolver *resolver, rh_stream *s, bool forced);

/* The same, unforced: the common ones on a short way, and memory is asked for that later ones will
 * need. */
rh_outcome rh_resolver_take_next(rh_resolver *resolver, rh_stream *s);

/* A free in the main ring, behind which an arena's death may stand that it caused. */
rh_outcome rh_resolver_take_free(rh_resolver *resolver, rh_stream *s, bool forced);

/* At the end, deaths that no block came for: of blocks that were never seen, after all. */
rh_outcome rh_resolver_write_off(rh_resolver *resolver);

/* Under which the block at the record's address is known. */
uint64_t rh_resolver_key(const rh_resolver *resolver, const rh_record *record);

/* The record is a call of the C library's, in a recording that has other domains, too. */
bool rh_resolver_is_libc(const rh_resolver *resolver, const rh_record *record);

static inline uint64_t
rh_kind_of(const rh_record *record)
{
    return record->what >> RH_RECORD_KIND_SHIFT & 0xff;
}

#endif
