/* Each limit of the format has a malformed file here, and the message that it gets. The files are
 * made from one sound trace: a row of the table says what is changed in it, everything else is made
 * to fit, checksums included, so that nothing but the limit refuses them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <zstd.h>

#include "tests/unit/traces/follower.h"
#include "tests/unit/traces/story.h"
#include "traces/format.h"
#include "traces/reader.h"

enum { STREAM_MAX = 256, ENTRIES_MAX = 64, EVENTS = 6 };

/* A header and a key block of six events, of which the first three are told by token 1; or two of
 * these, and what is changed is the second. */
typedef struct draft {
    /* the header */
    const char *json;
    char magic;
    uint16_t version, reserved;
    uint32_t json_bytes; /* 0: as many as there are */
    bool header_torn;
    /* the block: what the streams hold; counts that are 0 here are made to fit */
    rh_block_head head;
    uint8_t stream[RH_STREAMS][STREAM_MAX];
    size_t size[RH_STREAMS];
    uint64_t raw[RH_STREAMS], packed[RH_STREAMS]; /* what the head says, where not 0 */
    uint16_t head_bytes, kind;                    /* the same; kind less 1 */
    int payload_more;                             /* than there is, by the head */
    size_t head_more;                             /* bytes behind the head's last */
    int window_log;
    bool head_torn, payload_torn;
    /* the index */
    uint32_t index_reserved, entries_more, totals_bytes;
    uint64_t entry_events, entry_more;
    const char *totals;
    int offset_more;
    bool index_torn;
    bool second, cut; /* cut: the file ends inside the block */
    uint64_t max_live;
} draft;

static void
set(draft *d, rh_stream stream, const char *bytes, size_t size)
{
    memcpy(d->stream[stream], bytes, size);
    d->size[stream] = size;
}

#define SET(stream, bytes) set(d, RH_STREAM_##stream, bytes, sizeof bytes - 1)

static void
sound(draft *d)
{
    *d = (draft){.json = "{\"timestamps\":\"none\",\"addresses\":false,\"domains\":true}",
                 .magic = RH_TRACE_MAGIC[0],
                 .version = RH_FORMAT_VERSION,
                 .totals = "{\"events\":6}"};
    d->head = (rh_block_head){.key = true, .events = EVENTS, .tokens = EVENTS + 1, .threads = 1};
    d->max_live = 1000;
    SET(DEFINITIONS, "\x01\x20\x00\x38"); /* a malloc of 56 bytes, object */
    SET(TOKENS, "\x01\x01\x01\0\0\0\0");
    SET(RARE, "\x0f\x00\x01"         /* thread 1 */
              "\x33\x00\x00"         /* a free */
              "\x05\x00\x80\x80\x40" /* an arena */
              "\x07\x00\x04");       /* a mark */
    SET(STEPS, "\x01");
    SET(TEXTS, "mark");
    d->size[RH_STREAM_TEXTS]++;
    SET(ADDRESSES, "\x80\x80\x80\x80\x80\x01");
}

/* The shape of the block's first event, which is spelled out then. */
#define SHAPE(bytes)                                                                               \
    do {                                                                                           \
        SET(TOKENS, "\0\x01\x01\0\0\0\0");                                                         \
        memmove(d->stream[RH_STREAM_RARE] + sizeof bytes - 1, d->stream[RH_STREAM_RARE],           \
                d->size[RH_STREAM_RARE]);                                                          \
        memcpy(d->stream[RH_STREAM_RARE], bytes, sizeof bytes - 1);                                \
        d->size[RH_STREAM_RARE] += sizeof bytes - 1;                                               \
    } while (0)

/* The block is the second: two of the three blocks of memory live on, of 56 bytes each. */
static void
go_on(draft *d)
{
    d->second = true;
    d->head.first_event = EVENTS, d->head.first_birth = 3;
    d->head.thread = 1, d->head.threads = 2;
    d->head.live_blocks = 2, d->head.live_bytes = 112;
    SET(LIVE_GAPS, "\0\0");
    SET(LIVE_SIZES, "\x02\x38\x02\x38");
}

/* The same with another live set. */
#define LIVE(gaps, sizes)                                                                          \
    do {                                                                                           \
        go_on(d);                                                                                  \
        SET(LIVE_GAPS, gaps);                                                                      \
        SET(LIVE_SIZES, sizes);                                                                    \
    } while (0)

#define DEFINE(bytes) SET(DEFINITIONS, "\x01\x20\x00\x38\x02" bytes)

