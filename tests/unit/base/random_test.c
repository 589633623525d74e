/* The sequence is SplitMix64's: the first numbers for seed 1234567 are those that its author's
 * program prints. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/random.h"

static void
follows_the_published_sequence(void **state)
{
    (void)state;
    static const uint64_t published[] = {6457827717110365317u, 3203168211198807973u,
                                         9817491932198370423u, 4593380528125082431u,
                                         16408922859458223821u};
    rh_random random = {.state = 1234567};
    for (size_t i = 0; i < sizeof published / sizeof *published; i++)
        assert_true(rh_random_next(&random) == published[i]);
}

static void
stays_below_its_bound_and_reaches_all(void **state)
{
    (void)state;
    rh_random random = {.state = 1};
    unsigned seen[7] = {0};
    for (int i = 0; i < 7000; i++) {
        uint64_t number = rh_random_below(&random, 7);
        assert_true(number < 7);
        seen[number]++;
    }
    for (int i = 0; i < 7; i++)
        assert_in_range(seen[i], 800, 1200);
    for (int i = 0; i < 1000; i++) {
        assert_true(rh_random_below(&random, 1) == 0);
        assert_true(rh_random_below(&random, UINT32_MAX) < UINT32_MAX);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(follows_the_published_sequence),
        cmocka_unit_test(stays_below_its_bound_and_reaches_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
