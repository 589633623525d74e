/* Reading: one block of the file at a time is fetched, checked and unpacked, and decoded in
 * batches.
 *
 * Damage is whatever keeps the next block from being read: its bytes, their checksum, or events
 * that make no sense. A lenient reader then looks for the next key block it can read and bridges
 * the gap: blocks of memory alive on both sides keep their slots, the others die or are born in
 * events of the reader's own.
 */
#include "traces/reader.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/host.h"
#include "traces/block_table.h"
#include "traces/decoder.h"
#include "traces/snapshot.h"
#include "traces/unpacker.h"

enum {
    BATCH_EVENTS = 256,
    WORDS_AT_ONCE = 1024,
    CONTRADICTION_BYTES = 256,
    LIVE_BLOCK_BYTES = 64 /* what a live block costs reader and replayer, about */
};

/* The way from one live set to another. */
typedef struct rh_bridge {
    struct death {
        uint32_t slot;
        uint64_t what;
    } * deaths;
    uint32_t *births; /* slots, in birth order */
    size_t death_count, birth_count, deaths_done, births_done;
} rh_bridge;

struct rh_reader {
    const rh_block_table *table;
    rh_block_table *own; /* NULL: the table is another reader's, whose fork this is */
    rh_reader_options options;
    rh_unpacker unpacker;
    rh_decoder decoder;
    rh_block_head head;
    rh_bytes packed, raw[RH_STREAMS];
    size_t block; /* in the table: the one being decoded, or next to be */
    size_t stop;  /* the block where reading ends */
    bool stopped;
    size_t resume;       /* after damage: the first block that may be sound */
    bool inside;         /* of that block */
    bool tail_told;      /* the damage behind the last block has been reported */
    uint64_t next_event; /* by the numbers of the file */
    rh_bridge bridge;
    bool sought;       /* the bridge is the live set after a seek, which rh_reader_live tells */
    uint32_t told;     /* by rh_reader_live: the slot it came to; 0: none yet */
    uint64_t unpacked; /* blocks */
    rh_words *words;   /* where the events go if they can; NULL: into batches */
    rh_error failure;  /* the last */
    bool failed;       /* it sticks */
    bool refused;      /* too much memory is asked for: a lenient reader gives up too */
    rh_damage place;   /* the last damage, while it is being dealt with */
    rh_damage *damage;
    size_t damages;
    char contradiction[CONTRADICTION_BYTES];
    rh_event events[BATCH_EVENTS];
};

static void
release_bridge(rh_bridge *bridge)
{
    free(bridge->deaths);
    free(bridge->births);
    memset(bridge, 0, sizeof *bridge);
}

/* A reader of `table` at its start. */
static rh_status
start_reader(const rh_block_table *table, const rh_reader_options *options, rh_reader **out,
             rh_error *error)
{
    rh_reader *reader = calloc(1, sizeof *reader);
    if (!reader)
        return rh_fail(error, RH_SYSTEM, "%s: out of memory", table->path);
    reader->table = table;
    reader->stop = SIZE_MAX;
    if (options)
        reader->options = *options;
    if (!reader->options.max_live_blocks)
        reader->options.max_live_blocks = rh_host_memory_bytes() / 2 / LIVE_BLOCK_BYTES;
    rh_unpacker_init(&reader->unpacker);
    if (!rh_decoder_init(&reader->decoder, &table->info)) {
        rh_reader_close(reader);
        return rh_fail(error, RH_SYSTEM, "%s: out of memory", table->path);
    }
    *out = reader;
    return RH_OK;
}

rh_status
rh_reader_open(const char *path, const rh_reader_options *options, rh_reader **out, rh_error *error)
{
    rh_block_table *table = malloc(sizeof *table);
    if (!table)
        return rh_fail(error, RH_SYSTEM, "%s: out of memory", path);
    rh_status status = rh_block_table_open(table, path, error);
    if (status != RH_OK) {
        free(table);
        return status;
    }
    status = start_reader(table, options, out, error);
    if (status != RH_OK) {
        rh_block_table_close(table);
        free(table);
        return status;
    }
    (*out)->own = table;
    return RH_OK;
}

rh_status
rh_reader_fork(const rh_reader *reader, const rh_reader_options *options, rh_reader **fork,
               rh_error *error)
{
    return start_reader(reader->table, options, fork, error);
}

