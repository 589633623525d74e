/* What a replaying process and its children share: a ring of compiled batches, written by the
 * parent and read by every member, and a record for each member with what it is to do and what it
 * found.
 *
 * The whole lies in one memory file, mapped and faulted in before the first batch, so that a child
 * allocates nothing of its own between the first and the last event. Who has to wait spins for a
 * moment and then sleeps on a futex.
 *
 *     channel | members | samples | rounds | sizes | head 0 | codes 0 | wides 0 | head 1 | codes 1
 * ... | rooms
 */
#ifndef REHEAP_REPLAY_CHANNEL_H
#define REHEAP_REPLAY_CHANNEL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "replay/age.h"
#include "replay/figures.h"
#include "replay/latency.h"
#include "replay/loop.h"
#include "replay/memory.h"
#include "replay/pace.h"
#include "replay/program.h"
#include "replay/results.h"
#include "replay/rounds.h"
#include "replay/system_watch.h"
#include "replay/thread_run.h"
#include "replay/touch.h"

#define RH_CHANNEL_RING     8   /* buffers of a ring */
#define RH_CHANNEL_RING_FOR 128 /* with several members, who take turns */
#define RH_CHANNEL_CODES    8192
#define RH_CHANNEL_WIDES    512
#define RH_CHANNEL_SPEC_MAX 8192
#define RH_CHANNEL_TEXT_MAX 32768
#define RH_RESIDENT_LOOKS   3

/* How long after its last event a process is looked at. */
extern const unsigned rh_resident_delays_ms[RH_RESIDENT_LOOKS];

typedef enum rh_pass {
    RH_PASS_MEMORY,
    RH_PASS_THROUGHPUT,
    RH_PASS_LATENCY,
    RH_PASS_SYSTEM
} rh_pass;
extern const char *const rh_pass_names[];

/* Members of these have nothing timed and may run beside one another. */
static inline bool
rh_pass_is_shared(rh_pass pass)
{
    return pass == RH_PASS_MEMORY || pass == RH_PASS_SYSTEM;
}

/* What a latency pass finds: its member's room. */
typedef struct rh_latency_findings {
    rh_histogram probe; /* the empty probe, in ns */
    rh_latency service;
    rh_latency response; /* paced */
    rh_pace_totals pace;
} rh_latency_findings;

/* What the kernel knows of a run. RH_UNKNOWN where it did not tell. */
typedef struct rh_system_totals {
    uint64_t calls[RH_SYSTEM_CALL_COUNT];       /* from the first event to the last */
    uint64_t resident_after[RH_RESIDENT_LOOKS]; /* after the end, see rh_resident_delays_ms */
    uint64_t peak_huge_bytes, end_huge_bytes;   /* resident in huge pages */
    uint64_t huge_sum, huge_resident_sum;       /* over the looks: in huge pages, resident */
} rh_system_totals;

/* One allocator, in a process of its own. */
typedef struct rh_member {
    /* the order */
    char spec[RH_CHANNEL_SPEC_MAX];
    rh_pass pass;
    rh_touch touch;
    bool pins; /* memory pass: its room is an rh_pin_findings, else an rh_arena_history; that of a
                  latency pass an rh_latency_findings, of a throughput pass an rh_stretches */
    unsigned padding_bytes; /* in its environment */
    bool threads;           /* time passes: as recorded, each in a thread of its own */
    uint32_t rounds;        /* of the recording, at most; at least 1 */
    rh_age age;             /* of the heap, before the recording begins */
    bool steady;            /* it ends when the heap is steady */
    uint64_t round_leaves;  /* requested bytes that each round leaves alive */
    double pace;            /* begun when recorded, so many times as fast; 0: at once */
    rh_pace_totals on_time; /* memory, system: how well the pace was kept */

    /* progress */
    _Atomic uint32_t consumed; /* batches done */
    _Atomic uint32_t beat;     /* counted on while it waits for a time to come */
    _Atomic uint32_t finished; /* 1: what follows is whole */

    /* the outcome */
    uint32_t rounds_played;
    rh_age_totals aged;
    uint64_t aged_mapped_bytes; /* what it held then; RH_UNKNOWN */
    rh_status status;
    char message[1024];
    char name[64], version[128];
    bool pinned;
    uint64_t calls, failed_allocations, skipped_events; /* time passes */
    uint64_t loop_ticks, waited_ticks;
    uint64_t preempted_ticks;               /* of loop_ticks: without the processor */
    uint64_t page_faults, context_switches; /* while replaying; the latter involuntary */
    uint64_t probe_ticks;                   /* latency: the median of the empty probe */
    rh_memory_totals memory;
    rh_system_totals system;
    rh_thread_totals threads_run;
    rh_figures figures; /* memory pass: of the heap at its end */
    char
        statistics[RH_CHANNEL_TEXT_MAX]; /* its own text then; "" when it has none, cut when long */
} rh_member;

