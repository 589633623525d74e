/* Two threads at the ends of a ring that is nearly always full: the writer never overtakes the
 * reader, and is woken each time. A wake that got lost would cost 50 ms; were they
 * lost regularly, this would not end within the time that a test has. */
#include "traces/recorder/ring_room.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/random.h"

enum { CAPACITY = 16, ITEMS = 200000 };

static rh_ring ring;
static uint64_t items[CAPACITY];

static void *
write_all(void *unused)
{
    for (uint64_t i = 0; i < ITEMS; i++) {
        while (i >= atomic_load(&ring.head) + CAPACITY)
            rh_ring_room_await(&ring, i + CAPACITY / 4 * 3 - CAPACITY);
        items[i % CAPACITY] = i;
        atomic_store_explicit(&ring.cursor, i + 1, memory_order_release);
    }
    return unused;
}

static void
test_every_item_once(void **state)
{
    (void)state;
    rh_random random = {1};
    pthread_t writer;
    uint64_t at = 0, wrong = 0;
    assert_int_equal(pthread_create(&writer, NULL, write_all, NULL), 0);
    while (at < ITEMS) {
        uint64_t end = atomic_load_explicit(&ring.cursor, memory_order_acquire);
        uint64_t stop = at + 1 + rh_random_below(&random, CAPACITY);
        for (; at < end && at < stop; at++)
            wrong += items[at % CAPACITY] != at;
        rh_ring_room_give(&ring, at);
    }
    assert_int_equal(pthread_join(writer, NULL), 0);
    assert_int_equal(wrong, 0);
    assert_int_equal(atomic_load(&ring.head), ITEMS);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_item_once)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