void
rh_reader_close(rh_reader *reader)
{
    if (!reader)
        return;
    rh_unpacker_release(&reader->unpacker);
    rh_decoder_release(&reader->decoder);
    rh_bytes_release(&reader->packed);
    for (unsigned i = 0; i < RH_STREAMS; i++)
        rh_bytes_release(&reader->raw[i]);
    release_bridge(&reader->bridge);
    free(reader->damage);
    if (reader->own)
        rh_block_table_close(reader->own);
    free(reader->own);
    free(reader);
}

const char *
rh_reader_path(const rh_reader *reader)
{
    return reader->table->path;
}

const rh_trace_info *
rh_reader_info(const rh_reader *reader)
{
    return &reader->table->info;
}

uint64_t
rh_reader_max_live(const rh_reader *reader)
{
    return reader->options.max_live_blocks;
}

uint64_t
rh_reader_blocks_unpacked(const rh_reader *reader)
{
    return reader->unpacked;
}

double
rh_reader_progress(const rh_reader *reader)
{
    const rh_block_table *table = reader->table;
    if (reader->block >= table->blocks)
        return 1;
    const rh_block_entry *entry = &table->block[reader->block];
    double done = (double)entry->offset;
    if (reader->inside && entry->events)
        done += (double)entry->bytes * (double)(reader->next_event - reader->head.first_event) /
                entry->events;
    return done / (double)table->file_bytes;
}

uint64_t
rh_reader_next_event(const rh_reader *reader)
{
    return reader->next_event;
}

uint64_t
rh_reader_end_event(const rh_reader *reader)
{
    const rh_block_table *table = reader->table;
    const rh_block_entry *last = table->blocks ? &table->block[table->blocks - 1] : NULL;
    return last ? last->first_event + last->events : 0;
}

const rh_damage *
rh_reader_damages(const rh_reader *reader, size_t *count)
{
    *count = reader->damages;
    return reader->damage;
}

rh_index_state
rh_reader_index(const rh_reader *reader)
{
    return reader->table->index;
}

const char *
rh_reader_contradiction(const rh_reader *reader)
{
    return reader->contradiction[0] ? reader->contradiction : NULL;
}

static void __attribute__((format(printf, 2, 3)))
contradict(rh_reader *reader, const char *format, ...)
{
    if (reader->contradiction[0])
        return;
    char what[CONTRADICTION_BYTES / 2];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    snprintf(reader->contradiction, sizeof reader->contradiction,
             "%s (block at byte %llu, event %llu)", what,
             (unsigned long long)reader->table->block[reader->block].offset,
             (unsigned long long)reader->head.first_event);
}

static void
compare(rh_reader *reader, const char *what, uint64_t said, uint64_t found)
{
    if (said != found)
        contradict(reader, "%s should be %llu by the events, and the head says %llu", what,
                   (unsigned long long)found, (unsigned long long)said);
}

/* All damage is told in one form. */
static rh_status
damage(rh_reader *reader, const char *what)
{
    const rh_block_table *table = reader->table;
    uint64_t offset =
        reader->block < table->blocks ? table->block[reader->block].offset : table->blocks_end;
    reader->place = (rh_damage){what, offset, reader->next_event, 0};
    return rh_fail(
        &reader->failure, RH_BAD_INPUT,
        "%s: %s (at byte %llu, event %llu); `reheap check` tells what can still be read, "
        "`reheap cut --to` an event keeps what precedes it",
        table->path, what, (unsigned long long)offset, (unsigned long long)reader->next_event);
}

static rh_status
too_many_alive(rh_reader *reader, uint64_t blocks)
{
    reader->refused = true;
    return rh_fail(&reader->failure, RH_BAD_INPUT,
                   "%s: %llu blocks are alive at once, more than the limit of %llu (event %llu); "
                   "--max-live raises it",
                   reader->table->path, (unsigned long long)blocks,
                   (unsigned long long)reader->options.max_live_blocks,
                   (unsigned long long)reader->next_event);
}

static rh_status
no_memory(rh_reader *reader)
{
    return rh_fail(&reader->failure, RH_SYSTEM, "%s: out of memory after %llu events",
                   reader->table->path, (unsigned long long)reader->next_event);
}

