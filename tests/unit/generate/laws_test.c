// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#include <math.h>

#include "base/random.h"
#include "traces/generate/laws.h"

enum { DRAWS = 200000 };

static void
the_logarithm_is_one(void **state)
{
    (void)state;
    rh_random random = {3};
    for (int i = 0; i < DRAWS; i++) {
        double x = rh_draw_unit(&random) * pow(2, (double)rh_random_below(&random, 200) - 100);
        assert_true(fabs(rh_natural_logarithm(x) - log(x)) < 1e-11 * (1 + fabs(log(x))));
    }
    assert_true(rh_natural_logarithm(1) == 0);
}

static void
exponential_is_exponential(void **state)
{
    (void)state;
    rh_random random = {4};
    unsigned above_one = 0, above_three = 0;
    double sum = 0;
    for (int i = 0; i < DRAWS; i++) {
        double x = rh_draw_exponential(&random);
        assert_true(x >= 0);
        sum += x;
        above_one += x > 1;
        above_three += x > 3;
    }
    assert_true(fabs(sum / DRAWS - 1) < 0.01);
    assert_true(fabs(above_one / (double)DRAWS - exp(-1)) < 0.005);
    assert_true(fabs(above_three / (double)DRAWS - exp(-3)) < 0.002);
}

static void
sizes_keep_their_bounds(void **state)
{
    (void)state;
    static const rh_size_law laws[] = {
        {RH_SIZES_UNIFORM, 10, 20, 0},      {RH_SIZES_UNIFORM, 7, 7, 0},
        {RH_SIZES_EXPONENTIAL, 16, 64, 60}, {RH_SIZES_EXPONENTIAL, 5, 5, 5},
        {RH_SIZES_POWERS, 16, 64, 0},       {RH_SIZES_POWERS, 17, 64, 0},
        {RH_SIZES_POWERS, 1, 1, 0},
    };
    rh_random random = {5};
    for (size_t i = 0; i < sizeof laws / sizeof *laws; i++) {
        const rh_size_law *law = &laws[i];
        uint64_t least = UINT64_MAX, most = 0;
        for (int k = 0; k < DRAWS / 10; k++) {
            uint64_t size = rh_size_law_draw(law, &random);
            least = size < least ? size : least;
            most = size > most ? size : most;
            if (law->kind == RH_SIZES_POWERS)
                assert_int_equal(size & (size - 1), 0);
        }
        assert_int_equal(most, law->most);
        if (law->least == 17)
            assert_int_equal(least, 32);
        else
            assert_int_equal(least, law->least);
    }
}

static void
lives_have_their_mean(void **state)
{
    (void)state;
    rh_random random = {6};
    for (int law = RH_LIVES_EXPONENTIAL; law <= RH_LIVES_FIXED; law++) {
        double sum = 0;
        for (int i = 0; i < DRAWS; i++) {
            uint64_t life = rh_life_law_draw((rh_life_law)law, 500, &random);
            assert_true(life >= 1);
            sum += (double)life;
        }
        assert_true(fabs(sum / DRAWS / 500 - 1) < 0.02);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_logarithm_is_one),
        cmocka_unit_test(exponential_is_exponential),
        cmocka_unit_test(sizes_keep_their_bounds),
        cmocka_unit_test(lives_have_their_mean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
