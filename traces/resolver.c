#include "traces/resolver.h"

#include <stdlib.h>
#include <string.h>

enum { AHEAD_BYTES = 12 * sizeof(rh_record) /* how early memory is asked for, in two steps */ };

bool
rh_resolver_init(rh_resolver *resolver, rh_channel *channel, rh_writer *writer, double ticks_per_ns)
{
    const rh_channel_facts *facts = &channel->facts;
    resolver->channel = channel;
    resolver->writer = writer;
    resolver->ns_per_tick = ticks_per_ns > 0 ? 1 / ticks_per_ns : 0;
    resolver->common.slot = RH_NO_SLOT;
    resolver->pooled = facts->forked || facts->attached ? 0 : RH_EVENT_POOLED;
    resolver->domain_mask = facts->capture == RH_CAPTURE_MALLOC ? 0 : 3;
    resolver->text = malloc(RH_CHECKPOINT_BYTES + sizeof(rh_record) + 1);
    bool good = rh_lives_init(&resolver->lives);
    const uint64_t arena_bytes = facts->arena_bytes < 4096 ? 4096 : facts->arena_bytes;
    return rh_arena_set_init(&resolver->arenas, arena_bytes) && good && resolver->text;
}

void
rh_resolver_release(rh_resolver *resolver)
{
    rh_lives_release(&resolver->lives);
    rh_arena_set_release(&resolver->arenas);
    free(resolver->threads);
    free(resolver->text);
}

static rh_outcome
fail_memory(rh_resolver *resolver)
{
    rh_fail(&resolver->error, RH_SYSTEM, "out of memory for the table of living blocks");
    return RH_FAILED;
}

static bool
make_thread_room(rh_resolver *resolver, uint32_t number)
{
    uint32_t room = resolver->threads_room ? resolver->threads_room : 16;
    while (room <= number)
        room *= 2;
    uint32_t *threads = realloc(resolver->threads, room * sizeof *threads);
    if (!threads)
        return false;
    memset(threads + resolver->threads_room, 0, (room - resolver->threads_room) * sizeof *threads);
    resolver->threads = threads;
    resolver->threads_room = room;
    return true;
}

static uint32_t
new_thread(rh_resolver *resolver, uint32_t number)
{
    if (number >= resolver->threads_room && !make_thread_room(resolver, number))
        return 0;
    if (resolver->threads[number] == 0)
        resolver->threads[number] = ++resolver->threads_seen;
    resolver->last_thread = number;
    resolver->last_thread_dense = resolver->threads[number] - 1;
    return resolver->last_thread_dense;
}

/* The recorder numbers threads as they begin to allocate; the trace as they appear in it. */
static inline uint32_t
dense_thread(rh_resolver *resolver, uint64_t amount)
{
    uint32_t number = (uint32_t)(amount >> RH_AMOUNT_THREAD_SHIFT);
    return number == resolver->last_thread ? resolver->last_thread_dense
                                           : new_thread(resolver, number);
}

static uint64_t
event_time(rh_resolver *resolver, uint64_t ticks)
{
    uint64_t start = resolver->channel->started_ticks;
    uint64_t time_ns =
        ticks > start ? (uint64_t)((double)(ticks - start) * resolver->ns_per_tick) : 0;
    /* Rings meet here; time does not go back in a trace. */
    if (time_ns > resolver->last_time_ns)
        resolver->last_time_ns = time_ns;
    return resolver->last_time_ns;
}

static inline unsigned
domain_of(const rh_resolver *resolver, const rh_record *record)
{
    return (unsigned)(record->what >> RH_RECORD_DOMAIN_SHIFT) & resolver->domain_mask;
}

static inline unsigned
depth_of(const rh_record *record)
{
    return (unsigned)(record->amount >> RH_AMOUNT_DEPTH_SHIFT & RH_AMOUNT_DEPTH_MASK);
}

