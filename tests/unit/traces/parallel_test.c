/* Reading a trace in parts, by one thread and by several, gives the same to the last bit: on sound
 * traces, on damaged, truncated and forged ones, with and without an index, within any limit. */
#define _GNU_SOURCE /* truncate */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/random.h"
#include "tests/unit/traces/story.h"
#include "traces/check.h"
#include "traces/event.h"
#include "traces/format.h"
#include "traces/parallel.h"
#include "traces/reader.h"
#include "traces/summary.h"
#include "traces/writer.h"

static const unsigned jobs[] = {1, 2, 3, 8};
enum { JOBS = sizeof jobs / sizeof *jobs };

typedef struct outcome {
    rh_status status;
    rh_error error;
    rh_summary summary;
    uint64_t blocks_in_order;
    rh_status check_status;
    rh_error check_error;
    rh_check_report report;
} outcome;

static void
read_with(const char *path, unsigned threads, uint64_t max_live, outcome *out)
{
    rh_parallel_options parallel = {.jobs = threads, .interval_events = 1};
    rh_reader_options options = {.max_live_blocks = max_live};
    rh_reader *reader;
    memset(out, 0, sizeof *out);
    assert_true(rh_summary_init(&out->summary));
    out->status = rh_reader_open(path, &options, &reader, &out->error);
    if (out->status == RH_OK) {
        out->status = rh_summary_read(&out->summary, reader, &options, &parallel, &out->error);
        out->blocks_in_order = rh_reader_blocks_unpacked(reader);
        rh_reader_close(reader);
    }
    out->check_status = rh_check_trace(path, max_live, &parallel, &out->report, &out->check_error);
}

static void
compare_digests(const rh_digest *a, const rh_digest *b)
{
    rh_digest left = *a, right = *b;
    left.nested = right.nested = NULL;
    left.slots = right.slots = 0;
    left.merged = right.merged = false;
    assert_memory_equal(&left, &right, sizeof left);
}

#define SAME(field) assert_int_equal(a->field, b->field)

static void
compare_habits(const rh_habits *a, const rh_habits *b)
{
    assert_memory_equal(a->lifetimes, b->lifetimes, sizeof a->lifetimes);
    assert_memory_equal(a->lifetime_bytes, b->lifetime_bytes, sizeof a->lifetime_bytes);
    assert_memory_equal(a->growths, b->growths, sizeof a->growths);
    SAME(survivors);
    SAME(survivor_bytes);
    SAME(resized_bytes);
    SAME(most_resizes);
    SAME(more_phases);
    SAME(thread_count);
    SAME(phase_count);
    if (a->thread_count)
        assert_memory_equal(a->threads, b->threads, a->thread_count * sizeof *a->threads);
    for (uint32_t i = 0; i < a->phase_count; i++) {
        assert_string_equal(a->phases[i].name, b->phases[i].name);
        SAME(phases[i].first_event);
        SAME(phases[i].events);
        SAME(phases[i].requests);
        SAME(phases[i].requested_bytes);
        SAME(phases[i].peak_bytes);
        SAME(phases[i].peak_blocks);
        SAME(phases[i].end_bytes);
        SAME(phases[i].end_blocks);
    }
}

static void
compare_reports(const rh_check_report *a, const rh_check_report *b)
{
    SAME(index);
    SAME(events);
    SAME(lost_events);
    SAME(damages);
    SAME(breaches);
    SAME(notes);
    for (size_t i = 0; i < a->notes; i++) {
        SAME(note[i].damage);
        assert_string_equal(a->note[i].text, b->note[i].text);
    }
}

/* Reads `path` with each number of threads; returns how many blocks eight of them left to be read
 * in order: by `info`, and by `check` in `*checked_in_order`. */
