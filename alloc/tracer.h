/* tracemalloc: which blocks live, how large each is as requested, and where it was allocated.
 *
 * A tracer is a table of traces keyed by domain and address. Blocks are entered by hand (track,
 * untrack) or by allocators that are wrapped. It behaves as CPython's: a trace that cannot be
 * stored fails the allocation; a call made by an allocator within a traced call of the same thread
 * is not traced again, so that a large block that pymalloc fetches from RAW counts once; a block
 * from before the start is unknown, and its end is silent.
 *
 * One thing is better than there. CPython forgets a block after it was freed, and by then another
 * thread may own the address and lose its trace. Here the trace is taken out before, and lies with
 * the calling thread until the call is over, where who asks in the middle (the debug hooks' report)
 * still finds it.
 *
 * All functions but init and release may be called by any thread at any time.
 */
#ifndef REHEAP_ALLOC_TRACER_H
#define REHEAP_ALLOC_TRACER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "alloc/peak_sizes.h"
#include "alloc/pymem.h"
#include "alloc/trace_table.h"
#include "alloc/traceback.h"
#include "base/error.h"

typedef struct rh_tracer {
    pthread_mutex_t lock;
    atomic_bool tracing;
    atomic_uint_fast64_t starts; /* so far */
    atomic_size_t frames_most;
    _Atomic(const rh_frame_provider *) provider; /* NULL: every traceback is unknown */
    /* Called when a block was resized and its trace cannot be stored: too late to fail. It may end
     * the process, as CPython does. NULL: the block lives on untraced. */
    void (*lost)(void *ctx);
    void *lost_ctx;

    rh_trace_table table;
    rh_tracebacks tracebacks;
    uint64_t generation; /* of the table: when it was emptied last */
    uint64_t traced_bytes, peak_bytes;
    uint64_t table_bytes; /* what the tables hold: writable private memory */
    /* The caller's, all zero, before the start: keeps which sizes the peak was made of. NULL: that
     * is not wanted. It costs another look-up in each call. */
    rh_peak_sizes *peak_sizes;

    /* What the allocator beneath holds, if it keeps an account, and the sum of that and the tables:
     * current after every call of a wrapped function. Such an allocator has one thread. */
    const uint64_t *beneath_bytes;
    uint64_t mapped_bytes;
} rh_tracer;

#define RH_TRACER_FRAMES_TEXT "the number of frames must be in range [1; 65535]"

/* What the tracer says of itself, all at one moment. While nothing is traced: zeros. */
typedef struct rh_tracer_figures {
    uint64_t traced_bytes, peak_bytes; /* the peak since the start, or the last clear or reset */
    uint64_t blocks;
    uint64_t table_bytes; /* the tracer's own tables */
    uint64_t tracebacks;  /* unlike ones */
} rh_tracer_figures;

void rh_tracer_init(rh_tracer *tracer);
void rh_tracer_release(rh_tracer *tracer);

/* While nothing is traced. `provider` stays where it is. */
void rh_tracer_set_provider(rh_tracer *tracer, const rh_frame_provider *provider);

/* Begins tracing with at most `frames` frames a traceback; nothing when it traces already. RH_USAGE
 * with RH_TRACER_FRAMES_TEXT outside 1 to RH_FRAMES_MOST. */
rh_status rh_tracer_start(rh_tracer *tracer, long frames, rh_error *error);
/* Ends it and forgets every trace. Allocators that were wrapped pass on from now. */
void rh_tracer_stop(rh_tracer *tracer);
bool rh_tracer_is_tracing(const rh_tracer *tracer);

/* Forgets every trace; traced and peak are 0. */
void rh_tracer_clear(rh_tracer *tracer);
/* The peak begins anew at what is traced now. */
void rh_tracer_reset_peak(rh_tracer *tracer);
void rh_tracer_get_figures(rh_tracer *tracer, rh_tracer_figures *figures);

/* As PyTraceMalloc_Track and PyTraceMalloc_Untrack: 0, -1 without memory (nothing changed), -2 when
 * nothing is traced. Tracking a known block replaces size and traceback. */
int rh_tracer_track(rh_tracer *tracer, unsigned domain, uintptr_t address, size_t size);
int rh_tracer_untrack(rh_tracer *tracer, unsigned domain, uintptr_t address);
/* A known block is used for something new (an object from a free list): its traceback becomes the
 * current one. 0, or -1 when it is not known or there is no memory, or -2. */
int rh_tracer_renew(rh_tracer *tracer, unsigned domain, uintptr_t address);

/* Where a block was allocated, newest frame first: writes at most `most` frames, sets *total to how
 * many there were in all, and returns how many are known, which may be more than `most`. 0 when the
 * block is not known. */
size_t rh_tracer_get_traceback(rh_tracer *tracer, unsigned domain, uintptr_t address,
                               rh_frame *frames, size_t most, size_t *total);

/* A copy of everything at one moment: fills `memory` (empty) with *count rh_trace, in no order,
 * `tracebacks` and `peak_sizes` (empty; the latter as rh_peak_sizes_get does, where they are kept).
 * False when there is no memory; what is in the copies is the caller's. */
bool rh_tracer_copy(rh_tracer *tracer, rh_side_memory *memory, size_t *count,
                    rh_tracebacks *tracebacks, rh_trace_table *peak_sizes,
                    rh_tracer_figures *figures);

/* Around a fork, in the thread that forks: the child's tracer is then at no moment of another
 * thread's change. Let go in the parent and in the child. */
void rh_tracer_hold(rh_tracer *tracer);
void rh_tracer_let_go(rh_tracer *tracer);

/* ---- wrapping an allocator ---- */

/* The context of a wrapped allocator; the caller's storage, as long as it is called. */
typedef struct rh_traced {
    rh_tracer *tracer;
    unsigned domain; /* of the traces */
    PyMemAllocatorEx inner;
} rh_traced;

/* The allocator that traces what it passes on to `inner`: `outer` gets `traced` as its context. */
void rh_tracer_wrap(rh_traced *traced, rh_tracer *tracer, unsigned domain,
                    const PyMemAllocatorEx *inner, PyMemAllocatorEx *outer);

/* Its functions; the context is an rh_traced. */
void *rh_traced_malloc(void *ctx, size_t size);
void *rh_traced_calloc(void *ctx, size_t nelem, size_t elsize);
void *rh_traced_realloc(void *ctx, void *block, size_t size);
void rh_traced_free(void *ctx, void *block);

/* For a block that `inner` gave by another function (an aligned call): enters it; false, with the
 * block untraced, when there is no memory. */
bool rh_traced_note(rh_traced *traced, void *block, size_t size);

/* Brings mapped_bytes up to date after what changed beneath by other ways. */
static inline void
rh_tracer_settle(rh_tracer *tracer)
{
    if (tracer->beneath_bytes)
        tracer->mapped_bytes = *tracer->beneath_bytes + tracer->table_bytes;
}

/* Verifies every invariant. RH_DIFFERENT with a message that names the broken one. */
rh_status rh_tracer_check(rh_tracer *tracer, rh_error *error);

#endif
