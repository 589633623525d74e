#include "traces/drain.h"

#include <stdlib.h>
#include <string.h>

#include "traces/arena_set.h"
#include "traces/pointer_table.h"
#include "traces/recorder/ring_pieces.h"
#include "traces/ring_view.h"

enum {
    DEPTHS = RH_AMOUNT_DEPTH_MASK + 1,
    AHEAD_BYTES = 12 * sizeof(rh_record), /* how early memory is asked for, in two steps */
    RUN_EVENTS = 1 << 18,                 /* about as many as one run takes */
    GIVE_BACK_BYTES = 64 << 10,           /* how often the writer of a ring is given room */
    TURNS_A_TICK = 16,
    MAIN = 0, /* among the streams */
    STREAMS = 1 + RH_RAW_RINGS
};

/* In keys of the table: the block an allocator got for itself, at an address that it may have
 * handed on unchanged. */
#define NESTED_KEY (UINT64_C(1) << 63)
/* What the C library gave out, where a recording has the interpreter's domains too: all of it under
 * these keys, nested or not, since there an address lives only once. A block born nested is nested
 * to its end, whoever calls then. */
#define LIBC_KEY (UINT64_C(1) << 59)

/* Threads that allocate without a lock leave open in which order two of them used one address, if
 * both did within a few microseconds. Where the choice turns out to have been wrong, the threads
 * wait for one another, and what is wrong is made good as soon as can be:
 *
 *   a birth was taken too early     both blocks live for a moment, the one that should have gone
 *                                   before under a key with a number in these bits; of several at
 *                                   an address the last one dies first
 *   a death was taken too early     it was another's; that other is owed, and the next block at the
 *                                   address dies as it is born
 *
 * Nothing is lost by it: each birth has its death, at most a little off its place. */
#define OVERLAP_SHIFT 60
enum { OVERLAPS = 7, OVERLAP_PLACES = 1 << 12, RECENT_DEATHS = 1 << 16 };

/* What became of a record. */
typedef enum outcome { TAKEN, EMPTY, BLOCKED, FAILED } outcome;

/* A ring, and what of its past matters to the next record. */
typedef struct stream {
    rh_ring_view view;
    uint64_t place, stamp; /* threads: of the last place record */
    uint64_t ticks;        /* the time of events; 0: they have none */
    uint64_t wide[2];
    unsigned wide_count;
    struct {
        uint64_t key; /* 0: none */
        uint32_t handle;
        bool known, nested;
    } resized[DEPTHS]; /* between the two records of a realloc */
} stream;

/* Where the next event of a thread's ring belongs. Of many rings the earliest is asked for again
 * and again, so these lie close together. */
typedef struct front {
    uint64_t place, stamp;
    uint64_t key;      /* of the block that it is about; 0: of none */
    bool there;        /* there is such an event */
    bool birth, death; /* what happens to that block */
    bool waits;        /* for an event of another ring, while one is resolved */
} front;

struct rh_drain {
    rh_channel *channel;
    rh_writer *writer;
    rh_intake *intake; /* NULL: straight to the writer */
    rh_pointer_table blocks;
    rh_pointer_table owed; /* by address: whose death it is, by the recorder's number */
    uint64_t owed_deaths;
    uint64_t *recent; /* addresses of deaths, at their hashes */
    rh_arena_set arenas;
    uint8_t pooled; /* RH_EVENT_POOLED; 0 where the heap is older than the recording */
    double ns_per_tick;
    uint64_t events;
    uint64_t overlapping;                    /* blocks that live under such keys */
    uint32_t overlapping_at[OVERLAP_PLACES]; /* those of them with this hash */
    uint64_t undecided;
    uint64_t turns;
    unsigned domain_mask; /* 0: events have no domains */
    uint64_t last_time_ns;
    bool last;
    uint32_t *threads; /* by the recorder's number: ours + 1 */
    uint32_t threads_room, threads_seen;
    uint8_t alignment_log2;                  /* of the aligned birth that is taken */
    uint32_t last_thread, last_thread_dense; /* the one before, mostly the same */
    char *text;
    rh_error error;
    rh_event common; /* what malloc and free do not say stays 0 */
    uint32_t stream_count;
    uint32_t ring_bytes, ring_count; /* of threads */
    bool short_records;              /* in them */
    rh_ring_pieces rings;
    stream streams[STREAMS];
    front fronts[STREAMS]; /* of the same number */
};

rh_drain *
rh_drain_new(rh_channel *channel, rh_writer *writer, double ticks_per_ns)
{
    rh_drain *drain = calloc(1, sizeof *drain);
    if (!drain)
        return NULL;
    drain->channel = channel;
    drain->writer = writer;
    drain->ns_per_tick = ticks_per_ns > 0 ? 1 / ticks_per_ns : 0;
    drain->common.slot = RH_NO_SLOT;
    drain->pooled = channel->facts.forked || channel->facts.attached ? 0 : RH_EVENT_POOLED;
    drain->text = malloc(RH_CHECKPOINT_BYTES + sizeof(rh_record) + 1);
    unsigned char *memory = (unsigned char *)channel + RH_CHANNEL_CONTROL_BYTES;
    bool good = rh_ring_view_begin(&drain->streams[MAIN].view, &channel->main, memory,
                                   RH_MAIN_RING_BYTES, false);
    bool malloc_rings = channel->thread_ring_bytes == RH_MALLOC_RING_BYTES;
    drain->ring_bytes = malloc_rings ? RH_MALLOC_RING_BYTES : RH_RAW_RING_BYTES;
    drain->ring_count = malloc_rings ? RH_MALLOC_RINGS : RH_RAW_RINGS;
    drain->short_records = channel->facts.capture == RH_CAPTURE_MALLOC;
    rh_ring_pieces_begin(&drain->rings, memory + RH_MAIN_RING_BYTES, drain->ring_bytes);
    drain->stream_count = 1;
    drain->domain_mask = channel->facts.capture == RH_CAPTURE_MALLOC ? 0 : 3;
    uint64_t arena_bytes = channel->facts.arena_bytes;
    good = rh_pointer_table_init(&drain->blocks) && good;
    good = rh_pointer_table_init(&drain->owed) && good;
    drain->recent = calloc(RECENT_DEATHS, sizeof *drain->recent);
    good = drain->recent && good;
    good = rh_arena_set_init(&drain->arenas, arena_bytes < 4096 ? 4096 : arena_bytes) && good;
    if (!good || !drain->text) {
        rh_drain_free(drain);
        return NULL;
    }
    return drain;
}

