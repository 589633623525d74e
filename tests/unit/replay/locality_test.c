/* Distinct pages and lines against a naive count. */
#include "replay/locality.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/random.h"

static rh_locality locality;

static uint64_t
distinct(const uint64_t *addresses, size_t count, unsigned shift)
{
    uint64_t found = 0;
    for (size_t i = 0; i < count; i++) {
        size_t before = 0;
        while (before < i && addresses[before] >> shift != addresses[i] >> shift)
            before++;
        found += before == i;
    }
    return found;
}

static void
is_the_naive_count(void **state)
{
    (void)state;
    rh_random random = {.state = 3};
    uint64_t named[2 * RH_LOCALITY_WINDOW], pages = 0, lines = 0;
    rh_locality_begin(&locality);
    for (unsigned window = 0; window < 40; window++) {
        uint64_t span = UINT64_C(64) << (window % 26);
        size_t count = 0;
        for (int event = 0; event < RH_LOCALITY_WINDOW; event++) {
            unsigned names = (unsigned)rh_random_below(&random, 3);
            for (unsigned i = 0; i < names; i++) {
                named[count] = UINT64_C(0x7f0000000000) + rh_random_next(&random) % span;
                rh_locality_name(&locality, (const void *)(uintptr_t)named[count++]);
            }
            rh_locality_count(&locality);
        }
        pages += distinct(named, count, 12);
        lines += distinct(named, count, 6);
        assert_int_equal(locality.windows, window + 1);
        assert_int_equal(locality.pages_sum, pages);
        assert_int_equal(locality.lines_sum, lines);
    }
    /* A window that is not whole is in no sum. */
    rh_locality_name(&locality, NULL);
    rh_locality_count(&locality);
    assert_int_equal(locality.pages_sum, pages);
}

static void
a_set_outlives_its_rounds(void **state)
{
    (void)state;
    rh_locality_begin(&locality);
    locality.pages.round = locality.lines.round = RH_LOCALITY_ROUNDS - 1;
    for (int window = 0; window < 3; window++)
        for (int event = 0; event < RH_LOCALITY_WINDOW; event++) {
            rh_locality_name(&locality, (const void *)(uintptr_t)(event * 4096));
            rh_locality_count(&locality);
        }
    assert_int_equal(locality.pages_sum, 3 * RH_LOCALITY_WINDOW);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_the_naive_count),
        cmocka_unit_test(a_set_outlives_its_rounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
