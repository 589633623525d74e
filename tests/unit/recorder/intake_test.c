/* The intake against a model: whatever is paused and whenever, the file has a life for every block
 * that is alive, never two at one address, and dies nothing that was not born. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above. */
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/random.h"
#include "traces/check.h"
#include "traces/intake.h"
#include "traces/reader.h"
#include "traces/writer.h"

enum { PLACES = 500, THREADS = 6, STEPS = 60000 };

/* What lives at an address: the address is the place's number. */
typedef struct place {
    bool alive;
    uint32_t handle;
    uint64_t size;
} place;

typedef struct fixture {
    rh_writer *writer;
    rh_intake *intake;
    rh_random random;
    place places[PLACES];
    uint64_t now_ns;
    uint32_t threads; /* that have appeared */
    char path[256];
} fixture;

static void
begin(fixture *f, uint64_t seed, const rh_intake_limits *limits)
{
    rh_error error = {0};
    rh_trace_info info;
    const char *folder = getenv("TEST_TMPDIR");
    memset(f, 0, sizeof *f);
    f->random = (rh_random){seed};
    snprintf(f->path, sizeof f->path, "%s/intake.%d.rht", folder ? folder : "/tmp", (int)getpid());
    rh_trace_info_init(&info);
    info.domains = info.addresses = true;
    info.timestamps = RH_TIMES_EXACT;
    const rh_writer_options options = {.block_events = 1000, .in_place = true};
    assert_int_equal(rh_writer_open(f->path, &info, &options, &f->writer, &error), RH_OK);
    rh_trace_info_release(&info);
    f->intake = rh_intake_new(f->writer, 0, limits);
    assert_non_null(f->intake);
}

static void
put(fixture *f, rh_event *event, uint32_t *handle)
{
    rh_error error = {0};
    event->time_ns = f->now_ns += 10;
    /* A new thread is the next number, as the drain has it. */
    uint32_t thread = (uint32_t)rh_random_below(&f->random, f->threads + (f->threads < THREADS));
    f->threads += thread == f->threads;
    event->thread = thread;
    assert_int_equal(rh_intake_event(f->intake, event, handle, &error), RH_OK);
}

static uint64_t
free_address(fixture *f)
{
    uint64_t at = rh_random_below(&f->random, PLACES);
    while (f->places[at].alive)
        at = (at + 1) % PLACES;
    return at;
}

static void
bear(fixture *f, rh_operation operation)
{
    uint64_t at = free_address(f), size = 1 + rh_random_below(&f->random, 300);
    rh_event event = {.operation = (uint8_t)operation,
                      .domain = (uint8_t)(at % 3),
                      .flags = operation == RH_REALLOC ? RH_EVENT_NULL : 0,
                      .size = size,
                      .address = (at + 1) * 16};
    if (operation == RH_CALLOC) {
        event.count = size;
        event.element = 1;
    }
    put(f, &event, &f->places[at].handle);
    f->places[at].alive = true;
    f->places[at].size = size;
}

static void
kill_or_resize(fixture *f, uint64_t at, uint64_t choice)
{
    rh_event event = {.operation = RH_FREE, .domain = (uint8_t)(at % 3)};
    if (choice < 6) {
        put(f, &event, &f->places[at].handle);
        f->places[at].alive = false;
        return;
    }
    uint64_t to = choice == 6 ? at : free_address(f);
    event.operation = RH_REALLOC;
    event.size = 1 + rh_random_below(&f->random, 300);
    event.address = (to + 1) * 16;
    if (choice == 9) {
        event.flags = RH_EVENT_FAILED;
        event.address = 0;
        put(f, &event, &f->places[at].handle);
        return;
    }
    uint32_t handle = f->places[at].handle;
    event.domain = (uint8_t)(to % 3);
    put(f, &event, &handle);
    f->places[at].alive = false;
    f->places[to] = (place){true, handle, event.size};
}

static void
step(fixture *f)
{
    uint64_t alive = 0, at = rh_random_below(&f->random, PLACES);
    for (unsigned i = 0; i < PLACES; i++)
        alive += f->places[i].alive;
    if (f->places[at].alive)
        kill_or_resize(f, at, alive < PLACES - 1 ? rh_random_below(&f->random, 10) : 0);
    else if (alive < PLACES - 1)
        bear(f, at % 5 == 0 ? RH_CALLOC : at % 5 == 1 ? RH_REALLOC : RH_MALLOC);
}

typedef struct seen {
    uint64_t sizes[PLACES + 1]; /* by address / 16; 0: nothing lives there */
    uint64_t *slot_address;
    uint64_t events, marks, threads;
} seen;

static void
see(seen *s, const rh_event *event)
{
    s->marks += event->operation == RH_MARK;
    assert_true(event->thread <= s->threads);
    s->threads += event->thread == s->threads;
    if (event->operation > RH_ALIGNED)
        return;
    s->events++;
    assert_false(event->flags & RH_EVENT_FOREIGN);
    if (event->flags & RH_EVENT_FAILED)
        return;
    if (event->operation == RH_FREE ||
        (event->operation == RH_REALLOC && !(event->flags & RH_EVENT_NULL)))
        s->sizes[s->slot_address[event->slot]] = 0;
    if (event->operation == RH_FREE)
        return;
    assert_int_equal(s->sizes[event->address / 16], 0);
    s->sizes[event->address / 16] = event->size;
    s->slot_address[event->slot] = event->address / 16;
}

