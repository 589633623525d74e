/* Traces cut at every byte, with bits turned over anywhere, and forged so that their checksums
 * match: nothing may crash, hang or leak, what is read must make sense to whoever replays it, and
 * every refusal names the file and the place.
 */
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "tests/share.h"
#include "tests/unit/traces/follower.h"
#include "tests/unit/traces/story.h"
#include "traces/format.h"
#include "traces/reader.h"

typedef struct file {
    uint8_t *bytes;
    size_t size;
    char *path; /* where altered copies go */
} file;

static void
load(file *loaded, const story *told, const rh_writer_options *options)
{
    char *path = story_path("whole.rht");
    story_write(told, path, options);
    FILE *stream = fopen(path, "rb");
    assert_non_null(stream);
    fseek(stream, 0, SEEK_END);
    loaded->size = (size_t)ftell(stream);
    rewind(stream);
    loaded->bytes = malloc(loaded->size);
    assert_int_equal(fread(loaded->bytes, 1, loaded->size, stream), loaded->size);
    fclose(stream);
    free(path);
    loaded->path = story_path("altered.rht");
}

static void
unload(file *loaded)
{
    free(loaded->bytes);
    free(loaded->path);
}

static void
put(const char *path, const uint8_t *bytes, size_t size)
{
    FILE *stream = fopen(path, "wb");
    assert_non_null(stream);
    assert_int_equal(fwrite(bytes, 1, size, stream), size);
    assert_int_equal(fclose(stream), 0);
}

typedef struct outcome {
    rh_status status; /* of opening or reading */
    rh_error error;
    uint64_t events; /* delivered, bridges not counted */
    uint64_t bridges, lost;
    size_t damages;
    rh_index_state index;
    bool same_as_told; /* every event was that of the story with its number */
} outcome;

static bool
equal(const rh_event *read, const rh_event *told)
{
    return read->operation == told->operation && read->flags == told->flags &&
           read->domain == told->domain && read->thread == told->thread &&
           (read->operation == RH_FREE || read->size == told->size);
}

static void
read_on(rh_reader *reader, const story *told, follower *replayer, outcome *result)
{
    rh_batch batch;
    while ((result->status = rh_reader_next(reader, &batch, &result->error)) == RH_OK &&
           (batch.count || batch.block_ends)) {
        if (!follower_follow(replayer, batch.events, batch.count, batch.slots))
            fail_msg("%s", replayer->problem);
        for (size_t i = 0; i < batch.count; i++) {
            const rh_event *event = &batch.events[i];
            uint64_t at = batch.first_event + i;
            if (event->flags & RH_EVENT_BRIDGE) {
                result->bridges++;
                continue;
            }
            result->events++;
            result->same_as_told &= at < told->count && equal(event, &told->events[at]);
        }
    }
}

static void
read_rest(rh_reader *reader, const story *told, outcome *result)
{
    follower replayer = {.taken = NULL};
    read_on(reader, told, &replayer, result);
    follower_release(&replayer);
}

static void
read_from_seek(rh_reader *reader, const story *told, outcome *result)
{
    follower replayer = {.taken = NULL};
    rh_batch batch;
    while (rh_reader_live(reader, &batch, &result->error) == RH_OK && batch.count)
        if (!follower_follow(&replayer, batch.events, batch.count, batch.slots))
            fail_msg("%s", replayer.problem);
    read_on(reader, told, &replayer, result);
    follower_release(&replayer);
}

static outcome
read_file(const file *altered, const story *told, bool lenient)
{
    outcome result = {.same_as_told = true};
    rh_reader_options options = {.lenient = lenient, .audit = lenient, .max_live_blocks = 100000};
    rh_reader *reader;
    result.status = rh_reader_open(altered->path, &options, &reader, &result.error);
    if (result.status != RH_OK)
        return result;
    read_rest(reader, told, &result);
    const rh_damage *damage = rh_reader_damages(reader, &result.damages);
    for (size_t i = 0; i < result.damages; i++)
        result.lost += damage[i].lost_events;
    result.index = rh_reader_index(reader);
    rh_reader_close(reader);
    return result;
}

static void
check_message(const file *altered, const outcome *result)
{
    if (result->status == RH_OK)
        return;
    assert_int_equal(result->status, RH_BAD_INPUT);
    assert_int_equal(strncmp(result->error.message, altered->path, strlen(altered->path)), 0);
    if (!strstr(result->error.message, "byte") && !strstr(result->error.message, "empty") &&
        !strstr(result->error.message, "--max-live"))
        fail_msg("no place in: %s", result->error.message);
}

