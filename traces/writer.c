/* Writing: events are gathered into the streams of a block, which is compressed and appended when
 * it is full. Tokens wait as ids of shapes until then, because only the whole block tells which
 * shapes are worth a token.
 */
#define _GNU_SOURCE
#include "traces/writer.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include "base/output.h"
#include "traces/format.h"
#include "traces/live_list.h"
#include "traces/packer.h"
#include "traces/token_table.h"
#include "traces/trace_json.h"

enum {
    STANDARD_LEVEL = 3,
    STANDARD_BLOCK_EVENTS = 1 << 17,
    BLOCK_EVENTS_MIN = 16,
    STEPS_TRIED = 32,            /* to reach a death, an even number: more cost time and hardly save
                                    bytes */
    TEXTS_ENOUGH = 1 << 22,      /* a block with more bytes of text ends */
    KEY_SHARE = 20,              /* a key block costs at most one part in so many */
    KEY_RESTART_BYTES = 8 << 10, /* what starting the streams anew costs, about */
    KEY_EVENTS = 1 << 26         /* they are decoded in half a second */
};

/* Bytes of a block of memory in a snapshot, before one has been measured. */
#define SNAPSHOT_GUESS 0.5

struct rh_writer {
    rh_output_file file; /* in place: only the path is used */
    bool in_place;
    int descriptor;
    uint64_t offset; /* bytes written */
    rh_error broken; /* of the first failure: it sticks */

    rh_trace_info info;
    uint32_t block_events, key_bytes;
    uint64_t nested_blocks, nested_bytes; /* of those alive */
    uint64_t events, blocks_written;
    uint64_t last_time_ns;
    uint32_t thread, threads;

    /* The block being gathered. */
    bool open;
    rh_block_head head;
    uint16_t *ids; /* a token each, to be; room for two an event */
    size_t id_count;
    uint16_t plain_free;
    rh_bytes raw[RH_STREAMS];
    rh_bytes packed;

    rh_live_list live;
    rh_token_table *table;
    uint64_t coded_time;    /* in the unit of the column */
    uint64_t arena_address; /* of the arena event before */
    uint64_t address[RH_ADDRESS_CLASSES];

    rh_packer packer;
    double snapshot_rate; /* bytes a live block */
    uint64_t since_key;   /* bytes of blocks since the last key began */
    uint64_t key_event;   /* number of its first event */
    uint64_t key_events;  /* at most so many to the next */
    rh_bytes index;
};

static rh_status
no_memory(rh_writer *writer)
{
    return rh_fail(&writer->broken, RH_SYSTEM, "%s: out of memory while writing",
                   writer->file.path);
}

static rh_status
give_error(const rh_writer *writer, rh_error *error)
{
    if (error && writer->broken.status != RH_OK)
        *error = writer->broken;
    return writer->broken.status;
}

/* Appends to the file. After a failure the file is cut back to its last whole block, so that one
 * written in place stays readable. */
static rh_status
append(rh_writer *writer, const void *bytes, size_t size)
{
    const char *at = bytes;
    size_t left = size;
    while (left) {
        ssize_t wrote = write(writer->descriptor, at, left);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote <= 0) {
            int problem = wrote < 0 ? errno : ENOSPC;
            if (ftruncate(writer->descriptor, (off_t)writer->offset) != 0) {
                /* The rest of a block at the end is passed over by readers. */
            }
            return rh_fail_errno(&writer->broken, RH_SYSTEM, problem,
                                 "%s: cannot write after byte %llu; make room or choose another "
                                 "place",
                                 writer->file.path, (unsigned long long)writer->offset);
        }
        at += wrote;
        left -= (size_t)wrote;
    }
    writer->offset += size;
    return RH_OK;
}

static rh_status
open_file(rh_writer *writer, const char *path, rh_error *error)
{
    if (!writer->in_place) {
        rh_status status = rh_output_open(&writer->file, path, error);
        if (status == RH_OK)
            writer->descriptor = fileno(writer->file.stream);
        return status;
    }
    if (strlen(path) >= sizeof writer->file.path)
        return rh_fail(error, RH_USAGE, "%s: the path is too long", path);
    snprintf(writer->file.path, sizeof writer->file.path, "%s", path);
    writer->descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (writer->descriptor < 0)
        return rh_fail_errno(error, RH_SYSTEM, errno, "%s: cannot create it", path);
    return RH_OK;
}