/* Fetches the block and checks all of its bytes. */
static rh_status
fetch(rh_reader *reader)
{
    const rh_block_entry *entry = &reader->table->block[reader->block];
    rh_bytes *packed = &reader->packed;
    packed->size = 0;
    if (!rh_bytes_reserve(packed, entry->bytes))
        return no_memory(reader);
    rh_status status = rh_block_table_read(reader->table, entry->offset, packed->data, entry->bytes,
                                           &reader->failure);
    if (status == RH_BAD_INPUT)
        return damage(reader, "the file has become shorter");
    if (status != RH_OK)
        return status;
    rh_block_head *head = &reader->head;
    if (rh_block_head_read(packed->data, entry->bytes, head) != RH_HEAD_SOUND)
        return damage(reader, "the head of a block is damaged");
    if ((uint64_t)head->head_bytes + head->payload_bytes != entry->bytes ||
        head->first_event != entry->first_event || head->events != entry->events ||
        head->key != entry->key)
        return damage(reader, "a block is not what the index says");
    if (rh_format_hash(packed->data + head->head_bytes, head->payload_bytes) != head->payload_hash)
        return damage(reader, "the contents of a block do not match their checksum");
    return RH_OK;
}

static rh_status
unpack(rh_reader *reader, unsigned from, unsigned to)
{
    const rh_block_head *head = &reader->head;
    const uint8_t *at = reader->packed.data + head->head_bytes;
    for (unsigned i = 0; i < to; at += head->packed[i++]) {
        if (i < from)
            continue;
        const char *problem = rh_unpacker_unpack(&reader->unpacker, i, at, head->packed[i],
                                                 head->raw[i], &reader->raw[i]);
        if (problem)
            return damage(reader, problem);
    }
    return RH_OK;
}

static rh_status
read_snapshot(rh_reader *reader, rh_snapshot *snapshot)
{
    const rh_block_head *head = &reader->head;
    *snapshot = (rh_snapshot){.birth = NULL};
    if (head->live_blocks > reader->options.max_live_blocks)
        return too_many_alive(reader, head->live_blocks);
    /* A block takes two bytes at least: no more is asked for than was unpacked. */
    rh_status status = unpack(reader, RH_STREAM_LIVE_GAPS, RH_STREAMS);
    if (status != RH_OK)
        return status;
    if (head->live_blocks > reader->raw[RH_STREAM_LIVE_GAPS].size)
        return damage(reader, "the live set of a key block is cut off");
    if (!rh_snapshot_init(snapshot, head->live_blocks))
        return no_memory(reader);
    if (!rh_snapshot_read(snapshot, head, reader->raw))
        return damage(reader, "the live set of a key block makes no sense");
    return RH_OK;
}

/* Marks who lives on: `slot[i]` becomes the slot of the snapshot's block i, 0 for one unknown so
 * far; blocks that the snapshot lacks go to bridge->deaths. */
static void
match(const rh_live_list *live, const rh_snapshot *snapshot, uint32_t *slot, rh_bridge *bridge)
{
    size_t i = 0;
    for (uint32_t at = live->link[0].after; at; at = live->link[at].after) {
        uint64_t birth = live->node[at].birth;
        while (i < snapshot->count && snapshot->birth[i] < birth)
            slot[i++] = 0;
        if (i < snapshot->count && snapshot->birth[i] == birth)
            slot[i++] = at;
        else
            bridge->deaths[bridge->death_count++] = (struct death){at, live->node[at].what};
    }
    while (i < snapshot->count)
        slot[i++] = 0;
}

/* Rebuilds list and index from the snapshot. */
static void
adopt(rh_reader *reader, const rh_snapshot *snapshot, const uint32_t *slot)
{
    rh_decoder *decoder = &reader->decoder;
    rh_live_list *live = &decoder->live;
    rh_bridge *bridge = &reader->bridge;
    for (size_t i = 0; i < bridge->death_count; i++)
        rh_live_give_slot(live, bridge->deaths[i].slot);
    live->link[0].before = live->link[0].after = 0;
    live->blocks = live->bytes = live->gap = 0;
    rh_birth_index_restart(&decoder->births, reader->head.first_birth);
    for (size_t i = 0; i < snapshot->count; i++) {
        uint32_t at = slot[i];
        if (!at) {
            at = rh_live_take_slot(live);
            bridge->births[bridge->birth_count++] = at;
        }
        live->births = snapshot->birth[i];
        rh_live_append(live, at, snapshot->what[i]);
    }
    live->births = reader->head.first_birth;
}