void
rh_drain_free(rh_drain *drain)
{
    if (!drain)
        return;
    rh_pointer_table_release(&drain->blocks);
    rh_pointer_table_release(&drain->owed);
    free(drain->recent);
    rh_arena_set_release(&drain->arenas);
    for (uint32_t i = 0; i < drain->stream_count; i++)
        rh_ring_view_end(&drain->streams[i].view);
    rh_ring_pieces_end(&drain->rings);
    free(drain->threads);
    free(drain->text);
    free(drain);
}

void
rh_drain_set_intake(rh_drain *drain, rh_intake *intake)
{
    drain->intake = intake;
}

uint64_t
rh_drain_events(const rh_drain *drain)
{
    return drain->events;
}

uint64_t
rh_drain_undecided(const rh_drain *drain)
{
    return drain->undecided;
}

uint64_t
rh_drain_unseen(const rh_drain *drain)
{
    return atomic_load(&drain->channel->unseen);
}

static outcome
fail_memory(rh_drain *drain)
{
    rh_fail(&drain->error, RH_SYSTEM, "out of memory for the table of living blocks");
    return FAILED;
}

static bool
make_thread_room(rh_drain *drain, uint32_t number)
{
    uint32_t room = drain->threads_room ? drain->threads_room : 16;
    while (room <= number)
        room *= 2;
    uint32_t *threads = realloc(drain->threads, room * sizeof *threads);
    if (!threads)
        return false;
    memset(threads + drain->threads_room, 0, (room - drain->threads_room) * sizeof *threads);
    drain->threads = threads;
    drain->threads_room = room;
    return true;
}

static uint32_t
new_thread(rh_drain *drain, uint32_t number)
{
    if (number >= drain->threads_room && !make_thread_room(drain, number))
        return 0;
    if (drain->threads[number] == 0)
        drain->threads[number] = ++drain->threads_seen;
    drain->last_thread = number;
    drain->last_thread_dense = drain->threads[number] - 1;
    return drain->last_thread_dense;
}

/* The recorder numbers threads as they begin to allocate; the trace as they appear in it. */
static inline uint32_t
dense_thread(rh_drain *drain, uint64_t amount)
{
    uint32_t number = (uint32_t)(amount >> RH_AMOUNT_THREAD_SHIFT);
    return number == drain->last_thread ? drain->last_thread_dense : new_thread(drain, number);
}

static uint64_t
event_time(rh_drain *drain, uint64_t ticks)
{
    uint64_t start = drain->channel->started_ticks;
    uint64_t time_ns = ticks > start ? (uint64_t)((double)(ticks - start) * drain->ns_per_tick) : 0;
    /* Rings meet here; time does not go back in a trace. */
    if (time_ns > drain->last_time_ns)
        drain->last_time_ns = time_ns;
    return drain->last_time_ns;
}

static inline uint64_t
kind_of(const rh_record *record)
{
    return record->what >> RH_RECORD_KIND_SHIFT & 0xff;
}

static inline unsigned
domain_of(const rh_drain *drain, const rh_record *record)
{
    return (unsigned)(record->what >> RH_RECORD_DOMAIN_SHIFT) & drain->domain_mask;
}

static inline unsigned
depth_of(const rh_record *record)
{
    return (unsigned)(record->amount >> RH_AMOUNT_DEPTH_SHIFT & RH_AMOUNT_DEPTH_MASK);
}

/* Under which the block at the record's address is known. */
static inline uint64_t
key_of(const rh_drain *drain, const rh_record *record)
{
    uint64_t address = record->what & RH_RECORD_ADDRESS_MASK;
    if (domain_of(drain, record) == RH_DOMAIN_LIBC)
        return address | LIBC_KEY;
    return depth_of(record) ? address | NESTED_KEY : address;
}

static inline outcome
hand_on(rh_drain *drain, const rh_event *event, uint32_t *handle)
{
    rh_status status = drain->intake ? rh_intake_event(drain->intake, event, handle, &drain->error)
                                     : rh_writer_event(drain->writer, event, handle, &drain->error);
    return status == RH_OK ? TAKEN : FAILED;
}

static inline rh_event
begin_event(rh_drain *drain, const stream *s, const rh_record *record, rh_operation operation,
            bool nested)
{
    rh_event event = {
        .operation = (uint8_t)operation,
        .domain = (uint8_t)domain_of(drain, record),
        .flags = nested ? RH_EVENT_NESTED : 0,
        .slot = RH_NO_SLOT,
        .thread = dense_thread(drain, record->amount),
    };
    event.time_ns = s->ticks ? event_time(drain, s->ticks) : drain->last_time_ns;
    return event;
}

/* The size of a birth: in the record, or in the wide ones before it. */
static inline void
take_size(stream *s, const rh_record *record, rh_event *event)
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
pooled(rh_drain *drain, const rh_event *event)
{
    return event->domain != 0 && event->domain != RH_DOMAIN_LIBC &&
           !(event->flags & RH_EVENT_NESTED) && rh_arena_set_has(&drain->arenas, event->address);
}