/* Under which the block at the record's address is known. */
static inline uint64_t
key_of(const rh_resolver *resolver, const rh_record *record)
{
    uint64_t address = record->what & RH_RECORD_ADDRESS_MASK;
    if (domain_of(resolver, record) == RH_DOMAIN_LIBC)
        return address | RH_LIBC_KEY;
    return depth_of(record) ? address | RH_NESTED_KEY : address;
}

static inline rh_outcome
hand_on(rh_resolver *resolver, const rh_event *event, uint32_t *handle)
{
    rh_status status = resolver->intake
                           ? rh_intake_event(resolver->intake, event, handle, &resolver->error)
                           : rh_writer_event(resolver->writer, event, handle, &resolver->error);
    return status == RH_OK ? RH_TAKEN : RH_FAILED;
}

static inline rh_event
begin_event(rh_resolver *resolver, const rh_stream *s, const rh_record *record,
            rh_operation operation, bool nested)
{
    rh_event event = {
        .operation = (uint8_t)operation,
        .domain = (uint8_t)domain_of(resolver, record),
        .flags = nested ? RH_EVENT_NESTED : 0,
        .slot = RH_NO_SLOT,
        .thread = dense_thread(resolver, record->amount),
    };
    event.time_ns = s->ticks ? event_time(resolver, s->ticks) : resolver->last_time_ns;
    return event;
}

/* The size of a birth: in the record, or in the wide ones before it. */
static inline void
take_size(rh_stream *s, const rh_record *record, rh_event *event)
{
    uint64_t size = record->amount & RH_AMOUNT_SIZE_MASK;
    if (event->operation == RH_ALIGNED) {
        event->size = s->wide_count == 2 ? s->wide[0] : size;
    } else if (event->operation != RH_CALLOC) {
        event->size = s->wide_count ? s->wide[0] : size;
    } else {
        event->count = size >> RH_CALLOC_COUNT_SHIFT;
        event->element = size & ((1u << RH_CALLOC_COUNT_SHIFT) - 1);
        if (s->wide_count == 2) {
            event->count = s->wide[0];
            event->element = s->wide[1];
        }
        event->size = event->count * event->element;
    }
    s->wide_count = 0;
}

/* Whether what is born here came out of the recorded pymalloc's arenas. */
static inline bool
pooled(rh_resolver *resolver, const rh_event *event)
{
    return event->domain != 0 && event->domain != RH_DOMAIN_LIBC &&
           !(event->flags & RH_EVENT_NESTED) && rh_arena_set_has(&resolver->arenas, event->address);
}

/* The death of a block that another's death was taken for. */
static bool
owe_death(rh_resolver *resolver, const rh_record *record, uint64_t key)
{
    uint32_t thread = (uint32_t)(record->amount >> RH_AMOUNT_THREAD_SHIFT);
    return resolver->several && rh_lives_owe(&resolver->lives, key, thread);
}

static uint32_t
debtor(rh_resolver *resolver, const rh_pointer_entry *owed)
{
    return dense_thread(resolver, (uint64_t)owed->handle << RH_AMOUNT_THREAD_SHIFT);
}

/* After a birth at `key`: the death that is owed there, if any. */
static rh_outcome
pay_death(rh_resolver *resolver, const rh_event *birth, uint64_t key, uint32_t handle)
{
    rh_pointer_entry *owed = rh_pointer_find(&resolver->lives.owed, key);
    if (!owed->key)
        return RH_EMPTY;
    rh_event death = {.operation = RH_FREE,
                      .domain = birth->domain,
                      .flags = birth->flags & RH_EVENT_NESTED,
                      .slot = RH_NO_SLOT,
                      .thread = debtor(resolver, owed),
                      .time_ns = birth->time_ns};
    rh_pointer_remove(&resolver->lives.owed, owed);
    resolver->lives.owed_deaths--;
    resolver->events++;
    return hand_on(resolver, &death, &handle);
}