static rh_status
write_header(rh_writer *writer)
{
    char *json = rh_trace_json_header(&writer->info);
    if (!json)
        return no_memory(writer);
    size_t length = strlen(json);
    rh_status status = RH_OK;
    uint8_t *bytes = malloc(RH_HEADER_BYTES + length);
    if (!bytes) {
        status = no_memory(writer);
    } else if (length > RH_JSON_MAX) {
        status = rh_fail(&writer->broken, RH_USAGE,
                         "%s: its description takes %zu bytes, more than a trace has room for",
                         writer->file.path, length);
    } else {
        rh_header_write(bytes, json, length);
        status = append(writer, bytes, RH_HEADER_BYTES + length);
    }
    free(bytes);
    free(json);
    return status;
}

static bool
allocate(rh_writer *writer, int level)
{
    bool good = rh_packer_init(&writer->packer, level);
    good = rh_live_list_init(&writer->live) && good;
    writer->ids = malloc((size_t)writer->block_events * 2 * sizeof *writer->ids);
    writer->table = malloc(sizeof *writer->table);
    good = good && writer->ids && writer->table;
    /* What every event may add to without asking. */
    good = good && rh_bytes_reserve(&writer->raw[RH_STREAM_STEPS], writer->block_events);
    static const rh_stream varints[] = {RH_STREAM_DISTANCES, RH_STREAM_TIMES, RH_STREAM_ADDRESSES};
    for (size_t i = 0; i < sizeof varints / sizeof *varints; i++)
        good = good && rh_bytes_reserve(&writer->raw[varints[i]],
                                        (size_t)writer->block_events * RH_VARINT_MAX);
    return good;
}

static void
release(rh_writer *writer)
{
    rh_live_list_release(&writer->live);
    free(writer->ids);
    free(writer->table);
    rh_packer_release(&writer->packer);
    for (unsigned i = 0; i < RH_STREAMS; i++)
        rh_bytes_release(&writer->raw[i]);
    rh_bytes_release(&writer->packed);
    rh_bytes_release(&writer->index);
    rh_trace_info_release(&writer->info);
    free(writer);
}

static void
remove_file(rh_writer *writer)
{
    if (!writer->in_place) {
        rh_output_abandon(&writer->file);
    } else if (writer->descriptor >= 0) {
        struct stat status;
        /* A device that was written to is not ours to remove. */
        if (fstat(writer->descriptor, &status) == 0 && S_ISREG(status.st_mode))
            unlink(writer->file.path);
        close(writer->descriptor);
    }
    writer->descriptor = -1;
}

rh_status
rh_writer_may_replace(const char *path, rh_error *error)
{
    if (rh_output_there(path, RH_TRACE_MAGIC, strlen(RH_TRACE_MAGIC)) != RH_THERE_OTHER)
        return RH_OK;
    return rh_fail(error, RH_USAGE,
                   "%s: a file is there that is not a trace; remove it first, or choose another "
                   "name",
                   path);
}

rh_status
rh_writer_open(const char *path, const rh_trace_info *info, const rh_writer_options *options,
               rh_writer **out, rh_error *error)
{
    static const rh_writer_options standard = {0};
    if (!options)
        options = &standard;
    int level = options->level ? options->level : STANDARD_LEVEL;
    uint32_t block_events = options->block_events ? options->block_events : STANDARD_BLOCK_EVENTS;
    if (level < ZSTD_minCLevel() || level > ZSTD_maxCLevel())
        return rh_fail(error, RH_USAGE, "%s: compression level %d is not one of %d to %d", path,
                       level, ZSTD_minCLevel(), ZSTD_maxCLevel());
    if (block_events < BLOCK_EVENTS_MIN || block_events > RH_BLOCK_EVENTS_MAX)
        return rh_fail(error, RH_USAGE, "%s: blocks of %u events are outside of %d to %d", path,
                       block_events, BLOCK_EVENTS_MIN, RH_BLOCK_EVENTS_MAX);

    if (rh_writer_may_replace(path, error) != RH_OK)
        return RH_USAGE;

    rh_writer *writer = calloc(1, sizeof *writer);
    if (!writer)
        return rh_fail(error, RH_SYSTEM, "%s: out of memory", path);
    writer->in_place = options->in_place;
    writer->descriptor = -1;
    writer->block_events = block_events;
    writer->key_bytes = options->key_bytes ? options->key_bytes : KEY_RESTART_BYTES;
    writer->key_events = options->key_events ? options->key_events : KEY_EVENTS;
    writer->snapshot_rate = SNAPSHOT_GUESS;
    writer->threads = 1;
    rh_trace_info_init(&writer->info);
    rh_status status = open_file(writer, path, error);
    if (status != RH_OK) {
        release(writer);
        return status;
    }
    if (!allocate(writer, level) || !rh_trace_info_copy(&writer->info, info))
        no_memory(writer);
    else
        write_header(writer);
    if (writer->broken.status != RH_OK) {
        status = give_error(writer, error);
        rh_writer_discard(writer);
        return status;
    }
    *out = writer;
    return RH_OK;
}

