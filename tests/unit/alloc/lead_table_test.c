/* The table of aligned blocks, beside a plain array. */
#include "alloc/lead_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/random.h"

enum { ADDRESSES = 3000, CALLS = 200000 };

static void
it_knows_what_is_in_it(void **state)
{
    (void)state;
    static size_t expected[ADDRESSES];
    rh_lead_table table = {.count = 0};
    rh_random random = {1};
    size_t count = 0;
    assert_int_equal(rh_lead_table_find(&table, 4096), 0);
    for (int call = 0; call < CALLS; call++) {
        size_t which = rh_random_below(&random, ADDRESSES);
        uintptr_t address = 4096 + 32 * which;
        assert_int_equal(rh_lead_table_find(&table, address), expected[which]);
        if (expected[which]) {
            rh_lead_table_remove(&table, address);
            expected[which] = 0;
            count--;
        } else if (rh_random_below(&random, 3)) {
            assert_true(rh_lead_table_reserve(&table));
            expected[which] = 32 + which;
            rh_lead_table_add(&table, address, expected[which]);
            count++;
        }
        assert_int_equal(table.count, count);
    }
    for (size_t which = 0; which < ADDRESSES; which++)
        assert_int_equal(rh_lead_table_find(&table, 4096 + 32 * which), expected[which]);
    rh_lead_table_release(&table);
    assert_int_equal(rh_lead_table_find(&table, 4096), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(it_knows_what_is_in_it)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
