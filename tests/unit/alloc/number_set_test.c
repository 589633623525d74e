#include "alloc/number_set.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/random.h"

static void
knows_what_was_added(void **state)
{
    (void)state;
    enum { VALUES = 512 };
    bool added[VALUES] = {false};
    size_t count = 0;
    rh_number_set set = {0};
    rh_random random = {2};
    for (int i = 0; i < 3000; i++) {
        uint64_t number = rh_random_below(&random, VALUES);
        assert_int_equal(rh_number_set_has(&set, number), added[number]);
        if (rh_random_below(&random, 4) == 0) {
            assert_true(rh_number_set_add(&set, number));
            count += !added[number];
            added[number] = true;
        }
        assert_int_equal(set.count, count);
    }
    for (size_t i = 1; i < set.count; i++)
        assert_true(set.numbers[i - 1] < set.numbers[i]);
    assert_false(rh_number_set_has(&set, UINT64_MAX));
    rh_number_set_release(&set);
    assert_int_equal(set.count, 0);
    assert_false(rh_number_set_has(&set, 0));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(knows_what_was_added)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
