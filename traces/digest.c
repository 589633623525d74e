#include "traces/digest.h"

#include <stdlib.h>
#include <string.h>

#include "traces/event.h"

void
rh_digest_init(rh_digest *digest)
{
    memset(digest, 0, sizeof *digest);
    static const rh_trace_info nothing = {.command = NULL};
    rh_trace_info_copy(&digest->totals, &nothing);
}

void
rh_digest_release(rh_digest *digest)
{
    free(digest->nested);
    digest->nested = NULL;
}

uint64_t
rh_digest_bucket_limit(unsigned bucket)
{
    if (bucket == 0)
        return 0;
    return bucket == RH_DIGEST_SIZES - 1 ? UINT64_MAX : (uint64_t)8 << bucket;
}

static unsigned
bucket_of(uint64_t size)
{
    if (size <= 16)
        return size != 0;
    unsigned bucket = 61 - (unsigned)__builtin_clzll(size - 1);
    return bucket < RH_DIGEST_SIZES ? bucket : RH_DIGEST_SIZES - 1;
}

static void
note_request(rh_digest *digest, const rh_event *event)
{
    uint64_t size = event->size;
    unsigned bucket = bucket_of(size);
    digest->births++;
    digest->birth_bytes += size;
    digest->size_births[bucket]++;
    digest->size_bytes[bucket] += size;
    digest->domain_births[event->domain]++;
    digest->domain_bytes[event->domain] += size;
    digest->zero_sizes += size == 0;
    digest->aligned += event->operation == RH_ALIGNED;
    if (size <= RH_DIGEST_SMALL_MAX) {
        digest->small_births++;
        digest->small_bytes += size;
    }
}

/* Live numbers leave out what an allocator got for itself while serving another request. */
static void
note_lives(rh_digest *digest, const rh_event *event, bool dies, bool born)
{
    rh_trace_info *totals = &digest->totals;
    if (dies && !digest->nested[event->slot]) {
        digest->live_blocks--;
        digest->live_bytes -= event->operation == RH_FREE ? event->size : event->old_size;
    }
    if (!born)
        return;
    digest->nested[event->slot] = (event->flags & RH_EVENT_NESTED) != 0;
    if (digest->nested[event->slot])
        return;
    digest->live_blocks++;
    digest->live_bytes += event->size;
    if (digest->live_blocks > totals->peak_live_blocks)
        totals->peak_live_blocks = digest->live_blocks;
    if (digest->live_bytes > totals->peak_requested_bytes)
        totals->peak_requested_bytes = digest->live_bytes;
}

static void
add(rh_digest *digest, const rh_event *event)
{
    unsigned flags = event->flags, operation = event->operation;
    bool nested = (flags & RH_EVENT_NESTED) != 0;
    bool none = (flags & (RH_EVENT_FAILED | RH_EVENT_NULL | RH_EVENT_FOREIGN)) != 0;
    bool dies = (operation == RH_FREE || operation == RH_REALLOC) && !none;
    bool born = (operation <= RH_REALLOC || operation == RH_ALIGNED) && !(flags & RH_EVENT_FAILED);
    if (!(flags & RH_EVENT_BRIDGE)) {
        rh_trace_info_count(&digest->totals, operation, flags, 1);
        if (operation <= RH_ALIGNED)
            digest->domain_events[event->domain]++;
        digest->foreign_frees += operation == RH_FREE && (flags & RH_EVENT_FOREIGN) != 0;
        if (event->thread >= digest->totals.threads)
            digest->totals.threads = event->thread + 1;
        if (born && !nested)
            note_request(digest, event);
    }
    note_lives(digest, event, dies, born);
}

static bool
make_room(rh_digest *digest, uint32_t slots)
{
    if (slots <= digest->slots)
        return true;
    uint32_t room = slots > UINT32_MAX / 2 ? UINT32_MAX : slots * 2;
    uint8_t *nested = realloc(digest->nested, room);
    if (!nested)
        return false;
    digest->nested = nested;
    digest->slots = room;
    return true;
}

bool
rh_digest_add_event(rh_digest *digest, const rh_batch *batch, size_t which)
{
    if (!make_room(digest, batch->slots))
        return false;
    add(digest, &batch->events[which]);
    digest->totals.end_live_blocks = digest->live_blocks;
    digest->totals.end_requested_bytes = digest->live_bytes;
    return true;
}

bool
rh_digest_add(rh_digest *digest, const rh_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++)
        if (!rh_digest_add_event(digest, batch, i))
            return false;
    return true;
}

bool
rh_digest_enter(rh_digest *digest, const rh_batch *live)
{
    if (!make_room(digest, live->slots))
        return false;
    for (size_t i = 0; i < live->count; i++) {
        const rh_event *birth = &live->events[i];
        if (digest->merged)
            digest->nested[birth->slot] = (birth->flags & RH_EVENT_NESTED) != 0;
        else
            note_lives(digest, birth, false, true);
    }
    return true;
}

static void
add_totals(rh_trace_info *whole, const rh_trace_info *part)
{
    whole->events += part->events;
    whole->allocations += part->allocations;
    whole->reallocations += part->reallocations;
    whole->frees += part->frees;
    whole->null_frees += part->null_frees;
    whole->failures += part->failures;
    whole->nested_events += part->nested_events;
    whole->arena_events += part->arena_events;
    whole->marks += part->marks;
    whole->checkpoints += part->checkpoints;
    if (part->threads > whole->threads)
        whole->threads = part->threads;
    if (part->peak_requested_bytes > whole->peak_requested_bytes)
        whole->peak_requested_bytes = part->peak_requested_bytes;
    if (part->peak_live_blocks > whole->peak_live_blocks)
        whole->peak_live_blocks = part->peak_live_blocks;
}

static void
add_counts(uint64_t *whole, const uint64_t *part, size_t count)
{
    for (size_t i = 0; i < count; i++)
        whole[i] += part[i];
}

void
rh_digest_merge(rh_digest *whole, const rh_digest *part)
{
    add_totals(&whole->totals, &part->totals);
    whole->live_blocks = whole->totals.end_live_blocks = part->live_blocks;
    whole->live_bytes = whole->totals.end_requested_bytes = part->live_bytes;
    add_counts(whole->domain_events, part->domain_events, RH_DIGEST_DOMAINS);
    add_counts(whole->domain_births, part->domain_births, RH_DIGEST_DOMAINS);
    add_counts(whole->domain_bytes, part->domain_bytes, RH_DIGEST_DOMAINS);
    add_counts(whole->size_births, part->size_births, RH_DIGEST_SIZES);
    add_counts(whole->size_bytes, part->size_bytes, RH_DIGEST_SIZES);
    whole->births += part->births;
    whole->small_births += part->small_births;
    whole->birth_bytes += part->birth_bytes;
    whole->small_bytes += part->small_bytes;
    whole->foreign_frees += part->foreign_frees;
    whole->zero_sizes += part->zero_sizes;
    whole->aligned += part->aligned;
    whole->merged = true;
}