static void
read_back(fixture *f, seen *s)
{
    rh_error error = {0};
    rh_reader *reader;
    rh_batch batch;
    memset(s, 0, sizeof *s);
    s->slot_address = calloc(PLACES + 8, sizeof *s->slot_address);
    assert_non_null(s->slot_address);
    assert_int_equal(rh_reader_open(f->path, NULL, &reader, &error), RH_OK);
    do {
        assert_int_equal(rh_reader_next(reader, &batch, &error), RH_OK);
        for (size_t i = 0; i < batch.count; i++)
            see(s, &batch.events[i]);
    } while (batch.count);
    rh_reader_close(reader);
    free(s->slot_address);
    rh_check_report report;
    assert_int_equal(rh_check_trace(f->path, 0, NULL, &report, &error), RH_OK);
}

static void
finish(fixture *f, seen *s)
{
    rh_error error = {0};
    assert_int_equal(rh_writer_finish(f->writer, 0, 0, &error), RH_OK);
    read_back(f, s);
    assert_int_equal(s->events, rh_intake_events(f->intake));
    rh_intake_free(f->intake);
    unlink(f->path);
}

static void
compare_living(const fixture *f, const seen *s)
{
    for (unsigned i = 0; i < PLACES; i++)
        assert_int_equal(s->sizes[i + 1], f->places[i].alive ? f->places[i].size : 0);
}

static void
test_pauses(void **state)
{
    (void)state;
    static fixture f;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        rh_error error = {0};
        seen s;
        begin(&f, seed, &(rh_intake_limits){0});
        if (seed % 2)
            assert_int_equal(rh_intake_pause(f.intake, &error), RH_OK);
        for (unsigned i = 0; i < STEPS / 20; i++) {
            step(&f);
            if (rh_random_below(&f.random, 200) == 0)
                assert_int_equal(rh_intake_paused(f.intake) ? rh_intake_resume(f.intake, &error)
                                                            : rh_intake_pause(f.intake, &error),
                                 RH_OK);
        }
        assert_int_equal(rh_intake_resume(f.intake, &error), RH_OK);
        uint64_t pauses = rh_intake_pauses(f.intake);
        assert_true(pauses >= 2);
        finish(&f, &s);
        assert_int_equal(s.marks, 2 * pauses - seed % 2);
        compare_living(&f, &s);
    }
}

static void
test_never_resumed(void **state)
{
    (void)state;
    static fixture f;
    rh_error error = {0};
    seen s;
    begin(&f, 7, &(rh_intake_limits){0});
    assert_int_equal(rh_intake_pause(f.intake, &error), RH_OK);
    for (unsigned i = 0; i < 1000; i++)
        step(&f);
    finish(&f, &s);
    assert_int_equal(s.events, 0);
    assert_int_equal(s.marks, 0);
}

static void
test_limit_of_events(void **state)
{
    (void)state;
    static fixture f;
    for (uint64_t limit = 1; limit < 5000; limit = limit * 3 + 1) {
        seen s;
        begin(&f, limit, &(rh_intake_limits){.events = limit});
        for (unsigned i = 0; i < STEPS / 4; i++)
            step(&f);
        assert_int_equal(rh_intake_ended(f.intake), RH_INTAKE_EVENTS);
        finish(&f, &s);
        assert_int_equal(s.events, limit);
    }
}

/* The file is never larger, and not much smaller. */
static void
test_limit_of_bytes(void **state)
{
    (void)state;
    static fixture f;
    for (uint64_t limit = RH_INTAKE_MIN_BYTES; limit <= 250000; limit *= 2) {
        rh_error error = {0};
        struct stat status;
        seen s;
        begin(&f, limit, &(rh_intake_limits){.bytes = limit});
        for (unsigned i = 0; i < 4 * STEPS && rh_intake_ended(f.intake) == RH_INTAKE_OPEN; i++) {
            step(&f);
            if (i % 5000 == 4000)
                assert_int_equal(rh_intake_pause(f.intake, &error), RH_OK);
            if (i % 5000 == 4500)
                assert_int_equal(rh_intake_resume(f.intake, &error), RH_OK);
        }
        assert_int_equal(rh_intake_ended(f.intake), RH_INTAKE_BYTES);
        assert_int_equal(rh_writer_finish(f.writer, 0, 0, &error), RH_OK);
        assert_int_equal(stat(f.path, &status), 0);
        assert_true((uint64_t)status.st_size <= limit);
        assert_true((uint64_t)status.st_size >= limit - 40000);
        read_back(&f, &s);
        rh_intake_free(f.intake);
        unlink(f.path);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pauses),
        cmocka_unit_test(test_never_resumed),
        cmocka_unit_test(test_limit_of_events),
        cmocka_unit_test(test_limit_of_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
