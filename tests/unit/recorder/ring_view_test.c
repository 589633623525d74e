/* A ring of short records is read as the records that were put there, however little of it is
 * there at a time; and whatever is in it, reading ends. */
#include "traces/ring_view.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "traces/recorder/short_record.h"

enum { RING_BYTES = 8 << 10, MANY = 300000 };

typedef struct fixture {
    rh_ring ring;
    rh_ring_view view;
    uint64_t words[RING_BYTES / sizeof(uint64_t)];
    rh_record put[MANY]; /* what is to come out */
    size_t put_count, got_count;
    uint64_t *large; /* where the ring has moved */
    uint64_t thread;
} fixture;

static int
set_up(void **state)
{
    fixture *f = aligned_alloc(64, (sizeof *f + 63) / 64 * 64);
    memset(f, 0, sizeof *f);
    assert_true(
        rh_ring_view_begin(&f->view, &f->ring, (unsigned char *)f->words, RING_BYTES, true));
    *state = f;
    return 0;
}

static int
tear_down(void **state)
{
    fixture *f = *state;
    rh_ring_view_end(&f->view);
    free(f->large);
    free(f);
    return 0;
}

static uint64_t
ring_bytes(const fixture *f)
{
    return f->large ? RH_LARGE_RING_BYTES : RING_BYTES;
}

static bool
has_room(const fixture *f, uint64_t words)
{
    return atomic_load(&f->ring.cursor) + words * sizeof *f->words <=
           atomic_load(&f->ring.head) + ring_bytes(f);
}

static void
put_words(fixture *f, const uint64_t *words, uint64_t count)
{
    uint64_t cursor = atomic_load(&f->ring.cursor);
    uint64_t *memory = f->large ? f->large : f->words;
    for (uint64_t i = 0; i < count; i++)
        memory[(cursor / sizeof *words + i) % (ring_bytes(f) / sizeof *words)] = words[i];
    atomic_store(&f->ring.cursor, cursor + count * sizeof *words);
}

static void
expect_later(fixture *f, rh_record record)
{
    f->put[f->put_count++] = record;
}

static void
put_place(fixture *f, uint64_t thread, uint64_t ticks)
{
    f->thread = thread << RH_AMOUNT_THREAD_SHIFT;
    put_words(f, (uint64_t[]){rh_short_thread_word(thread), ticks}, 2);
    expect_later(f, (rh_record){(uint64_t)RH_RECORD_PLACE << RH_RECORD_KIND_SHIFT, ticks});
}

static void
put_long(fixture *f, rh_record record)
{
    put_words(f, (uint64_t[]){rh_short_word(RH_SHORT_LONG, 0, 0), record.what, record.amount}, 3);
    expect_later(f, record);
}

static void
put_call(fixture *f, uint64_t address, uint64_t size)
{
    const rh_record record = {address | (uint64_t)RH_RECORD_MALLOC << RH_RECORD_KIND_SHIFT |
                                  (uint64_t)RH_RECORD_LIBC_DOMAIN << RH_RECORD_DOMAIN_SHIFT,
                              size | f->thread};
    uint64_t word;
    if (!rh_short_pack(&record, &word)) {
        put_long(f, record);
        return;
    }
    put_words(f, &word, 1);
    expect_later(f, record);
}

/* A mark with a text of so many bytes, the words of which are its numbers. */
static void
put_mark(fixture *f, uint64_t bytes)
{
    put_long(f, (rh_record){(uint64_t)RH_RECORD_MARK << RH_RECORD_KIND_SHIFT, bytes | f->thread});
    for (uint64_t at = 0; at < bytes; at += sizeof(rh_record)) {
        const rh_record piece = {at + 1, at + 2};
        put_words(f, (const uint64_t[]){piece.what, piece.amount}, 2);
        expect_later(f, piece);
    }
}

/* Takes up to `most` records, and compares them. */
static void
take(fixture *f, uint64_t most, bool last)
{
    rh_ring_view *view = &f->view;
    rh_ring_view_look(view);
    rh_ring_view_refill(view, last);
    for (uint64_t i = 0; i < most && view->at < view->end; i++) {
        const rh_record *record = rh_ring_view_record(view, view->at);
        assert_true(f->got_count < f->put_count);
        assert_int_equal(record->what, f->put[f->got_count].what);
        assert_int_equal(record->amount, f->put[f->got_count].amount);
        f->got_count++;
        view->at += sizeof *record;
        rh_ring_view_refill(view, last);
    }
    rh_ring_view_give_back(view);
}

