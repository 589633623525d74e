/* The bytes of a trace file, version 1: what writer and reader share. docs/trace-format.md is the
 * specification; names and order here are the same.
 *
 *   header   magic, version, provenance as JSON
 *   block    head (what it holds, sums at its start), then up to RH_STREAMS compressed streams
 *   ...
 *   index    one entry a block, totals as JSON
 *   footer   where the index is
 *
 * Integers of fixed size are little-endian; a varint has seven bits a byte, lowest first, the top
 * bit set on all but the last, in its shortest form, at most ten bytes.
 */
#ifndef REHEAP_TRACES_FORMAT_H
#define REHEAP_TRACES_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "traces/event.h"

#define RH_FORMAT_VERSION 1
#define RH_TRACE_MAGIC                                                                             \
    "\x89RHT\r\n\x1a\n" /* eight bytes: a transfer that meddles with text breaks it */
#define RH_BLOCK_MAGIC "RHBK"
#define RH_INDEX_MAGIC "RHIX"
#define RH_END_MAGIC   "RHT.END\n"

enum {
    RH_HEADER_BYTES = 24,       /* before the JSON */
    RH_BLOCK_PREFIX_BYTES = 28, /* before the varints of a head */
    RH_BLOCK_HEAD_MAX = 512,    /* a whole head, prefix included */
    RH_INDEX_PREFIX_BYTES = 24, /* before entries and totals */
    RH_FOOTER_BYTES = 16,
    RH_JSON_MAX = 1 << 20,
    RH_BLOCK_EVENTS_MAX = 1 << 20,
    RH_TEXT_MAX = 1 << 24,  /* of one mark or checkpoint */
    RH_WINDOW_LOG_MAX = 23, /* zstd windows are at most this large, so that readers can refuse */
    RH_VARINT_MAX = 10,
    RH_TOKENS = 256,   /* token 0: spelled out in the stream of rare shapes */
    RH_STEP_FAR = 255, /* a death told by its birth number */
};

#define RH_COARSE_NS   1000                      /* the unit of coarse times */
#define RH_SIZE_MAX    (((uint64_t)1 << 56) - 1) /* of a block that lives */
#define RH_ADDRESS_MAX (((uint64_t)1 << 60) - 1)

/* The streams of a block, in the order they stand in it. */
typedef enum rh_stream {
    RH_STREAM_DEFINITIONS, /* token, shape: changes of the dictionary, before the first event */
    RH_STREAM_TOKENS,      /* a byte an event, and one a change of thread */
    RH_STREAM_STEPS,       /* a byte a death */
    RH_STREAM_DISTANCES,   /* varints: deaths too far for steps */
    RH_STREAM_RARE,        /* shapes without a token */
    RH_STREAM_TEXTS,
    RH_STREAM_TIMES,     /* varints, an event each, when the trace has times */
    RH_STREAM_ADDRESSES, /* varints: arenas always, births when the trace has addresses */
    RH_STREAMS_CONTINUED,
    /* Key blocks only, complete frames: the blocks of memory alive at the start, oldest first. */
    RH_STREAM_LIVE_GAPS = RH_STREAMS_CONTINUED,
    RH_STREAM_LIVE_SIZES,
    RH_STREAMS
} rh_stream;

/* What a token stands for: everything of an event but which block it is about. */
typedef struct rh_shape {
    uint8_t operation;      /* rh_operation, or RH_SHAPE_THREAD */
    uint8_t domain;         /* RH_DOMAIN_AS_BORN in the free of a live block: the block's */
    uint8_t flags;          /* RH_EVENT_… */
    uint8_t alignment_log2; /* RH_ALIGNED */
    uint64_t size;          /* RH_CALLOC: the number of elements; RH_SHAPE_THREAD: the thread */
    uint64_t element;       /* RH_CALLOC: bytes of one */
} rh_shape;

enum {
    RH_SHAPE_THREAD = 15,  /* what follows comes from another thread */
    RH_DOMAIN_AS_BORN = 3, /* elsewhere RH_DOMAIN_LIBC, which no other block's free can have */
    RH_SHAPE_BYTES_MAX = 3 + 2 * RH_VARINT_MAX
};

typedef struct rh_block_head {
    bool key;
    uint32_t head_bytes, payload_bytes;
    uint64_t payload_hash;
    uint32_t events, tokens;
    uint64_t first_event, first_birth; /* numbers, from 0 */
    uint64_t time_ns;                  /* at its start */
    uint32_t thread, threads;          /* current at its start; known there, 1 at least */
    uint64_t live_blocks, live_bytes;  /* at its start, those born nested included */
    uint64_t address_hash, hashed;
    uint64_t raw[RH_STREAMS], packed[RH_STREAMS]; /* bytes of each stream */
} rh_block_head;

/* A growing buffer of bytes. */
typedef struct rh_bytes {
    uint8_t *data;
    size_t size, capacity;
} rh_bytes;

/* Makes room for `more` bytes beyond size; false when there is no memory. */
bool rh_bytes_reserve(rh_bytes *bytes, size_t more);
void rh_bytes_release(rh_bytes *bytes);

/* Makes the head's bytes, checksum included; returns their number, at most RH_BLOCK_HEAD_MAX. */
size_t rh_block_head_write(const rh_block_head *head, uint8_t *bytes);