static uint64_t
compare_threads(const char *path, uint64_t max_live, uint64_t *checked_in_order)
{
    static outcome alone, crew;
    uint64_t in_order = 0;
    for (unsigned i = 0; i < JOBS; i++) {
        outcome *out = i == 0 ? &alone : &crew;
        read_with(path, jobs[i], max_live, out);
        in_order = out->blocks_in_order;
        *checked_in_order = out->report.blocks_in_order;
        if (i == 0)
            continue;
        assert_int_equal(crew.status, alone.status);
        assert_string_equal(crew.error.message, alone.error.message);
        compare_digests(&crew.summary.digest, &alone.summary.digest);
        compare_habits(&crew.summary.habits, &alone.summary.habits);
        assert_int_equal(crew.check_status, alone.check_status);
        assert_string_equal(crew.check_error.message, alone.check_error.message);
        compare_reports(&crew.report, &alone.report);
        rh_summary_release(&crew.summary);
    }
    rh_summary_release(&alone.summary);
    return in_order;
}

static story_plan
plan_of(uint64_t seed, size_t count)
{
    return (story_plan){.seed = seed,
                        .count = count,
                        .live = 20 + (unsigned)(seed * 37 % 300),
                        .timestamps = (rh_timestamps)(seed % 3),
                        .addresses = seed % 2};
}

static const rh_writer_options many_keys = {.block_events = 100, .key_bytes = 10};

static void
make_trace(const char *path, uint64_t seed, size_t count)
{
    story told;
    story_plan plan = plan_of(seed, count);
    story_make(&told, &plan);
    story_write(&told, path, &many_keys);
    story_release(&told);
}

static void
test_sound_traces(void **state)
{
    (void)state;
    char *path = story_path("sound.rht");
    for (uint64_t seed = 1; seed <= 12; seed++) {
        make_trace(path, seed, 1000 * seed);
        uint64_t checked;
        assert_int_equal(compare_threads(path, 0, &checked), 0);
        assert_int_equal(checked, 0);
    }
    free(path);
}

/* Lives that last through many parts, chains of reallocs through them, more marks than are kept,
 * blocks that an allocator takes for itself and gives back, threads that appear late. */
static void
test_long_lives(void **state)
{
    enum { LONG = 64, EVENTS = 40000 };
    (void)state;
    char *path = story_path("lives.rht");
    rh_trace_info info;
    rh_trace_info_init(&info);
    info.domains = true;
    rh_writer *writer;
    assert_int_equal(rh_writer_open(path, &info, &many_keys, &writer, NULL), RH_OK);
    uint32_t handle[LONG + 1] = {0};
    bool alive[LONG] = {false};
    rh_random random = {5};
    for (unsigned i = 0; i < EVENTS; i++) {
        unsigned which = (unsigned)rh_random_below(&random, LONG);
        unsigned thread = i / 8000;
        uint8_t nested = rh_random_below(&random, 300) == 0 ? RH_EVENT_NESTED : 0;
        rh_event event = {.operation = RH_REALLOC,
                          .size = rh_random_below(&random, 100000),
                          .flags = nested,
                          .domain = (uint8_t)rh_random_below(&random, 3),
                          .thread = (uint32_t)rh_random_below(&random, thread + 1)};
        if (i % 8000 == 0)
            event.thread = thread;
        if (rh_random_below(&random, 20) == 0) {
            event = (rh_event){.operation = RH_MARK, .text = "phase", .size = 5};
            which = LONG;
        } else if (!alive[which]) {
            event.operation = RH_MALLOC;
            alive[which] = true;
        } else if (rh_random_below(&random, 200) == 0) {
            event.operation = RH_FREE;
            alive[which] = false;
        }
        assert_int_equal(rh_writer_event(writer, &event, &handle[which], NULL), RH_OK);
    }
    assert_int_equal(rh_writer_finish(writer, 0, 0, NULL), RH_OK);
    uint64_t checked;
    assert_int_equal(compare_threads(path, 0, &checked), 0);
    assert_int_equal(checked, 0);
    static outcome out;
    read_with(path, 8, 0, &out);
    assert_true(out.summary.habits.more_phases);
    assert_true(out.summary.habits.most_resizes > 100);
    assert_int_equal(out.summary.habits.survivors, out.summary.digest.live_blocks);
    assert_int_equal(out.summary.habits.survivor_bytes, out.summary.digest.live_bytes);
    rh_summary_release(&out.summary);
    free(path);
}