/* A block begins to live at `key`. `old` is what a realloc resized, else 0. */
static inline rh_outcome
give_birth(rh_resolver *resolver, rh_event *event, uint64_t key, uint32_t old, bool forced)
{
    rh_pointer_entry *entry = rh_pointer_find(&resolver->lives.blocks, key);
    if (entry->key && !forced)
        return RH_BLOCKED;
    if (entry->key)
        entry = rh_lives_beside(&resolver->lives, key, &key);
    uint32_t handle = old;
    if (pooled(resolver, event))
        event->flags |= resolver->pooled;
    resolver->events++;
    if (hand_on(resolver, event, &handle) != RH_TAKEN)
        return RH_FAILED;
    rh_outcome paid =
        resolver->lives.owed_deaths ? pay_death(resolver, event, key, handle) : RH_EMPTY;
    if (paid != RH_EMPTY)
        return paid;
    entry->note = event->flags & RH_EVENT_NESTED;
    if (entry->key) {
        entry->handle = handle; /* the one before went unseen */
        return RH_TAKEN;
    }
    if (!rh_lives_begin(&resolver->lives, entry, key, handle))
        return fail_memory(resolver);
    return RH_TAKEN;
}

/* Asked before the event begins: a thread gets its number with its first event, not with one that
 * has to wait. */
static inline bool
lives_already(const rh_resolver *resolver, const rh_record *record)
{
    return record->what & RH_RECORD_ADDRESS_MASK &&
           rh_pointer_find(&resolver->lives.blocks, key_of(resolver, record))->key;
}

static inline rh_outcome
take_birth(rh_resolver *resolver, rh_stream *s, const rh_record *record, rh_operation operation,
           bool forced)
{
    if (!forced && lives_already(resolver, record))
        return RH_BLOCKED;
    rh_event event = begin_event(resolver, s, record, operation, depth_of(record));
    if (operation == RH_REALLOC)
        event.flags |= RH_EVENT_NULL;
    if (operation == RH_ALIGNED)
        event.alignment_log2 = resolver->alignment_log2;
    event.address = record->what & RH_RECORD_ADDRESS_MASK;
    unsigned wide_count = s->wide_count;
    take_size(s, record, &event);
    if (event.address == 0) {
        event.flags |= RH_EVENT_FAILED;
        resolver->events++;
        return hand_on(resolver, &event, NULL);
    }
    rh_outcome result = give_birth(resolver, &event, key_of(resolver, record), 0, forced);
    if (result == RH_BLOCKED)
        s->wide_count = wide_count;
    return result;
}

static inline rh_outcome
take_death(rh_resolver *resolver, rh_stream *s, const rh_record *record, bool forced)
{
    uint64_t address = record->what & RH_RECORD_ADDRESS_MASK;
    rh_pointer_entry *entry = NULL;
    uint32_t handle = 0;
    if (address) {
        entry = rh_lives_dying(&resolver->lives, key_of(resolver, record));
        if (!entry->key && !forced)
            return RH_BLOCKED;
        if (!entry->key && owe_death(resolver, record, key_of(resolver, record)))
            return RH_TAKEN;
    }
    bool nested = entry && entry->key ? entry->note : depth_of(record);
    rh_event event = begin_event(resolver, s, record, RH_FREE, nested);
    if (!address) {
        event.flags |= RH_EVENT_NULL;
    } else if (entry->key) {
        handle = entry->handle;
        rh_lives_end(&resolver->lives, entry);
    } else {
        event.flags |= RH_EVENT_FOREIGN;
    }
    resolver->events++;
    return hand_on(resolver, &event, &handle);
}

/* The alignment is in the wide record just before; what is no power of two is rounded up, as the C
 * library does. */
static rh_outcome
take_aligned(rh_resolver *resolver, rh_stream *s, const rh_record *record, bool forced)
{
    uint64_t alignment = s->wide_count ? s->wide[s->wide_count - 1] : 1;
    resolver->alignment_log2 = 0;
    while (resolver->alignment_log2 < 63 && UINT64_C(1) << resolver->alignment_log2 < alignment)
        resolver->alignment_log2++;
    return take_birth(resolver, s, record, RH_ALIGNED, forced);
}

