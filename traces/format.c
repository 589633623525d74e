#include "traces/format.h"

#include <stdlib.h>
#include <xxhash.h>

bool
rh_bytes_reserve(rh_bytes *bytes, size_t more)
{
    if (more <= bytes->capacity - bytes->size)
        return true;
    if (more > SIZE_MAX / 2 - bytes->size)
        return false;
    size_t capacity = bytes->capacity ? bytes->capacity : 4096;
    while (capacity - bytes->size < more)
        capacity *= 2;
    uint8_t *data = realloc(bytes->data, capacity);
    if (!data)
        return false;
    bytes->data = data;
    bytes->capacity = capacity;
    return true;
}

void
rh_bytes_release(rh_bytes *bytes)
{
    free(bytes->data);
    *bytes = (rh_bytes){0};
}

uint64_t
rh_format_hash(const void *bytes, size_t size)
{
    return XXH3_64bits(bytes, size);
}

/*  0   8  magic
 *  8   2  version
 *  10  2  0
 *  12  4  bytes of the JSON
 *  16  8  XXH3 of bytes 0 to 15 and the JSON, hashed as one
 *  24     JSON
 */
void
rh_header_write(uint8_t *bytes, const char *json, size_t length)
{
    memcpy(bytes, RH_TRACE_MAGIC, 8);
    rh_put_u16(bytes + 8, RH_FORMAT_VERSION);
    rh_put_u16(bytes + 10, 0);
    rh_put_u32(bytes + 12, (uint32_t)length);
    memcpy(bytes + RH_HEADER_BYTES, json, length);
    rh_put_u64(bytes + 16, rh_header_hash(bytes, length));
}

uint64_t
rh_header_hash(const uint8_t *bytes, size_t length)
{
    XXH3_state_t *state = XXH3_createState();
    if (!state)
        return 0;
    XXH3_64bits_reset(state);
    XXH3_64bits_update(state, bytes, 16);
    XXH3_64bits_update(state, bytes + RH_HEADER_BYTES, length);
    uint64_t hash = XXH3_64bits_digest(state);
    XXH3_freeState(state);
    return hash;
}

/*  0   4  magic
 *  4   4  bytes of the entries
 *  8   4  bytes of the totals
 *  12  4  0
 *  16  8  XXH3 of entries and totals
 *  24     entries, totals; then the footer: 8 bytes of offset, 8 of magic
 */
bool
rh_index_write(rh_bytes *out, const rh_bytes *entries, const char *totals, uint64_t offset)
{
    size_t length = strlen(totals);
    if (entries->size > UINT32_MAX ||
        !rh_bytes_reserve(out, RH_INDEX_PREFIX_BYTES + entries->size + length + RH_FOOTER_BYTES))
        return false;
    uint8_t *at = out->data + out->size, *body = at + RH_INDEX_PREFIX_BYTES;
    memcpy(at, RH_INDEX_MAGIC, 4);
    rh_put_u32(at + 4, (uint32_t)entries->size);
    rh_put_u32(at + 8, (uint32_t)length);
    rh_put_u32(at + 12, 0);
    if (entries->size)
        memcpy(body, entries->data, entries->size);
    memcpy(body + entries->size, totals, length);
    rh_put_u64(at + 16, rh_format_hash(body, entries->size + length));
    rh_put_u64(body + entries->size + length, offset);
    memcpy(body + entries->size + length + 8, RH_END_MAGIC, 8);
    out->size += RH_INDEX_PREFIX_BYTES + entries->size + length + RH_FOOTER_BYTES;
    return true;
}

uint64_t
rh_take_varint_slow(rh_cursor *cursor)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        if (cursor->at == cursor->end)
            break;
        uint8_t byte = *cursor->at++;
        if (shift == 63 && byte > 1)
            break;
        value |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80) {
            if (byte == 0 && shift > 0)
                break; /* not the shortest form */
            return value;
        }
    }
    cursor->failed = true;
    cursor->at = cursor->end;
    return 0;
}

/*  byte 0   operation (low four bits), domain (next two), alignment follows (0x40)
 *  byte 1   flags
 *  [byte]   alignment_log2
 *  varint   size; for a calloc the number of elements, then a varint of their size
 */
enum { DOMAIN_SHIFT = 4, HAS_ALIGNMENT = 0x40 };

uint8_t *
rh_put_shape(uint8_t *out, const rh_shape *shape)
{
    bool aligned = shape->operation == RH_ALIGNED;
    *out++ =
        (uint8_t)(shape->operation | shape->domain << DOMAIN_SHIFT | (aligned ? HAS_ALIGNMENT : 0));
    *out++ = shape->flags;
    if (aligned)
        *out++ = shape->alignment_log2;
    out = rh_put_varint(out, shape->size);
    if (shape->operation == RH_CALLOC)
        out = rh_put_varint(out, shape->element);
    return out;
}

enum {
    FLAGS_ALL =
        RH_EVENT_FAILED | RH_EVENT_NESTED | RH_EVENT_NULL | RH_EVENT_POOLED | RH_EVENT_FOREIGN,
};

