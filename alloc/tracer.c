#include "alloc/tracer.h"

#include <string.h>
#include <sys/single_threaded.h>

/* Frames up to this many are collected on the stack, more in a mapping for the one call. */
enum { FRAMES_ON_STACK = 64 };

/* ------------------------------------------------------------------ what a thread is in */

/* A traced call under way in this thread: what it does to the tracer, and what is out of the table
 * for its duration. Innermost first. */
typedef struct passage {
    const rh_tracer *tracer;
    struct passage *outer;
    const void *caller;
    bool silent; /* allocations within are the allocator's own: not traced */
    bool holds;  /* `trace` was taken out of the table of `generation` */
    uint64_t generation;
    rh_trace trace;
} passage;

static _Thread_local __attribute__((tls_model("initial-exec"))) passage *innermost;

static inline void
enter(passage *self, const rh_tracer *tracer, bool silent, const void *caller)
{
    self->tracer = tracer;
    self->caller = caller;
    self->outer = innermost;
    self->silent = silent;
    self->holds = false;
    innermost = self;
}

/* Of the traced function that it stands in. */
#define CALLER __builtin_return_address(0)

static inline void
leave(const passage *self)
{
    innermost = self->outer;
}

static inline bool
is_silent(const rh_tracer *tracer)
{
    for (const passage *each = innermost; each; each = each->outer)
        if (each->tracer == tracer && each->silent)
            return true;
    return false;
}

/* The trace of a block that this thread is about to free or resize. */
static const passage *
held(const rh_tracer *tracer, unsigned domain, uintptr_t address)
{
    for (const passage *each = innermost; each; each = each->outer)
        if (each->tracer == tracer && each->holds && each->generation == tracer->generation &&
            each->trace.domain == domain && each->trace.address == address)
            return each;
    return NULL;
}

/* ------------------------------------------------------------------ life */

static inline bool
is_tracing(const rh_tracer *tracer)
{
    return atomic_load_explicit(&tracer->tracing, memory_order_acquire);
}

/* A process with one thread needs no lock, and cannot get a second thread while it has this one:
 * nothing that could start one is called between. Returns what unlock must be told. */
static inline bool
lock(rh_tracer *tracer)
{
    if (__libc_single_threaded)
        return false;
    pthread_mutex_lock(&tracer->lock);
    return true;
}

static inline void
unlock(rh_tracer *tracer, bool locked)
{
    if (locked)
        pthread_mutex_unlock(&tracer->lock);
}

static void
count_tables(rh_tracer *tracer)
{
    tracer->table_bytes = tracer->table.memory.bytes + rh_tracebacks_bytes(&tracer->tracebacks);
    if (tracer->peak_sizes)
        tracer->table_bytes += rh_peak_sizes_bytes(tracer->peak_sizes);
}

void
rh_tracer_init(rh_tracer *tracer)
{
    *tracer = (rh_tracer){.frames_most = 1};
    pthread_mutex_init(&tracer->lock, NULL);
}

void
rh_tracer_release(rh_tracer *tracer)
{
    rh_tracer_stop(tracer);
    pthread_mutex_destroy(&tracer->lock);
}

void
rh_tracer_set_provider(rh_tracer *tracer, const rh_frame_provider *provider)
{
    atomic_store(&tracer->provider, provider);
}

/* With the lock held. Blocks that are out of the table now do not come back. */
static void
forget_all(rh_tracer *tracer)
{
    rh_trace_table_release(&tracer->table);
    rh_tracebacks_release(&tracer->tracebacks);
    tracer->generation++;
    tracer->traced_bytes = tracer->peak_bytes = 0;
    if (tracer->peak_sizes)
        rh_peak_sizes_release(tracer->peak_sizes);
    count_tables(tracer);
}

rh_status
rh_tracer_start(rh_tracer *tracer, long frames, rh_error *error)
{
    if (frames < 1 || frames > RH_FRAMES_MOST)
        return rh_fail(error, RH_USAGE, RH_TRACER_FRAMES_TEXT);
    bool locked = lock(tracer);
    if (!is_tracing(tracer)) {
        atomic_store(&tracer->frames_most, (size_t)frames);
        atomic_fetch_add(&tracer->starts, 1);
        atomic_store_explicit(&tracer->tracing, true, memory_order_release);
    }
    unlock(tracer, locked);
    return RH_OK;
}

