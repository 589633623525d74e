/* The sizes at the peak against a copy that is made at every new maximum. */
// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#include <string.h>

#include "alloc/peak_sizes.h"
#include "base/random.h"

enum { SIZES = 300, STEPS = 400000, LIVE_MOST = 20000 };

static uint64_t now[SIZES], at_peak[SIZES], live[LIVE_MOST];

static void
compare(const rh_peak_sizes *sizes)
{
    rh_trace_table counts = {.entries = NULL};
    assert_true(rh_peak_sizes_get(sizes, &counts));
    for (uint64_t size = 0; size < SIZES; size++) {
        const rh_trace *found = rh_trace_table_find(&counts, 0, (uintptr_t)size);
        assert_int_equal(found ? found->size_bytes : 0, at_peak[size]);
    }
    rh_trace_table_release(&counts);
}

/* Grows and shrinks in waves: some too short for the journal, some too long. */
static bool
grows(rh_random *random, uint64_t step)
{
    uint64_t wave = step < STEPS / 2 ? step / 900 : step / 60000;
    return rh_random_below(random, 100) < (wave % 2 ? 35u : 67u);
}

static void
it_is_the_copy(void **state)
{
    (void)state;
    rh_peak_sizes sizes = {.changes = 0};
    rh_random random = {11};
    uint64_t total = 0, peak = 0, count = 0, copies = 0;
    for (uint64_t step = 0; step < STEPS; step++) {
        if (count == 0 || (count < LIVE_MOST && grows(&random, step))) {
            uint64_t size = rh_random_below(&random, SIZES);
            live[count++] = size;
            rh_peak_sizes_born(&sizes, size);
            now[size]++;
            total += size;
        } else {
            uint64_t place = rh_random_below(&random, count), size = live[place];
            live[place] = live[--count];
            rh_peak_sizes_died(&sizes, size);
            now[size]--;
            total -= size;
        }
        if (total > peak) {
            peak = total;
            rh_peak_sizes_now(&sizes);
            memcpy(at_peak, now, sizeof now);
        }
        copies += sizes.copied;
        if (step % 997 == 0)
            compare(&sizes);
    }
    compare(&sizes);
    assert_true(copies > 0); /* the journal was full at times */
    rh_peak_sizes_release(&sizes);
}

static void
nothing_is_a_peak(void **state)
{
    (void)state;
    rh_peak_sizes sizes = {.changes = 0};
    rh_trace_table counts = {.entries = NULL};
    assert_true(rh_peak_sizes_get(&sizes, &counts));
    assert_int_equal(rh_trace_table_count(&counts), 0);
    assert_int_equal(rh_peak_sizes_bytes(&sizes), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_the_copy),
        cmocka_unit_test(nothing_is_a_peak),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