/* From here on the old address may be anybody's: the block waits outside the table. */
static rh_outcome
begin_resize(rh_resolver *resolver, rh_stream *s, const rh_record *record, bool forced)
{
    const unsigned depth = depth_of(record);
    const uint64_t key = key_of(resolver, record);
    rh_pointer_entry *entry = rh_lives_dying(&resolver->lives, key);
    if (!entry->key && !forced)
        return RH_BLOCKED;
    s->resized[depth].key = key;
    s->resized[depth].known = entry->key != 0;
    s->resized[depth].nested = entry->key ? entry->note : depth;
    if (entry->key) {
        s->resized[depth].handle = entry->handle;
        rh_lives_end(&resolver->lives, entry);
    }
    return RH_TAKEN;
}

/* A size of 0 freed the block. */
static rh_outcome
end_as_death(rh_resolver *resolver, rh_stream *s, const rh_record *record)
{
    const unsigned depth = depth_of(record);
    bool known = s->resized[depth].key && s->resized[depth].known;
    rh_event event = begin_event(resolver, s, record, RH_FREE, s->resized[depth].nested);
    if (!known)
        event.flags |= RH_EVENT_FOREIGN;
    s->resized[depth].key = 0;
    resolver->events++;
    return hand_on(resolver, &event, &s->resized[depth].handle);
}

static rh_outcome
end_resize(rh_resolver *resolver, rh_stream *s, const rh_record *record, bool forced)
{
    const unsigned depth = depth_of(record);
    bool known = s->resized[depth].key && s->resized[depth].known;
    uint32_t old = s->resized[depth].handle;
    if (!forced && lives_already(resolver, record))
        return RH_BLOCKED;
    rh_event event = begin_event(resolver, s, record, RH_REALLOC, s->resized[depth].nested);
    if (!known)
        event.flags |= RH_EVENT_FOREIGN;
    event.address = record->what & RH_RECORD_ADDRESS_MASK;
    unsigned wide_count = s->wide_count;
    take_size(s, record, &event);
    rh_outcome result;
    if (event.address) {
        result = give_birth(resolver, &event, key_of(resolver, record), old, forced);
    } else {
        event.flags |= RH_EVENT_FAILED;
        resolver->events++;
        result = hand_on(resolver, &event, &old);
        uint64_t key = s->resized[depth].key;
        rh_pointer_entry *entry = rh_pointer_find(&resolver->lives.blocks, key);
        if (!entry->key)
            entry->note = event.flags & RH_EVENT_NESTED;
        if (known && !entry->key && !rh_pointer_add(&resolver->lives.blocks, entry, key, old))
            result = fail_memory(resolver);
    }
    if (result == RH_BLOCKED)
        s->wide_count = wide_count;
    else
        s->resized[depth].key = 0;
    return result;
}

static rh_outcome
take_arena(rh_resolver *resolver, rh_stream *s, const rh_record *record, bool birth)
{
    rh_event event = begin_event(resolver, s, record, birth ? RH_ARENA_ALLOC : RH_ARENA_FREE, 0);
    event.domain = 0;
    event.address = record->what & RH_RECORD_ADDRESS_MASK;
    event.size = record->amount & RH_AMOUNT_SIZE_MASK;
    if (birth && event.address == 0)
        event.flags |= RH_EVENT_FAILED;
    /* One from before the recording has no birth in it. */
    if (!birth && !rh_arena_set_remove(&resolver->arenas, event.address))
        return RH_TAKEN;
    if (birth && event.address && !rh_arena_set_add(&resolver->arenas, event.address))
        return fail_memory(resolver);
    return hand_on(resolver, &event, NULL);
}