/* As the writer does it: when it has waited for the ring to be empty. */
static void
move(fixture *f)
{
    assert_false(rh_ring_view_wants_more(&f->view));
    atomic_store(&f->ring.wanted, atomic_load(&f->ring.cursor));
    assert_true(rh_ring_view_wants_more(&f->view));
    uint64_t *large = malloc(RH_LARGE_RING_BYTES);
    memset(large, 0xff, RH_LARGE_RING_BYTES);
    rh_ring_view_offer(&f->view, (unsigned char *)large, 5);
    assert_int_equal(atomic_load(&f->ring.large), 6);
    assert_false(rh_ring_view_wants_more(&f->view));
    take(f, MANY, false);
    assert_int_equal(atomic_load(&f->ring.head), atomic_load(&f->ring.cursor));
    atomic_store(&f->ring.moved_at, atomic_load(&f->ring.cursor));
    f->large = large;
}

static void
put_and_take(fixture *f, size_t until)
{
    rh_random random = {3};
    while (f->put_count < until - 1000) {
        for (uint64_t n = rh_random_below(&random, 700); n > 0 && has_room(f, 300); n--) {
            const uint64_t drawn = rh_random_below(&random, 200);
            const uint64_t address = rh_random_next(&random) >> 17;
            if (drawn == 0)
                put_mark(f, rh_random_below(&random, 2000));
            else if (drawn < 8)
                put_place(f, rh_random_below(&random, 1000), rh_random_next(&random));
            else if (drawn < 12)
                put_call(f, address, rh_random_below(&random, 1 << 30)); /* mostly long */
            else
                put_call(f, address & ~UINT64_C(7), rh_random_below(&random, 65536));
        }
        take(f, rh_random_below(&random, 900), false);
    }
}

static void
test_all_that_is_put(void **state)
{
    fixture *f = *state;
    put_place(f, 5, 1);
    put_and_take(f, MANY / 3);
    move(f);
    put_and_take(f, MANY);
    assert_true(atomic_load(&f->ring.cursor) - atomic_load(&f->ring.moved_at) > RING_BYTES);
    take(f, MANY, false);
    assert_int_equal(f->got_count, f->put_count);
    assert_int_equal(atomic_load(&f->ring.head), atomic_load(&f->ring.cursor));
}

/* A text is there whole or not at all, unless nothing more of it comes. */
static void
test_text_in_pieces(void **state)
{
    fixture *f = *state;
    put_call(f, 64, 1);
    const size_t before = f->put_count;
    put_mark(f, 160);
    const uint64_t whole = atomic_load(&f->ring.cursor);
    for (uint64_t cut = 16; cut <= 160; cut += 16) {
        atomic_store(&f->ring.cursor, whole - cut);
        take(f, MANY, false);
        assert_int_equal(f->got_count, before);
    }
    atomic_store(&f->ring.cursor, whole - 32);
    take(f, MANY, true);
    assert_int_equal(f->got_count, f->put_count - 2);
}

static void
test_stray_writes(void **state)
{
    fixture *f = *state;
    rh_random random = {9};
    for (int round = 0; round < 3000; round++) {
        for (size_t i = 0; i < RING_BYTES / sizeof *f->words; i++)
            f->words[i] = rh_random_below(&random, 4) ? rh_random_next(&random)
                                                      : rh_random_next(&random) >> 4;
        atomic_store(&f->ring.cursor,
                     atomic_load(&f->ring.head) + 8 * rh_random_below(&random, 1 + RING_BYTES / 8));
        const bool last = rh_random_below(&random, 2);
        rh_ring_view *view = &f->view;
        rh_ring_view_look(view);
        uint64_t records = 0, waiting = rh_ring_view_waiting(view);
        for (rh_ring_view_refill(view, last); view->at < view->end; records++) {
            view->at += sizeof(rh_record);
            rh_ring_view_refill(view, last);
        }
        assert_true(records <= waiting);
        assert_true(view->read <= view->seen);
        if (round % 7 == 0) { /* no less than is read, no more than fits, and whole words */
            atomic_store(&f->ring.cursor, rh_random_next(&random));
            rh_ring_view_look(view);
            assert_true(view->seen - view->read <= RING_BYTES && view->seen % 8 == 0);
        }
        view->read = view->seen = view->read / 8 * 8; /* half a record may be left */
        atomic_store(&f->ring.cursor, view->read);
        rh_ring_view_give_back(view);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_all_that_is_put, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_text_in_pieces, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_stray_writes, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