void
rh_tracer_stop(rh_tracer *tracer)
{
    bool locked = lock(tracer);
    atomic_store_explicit(&tracer->tracing, false, memory_order_release);
    forget_all(tracer);
    unlock(tracer, locked);
}

bool
rh_tracer_is_tracing(const rh_tracer *tracer)
{
    return is_tracing(tracer);
}

void
rh_tracer_clear(rh_tracer *tracer)
{
    bool locked = lock(tracer);
    forget_all(tracer);
    unlock(tracer, locked);
}

void
rh_tracer_reset_peak(rh_tracer *tracer)
{
    bool locked = lock(tracer);
    tracer->peak_bytes = tracer->traced_bytes;
    if (tracer->peak_sizes)
        rh_peak_sizes_now(tracer->peak_sizes);
    unlock(tracer, locked);
}

void
rh_tracer_hold(rh_tracer *tracer)
{
    pthread_mutex_lock(&tracer->lock);
}

void
rh_tracer_let_go(rh_tracer *tracer)
{
    pthread_mutex_unlock(&tracer->lock);
}

/* With the lock held. */
static rh_tracer_figures
figures_of(const rh_tracer *tracer)
{
    return (rh_tracer_figures){
        .traced_bytes = tracer->traced_bytes,
        .peak_bytes = tracer->peak_bytes,
        .blocks = rh_trace_table_count(&tracer->table),
        .table_bytes = tracer->table_bytes,
        .tracebacks = tracer->tracebacks.count,
    };
}

void
rh_tracer_get_figures(rh_tracer *tracer, rh_tracer_figures *figures)
{
    bool locked = lock(tracer);
    *figures = figures_of(tracer);
    unlock(tracer, locked);
}

bool
rh_tracer_copy(rh_tracer *tracer, rh_side_memory *memory, size_t *count, rh_tracebacks *tracebacks,
               rh_trace_table *peak_sizes, rh_tracer_figures *figures)
{
    bool locked = lock(tracer);
    *count = rh_trace_table_count(&tracer->table);
    bool done = (*count == 0 || rh_side_memory_grow(memory, *count * sizeof(rh_trace))) &&
                rh_tracebacks_copy(tracebacks, &tracer->tracebacks);
    if (done && *count)
        rh_trace_table_copy(&tracer->table, memory->base);
    if (done && tracer->peak_sizes && !tracer->peak_sizes->lost)
        done = rh_peak_sizes_get(tracer->peak_sizes, peak_sizes);
    *figures = figures_of(tracer);
    unlock(tracer, locked);
    return done;
}

/* ------------------------------------------------------------------ traces */

/* With the lock held: a block of `size` is traced; one of `old` is not any more, if `replaced`. */
static __attribute__((noinline)) void
note_size(rh_tracer *tracer, uint64_t size, bool replaced, uint64_t old)
{
    if (replaced)
        rh_peak_sizes_died(tracer->peak_sizes, old);
    rh_peak_sizes_born(tracer->peak_sizes, size);
    if (tracer->traced_bytes > tracer->peak_bytes)
        rh_peak_sizes_now(tracer->peak_sizes);
}

/* With the lock held: the trace goes in, or changes. */
static bool
store(rh_tracer *tracer, const rh_trace *trace)
{
    uint64_t old_bytes;
    size_t before = rh_trace_table_count(&tracer->table);
    if (!rh_trace_table_put(&tracer->table, trace, &old_bytes))
        return false;
    tracer->traced_bytes += trace->size_bytes - old_bytes;
    if (tracer->peak_sizes)
        note_size(tracer, trace->size_bytes, rh_trace_table_count(&tracer->table) == before,
                  old_bytes);
    if (tracer->traced_bytes > tracer->peak_bytes)
        tracer->peak_bytes = tracer->traced_bytes;
    count_tables(tracer);
    return true;
}

/* Where the calling thread is, collected before the lock is taken: the provider may wait. */
typedef struct place {
    rh_frame on_stack[FRAMES_ON_STACK];
    rh_side_memory mapping;
    const rh_frame *frames;
    size_t count, total;
    uint64_t start; /* the one that the frames are of */
} place;