/* A text fills whole records behind its own; all of them have to be there. */
static rh_outcome
take_text(rh_resolver *resolver, rh_stream *s, const rh_record *record, rh_operation operation)
{
    uint64_t length = record->amount & RH_AMOUNT_SIZE_MASK;
    uint64_t records = (length + sizeof *record - 1) / sizeof *record;
    if (length > RH_CHECKPOINT_BYTES)
        return RH_TAKEN;
    if (s->view.end - s->view.at < (records + 1) * sizeof(rh_record)) {
        if (!resolver->last)
            return RH_EMPTY;
        s->view.at =
            s->view.end - sizeof(rh_record); /* the program was killed while it wrote this */
        return RH_TAKEN;
    }
    for (uint64_t i = 0; i < records; i++)
        memcpy(resolver->text + i * sizeof *record,
               rh_ring_view_record(&s->view, s->view.at + (i + 1) * sizeof(rh_record)),
               sizeof *record);
    resolver->text[length] = '\0';
    rh_event event = begin_event(resolver, s, record, operation, 0);
    event.domain = 0;
    event.size = length;
    event.text = resolver->text;
    s->view.at += records * sizeof(rh_record);
    return hand_on(resolver, &event, NULL);
}

/* All but the commonest kinds. */
static rh_outcome
take_other(rh_resolver *resolver, rh_stream *s, const rh_record *record, bool forced)
{
    switch ((rh_record_kind)rh_kind_of(record)) {
    case RH_RECORD_CALLOC:
        return take_birth(resolver, s, record, RH_CALLOC, forced);
    case RH_RECORD_REALLOC_NULL:
        return take_birth(resolver, s, record, RH_REALLOC, forced);
    case RH_RECORD_REALLOC_FROM:
        return begin_resize(resolver, s, record, forced);
    case RH_RECORD_REALLOC:
        return end_resize(resolver, s, record, forced);
    case RH_RECORD_GONE:
        return end_as_death(resolver, s, record);
    case RH_RECORD_ALIGNED:
        return take_aligned(resolver, s, record, forced);
    case RH_RECORD_PLACE:
        s->place = record->what & RH_RECORD_ADDRESS_MASK;
        s->stamp = record->amount;
        if (resolver->ns_per_tick > 0)
            s->ticks = record->amount;
        return RH_TAKEN;
    case RH_RECORD_ARENA_ALLOC:
        return take_arena(resolver, s, record, true);
    case RH_RECORD_ARENA_FREE:
        return take_arena(resolver, s, record, false);
    case RH_RECORD_WIDE:
        s->wide[s->wide_count & 1] = record->amount;
        s->wide_count = s->wide_count % 2 + 1;
        return RH_TAKEN;
    case RH_RECORD_TIME:
        s->ticks = record->amount;
        return RH_TAKEN;
    case RH_RECORD_CHECKPOINT:
        return take_text(resolver, s, record, RH_CHECKPOINT);
    case RH_RECORD_MARK:
        return take_text(resolver, s, record, RH_MARK);
    default: /* what a program's stray write could leave */
        return RH_TAKEN;
    }
}

rh_outcome
rh_resolver_take(rh_resolver *resolver, rh_stream *s, bool forced)
{
    const rh_record *record = rh_ring_view_record(&s->view, s->view.at);
    uint64_t kind = rh_kind_of(record);
    rh_outcome result;
    if (kind == RH_RECORD_MALLOC)
        result = take_birth(resolver, s, record, RH_MALLOC, forced);
    else if (kind == RH_RECORD_FREE)
        result = take_death(resolver, s, record, forced);
    else
        result = take_other(resolver, s, record, forced);
    if (result == RH_TAKEN)
        s->view.at += sizeof(rh_record);
    return result;
}

