/* The table of addresses against a plain array, under random births and deaths. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above. */
#include <cmocka.h>

#include "base/random.h"
#include "traces/pointer_table.h"

enum { PLACES = 3000, STEPS = 400000 };

static void
agrees_with_an_array(void **state)
{
    (void)state;
    /* What lives at address (i + 1) * 16; 0: nothing. */
    static uint32_t living[PLACES];
    rh_random random = {1};
    rh_pointer_table table;
    assert_true(rh_pointer_table_init(&table));
    size_t alive = 0;
    for (uint32_t step = 1; step <= STEPS; step++) {
        /* Clusters, as an allocator makes them: neighbours come and go together. */
        size_t place =
            (rh_random_below(&random, PLACES / 50) * 50 + rh_random_below(&random, 8)) % PLACES;
        uint64_t key = (place + 1) * 16;
        rh_pointer_entry *entry = rh_pointer_find(&table, key);
        assert_int_equal(entry->key, living[place] ? key : 0);
        if (living[place]) {
            assert_int_equal(entry->handle, living[place]);
            rh_pointer_remove(&table, entry);
            living[place] = 0;
            alive--;
        } else {
            assert_true(rh_pointer_add(&table, entry, key, step));
            living[place] = step;
            alive++;
        }
        assert_int_equal(table.used, alive);
    }
    for (size_t place = 0; place < PLACES; place++) {
        rh_pointer_entry *entry = rh_pointer_find(&table, (place + 1) * 16);
        assert_int_equal(entry->key ? entry->handle : 0, living[place]);
    }
    rh_pointer_table_release(&table);
}

static void
grows_without_losing_any(void **state)
{
    (void)state;
    enum { MANY = 300000 };
    rh_pointer_table table;
    assert_true(rh_pointer_table_init(&table));
    for (uint32_t i = 1; i <= MANY; i++) {
        uint64_t key = UINT64_C(0x7f0000000000) + (uint64_t)i * 48;
        assert_true(rh_pointer_add(&table, rh_pointer_find(&table, key), key, i));
    }
    assert_true(table.used * 8 <= (table.mask + 1) * 5);
    for (uint32_t i = 1; i <= MANY; i++)
        assert_int_equal(
            rh_pointer_find(&table, UINT64_C(0x7f0000000000) + (uint64_t)i * 48)->handle, i);
    rh_pointer_table_release(&table);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_an_array),
        cmocka_unit_test(grows_without_losing_any),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