static bool
find_place(const rh_tracer *tracer, const rh_frame_provider *provider, place *here)
{
    size_t most = atomic_load(&tracer->frames_most);
    rh_frame *frames = here->on_stack;
    here->start = atomic_load(&tracer->starts);
    here->mapping = (rh_side_memory){.base = NULL};
    if (most > FRAMES_ON_STACK) {
        if (!rh_side_memory_grow(&here->mapping, most * sizeof *frames))
            return false;
        frames = here->mapping.base;
    }
    here->frames = frames;
    here->total = provider->frames(provider->ctx, innermost->caller, frames, most);
    here->count = here->total < most ? here->total : most;
    return true;
}

/* With the lock held. 0 when there is no memory. */
static uint32_t
number_of(rh_tracer *tracer, const place *here)
{
    if (here->count == 0)
        return RH_TRACEBACK_UNKNOWN;
    return rh_tracebacks_intern(&tracer->tracebacks, here->frames, here->count, here->total);
}

/* What add makes of a trace. */
typedef enum outcome { DONE, NO_MEMORY, NOT_TRACING } outcome;

/* With the lock held: after all that was collected, whether tracing goes on is asked again. */
static outcome
add_locked(rh_tracer *tracer, const rh_trace *trace)
{
    if (!is_tracing(tracer))
        return NOT_TRACING;
    return trace->traceback && store(tracer, trace) ? DONE : NO_MEMORY;
}

/* With the lock held: the room that was kept for a resized block is free for its new trace. */
static inline void
claim_room(rh_tracer *tracer, const passage *resized)
{
    if (resized && resized->generation == tracer->generation)
        rh_trace_table_unkeep(&tracer->table);
}

/* Out of line: most tracers have no provider, and then none of this stack is touched. A thread that
 * was overtaken by a stop and a new start leaves no frames of the old one. */
static __attribute__((noinline)) outcome
add_with_place(rh_tracer *tracer, const rh_frame_provider *provider, rh_trace *trace,
               const passage *resized)
{
    place here;
    outcome result = NOT_TRACING;
    bool found = find_place(tracer, provider, &here);
    bool locked = lock(tracer);
    claim_room(tracer, resized);
    if (is_tracing(tracer) && here.start == atomic_load(&tracer->starts)) {
        trace->traceback = found ? number_of(tracer, &here) : 0;
        result = add_locked(tracer, trace);
    }
    unlock(tracer, locked);
    rh_side_memory_release(&here.mapping);
    return result;
}

/* Enters a trace. `resized`: the passage that holds the block's old one, whose room it takes. */
static outcome
add(rh_tracer *tracer, unsigned domain, uintptr_t address, size_t size, const passage *resized)
{
    rh_trace trace = {address, size, domain, RH_TRACEBACK_UNKNOWN};
    const rh_frame_provider *provider =
        atomic_load_explicit(&tracer->provider, memory_order_acquire);
    if (provider)
        return add_with_place(tracer, provider, &trace, resized);
    bool locked = lock(tracer);
    claim_room(tracer, resized);
    outcome result = add_locked(tracer, &trace);
    unlock(tracer, locked);
    return result;
}

/* Takes a trace out of the table into `self`; with `keep` there stays room for its return. */
static void
take_out(rh_tracer *tracer, unsigned domain, uintptr_t address, bool keep, passage *self)
{
    bool locked = lock(tracer);
    self->holds = rh_trace_table_take(&tracer->table, domain, address, keep, &self->trace);
    if (self->holds) {
        self->generation = tracer->generation;
        tracer->traced_bytes -= self->trace.size_bytes;
        if (tracer->peak_sizes) {
            rh_peak_sizes_died(tracer->peak_sizes, self->trace.size_bytes);
            count_tables(tracer);
        }
    }
    unlock(tracer, locked);
}

/* The resize failed: the old trace goes back into its room. */
static void
put_back(rh_tracer *tracer, passage *self)
{
    if (!self->holds)
        return;
    bool locked = lock(tracer);
    claim_room(tracer, self);
    if (self->generation == tracer->generation)
        store(tracer, &self->trace);
    unlock(tracer, locked);
}

