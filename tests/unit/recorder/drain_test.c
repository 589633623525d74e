/* The drain, fed by hand: records go into a channel's rings as a recorder would put them, and come
 * back as the events of a trace. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above. */
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/random.h"
#include "traces/drain.h"
#include "traces/reader.h"
#include "traces/session.h"
#include "traces/writer.h"

enum { ARENA = 1 << 20, EVENTS_MAX = 200000, RAW = 0, MEM = 1, OBJ = 2 };

typedef struct fixture {
    rh_shared shared;
    rh_channel *channel;
    rh_writer *writer;
    rh_drain *drain;
    char path[256];
    uint64_t ticks; /* the time-stamp counter of the records to come */
    rh_event events[EVENTS_MAX];
    size_t count;
} fixture;

static int
set_up(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    rh_error error = {0};
    rh_trace_info info;
    const char *folder = getenv("TEST_TMPDIR");
    snprintf(f->path, sizeof f->path, "%s/drain.%d.rht", folder ? folder : "/tmp", (int)getpid());
    assert_int_equal(rh_channel_open(&f->shared, &error), RH_OK);
    f->channel = f->shared.memory;
    f->channel->facts.arena_bytes = ARENA;
    rh_trace_info_init(&info);
    info.domains = true;
    info.addresses = true;
    assert_int_equal(rh_writer_open(f->path, &info, NULL, &f->writer, &error), RH_OK);
    rh_trace_info_release(&info);
    f->drain = rh_drain_new(f->channel, f->writer, 0);
    assert_non_null(f->drain);
    *state = f;
    return 0;
}

static int
tear_down(void **state)
{
    fixture *f = *state;
    rh_drain_free(f->drain);
    if (f->writer)
        rh_writer_discard(f->writer);
    rh_shared_close(&f->shared);
    unlink(f->path);
    free(f);
    return 0;
}

static uint64_t
amount(uint64_t size, unsigned depth, unsigned thread)
{
    return size | (uint64_t)depth << RH_AMOUNT_DEPTH_SHIFT |
           (uint64_t)(thread + 1) << RH_AMOUNT_THREAD_SHIFT;
}

static uint64_t
what(rh_record_kind kind, unsigned domain, uint64_t address)
{
    return address | (uint64_t)kind << RH_RECORD_KIND_SHIFT |
           (uint64_t)domain << RH_RECORD_DOMAIN_SHIFT;
}

static void
put_main(fixture *f, rh_record_kind kind, unsigned domain, uint64_t address, uint64_t size,
         unsigned depth)
{
    rh_ring *ring = &f->channel->main;
    uint64_t cursor = atomic_load(&ring->cursor);
    assert_true(cursor + sizeof(rh_record) <= atomic_load(&ring->head) + RH_MAIN_RING_BYTES);
    unsigned char *base = (unsigned char *)f->shared.memory + RH_CHANNEL_CONTROL_BYTES;
    rh_record record = {what(kind, domain, address), amount(size, depth, 0)};
    memcpy(base + cursor % RH_MAIN_RING_BYTES, &record, sizeof record);
    atomic_store(&ring->cursor, cursor + sizeof record);
}

static bool
thread_has_room(const fixture *f, unsigned thread)
{
    const rh_ring *ring = &f->channel->thread[thread];
    return atomic_load(&ring->cursor) + 2 * sizeof(rh_record) <=
           atomic_load(&ring->head) + RH_RAW_RING_BYTES;
}

static void
put_thread(fixture *f, unsigned thread, rh_record_kind kind, uint64_t address, uint64_t size)
{
    rh_ring *ring = &f->channel->thread[thread];
    uint64_t cursor = atomic_load(&ring->cursor);
    unsigned char *base = (unsigned char *)f->shared.memory + RH_CHANNEL_CONTROL_BYTES +
                          RH_MAIN_RING_BYTES + (size_t)thread * RH_RAW_RING_BYTES;
    rh_record pair[2] = {
        {what(RH_RECORD_PLACE, RAW, atomic_load(&f->channel->main.cursor)), f->ticks},
        {what(kind, RAW, address), amount(size, 0, thread)}};
    assert_true(thread_has_room(f, thread));
    memcpy(base + cursor % RH_RAW_RING_BYTES, pair, sizeof pair);
    atomic_store(&ring->cursor, cursor + sizeof pair);
    if (atomic_load(&f->channel->rings) <= thread)
        atomic_store(&f->channel->rings, thread + 1);
    atomic_store(&ring->owner, 1);
}

static void
run(fixture *f, bool last)
{
    uint64_t events = 0;
    rh_error error = {0};
    assert_int_equal(rh_drain_run(f->drain, last, &events, &error), RH_OK);
}

/* Ends the trace and reads its events into f->events. */
static void
finish(fixture *f)
{
    rh_error error = {0};
    rh_reader *reader;
    rh_batch batch;
    run(f, true);
    assert_int_equal(rh_writer_finish(f->writer, 0, 0, &error), RH_OK);
    f->writer = NULL;
    assert_int_equal(rh_reader_open(f->path, NULL, &reader, &error), RH_OK);
    do {
        assert_int_equal(rh_reader_next(reader, &batch, &error), RH_OK);
        assert_true(f->count + batch.count <= EVENTS_MAX);
        memcpy(f->events + f->count, batch.events, batch.count * sizeof *batch.events);
        f->count += batch.count;
    } while (batch.count);
    rh_reader_close(reader);
}