/* The live set, oldest first: the distance of each birth number from the one before less one, then
 * its size; domain and nesting go before the size as a byte. */
static bool
gather_snapshot(rh_writer *writer)
{
    rh_live_list *live = &writer->live;
    rh_bytes *gaps = &writer->raw[RH_STREAM_LIVE_GAPS];
    rh_bytes *sizes = &writer->raw[RH_STREAM_LIVE_SIZES];
    if (!rh_bytes_reserve(gaps, live->blocks * RH_VARINT_MAX) ||
        !rh_bytes_reserve(sizes, live->blocks * (1 + RH_VARINT_MAX)))
        return false;
    uint8_t *gap_out = gaps->data + gaps->size, *size_out = sizes->data + sizes->size;
    uint64_t expected = 0;
    for (uint32_t at = live->link[0].after; at; at = live->link[at].after) {
        const rh_live_node *node = &live->node[at];
        gap_out = rh_put_varint(gap_out, node->birth - expected);
        expected = node->birth + 1;
        *size_out++ = (uint8_t)(node->what >> RH_LIVE_SHIFT);
        size_out = rh_put_varint(size_out, rh_live_size(node));
    }
    gaps->size = (size_t)(gap_out - gaps->data);
    sizes->size = (size_t)(size_out - sizes->data);
    return true;
}

static bool
key_is_due(const rh_writer *writer)
{
    double cost = (double)writer->live.blocks * writer->snapshot_rate + writer->key_bytes;
    return writer->blocks_written == 0 || (double)writer->since_key >= cost * KEY_SHARE ||
           writer->events - writer->key_event >= writer->key_events;
}

static rh_status
begin_block(rh_writer *writer)
{
    writer->head = (rh_block_head){.key = key_is_due(writer),
                                   .first_event = writer->events,
                                   .first_birth = writer->live.births,
                                   .time_ns = writer->last_time_ns,
                                   .thread = writer->thread,
                                   .threads = writer->threads,
                                   .live_blocks = writer->live.blocks,
                                   .live_bytes = writer->live.bytes};
    writer->id_count = 0;
    if (writer->head.key) {
        writer->key_event = writer->events;
        writer->live.gap = 0;
        writer->coded_time = 0;
        writer->arena_address = 0;
        memset(writer->address, 0, sizeof writer->address);
        rh_token_table_clear(writer->table);
        if (!gather_snapshot(writer))
            return no_memory(writer);
    } else {
        rh_token_table_next_block(writer->table);
    }
    rh_token_key plain_free = {.what = RH_FREE | RH_DOMAIN_AS_BORN << RH_KEY_DOMAIN_SHIFT};
    writer->plain_free = rh_token_table_find(writer->table, &plain_free);
    writer->open = true;
    return RH_OK;
}