rh_outcome
rh_resolver_take_free(rh_resolver *resolver, rh_stream *s, bool forced)
{
    const uint64_t next = s->view.at + sizeof(rh_record);
    if (next >= s->view.end)
        return resolver->last || forced ? rh_resolver_take(resolver, s, forced) : RH_EMPTY;
    const rh_record *after = rh_ring_view_record(&s->view, next);
    if (rh_kind_of(after) != RH_RECORD_ARENA_FREE)
        return rh_resolver_take(resolver, s, forced);
    const rh_record *record = rh_ring_view_record(&s->view, s->view.at);
    uint64_t address = record->what & RH_RECORD_ADDRESS_MASK;
    if (!forced && address &&
        !rh_pointer_find(&resolver->lives.blocks, key_of(resolver, record))->key)
        return RH_BLOCKED;
    rh_outcome result = take_arena(resolver, s, after, false);
    if (result == RH_TAKEN)
        result = rh_resolver_take(resolver, s, true);
    if (result == RH_TAKEN)
        s->view.at += sizeof(rh_record);
    return result;
}

/* What malloc, calloc, realloc of NULL and free have in common, into the event kept for them. Its
 * first four bytes are written as one word, as the writer reads them: a load that spans several
 * stores just before it has to wait for them. */
static inline rh_event *
common_event(rh_resolver *resolver, const rh_stream *s, const rh_record *record,
             rh_operation operation, unsigned flags)
{
    rh_event *event = &resolver->common;
    uint32_t begin = (uint32_t)operation | (uint32_t)domain_of(resolver, record) << 8 | flags << 16;
    memcpy(event, &begin, sizeof begin);
    event->thread = dense_thread(resolver, record->amount);
    if (s->ticks)
        event->time_ns = event_time(resolver, s->ticks);
    resolver->events++;
    return event;
}

static inline bool
is_nested(const rh_record *record)
{
    return (record->amount & (RH_AMOUNT_DEPTH_MASK << RH_AMOUNT_DEPTH_SHIFT)) != 0;
}

/* The two kinds that are nearly all there is, without detours. RH_TAKEN: done; RH_EMPTY: it needs
 * thought (NULL, an address that is not as it should be). */
static inline rh_outcome
take_common_birth(rh_resolver *resolver, const rh_stream *s, const rh_record *record, uint64_t kind)
{
    const uint64_t address = record->what & RH_RECORD_ADDRESS_MASK;
    const bool nested = is_nested(record);
    const unsigned domain = domain_of(resolver, record);
    const uint64_t key = key_of(resolver, record);
    rh_pointer_entry *entry = rh_pointer_find(&resolver->lives.blocks, key);
    if (address == 0 || entry->key || resolver->lives.owed_deaths)
        return RH_EMPTY;
    unsigned flags = nested ? RH_EVENT_NESTED : 0;
    if (!nested && domain != 0 && domain != RH_DOMAIN_LIBC &&
        rh_arena_set_has(&resolver->arenas, address))
        flags |= resolver->pooled;
    rh_operation operation = RH_MALLOC;
    if (kind == RH_RECORD_CALLOC) {
        operation = RH_CALLOC;
    } else if (kind == RH_RECORD_REALLOC_NULL) {
        operation = RH_REALLOC;
        flags |= RH_EVENT_NULL;
    }
    rh_event *event = common_event(resolver, s, record, operation, flags);
    event->size = record->amount & RH_AMOUNT_SIZE_MASK;
    event->address = address;
    if (kind == RH_RECORD_CALLOC) {
        event->count = event->size >> RH_CALLOC_COUNT_SHIFT;
        event->element = event->size & ((1u << RH_CALLOC_COUNT_SHIFT) - 1);
        event->size = event->count * event->element;
    }
    uint32_t handle;
    if (hand_on(resolver, event, &handle) != RH_TAKEN)
        return RH_FAILED;
    entry->note = flags & RH_EVENT_NESTED;
    return rh_pointer_add(&resolver->lives.blocks, entry, key, handle) ? RH_TAKEN
                                                                       : fail_memory(resolver);
}