/* Takes the live set from the key block just fetched. */
static rh_status
resynchronise(rh_reader *reader)
{
    rh_live_list *live = &reader->decoder.live;
    rh_bridge *bridge = &reader->bridge;
    release_bridge(bridge);
    rh_snapshot snapshot;
    uint32_t *slot = NULL;
    rh_status status = read_snapshot(reader, &snapshot);
    if (status == RH_OK) {
        slot = malloc(snapshot.count * sizeof *slot + 1);
        bridge->deaths = malloc(live->blocks * sizeof *bridge->deaths + 1);
        bridge->births = malloc(snapshot.count * sizeof *bridge->births + 1);
        if (!slot || !bridge->deaths || !bridge->births ||
            !rh_live_list_reserve(live, (uint32_t)snapshot.count))
            status = no_memory(reader);
    }
    if (status == RH_OK) {
        match(live, &snapshot, slot, bridge);
        adopt(reader, &snapshot, slot);
        reader->decoder.threads = reader->head.threads;
    }
    free(slot);
    rh_snapshot_release(&snapshot);
    return status;
}

/* Compares the snapshot of a key block with the live set that the events made. */
static rh_status
audit(rh_reader *reader)
{
    rh_snapshot snapshot;
    rh_status status = read_snapshot(reader, &snapshot);
    const rh_live_list *live = &reader->decoder.live;
    if (status == RH_OK) {
        size_t same = rh_snapshot_compare(&snapshot, live);
        if (same != live->blocks || same != snapshot.count)
            contradict(reader, "the live set differs from what the events make at its block %zu",
                       same);
    }
    rh_snapshot_release(&snapshot);
    return status;
}

static rh_status
compare_sums(rh_reader *reader, bool with_snapshot)
{
    const rh_block_head *head = &reader->head;
    const rh_live_list *live = &reader->decoder.live;
    if (head->first_birth != live->births || head->live_blocks != live->blocks)
        return damage(reader, "a block does not continue the one before");
    compare(reader, "the sum of live bytes", head->live_bytes, live->bytes);
    compare(reader, "the current thread", head->thread, reader->decoder.thread);
    compare(reader, "the number of threads", head->threads, reader->decoder.threads);
    return head->key && with_snapshot ? audit(reader) : RH_OK;
}

/* Makes the block `reader->block` the one being decoded. `anew`: it is a key block and the live set
 * comes from it; that is changed last, when nothing else can fail. */
static rh_status
enter_block(rh_reader *reader, bool anew)
{
    const rh_block_head *head = &reader->head;
    reader->resume = reader->block + 1;
    rh_status status = fetch(reader);
    if (status != RH_OK)
        return status;
    if (head->key)
        rh_unpacker_restart(&reader->unpacker);
    if (!anew)
        status = compare_sums(reader, reader->options.audit);
    if (status == RH_OK)
        status = unpack(reader, 0, RH_STREAMS_CONTINUED);
    if (status != RH_OK)
        return status;
    if (!rh_decoder_begin(&reader->decoder, head, reader->raw))
        return damage(reader, reader->decoder.problem);
    if (anew)
        status = resynchronise(reader);
    if (status != RH_OK)
        return status;
    reader->next_event = head->first_event;
    reader->inside = true;
    reader->unpacked++;
    return RH_OK;
}

static rh_status
keep_place(rh_reader *reader, const rh_damage *place, uint64_t next_event)
{
    rh_damage *damage = realloc(reader->damage, (reader->damages + 1) * sizeof *damage);
    if (!damage)
        return no_memory(reader);
    reader->damage = damage;
    damage[reader->damages] = *place;
    if (next_event > place->event)
        damage[reader->damages].lost_events = next_event - place->event;
    reader->damages++;
    return RH_OK;
}