static rh_status
pack_streams(rh_writer *writer)
{
    rh_block_head *head = &writer->head;
    rh_bytes *packed = &writer->packed;
    packed->size = 0;
    if (!rh_bytes_reserve(packed, RH_BLOCK_HEAD_MAX))
        return no_memory(writer);
    packed->size = RH_BLOCK_HEAD_MAX; /* the head goes before them */
    for (unsigned i = 0; i < (head->key ? RH_STREAMS : RH_STREAMS_CONTINUED); i++) {
        size_t before = packed->size;
        const char *problem =
            rh_packer_pack(&writer->packer, i, head->key, &writer->raw[i], packed);
        if (problem)
            return rh_fail(&writer->broken, RH_SYSTEM, "%s: cannot compress: %s", writer->file.path,
                           problem);
        head->raw[i] = writer->raw[i].size;
        head->packed[i] = packed->size - before;
        writer->raw[i].size = 0;
    }
    size_t payload = packed->size - RH_BLOCK_HEAD_MAX;
    if (payload > UINT32_MAX)
        return rh_fail(&writer->broken, RH_SYSTEM, "%s: a block of %zu bytes is too large",
                       writer->file.path, payload);
    head->payload_bytes = (uint32_t)payload;
    head->payload_hash = rh_format_hash(packed->data + RH_BLOCK_HEAD_MAX, payload);
    return RH_OK;
}

/* Ids become tokens; shapes without one are spelled out. What happened is counted here, by shape,
 * and not event by event. */
static rh_status
translate(rh_writer *writer)
{
    rh_token_table *table = writer->table;
    rh_bytes *tokens = &writer->raw[RH_STREAM_TOKENS], *rare = &writer->raw[RH_STREAM_RARE];
    rh_bytes *definitions = &writer->raw[RH_STREAM_DEFINITIONS];
    if (!rh_bytes_reserve(definitions, RH_TOKENS * (1 + RH_SHAPE_BYTES_MAX)) ||
        !rh_bytes_reserve(tokens, writer->id_count))
        return no_memory(writer);
    rh_token_table_assign(table, writer->ids, writer->id_count, definitions);
    size_t spelled = 0;
    for (size_t i = 0; i < writer->id_count; i++) {
        uint8_t token = table->token[writer->ids[i]];
        tokens->data[i] = token;
        spelled += token == 0;
    }
    tokens->size = writer->id_count;
    if (!rh_bytes_reserve(rare, spelled * RH_SHAPE_BYTES_MAX))
        return no_memory(writer);
    uint8_t *out = rare->data;
    for (size_t i = 0; spelled; i++) {
        if (tokens->data[i])
            continue;
        rh_shape shape = rh_token_key_shape(&table->key[writer->ids[i]]);
        out = rh_put_shape(out, &shape);
        spelled--;
    }
    rare->size = rare->data ? (size_t)(out - rare->data) : 0;
    return RH_OK;
}

/* Counts what happened, and refuses what readers would. */
static rh_status
count_shapes(rh_writer *writer)
{
    const rh_token_table *table = writer->table;
    for (uint32_t id = 0; id < table->shapes; id++) {
        rh_shape shape = rh_token_key_shape(&table->key[id]);
        if (!rh_shape_makes_sense(&shape))
            return rh_fail(&writer->broken, RH_BAD_INPUT,
                           "%s: among events %llu to %llu is one of operation %u, flags %#x and "
                           "size %llu, which makes no sense",
                           writer->file.path, (unsigned long long)writer->head.first_event,
                           (unsigned long long)writer->events - 1, shape.operation, shape.flags,
                           (unsigned long long)shape.size);
        rh_trace_info_count(&writer->info, shape.operation, shape.flags, table->uses[id]);
    }
    return RH_OK;
}

static rh_status
note_in_index(rh_writer *writer, uint64_t block_bytes)
{
    if (!rh_bytes_reserve(&writer->index, 2 * RH_VARINT_MAX))
        return no_memory(writer);
    uint8_t *out = writer->index.data + writer->index.size;
    out = rh_put_varint(out, block_bytes << 1 | writer->head.key);
    out = rh_put_varint(out, writer->head.events);
    writer->index.size = (size_t)(out - writer->index.data);
    writer->blocks_written++;
    return RH_OK;
}

static void
measure_key(rh_writer *writer, uint64_t block_bytes)
{
    const rh_block_head *head = &writer->head;
    writer->since_key = (head->key ? 0 : writer->since_key) + block_bytes;
    if (!head->key || head->live_blocks == 0)
        return;
    uint64_t snapshot = head->packed[RH_STREAM_LIVE_GAPS] + head->packed[RH_STREAM_LIVE_SIZES];
    writer->since_key -= snapshot;
    writer->snapshot_rate = (double)snapshot / (double)head->live_blocks;
}