int
rh_tracer_track(rh_tracer *tracer, unsigned domain, uintptr_t address, size_t size)
{
    if (!is_tracing(tracer))
        return -2;
    passage self;
    enter(&self, tracer, true, CALLER);
    outcome result = add(tracer, domain, address, size, NULL);
    leave(&self);
    return result == DONE ? 0 : result == NO_MEMORY ? -1 : -2;
}

int
rh_tracer_untrack(rh_tracer *tracer, unsigned domain, uintptr_t address)
{
    if (!is_tracing(tracer))
        return -2;
    passage self;
    take_out(tracer, domain, address, false, &self);
    return 0;
}

int
rh_tracer_renew(rh_tracer *tracer, unsigned domain, uintptr_t address)
{
    if (!is_tracing(tracer))
        return -2;
    const rh_frame_provider *provider = atomic_load(&tracer->provider);
    place here = {.count = 0, .start = atomic_load(&tracer->starts)};
    passage self;
    enter(&self, tracer, true, CALLER);
    bool found = !provider || find_place(tracer, provider, &here);
    leave(&self);
    if (!found)
        return -1;
    bool locked = lock(tracer);
    const rh_trace *known = rh_trace_table_find(&tracer->table, domain, address);
    rh_trace trace = {.traceback = 0};
    if (known && here.start == atomic_load(&tracer->starts)) {
        trace = *known;
        trace.traceback = number_of(tracer, &here);
    }
    int result = trace.traceback && store(tracer, &trace) ? 0 : -1;
    unlock(tracer, locked);
    rh_side_memory_release(&here.mapping);
    return result;
}

size_t
rh_tracer_get_traceback(rh_tracer *tracer, unsigned domain, uintptr_t address, rh_frame *frames,
                        size_t most, size_t *total)
{
    size_t count = 0;
    *total = 0;
    bool locked = lock(tracer);
    const rh_trace *known = rh_trace_table_find(&tracer->table, domain, address);
    if (!known) {
        const passage *in = held(tracer, domain, address);
        known = in ? &in->trace : NULL;
    }
    if (known) {
        rh_traceback where = rh_tracebacks_get(&tracer->tracebacks, known->traceback);
        count = where.count;
        *total = where.total;
        if (most)
            memcpy(frames, where.frames, (count < most ? count : most) * sizeof *frames);
    }
    unlock(tracer, locked);
    return count;
}

/* ------------------------------------------------------------------ wrapped allocators */

void
rh_tracer_wrap(rh_traced *traced, rh_tracer *tracer, unsigned domain, const PyMemAllocatorEx *inner,
               PyMemAllocatorEx *outer)
{
    *traced = (rh_traced){tracer, domain, *inner};
    *outer = (PyMemAllocatorEx){traced, rh_traced_malloc, rh_traced_calloc, rh_traced_realloc,
                                rh_traced_free};
}

static inline void *
settled(const rh_traced *traced, void *block)
{
    rh_tracer_settle(traced->tracer);
    return block;
}

/* A new block's trace goes in, or the block goes back. */
static void *
trace_new(rh_traced *traced, void *block, size_t size)
{
    if (block && add(traced->tracer, traced->domain, (uintptr_t)block, size, NULL) == NO_MEMORY) {
        traced->inner.free(traced->inner.ctx, block);
        return NULL;
    }
    return block;
}

bool
rh_traced_note(rh_traced *traced, void *block, size_t size)
{
    if (!is_tracing(traced->tracer) || is_silent(traced->tracer))
        return true;
    passage self;
    enter(&self, traced->tracer, true, CALLER);
    outcome result = add(traced->tracer, traced->domain, (uintptr_t)block, size, NULL);
    leave(&self);
    return result != NO_MEMORY;
}

void *
rh_traced_malloc(void *ctx, size_t size)
{
    rh_traced *traced = ctx;
    if (!is_tracing(traced->tracer) || is_silent(traced->tracer))
        return settled(traced, traced->inner.malloc(traced->inner.ctx, size));
    passage self;
    enter(&self, traced->tracer, true, CALLER);
    void *block = traced->inner.malloc(traced->inner.ctx, size);
    block = trace_new(traced, block, size);
    leave(&self);
    return settled(traced, block);
}