static inline rh_outcome
take_common_death(rh_resolver *resolver, const rh_stream *s, const rh_record *record)
{
    const uint64_t address = record->what & RH_RECORD_ADDRESS_MASK;
    rh_pointer_entry *entry = rh_pointer_find(&resolver->lives.blocks, key_of(resolver, record));
    if (address == 0 || !entry->key || rh_lives_may_overlap(&resolver->lives, entry->key))
        return RH_EMPTY;
    rh_event *event = common_event(resolver, s, record, RH_FREE, entry->note);
    event->size = 0;
    event->address = 0;
    uint32_t handle = entry->handle;
    if (resolver->several)
        rh_lives_keep_death(&resolver->lives, entry->key);
    rh_pointer_remove(&resolver->lives.blocks, entry);
    return hand_on(resolver, event, &handle);
}

/* Memory that records further on will need: their lines in the table, and of a death that is
 * nearer, what the writer keeps about the block. */
static inline void
look_ahead(rh_resolver *resolver, const rh_stream *s)
{
    const rh_record *far = rh_ring_view_record(&s->view, s->view.at + 2 * AHEAD_BYTES);
    rh_pointer_prefetch(&resolver->lives.blocks, far->what & RH_RECORD_ADDRESS_MASK);
    const rh_record *near = rh_ring_view_record(&s->view, s->view.at + AHEAD_BYTES);
    if (rh_kind_of(near) == RH_RECORD_FREE) {
        uint64_t key = near->what & RH_RECORD_ADDRESS_MASK;
        const rh_pointer_entry *entry =
            &resolver->lives.blocks.entries[rh_pointer_home(&resolver->lives.blocks, key)];
        if (entry->key == key && resolver->intake)
            rh_intake_expect(resolver->intake, entry->handle);
        else if (entry->key == key)
            rh_writer_expect(resolver->writer, entry->handle);
    }
}

rh_outcome
rh_resolver_take_next(rh_resolver *resolver, rh_stream *s)
{
    look_ahead(resolver, s);
    const rh_record *record = rh_ring_view_record(&s->view, s->view.at);
    const uint64_t kind = rh_kind_of(record), next = s->view.at + sizeof *record;
    rh_outcome result = RH_EMPTY;
    if (kind == RH_RECORD_FREE) {
        if (!s->is_main || (next < s->view.end && rh_kind_of(rh_ring_view_record(&s->view, next)) !=
                                                      RH_RECORD_ARENA_FREE))
            result = take_common_death(resolver, s, record);
    } else if ((kind == RH_RECORD_MALLOC || kind == RH_RECORD_CALLOC ||
                kind == RH_RECORD_REALLOC_NULL) &&
               s->wide_count == 0) {
        result = take_common_birth(resolver, s, record, kind);
    }
    if (result == RH_TAKEN)
        s->view.at = next;
    else if (result == RH_EMPTY)
        result = kind == RH_RECORD_FREE && s->is_main ? rh_resolver_take_free(resolver, s, false)
                                                      : rh_resolver_take(resolver, s, false);
    return result;
}

rh_outcome
rh_resolver_write_off(rh_resolver *resolver)
{
    for (size_t i = 0; resolver->lives.owed_deaths && i <= resolver->lives.owed.mask; i++) {
        const rh_pointer_entry *owed = &resolver->lives.owed.entries[i];
        rh_event death = {.operation = RH_FREE,
                          .domain = owed->key & RH_LIBC_KEY ? RH_DOMAIN_LIBC : 0,
                          .flags = RH_EVENT_FOREIGN,
                          .slot = RH_NO_SLOT,
                          .thread = debtor(resolver, owed),
                          .time_ns = resolver->last_time_ns};
        if (!owed->key)
            continue;
        resolver->lives.owed_deaths--;
        resolver->events++;
        uint32_t none = 0;
        if (hand_on(resolver, &death, &none) != RH_TAKEN)
            return RH_FAILED;
    }
    return RH_EMPTY;
}

uint64_t
rh_resolver_key(const rh_resolver *resolver, const rh_record *record)
{
    return key_of(resolver, record);
}

bool
rh_resolver_is_libc(const rh_resolver *resolver, const rh_record *record)
{
    return domain_of(resolver, record) == RH_DOMAIN_LIBC;
}