/* After damage: the next key block that can be read. What lies before it is lost. */
static rh_status
skip_damage(rh_reader *reader)
{
    const rh_block_table *table = reader->table;
    rh_damage place = reader->place;
    reader->inside = false;
    for (reader->block = reader->resume; reader->block < table->blocks; reader->block++) {
        if (!table->block[reader->block].key)
            continue;
        rh_status status = enter_block(reader, true);
        if (status == RH_OK)
            return keep_place(reader, &place, reader->next_event);
        if (status != RH_BAD_INPUT || reader->refused)
            return status;
        reader->next_event = place.event;
    }
    reader->tail_told = true;
    return keep_place(reader, &place, rh_reader_end_event(reader) + table->tail_events);
}

static rh_status
check_tail(rh_reader *reader)
{
    const rh_block_table *table = reader->table;
    if (reader->tail_told || !table->tail_bytes)
        return RH_OK;
    reader->tail_told = true;
    return damage(reader, "the file ends inside a block, or what follows is damaged");
}

/* At the key block where an interval ends: whoever begins there must begin with what the events
 * made so far. */
static rh_status
end_interval(rh_reader *reader)
{
    rh_status status = fetch(reader);
    if (status == RH_OK)
        status = compare_sums(reader, true);
    reader->stopped = status == RH_OK;
    return status;
}

/* Goes on to the next block; false in `more` at the end. */
static rh_status
advance(rh_reader *reader, bool *more)
{
    const rh_block_table *table = reader->table;
    *more = reader->block < table->blocks;
    reader->resume = reader->block;
    if (!*more)
        return check_tail(reader);
    const rh_block_entry *entry = &table->block[reader->block];
    uint64_t expected = reader->block ? entry[-1].offset + entry[-1].bytes : table->blocks_offset;
    if (entry->offset != expected || (reader->block == 0 && !entry->key) ||
        entry->first_event != reader->next_event)
        return damage(reader, "blocks are missing or damaged");
    if (reader->block != reader->stop)
        return enter_block(reader, reader->block == 0);
    *more = false;
    return reader->stopped ? RH_OK : end_interval(reader);
}

/* The last event of the block has been decoded. */
static void
leave_block(rh_reader *reader, rh_batch *batch)
{
    const rh_block_head *head = &reader->head;
    if (reader->next_event != head->first_event + head->events) {
        reader->decoder.problem = "a block has not as many events as it says";
        return;
    }
    batch->block_ends = true;
    batch->address_hash = head->address_hash;
    batch->hashed = head->hashed;
    reader->inside = false;
    reader->block++;
}

static rh_event
bridge_event(rh_operation operation, uint32_t slot, uint64_t what)
{
    rh_live_node node = {.what = what};
    unsigned nested = rh_live_nested(&node) ? RH_EVENT_NESTED : 0;
    return (rh_event){.operation = (uint8_t)operation,
                      .domain = (uint8_t)rh_live_domain(&node),
                      .flags = (uint8_t)(RH_EVENT_BRIDGE | nested),
                      .slot = slot,
                      .size = rh_live_size(&node)};
}

/* Fills the batch from what bridges two live sets; false when that is done. */
static bool
cross_bridge(rh_reader *reader, rh_batch *batch)
{
    rh_bridge *bridge = &reader->bridge;
    const rh_live_list *live = &reader->decoder.live;
    size_t count = 0;
    while (count < BATCH_EVENTS && bridge->deaths_done < bridge->death_count) {
        const struct death *death = &bridge->deaths[bridge->deaths_done++];
        reader->events[count++] = bridge_event(RH_FREE, death->slot, death->what);
    }
    while (count < BATCH_EVENTS && bridge->births_done < bridge->birth_count) {
        uint32_t slot = bridge->births[bridge->births_done++];
        reader->events[count++] = bridge_event(RH_MALLOC, slot, live->node[slot].what);
    }
    if (!count)
        release_bridge(bridge);
    batch->count = count;
    return count != 0;
}

/* Decodes words, as far as there are any; `*all`: nothing else comes before the end of the room or
 * of the block. */
static rh_status
fill_words(rh_reader *reader, bool *all)
{
    rh_words *words = reader->words;
    uint32_t capacity = words->capacity;
    words->capacity = capacity < WORDS_AT_ONCE ? capacity : WORDS_AT_ONCE;
    bool room = rh_live_list_reserve(&reader->decoder.live, words->capacity);
    if (room)
        *all = rh_decoder_words(&reader->decoder, words);
    words->capacity = capacity;
    return room ? RH_OK : no_memory(reader);
}

