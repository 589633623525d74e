/* Against sorted values: no quantile is further off than a bucket is wide. */
#include "replay/histogram.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/random.h"

enum { VALUES = 20000 };

static rh_histogram histogram, other;

static int
clear(void **state)
{
    (void)state;
    histogram = other = (rh_histogram){0};
    return 0;
}

/* Spread over all magnitudes up to 2^bits. */
static uint64_t
draw(rh_random *random, unsigned bits)
{
    return rh_random_next(random) >> (64 - 1 - rh_random_below(random, bits));
}

static int
compare(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

static void
test_every_value_lies_in_its_bucket(void **state)
{
    (void)state;
    rh_random random = {1};
    for (int i = 0; i < 200000; i++) {
        uint64_t value = i < 5000 ? (uint64_t)i : draw(&random, 40), lower, upper;
        size_t place = rh_histogram_place(value);
        assert_true(place < RH_HISTOGRAM_BUCKETS);
        rh_histogram_bounds(place, &lower, &upper);
        assert_true(lower <= value && value < upper);
        assert_true((upper - lower) * 100 <= lower || upper - lower == 1);
    }
}

static void
test_buckets_follow_each_other(void **state)
{
    (void)state;
    uint64_t before = 0;
    for (size_t place = 0; place < RH_HISTOGRAM_BUCKETS; place++) {
        uint64_t lower, upper;
        rh_histogram_bounds(place, &lower, &upper);
        assert_int_equal(lower, before);
        before = upper;
    }
    assert_int_equal(rh_histogram_place(UINT64_MAX), RH_HISTOGRAM_BUCKETS - 1);
}

static void
test_quantiles_against_sorted(void **state)
{
    (void)state;
    static uint64_t values[VALUES];
    static const double fractions[] = {0, .001, .1, .5, .9, .99, .999, .9999, 1};
    rh_random random = {2};
    for (int i = 0; i < VALUES; i++) {
        values[i] = draw(&random, 36);
        rh_histogram_add(&histogram, values[i]);
    }
    qsort(values, VALUES, sizeof *values, compare);
    for (size_t f = 0; f < sizeof fractions / sizeof *fractions; f++) {
        double exact_rank = fractions[f] * VALUES;
        size_t rank = (size_t)exact_rank;
        rank += (double)rank < exact_rank;
        uint64_t exact = values[rank ? rank - 1 : 0];
        uint64_t given = rh_histogram_quantile(&histogram, fractions[f]);
        assert_true(given >= exact);
        assert_true((given - exact) * 100 <= exact);
    }
    assert_int_equal(rh_histogram_quantile(&histogram, 1), values[VALUES - 1]);
    assert_int_equal(histogram.max, values[VALUES - 1]);
}

static void
test_merging_is_adding(void **state)
{
    (void)state;
    static rh_histogram whole;
    whole = (rh_histogram){0};
    rh_random random = {3};
    for (int i = 0; i < VALUES; i++) {
        uint64_t value = draw(&random, 39);
        rh_histogram_add(&whole, value);
        rh_histogram_add(i % 3 ? &histogram : &other, value);
    }
    rh_histogram_merge(&histogram, &other);
    assert_memory_equal(&histogram, &whole, sizeof whole);
}

static void
test_empty(void **state)
{
    (void)state;
    assert_int_equal(rh_histogram_quantile(&histogram, .5), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_every_value_lies_in_its_bucket, clear),
        cmocka_unit_test_setup(test_buckets_follow_each_other, clear),
        cmocka_unit_test_setup(test_quantiles_against_sorted, clear),
        cmocka_unit_test_setup(test_merging_is_adding, clear),
        cmocka_unit_test_setup(test_empty, clear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
