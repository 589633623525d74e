/* What getting to a place in a trace costs, counted in blocks of the file that are unpacked: those
 * from the key block before it, and no other, with an index and without. */
#define _GNU_SOURCE /* truncate */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/traces/story.h"
#include "traces/format.h"
#include "traces/reader.h"

enum { EVENTS = 60000, BLOCK_EVENTS = 100 };

static void
write_trace(const char *path, story *told)
{
    story_make(told, &(story_plan){
                         .seed = 21, .count = EVENTS, .live = 200, .timestamps = RH_TIMES_EXACT});
    story_write(told, path, &(rh_writer_options){.block_events = BLOCK_EVENTS, .key_bytes = 10});
}

/* Takes the footer away, and the index with it. */
static void
remove_index(const char *path)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    assert_int_equal(truncate(path, ftell(file) - RH_FOOTER_BYTES), 0);
    fclose(file);
}

static rh_reader *
open_trace(const char *path)
{
    rh_reader *reader;
    rh_error error = {0};
    if (rh_reader_open(path, NULL, &reader, &error) != RH_OK)
        fail_msg("%s", error.message);
    return reader;
}

/* Reads up to `event` from where the reader is; returns the number of the first event read. */
static uint64_t
read_up_to(rh_reader *reader, uint64_t event)
{
    rh_batch batch = {.count = 0};
    uint64_t first = UINT64_MAX;
    do {
        assert_int_equal(rh_reader_next(reader, &batch, NULL), RH_OK);
        assert_true(batch.count > 0);
        if (first == UINT64_MAX)
            first = batch.first_event;
    } while (batch.first_event + batch.count <= event);
    return first;
}

static uint64_t
key_before(const rh_interval *interval, size_t count, uint64_t event)
{
    while (interval[count - 1].first_event > event)
        count--;
    return interval[count - 1].first_event;
}

static void
check_costs(const char *path)
{
    rh_reader *reader = open_trace(path);
    size_t count = 0;
    rh_interval *interval = rh_reader_intervals(reader, 0, &count);
    assert_true(count > 5);
    assert_int_equal(rh_reader_blocks_unpacked(reader), 0);
    for (uint64_t event = 0; event < EVENTS; event += 997) {
        uint64_t before = rh_reader_blocks_unpacked(reader);
        assert_int_equal(rh_reader_seek(reader, event, NULL), RH_OK);
        uint64_t first = read_up_to(reader, event);
        assert_int_equal(first, key_before(interval, count, event));
        assert_int_equal(rh_reader_blocks_unpacked(reader) - before,
                         event / BLOCK_EVENTS - first / BLOCK_EVENTS + 1);
    }
    free(interval);
    rh_reader_close(reader);
}

static void
test_a_seek_costs_one_interval(void **state)
{
    (void)state;
    char *path = story_path("cost.rht");
    story told;
    write_trace(path, &told);
    check_costs(path);
    remove_index(path);
    rh_reader *reader = open_trace(path);
    assert_int_equal(rh_reader_index(reader), RH_INDEX_MISSING);
    rh_reader_close(reader);
    check_costs(path);
    story_release(&told);
    free(path);
}

static void
test_seek_by_time(void **state)
{
    (void)state;
    char *path = story_path("time.rht");
    story told;
    write_trace(path, &told);
    rh_reader *reader = open_trace(path);
    size_t count = 0;
    rh_interval *interval = rh_reader_intervals(reader, 0, &count);
    uint64_t span = told.events[EVENTS - 1].time_ns;
    for (unsigned part = 0; part <= 40; part++) {
        uint64_t ns = span * part / 40, wanted = 0;
        while (wanted < EVENTS - 1 && told.events[wanted].time_ns < ns)
            wanted++;
        uint64_t before = rh_reader_blocks_unpacked(reader);
        assert_int_equal(rh_reader_seek_time(reader, ns, NULL), RH_OK);
        uint64_t first = read_up_to(reader, wanted);
        assert_true(first <= wanted);
        /* At most one key earlier than by its number: when the wanted one is a key's very first. */
        assert_true(first >= key_before(interval, count, wanted ? wanted - 1 : 0));
        assert_int_equal(rh_reader_blocks_unpacked(reader) - before,
                         wanted / BLOCK_EVENTS - first / BLOCK_EVENTS + 1);
    }
    free(interval);
    rh_reader_close(reader);
    story_release(&told);
    free(path);
}

/* An interval ends where the next one begins, and knows of nothing behind. */
static void
test_intervals_make_up_the_trace(void **state)
{
    (void)state;
    char *path = story_path("intervals.rht");
    story told;
    write_trace(path, &told);
    rh_reader *reader = open_trace(path), *fork;
    assert_int_equal(rh_reader_fork(reader, NULL, &fork, NULL), RH_OK);
    for (uint64_t least = 0; least < EVENTS * 2; least = least * 2 + 1000) {
        size_t count = 0;
        rh_interval *interval = rh_reader_intervals(reader, least, &count);
        uint64_t events = 0, unpacked = rh_reader_blocks_unpacked(fork);
        for (size_t i = 0; i < count; i++) {
            rh_batch batch;
            assert_true(i + 1 == count ||
                        interval[i + 1].first_event - interval[i].first_event >= least);
            assert_int_equal(interval[i].first_event, events);
            assert_int_equal(rh_reader_enter(fork, &interval[i], NULL), RH_OK);
            do {
                assert_int_equal(rh_reader_next(fork, &batch, NULL), RH_OK);
                events += batch.count;
            } while (batch.count);
            assert_null(rh_reader_contradiction(fork));
        }
        assert_int_equal(events, EVENTS);
        assert_int_equal(rh_reader_blocks_unpacked(fork) - unpacked, EVENTS / BLOCK_EVENTS);
        free(interval);
    }
    rh_reader_close(fork);
    rh_reader_close(reader);
    story_release(&told);
    free(path);
}

/* Where a key never pays, one comes all the same, so that a place is never too far from it. */
static void
test_keys_come_in_time(void **state)
{
    (void)state;
    char *path = story_path("rare.rht");
    story told;
    story_make(&told, &(story_plan){.seed = 3, .count = EVENTS, .live = 200});
    for (unsigned dear = 0; dear < 2; dear++) {
        story_write(&told, path,
                    &(rh_writer_options){.block_events = BLOCK_EVENTS,
                                         .key_bytes = 1 << 30,
                                         .key_events = dear ? 0 : 50 * BLOCK_EVENTS});
        rh_reader *reader = open_trace(path);
        size_t count = 0;
        rh_interval *interval = rh_reader_intervals(reader, 0, &count);
        assert_int_equal(count, dear ? 1 : EVENTS / BLOCK_EVENTS / 50);
        for (size_t i = 0; i < count; i++)
            assert_int_equal(interval[i].first_event, i * 50 * BLOCK_EVENTS);
        free(interval);
        rh_reader_close(reader);
    }
    story_release(&told);
    free(path);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_seek_costs_one_interval),
        cmocka_unit_test(test_seek_by_time),
        cmocka_unit_test(test_intervals_make_up_the_trace),
        cmocka_unit_test(test_keys_come_in_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