static rh_status
end_block(rh_writer *writer)
{
    rh_block_head *head = &writer->head;
    if (!writer->open)
        return RH_OK;
    writer->open = false;
    head->events = (uint32_t)(writer->events - head->first_event);
    head->tokens = (uint32_t)writer->id_count;
    if (translate(writer) != RH_OK || count_shapes(writer) != RH_OK ||
        pack_streams(writer) != RH_OK)
        return writer->broken.status;
    uint8_t bytes[RH_BLOCK_HEAD_MAX];
    size_t head_bytes = rh_block_head_write(head, bytes);
    uint8_t *start = writer->packed.data + RH_BLOCK_HEAD_MAX - head_bytes;
    memcpy(start, bytes, head_bytes);
    uint64_t block_bytes = head_bytes + head->payload_bytes;
    if (append(writer, start, block_bytes) != RH_OK || note_in_index(writer, block_bytes) != RH_OK)
        return writer->broken.status;
    measure_key(writer, block_bytes);
    return RH_OK;
}

_Static_assert(2 * STEPS_TRIED + 1 < RH_STEP_FAR, "steps fit their byte");

/* Steps from `at` forth to `back`, which stands there or later; above STEPS_TRIED when there are
 * more than that. Each step waits for memory, so both ends walk, and their waits overlap: the way
 * is half as long. */
static unsigned
steps_between(const rh_live_link *link, uint32_t at, uint32_t back)
{
    for (unsigned steps = 0; steps < STEPS_TRIED; steps += 2) {
        if (at == back)
            return steps;
        at = link[at].after;
        if (at == back)
            return steps + 1;
        back = link[back].before;
    }
    return at == back ? STEPS_TRIED : STEPS_TRIED + 1;
}

/* How a death is told: the byte of its steps, and where those are too many, the distance of the
 * birth numbers. */
static inline void
put_death(rh_writer *writer, uint32_t slot)
{
    const rh_live_list *live = &writer->live;
    rh_bytes *steps = &writer->raw[RH_STREAM_STEPS];
    uint64_t birth = live->node[slot].birth, from = live->node[live->gap].birth;
    unsigned code;
    if (birth >= from)
        code = 2 * steps_between(live->link, live->gap, slot);
    else
        code = 2 * steps_between(live->link, slot, live->link[live->gap].before) + 1;
    if (code >= 2 * (STEPS_TRIED + 1)) {
        code = RH_STEP_FAR;
        rh_bytes *distances = &writer->raw[RH_STREAM_DISTANCES];
        uint8_t *out = distances->data + distances->size;
        out = rh_put_varint(out, rh_zigzag((int64_t)(birth - (live->gap ? from : live->births))));
        distances->size = (size_t)(out - distances->data);
    }
    steps->data[steps->size++] = (uint8_t)code;
}

static void
die(rh_writer *writer, uint32_t slot)
{
    const rh_live_node *node = &writer->live.node[slot];
    assert(slot && slot < writer->live.used && node->birth != RH_LIVE_NONE);
    if (rh_live_nested(node)) {
        writer->nested_blocks--;
        writer->nested_bytes -= rh_live_size(node);
    }
    put_death(writer, slot);
    rh_live_unlink(&writer->live, slot);
}

static void
put_column(rh_bytes *column, uint64_t value)
{
    column->size = (size_t)(rh_put_varint(column->data + column->size, value) - column->data);
}

static void
put_address(rh_writer *writer, const rh_event *event)
{
    uint64_t *last = &writer->address[rh_address_class(event->size)];
    put_column(&writer->raw[RH_STREAM_ADDRESSES],
               rh_address_code((int64_t)(event->address - *last)));
    *last = event->address;
}