#define HEADER "the header is damaged"
#define HEAD   "the head of a block is damaged"
#define TOKEN  "a token is defined as nonsense"
#define SPELT  "a spelled-out event is nonsense"
#define ENDS   "a stream is longer or shorter than the events need"
#define ALIVE  "the live set of a key block makes no sense"
#define DIES   "a block dies that is not alive"
#define INDEX  "index: "

/* X(name, message, change). "index: ": the file is read, and found to have no sound index. */
#define LIMITS(X)                                                                                  \
    X(magic, "this is not a reheap trace", d->magic = 'R')                                         \
    X(version, "format version 2, and this program reads version 1", d->version = 2)               \
    X(header_reserved, HEADER, d->reserved = 1)                                                    \
    X(header_too_long, HEADER, d->json_bytes = RH_JSON_MAX + 1)                                    \
    X(header_beyond_file, "inside its header", d->json_bytes = 5000)                               \
    X(header_torn, "do not match their checksum", d->header_torn = true)                           \
    X(header_no_json, "it is not JSON", d->json = "{\"a\"")                                        \
    X(header_no_object, "it is not a JSON object", d->json = "[]")                                 \
    X(member_kind, "\"command\" is of the wrong kind", d->json = "{\"command\":5}")                \
    X(member_negative, "\"arena_bytes\" is of the wrong kind", d->json = "{\"arena_bytes\":-5}")   \
    X(member_times, "\"timestamps\" is of the wrong kind", d->json = "{\"timestamps\":\"odd\"}")   \
    X(head_short, HEAD, d->head_bytes = RH_BLOCK_PREFIX_BYTES - 1)                                 \
    X(head_long, HEAD, d->head_bytes = RH_BLOCK_HEAD_MAX + 1)                                      \
    X(head_flags, HEAD, d->kind = 3)                                                               \
    X(head_torn, HEAD, d->head_torn = true)                                                        \
    X(head_more, HEAD, d->head_more = 1)                                                           \
    X(payload_torn, "do not match their checksum", d->payload_torn = true)                         \
    X(payload_more, HEAD, d->payload_more = 1)                                                     \
    X(no_key, "blocks are missing or damaged", d->head.key = false)                                \
    X(events, HEAD, d->head.events = d->head.tokens = RH_BLOCK_EVENTS_MAX + 1;                     \
      d->raw[RH_STREAM_TOKENS] = d->head.tokens; d->entry_events = EVENTS)                         \
    X(tokens, HEAD, d->head.tokens = 2 * RH_BLOCK_EVENTS_MAX + 1;                                  \
      d->raw[RH_STREAM_TOKENS] = d->head.tokens)                                                   \
    X(events_and_tokens, HEAD, d->head.events = 8)                                                 \
    X(tokens_and_stream, HEAD, d->head.tokens = 8)                                                 \
    X(events_fewer, "has not as many events as it says", d->head.events = 5)                       \
    X(first_event, HEAD, d->head.first_event = (uint64_t)INT64_MAX + 1)                            \
    X(first_birth, HEAD, d->head.first_birth = 1)                                                  \
    X(live_and_births, HEAD, d->head.live_blocks = 1)                                              \
    X(live_count, HEAD,                                                                            \
      d->head.live_blocks = d->head.first_birth = d->head.first_event = UINT32_MAX)                \
    X(hashed, HEAD, d->head.hashed = 7)                                                            \
    X(raw_definitions, HEAD, d->raw[0] = RH_TOKENS * (1 + RH_SHAPE_BYTES_MAX) + 1)                 \
    X(raw_steps, HEAD, d->raw[RH_STREAM_STEPS] = 8)                                                \
    X(raw_distances, HEAD, d->raw[RH_STREAM_DISTANCES] = 71)                                       \
    X(raw_rare, HEAD, d->raw[RH_STREAM_RARE] = 7 * RH_SHAPE_BYTES_MAX + 1)                         \
    X(raw_texts, HEAD, d->raw[RH_STREAM_TEXTS] = 2 * RH_TEXT_MAX + 1)                              \
    X(raw_times, HEAD, d->raw[RH_STREAM_TIMES] = 71)                                               \
    X(raw_addresses, HEAD, d->raw[RH_STREAM_ADDRESSES] = 71)                                       \
    X(raw_gaps, HEAD, d->raw[RH_STREAM_LIVE_GAPS] = 1)                                             \
    X(raw_sizes, HEAD, d->raw[RH_STREAM_LIVE_SIZES] = 1)                                           \
    X(packed, HEAD, d->packed[RH_STREAM_TOKENS] = 2000)                                            \
    X(frame_early, "ends early or goes on too long", d->raw[RH_STREAM_TEXTS] = 6)                  \
    X(frame_late, "a text ends outside", d->raw[RH_STREAM_TEXTS] = 4)                              \
    X(window, "Frame requires too much memory", d->window_log = RH_WINDOW_LOG_MAX + 1)             \
    X(token_zero, TOKEN, SET(DEFINITIONS, "\0\x20\x00\x38"))                                       \
    X(definition_cut, TOKEN, DEFINE("\x20\x00"))                                                   \
    X(token_undefined, "a token has no meaning", d->stream[RH_STREAM_TOKENS][0] = 9)               \
    X(operation, TOKEN, DEFINE("\x09\x00\x00"))                                                    \
    X(operation_14, SPELT, SHAPE("\x0e\x00\x00"))                                                  \
    X(shape_reserved, SPELT, SHAPE("\xa0\x00\x38"))                                                \
    X(flags, SPELT, SHAPE("\x20\x04\x38"))                                                         \
    X(flags_unknown, SPELT, SHAPE("\x20\x20\x38"))                                                 \
    X(flags_of_free, SPELT, SHAPE("\x23\x01\x00"))                                                 \
    X(null_and_foreign, SPELT, SHAPE("\x22\x14\x38"))                                              \
    X(alignment_elsewhere, SPELT, SHAPE("\x60\x00\x04\x38"))                                       \
    X(alignment_missing, SPELT, SHAPE("\x24\x00\x38"))                                             \
    X(alignment, SPELT, SHAPE("\x64\x00\x40\x38"))                                                 \
    X(domain, SPELT, SHAPE("\x35\x00\x38"))                                                        \
    X(thread, SPELT, SHAPE("\x0f\x00\xff\xff\xff\xff\x0f"))                                        \
    X(free_with_size, SPELT, SHAPE("\x33\x00\x01"))                                                \
    X(text_too_long, SPELT, SHAPE("\x07\x00\x81\x80\x80\x08"))                                     \
    X(size, SPELT, SHAPE("\x20\x00\x80\x80\x80\x80\x80\x80\x80\x80\x01"))                          \
    X(calloc_overflow, SPELT,                                                                      \
      SHAPE("\x21\x00\x80\x80\x80\x80\x80\x80\x80\x80\x01\x80\x80\x80\x80\x80\x80\x80\x01"))       \
    X(varint_long, SPELT, SHAPE("\x20\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f"))               \
    X(varint_padded, SPELT, SHAPE("\x20\x00\xb8\x00"))                                             \
    X(text_without_end, "a text ends outside", d->stream[RH_STREAM_TEXTS][4] = 'x')                \
    X(text_missing, "a text ends outside", d->size[RH_STREAM_TEXTS] = 0)                           \
    X(texts_more, ENDS, d->size[RH_STREAM_TEXTS]++)                                                \
    X(rare_more, ENDS, d->size[RH_STREAM_RARE]++)                                                  \
    X(steps_more, ENDS, SET(STEPS, "\x01\x01"))                                                    \
    X(distances_more, ENDS, SET(DISTANCES, "\x01"))                                                \
    X(times_more, ENDS, SET(TIMES, "\x01"))                                                        \
    X(addresses_more, ENDS, SET(ADDRESSES, "\x02\x02"))                                            \
    X(addresses_fewer, ENDS, d->size[RH_STREAM_ADDRESSES] = 0)                                     \
    X(times_missing, "times are missing", d->json = "{\"timestamps\":\"exact\"}")                  \
    X(addresses_missing, "addresses are missing", d->json = "{\"addresses\":true}")                \
    X(steps_fewer, DIES, d->size[RH_STREAM_STEPS] = 0)                                             \
    X(step_behind, DIES, SET(STEPS, "\0"))                                                         \
    X(step_before, DIES, SET(STEPS, "\x07"))                                                       \
    X(distance_missing, DIES, SET(STEPS, "\xff"))                                                  \
    X(distance, DIES, SET(STEPS, "\xff"); SET(DISTANCES, "\x09"))                                  \
    X(live_gap, ALIVE, LIVE("\0\x02", "\x02\x38\x02\x38"))                                         \
    X(live_flags, ALIVE, LIVE("\0\0", "\x08\x38\x02\x38"))                                         \
    X(live_sum, ALIVE, LIVE("\0\0", "\x02\x38\x02\x37"))                                           \
    X(live_gaps_more, ALIVE, LIVE("\0\0\0", "\x02\x38\x02\x38"))                                   \
    X(live_sizes_fewer, ALIVE, LIVE("\0\0", "\x02\x38\x02"))                                       \
    X(live_size, ALIVE, LIVE("\0\0", "\x02\x80\x80\x80\x80\x80\x80\x80\x80\x01\x02\x38"))          \
    X(live_cut, "the live set of a key block is cut off", LIVE("\0", "\x02\x38\x02\x38"))          \
    X(live_too_many, "2 blocks are alive at once, more than the limit of 1", go_on(d);             \
      d->max_live = 1)                                                                             \
    X(index_reserved, INDEX, d->index_reserved = 1)                                                \
    X(index_torn, INDEX, d->index_torn = true)                                                     \
    X(index_entries, INDEX, d->entries_more = 1)                                                   \
    X(index_totals, INDEX, d->totals_bytes = RH_JSON_MAX + 1)                                      \
    X(index_events, INDEX, d->entry_events = RH_BLOCK_EVENTS_MAX + 1)                              \
    X(index_block, INDEX, d->entry_more = 2)                                                       \
    X(index_key, INDEX, d->entry_more = 1)                                                         \
    X(index_no_json, INDEX, d->totals = "{\"events\":")                                            \
    X(index_kind, INDEX, d->totals = "{\"events\":-1}")                                            \
    X(index_place, INDEX, d->offset_more = 1)                                                      \
    X(block_cut, "the file ends inside a block, or what follows is damaged", d->cut = true)        \
    X(index_other, "a block is not what the index says", d->entry_events = 5)