/* How many blocks live under keys with numbers at addresses like this one. */
static inline uint32_t *
overlapping_at(rh_drain *drain, uint64_t key)
{
    key &= ~((uint64_t)OVERLAPS << OVERLAP_SHIFT);
    return &drain->overlapping_at[key * UINT64_C(0x9E3779B97F4A7C15) >> 32 & (OVERLAP_PLACES - 1)];
}

static inline bool
may_overlap(rh_drain *drain, uint64_t key)
{
    return drain->overlapping && *overlapping_at(drain, key);
}

/* The free entry for one more block at an address where one lives already; if there are too many,
 * that of the last. */
static rh_pointer_entry *
overlapping_entry(rh_drain *drain, uint64_t key, uint64_t *place)
{
    rh_pointer_entry *entry = NULL;
    for (uint64_t i = 1; i <= OVERLAPS; i++) {
        *place = key | i << OVERLAP_SHIFT;
        entry = rh_pointer_find(&drain->blocks, *place);
        if (!entry->key)
            break;
    }
    drain->undecided++;
    return entry;
}

/* The block that dies at an address; an entry without a key if there is none. */
static rh_pointer_entry *
dying_entry(rh_drain *drain, uint64_t key)
{
    for (uint64_t i = may_overlap(drain, key) ? OVERLAPS : 0; i > 0; i--) {
        rh_pointer_entry *entry = rh_pointer_find(&drain->blocks, key | i << OVERLAP_SHIFT);
        if (entry->key)
            return entry;
    }
    return rh_pointer_find(&drain->blocks, key);
}

/* The two places where a recent death at `key` is kept. */
static inline uint64_t *
recent_deaths(const rh_drain *drain, uint64_t key)
{
    uint64_t pair = key * UINT64_C(0x9E3779B97F4A7C15) >> 32 & (RECENT_DEATHS / 2 - 1);
    return &drain->recent[2 * pair];
}

static inline void
keep_death(rh_drain *drain, uint64_t key)
{
    uint64_t *kept = recent_deaths(drain, key);
    if (kept[0] != key) {
        kept[1] = kept[0];
        kept[0] = key;
    }
}

static bool
died_recently(const rh_drain *drain, uint64_t key)
{
    const uint64_t *kept = recent_deaths(drain, key);
    return kept[0] == key || kept[1] == key;
}

static inline void
remove_dying(rh_drain *drain, rh_pointer_entry *entry)
{
    uint64_t key = entry->key & ~((uint64_t)OVERLAPS << OVERLAP_SHIFT);
    if (key != entry->key) {
        drain->overlapping--;
        --*overlapping_at(drain, key);
    }
    keep_death(drain, key);
    rh_pointer_remove(&drain->blocks, entry);
}

/* A death whose block has been taken by another's shortly before: the next block at the address is
 * its. False: there was no such thing, the block is from before the recording. */
static bool
owe_death(rh_drain *drain, const rh_record *record, uint64_t key)
{
    rh_pointer_entry *entry = rh_pointer_find(&drain->owed, key);
    if (drain->stream_count <= 2 || entry->key || !died_recently(drain, key))
        return false;
    drain->undecided++;
    drain->owed_deaths++;
    uint32_t number = (uint32_t)(record->amount >> RH_AMOUNT_THREAD_SHIFT);
    return rh_pointer_add(&drain->owed, entry, key, number);
}

static uint32_t
debtor(rh_drain *drain, const rh_pointer_entry *owed)
{
    return dense_thread(drain, (uint64_t)owed->handle << RH_AMOUNT_THREAD_SHIFT);
}

/* After a birth at `key`: the death that is owed there, if any. */
static outcome
pay_death(rh_drain *drain, const rh_event *birth, uint64_t key, uint32_t handle)
{
    rh_pointer_entry *owed = rh_pointer_find(&drain->owed, key);
    if (!owed->key)
        return EMPTY;
    rh_event death = {.operation = RH_FREE,
                      .domain = birth->domain,
                      .flags = birth->flags & RH_EVENT_NESTED,
                      .slot = RH_NO_SLOT,
                      .thread = debtor(drain, owed),
                      .time_ns = birth->time_ns};
    rh_pointer_remove(&drain->owed, owed);
    drain->owed_deaths--;
    drain->events++;
    return hand_on(drain, &death, &handle);
}

/* A block begins to live at `key`. `old` is what a realloc resized, else 0. */
static inline outcome
give_birth(rh_drain *drain, rh_event *event, uint64_t key, uint32_t old, bool forced)
{
    rh_pointer_entry *entry = rh_pointer_find(&drain->blocks, key);
    if (entry->key && !forced)
        return BLOCKED;
    if (entry->key)
        entry = overlapping_entry(drain, key, &key);
    uint32_t handle = old;
    if (pooled(drain, event))
        event->flags |= drain->pooled;
    drain->events++;
    if (hand_on(drain, event, &handle) != TAKEN)
        return FAILED;
    outcome paid = drain->owed_deaths ? pay_death(drain, event, key, handle) : EMPTY;
    if (paid != EMPTY)
        return paid;
    entry->note = event->flags & RH_EVENT_NESTED;
    if (entry->key) {
        entry->handle = handle; /* the one before went unseen */
        return TAKEN;
    }
    if ((key & ~NESTED_KEY) >> OVERLAP_SHIFT) {
        drain->overlapping++;
        ++*overlapping_at(drain, key);
    }
    if (!rh_pointer_add(&drain->blocks, entry, key, handle))
        return fail_memory(drain);
    return TAKEN;
}

/* Asked before the event begins: a thread gets its number with its first event, not with one that
 * has to wait. */