static inline void
be_born(rh_writer *writer, const rh_event *event, uint32_t slot)
{
    rh_live_list *live = &writer->live;
    uint64_t what = event->size | (uint64_t)event->domain << RH_LIVE_SHIFT;
    if (event->flags & RH_EVENT_NESTED) {
        what |= RH_LIVE_NESTED;
        writer->nested_blocks++;
        writer->nested_bytes += event->size;
    }
    rh_live_append(live, slot, what);
    uint64_t bytes = live->bytes - writer->nested_bytes;
    uint64_t blocks = live->blocks - writer->nested_blocks;
    rh_trace_info *info = &writer->info;
    if (bytes > info->peak_requested_bytes)
        info->peak_requested_bytes = bytes;
    if (blocks > info->peak_live_blocks)
        info->peak_live_blocks = blocks;
    if (event->flags & RH_EVENT_POOLED && !(event->flags & RH_EVENT_NESTED)) {
        writer->head.address_hash = rh_address_hash(writer->head.address_hash, event->address);
        writer->head.hashed++;
    }
    if (writer->info.addresses)
        put_address(writer, event);
}

static void
put_arena(rh_writer *writer, const rh_event *event)
{
    int64_t delta = (int64_t)(event->address - writer->arena_address);
    put_column(&writer->raw[RH_STREAM_ADDRESSES], rh_address_code(delta));
    writer->arena_address = event->address;
}

static rh_status
put_text(rh_writer *writer, const rh_event *event)
{
    rh_bytes *texts = &writer->raw[RH_STREAM_TEXTS];
    if (!rh_bytes_reserve(texts, event->size + 1))
        return no_memory(writer);
    if (event->size)
        memcpy(texts->data + texts->size, event->text, event->size);
    texts->size += event->size;
    texts->data[texts->size++] = '\0'; /* readers hand it out as it lies */
    return RH_OK;
}

static void
put_time(rh_writer *writer, const rh_event *event)
{
    uint64_t unit = writer->info.timestamps == RH_TIMES_COARSE ? RH_COARSE_NS : 1;
    uint64_t now = event->time_ns / unit;
    put_column(&writer->raw[RH_STREAM_TIMES], rh_zigzag((int64_t)(now - writer->coded_time)));
    writer->coded_time = now;
}

static void
put_thread(rh_writer *writer, uint32_t thread)
{
    rh_token_key key = {.what = RH_SHAPE_THREAD, .size = thread};
    writer->ids[writer->id_count++] = rh_token_table_find(writer->table, &key);
    writer->thread = thread;
    if (thread >= writer->threads)
        writer->threads = thread + 1;
}

static uint16_t
id_of(rh_writer *writer, const rh_event *event, const uint32_t *handle)
{
    rh_token_key key = {.what = rh_token_key_what(event), .size = event->size};
    switch (event->operation) {
    case RH_FREE:
        key.size = 0;
        if (rh_kills(RH_FREE, event->flags) &&
            rh_live_domain(&writer->live.node[*handle]) == event->domain) {
            if (event->flags == 0)
                return writer->plain_free;
            key.what |= RH_DOMAIN_AS_BORN << RH_KEY_DOMAIN_SHIFT;
        }
        break;
    case RH_CALLOC:
        key.size = event->count;
        key.element = event->element;
        break;
    default:
        break;
    }
    return rh_token_table_find(writer->table, &key);
}

/* Only what importers could get wrong about one event; the rest are the caller's promises. */
static rh_status
refuse_nonsense(rh_writer *writer, const rh_event *event, const uint32_t *handle)
{
    bool text = event->operation == RH_MARK || event->operation == RH_CHECKPOINT;
    if (event->operation >= RH_OPERATIONS || event->domain >= RH_EVENT_DOMAINS)
        return rh_fail(&writer->broken, RH_BAD_INPUT,
                       "%s: event %llu has operation %u in domain %u, which do not exist",
                       writer->file.path, (unsigned long long)writer->events, event->operation,
                       event->domain);
    if (event->operation == RH_FREE && event->domain == RH_DOMAIN_LIBC &&
        rh_kills(RH_FREE, event->flags) &&
        rh_live_domain(&writer->live.node[*handle]) != RH_DOMAIN_LIBC)
        return rh_fail(&writer->broken, RH_BAD_INPUT,
                       "%s: event %llu frees for the C library a block that is not its own",
                       writer->file.path, (unsigned long long)writer->events);
    if (event->size > (text ? RH_TEXT_MAX : RH_SIZE_MAX) &&
        (text || rh_bears(event->operation, event->flags)))
        return rh_fail(&writer->broken, RH_BAD_INPUT,
                       "%s: event %llu has %llu bytes, more than a trace can say",
                       writer->file.path, (unsigned long long)writer->events,
                       (unsigned long long)event->size);
    if (event->operation == RH_CALLOC && !(event->flags & RH_EVENT_FAILED) &&
        event->count * event->element != event->size)
        return rh_fail(&writer->broken, RH_BAD_INPUT,
                       "%s: event %llu has %llu bytes, and not %llu x %llu", writer->file.path,
                       (unsigned long long)writer->events, (unsigned long long)event->size,
                       (unsigned long long)event->count, (unsigned long long)event->element);
    if (event->address > RH_ADDRESS_MAX)
        return rh_fail(&writer->broken, RH_BAD_INPUT,
                       "%s: event %llu has the address %#llx, which no program has",
                       writer->file.path, (unsigned long long)writer->events,
                       (unsigned long long)event->address);
    return RH_OK;
}

