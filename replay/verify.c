/* See verify.h. Only outermost calls of the MEM and OBJ domains are played: pymalloc has no other.
 * What the recorded allocator did with arenas during a call stands before the call in the trace; it
 * is queued, and the heap's own requests are held against the queue. */
#define _GNU_SOURCE
#include "replay/verify.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc/arena_recorded.h"
#include "alloc/debug_hooks.h"
#include "alloc/heap.h"
#include "alloc/layer_debug.h"
#include "base/output.h"

#define QUEUE_MOST 4096 /* arenas that one call may bring or take */

typedef struct verifier {
    rh_verification *result;
    rh_heap *heap;
    void **slots; /* NULL: not in our heap */
    uint32_t slot_count;
    uint64_t event;           /* number of the current one */
    rh_debug_settings *debug; /* of a recording made above the debug hooks */
    size_t calls;             /* to any domain, for memory, that succeeded */

    rh_arena_recorded arenas;

    uint64_t hash, hashed; /* of the current block of the file */
} verifier;

/* ------------------------------------------------------------------ arenas */

static rh_status
queue_arena(verifier *self, const rh_event *event, rh_error *error)
{
    if (self->arenas.queued == QUEUE_MOST)
        return rh_fail(error, RH_BAD_INPUT,
                       "more than %d arenas came or went before one call (event %" PRIu64 ")",
                       QUEUE_MOST, self->event);
    const rh_recorded_arena arena = {.freed = event->operation == RH_ARENA_FREE,
                                     .failed = event->flags & RH_EVENT_FAILED,
                                     .address = event->address,
                                     .size = event->size};
    if (!rh_arena_recorded_expect(&self->arenas, &arena))
        return rh_fail(error, RH_SYSTEM, "there is no memory");
    return RH_OK;
}

/* What the arenas' source has noted. */
static void
report_arenas(verifier *self)
{
    rh_verification *result = self->result;
    result->arenas_compared = self->arenas.compared;
    result->arenas_different = self->arenas.different;
    snprintf(result->arena_difference, sizeof result->arena_difference, "%s",
             self->arenas.difference);
}

/* ------------------------------------------------------------------ calls */

static void
compare_address(verifier *self, const rh_event *event, const void *block)
{
    uint64_t address = (uint64_t)(uintptr_t)block;
    self->hash = rh_address_hash(self->hash, address);
    self->hashed++;
    self->result->addresses_compared++;
    if (!self->result->columns || event->address == address)
        return;
    if (self->result->addresses_different++ == 0)
        snprintf(self->result->address_difference, sizeof self->result->address_difference,
                 "event %" PRIu64 " (%" PRIu64 " bytes): recorded 0x%" PRIx64
                 ", pymalloc gives 0x%" PRIx64,
                 self->event, event->size, event->address, address);
}

/* What a call of the recording returns in our heap. */
static void *
play_birth(verifier *self, const rh_event *event)
{
    const PyMemAllocatorEx *allocator = &self->heap->domain[event->domain];
    if (event->operation == RH_CALLOC)
        return allocator->calloc(allocator->ctx, event->count, event->element);
    if (event->operation == RH_REALLOC && event->flags & RH_EVENT_NULL)
        return allocator->realloc(allocator->ctx, NULL, event->size);
    return allocator->malloc(allocator->ctx, event->size);
}

/* A failed call changes nothing, except for arenas it asked for in vain. */
static void
play_failed(verifier *self, const rh_event *event)
{
    if (self->arenas.queued == 0 || event->operation == RH_FREE)
        return;
    const PyMemAllocatorEx *allocator = &self->heap->domain[event->domain];
    allocator->free(allocator->ctx, allocator->malloc(allocator->ctx, event->size));
}

static void
play_free(verifier *self, const rh_event *event)
{
    const PyMemAllocatorEx *allocator = &self->heap->domain[event->domain];
    if (event->slot == RH_NO_SLOT || !self->slots[event->slot])
        return;
    allocator->free(allocator->ctx, self->slots[event->slot]);
    self->slots[event->slot] = NULL;
}

static void *
play_realloc(verifier *self, const rh_event *event)
{
    const PyMemAllocatorEx *allocator = &self->heap->domain[event->domain];
    void *old = self->slots[event->slot];
    if (!old) /* born before the recording: ours from now on only if a pool has it now */
        return event->flags & RH_EVENT_POOLED ? play_birth(self, event) : NULL;
    return allocator->realloc(allocator->ctx, old, event->size);
}

