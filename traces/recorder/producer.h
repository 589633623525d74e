/* The program's end of a channel: putting records into rings, in as few instructions as it takes.
 *
 * The channel and the main ring are mapped over arrays of this library, so that the processor finds
 * them at fixed distances from the code. What decides whether a record may be written is the gate:
 * a private page that the kernel wipes in a forked child. There it reads 0, every call of the child
 * takes the slow way, and the slow way finds out that this is another process. The slow way also
 * waits for room, numbers threads and passes through when nobody records any more.
 */
#ifndef REHEAP_TRACES_RECORDER_PRODUCER_H
#define REHEAP_TRACES_RECORDER_PRODUCER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "traces/recorder/channel.h"
#include "traces/recorder/short_record.h"

#define RH_HIDDEN    __attribute__((visibility("hidden")))
#define RH_LIKELY(c) __builtin_expect(!!(c), 1)
#define RH_INLINE    static inline __attribute__((always_inline))

typedef union rh_channel_pages {
    rh_channel control;
    unsigned char bytes[RH_CHANNEL_CONTROL_BYTES];
} rh_channel_pages;

/* What a thread keeps of the collector's turn has this bit if it was the gate that showed it; so
 * one comparison tells both that the turn is the same and that the gate is open. */
#define RH_LIBC_OPEN (UINT32_C(1) << 31)

typedef union rh_gate {
    struct {
        uint64_t main_limit; /* the main ring's cursor stays below */
        uint32_t open;       /* this process records */
        uint32_t libc;       /* the C library's functions among others: RH_LIBC_OPEN or 0 */
        int32_t process_id;  /* whose gate this is; 0 once wiped */
    };
    unsigned char bytes[4096];
} rh_gate;

/* A thread's end of its own ring. Nobody but the thread writes there, but a signal handler may come
 * in between: whoever writes takes the limit away first and puts it back afterwards, and a handler
 * that finds none leaves its records in `spill`, for the one it interrupted. */
typedef struct rh_thread_end {
    rh_ring *ring;
    unsigned char *here; /* of short records: the next one's place less the cursor */
    uint64_t cursor;
    uint64_t limit; /* the cursor stays below on the fast way; 0: taken, or there is no ring */
    uint64_t room;  /* the cursor may come so far */
    unsigned char *base;
    uint64_t bytes;  /* of memory there */
    uint64_t ticks;  /* of the last place record */
    uint32_t turn;   /* of the collector, then, with RH_LIBC_OPEN turned over */
    uint64_t main;   /* the main ring's cursor, then */
    uint64_t placed; /* this ring's, then */
    uint32_t spilled;
    bool busy;    /* on the slow way */
    bool python;  /* it has called the interpreter's hooks; kept where both are recorded */
    bool leaving; /* the thread is ending: it takes a ring for each call that it still makes */
    rh_record spill[16];
} rh_thread_end;

extern rh_channel_pages rh_recorder_channel RH_HIDDEN;
extern unsigned char rh_recorder_main_ring[RH_MAIN_RING_BYTES] RH_HIDDEN;
extern rh_gate rh_recorder_gate RH_HIDDEN;
/* The thread's number and depth, placed as in rh_record.amount. */
extern _Thread_local uint64_t rh_recorder_place RH_HIDDEN
    __attribute__((tls_model("initial-exec")));
extern _Thread_local rh_thread_end rh_recorder_thread RH_HIDDEN
    __attribute__((tls_model("initial-exec")));

#define RH_DEPTH_ONE    (UINT64_C(1) << RH_AMOUNT_DEPTH_SHIFT)
#define RH_DEPTH_FIELD  (RH_AMOUNT_DEPTH_MASK << RH_AMOUNT_DEPTH_SHIFT)
#define RH_FIRST_THREAD (UINT64_C(1) << RH_AMOUNT_THREAD_SHIFT)
#define RH_RAW_DEPTH    (RH_AMOUNT_DEPTH_RAW << RH_AMOUNT_DEPTH_SHIFT)
#define RH_LOCKED_FIELD (RH_DEPTH_FIELD & ~RH_RAW_DEPTH) /* inside of MEM or OBJ */

/* The first word of a record; kind and domain are constants where this is used. */
#define RH_WHAT(kind, domain, address)                                                             \
    ((uint64_t)(uintptr_t)(address) | (uint64_t)(kind) << RH_RECORD_KIND_SHIFT |                   \
     (uint64_t)(domain) << RH_RECORD_DOMAIN_SHIFT)