typedef struct file {
    uint8_t *bytes;
    size_t size;
} file;

static file
load(const char *path)
{
    FILE *stream = fopen(path, "rb");
    assert_non_null(stream);
    fseek(stream, 0, SEEK_END);
    file loaded = {.size = (size_t)ftell(stream)};
    rewind(stream);
    loaded.bytes = malloc(loaded.size);
    assert_int_equal(fread(loaded.bytes, 1, loaded.size, stream), loaded.size);
    fclose(stream);
    return loaded;
}

static void
put(const char *path, const file *altered, size_t size)
{
    FILE *stream = fopen(path, "wb");
    assert_non_null(stream);
    assert_int_equal(fwrite(altered->bytes, 1, size, stream), size);
    assert_int_equal(fclose(stream), 0);
}

static void
test_truncated_traces(void **state)
{
    (void)state;
    char *path = story_path("truncated.rht");
    make_trace(path, 3, 9000);
    file whole = load(path);
    uint64_t checked;
    put(path, &whole, whole.size - 1); /* only the index is cut: all of it is read at once */
    assert_int_equal(compare_threads(path, 0, &checked), 0);
    assert_int_equal(checked, 0);
    for (size_t size = 0; size < whole.size; size += whole.size / 40) {
        put(path, &whole, size);
        compare_threads(path, 0, &checked);
    }
    free(whole.bytes);
    free(path);
}

static void
test_damaged_traces(void **state)
{
    (void)state;
    char *path = story_path("damaged.rht");
    rh_random random = {17};
    uint64_t checked;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        make_trace(path, seed, 9000);
        file whole = load(path);
        for (unsigned round = 0; round < 15; round++) {
            for (unsigned places = 1 + round % 3; places; places--) {
                size_t at = rh_random_below(&random, whole.size);
                whole.bytes[at] ^= (uint8_t)(1u << rh_random_below(&random, 8));
            }
            put(path, &whole, whole.size);
            compare_threads(path, 0, &checked);
            if (round % 5 == 4) { /* and then some more of the same */
                free(whole.bytes);
                make_trace(path, seed, 9000);
                whole = load(path);
            }
        }
        free(whole.bytes);
    }
    free(path);
}

/* Blocks altered under checksums that match: what they say may contradict what went before, may
 * make no sense, or may be sound and something else. */
static void
test_forged_traces(void **state)
{
    (void)state;
    char *path = story_path("forged.rht");
    make_trace(path, 2, 6000);
    file whole = load(path);
    rh_random random = {23};
    uint64_t checked;
    for (unsigned round = 0; round < 60; round++) {
        file copy = {.bytes = malloc(whole.size), .size = whole.size};
        memcpy(copy.bytes, whole.bytes, whole.size);
        size_t at = RH_HEADER_BYTES + rh_get_u32(copy.bytes + 12);
        rh_block_head head;
        unsigned skip = (unsigned)rh_random_below(&random, 40);
        while (rh_block_head_read(copy.bytes + at, copy.size - at, &head) == RH_HEAD_SOUND &&
               skip--)
            at += head.head_bytes + head.payload_bytes;
        if (rh_block_head_read(copy.bytes + at, copy.size - at, &head) == RH_HEAD_SOUND) {
            size_t from = RH_BLOCK_PREFIX_BYTES;
            size_t span = head.head_bytes - from + (round % 2 ? head.payload_bytes : 0);
            copy.bytes[at + from + rh_random_below(&random, span)] ^=
                (uint8_t)(1u << rh_random_below(&random, 8));
            rh_block_forge(copy.bytes + at, head.head_bytes, head.payload_bytes);
        }
        put(path, &copy, copy.size);
        compare_threads(path, 0, &checked);
        free(copy.bytes);
    }
    free(whole.bytes);
    free(path);
}