static void
expect_event(const fixture *f, size_t at, rh_operation operation, unsigned flags, uint64_t size)
{
    assert_true(at < f->count);
    assert_int_equal(f->events[at].operation, operation);
    assert_int_equal(f->events[at].flags, flags);
    assert_int_equal(f->events[at].size, size);
}

static void
arenas_come_before_their_cause(void **state)
{
    fixture *f = *state;
    const uint64_t base = UINT64_C(0x7f0000100000), block = base + 48;
    put_main(f, RH_RECORD_ARENA_ALLOC, RAW, base, ARENA, 1);
    put_main(f, RH_RECORD_MALLOC, OBJ, block, 100, 0);
    put_main(f, RH_RECORD_FREE, OBJ, block, 0, 0);
    run(f, false); /* the free is held: its arena's death may follow */
    assert_int_equal(rh_drain_events(f->drain), 1);
    put_main(f, RH_RECORD_ARENA_FREE, RAW, base, ARENA, 0);
    put_main(f, RH_RECORD_MALLOC, OBJ, block, 30, 0); /* no arena any more */
    finish(f);
    assert_int_equal(f->count, 5);
    expect_event(f, 0, RH_ARENA_ALLOC, 0, ARENA);
    expect_event(f, 1, RH_MALLOC, RH_EVENT_POOLED, 100);
    expect_event(f, 2, RH_ARENA_FREE, 0, ARENA);
    expect_event(f, 3, RH_FREE, 0, 100);
    expect_event(f, 4, RH_MALLOC, 0, 30);
}

/* A call of the same thread behind the free: no arena will die of it any more. Of another's that
 * cannot be told. */
static void
a_free_is_over_when_its_thread_goes_on(void **state)
{
    fixture *f = *state;
    put_main(f, RH_RECORD_MALLOC, OBJ, 0x1000, 10, 0);
    put_main(f, RH_RECORD_FREE, OBJ, 0x1000, 0, 0);
    put_thread(f, 0, RH_RECORD_MALLOC, 0x2000, 20);
    run(f, false);
    assert_int_equal(rh_drain_events(f->drain), 3);
    put_main(f, RH_RECORD_MALLOC, OBJ, 0x1000, 30, 0);
    put_main(f, RH_RECORD_FREE, OBJ, 0x1000, 0, 0);
    put_thread(f, 1, RH_RECORD_MALLOC, 0x3000, 40);
    run(f, false);
    assert_int_equal(rh_drain_events(f->drain), 5);
    finish(f);
    assert_int_equal(f->count, 6);
    expect_event(f, 1, RH_FREE, 0, 10);
    expect_event(f, 2, RH_MALLOC, 0, 20);
    expect_event(f, 4, RH_MALLOC, 0, 40);
    expect_event(f, 5, RH_FREE, 0, 30);
}

static void
nested_blocks_share_addresses(void **state)
{
    fixture *f = *state;
    put_main(f, RH_RECORD_MALLOC, RAW, 0x1000, 600, 1);
    put_main(f, RH_RECORD_MALLOC, OBJ, 0x1000, 600, 0);
    put_main(f, RH_RECORD_REALLOC_FROM, OBJ, 0x1000, 0, 0);
    put_main(f, RH_RECORD_REALLOC_FROM, RAW, 0x1000, 0, 1);
    put_main(f, RH_RECORD_REALLOC, RAW, 0x2000, 900, 1);
    put_main(f, RH_RECORD_REALLOC, OBJ, 0x2000, 900, 0);
    put_main(f, RH_RECORD_FREE, OBJ, 0x2000, 0, 0);
    put_main(f, RH_RECORD_FREE, RAW, 0x2000, 0, 1);
    finish(f);
    assert_int_equal(f->count, 6);
    expect_event(f, 0, RH_MALLOC, RH_EVENT_NESTED, 600);
    expect_event(f, 1, RH_MALLOC, 0, 600);
    expect_event(f, 2, RH_REALLOC, RH_EVENT_NESTED, 900);
    expect_event(f, 3, RH_REALLOC, 0, 900);
    expect_event(f, 4, RH_FREE, 0, 900);
    expect_event(f, 5, RH_FREE, RH_EVENT_NESTED, 900);
}