/* Decodes the next events of the block into the batch, at most `most`. */
static rh_status
fill_batch(rh_reader *reader, rh_batch *batch, size_t most)
{
    if (!rh_live_list_reserve(&reader->decoder.live, BATCH_EVENTS))
        return no_memory(reader);
    batch->count = rh_decoder_events(&reader->decoder, reader->events, most);
    batch->first_event = reader->next_event;
    return RH_OK;
}

/* Decodes what comes next in the block. What was decoded before a problem is delivered first. */
static rh_status
fill(rh_reader *reader, rh_batch *batch)
{
    rh_decoder *decoder = &reader->decoder;
    rh_words *words = reader->words;
    if (decoder->problem)
        return damage(reader, decoder->problem);
    if (decoder->live.blocks > reader->options.max_live_blocks)
        return too_many_alive(reader, decoder->live.blocks);
    bool all = false;
    rh_status status = words ? fill_words(reader, &all) : RH_OK;
    if (status == RH_OK && !all && !decoder->problem && (!words || !words->events))
        status = fill_batch(reader, batch, words && !decoder->has_addresses ? 1 : BATCH_EVENTS);
    if (status != RH_OK)
        return status;
    size_t count = batch->count + (words ? words->events : 0);
    reader->next_event += count;
    if (decoder->births.exhausted)
        return no_memory(reader);
    if (decoder->problem)
        return count ? RH_OK : damage(reader, decoder->problem);
    if (decoder->tokens.at == decoder->tokens.end)
        leave_block(reader, batch);
    return RH_OK;
}

/* One step on: events in the batch, or the next block entered, or `*more` false. */
static rh_status
step(rh_reader *reader, rh_batch *batch, bool *more)
{
    if (cross_bridge(reader, batch))
        return RH_OK;
    if (!reader->inside)
        return advance(reader, more);
    return fill(reader, batch);
}

static rh_status
next_batch(rh_reader *reader, rh_batch *batch)
{
    bool more = true;
    while (more && !batch->count && !(reader->words && reader->words->events)) {
        batch->block_ends = false; /* of a block without events */
        rh_status status = step(reader, batch, &more);
        if (status == RH_BAD_INPUT && reader->options.lenient && !reader->refused) {
            more = true;
            status = skip_damage(reader);
        }
        if (status != RH_OK)
            return status;
    }
    return RH_OK;
}

static rh_status
give_failure(const rh_reader *reader, rh_error *error)
{
    if (error)
        *error = reader->failure;
    return reader->failure.status;
}

static void
begin_batch(rh_reader *reader, rh_batch *batch)
{
    *batch = (rh_batch){.events = reader->events, .first_event = reader->next_event};
}

void
rh_reader_use_wording(rh_reader *reader, const rh_wording *wording)
{
    rh_decoder_use_wording(&reader->decoder, wording);
}

rh_status
rh_reader_next_words(rh_reader *reader, rh_words *words, rh_batch *batch, rh_error *error)
{
    words->events = 0;
    words->tally = 0;
    reader->words = words;
    rh_status status = rh_reader_next(reader, batch, error);
    reader->words = NULL;
    return status;
}

rh_status
rh_reader_next(rh_reader *reader, rh_batch *batch, rh_error *error)
{
    begin_batch(reader, batch);
    reader->told = 0;
    if (reader->failed)
        return give_failure(reader, error);
    if (reader->sought) {
        release_bridge(&reader->bridge);
        reader->sought = false;
    }
    rh_status status = next_batch(reader, batch);
    batch->slots = reader->decoder.live.used;
    batch->time_ns = reader->head.time_ns;
    reader->failed = status != RH_OK;
    return status == RH_OK ? RH_OK : give_failure(reader, error);
}

/* Leaves the reader before `block`, with nothing alive, as if the trace began there. */
static void
move_to(rh_reader *reader, size_t block)
{
    const rh_block_table *table = reader->table;
    release_bridge(&reader->bridge);
    rh_live_list_clear(&reader->decoder.live);
    rh_birth_index_restart(&reader->decoder.births, 0);
    reader->decoder.threads = 1;
    reader->decoder.thread = 0;
    reader->block = block;
    reader->stop = SIZE_MAX;
    reader->stopped = reader->inside = reader->failed = reader->tail_told = false;
    reader->next_event = block < table->blocks ? table->block[block].first_event : 0;
    reader->told = 0;
}