/* Sense that only the whole can judge: arenas, times and threads across parts. */
static void
test_breaches_across_parts(void **state)
{
    enum { EVENTS = 3000 };
    (void)state;
    char *path = story_path("breach.rht");
    for (unsigned kind = 0; kind < 6; kind++) {
        rh_trace_info info;
        rh_trace_info_init(&info);
        info.timestamps = RH_TIMES_EXACT;
        info.addresses = info.domains = true;
        rh_writer *writer;
        assert_int_equal(rh_writer_open(path, &info, &many_keys, &writer, NULL), RH_OK);
        uint32_t handle;
        for (unsigned i = 0; i < EVENTS; i++) {
            rh_event event = {
                .size = 1 + i * 7919 % 5000, .address = (uint64_t)4096 + i * 64, .time_ns = i};
            if (i == 10)
                event = (rh_event){RH_ARENA_ALLOC, .size = 1 << 30, .address = 4096, .time_ns = i};
            if (i > 10 && i < 1990)
                event.flags = RH_EVENT_POOLED;
            if (i == 1990)
                event = (rh_event){RH_ARENA_FREE, .size = 1 << 30, .address = 4096, .time_ns = i};
            if (i == 1500 && kind == 1)
                event.address = (uint64_t)1 << 40;
            if (i == 2000 && kind == 2)
                event.flags = RH_EVENT_POOLED;
            if (i == 2000 && kind == 3)
                event = (rh_event){RH_ARENA_FREE, .size = 1 << 30, .address = 4096, .time_ns = i};
            if (i == 2000 && kind == 4)
                event.thread = 2;
            if (i >= 2000 && kind == 5)
                event.time_ns -= 1000;
            assert_int_equal(rh_writer_event(writer, &event, &handle, NULL), RH_OK);
            if (event.operation != RH_MALLOC)
                continue;
            event = (rh_event){RH_FREE, .thread = event.thread, .time_ns = event.time_ns};
            assert_int_equal(rh_writer_event(writer, &event, &handle, NULL), RH_OK);
        }
        assert_int_equal(rh_writer_finish(writer, 0, 0, NULL), RH_OK);
        uint64_t checked;
        assert_int_equal(compare_threads(path, 0, &checked), 0);
        if (kind == 0)
            assert_int_equal(checked, 0);
        else
            assert_true(checked > 0);
    }
    free(path);
}

static void
test_limits(void **state)
{
    (void)state;
    char *path = story_path("limits.rht");
    make_trace(path, 8, 12000);
    uint64_t checked;
    for (uint64_t limit = 1; limit < 2000; limit += limit / 2 + 1)
        compare_threads(path, limit, &checked);
    free(path);
}

static bool
stop_late(void *ctx, uint64_t done, uint64_t all)
{
    uint64_t *told = ctx;
    assert_true(done <= all);
    return ++*told < 3;
}

static void
test_stopping(void **state)
{
    (void)state;
    char *path = story_path("stopped.rht");
    make_trace(path, 4, 60000);
    for (unsigned i = 0; i < JOBS; i++) {
        uint64_t told = 0;
        rh_parallel_options parallel = {
            .jobs = jobs[i], .interval_events = 1, .watch = stop_late, .ctx = &told};
        rh_check_report report;
        rh_error error;
        rh_status status = rh_check_trace(path, 0, &parallel, &report, &error);
        assert_int_equal(status, RH_INTERRUPTED);
        assert_non_null(strstr(error.message, "interrupted"));
        assert_int_equal(told, 3);
    }
    free(path);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sound_traces),     cmocka_unit_test(test_long_lives),
        cmocka_unit_test(test_truncated_traces), cmocka_unit_test(test_damaged_traces),
        cmocka_unit_test(test_forged_traces),    cmocka_unit_test(test_breaches_across_parts),
        cmocka_unit_test(test_limits),           cmocka_unit_test(test_stopping),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
