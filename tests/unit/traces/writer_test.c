/* What the writer leaves behind when it cannot go on: nothing, or for one that writes in place a
 * file that can be read up to there. */
#define _GNU_SOURCE /* popen, setrlimit */
#include "traces/writer.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/traces/story.h"
#include "traces/event.h"
#include "traces/reader.h"
#include "traces/trace_info.h"

static void
limit_file_size(rlim_t bytes)
{
    struct rlimit limit;
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* Writes a story to a disk that is full after `room` bytes; returns the status of finish. */
static rh_status
write_to_full_disk(const char *path, bool in_place, rlim_t room, rh_error *error)
{
    story told;
    story_make(&told, &(story_plan){.seed = 4, .count = 20000, .live = 300});
    rh_writer *writer;
    rh_writer_options options = {.block_events = 1000, .in_place = in_place};
    assert_int_equal(rh_writer_open(path, &told.info, &options, &writer, NULL), RH_OK);
    limit_file_size(room);
    uint32_t *handle = calloc(told.blocks + 1, sizeof *handle);
    rh_status status = RH_OK;
    for (size_t i = 0; i < told.count && status == RH_OK; i++)
        status = rh_writer_event(writer, &told.events[i], &handle[told.block[i]], error);
    rh_status finished = rh_writer_finish(writer, 0, 0, error);
    limit_file_size(RLIM_INFINITY);
    assert_true(status == RH_OK || finished == status);
    free(handle);
    story_release(&told);
    return finished;
}

static void
test_full_disk_leaves_nothing(void **state)
{
    (void)state;
    char *path = story_path("full.rht");
    rh_error error = {.status = RH_OK};
    assert_int_equal(write_to_full_disk(path, false, 9000, &error), RH_SYSTEM);
    assert_int_equal(strncmp(error.message, path, strlen(path)), 0);
    assert_non_null(strstr(error.message, "File too large"));
    assert_int_equal(access(path, F_OK), -1);
    char pattern[4096];
    snprintf(pattern, sizeof pattern, "ls %s* 2>/dev/null", path);
    FILE *left = popen(pattern, "r");
    assert_null(fgets(pattern, sizeof pattern, left));
    pclose(left);
    free(path);
}

static void
test_full_disk_in_place_leaves_what_was_written(void **state)
{
    (void)state;
    char *path = story_path("full_in_place.rht");
    for (rlim_t room = 2000; room < 24000; room += 3333) {
        rh_error error = {.status = RH_OK};
        assert_int_equal(write_to_full_disk(path, true, room, &error), RH_SYSTEM);
        rh_reader *reader;
        rh_batch batch;
        uint64_t events = 0;
        assert_int_equal(rh_reader_open(path, NULL, &reader, &error), RH_OK);
        rh_status status;
        while ((status = rh_reader_next(reader, &batch, &error)) == RH_OK && batch.count)
            events += batch.count;
        assert_int_equal(status, RH_OK);
        assert_false(rh_reader_info(reader)->complete);
        assert_int_equal(events % 1000, 0);
        assert_true(room < 10000 || events > 0);
        rh_reader_close(reader);
    }
    free(path);
}

static void
test_discard_leaves_nothing(void **state)
{
    (void)state;
    rh_trace_info info;
    rh_trace_info_init(&info);
    for (int in_place = 0; in_place < 2; in_place++) {
        char *path = story_path("discarded.rht");
        rh_writer *writer;
        rh_writer_options options = {.in_place = in_place};
        assert_int_equal(rh_writer_open(path, &info, &options, &writer, NULL), RH_OK);
        uint32_t handle;
        rh_event event = {.operation = RH_MALLOC, .size = 5};
        assert_int_equal(rh_writer_event(writer, &event, &handle, NULL), RH_OK);
        rh_writer_discard(writer);
        assert_int_equal(access(path, F_OK), -1);
        free(path);
    }
    rh_writer_discard(NULL);
}

static void
test_refusals(void **state)
{
    (void)state;
    rh_trace_info info;
    rh_trace_info_init(&info);
    rh_writer *writer;
    rh_error error = {.status = RH_OK};
    assert_int_equal(rh_writer_open("/no/such/folder/a.rht", &info, NULL, &writer, &error),
                     RH_SYSTEM);
    char *path = story_path("refused.rht");
    rh_writer_options level = {.level = 99}, events = {.block_events = 3};
    assert_int_equal(rh_writer_open(path, &info, &level, &writer, &error), RH_USAGE);
    assert_int_equal(rh_writer_open(path, &info, &events, &writer, &error), RH_USAGE);
    const rh_event bad[] = {
        {.operation = RH_OPERATIONS},
        {.operation = RH_MALLOC, .domain = RH_EVENT_DOMAINS},
        {.operation = RH_MALLOC, .size = (uint64_t)1 << 60},
        {.operation = RH_MALLOC, .size = 1, .address = UINT64_MAX},
        {.operation = RH_CALLOC, .size = 10, .count = 3, .element = 3},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        uint32_t handle;
        assert_int_equal(rh_writer_open(path, &info, NULL, &writer, &error), RH_OK);
        assert_int_equal(rh_writer_event(writer, &bad[i], &handle, &error), RH_BAD_INPUT);
        assert_int_equal(rh_writer_finish(writer, 0, 0, &error), RH_BAD_INPUT);
        assert_int_equal(access(path, F_OK), -1);
    }
    free(path);
}

/* What no reader would take is refused before it is in the file. */
static void
test_refuses_shapes_without_sense(void **state)
{
    (void)state;
    rh_trace_info info;
    rh_trace_info_init(&info);
    char *path = story_path("shapes.rht");
    const rh_event bad[] = {
        {.operation = RH_MALLOC, .flags = RH_EVENT_FOREIGN},
        {.operation = RH_FREE, .flags = RH_EVENT_NULL | RH_EVENT_POOLED},
        {.operation = RH_MARK, .flags = RH_EVENT_FAILED},
        {.operation = RH_ARENA_ALLOC, .domain = RH_DOMAIN_LIBC},
        {.operation = RH_ALIGNED, .alignment_log2 = 64},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        rh_writer *writer;
        rh_error error = {.status = RH_OK};
        uint32_t handle;
        assert_int_equal(rh_writer_open(path, &info, NULL, &writer, &error), RH_OK);
        assert_int_equal(rh_writer_event(writer, &bad[i], &handle, &error), RH_OK);
        assert_int_equal(rh_writer_finish(writer, 0, 0, &error), RH_BAD_INPUT);
        assert_non_null(strstr(error.message, "makes no sense"));
        assert_int_equal(access(path, F_OK), -1);
    }
    free(path);
}

/* A token has no room for it. */
static void
test_refuses_a_block_of_another_domain(void **state)
{
    (void)state;
    rh_trace_info info;
    rh_trace_info_init(&info);
    info.domains = true;
    char *path = story_path("another.rht");
    for (uint8_t born = 0; born < RH_EVENT_DOMAINS; born++) {
        rh_writer *writer;
        rh_error error = {.status = RH_OK};
        uint32_t handle;
        const rh_event birth = {.operation = RH_MALLOC, .domain = born, .size = 9};
        const rh_event death = {.operation = RH_FREE, .domain = RH_DOMAIN_LIBC};
        assert_int_equal(rh_writer_open(path, &info, NULL, &writer, &error), RH_OK);
        assert_int_equal(rh_writer_event(writer, &birth, &handle, &error), RH_OK);
        assert_int_equal(rh_writer_event(writer, &death, &handle, &error),
                         born == RH_DOMAIN_LIBC ? RH_OK : RH_BAD_INPUT);
        rh_writer_discard(writer);
    }
    free(path);
}

/* A flush makes everything so far readable. */
static void
test_flush(void **state)
{
    (void)state;
    rh_trace_info info;
    rh_trace_info_init(&info);
    char *path = story_path("flushed.rht");
    rh_writer *writer;
    rh_writer_options options = {.in_place = true};
    assert_int_equal(rh_writer_open(path, &info, &options, &writer, NULL), RH_OK);
    for (uint64_t i = 1; i <= 5; i++) {
        uint32_t handle;
        rh_event event = {.operation = RH_MALLOC, .size = i};
        assert_int_equal(rh_writer_event(writer, &event, &handle, NULL), RH_OK);
        assert_int_equal(rh_writer_flush(writer, NULL), RH_OK);
        rh_reader *reader;
        rh_batch batch;
        uint64_t events = 0;
        assert_int_equal(rh_reader_open(path, NULL, &reader, NULL), RH_OK);
        while (rh_reader_next(reader, &batch, NULL) == RH_OK && batch.count)
            events += batch.count;
        assert_int_equal(events, i);
        rh_reader_close(reader);
    }
    assert_int_equal(rh_writer_finish(writer, 0, 0, NULL), RH_OK);
    free(path);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_full_disk_leaves_nothing),
        cmocka_unit_test(test_full_disk_in_place_leaves_what_was_written),
        cmocka_unit_test(test_discard_leaves_nothing),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_refuses_shapes_without_sense),
        cmocka_unit_test(test_refuses_a_block_of_another_domain),
        cmocka_unit_test(test_flush),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
