/* What was written is what is read: all fields, all orders, from the start and from any key. */
#include "traces/reader.h"

#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/traces/story.h"
#include "traces/writer.h"

/* Which of the story's blocks a slot holds now. */
typedef struct holder {
    uint32_t *block;
    uint32_t slots;
} holder;

static void
grow(holder *held, uint32_t slots)
{
    if (slots <= held->slots)
        return;
    held->block = realloc(held->block, slots * sizeof *held->block);
    memset(held->block + held->slots, 0, (slots - held->slots) * sizeof *held->block);
    held->slots = slots;
}

static bool
bears(const rh_event *event)
{
    return (event->operation <= RH_REALLOC || event->operation == RH_ALIGNED) &&
           !(event->flags & RH_EVENT_FAILED);
}

static bool
kills(const rh_event *event)
{
    unsigned none = RH_EVENT_FAILED | RH_EVENT_NULL | RH_EVENT_FOREIGN;
    return (event->operation == RH_FREE || event->operation == RH_REALLOC) &&
           !(event->flags & none);
}

static void
check_slot(holder *held, const rh_event *read, uint32_t block)
{
    if (kills(read)) {
        assert_int_equal(held->block[read->slot], block);
        held->block[read->slot] = 0;
    }
    if (bears(read)) {
        assert_int_equal(held->block[read->slot], 0);
        held->block[read->slot] = block;
    }
    if (!kills(read) && !bears(read))
        assert_int_equal(read->slot, RH_NO_SLOT);
}

static uint64_t
expected_time(const story *told, const rh_event *event)
{
    if (told->info.timestamps == RH_TIMES_NONE)
        return 0;
    return told->info.timestamps == RH_TIMES_EXACT ? event->time_ns : event->time_ns / 1000 * 1000;
}

static void
check_event(const story *told, const rh_event *read, const rh_event *event)
{
    bool arena = event->operation == RH_ARENA_ALLOC || event->operation == RH_ARENA_FREE;
    bool text = event->operation == RH_MARK || event->operation == RH_CHECKPOINT;
    assert_int_equal(read->operation, event->operation);
    assert_int_equal(read->domain, event->domain);
    assert_int_equal(read->flags, event->flags);
    assert_int_equal(read->alignment_log2, event->alignment_log2);
    assert_int_equal(read->thread, event->thread);
    if (event->operation != RH_FREE)
        assert_int_equal(read->size, event->size);
    if (event->operation == RH_CALLOC) {
        assert_int_equal(read->count, event->count);
        assert_int_equal(read->element, event->element);
    }
    if (text)
        assert_string_equal(read->text, event->text);
    if (arena || (told->info.addresses && bears(event)))
        assert_int_equal(read->address, event->address);
    else
        assert_int_equal(read->address, 0);
    assert_int_equal(read->time_ns, expected_time(told, event));
}

static uint64_t
size_of_block(const story *told, size_t before, uint32_t block)
{
    while (before-- > 0)
        if (told->block[before] == block)
            return told->events[before].size;
    return UINT64_MAX;
}

static rh_reader *
open_trace(const char *path, const rh_reader_options *options)
{
    rh_reader *reader;
    rh_error error = {0};
    if (rh_reader_open(path, options, &reader, &error) != RH_OK)
        fail_msg("%s", error.message);
    return reader;
}

/* Reads to the end, comparing; returns the number of the event after the last. */
static uint64_t
compare_rest(rh_reader *reader, const story *told, holder *held)
{
    uint64_t at = UINT64_MAX, hash = 0, hashed = 0;
    for (;;) {
        rh_batch batch;
        rh_error error = {0};
        if (rh_reader_next(reader, &batch, &error) != RH_OK)
            fail_msg("%s", error.message);
        if (batch.count == 0)
            return batch.first_event;
        assert_true(at == UINT64_MAX || at == batch.first_event);
        at = batch.first_event;
        grow(held, batch.slots);
        for (size_t i = 0; i < batch.count; i++, at++) {
            const rh_event *event = &told->events[at];
            check_event(told, &batch.events[i], event);
            check_slot(held, &batch.events[i], told->block[at]);
            if (event->flags & RH_EVENT_POOLED && !(event->flags & RH_EVENT_NESTED)) {
                hash = rh_address_hash(hash, event->address);
                hashed++;
            }
        }
        if (batch.block_ends) {
            assert_int_equal(batch.hashed, hashed);
            assert_int_equal(batch.address_hash, hash);
            hash = hashed = 0;
        }
    }
}