/* Flags that each operation may carry. */
static unsigned
flags_allowed(unsigned operation)
{
    switch (operation) {
    case RH_MALLOC:
    case RH_CALLOC:
    case RH_ALIGNED:
        return RH_EVENT_FAILED | RH_EVENT_NESTED | RH_EVENT_POOLED;
    case RH_REALLOC:
        return FLAGS_ALL;
    case RH_FREE:
        return RH_EVENT_NESTED | RH_EVENT_NULL | RH_EVENT_FOREIGN;
    case RH_ARENA_ALLOC:
        return RH_EVENT_FAILED | RH_EVENT_NESTED;
    case RH_ARENA_FREE:
    case RH_MARK:
    case RH_CHECKPOINT:
        return RH_EVENT_NESTED;
    default:
        return 0;
    }
}

bool
rh_shape_makes_sense(const rh_shape *shape)
{
    unsigned operation = shape->operation, flags = shape->flags;
    if (operation >= RH_OPERATIONS && operation != RH_SHAPE_THREAD)
        return false;
    if (flags & ~flags_allowed(operation))
        return false;
    if (shape->domain == RH_DOMAIN_LIBC && operation > RH_ALIGNED)
        return false;
    if ((flags & RH_EVENT_NULL) && (flags & RH_EVENT_FOREIGN))
        return false;
    if (shape->alignment_log2 > 63)
        return false;
    if (operation == RH_SHAPE_THREAD)
        return shape->size < UINT32_MAX;
    if (operation == RH_FREE)
        return shape->size == 0;
    if (operation == RH_MARK || operation == RH_CHECKPOINT)
        return shape->size <= RH_TEXT_MAX;
    if (!rh_bears(operation, flags))
        return true;
    uint64_t size = shape->size;
    if (operation == RH_CALLOC && __builtin_mul_overflow(size, shape->element, &size))
        return false;
    return size <= RH_SIZE_MAX;
}

bool
rh_take_shape(rh_cursor *cursor, rh_shape *shape)
{
    uint8_t first = rh_take_byte(cursor);
    *shape = (rh_shape){.operation = first & 15, .domain = (first >> DOMAIN_SHIFT) & 3};
    shape->flags = rh_take_byte(cursor);
    bool aligned = (first & HAS_ALIGNMENT) != 0;
    if (aligned)
        shape->alignment_log2 = rh_take_byte(cursor);
    shape->size = rh_take_varint(cursor);
    if (shape->operation == RH_CALLOC)
        shape->element = rh_take_varint(cursor);
    return !cursor->failed && !(first & 0x80) && aligned == (shape->operation == RH_ALIGNED) &&
           rh_shape_makes_sense(shape);
}

/*  0   4  magic
 *  4   2  bytes of the head, this prefix included
 *  6   2  bit 0: a key block; other bits 0
 *  8   4  bytes of the payload, which follows the head
 *  12  8  XXH3 of the head with zeros in these eight bytes' place
 *  20  8  XXH3 of the payload
 *  28     varints
 */
enum { AT_LENGTH = 4, AT_KIND = 6, AT_PAYLOAD = 8, AT_HASH = 12, AT_PAYLOAD_HASH = 20 };

static uint64_t
head_hash(const uint8_t *bytes, size_t size)
{
    uint8_t copy[RH_BLOCK_HEAD_MAX];
    memcpy(copy, bytes, size);
    memset(copy + AT_HASH, 0, sizeof(uint64_t));
    return rh_format_hash(copy, size);
}

static unsigned
streams_of(const rh_block_head *head)
{
    return head->key ? RH_STREAMS : RH_STREAMS_CONTINUED;
}

size_t
rh_block_head_write(const rh_block_head *head, uint8_t *bytes)
{
    uint8_t *out = bytes + RH_BLOCK_PREFIX_BYTES;
    out = rh_put_varint(out, head->events);
    out = rh_put_varint(out, head->tokens);
    out = rh_put_varint(out, head->first_event);
    out = rh_put_varint(out, head->first_birth);
    out = rh_put_varint(out, head->time_ns);
    out = rh_put_varint(out, head->thread);
    out = rh_put_varint(out, head->threads);
    out = rh_put_varint(out, head->live_blocks);
    out = rh_put_varint(out, head->live_bytes);
    out = rh_put_varint(out, head->hashed);
    if (head->hashed) {
        rh_put_u64(out, head->address_hash);
        out += sizeof head->address_hash;
    }
    for (unsigned i = 0; i < streams_of(head); i++) {
        out = rh_put_varint(out, head->raw[i]);
        if (head->raw[i])
            out = rh_put_varint(out, head->packed[i]);
    }
    size_t size = (size_t)(out - bytes);
    memcpy(bytes, RH_BLOCK_MAGIC, 4);
    rh_put_u16(bytes + AT_LENGTH, (uint16_t)size);
    rh_put_u16(bytes + AT_KIND, head->key);
    rh_put_u32(bytes + AT_PAYLOAD, head->payload_bytes);
    rh_put_u64(bytes + AT_PAYLOAD_HASH, head->payload_hash);
    rh_put_u64(bytes + AT_HASH, head_hash(bytes, size));
    return size;
}