static inline bool
lives_already(const rh_drain *drain, const rh_record *record)
{
    return record->what & RH_RECORD_ADDRESS_MASK &&
           rh_pointer_find(&drain->blocks, key_of(drain, record))->key;
}

static inline outcome
take_birth(rh_drain *drain, stream *s, const rh_record *record, rh_operation operation, bool forced)
{
    if (!forced && lives_already(drain, record))
        return BLOCKED;
    rh_event event = begin_event(drain, s, record, operation, depth_of(record));
    if (operation == RH_REALLOC)
        event.flags |= RH_EVENT_NULL;
    if (operation == RH_ALIGNED)
        event.alignment_log2 = drain->alignment_log2;
    event.address = record->what & RH_RECORD_ADDRESS_MASK;
    unsigned wide_count = s->wide_count;
    take_size(s, record, &event);
    if (event.address == 0) {
        event.flags |= RH_EVENT_FAILED;
        drain->events++;
        return hand_on(drain, &event, NULL);
    }
    outcome result = give_birth(drain, &event, key_of(drain, record), 0, forced);
    if (result == BLOCKED)
        s->wide_count = wide_count;
    return result;
}

static inline outcome
take_death(rh_drain *drain, stream *s, const rh_record *record, bool forced)
{
    uint64_t address = record->what & RH_RECORD_ADDRESS_MASK;
    rh_pointer_entry *entry = NULL;
    uint32_t handle = 0;
    if (address) {
        entry = dying_entry(drain, key_of(drain, record));
        if (!entry->key && !forced)
            return BLOCKED;
        if (!entry->key && owe_death(drain, record, key_of(drain, record)))
            return TAKEN;
    }
    bool nested = entry && entry->key ? entry->note : depth_of(record);
    rh_event event = begin_event(drain, s, record, RH_FREE, nested);
    if (!address) {
        event.flags |= RH_EVENT_NULL;
    } else if (entry->key) {
        handle = entry->handle;
        remove_dying(drain, entry);
    } else {
        event.flags |= RH_EVENT_FOREIGN;
    }
    drain->events++;
    return hand_on(drain, &event, &handle);
}

/* The alignment is in the wide record just before; what is no power of two is rounded up, as the C
 * library does. */
static outcome
take_aligned(rh_drain *drain, stream *s, const rh_record *record, bool forced)
{
    uint64_t alignment = s->wide_count ? s->wide[s->wide_count - 1] : 1;
    drain->alignment_log2 = 0;
    while (drain->alignment_log2 < 63 && UINT64_C(1) << drain->alignment_log2 < alignment)
        drain->alignment_log2++;
    return take_birth(drain, s, record, RH_ALIGNED, forced);
}

/* From here on the old address may be anybody's: the block waits outside the table. */
static outcome
begin_resize(rh_drain *drain, stream *s, const rh_record *record, bool forced)
{
    const unsigned depth = depth_of(record);
    const uint64_t key = key_of(drain, record);
    rh_pointer_entry *entry = dying_entry(drain, key);
    if (!entry->key && !forced)
        return BLOCKED;
    s->resized[depth].key = key;
    s->resized[depth].known = entry->key != 0;
    s->resized[depth].nested = entry->key ? entry->note : depth;
    if (entry->key) {
        s->resized[depth].handle = entry->handle;
        remove_dying(drain, entry);
    }
    return TAKEN;
}

/* A size of 0 freed the block. */
static outcome
end_as_death(rh_drain *drain, stream *s, const rh_record *record)
{
    const unsigned depth = depth_of(record);
    bool known = s->resized[depth].key && s->resized[depth].known;
    rh_event event = begin_event(drain, s, record, RH_FREE, s->resized[depth].nested);
    if (!known)
        event.flags |= RH_EVENT_FOREIGN;
    s->resized[depth].key = 0;
    drain->events++;
    return hand_on(drain, &event, &s->resized[depth].handle);
}

static outcome
end_resize(rh_drain *drain, stream *s, const rh_record *record, bool forced)
{
    const unsigned depth = depth_of(record);
    bool known = s->resized[depth].key && s->resized[depth].known;
    uint32_t old = s->resized[depth].handle;
    if (!forced && lives_already(drain, record))
        return BLOCKED;
    rh_event event = begin_event(drain, s, record, RH_REALLOC, s->resized[depth].nested);
    if (!known)
        event.flags |= RH_EVENT_FOREIGN;
    event.address = record->what & RH_RECORD_ADDRESS_MASK;
    unsigned wide_count = s->wide_count;
    take_size(s, record, &event);
    outcome result;
    if (event.address) {
        result = give_birth(drain, &event, key_of(drain, record), old, forced);
    } else {
        event.flags |= RH_EVENT_FAILED;
        drain->events++;
        result = hand_on(drain, &event, &old);
        uint64_t key = s->resized[depth].key;
        rh_pointer_entry *entry = rh_pointer_find(&drain->blocks, key);
        if (!entry->key)
            entry->note = event.flags & RH_EVENT_NESTED;
        if (known && !entry->key && !rh_pointer_add(&drain->blocks, entry, key, old))
            result = fail_memory(drain);
    }
    if (result == BLOCKED)
        s->wide_count = wide_count;
    else
        s->resized[depth].key = 0;
    return result;
}

static outcome
take_arena(rh_drain *drain, stream *s, const rh_record *record, bool birth)
{
    rh_event event = begin_event(drain, s, record, birth ? RH_ARENA_ALLOC : RH_ARENA_FREE, 0);
    event.domain = 0;
    event.address = record->what & RH_RECORD_ADDRESS_MASK;
    event.size = record->amount & RH_AMOUNT_SIZE_MASK;
    if (birth && event.address == 0)
        event.flags |= RH_EVENT_FAILED;
    /* One from before the recording has no birth in it. */
    if (!birth && !rh_arena_set_remove(&drain->arenas, event.address))
        return TAKEN;
    if (birth && event.address && !rh_arena_set_add(&drain->arenas, event.address))
        return fail_memory(drain);
    return hand_on(drain, &event, NULL);
}