/* Bytes changed and checksums not: whatever is delivered is true, and nothing is silently missing.
 */
static void
check_honest(const file *altered, const story *told)
{
    outcome strict = read_file(altered, told, false);
    check_message(altered, &strict);
    assert_true(strict.same_as_told);
    if (strict.status == RH_OK && strict.index == RH_INDEX_SOUND)
        assert_int_equal(strict.events, told->count);
    outcome lenient = read_file(altered, told, true);
    check_message(altered, &lenient);
    assert_true(lenient.same_as_told);
    assert_true(lenient.events >= strict.events);
    if (lenient.status != RH_OK) {
        assert_int_equal(strict.status, RH_BAD_INPUT); /* the header */
        return;
    }
    assert_int_equal(lenient.damages != 0, strict.status != RH_OK);
    assert_true(lenient.events + lenient.lost <= told->count);
    if (lenient.index == RH_INDEX_SOUND)
        assert_int_equal(lenient.events + lenient.lost, told->count);
}

static const story_plan plans[] = {
    {.seed = 1, .count = 500, .live = 20},
    {.seed = 2, .count = 400, .live = 20, .timestamps = RH_TIMES_COARSE, .addresses = true},
    {.seed = 3, .count = 3000, .live = 60},
};
static const rh_writer_options small_blocks = {.level = 1, .block_events = 50, .key_bytes = 10};

static void
test_cut_anywhere(void **state)
{
    (void)state;
    story told;
    file whole;
    story_make(&told, &plans[0]);
    load(&whole, &told, &small_blocks);
    for (size_t size = 0; size < whole.size; size += test_share()) {
        put(whole.path, whole.bytes, size);
        check_honest(&whole, &told);
    }
    unload(&whole);
    story_release(&told);
}

static void
test_bits_turned_anywhere(void **state)
{
    (void)state;
    for (size_t plan = 0; plan < 2; plan++) {
        story told;
        file whole;
        story_make(&told, &plans[plan]);
        load(&whole, &told, &small_blocks);
        for (size_t at = 0; at < whole.size; at += test_share()) {
            uint8_t bit = (uint8_t)(1 << at % 8);
            whole.bytes[at] ^= bit;
            put(whole.path, whole.bytes, whole.size);
            check_honest(&whole, &told);
            whole.bytes[at] ^= bit;
        }
        unload(&whole);
        story_release(&told);
    }
}

/* Pieces overwritten, removed, doubled, exchanged. */
static size_t
mangle(rh_random *random, const file *whole, uint8_t *copy)
{
    size_t size = whole->size;
    memcpy(copy, whole->bytes, size);
    for (uint64_t times = 1 + rh_random_below(random, 3); times; times--) {
        size_t at = rh_random_below(random, size), to = rh_random_below(random, size);
        size_t length = 1 + rh_random_below(random, 300);
        size_t room = size - (at > to ? at : to);
        length = length < room ? length : room;
        switch (rh_random_below(random, 4)) {
        case 0:
            memmove(copy + at, copy + to, length);
            break;
        case 1:
            memset(copy + at, (int)rh_random_below(random, 256), length);
            break;
        case 2:
            memmove(copy + at, copy + at + length, size - at - length);
            size -= length;
            break;
        default:
            memmove(copy + at + length, copy + at, size - at - length);
            break;
        }
        if (size == 0)
            break;
    }
    return size;
}

static void
test_mangled(void **state)
{
    (void)state;
    story told;
    file whole;
    story_make(&told, &plans[2]);
    load(&whole, &told, &small_blocks);
    uint8_t *copy = malloc(whole.size + 1000);
    rh_random random = {99};
    for (unsigned round = 0; round < 600 / test_share(); round++) {
        put(whole.path, copy, mangle(&random, &whole, copy));
        check_honest(&whole, &told);
    }
    free(copy);
    unload(&whole);
    story_release(&told);
}

/* Gives every block that still has a head in one piece checksums that match. */
static void
forge(uint8_t *bytes, size_t size)
{
    size_t at = RH_HEADER_BYTES + rh_get_u32(bytes + 12);
    while (at + RH_BLOCK_PREFIX_BYTES < size && memcmp(bytes + at, RH_BLOCK_MAGIC, 4) == 0) {
        size_t head = rh_get_u16(bytes + at + 4), payload = rh_get_u32(bytes + at + 8);
        if (head < RH_BLOCK_PREFIX_BYTES || head > RH_BLOCK_HEAD_MAX || head + payload > size - at)
            return;
        rh_block_forge(bytes + at, head, payload);
        at += head + payload;
    }
}