typedef struct rh_batch_header {
    uint32_t code_count, wide_count;
    uint64_t calls;        /* in this batch */
    bool last, round_ends; /* the last of all; of a round */
    uint64_t time_ns;      /* recorded time at its end; RH_UNKNOWN */
} rh_batch_header;

typedef struct rh_channel {
    uint64_t bytes; /* of the whole */
    int64_t parent; /* process id */
    uint32_t members;
    uint32_t buffers;
    bool whole; /* a buffer for each batch: nobody waits between the first and the last */
    uint64_t slots;
    uint64_t sample_capacity; /* of each member */
    uint64_t round_capacity;  /* of each member */
    uint64_t age_size_count;  /* for all members: what ageing draws from */
    uint64_t age_most_blocks, age_most_bytes;
    uint64_t room_bytes; /* of each member's own room: zero, and resident only where used */
    uint32_t spins;      /* before sleeping */
    _Atomic uint32_t produced, freed;
    _Atomic uint32_t producer_waits; /* 0, or 1 + the member for which */
    _Atomic uint32_t consumers_wait;
    _Atomic uint32_t complete; /* 1: the last batch is written */
} rh_channel;

/* Creates the memory file and maps it. `plan`: members, slots, capacities, room_bytes, spins,
 * and for a whole channel (`whole`) the number of buffers; the rest is ignored. */
rh_status rh_channel_create(const rh_channel *plan, int *file, rh_channel **channel,
                            rh_error *error);
/* Bytes of shared memory that a batch takes. */
uint64_t rh_channel_batch_bytes(void);
/* Maps what create made, in another process. */
rh_status rh_channel_map(int file, rh_channel **channel, rh_error *error);
void rh_channel_unmap(rh_channel *channel);

rh_member *rh_channel_member(rh_channel *channel, uint32_t index);
rh_sample *rh_channel_samples(rh_channel *channel, uint32_t index);
rh_age_size *rh_channel_age_sizes(rh_channel *channel);
rh_round *rh_channel_rounds(rh_channel *channel, uint32_t index);
/* The member's room for what a pass keeps besides; room_bytes of it. */
void *rh_channel_room(rh_channel *channel, uint32_t index);
/* The buffer of batch number `batch`: its head, and a program whose arrays are in it. */
rh_batch_header *rh_channel_batch(rh_channel *channel, uint32_t batch);
rh_program rh_channel_program(rh_channel *channel, uint32_t batch);

/* For the parent. Waits at most `milliseconds` until member `slowest` has freed a buffer, or, if
 * that takes longer than spinning, half of the ring: each time it is woken costs everybody a change
 * of processes, and the caches with it. False when no buffer is free. */
bool rh_channel_wait_for_room(rh_channel *channel, uint32_t batch, uint32_t slowest,
                              unsigned milliseconds);
void rh_channel_publish(rh_channel *channel, uint32_t batch, bool last);

/* For a member. Waits until batch number `batch` is there; with a whole channel, until all are. */
void rh_channel_wait_for_batch(rh_channel *channel, uint32_t batch);
void rh_channel_release(rh_channel *channel, rh_member *member);
/* The member has written its outcome. */
void rh_channel_finish(rh_channel *channel, rh_member *member);

/* Sleeps until *word is no longer `value`, or for `milliseconds` (0: for ever). */
void rh_channel_sleep(_Atomic uint32_t *word, uint32_t value, unsigned milliseconds);
void rh_channel_wake(_Atomic uint32_t *word);

#endif