/* Gives a block whose bytes were altered checksums that match: for tests of what readers withstand.
 */
void rh_block_forge(uint8_t *block, size_t head_bytes, size_t payload_bytes);

typedef enum rh_head_result {
    RH_HEAD_SOUND,
    RH_HEAD_NONE,
    RH_HEAD_CUT,
    RH_HEAD_DAMAGED
} rh_head_result;
/* Reads a head out of `available` bytes: RH_HEAD_NONE: no block begins here; _CUT: more bytes are
 * needed; _DAMAGED: checksum or sense. Every number of a sound head is within its limit. */
rh_head_result rh_block_head_read(const uint8_t *bytes, size_t available, rh_block_head *head);

/* Makes the header's bytes, checksum included, around `json` of `length` bytes (at most
 * RH_JSON_MAX): RH_HEADER_BYTES + length of them. */
void rh_header_write(uint8_t *bytes, const char *json, size_t length);
/* The checksum of a header whose JSON has `length` bytes. */
uint64_t rh_header_hash(const uint8_t *bytes, size_t length);

/* Appends index and footer to `out`: `entries` are two varints a block, its bytes doubled plus 1
 * for a key block, and its events. `offset` is where the index will stand. False: no memory. */
bool rh_index_write(rh_bytes *out, const rh_bytes *entries, const char *totals, uint64_t offset);

uint64_t rh_format_hash(const void *bytes, size_t size);

static inline uint8_t *
rh_put_varint(uint8_t *out, uint64_t value)
{
    while (value >= 0x80) {
        *out++ = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    *out++ = (uint8_t)value;
    return out;
}

/* Whether a shape can stand in a trace: its operation exists, its flags and sizes fit it. */
bool rh_shape_makes_sense(const rh_shape *shape);

uint8_t *rh_put_shape(uint8_t *out, const rh_shape *shape);

/* A place in bytes that are being read; `failed` sticks, and reads then give 0. */
typedef struct rh_cursor {
    const uint8_t *at, *end;
    bool failed;
} rh_cursor;

uint64_t rh_take_varint_slow(rh_cursor *cursor);

static inline uint64_t
rh_take_varint(rh_cursor *cursor)
{
    if (cursor->at < cursor->end && *cursor->at < 0x80)
        return *cursor->at++;
    return rh_take_varint_slow(cursor);
}

static inline uint8_t
rh_take_byte(rh_cursor *cursor)
{
    if (cursor->at < cursor->end)
        return *cursor->at++;
    cursor->failed = true;
    return 0;
}

/* Reads a shape and checks what can be checked of it alone; false when it makes no sense. */
bool rh_take_shape(rh_cursor *cursor, rh_shape *shape);

static inline uint64_t
rh_zigzag(int64_t value)
{
    return ((uint64_t)value << 1) ^ (uint64_t)(value >> 63);
}

static inline int64_t
rh_unzigzag(uint64_t value)
{
    return (int64_t)(value >> 1) ^ -(int64_t)(value & 1);
}

/* Addresses are told as differences: from the arena before, and from the block before in the same
 * class of sizes. Most are multiples of 16, and say so in their lowest bit. */
enum { RH_ADDRESS_CLASSES = 34 };

static inline unsigned
rh_address_class(uint64_t size)
{
    return size <= 512 ? (unsigned)(size + 15) / 16 : RH_ADDRESS_CLASSES - 1;
}

static inline uint64_t
rh_address_code(int64_t difference)
{
    if (difference % 16 == 0)
        return rh_zigzag(difference / 16) << 1;
    return rh_zigzag(difference) << 1 | 1;
}

static inline int64_t
rh_address_difference(uint64_t code)
{
    int64_t value = rh_unzigzag(code >> 1);
    return code & 1 ? value : (int64_t)((uint64_t)value * 16);
}

static inline void
rh_put_u16(uint8_t *out, uint16_t value)
{
    memcpy(out, &value, sizeof value);
}

static inline void
rh_put_u32(uint8_t *out, uint32_t value)
{
    memcpy(out, &value, sizeof value);
}

static inline void
rh_put_u64(uint8_t *out, uint64_t value)
{
    memcpy(out, &value, sizeof value);
}

static inline uint16_t
rh_get_u16(const uint8_t *in)
{
    uint16_t value;
    memcpy(&value, in, sizeof value);
    return value;
}

static inline uint32_t
rh_get_u32(const uint8_t *in)
{
    uint32_t value;
    memcpy(&value, in, sizeof value);
    return value;
}

static inline uint64_t
rh_get_u64(const uint8_t *in)
{
    uint64_t value;
    memcpy(&value, in, sizeof value);
    return value;
}

/* What an event does to the list of live blocks: a death takes one out, a birth appends one; a
 * realloc of a live block does both; a failed call does neither. */
static inline bool
rh_kills(unsigned operation, unsigned flags)
{
    return (operation == RH_FREE || operation == RH_REALLOC) &&
           !(flags & (RH_EVENT_FAILED | RH_EVENT_NULL | RH_EVENT_FOREIGN));
}

static inline bool
rh_bears(unsigned operation, unsigned flags)
{
    return (operation <= RH_REALLOC || operation == RH_ALIGNED) && !(flags & RH_EVENT_FAILED);
}

#endif