static inline const rh_record *
record_at(const stream *s, uint64_t at)
{
    return rh_ring_view_record(&s->view, at);
}

/* A text fills whole records behind its own; all of them have to be there. */
static outcome
take_text(rh_drain *drain, stream *s, const rh_record *record, rh_operation operation)
{
    uint64_t length = record->amount & RH_AMOUNT_SIZE_MASK;
    uint64_t records = (length + sizeof *record - 1) / sizeof *record;
    if (length > RH_CHECKPOINT_BYTES)
        return TAKEN;
    if (s->view.end - s->view.at < (records + 1) * sizeof(rh_record)) {
        if (!drain->last)
            return EMPTY;
        s->view.at =
            s->view.end - sizeof(rh_record); /* the program was killed while it wrote this */
        return TAKEN;
    }
    for (uint64_t i = 0; i < records; i++)
        memcpy(drain->text + i * sizeof *record,
               record_at(s, s->view.at + (i + 1) * sizeof(rh_record)), sizeof *record);
    drain->text[length] = '\0';
    rh_event event = begin_event(drain, s, record, operation, 0);
    event.domain = 0;
    event.size = length;
    event.text = drain->text;
    s->view.at += records * sizeof(rh_record);
    return hand_on(drain, &event, NULL);
}

/* All but the commonest kinds. */
static outcome
take_other(rh_drain *drain, stream *s, const rh_record *record, bool forced)
{
    switch ((rh_record_kind)kind_of(record)) {
    case RH_RECORD_CALLOC:
        return take_birth(drain, s, record, RH_CALLOC, forced);
    case RH_RECORD_REALLOC_NULL:
        return take_birth(drain, s, record, RH_REALLOC, forced);
    case RH_RECORD_REALLOC_FROM:
        return begin_resize(drain, s, record, forced);
    case RH_RECORD_REALLOC:
        return end_resize(drain, s, record, forced);
    case RH_RECORD_GONE:
        return end_as_death(drain, s, record);
    case RH_RECORD_ALIGNED:
        return take_aligned(drain, s, record, forced);
    case RH_RECORD_PLACE:
        s->place = record->what & RH_RECORD_ADDRESS_MASK;
        s->stamp = record->amount;
        if (drain->ns_per_tick > 0)
            s->ticks = record->amount;
        return TAKEN;
    case RH_RECORD_ARENA_ALLOC:
        return take_arena(drain, s, record, true);
    case RH_RECORD_ARENA_FREE:
        return take_arena(drain, s, record, false);
    case RH_RECORD_WIDE:
        s->wide[s->wide_count & 1] = record->amount;
        s->wide_count = s->wide_count % 2 + 1;
        return TAKEN;
    case RH_RECORD_TIME:
        s->ticks = record->amount;
        return TAKEN;
    case RH_RECORD_CHECKPOINT:
        return take_text(drain, s, record, RH_CHECKPOINT);
    case RH_RECORD_MARK:
        return take_text(drain, s, record, RH_MARK);
    default: /* what a program's stray write could leave */
        return TAKEN;
    }
}

/* One record at the stream's place; on TAKEN the place has moved. */
static inline outcome
take(rh_drain *drain, stream *s, bool forced)
{
    const rh_record *record = record_at(s, s->view.at);
    uint64_t kind = kind_of(record);
    outcome result;
    if (kind == RH_RECORD_MALLOC)
        result = take_birth(drain, s, record, RH_MALLOC, forced);
    else if (kind == RH_RECORD_FREE)
        result = take_death(drain, s, record, forced);
    else
        result = take_other(drain, s, record, forced);
    if (result == TAKEN)
        s->view.at += sizeof(rh_record);
    return result;
}

/* A free in the main ring, behind which an arena's death may stand that it caused. */
static outcome
take_free(rh_drain *drain, stream *s, bool forced)
{
    const uint64_t next = s->view.at + sizeof(rh_record);
    if (next >= s->view.end)
        return drain->last || forced ? take(drain, s, forced) : EMPTY;
    const rh_record *after = record_at(s, next);
    if (kind_of(after) != RH_RECORD_ARENA_FREE)
        return take(drain, s, forced);
    const rh_record *record = record_at(s, s->view.at);
    uint64_t address = record->what & RH_RECORD_ADDRESS_MASK;
    if (!forced && address && !rh_pointer_find(&drain->blocks, key_of(drain, record))->key)
        return BLOCKED;
    outcome result = take_arena(drain, s, after, false);
    if (result == TAKEN)
        result = take(drain, s, true);
    if (result == TAKEN)
        s->view.at += sizeof(rh_record);
    return result;
}

/* What malloc, calloc, realloc of NULL and free have in common, into the event kept for them. Its
 * first four bytes are written as one word, as the writer reads them: a load that spans several
 * stores just before it has to wait for them. */
static inline rh_event *
common_event(rh_drain *drain, const stream *s, const rh_record *record, rh_operation operation,
             unsigned flags)
{
    rh_event *event = &drain->common;
    uint32_t begin = (uint32_t)operation | (uint32_t)domain_of(drain, record) << 8 | flags << 16;
    memcpy(event, &begin, sizeof begin);
    event->thread = dense_thread(drain, record->amount);
    if (s->ticks)
        event->time_ns = event_time(drain, s->ticks);
    drain->events++;
    return event;
}

static inline bool
is_nested(const rh_record *record)
{
    return (record->amount & (RH_AMOUNT_DEPTH_MASK << RH_AMOUNT_DEPTH_SHIFT)) != 0;
}