static void
play(verifier *self, const rh_event *event)
{
    self->result->replayed++;
    if (event->flags & RH_EVENT_FAILED) {
        play_failed(self, event);
    } else if (event->operation == RH_FREE) {
        play_free(self, event);
    } else if (event->slot != RH_NO_SLOT) {
        bool foreign = event->flags & RH_EVENT_FOREIGN;
        if (foreign)
            self->slots[event->slot] = NULL;
        void *block = event->operation == RH_REALLOC && (foreign || !(event->flags & RH_EVENT_NULL))
                          ? play_realloc(self, event)
                          : play_birth(self, event);
        self->slots[event->slot] = block;
        if (event->flags & RH_EVENT_POOLED)
            compare_address(self, event, block);
    }
    rh_arena_recorded_settle(&self->arenas);
}

/* ------------------------------------------------------------------ checkpoints */

static size_t
line_length(const char *text)
{
    return strcspn(text, "\n");
}

static void
describe_checkpoint(verifier *self, const char *recorded, const char *ours)
{
    unsigned line = 1;
    for (;;) {
        size_t left = line_length(recorded), right = line_length(ours);
        if (left != right || memcmp(recorded, ours, left) != 0 || !recorded[left] || !ours[right]) {
            snprintf(self->result->checkpoint_difference,
                     sizeof self->result->checkpoint_difference,
                     "event %" PRIu64 ", line %u: recorded \"%.*s\", pymalloc prints \"%.*s\"",
                     self->event, line, (int)(left < 400 ? left : 400), recorded,
                     (int)(right < 400 ? right : 400), ours);
            return;
        }
        recorded += left + 1;
        ours += right + 1;
        line++;
    }
}

static rh_status
compare_checkpoint(verifier *self, const rh_event *event, rh_error *error)
{
    if (self->debug)
        atomic_store(&self->debug->serials, self->calls);
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    if (!stream)
        return rh_fail(error, RH_SYSTEM, "there is no memory");
    bool printed = rh_heap_print_stats(self->heap, stream);
    fclose(stream);
    self->result->checkpoints_compared++;
    if (!printed || strcmp(text, event->text) != 0) {
        if (self->result->checkpoints_different++ == 0)
            describe_checkpoint(self, event->text, text);
    }
    free(text);
    return RH_OK;
}

/* ------------------------------------------------------------------ the trace */

static bool
is_pymallocs(const rh_event *event)
{
    return event->operation <= RH_ALIGNED && event->domain != PYMEM_DOMAIN_RAW &&
           event->domain <= PYMEM_DOMAIN_OBJ && !(event->flags & RH_EVENT_NESTED);
}

/* The debug hooks of some versions number these, and print the number with the statistics. */
static void
count_call(verifier *self, const rh_event *event)
{
    bool for_memory = event->operation <= RH_ALIGNED && event->operation != RH_FREE;
    self->calls +=
        for_memory && event->domain != RH_DOMAIN_LIBC && !(event->flags & RH_EVENT_FAILED);
}

static rh_status
verify_event(verifier *self, const rh_event *event, rh_error *error)
{
    count_call(self, event);
    if (is_pymallocs(event)) {
        play(self, event);
        return RH_OK;
    }
    switch (event->operation) {
    case RH_ARENA_ALLOC:
    case RH_ARENA_FREE:
        return queue_arena(self, event, error);
    case RH_CHECKPOINT:
        return compare_checkpoint(self, event, error);
    default:
        return RH_OK;
    }
}

/* The sums of a block of the file. */
static void
end_block(verifier *self, const rh_batch *batch)
{
    rh_verification *result = self->result;
    bool equal = batch->address_hash == self->hash && batch->hashed == self->hashed;
    if (!result->columns && batch->hashed + self->hashed > 0 && !equal) {
        if (result->addresses_different == 0)
            snprintf(result->address_difference, sizeof result->address_difference,
                     "among the %" PRIu64 " addresses before event %" PRIu64
                     "; a recording made with --addresses would say which",
                     self->hashed, batch->first_event + batch->count);
        result->addresses_different += self->hashed > batch->hashed ? self->hashed : batch->hashed;
    }
    self->hash = self->hashed = 0;
}

static void
make_room(verifier *self, uint32_t slots)
{
    if (slots <= self->slot_count)
        return;
    uint32_t count = slots < UINT32_MAX / 2 ? slots * 2 : slots;
    self->slots = realloc(self->slots, count * sizeof *self->slots);
    if (!self->slots)
        abort();
    memset(self->slots + self->slot_count, 0, (count - self->slot_count) * sizeof *self->slots);
    self->slot_count = count;
}

static rh_status
verify_batch(verifier *self, const rh_batch *batch, rh_error *error)
{
    make_room(self, batch->slots);
    rh_status status = RH_OK;
    for (size_t i = 0; i < batch->count && status == RH_OK; i++) {
        self->event = self->arenas.event = batch->first_event + i;
        status = verify_event(self, &batch->events[i], error);
    }
    self->result->events += batch->count;
    if (batch->block_ends)
        end_block(self, batch);
    return status;
}

/* Recorded above the debug hooks: what pools got is decorated. */
static bool
has_debug_hooks(const rh_trace_info *info)
{
    return strcmp(info->allocator, "pymalloc_debug") == 0;
}