static void
round_trip(const story_plan *plan, const rh_writer_options *options)
{
    story told;
    story_make(&told, plan);
    char *path = story_path("round_trip.rht");
    story_write(&told, path, options);
    rh_reader *reader = open_trace(path, &(rh_reader_options){.audit = true});
    holder held = {0};
    assert_int_equal(compare_rest(reader, &told, &held), told.count);
    assert_null(rh_reader_contradiction(reader));
    assert_true(rh_reader_info(reader)->complete);
    assert_string_equal(rh_reader_info(reader)->command, told.info.command);
    free(held.block);
    rh_reader_close(reader);
    story_release(&told);
    free(path);
}

static void
test_round_trips(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 8; seed++) {
        story_plan plan = {.seed = seed,
                           .count = 20000,
                           .live = seed % 2 ? 50 : 3000,
                           .timestamps = (rh_timestamps)(seed % 3),
                           .addresses = seed % 4 == 1};
        round_trip(&plan, &(rh_writer_options){.block_events = seed % 2 ? 700 : 5000});
    }
}

static void
test_short_traces(void **state)
{
    (void)state;
    for (size_t count = 0; count < 40; count++)
        round_trip(&(story_plan){.seed = count, .count = count, .live = 5},
                   &(rh_writer_options){.block_events = 16});
}

static void
test_standard_options(void **state)
{
    (void)state;
    round_trip(&(story_plan){.seed = 7, .count = 400000, .live = 20000}, NULL);
}

static void
test_levels(void **state)
{
    (void)state;
    const int levels[] = {-5, 1, 19, 22};
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++)
        round_trip(&(story_plan){.seed = i, .count = 8000, .live = 500},
                   &(rh_writer_options){.level = levels[i]});
}

static void
test_free_tells_the_size_of_the_dead(void **state)
{
    (void)state;
    story told;
    story_make(&told, &(story_plan){.seed = 3, .count = 4000, .live = 60});
    char *path = story_path("sizes.rht");
    story_write(&told, path, NULL);
    rh_reader *reader = open_trace(path, NULL);
    rh_batch batch;
    size_t frees = 0, resizes = 0;
    while (rh_reader_next(reader, &batch, NULL) == RH_OK && batch.count) {
        for (size_t i = 0; i < batch.count; i++) {
            const rh_event *event = &batch.events[i];
            size_t at = batch.first_event + i;
            if (!kills(event))
                continue;
            uint64_t size = size_of_block(&told, at, told.block[at]);
            bool frees_it = event->operation == RH_FREE;
            assert_int_equal(frees_it ? event->size : event->old_size, size);
            frees += frees_it;
            resizes += !frees_it;
        }
    }
    assert_true(frees > 100 && resizes > 100);
    rh_reader_close(reader);
    story_release(&told);
    free(path);
}

/* After a seek the live set and all that follows are what a reader from the start sees. */
static void
check_seek(const char *path, const story *told, uint64_t event)
{
    rh_reader *reader = open_trace(path, NULL);
    rh_error error = {0};
    if (rh_reader_seek(reader, event, &error) != RH_OK)
        fail_msg("%s", error.message);
    rh_batch batch;
    holder held = {0};
    uint32_t *alive = calloc(told->blocks + 1, sizeof *alive);
    uint64_t start = 0;
    uint32_t *order = NULL;
    size_t count = 0;
    for (;;) {
        assert_int_equal(rh_reader_live(reader, &batch, &error), RH_OK);
        start = batch.first_event;
        if (batch.count == 0)
            break;
        grow(&held, batch.slots);
        order = realloc(order, (count + batch.count) * sizeof *order);
        for (size_t i = 0; i < batch.count; i++) {
            assert_int_equal(batch.events[i].operation, RH_MALLOC);
            assert_true(batch.events[i].flags & RH_EVENT_BRIDGE);
            order[count++] = batch.events[i].slot;
        }
    }
    assert_true(start <= event);
    /* Who is alive there, in the order of birth: a realloc is a birth. */
    size_t next = 0;
    for (size_t i = 0; i < start; i++)
        if (told->block[i])
            alive[told->block[i]] = bears(&told->events[i]) ? (uint32_t)(i + 1) : 0;
    for (size_t i = 0; i < start; i++) {
        uint32_t block = told->block[i];
        if (!block || alive[block] != i + 1)
            continue;
        assert_true(next < count);
        held.block[order[next++]] = block;
    }
    assert_int_equal(next, count);
    assert_int_equal(compare_rest(reader, told, &held), told->count);
    free(order);
    free(alive);
    free(held.block);
    rh_reader_close(reader);
}