/* The two kinds that are nearly all there is, without detours. TAKEN: done; EMPTY: it needs thought
 * (NULL, an address that is not as it should be). */
static inline outcome
take_common_birth(rh_drain *drain, const stream *s, const rh_record *record, uint64_t kind)
{
    const uint64_t address = record->what & RH_RECORD_ADDRESS_MASK;
    const bool nested = is_nested(record);
    const unsigned domain = domain_of(drain, record);
    const uint64_t key = key_of(drain, record);
    rh_pointer_entry *entry = rh_pointer_find(&drain->blocks, key);
    if (address == 0 || entry->key || drain->owed_deaths)
        return EMPTY;
    unsigned flags = nested ? RH_EVENT_NESTED : 0;
    if (!nested && domain != 0 && domain != RH_DOMAIN_LIBC &&
        rh_arena_set_has(&drain->arenas, address))
        flags |= drain->pooled;
    rh_operation operation = RH_MALLOC;
    if (kind == RH_RECORD_CALLOC) {
        operation = RH_CALLOC;
    } else if (kind == RH_RECORD_REALLOC_NULL) {
        operation = RH_REALLOC;
        flags |= RH_EVENT_NULL;
    }
    rh_event *event = common_event(drain, s, record, operation, flags);
    event->size = record->amount & RH_AMOUNT_SIZE_MASK;
    event->address = address;
    if (kind == RH_RECORD_CALLOC) {
        event->count = event->size >> RH_CALLOC_COUNT_SHIFT;
        event->element = event->size & ((1u << RH_CALLOC_COUNT_SHIFT) - 1);
        event->size = event->count * event->element;
    }
    uint32_t handle;
    if (hand_on(drain, event, &handle) != TAKEN)
        return FAILED;
    entry->note = flags & RH_EVENT_NESTED;
    return rh_pointer_add(&drain->blocks, entry, key, handle) ? TAKEN : fail_memory(drain);
}

static inline outcome
take_common_death(rh_drain *drain, const stream *s, const rh_record *record)
{
    const uint64_t address = record->what & RH_RECORD_ADDRESS_MASK;
    rh_pointer_entry *entry = rh_pointer_find(&drain->blocks, key_of(drain, record));
    if (address == 0 || !entry->key || may_overlap(drain, entry->key))
        return EMPTY;
    rh_event *event = common_event(drain, s, record, RH_FREE, entry->note);
    event->size = 0;
    event->address = 0;
    uint32_t handle = entry->handle;
    if (drain->stream_count > 2)
        keep_death(drain, entry->key);
    rh_pointer_remove(&drain->blocks, entry);
    return hand_on(drain, event, &handle);
}

/* Memory that records further on will need: their lines in the table, and of a death that is
 * nearer, what the writer keeps about the block. */
static inline void
look_ahead(rh_drain *drain, const stream *s)
{
    const rh_record *far = record_at(s, s->view.at + 2 * AHEAD_BYTES);
    rh_pointer_prefetch(&drain->blocks, far->what & RH_RECORD_ADDRESS_MASK);
    const rh_record *near = record_at(s, s->view.at + AHEAD_BYTES);
    if (kind_of(near) == RH_RECORD_FREE) {
        uint64_t key = near->what & RH_RECORD_ADDRESS_MASK;
        const rh_pointer_entry *entry =
            &drain->blocks.entries[rh_pointer_home(&drain->blocks, key)];
        if (entry->key == key && drain->intake)
            rh_intake_expect(drain->intake, entry->handle);
        else if (entry->key == key)
            rh_writer_expect(drain->writer, entry->handle);
    }
}

static inline bool
is_main(const rh_drain *drain, const stream *s)
{
    return s == &drain->streams[MAIN];
}

/* A ring's next record, the common ones on the short way. */
static inline outcome
take_next(rh_drain *drain, stream *s)
{
    const rh_record *record = record_at(s, s->view.at);
    const uint64_t kind = kind_of(record), next = s->view.at + sizeof *record;
    outcome result = EMPTY;
    if (kind == RH_RECORD_FREE) {
        if (!is_main(drain, s) ||
            (next < s->view.end && kind_of(record_at(s, next)) != RH_RECORD_ARENA_FREE))
            result = take_common_death(drain, s, record);
    } else if ((kind == RH_RECORD_MALLOC || kind == RH_RECORD_CALLOC ||
                kind == RH_RECORD_REALLOC_NULL) &&
               s->wide_count == 0) {
        result = take_common_birth(drain, s, record, kind);
    }
    if (result == TAKEN)
        s->view.at = next;
    else if (result == EMPTY)
        result = kind == RH_RECORD_FREE && is_main(drain, s) ? take_free(drain, s, false)
                                                             : take(drain, s, false);
    return result;
}

/* The main ring up to `limit`. */
static outcome
take_main(rh_drain *drain, uint64_t limit)
{
    stream *s = &drain->streams[MAIN];
    outcome result = TAKEN;
    while (s->view.at < limit && result == TAKEN) {
        uint64_t stop = limit - s->view.at < GIVE_BACK_BYTES ? limit : s->view.at + GIVE_BACK_BYTES;
        while (s->view.at < stop && result == TAKEN) {
            look_ahead(drain, s);
            result = take_next(drain, s);
        }
        rh_ring_view_give_back(&s->view, 0);
    }
    return result;
}

/* Its next record, come what may. */
static outcome
force_main(rh_drain *drain)
{
    stream *s = &drain->streams[MAIN];
    return kind_of(record_at(s, s->view.at)) == RH_RECORD_FREE ? take_free(drain, s, true)
                                                               : take(drain, s, true);
}