void
rh_block_forge(uint8_t *block, size_t head_bytes, size_t payload_bytes)
{
    rh_put_u64(block + AT_PAYLOAD_HASH, rh_format_hash(block + head_bytes, payload_bytes));
    rh_put_u64(block + AT_HASH, head_hash(block, head_bytes));
}

static uint32_t
take_u32(rh_cursor *cursor)
{
    uint64_t value = rh_take_varint(cursor);
    cursor->failed |= value > UINT32_MAX;
    return (uint32_t)value;
}

/* The most bytes a stream can have, given the counts of the head: what keeps a small file from
 * asking for much memory. */
static uint64_t
raw_limit(const rh_block_head *head, unsigned stream)
{
    uint64_t tokens = head->tokens;
    switch (stream) {
    case RH_STREAM_DEFINITIONS:
        return (uint64_t)RH_TOKENS * (1 + RH_SHAPE_BYTES_MAX);
    case RH_STREAM_TOKENS:
    case RH_STREAM_STEPS:
        return tokens;
    case RH_STREAM_RARE:
        return tokens * RH_SHAPE_BYTES_MAX;
    case RH_STREAM_TEXTS:
        return 2 * (uint64_t)RH_TEXT_MAX;
    case RH_STREAM_LIVE_GAPS:
        return head->live_blocks * RH_VARINT_MAX;
    case RH_STREAM_LIVE_SIZES:
        return head->live_blocks * (1 + RH_VARINT_MAX);
    default:
        return tokens * RH_VARINT_MAX;
    }
}

/* What zstd can need at worst, generously. */
static uint64_t
packed_limit(uint64_t raw)
{
    return raw + raw / 64 + 1024;
}

static bool
head_makes_sense(const rh_block_head *head)
{
    if (head->events > RH_BLOCK_EVENTS_MAX || head->tokens > 2 * RH_BLOCK_EVENTS_MAX ||
        head->events > head->tokens || head->raw[RH_STREAM_TOKENS] != head->tokens)
        return false;
    if (head->live_blocks > head->first_birth || head->live_blocks >= UINT32_MAX ||
        head->hashed > head->events)
        return false;
    if (head->first_event > INT64_MAX || head->first_birth > head->first_event)
        return false;
    uint64_t sum = 0;
    for (unsigned i = 0; i < streams_of(head); i++) {
        if (head->raw[i] > raw_limit(head, i) || head->packed[i] > packed_limit(head->raw[i]))
            return false;
        sum += head->packed[i];
    }
    return sum == head->payload_bytes;
}

rh_head_result
rh_block_head_read(const uint8_t *bytes, size_t available, rh_block_head *head)
{
    size_t compare = available < 4 ? available : 4;
    if (memcmp(bytes, RH_BLOCK_MAGIC, compare) != 0)
        return RH_HEAD_NONE;
    if (available < RH_BLOCK_PREFIX_BYTES)
        return RH_HEAD_CUT;
    size_t size = rh_get_u16(bytes + AT_LENGTH);
    if (size < RH_BLOCK_PREFIX_BYTES || size > RH_BLOCK_HEAD_MAX)
        return RH_HEAD_DAMAGED;
    if (size > available)
        return RH_HEAD_CUT;
    uint16_t kind = rh_get_u16(bytes + AT_KIND);
    if (kind > 1 || head_hash(bytes, size) != rh_get_u64(bytes + AT_HASH))
        return RH_HEAD_DAMAGED;
    *head = (rh_block_head){.key = kind == 1,
                            .head_bytes = (uint32_t)size,
                            .payload_bytes = rh_get_u32(bytes + AT_PAYLOAD),
                            .payload_hash = rh_get_u64(bytes + AT_PAYLOAD_HASH)};
    rh_cursor in = {bytes + RH_BLOCK_PREFIX_BYTES, bytes + size, false};
    head->events = take_u32(&in);
    head->tokens = take_u32(&in);
    head->first_event = rh_take_varint(&in);
    head->first_birth = rh_take_varint(&in);
    head->time_ns = rh_take_varint(&in);
    head->thread = take_u32(&in);
    head->threads = take_u32(&in);
    head->live_blocks = rh_take_varint(&in);
    head->live_bytes = rh_take_varint(&in);
    head->hashed = rh_take_varint(&in);
    if (head->hashed && in.end - in.at >= 8) {
        head->address_hash = rh_get_u64(in.at);
        in.at += 8;
    }
    for (unsigned i = 0; i < streams_of(head); i++) {
        head->raw[i] = rh_take_varint(&in);
        if (head->raw[i])
            head->packed[i] = rh_take_varint(&in);
    }
    bool whole = !in.failed && in.at == in.end;
    return whole && head_makes_sense(head) ? RH_HEAD_SOUND : RH_HEAD_DAMAGED;
}