/* Enters the key block where the reader stands, and the live set comes from it. */
static rh_status
begin_at_key(rh_reader *reader, rh_error *error)
{
    reader->sought = true;
    rh_status status = enter_block(reader, true);
    if (status == RH_BAD_INPUT && reader->options.lenient && !reader->refused)
        status = skip_damage(reader);
    reader->failed = status != RH_OK;
    return status == RH_OK ? RH_OK : give_failure(reader, error);
}

rh_status
rh_reader_seek(rh_reader *reader, uint64_t event, rh_error *error)
{
    const rh_block_table *table = reader->table;
    if (reader->failed && reader->refused)
        return give_failure(reader, error);
    size_t key = 0;
    for (size_t i = 0; i < table->blocks && table->block[i].first_event <= event; i++)
        if (table->block[i].key)
            key = i;
    move_to(reader, key);
    return table->blocks ? begin_at_key(reader, error) : RH_OK;
}

rh_status
rh_reader_enter(rh_reader *reader, const rh_interval *interval, rh_error *error)
{
    if (reader->failed && reader->refused)
        return give_failure(reader, error);
    move_to(reader, interval->block);
    reader->stop = interval->end_block;
    return interval->block ? begin_at_key(reader, error) : RH_OK;
}

/* Whether a block began before `ns`; one whose head cannot be read did not, so that reading begins
 * before it and meets the damage. */
static bool
began_before(const rh_reader *reader, size_t block, uint64_t ns)
{
    const rh_block_entry *entry = &reader->table->block[block];
    uint8_t bytes[RH_BLOCK_HEAD_MAX];
    size_t size = entry->bytes < sizeof bytes ? (size_t)entry->bytes : sizeof bytes;
    rh_block_head head;
    return rh_block_table_read(reader->table, entry->offset, bytes, size, NULL) == RH_OK &&
           rh_block_head_read(bytes, size, &head) == RH_HEAD_SOUND && head.time_ns < ns;
}

rh_status
rh_reader_seek_time(rh_reader *reader, uint64_t ns, rh_error *error)
{
    size_t count = 0;
    rh_interval *interval = rh_reader_intervals(reader, 0, &count);
    if (!interval)
        return rh_fail(error, RH_SYSTEM, "%s: out of memory", reader->table->path);
    size_t low = 0, high = count; /* the last that began before lies from low to high - 1 */
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (began_before(reader, interval[middle].block, ns))
            low = middle;
        else
            high = middle;
    }
    uint64_t event = interval[low].first_event;
    free(interval);
    return rh_reader_seek(reader, event, error);
}

rh_interval *
rh_reader_intervals(const rh_reader *reader, uint64_t least_events, size_t *count)
{
    const rh_block_table *table = reader->table;
    size_t keys = 0;
    for (size_t i = 0; i < table->blocks; i++)
        keys += table->block[i].key;
    rh_interval *list = calloc(keys + 1, sizeof *list);
    if (!list)
        return NULL;
    list[0].end_block = SIZE_MAX;
    *count = 1;
    for (size_t i = 1; i < table->blocks; i++) {
        rh_interval *last = &list[*count - 1];
        uint64_t first = table->block[i].first_event;
        if (!table->block[i].key || first - last->first_event < least_events)
            continue;
        last->end_block = i;
        list[(*count)++] = (rh_interval){i, SIZE_MAX, first};
    }
    return list;
}

rh_status
rh_reader_live(rh_reader *reader, rh_batch *batch, rh_error *error)
{
    begin_batch(reader, batch);
    if (reader->failed)
        return give_failure(reader, error);
    const rh_live_list *live = &reader->decoder.live;
    uint32_t at = live->link[reader->told].after;
    for (; at && batch->count < BATCH_EVENTS; at = live->link[at].after) {
        reader->events[batch->count++] = bridge_event(RH_MALLOC, at, live->node[at].what);
        reader->told = at;
    }
    batch->slots = live->used;
    batch->time_ns = reader->head.time_ns;
    return RH_OK;
}