static bool
belongs_before(const front *a, const front *b)
{
    return a->place != b->place ? a->place < b->place : a->stamp < b->stamp;
}

static front *
front_of(rh_drain *drain, const stream *s)
{
    return &drain->fronts[s - drain->streams];
}

/* Place records at the front say where the next event belongs. */
static void
settle(rh_drain *drain, stream *s)
{
    uint64_t end;
    do {
        end = s->view.end;
        rh_ring_view_refill(&s->view, drain->last);
        while (s->view.at < s->view.end && kind_of(record_at(s, s->view.at)) == RH_RECORD_PLACE)
            take(drain, s, true);
    } while (s->view.at == s->view.end && s->view.end != end);
    front *f = front_of(drain, s);
    f->there = s->view.at < s->view.end;
    f->place = s->place;
    f->stamp = s->stamp;
    const rh_record *record = record_at(s, s->view.at);
    const uint64_t kind = f->there ? kind_of(record) : 0;
    f->birth = kind == RH_RECORD_MALLOC || kind == RH_RECORD_CALLOC || kind == RH_RECORD_REALLOC ||
               kind == RH_RECORD_REALLOC_NULL || kind == RH_RECORD_ALIGNED;
    f->death = kind == RH_RECORD_FREE || kind == RH_RECORD_REALLOC_FROM;
    bool address = record->what & RH_RECORD_ADDRESS_MASK;
    f->key = address && (f->birth || f->death) ? key_of(drain, record) : 0;
}

/* It cannot be taken yet: of an address, what is to happen there first is not known. */
static bool
is_held_up(rh_drain *drain, const front *f)
{
    if (!f->there || !f->key)
        return false;
    return f->birth ? rh_pointer_find(&drain->blocks, f->key)->key != 0
                    : !dying_entry(drain, f->key)->key;
}

/* One event of a thread's ring. */
static outcome
take_thread(rh_drain *drain, stream *s, bool forced)
{
    outcome result = forced ? take(drain, s, true) : take_next(drain, s);
    rh_ring_view_give_back(&s->view, drain->ring_bytes / 8);
    return result;
}

/* All up to the next place record. */
static outcome
take_stretch(rh_drain *drain, stream *s)
{
    outcome result = TAKEN;
    while (result == TAKEN && s->view.at < s->view.end &&
           kind_of(record_at(s, s->view.at)) != RH_RECORD_PLACE) {
        look_ahead(drain, s);
        result = take_thread(drain, s, false);
    }
    settle(drain, s);
    return result;
}

static void
look_at_all(rh_drain *drain)
{
    rh_ring_view_look(&drain->streams[MAIN].view);
    uint32_t rings = atomic_load(&drain->channel->rings);
    rings = rings < drain->ring_count ? rings : drain->ring_count;
    for (; drain->stream_count <= rings; drain->stream_count++) {
        uint32_t ring = drain->stream_count - 1;
        const unsigned char *memory = rh_ring_pieces_find(&drain->rings, ring);
        if (!memory) {
            rh_fail(&drain->error, RH_SYSTEM, "there is no address space for a thread's ring");
            break;
        }
        if (!rh_ring_view_begin(&drain->streams[ring + 1].view, &drain->channel->thread[ring],
                                memory, drain->ring_bytes, drain->short_records)) {
            rh_fail(&drain->error, RH_SYSTEM, "out of memory for a thread's records");
            break;
        }
    }
    for (uint32_t i = 1; i < drain->stream_count; i++) {
        rh_ring_view_look(&drain->streams[i].view);
        settle(drain, &drain->streams[i]);
    }
}

/* The thread ring whose next record belongs first, of those that do not wait; NULL: there is none.
 */
static stream *
earliest(rh_drain *drain)
{
    const front *first = NULL;
    for (uint32_t i = MAIN + 1; i < drain->stream_count; i++) {
        const front *f = &drain->fronts[i];
        if (f->there && !f->waits && (!first || belongs_before(f, first)))
            first = f;
    }
    return first ? &drain->streams[first - drain->fronts] : NULL;
}

static outcome
take_one(rh_drain *drain, stream *s, bool forced)
{
    if (s != &drain->streams[MAIN]) {
        outcome result = take_thread(drain, s, forced);
        settle(drain, s);
        return result;
    }
    return forced ? force_main(drain) : take_main(drain, s->view.at + 1);
}

/* Takes one stretch no later than `place` from the rings of threads, the first that can be; EMPTY:
 * none can. Mostly none can: so many threads are looked over before any is tried. */
static outcome
take_earlier(rh_drain *drain, uint64_t place)
{
    for (uint32_t i = MAIN + 1; i < drain->stream_count; i++)
        drain->fronts[i].waits |= is_held_up(drain, &drain->fronts[i]);
    for (stream *s; (s = earliest(drain)) && s->place <= place; front_of(drain, s)->waits = true) {
        uint64_t before = s->view.at;
        if (take_stretch(drain, s) == FAILED)
            return FAILED;
        if (s->view.at != before)
            return TAKEN;
    }
    return EMPTY;
}

/* Nothing moves. If threads' rings wait for one another, a birth was taken too early, and the
 * earliest that is held up by it goes on; else `s` does, for what it waits for was never recorded.
 */
static outcome
force_one(rh_drain *drain, stream *s)
{
    const front *first = NULL;
    for (uint32_t i = MAIN + 1; i < drain->stream_count; i++) {
        const front *f = &drain->fronts[i];
        if (f->there && f->birth && (!first || belongs_before(f, first)))
            first = f;
    }
    return take_one(drain, first ? &drain->streams[first - drain->fronts] : s, true);
}

/* A call of the C library in a thread's ring may be later than the place before it says, and wait
 * for one that was nested in a hook since: then the main ring goes on, by a record at a time. In a
 * forked child most of what is waited for never comes. */