static void
what_is_rare_is_told_right(void **state)
{
    fixture *f = *state;
    put_main(f, RH_RECORD_FREE, OBJ, 0x9000, 0, 0); /* from before the recording */
    put_main(f, RH_RECORD_FREE, OBJ, 0, 0, 0);
    put_main(f, RH_RECORD_MALLOC, MEM, 0x1000, 50, 0);
    put_main(f, RH_RECORD_REALLOC_FROM, MEM, 0x1000, 0, 0);
    rh_ring *ring = &f->channel->main; /* a size that fills its record */
    put_main(f, RH_RECORD_WIDE, RAW, 0, 0, 0);
    uint64_t wide = UINT64_C(1) << 45;
    memcpy((unsigned char *)f->shared.memory + RH_CHANNEL_CONTROL_BYTES +
               atomic_load(&ring->cursor) - sizeof wide,
           &wide, sizeof wide);
    put_main(f, RH_RECORD_REALLOC, MEM, 0, 0, 0); /* failed: the block lives on */
    put_main(f, RH_RECORD_FREE, MEM, 0x1000, 0, 0);
    put_main(f, RH_RECORD_REALLOC_NULL, MEM, 0x1000, 70, 0);
    put_main(f, RH_RECORD_CALLOC, MEM, 0x3000, (uint64_t)3 << RH_CALLOC_COUNT_SHIFT | 40, 0);
    finish(f);
    assert_int_equal(f->count, 7);
    expect_event(f, 0, RH_FREE, RH_EVENT_FOREIGN, 0);
    expect_event(f, 1, RH_FREE, RH_EVENT_NULL, 0);
    expect_event(f, 2, RH_MALLOC, 0, 50);
    expect_event(f, 3, RH_REALLOC, RH_EVENT_FAILED, wide);
    expect_event(f, 4, RH_FREE, 0, 50);
    expect_event(f, 5, RH_REALLOC, RH_EVENT_NULL, 70);
    expect_event(f, 6, RH_CALLOC, 0, 120);
    assert_int_equal(f->events[6].count, 3);
    assert_int_equal(f->events[6].element, 40);
}

static void
a_text_cut_off_by_a_kill_is_left_out(void **state)
{
    fixture *f = *state;
    put_main(f, RH_RECORD_MALLOC, OBJ, 0x1000, 5, 0);
    put_main(f, RH_RECORD_CHECKPOINT, RAW, 0, 1000, 0);
    put_main(f, RH_RECORD_MALLOC, OBJ, 0x4141414141, 5, 0); /* its first 16 bytes */
    run(f, false);
    finish(f);
    assert_int_equal(f->count, 1);
    expect_event(f, 0, RH_MALLOC, 0, 5);
}

/* Threads that hand blocks to each other through one allocator. Every block has a size of its own,
 * so that a death taken for another block's shows; the drain runs at odd moments, so that rings are
 * seen in every state. Each thread's events must come out in its order, births before deaths. */
static void
addresses_settle_the_order(void **state)
{
    enum { THREADS = 5, ADDRESSES = 40, STEPS = 60000 };
    fixture *f = *state;
    static struct {
        uint64_t size;
        bool birth;
    } told[THREADS][STEPS];
    size_t said[THREADS] = {0}, heard[THREADS] = {0};
    uint64_t at[ADDRESSES] = {0};
    rh_random random = {3};
    for (uint64_t step = 1; step <= STEPS; step++) {
        unsigned thread = (unsigned)rh_random_below(&random, THREADS);
        size_t place = rh_random_below(&random, ADDRESSES);
        uint64_t address = (place + 1) * 16;
        if (!thread_has_room(f, thread))
            run(f, false);
        /* The main ring moves on now and then, so that hints differ. */
        if (rh_random_below(&random, 10) == 0)
            put_main(f, RH_RECORD_FREE, OBJ, 0, 0, 0);
        told[thread][said[thread]].birth = !at[place];
        told[thread][said[thread]++].size = at[place] ? at[place] : step;
        /* The counter leaves the order of every two steps open. */
        f->ticks = step / 2;
        put_thread(f, thread, at[place] ? RH_RECORD_FREE : RH_RECORD_MALLOC, address,
                   at[place] ? 0 : step);
        at[place] = at[place] ? 0 : step;
        if (rh_random_below(&random, 200) == 0)
            run(f, false);
    }
    finish(f);
    uint32_t name[THREADS]; /* of our threads, in the trace */
    for (unsigned i = 0; i < THREADS; i++)
        name[i] = UINT32_MAX;
    for (size_t i = 0; i < f->count; i++) {
        const rh_event *event = &f->events[i];
        if (event->domain != RAW)
            continue;
        assert_int_equal(event->flags, 0);
        unsigned thread = 0;
        while (thread < THREADS && name[thread] != event->thread)
            thread++;
        if (thread == THREADS) { /* its first event tells whose it is: sizes are unique */
            for (thread = 0; thread < THREADS; thread++) {
                if (name[thread] == UINT32_MAX && told[thread][0].size == event->size &&
                    told[thread][0].birth == (event->operation == RH_MALLOC))
                    break;
            }
            assert_true(thread < THREADS);
            name[thread] = event->thread;
        }
        assert_true(heard[thread] < said[thread]);
        assert_int_equal(event->size, told[thread][heard[thread]].size);
        assert_int_equal(event->operation == RH_MALLOC, told[thread][heard[thread]].birth);
        heard[thread]++;
    }
    assert_memory_equal(heard, said, sizeof said);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(arenas_come_before_their_cause, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_free_is_over_when_its_thread_goes_on, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nested_blocks_share_addresses, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_rare_is_told_right, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_text_cut_off_by_a_kill_is_left_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(addresses_settle_the_order, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