#define FUNCTION(name, message, change)                                                            \
    static void change_##name(draft *d)                                                            \
    {                                                                                              \
        change;                                                                                    \
    }
#define ROW(name, message, change) {#name, message, change_##name},

LIMITS(FUNCTION)

static const struct limit {
    const char *name, *message;
    void (*change)(draft *d);
} limits[] = {LIMITS(ROW)};

/* ---- the file that a draft is of ---- */

static uint8_t *
put_header(const draft *d, uint8_t *at)
{
    size_t length = strlen(d->json);
    rh_header_write(at, d->json, length);
    at[0] = (uint8_t)d->magic;
    rh_put_u16(at + 8, d->version);
    rh_put_u16(at + 10, d->reserved);
    if (d->json_bytes)
        rh_put_u32(at + 12, d->json_bytes);
    rh_put_u64(at + 16, rh_header_hash(at, length) + d->header_torn);
    return at + RH_HEADER_BYTES + length;
}

static size_t
pack(const draft *d, unsigned stream, uint8_t *packed, size_t room)
{
    ZSTD_CCtx *context = ZSTD_createCCtx();
    assert_non_null(context);
    if (d->window_log && stream == RH_STREAM_TOKENS) {
        ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, d->window_log);
        ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, 0);
    }
    ZSTD_inBuffer in = {d->stream[stream], d->size[stream], 0};
    ZSTD_outBuffer out = {packed, room, 0};
    assert_int_equal(ZSTD_compressStream2(context, &out, &in, ZSTD_e_flush), 0);
    ZSTD_freeCCtx(context);
    return out.pos;
}