static bool
step_main(rh_drain *drain, const stream *s)
{
    stream *main = &drain->streams[MAIN];
    uint64_t before = main->view.at;
    bool libc = domain_of(drain, record_at(s, s->view.at)) == RH_DOMAIN_LIBC;
    if (s == main || !libc || drain->channel->facts.forked || before >= main->view.end)
        return false;
    return take_main(drain, before + 1) != FAILED && main->view.at != before;
}

/* `s` is blocked: what it waits for was published before its record was, and so, if it exists, lies
 * in another ring no later than `place` of the main one. */
static outcome
resolve(rh_drain *drain, stream *s)
{
    stream *main = &drain->streams[MAIN];
    uint64_t place = s == main ? s->view.at : s->place;
    look_at_all(drain);
    outcome result = BLOCKED;
    for (bool moved = true; moved && result == BLOCKED;) {
        uint64_t before = main->view.at;
        if (s != main &&
            take_main(drain, place < main->view.end ? place : main->view.end) == FAILED)
            return FAILED;
        front_of(drain, s)->waits = true;
        outcome earlier = take_earlier(drain, place);
        for (uint32_t i = 0; i < drain->stream_count; i++)
            drain->fronts[i].waits = false;
        if (earlier == FAILED)
            return FAILED;
        moved = earlier == TAKEN || main->view.at != before || step_main(drain, s);
        if (drain->error.status != RH_OK)
            return FAILED;
        if (moved)
            result = take_one(drain, s, false);
    }
    return result == BLOCKED ? force_one(drain, s) : result;
}

/* A free is the main ring's last record and held for its arena's death, and `thread` comes behind
 * it: with a call of the same thread, which so has come back from the free. */
static bool
free_is_over(const rh_drain *drain, const stream *thread)
{
    const stream *main = &drain->streams[MAIN];
    uint64_t at = thread->view.at;
    while (at < thread->view.end && kind_of(record_at(thread, at)) == RH_RECORD_WIDE)
        at += sizeof(rh_record);
    return main->view.at + sizeof(rh_record) == main->view.end && thread->place >= main->view.end &&
           kind_of(record_at(main, main->view.at)) == RH_RECORD_FREE && at < thread->view.end &&
           record_at(main, main->view.at)->amount >> RH_AMOUNT_THREAD_SHIFT ==
               record_at(thread, at)->amount >> RH_AMOUNT_THREAD_SHIFT;
}

/* One stretch of the main ring and the thread's behind it; EMPTY: nothing more is there. */
static outcome
take_turn(rh_drain *drain)
{
    /* Time goes by: threads whose last place record is from before will write a new one. */
    if (drain->turns++ % TURNS_A_TICK == 0)
        atomic_fetch_add_explicit(&drain->channel->turn, 1, memory_order_relaxed);
    stream *main = &drain->streams[MAIN], *thread = earliest(drain);
    uint64_t limit = main->view.end;
    if (thread && thread->place < limit)
        limit = thread->place;
    outcome result = take_main(drain, limit);
    if (result == EMPTY && thread && free_is_over(drain, thread))
        result = take(drain, main, false);
    if (result == BLOCKED)
        return resolve(drain, main);
    if (result == FAILED || !thread)
        return result == FAILED ? FAILED : EMPTY;
    /* Not yet: the main ring has to be looked at again first. */
    if (thread->place > main->view.end && !drain->last)
        return EMPTY;
    result = take_stretch(drain, thread);
    return result == BLOCKED ? resolve(drain, thread) : result;
}

/* At the end, deaths that no block came for: of blocks that were never seen, after all. */
static outcome
write_off(rh_drain *drain)
{
    for (size_t i = 0; drain->owed_deaths && i <= drain->owed.mask; i++) {
        const rh_pointer_entry *owed = &drain->owed.entries[i];
        rh_event death = {.operation = RH_FREE,
                          .domain = owed->key & LIBC_KEY ? RH_DOMAIN_LIBC : 0,
                          .flags = RH_EVENT_FOREIGN,
                          .slot = RH_NO_SLOT,
                          .thread = debtor(drain, owed),
                          .time_ns = drain->last_time_ns};
        if (!owed->key)
            continue;
        drain->owed_deaths--;
        drain->events++;
        uint32_t none = 0;
        if (hand_on(drain, &death, &none) != TAKEN)
            return FAILED;
    }
    return EMPTY;
}

uint64_t
rh_drain_waiting(rh_drain *drain)
{
    uint64_t records = 0;
    look_at_all(drain);
    for (uint32_t i = 0; i < drain->stream_count; i++)
        records += rh_ring_view_waiting(&drain->streams[i].view);
    return records;
}

rh_status
rh_drain_run(rh_drain *drain, bool last, uint64_t *events, rh_error *error)
{
    drain->last = last;
    /* Threads may write as fast as this reads: what they add is for the next run. */
    const uint64_t most = rh_drain_waiting(drain), before = drain->events;
    const uint64_t enough = last || most < RUN_EVENTS ? most : RUN_EVENTS;
    outcome result = TAKEN;
    while ((result == TAKEN || result == BLOCKED) && drain->events - before <= enough)
        result = take_turn(drain);
    if (drain->error.status != RH_OK)
        result = FAILED; /* also where a thread's ring cannot be read */
    if (result != FAILED && last)
        result = write_off(drain);
    for (uint32_t i = 0; i < drain->stream_count; i++) {
        rh_ring_view_give_back(&drain->streams[i].view, 0);
        if (i != MAIN)
            rh_ring_view_recycle(&drain->streams[i].view);
    }
    *events += drain->events - before;
    if (result == FAILED && error)
        *error = drain->error;
    return result == FAILED ? drain->error.status : RH_OK;
}