static rh_status
check_recording(const rh_trace_info *info, rh_error *error)
{
    const char *again = "record a program that runs on pymalloc (`reheap record --python`)";
    if (!info->python_version || !info->domains)
        return rh_fail(error, RH_USAGE, "is no recording of a Python program: %s", again);
    if (info->capture && strstr(info->capture, "from a fork"))
        return rh_fail(error, RH_USAGE,
                       "is a recording of a forked child, whose heap was not empty when it began: "
                       "it can be replayed, not verified; verify its parent's");
    if (info->capture && strchr(info->capture, ','))
        return rh_fail(
            error, RH_USAGE,
            "is not a whole recording (%s): pymalloc's answers depend on all that it was "
            "asked before; verify the recording itself",
            info->capture);
    if (info->pauses != RH_TOTAL_UNKNOWN && info->pauses > 0)
        return rh_fail(error, RH_USAGE,
                       "was paused while it was recorded: pymalloc's answers depend on all that it "
                       "was asked before; record it without a pause");
    if (!info->allocator)
        return rh_fail(error, RH_USAGE, "does not say which allocator was recorded: %s", again);
    if (strcmp(info->allocator, "pymalloc") != 0 && !has_debug_hooks(info))
        return rh_fail(error, RH_USAGE, "is a recording of %s, not of pymalloc: %s",
                       info->allocator, again);
    return RH_OK;
}

/* Its hooks number every call, in 3.7. */
static const char *
layer_of(const rh_trace_info *info)
{
    if (!has_debug_hooks(info))
        return "";
    return strncmp(info->python_version, "3.7", 3) == 0 ? "+debug,python=3.7" : "+debug";
}

/* "pymalloc@3.11,…" for a recording of 3.11.2; with "+debug" where the debug hooks were on. */
static void
make_spec(const rh_trace_info *info, char *spec, size_t capacity)
{
    int version = (int)strcspn(info->python_version, ".");
    if (info->python_version[version])
        version += 1 + (int)strspn(info->python_version + version + 1, "0123456789");
    int used = snprintf(spec, capacity, "pymalloc@%.*s", version > 16 ? 16 : version,
                        info->python_version);
    if (info->arena_bytes && info->pool_bytes)
        used += snprintf(spec + used, capacity - (size_t)used, ",arena=%" PRIu64 ",pool=%" PRIu64,
                         info->arena_bytes, info->pool_bytes);
    snprintf(spec + used, capacity - (size_t)used, ",source=virtual,metadata=side,large=space%s",
             layer_of(info));
}

static rh_status
open_heap(verifier *self, const rh_trace_info *info, rh_error *error)
{
    make_spec(info, self->result->spec, sizeof self->result->spec);
    rh_status status = rh_heap_open(self->result->spec, &self->heap, error);
    if (status != RH_OK)
        return status;
    self->debug = rh_debug_layer_settings(self->heap);
    rh_arena_recorded_init(&self->arenas, false);
    const PyObjectArenaAllocator arenas = rh_arena_recorded_source(&self->arenas);
    return rh_heap_set_arenas(self->heap, &arenas, error);
}

static rh_status
verify_all(verifier *self, const rh_source *source, void (*progress)(void *, uint64_t),
           void *progress_ctx, rh_error *error)
{
    rh_batch batch;
    rh_status status;
    while ((status = source->next(source->ctx, &batch, error)) == RH_OK && batch.count) {
        status = verify_batch(self, &batch, error);
        if (status == RH_OK && rh_interrupted())
            status = rh_fail(error, RH_INTERRUPTED, "interrupted");
        if (status != RH_OK)
            return status;
        if (progress)
            progress(progress_ctx, self->result->events);
    }
    return status;
}

static rh_status
judge(const rh_verification *result, rh_error *error)
{
    if (result->addresses_different || result->checkpoints_different || result->arenas_different)
        return rh_fail(error, RH_DIFFERENT, "differs from %s", result->spec);
    return RH_OK;
}

rh_status
rh_verify(const rh_source *source, const rh_trace_info *info,
          void (*progress)(void *ctx, uint64_t events), void *progress_ctx,
          rh_verification *verification, rh_error *error)
{
    *verification = (rh_verification){.columns = info->addresses};
    rh_status status = check_recording(info, error);
    if (status != RH_OK)
        return status;
    verifier *self = calloc(1, sizeof *self);
    if (!self)
        abort();
    self->result = verification;
    status = open_heap(self, info, error);
    if (status == RH_OK)
        status = verify_all(self, source, progress, progress_ctx, error);
    report_arenas(self); /* what the close gives back is no longer part of the recording */
    if (status == RH_OK)
        status = judge(verification, error);
    rh_heap_close(self->heap);
    rh_arena_recorded_release(&self->arenas);
    free(self->slots);
    free(self);
    return status;
}