void *
rh_traced_calloc(void *ctx, size_t nelem, size_t elsize)
{
    rh_traced *traced = ctx;
    if (!is_tracing(traced->tracer) || is_silent(traced->tracer))
        return settled(traced, traced->inner.calloc(traced->inner.ctx, nelem, elsize));
    passage self;
    enter(&self, traced->tracer, true, CALLER);
    void *block = traced->inner.calloc(traced->inner.ctx, nelem, elsize);
    block = trace_new(traced, block, nelem * elsize);
    leave(&self);
    return settled(traced, block);
}

/* A block that lived before: its old trace is out while the allocator works. */
static void *
resize(rh_traced *traced, void *block, size_t size, passage *self)
{
    rh_tracer *tracer = traced->tracer;
    take_out(tracer, traced->domain, (uintptr_t)block, true, self);
    void *moved = traced->inner.realloc(traced->inner.ctx, block, size);
    if (!moved) {
        put_back(tracer, self);
        return NULL;
    }
    passage *resized = self->holds ? self : NULL;
    outcome result = add(tracer, traced->domain, (uintptr_t)moved, size, resized);
    if (result == NO_MEMORY && tracer->lost)
        tracer->lost(tracer->lost_ctx);
    return moved;
}

void *
rh_traced_realloc(void *ctx, void *block, size_t size)
{
    rh_traced *traced = ctx;
    rh_tracer *tracer = traced->tracer;
    if (!is_tracing(tracer))
        return settled(traced, traced->inner.realloc(traced->inner.ctx, block, size));
    passage self;
    if (is_silent(tracer)) {
        /* The allocator resizes what it may have got before: its trace, if any, is over. */
        void *moved = traced->inner.realloc(traced->inner.ctx, block, size);
        if (moved && block)
            take_out(tracer, traced->domain, (uintptr_t)block, false, &self);
        return settled(traced, moved);
    }
    enter(&self, tracer, true, CALLER);
    void *moved =
        block ? resize(traced, block, size, &self)
              : trace_new(traced, traced->inner.realloc(traced->inner.ctx, NULL, size), size);
    leave(&self);
    return settled(traced, moved);
}

void
rh_traced_free(void *ctx, void *block)
{
    rh_traced *traced = ctx;
    if (!block || !is_tracing(traced->tracer)) {
        traced->inner.free(traced->inner.ctx, block);
        rh_tracer_settle(traced->tracer);
        return;
    }
    passage self;
    enter(&self, traced->tracer, false, CALLER);
    take_out(traced->tracer, traced->domain, (uintptr_t)block, false, &self);
    traced->inner.free(traced->inner.ctx, block);
    leave(&self);
    rh_tracer_settle(traced->tracer);
}

/* ------------------------------------------------------------------ check */

/* With the lock held. */
static rh_status
check_entries(const rh_tracer *tracer, rh_error *error)
{
    const rh_trace_table *table = &tracer->table;
    uint64_t bytes = 0, count = 0;
    for (size_t i = 0; table->entries && i <= table->mask; i++) {
        const rh_trace *entry = &table->entries[i];
        if (!entry->traceback)
            continue;
        if (rh_trace_table_find(table, entry->domain, entry->address) != entry)
            return rh_fail(error, RH_DIFFERENT,
                           "tracer: the trace of block %#zx in domain %u cannot be found",
                           (size_t)entry->address, entry->domain);
        bytes += entry->size_bytes;
        count++;
    }
    if (count != rh_trace_table_count(table))
        return rh_fail(error, RH_DIFFERENT, "tracer: %zu traces counted, %zu there",
                       rh_trace_table_count(table), (size_t)count);
    if (bytes != tracer->traced_bytes)
        return rh_fail(error, RH_DIFFERENT, "tracer: %zu bytes counted, traces say %zu",
                       (size_t)tracer->traced_bytes, (size_t)bytes);
    if (tracer->peak_bytes < tracer->traced_bytes)
        return rh_fail(error, RH_DIFFERENT, "tracer: the peak %zu is below the %zu bytes traced",
                       (size_t)tracer->peak_bytes, (size_t)tracer->traced_bytes);
    return RH_OK;
}

rh_status
rh_tracer_check(rh_tracer *tracer, rh_error *error)
{
    bool locked = lock(tracer);
    rh_status status = check_entries(tracer, error);
    unlock(tracer, locked);
    return status;
}