/* Then nothing is known of the events but that a replayer can follow them. */
static void
test_forged(void **state)
{
    (void)state;
    for (size_t plan = 0; plan < 3; plan++) {
        story told;
        file whole;
        story_make(&told, &plans[plan]);
        load(&whole, &told, &small_blocks);
        uint8_t *copy = malloc(whole.size);
        rh_random random = {plan};
        for (unsigned round = 0; round < 600 / test_share(); round++) {
            memcpy(copy, whole.bytes, whole.size);
            for (uint64_t times = 1 + rh_random_below(&random, 4); times; times--)
                copy[rh_random_below(&random, whole.size)] = (uint8_t)rh_random_next(&random);
            memcpy(copy, whole.bytes, RH_HEADER_BYTES);
            forge(copy, whole.size);
            put(whole.path, copy, whole.size);
            outcome strict = read_file(&whole, &told, false);
            check_message(&whole, &strict);
            outcome lenient = read_file(&whole, &told, true);
            check_message(&whole, &lenient);
        }
        free(copy);
        unload(&whole);
        story_release(&told);
    }
}

/* Readers that begin in the middle of a damaged trace. */
static void
test_seek_in_damage(void **state)
{
    (void)state;
    story told;
    file whole;
    story_make(&told, &plans[2]);
    load(&whole, &told, &small_blocks);
    rh_random random = {5};
    for (unsigned round = 0; round < 400 / test_share(); round++) {
        size_t at = rh_random_below(&random, whole.size - RH_HEADER_BYTES) + RH_HEADER_BYTES;
        uint8_t byte = whole.bytes[at];
        whole.bytes[at] ^= (uint8_t)(1 + rh_random_below(&random, 255));
        put(whole.path, whole.bytes, whole.size);
        whole.bytes[at] = byte;
        rh_reader *reader;
        outcome result = {.same_as_told = true};
        rh_reader_options options = {.lenient = round % 2};
        if (rh_reader_open(whole.path, &options, &reader, &result.error) != RH_OK)
            continue; /* the description */
        uint64_t event = rh_random_below(&random, told.count);
        result.status = rh_reader_seek(reader, event, &result.error);
        if (result.status == RH_OK)
            read_from_seek(reader, &told, &result);
        assert_true(result.same_as_told);
        check_message(&whole, &result);
        if (round % 2)
            assert_int_equal(result.status, RH_OK);
        rh_reader_close(reader);
    }
    unload(&whole);
    story_release(&told);
}

static void
expect_refusal(const char *path, const char *words)
{
    rh_reader *reader;
    rh_error error = {0};
    assert_int_equal(rh_reader_open(path, NULL, &reader, &error), RH_BAD_INPUT);
    if (!strstr(error.message, words))
        fail_msg("'%s' is not in: %s", words, error.message);
    assert_int_equal(strncmp(error.message, path, strlen(path)), 0);
}

static void
test_other_files(void **state)
{
    (void)state;
    static const uint8_t later[RH_HEADER_BYTES] = RH_TRACE_MAGIC "\x02";
    static const uint8_t text[] = "123: malloc 0x10 20\n";
    static const uint8_t half[] = RH_TRACE_MAGIC;
    char *path = story_path("other.rht");
    put(path, text, 0);
    expect_refusal(path, "empty");
    put(path, text, sizeof text);
    expect_refusal(path, "not a reheap trace");
    put(path, half, 6);
    expect_refusal(path, "ends at byte 6");
    put(path, later, sizeof later);
    expect_refusal(path, "format version 2, and this program reads version 1");
    remove(path);
    expect_refusal(path, "No such file");
    expect_refusal("/", "not a regular file");
    free(path);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cut_anywhere), cmocka_unit_test(test_bits_turned_anywhere),
        cmocka_unit_test(test_mangled),      cmocka_unit_test(test_forged),
        cmocka_unit_test(test_other_files),  cmocka_unit_test(test_seek_in_damage),
    };
    /* Thousands of readers come and go: their memory need not go back to the kernel each time. */
    mallopt(M_MMAP_THRESHOLD, 1 << 30);
    mallopt(M_TRIM_THRESHOLD, 1 << 30);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