static bool
block_is_full(const rh_writer *writer)
{
    return writer->events - writer->head.first_event >= writer->block_events ||
           writer->table->shapes + 2 >= RH_TABLE_SHAPES ||
           writer->raw[RH_STREAM_TEXTS].size >= TEXTS_ENOUGH;
}

/* What every event has, after what is its own. */
static inline rh_status
end_event(rh_writer *writer, const rh_event *event, rh_error *error)
{
    if (writer->info.timestamps != RH_TIMES_NONE)
        put_time(writer, event);
    writer->events++;
    if (block_is_full(writer) && end_block(writer) != RH_OK)
        return give_error(writer, error);
    return RH_OK;
}

static rh_status
put_any(rh_writer *writer, const rh_event *event, uint32_t *handle, rh_error *error)
{
    if (writer->broken.status != RH_OK || refuse_nonsense(writer, event, handle) != RH_OK)
        return give_error(writer, error);
    if (!writer->open && begin_block(writer) != RH_OK)
        return give_error(writer, error);
    if (!rh_live_has_room(&writer->live) && !rh_live_list_reserve(&writer->live, 1)) {
        no_memory(writer);
        return give_error(writer, error);
    }
    if (event->thread != writer->thread)
        put_thread(writer, event->thread);
    writer->ids[writer->id_count++] = id_of(writer, event, handle);

    bool kills = rh_kills(event->operation, event->flags);
    bool bears = rh_bears(event->operation, event->flags);
    if (kills)
        die(writer, *handle);
    if (bears) {
        if (!kills)
            *handle = rh_live_take_slot(&writer->live);
        be_born(writer, event, *handle);
    } else if (kills) {
        rh_live_give_slot(&writer->live, *handle);
    } else if (event->operation == RH_ARENA_ALLOC || event->operation == RH_ARENA_FREE) {
        put_arena(writer, event);
    } else if (event->operation == RH_MARK || event->operation == RH_CHECKPOINT) {
        if (put_text(writer, event) != RH_OK)
            return give_error(writer, error);
    }
    return end_event(writer, event, error);
}

/* Nothing has to be begun, enlarged or told before the event. */
static inline bool
is_ready(const rh_writer *writer, const rh_event *event)
{
    return writer->open && event->thread == writer->thread && rh_live_has_room(&writer->live) &&
           writer->broken.status == RH_OK;
}

/* Most events are mallocs and frees with nothing special about them: they have a short way each. */
rh_status
rh_writer_event(rh_writer *writer, const rh_event *event, uint32_t *handle, rh_error *error)
{
    if (event->time_ns > writer->last_time_ns)
        writer->last_time_ns = event->time_ns;
    if (event->operation == RH_FREE && event->flags == 0 && is_ready(writer, event) &&
        rh_live_domain(&writer->live.node[*handle]) == event->domain) {
        writer->ids[writer->id_count++] = writer->plain_free;
        die(writer, *handle);
        rh_live_give_slot(&writer->live, *handle);
        return end_event(writer, event, error);
    }
    if (event->operation == RH_MALLOC && (event->flags & ~RH_EVENT_POOLED) == 0 &&
        is_ready(writer, event) && event->domain < RH_EVENT_DOMAINS && event->size <= RH_SIZE_MAX &&
        event->address <= RH_ADDRESS_MAX) {
        rh_token_key key = {.what = rh_token_key_what(event), .size = event->size};
        writer->ids[writer->id_count++] = rh_token_table_find(writer->table, &key);
        *handle = rh_live_take_slot(&writer->live);
        be_born(writer, event, *handle);
        return end_event(writer, event, error);
    }
    return put_any(writer, event, handle, error);
}

