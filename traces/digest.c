#include "traces/digest.h"

#include <stdlib.h>
#include <string.h>

#include "traces/event.h"

/* The number of a kind: operation, flags and domain. */
enum { FLAGS_SHIFT = 4, DOMAIN_SHIFT = 10, FLAGS_MASK = 0x3F };
_Static_assert((int)RH_OPERATIONS <= 1 << FLAGS_SHIFT, "an operation fits its bits");
_Static_assert((RH_EVENT_BRIDGE << 1) - 1 == FLAGS_MASK, "flags fit theirs");
_Static_assert((int)RH_DIGEST_DOMAINS << DOMAIN_SHIFT == RH_DIGEST_KINDS, "and domains");

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

static inline unsigned
bucket_of(uint64_t size)
{
    if (size <= 16)
        return size != 0;
    unsigned bucket = 61 - (unsigned)__builtin_clzll(size - 1);
    return bucket < RH_DIGEST_SIZES ? bucket : RH_DIGEST_SIZES - 1;
}

static inline void
note_request(rh_digest *digest, const rh_event *event)
{
    unsigned bucket = bucket_of(event->size);
    digest->size_births[bucket]++;
    digest->size_bytes[bucket] += event->size;
    digest->domain_bytes[event->domain] += event->size;
}

static inline void
note_death(rh_digest *digest, const rh_event *event)
{
    if (digest->nested[event->slot])
        return;
    digest->live_blocks--;
    digest->live_bytes -= event->operation == RH_FREE ? event->size : event->old_size;
}

/* Live numbers leave out what an allocator got for itself while serving another request. */
static inline void
note_birth(rh_digest *digest, const rh_event *event)
{
    bool nested = (event->flags & RH_EVENT_NESTED) != 0;
    digest->nested[event->slot] = nested;
    if (nested)
        return;
    digest->live_blocks++;
    digest->live_bytes += event->size;
    if (digest->live_blocks > digest->peak_blocks)
        digest->peak_blocks = digest->live_blocks;
    if (digest->live_bytes > digest->peak_bytes)
        digest->peak_bytes = digest->live_bytes;
}

static inline bool
is_born(unsigned operation, unsigned flags)
{
    return (operation <= RH_REALLOC || operation == RH_ALIGNED) && !(flags & RH_EVENT_FAILED);
}

static inline void
add(rh_digest *digest, const rh_event *event)
{
    unsigned flags = event->flags, operation = event->operation;
    unsigned none = RH_EVENT_FAILED | RH_EVENT_NULL | RH_EVENT_FOREIGN;
    digest->kinds[operation | flags << FLAGS_SHIFT | (unsigned)event->domain << DOMAIN_SHIFT]++;
    if (event->thread >= digest->threads && !(flags & RH_EVENT_BRIDGE))
        digest->threads = (uint64_t)event->thread + 1;
    if ((operation == RH_FREE || operation == RH_REALLOC) && !(flags & none))
        note_death(digest, event);
    if (!is_born(operation, flags))
        return;
    if (!(flags & (RH_EVENT_BRIDGE | RH_EVENT_NESTED)))
        note_request(digest, event);
    note_birth(digest, event);
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
rh_digest_add(rh_digest *digest, const rh_batch *batch)
{
    if (!make_room(digest, batch->slots))
        return false;
    for (size_t i = 0; i < batch->count; i++)
        add(digest, &batch->events[i]);
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
            note_birth(digest, birth);
    }
    return true;
}

static void
add_counts(uint64_t *whole, const uint64_t *part, size_t count)
{
    for (size_t i = 0; i < count; i++)
        whole[i] += part[i];
}

static void
raise(uint64_t *most, uint64_t number)
{
    if (number > *most)
        *most = number;
}

void
rh_digest_merge(rh_digest *whole, const rh_digest *part)
{
    add_counts(whole->kinds, part->kinds, RH_DIGEST_KINDS);
    add_counts(whole->size_births, part->size_births, RH_DIGEST_SIZES);
    add_counts(whole->size_bytes, part->size_bytes, RH_DIGEST_SIZES);
    add_counts(whole->domain_bytes, part->domain_bytes, RH_DIGEST_DOMAINS);
    raise(&whole->peak_blocks, part->peak_blocks);
    raise(&whole->peak_bytes, part->peak_bytes);
    raise(&whole->threads, part->threads);
    whole->live_blocks = part->live_blocks;
    whole->live_bytes = part->live_bytes;
    whole->merged = true;
}

static void
settle_kind(rh_digest *digest, unsigned kind, uint64_t events)
{
    unsigned operation = kind & ((1 << FLAGS_SHIFT) - 1);
    unsigned flags = kind >> FLAGS_SHIFT & FLAGS_MASK, domain = kind >> DOMAIN_SHIFT;
    if (flags & RH_EVENT_BRIDGE)
        return;
    rh_trace_info_count(&digest->totals, operation, flags, events);
    if (operation <= RH_ALIGNED)
        digest->domain_events[domain] += events;
    if (operation == RH_FREE && flags & RH_EVENT_FOREIGN)
        digest->foreign_frees += events;
    if (is_born(operation, flags) && !(flags & RH_EVENT_NESTED))
        digest->domain_births[domain] += events;
}

void
rh_digest_settle(rh_digest *digest)
{
    for (unsigned kind = 0; kind < RH_DIGEST_KINDS; kind++)
        if (digest->kinds[kind])
            settle_kind(digest, kind, digest->kinds[kind]);
    for (unsigned i = 0; i < RH_DIGEST_SIZES; i++) {
        bool small = rh_digest_bucket_limit(i) <= RH_DIGEST_SMALL_MAX;
        digest->births += digest->size_births[i];
        digest->birth_bytes += digest->size_bytes[i];
        digest->small_births += small ? digest->size_births[i] : 0;
        digest->small_bytes += small ? digest->size_bytes[i] : 0;
    }
    rh_trace_info *totals = &digest->totals;
    totals->threads = digest->threads;
    totals->peak_live_blocks = digest->peak_blocks;
    totals->peak_requested_bytes = digest->peak_bytes;
    totals->end_live_blocks = digest->live_blocks;
    totals->end_requested_bytes = digest->live_bytes;
}