static uint8_t *
put_block(const draft *d, uint8_t *at)
{
    static uint8_t payload[RH_STREAMS * STREAM_MAX * 2];
    rh_block_head head = d->head;
    size_t size = 0;
    for (unsigned i = 0; i < (head.key ? RH_STREAMS : RH_STREAMS_CONTINUED); i++) {
        size_t packed = d->size[i] ? pack(d, i, payload + size, sizeof payload - size) : 0;
        size += packed;
        head.raw[i] = d->raw[i] ? d->raw[i] : d->size[i];
        head.packed[i] = d->packed[i] ? d->packed[i] : packed;
    }
    head.payload_bytes = (uint32_t)((int)size + d->payload_more);
    head.payload_hash = rh_format_hash(payload, size) + d->payload_torn;
    size_t length = rh_block_head_write(&head, at) + d->head_more;
    if (d->head_more)
        at[length - 1] = 0;
    memcpy(at + length, payload, size);
    if (d->kind)
        rh_put_u16(at + 6, d->kind);
    if (d->head_bytes || d->head_more)
        rh_put_u16(at + 4, d->head_bytes ? d->head_bytes : (uint16_t)length);
    if ((d->kind || d->head_more) && !d->payload_torn)
        rh_block_forge(at, length, size);
    at[12] = (uint8_t)(at[12] + d->head_torn);
    return at + length + size;
}