/* The slow ways: whatever the fast ones decline. Any size; the calloc ones any two factors. They
 * leave errno alone. */
void rh_put_main_slow(rh_timing timing, uint64_t what, uint64_t size) RH_HIDDEN;
void rh_put_thread_slow(uint64_t what, uint64_t size) RH_HIDDEN;
void rh_put_main_calloc(rh_timing timing, uint64_t what, uint64_t count,
                        uint64_t element) RH_HIDDEN;
void rh_put_thread_calloc(uint64_t what, uint64_t count, uint64_t element) RH_HIDDEN;
/* Of the C library's functions: into the thread's own ring, but into the main one when it is inside
 * of a hook that is called under the interpreter lock. */
void rh_put_libc_slow(uint64_t what, uint64_t size) RH_HIDDEN;
void rh_put_libc_calloc(uint64_t what, uint64_t count, uint64_t element) RH_HIDDEN;
void rh_put_libc_aligned(uint64_t what, uint64_t alignment, uint64_t size) RH_HIDDEN;
/* What a signal handler left, put where it belongs. */
void rh_put_spilled(void) RH_HIDDEN;
/* While this is set, a process that has not enlisted yet keeps what threads put, up to some hundred
 * calls; rh_put_kept ends that, and puts them. */
extern bool rh_recorder_keeps RH_HIDDEN;
void rh_put_kept(void) RH_HIDDEN;
/* While this is set in a thread that has recorded nothing yet, what it puts is counted there, and
 * no more. */
extern _Thread_local unsigned *rh_recorder_probe RH_HIDDEN
    __attribute__((tls_model("initial-exec")));
/* A text, as RH_RECORD_CHECKPOINT (main ring) or RH_RECORD_MARK (the thread's own). */
void rh_put_checkpoint(const char *text, size_t length) RH_HIDDEN;
void rh_put_mark(const char *text, size_t length) RH_HIDDEN;

/* Takes one of the session's channels and maps it, with rings as its capture needs them; false when
 * there is none to be had. */
bool rh_producer_open(const rh_session *session, rh_capture capture) RH_HIDDEN;
/* From here on it records. The collector takes nothing before the channel is attached. */
void rh_producer_start(void) RH_HIDDEN;
/* Stops recording in this process for good; `reason` (may be NULL) tells the collector why. */
void rh_producer_close(const char *reason) RH_HIDDEN;
/* Run when nothing is recorded any more, once, if set, by a thread in the middle of a call;
 * `locked`: one that holds the interpreter lock. False: another is to do it. */
extern bool (*rh_recorder_at_end)(bool locked) RH_HIDDEN;
/* Run every now and then by a thread in the middle of a call, if set. */
extern void (*rh_recorder_at_times)(uint64_t ticks, uint64_t ticks_per_us) RH_HIDDEN;
/* Run once, with the first record of the main ring, if set. */
extern void (*rh_recorder_at_first)(void) RH_HIDDEN;
/* Called by the slow way in a forked child, once, with the gate shut. */
void rh_recorder_in_child(void) RH_HIDDEN;
/* One line on the program's stderr. */
void rh_recorder_say(const char *text) RH_HIDDEN;

/* The time has moved far enough for a record of its own. */
RH_INLINE bool
rh_time_due(rh_timing timing, uint64_t now, uint64_t last)
{
    return timing == RH_TIMING_EXACT || now - last >= rh_recorder_channel.control.ticks_per_us;
}

/* `size` bytes (or a packed calloc) at `what`, for the main ring: the caller holds the interpreter
 * lock. */
RH_INLINE void
rh_put_main(rh_timing timing, uint64_t what, uint64_t size, uint64_t place)
{
    rh_ring *ring = &rh_recorder_channel.control.main;
    uint64_t cursor = atomic_load_explicit(&ring->cursor, memory_order_relaxed);
    if (RH_LIKELY(timing == RH_TIMING_NONE && cursor < rh_recorder_gate.main_limit &&
                  size < RH_DEPTH_ONE && place >= RH_FIRST_THREAD)) {
        rh_record *record =
            (rh_record *)(rh_recorder_main_ring + (cursor & (RH_MAIN_RING_BYTES - 1)));
        record->what = what;
        record->amount = size | place;
        atomic_store_explicit(&ring->cursor, cursor + sizeof *record, memory_order_release);
        return;
    }
    rh_put_main_slow(timing, what, size);
}

RH_INLINE void
rh_put_at(const rh_thread_end *end, uint64_t cursor, uint64_t ring_bytes, uint64_t what,
          uint64_t amount)
{
    rh_record *record = (rh_record *)(end->base + (cursor & (ring_bytes - 1)));
    record->what = what;
    record->amount = amount;
}

