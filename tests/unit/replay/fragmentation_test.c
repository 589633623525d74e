/* Means and integrals against examples worked out by hand. */
#include "replay/fragmentation.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void
expect(double value, double expected)
{
    if (!(fabs(value - expected) <= 1e-12 * fabs(expected)))
        fail_msg("%.17g is not %.17g", value, expected);
}

/* 40 mapped for 10 requested during one call, 100 for 50 during three: the integrals are 340 and
 * 160, the ratios 4, 2, 2 and 2. */
static void
two_means(void **state)
{
    (void)state;
    rh_fragmentation sums = {0}, once = {0};
    rh_fragmentation_count(&sums, 40, 10, 1);
    for (int i = 0; i < 3; i++)
        rh_fragmentation_count(&sums, 100, 50, 1);
    expect(rh_fragmentation_mean(&sums), 340. / 160 - 1);
    expect(rh_fragmentation_average(&sums), 10. / 4 - 1);
    rh_fragmentation_count(&once, 40, 10, 1);
    rh_fragmentation_count(&once, 100, 50, 3);
    expect(rh_fragmentation_mean(&once), rh_fragmentation_mean(&sums));
    expect(rh_fragmentation_average(&once), rh_fragmentation_average(&sums));
    /* With nothing requested there is no ratio, but memory is held. */
    rh_fragmentation_count(&sums, 60, 0, 2);
    expect(rh_fragmentation_mean(&sums), 460. / 160 - 1);
    expect(rh_fragmentation_average(&sums), 10. / 4 - 1);
    assert_true(isnan(rh_fragmentation_time_mean(&sums)));
    assert_true(isnan(rh_fragmentation_mapped_byte_seconds(&sums)));
}

/* Nothing until 1 s, 100 for 50 until 3 s, 40 for 10 until 10 s: 480 and 170 byte seconds. */
static void
over_time(void **state)
{
    (void)state;
    const uint64_t second = 1000000000;
    rh_fragmentation sums = {0};
    rh_fragmentation_at(&sums, UINT64_MAX, 0, 0);
    assert_true(isnan(rh_fragmentation_mapped_byte_seconds(&sums)));
    rh_fragmentation_at(&sums, 1 * second, 100, 50);
    assert_true(rh_fragmentation_mapped_byte_seconds(&sums) == 0);
    assert_true(isnan(rh_fragmentation_time_mean(&sums)));
    rh_fragmentation_at(&sums, 3 * second, 40, 10);
    rh_fragmentation_at(&sums, 2 * second, 40, 10); /* no time passes backwards */
    rh_fragmentation_at(&sums, 10 * second, 1, 1);
    expect(rh_fragmentation_mapped_byte_seconds(&sums), 480);
    expect(rh_fragmentation_requested_byte_seconds(&sums), 170);
    expect(rh_fragmentation_time_mean(&sums), 480. / 170 - 1);
}

/* A day with a terabyte does not overflow. */
static void
large_sums(void **state)
{
    (void)state;
    rh_fragmentation sums = {0};
    uint64_t terabyte = UINT64_C(1) << 40, day_ns = UINT64_C(86400) * 1000000000;
    rh_fragmentation_count(&sums, 2 * terabyte, terabyte, UINT64_C(1) << 40);
    expect(rh_fragmentation_mean(&sums), 1);
    rh_fragmentation_at(&sums, 0, 2 * terabyte, terabyte);
    rh_fragmentation_at(&sums, day_ns, 0, 0);
    expect(rh_fragmentation_mapped_byte_seconds(&sums), 2. * (double)terabyte * 86400);
    expect(rh_fragmentation_time_mean(&sums), 1);
}

static void
nothing(void **state)
{
    (void)state;
    rh_fragmentation sums = {0};
    assert_true(isnan(rh_fragmentation_mean(&sums)));
    assert_true(isnan(rh_fragmentation_average(&sums)));
    assert_true(isnan(rh_fragmentation_time_mean(&sums)));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_means),
        cmocka_unit_test(over_time),
        cmocka_unit_test(large_sums),
        cmocka_unit_test(nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
