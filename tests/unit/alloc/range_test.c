/* The records of a space, their index and their table, each beside a plain array. */
// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#include "alloc/range.h"
#include "alloc/range_index.h"
#include "alloc/range_table.h"
#include "base/random.h"

enum { RANGES = 3000 };
#define SPAN (UINT64_C(1) << 40)

/* Cuts a span into RANGES pieces of many sizes, equal ones among them. */
static rh_range_number
cut_up(rh_ranges *ranges, rh_range_number *number)
{
    rh_random random = {1};
    assert_true(rh_ranges_reserve(ranges, 1));
    rh_range_number first = rh_ranges_begin(ranges, SPAN, RH_RANGE_FREE), at = first;
    for (size_t i = 0; i < RANGES; i++) {
        uint64_t granules = 1 + rh_random_below(&random, 300);
        if (rh_random_below(&random, 10) == 0)
            granules = 1 + rh_random_below(&random, 1 << 20);
        number[i] = at;
        assert_true(rh_ranges_reserve(ranges, 1));
        at = rh_ranges_split(ranges, at, granules * RH_RANGE_GRANULE);
    }
    return first;
}

static void
splitting_and_joining_are_inverse(void **state)
{
    (void)state;
    rh_ranges ranges = {.count = 0};
    static rh_range_number number[RANGES];
    rh_range_number first = cut_up(&ranges, number);
    uint64_t end = 0;
    size_t count = 0;
    for (rh_range_number at = first; at; at = ranges.range[at].after, count++) {
        assert_int_equal(ranges.range[at].offset, end);
        end += rh_range_size(&ranges.range[at]);
    }
    assert_int_equal(count, RANGES + 1);
    assert_int_equal(end, SPAN);
    for (size_t i = 0; i < RANGES; i++)
        rh_ranges_join(&ranges, first);
    assert_int_equal(rh_range_size(&ranges.range[first]), SPAN);
    assert_int_equal(ranges.range[first].after, 0);
    assert_int_equal(ranges.spares, RANGES);
    size_t bytes = ranges.memory.bytes;
    cut_up(&ranges, number); /* from spare records: the table does not grow */
    assert_int_equal(ranges.memory.bytes, bytes);
    rh_ranges_release(&ranges);
}

/* The smallest of `bytes` or more that is `in`, the lowest of those, by looking at all. */
static rh_range_number
naive_find(const rh_ranges *ranges, const rh_range_number *number, const bool *in, uint64_t bytes)
{
    rh_range_number best = 0;
    for (size_t i = 0; i < RANGES; i++) {
        const rh_range *this = &ranges->range[number[i]];
        uint64_t size = rh_range_size(this);
        if (in[i] && size >= bytes && (!best || size < rh_range_size(&ranges->range[best])))
            best = number[i]; /* in address order: of equal ones the first stays */
    }
    return best;
}

static void
the_index_finds_the_best_fit(void **state)
{
    (void)state;
    rh_ranges ranges = {.count = 0};
    static rh_range_index index;
    static rh_range_number number[RANGES];
    static bool in[RANGES];
    rh_random random = {2};
    uint32_t count = 0;
    cut_up(&ranges, number);
    for (int step = 0; step < 30000; step++) {
        size_t which = rh_random_below(&random, RANGES);
        if (in[which])
            rh_range_index_remove(&index, &ranges, number[which]);
        else
            rh_range_index_add(&index, &ranges, number[which]);
        in[which] = !in[which];
        count = in[which] ? count + 1 : count - 1;
        assert_int_equal(index.count, count);
        assert_int_equal(rh_range_index_has(&index, &ranges, number[which]), in[which]);
        if (step % 10)
            continue;
        uint64_t bytes = (1 + rh_random_below(&random, step % 3 ? 320 : 1 << 20)) * 16;
        assert_int_equal(rh_range_index_find(&index, &ranges, bytes),
                         naive_find(&ranges, number, in, bytes));
    }
    rh_ranges_release(&ranges);
}

static void
the_table_finds_what_was_added(void **state)
{
    (void)state;
    rh_ranges ranges = {.count = 0};
    rh_range_table table = {.count = 0};
    static rh_range_number number[RANGES];
    static bool in[RANGES];
    rh_random random = {3};
    cut_up(&ranges, number);
    assert_int_equal(rh_range_table_find(&table, &ranges, 0), 0);
    for (int step = 0; step < 60000; step++) {
        size_t which = rh_random_below(&random, RANGES);
        uint64_t offset = ranges.range[number[which]].offset;
        assert_int_equal(rh_range_table_find(&table, &ranges, offset),
                         in[which] ? number[which] : 0);
        assert_int_equal(rh_range_table_find(&table, &ranges, offset + 8), 0);
        if (in[which]) {
            assert_int_equal(rh_range_table_remove(&table, &ranges, offset), number[which]);
            assert_int_equal(rh_range_table_remove(&table, &ranges, offset), 0);
        } else {
            assert_true(rh_range_table_reserve(&table, &ranges));
            rh_range_table_add(&table, &ranges, number[which]);
        }
        in[which] = !in[which];
    }
    for (size_t i = 0; i < RANGES; i++)
        assert_int_equal(rh_range_table_find(&table, &ranges, ranges.range[number[i]].offset),
                         in[i] ? number[i] : 0);
    rh_range_table_release(&table);
    rh_ranges_release(&ranges);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(splitting_and_joining_are_inverse),
        cmocka_unit_test(the_index_finds_the_best_fit),
        cmocka_unit_test(the_table_finds_what_was_added),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