/* The calling thread's own ring has `bytes` more in it from now on, and may be written again. True:
 * a signal handler has left something meanwhile. */
RH_INLINE bool
rh_put_done(rh_thread_end *end, uint64_t cursor, uint64_t bytes, uint64_t limit)
{
    end->cursor = cursor + bytes;
    atomic_store_explicit(&end->ring->cursor, cursor + bytes, memory_order_release);
    atomic_signal_fence(memory_order_seq_cst);
    end->limit = limit;
    return __builtin_expect(end->spilled, 0);
}

/* A RAW call of an interpreter, for the calling thread's own ring: its place, and itself. */
RH_INLINE void
rh_put_raw(uint64_t what, uint64_t size, uint64_t place)
{
    rh_thread_end *end = &rh_recorder_thread;
    uint64_t limit = end->limit;
    end->limit = 0;
    atomic_signal_fence(memory_order_seq_cst);
    uint64_t cursor = end->cursor;
    if (RH_LIKELY(cursor < limit && rh_recorder_gate.open && size < RH_DEPTH_ONE &&
                  place >= RH_FIRST_THREAD)) {
        uint64_t main =
            atomic_load_explicit(&rh_recorder_channel.control.main.cursor, memory_order_relaxed);
        rh_put_at(end, cursor, RH_RAW_RING_BYTES, RH_WHAT(RH_RECORD_PLACE, 0, main),
                  __builtin_ia32_rdtsc());
        rh_put_at(end, cursor + sizeof(rh_record), RH_RAW_RING_BYTES, what, size | place);
        if (rh_put_done(end, cursor, 2 * sizeof(rh_record), limit))
            rh_put_spilled();
        return;
    }
    end->limit = limit;
    rh_put_thread_slow(what, size);
}

typedef enum rh_put { RH_PUT_DONE, RH_PUT_DECLINED, RH_PUT_SPILLED } rh_put;

/* A call of the C library's functions, for the calling thread's own ring, as a short record: done,
 * or what there is to do yet is for rh_put_rest. It calls nothing, so whoever can leave the rest to
 * a function at the end needs to save nothing for it. `short_size` is how a short record has the
 * size. */
RH_INLINE rh_put
rh_put_short(unsigned short_kind, const void *block, uint64_t short_size)
{
    rh_thread_end *end = &rh_recorder_thread;
    const uint64_t address = (uintptr_t)block;
    uint64_t limit = end->limit;
    end->limit = 0;
    atomic_signal_fence(memory_order_seq_cst);
    uint64_t cursor = end->cursor;
    if (RH_LIKELY(cursor < limit && rh_short_fits_block(address, short_size) &&
                  end->turn == (atomic_load_explicit(&rh_recorder_channel.control.turn,
                                                     memory_order_relaxed) ^
                                rh_recorder_gate.libc))) {
        uint64_t *word = (uint64_t *)(end->here + cursor);
        *word = rh_short_word(short_kind, address, short_size);
        return rh_put_done(end, cursor, sizeof *word, limit) ? RH_PUT_SPILLED : RH_PUT_DONE;
    }
    end->limit = limit;
    return RH_PUT_DECLINED;
}

static inline void
rh_put_rest(rh_put put, uint64_t what, uint64_t size)
{
    if (put == RH_PUT_SPILLED)
        rh_put_spilled();
    else
        rh_put_libc_slow(what, size);
}

RH_INLINE void
rh_put_malloc(rh_record_kind kind, const void *block, uint64_t size)
{
    rh_put put = rh_put_short(kind, block, size);
    if (!RH_LIKELY(put == RH_PUT_DONE))
        rh_put_rest(put, RH_WHAT(kind, RH_RECORD_LIBC_DOMAIN, block), size);
}

/* Two factors that are below RH_CALLOC_COUNT_SHIFT bits. */
RH_INLINE void
rh_put_calloc(const void *block, uint64_t count, uint64_t element)
{
    uint64_t short_size;
    unsigned short_kind = rh_short_calloc(count, element, &short_size);
    rh_put put = rh_put_short(short_kind, block, short_size);
    if (!RH_LIKELY(put == RH_PUT_DONE))
        rh_put_rest(put, RH_WHAT(RH_RECORD_CALLOC, RH_RECORD_LIBC_DOMAIN, block),
                    count << RH_CALLOC_COUNT_SHIFT | element);
}

#endif