static void
test_seek(void **state)
{
    (void)state;
    story told;
    story_make(&told, &(story_plan){.seed = 11, .count = 300000, .live = 300});
    char *path = story_path("seek.rht");
    story_write(&told, path, &(rh_writer_options){.block_events = 2000});
    for (uint64_t event = 0; event < told.count + 50000; event += 89999)
        check_seek(path, &told, event);
    rh_reader *reader = open_trace(path, NULL);
    assert_int_equal(rh_reader_seek(reader, told.count - 1, NULL), RH_OK);
    rh_batch batch;
    assert_int_equal(rh_reader_next(reader, &batch, NULL), RH_OK);
    assert_true(batch.first_event > 0); /* there was more than one key */
    rh_reader_close(reader);
    story_release(&told);
    free(path);
}

static void
test_refuses_a_large_live_set(void **state)
{
    (void)state;
    story told;
    story_make(&told, &(story_plan){.seed = 5, .count = 20000, .live = 5000});
    char *path = story_path("live.rht");
    story_write(&told, path, NULL);
    rh_reader *reader = open_trace(path, &(rh_reader_options){.max_live_blocks = 1000});
    rh_batch batch;
    rh_error error = {0};
    rh_status status = RH_OK;
    while (status == RH_OK)
        status = rh_reader_next(reader, &batch, &error);
    assert_int_equal(status, RH_BAD_INPUT);
    assert_non_null(strstr(error.message, "--max-live"));
    assert_int_equal(rh_reader_next(reader, &batch, &error), RH_BAD_INPUT);
    rh_reader_close(reader);
    story_release(&told);
    free(path);
}

static void
test_long_texts(void **state)
{
    (void)state;
    enum { LENGTH = 3 << 20, TEXTS = 5 };
    rh_trace_info info;
    rh_trace_info_init(&info);
    char *path = story_path("texts.rht"), *text = malloc(LENGTH + 1);
    for (size_t i = 0; i < LENGTH; i++)
        text[i] = (char)('a' + i % 23);
    text[LENGTH] = '\0';
    rh_writer *writer;
    uint32_t handle;
    assert_int_equal(rh_writer_open(path, &info, NULL, &writer, NULL), RH_OK);
    for (int i = 0; i < TEXTS; i++) {
        rh_event event = {
            .operation = RH_CHECKPOINT, .size = LENGTH - (uint64_t)i, .text = text + i};
        assert_int_equal(rh_writer_event(writer, &event, &handle, NULL), RH_OK);
    }
    assert_int_equal(rh_writer_finish(writer, 0, 0, NULL), RH_OK);
    rh_reader *reader = open_trace(path, NULL);
    assert_int_equal(rh_reader_info(reader)->checkpoints, TEXTS);
    assert_int_equal(rh_reader_info(reader)->events, 0);
    rh_batch batch;
    int found = 0;
    while (rh_reader_next(reader, &batch, NULL) == RH_OK && batch.count)
        for (size_t i = 0; i < batch.count; i++, found++)
            assert_string_equal(batch.events[i].text, text + found);
    assert_int_equal(found, TEXTS);
    rh_reader_close(reader);
    free(text);
    free(path);
}

/* What reading holds does not depend on how far it has come. */
static void
test_memory_does_not_grow(void **state)
{
    (void)state;
    story told;
    story_make(&told, &(story_plan){.seed = 21, .count = 1000000, .live = 200, .plain = true});
    char *path = story_path("long.rht");
    story_write(&told, path, &(rh_writer_options){.block_events = 10000});
    size_t count = told.count;
    story_release(&told);
    rh_reader *reader = open_trace(path, NULL);
    rh_batch batch;
    size_t at_a_tenth = 0, most = 0;
    while (rh_reader_next(reader, &batch, NULL) == RH_OK && batch.count) {
        struct mallinfo2 memory = mallinfo2();
        size_t held = memory.uordblks + memory.hblkhd;
        if (batch.first_event < count / 10)
            at_a_tenth = held > at_a_tenth ? held : at_a_tenth;
        most = held > most ? held : most;
    }
    /* A sanitizer's malloc does not tell what it holds. */
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    assert_true(most > 0);
#endif
    assert_true(most <= at_a_tenth + (64 << 10));
    rh_reader_close(reader);
    free(path);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trips),
        cmocka_unit_test(test_short_traces),
        cmocka_unit_test(test_standard_options),
        cmocka_unit_test(test_levels),
        cmocka_unit_test(test_free_tells_the_size_of_the_dead),
        cmocka_unit_test(test_seek),
        cmocka_unit_test(test_long_texts),
        cmocka_unit_test(test_memory_does_not_grow),
        cmocka_unit_test(test_refuses_a_large_live_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