/* `before`: bytes of a sound block before the last one, 0 when there is none. */
static uint8_t *
put_index(const draft *d, uint8_t *at, uint64_t offset, uint64_t before, uint64_t block_bytes)
{
    uint8_t raw[ENTRIES_MAX], *end = raw;
    if (before)
        end = rh_put_varint(rh_put_varint(end, 2 * before + 1), EVENTS);
    end = rh_put_varint(end, 2 * block_bytes + d->head.key + d->entry_more);
    end = rh_put_varint(end, d->entry_events ? d->entry_events : d->head.events);
    rh_bytes entries = {raw, (size_t)(end - raw), sizeof raw}, out = {0};
    assert_true(rh_index_write(&out, &entries, d->totals, offset + (uint64_t)d->offset_more));
    memcpy(at, out.data, out.size);
    rh_put_u32(at + 4, (uint32_t)entries.size + d->entries_more);
    if (d->totals_bytes)
        rh_put_u32(at + 8, d->totals_bytes);
    rh_put_u32(at + 12, d->index_reserved);
    at[16] = (uint8_t)(at[16] + d->index_torn);
    at += out.size;
    rh_bytes_release(&out);
    return at;
}

static void
write_draft(const draft *d, const char *path)
{
    static uint8_t bytes[1 << 16];
    draft first;
    sound(&first);
    uint8_t *start = put_header(d, bytes);
    uint8_t *block = d->second ? put_block(&first, start) : start, *index = put_block(d, block);
    uint8_t *end = put_index(d, index, (uint64_t)(index - bytes), (uint64_t)(block - start),
                             (uint64_t)(index - block));
    size_t size = d->cut ? (size_t)(index - bytes) - 1 : (size_t)(end - bytes);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

/* ---- reading it ---- */

typedef struct outcome {
    rh_status status;
    rh_error error;
    uint64_t events;
    rh_index_state index;
} outcome;

/* From a second block on where there is one. */
static outcome
read_file(const draft *d, const char *path, bool lenient)
{
    outcome result = {.status = RH_OK};
    rh_reader_options options = {
        .lenient = lenient, .audit = lenient, .max_live_blocks = d->max_live};
    rh_reader *reader;
    rh_batch batch;
    follower replayer = {.taken = NULL};
    result.status = rh_reader_open(path, &options, &reader, &result.error);
    if (result.status != RH_OK)
        return result;
    if (d->second)
        result.status = rh_reader_seek(reader, EVENTS, &result.error);
    while (result.status == RH_OK && rh_reader_live(reader, &batch, &result.error) == RH_OK &&
           batch.count)
        assert_true(follower_follow(&replayer, batch.events, batch.count, batch.slots));
    while (result.status == RH_OK &&
           (result.status = rh_reader_next(reader, &batch, &result.error)) == RH_OK &&
           (batch.count || batch.block_ends)) {
        assert_true(follower_follow(&replayer, batch.events, batch.count, batch.slots));
        result.events += batch.count;
    }
    result.index = rh_reader_index(reader);
    rh_reader_close(reader);
    follower_release(&replayer);
    return result;
}

static void
test_the_draft_is_sound(void **state)
{
    (void)state;
    draft d;
    char *path = story_path("sound.rht");
    for (int blocks = 1; blocks <= 2; blocks++) {
        sound(&d);
        if (blocks == 2)
            go_on(&d);
        write_draft(&d, path);
        outcome result = read_file(&d, path, false);
        if (result.status != RH_OK)
            fail_msg("%s", result.error.message);
        assert_int_equal(result.events, EVENTS);
        assert_int_equal(result.index, RH_INDEX_SOUND);
    }
    free(path);
}

static bool
has_its_message(const struct limit *limit, const draft *d, const char *path)
{
    outcome result = read_file(d, path, false);
    if (strcmp(limit->message, INDEX) == 0) {
        if (result.status == RH_OK && result.events == EVENTS && result.index != RH_INDEX_SOUND)
            return true;
        print_error("%s: status %d, %llu events, index %d: %s\n", limit->name, result.status,
                    (unsigned long long)result.events, result.index, result.error.message);
        return false;
    }
    if (result.status == RH_BAD_INPUT && strstr(result.error.message, limit->message) &&
        strncmp(result.error.message, path, strlen(path)) == 0)
        return true;
    print_error("%s: '%s' is not in: %s\n", limit->name, limit->message,
                result.status == RH_OK ? "(it was read)" : result.error.message);
    return false;
}

static void
test_every_limit_has_its_message(void **state)
{
    (void)state;
    draft d;
    size_t wrong = 0;
    char *path = story_path("limit.rht");
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        sound(&d);
        limits[i].change(&d);
        write_draft(&d, path);
        wrong += !has_its_message(&limits[i], &d, path);
        read_file(&d, path, true); /* whatever can be */
    }
    free(path);
    assert_int_equal(wrong, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_draft_is_sound),
        cmocka_unit_test(test_every_limit_has_its_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