void
rh_writer_expect(const rh_writer *writer, uint32_t handle)
{
    __builtin_prefetch(&writer->live.link[handle], 1);
    __builtin_prefetch(&writer->live.node[handle], 1);
}

rh_status
rh_writer_flush(rh_writer *writer, rh_error *error)
{
    if (writer->broken.status == RH_OK)
        end_block(writer);
    return give_error(writer, error);
}

/* Index and footer. */
static rh_status
write_end(rh_writer *writer)
{
    rh_trace_info *info = &writer->info;
    const rh_live_list *live = &writer->live;
    info->threads = writer->events ? writer->threads : 0;
    info->end_requested_bytes = live->bytes - writer->nested_bytes;
    info->end_live_blocks = live->blocks - writer->nested_blocks;
    info->elapsed_ns = writer->last_time_ns;
    char *json = rh_trace_json_totals(info);
    rh_bytes end = {0};
    rh_status status = RH_OK;
    if (!json || !rh_index_write(&end, &writer->index, json, writer->offset))
        status = no_memory(writer);
    else
        status = append(writer, end.data, end.size);
    rh_bytes_release(&end);
    free(json);
    return status;
}

static rh_status
keep_file(rh_writer *writer)
{
    rh_status status;
    if (writer->in_place) {
        bool good = fsync(writer->descriptor) == 0 || errno == EINVAL || errno == EROFS;
        int problem = errno;
        if (close(writer->descriptor) != 0 && good) {
            good = false;
            problem = errno;
        }
        status = good ? RH_OK
                      : rh_fail_errno(&writer->broken, RH_SYSTEM, problem, "%s: cannot write it",
                                      writer->file.path);
    } else {
        status = rh_output_commit(&writer->file, &writer->broken);
    }
    writer->descriptor = -1;
    return status;
}

void
rh_writer_set_undecided(rh_writer *writer, uint64_t events)
{
    writer->info.undecided_events = events;
}

bool
rh_writer_set_ended(rh_writer *writer, const char *why)
{
    free(writer->info.ended);
    writer->info.ended = why ? strdup(why) : NULL;
    return !why || writer->info.ended;
}

void
rh_writer_set_pauses(rh_writer *writer, uint64_t pauses)
{
    writer->info.pauses = pauses;
}

uint64_t
rh_writer_size_bound(const rh_writer *writer)
{
    enum { TOKEN_BYTES = 6, DEFINITION_BYTES = 12, SNAPSHOT_MARGIN = 2 };
    uint64_t bytes = writer->offset + writer->index.size;
    if (!writer->open) {
        double snapshot = (double)writer->live.blocks * writer->snapshot_rate * SNAPSHOT_MARGIN;
        return bytes + (key_is_due(writer) ? (uint64_t)snapshot : 0);
    }
    /* Until the block ends it is not known which shapes are spelled out. */
    bytes += writer->id_count * TOKEN_BYTES + RH_TOKENS * DEFINITION_BYTES + RH_BLOCK_HEAD_MAX;
    for (unsigned i = 0; i < RH_STREAMS; i++)
        bytes += writer->raw[i].size;
    return bytes;
}

rh_writer_state
rh_writer_look(const rh_writer *writer)
{
    return (rh_writer_state){.events = writer->events,
                             .last_time_ns = writer->last_time_ns,
                             .thread = writer->thread,
                             .threads = writer->threads};
}

rh_status
rh_writer_finish(rh_writer *writer, int64_t exit_status, uint64_t dropped, rh_error *error)
{
    writer->info.exit_status = exit_status;
    writer->info.dropped_events = dropped;
    if (writer->broken.status == RH_OK && end_block(writer) == RH_OK && write_end(writer) == RH_OK)
        keep_file(writer);
    else if (writer->in_place)
        close(writer->descriptor); /* whole blocks were written: readers recover them */
    else
        remove_file(writer);
    rh_status status = give_error(writer, error);
    release(writer);
    return status;
}

void
rh_writer_discard(rh_writer *writer)
{
    if (!writer)
        return;
    remove_file(writer);
    release(writer);
}
