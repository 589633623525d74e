// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#include <math.h>

#include "base/random.h"
#include "traces/generate/alias.h"

enum { DRAWS = 1000000, MOST = 300 };

/* Every count is within five standard deviations of what is expected; a weight of 0 is never drawn.
 */
static void
draws_by_weight(const double *weights, uint32_t count)
{
    rh_alias alias;
    rh_random random = {42};
    static uint64_t drawn[MOST];
    double sum = 0;
    assert_true(rh_alias_init(&alias, weights, count));
    for (uint32_t i = 0; i < count; i++) {
        drawn[i] = 0;
        sum += weights[i];
    }
    for (int i = 0; i < DRAWS; i++)
        drawn[rh_alias_draw(&alias, &random)]++;
    for (uint32_t i = 0; i < count; i++) {
        double expected = weights[i] / sum * DRAWS;
        assert_true(fabs((double)drawn[i] - expected) <= 5 * sqrt(expected + 1e-9) + 1e-6);
    }
    rh_alias_release(&alias);
}

static void
any_weights(void **state)
{
    (void)state;
    double weights[MOST];
    rh_random random = {1};
    draws_by_weight((const double[]){3}, 1);
    draws_by_weight((const double[]){0, 1, 0, 3}, 4);
    draws_by_weight((const double[]){1e-9, 1e9, 5e8}, 3);
    for (int i = 0; i < MOST; i++)
        weights[i] = (double)rh_random_below(&random, 1000) * (i % 7 ? 1 : 1000);
    draws_by_weight(weights, MOST);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(any_weights)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
