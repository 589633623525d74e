/* A sound trace is found sound, and each rule of sense is missed when it is broken. */
#include "traces/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/traces/story.h"
#include "traces/event.h"
#include "traces/trace_info.h"
#include "traces/writer.h"

static void
test_stories_are_sound(void **state)
{
    (void)state;
    char *path = story_path("sound.rht");
    for (uint64_t seed = 1; seed < 7; seed++) {
        story told;
        story_make(&told, &(story_plan){.seed = seed,
                                        .count = 3000,
                                        .live = 100,
                                        .timestamps = (rh_timestamps)(seed % 3),
                                        .addresses = seed % 2});
        story_write(&told, path, &(rh_writer_options){.block_events = 100, .key_bytes = 10});
        rh_check_report report;
        rh_error error = {.status = RH_OK};
        rh_status status = rh_check_trace(path, 0, NULL, &report, &error);
        if (status != RH_OK)
            fail_msg("%s%s", error.message, report.notes ? report.note[0].text : "");
        assert_int_equal(report.events, told.count);
        assert_int_equal(report.index, RH_INDEX_SOUND);
        story_release(&told);
    }
    free(path);
}

/* Writes `events` (no deaths) and expects one breach whose text has `words`. */
static void
expect_breach(const rh_event *events, size_t count, const char *words)
{
    rh_trace_info info;
    rh_trace_info_init(&info);
    info.timestamps = RH_TIMES_EXACT;
    info.addresses = info.domains = true;
    char *path = story_path("breach.rht");
    rh_writer *writer;
    uint32_t handle;
    assert_int_equal(rh_writer_open(path, &info, NULL, &writer, NULL), RH_OK);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(rh_writer_event(writer, &events[i], &handle, NULL), RH_OK);
    assert_int_equal(rh_writer_finish(writer, 0, 0, NULL), RH_OK);
    rh_check_report report;
    rh_error error = {.status = RH_OK};
    rh_status status = rh_check_trace(path, 0, NULL, &report, &error);
    assert_int_equal(status, words ? RH_DIFFERENT : RH_OK);
    if (words && !strstr(report.note[0].text, words))
        fail_msg("'%s' is not in: %s", words, report.note[0].text);
    assert_int_equal(report.breaches, words != NULL);
    free(path);
}

#define ARENA(at, bytes)                                                                           \
    {                                                                                              \
        .operation = RH_ARENA_ALLOC, .address = (at), .size = (bytes)                              \
    }
#define GONE(at, bytes)                                                                            \
    {                                                                                              \
        .operation = RH_ARENA_FREE, .address = (at), .size = (bytes)                               \
    }
#define COUNT(array) (sizeof(array) / sizeof *(array))

static void
test_arenas(void **state)
{
    (void)state;
    const rh_event good[] = {ARENA(4096, 4096), ARENA(8192, 4096), GONE(4096, 4096),
                             ARENA(4096, 4096)};
    expect_breach(good, COUNT(good), NULL);
    const rh_event unknown[] = {ARENA(4096, 4096), GONE(8192, 4096)};
    expect_breach(unknown, COUNT(unknown), "no arena at 0x2000");
    const rh_event twice[] = {ARENA(4096, 4096), GONE(4096, 4096), GONE(4096, 4096)};
    expect_breach(twice, COUNT(twice), "no arena at 0x1000");
    const rh_event overlap[] = {ARENA(4096, 8192), ARENA(8192, 4096)};
    expect_breach(overlap, COUNT(overlap), "overlaps");
    const rh_event other_size[] = {ARENA(4096, 8192), GONE(4096, 4096)};
    expect_breach(other_size, COUNT(other_size), "has 8192 bytes, and 4096 are freed");
    const rh_event empty[] = {ARENA(4096, 0)};
    expect_breach(empty, COUNT(empty), "an arena of 0 bytes");
}

static void
test_blocks_lie_in_arenas(void **state)
{
    (void)state;
    const rh_event good[] = {ARENA(4096, 4096),
                             {.address = 4096, .size = 16, .flags = RH_EVENT_POOLED}};
    expect_breach(good, COUNT(good), NULL);
    const rh_event outside[] = {ARENA(4096, 4096),
                                {.address = 8192, .size = 16, .flags = RH_EVENT_POOLED}};
    expect_breach(outside, COUNT(outside), "lies in none");
}

static void
test_time_and_threads(void **state)
{
    (void)state;
    const rh_event back[] = {{.size = 1, .time_ns = 500}, {.size = 1, .time_ns = 499}};
    expect_breach(back, COUNT(back), "before the previous");
    const rh_event skipped[] = {{.size = 1}, {.size = 1, .thread = 2}};
    expect_breach(skipped, COUNT(skipped), "thread 2 appears when 1 were known");
}

/* The totals are JSON at the end, under the index's checksum: a file with a false one is forged. */
static void
test_totals(void **state)
{
    (void)state;
    story told;
    story_make(&told, &(story_plan){.seed = 9, .count = 300, .live = 10});
    char *path = story_path("totals.rht");
    story_write(&told, path, NULL);
    assert_true(story_forge_totals(path, "\"events\":", 1));
    rh_check_report report;
    rh_error error = {.status = RH_OK};
    assert_int_equal(rh_check_trace(path, 0, NULL, &report, &error), RH_DIFFERENT);
    assert_non_null(strstr(report.note[0].text, "the totals say events"));
    story_release(&told);
    free(path);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stories_are_sound),
        cmocka_unit_test(test_arenas),
        cmocka_unit_test(test_blocks_lie_in_arenas),
        cmocka_unit_test(test_time_and_threads),
        cmocka_unit_test(test_totals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
