/* The memory pass: a batch played into one heap with every byte accounted for.
 *
 * After each call the heap's mapped bytes are looked at, so that peaks are those of the run and not
 * of its samples. The clock of this pass is the number of calls. Heaps that cannot tell what they
 * hold are measured through the kernel's maps, against what was there before the first call: at
 * each sample, and whenever more is requested than ever before by a step of some 1 %.
 */
#ifndef REHEAP_REPLAY_MEMORY_H
#define REHEAP_REPLAY_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

#include "alloc/heap.h"
#include "replay/fragmentation.h"
#include "replay/locality.h"
#include "replay/pace.h"
#include "replay/program.h"
#include "replay/results.h"
#include "replay/touch.h"

/* A live block of the replayed program. */
typedef struct rh_memory_slot {
    void *block;
    uint64_t requested_bytes;
} rh_memory_slot;

/* What a pass adds up; plain numbers, so that it may lie in shared memory. */
/* Resident bytes over recorded time; each sample stands until the next. */
typedef struct rh_resident_over_time {
    double byte_ns;
    uint64_t ns;                  /* so far */
    uint64_t last_ns, last_bytes; /* of the last sample; bytes RH_UNKNOWN before the first */
} rh_resident_over_time;

typedef struct rh_memory_totals {
    uint64_t calls, allocations, reallocations, frees, null_frees;
    uint64_t failed_allocations, skipped_events;
    uint64_t peak_requested_bytes, peak_live_blocks, peak_usable_bytes, peak_resident_bytes;
    uint64_t mapped_at_peak_requested; /* RH_UNKNOWN until known */
    rh_fragmentation fragmentation;    /* of a foreign heap by the samples, each for the calls since
                                          the    one before it */
    rh_sample peak;                    /* at the first maximum of mapped_bytes */
    rh_sample end;
    rh_resident_over_time resident;
    uint64_t sample_count;
    uint64_t locality_windows, pages_named, lines_named; /* locality.h; sums over the windows */
} rh_memory_totals;

/* What the process holds that is not the heap's. */
typedef struct rh_memory_before {
    uint64_t mapped_bytes, resident_bytes; /* RH_UNKNOWN when it cannot be read */
} rh_memory_before;

/* Who looks on while a pass is played; functions that are NULL are not called. The number of a call
 * is that of the calls up to it, itself included. */
typedef struct rh_memory_watch {
    void *ctx;
    /* A block came to its place: allocated, or moved there by a realloc. */
    void (*born)(void *ctx, uint64_t call, uint32_t slot, unsigned domain);
    /* It left its place: freed or moved. */
    void (*died)(void *ctx, uint64_t call, uint32_t slot);
    /* After a sample was taken; with its number in `samples`, or after the last call. */
    void (*sampled)(void *ctx, const rh_sample *sample, bool last);
    /* After call number `next_call`, which it may set anew. */
    void (*reached)(void *ctx, uint64_t call);
    uint64_t next_call; /* 0: none */
} rh_memory_watch;

typedef struct rh_memory {
    rh_heap *heap;
    rh_memory_slot *slots; /* the caller's, one per slot of the trace, zeroed */
    rh_sample *samples;    /* the caller's */
    uint64_t sample_capacity;
    rh_memory_totals *totals; /* the caller's, zeroed */
    bool zero_fits;           /* as in rh_target */
    rh_touch touch;
    rh_memory_watch *watch; /* the caller's; NULL: nobody */

    rh_locality *locality; /* the caller's, begun; NULL: not counted */
    rh_pacer *pacer;       /* the caller's: calls begin when they are due; NULL: at once */

    uint64_t requested_bytes, live_blocks, usable_bytes;
    bool usable_known;
    uint64_t round_peak_mapped, round_peak_requested; /* since rh_memory_round; mapped RH_UNKNOWN
                                                         where nobody can tell */
    uint64_t aged_block_bytes; /* the caller's: of blocks in use before the first call, and for
                                  ever; 0, or RH_UNKNOWN where nobody can tell */
    rh_memory_before before;   /* what is not the heap's */
    uint64_t looked_requested; /* foreign: the most that was requested when it was last looked at */
    uint64_t next_look;        /* foreign: look again when so much is requested */
    uint64_t sampled_calls;    /* the calls before the last sample */
} rh_memory;

/* Sets up `memory` for `heap` and takes the first sample; call it right before the first batch. */
void rh_memory_begin(rh_memory *memory, rh_heap *heap, rh_memory_before before);

void rh_memory_run(rh_memory *memory, const rh_program *program);

/* A round of a looped replay begins: its peaks are what is there now. */
void rh_memory_round(rh_memory *memory);

/* Takes the last sample. `calls` and `time_ns` are the clock at the end. */
void rh_memory_end(rh_memory *memory, uint64_t time_ns);

/* NAN in a recording without times. */
double rh_resident_mean(const rh_resident_over_time *resident);

/* What the blocks in use take beyond what was asked for: block_bytes − requested_bytes of a sample.
 * NAN when the heap cannot tell. Below 0 only where blocks overlap (`bump` after a lap). */
double rh_sample_rounding(const rh_sample *sample);

#endif
