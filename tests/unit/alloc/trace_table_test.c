/* The table of traces against a stupid one: an array that is searched from end to end. */
// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#include <stdlib.h>
#include <string.h>

#include "alloc/trace_table.h"
#include "base/random.h"

enum { TWIN_MOST = 600, OPERATIONS = 200000 };

typedef struct twin {
    rh_trace traces[TWIN_MOST];
    size_t count;
} twin;

static rh_trace *
twin_find(twin *naive, uint32_t domain, uintptr_t address)
{
    for (size_t i = 0; i < naive->count; i++)
        if (naive->traces[i].domain == domain && naive->traces[i].address == address)
            return &naive->traces[i];
    return NULL;
}

static void
twin_put(twin *naive, const rh_trace *trace, uint64_t *old_bytes)
{
    rh_trace *known = twin_find(naive, trace->domain, trace->address);
    *old_bytes = known ? known->size_bytes : 0;
    if (!known)
        known = &naive->traces[naive->count++];
    *known = *trace;
}

static bool
twin_take(twin *naive, uint32_t domain, uintptr_t address, rh_trace *trace)
{
    rh_trace *known = twin_find(naive, domain, address);
    if (!known)
        return false;
    *trace = *known;
    *known = naive->traces[--naive->count];
    return true;
}

static bool
same(const rh_trace *a, const rh_trace *b)
{
    return a->address == b->address && a->domain == b->domain && a->size_bytes == b->size_bytes &&
           a->traceback == b->traceback;
}

static void
compare_all(const rh_trace_table *table, twin *naive)
{
    assert_int_equal(rh_trace_table_count(table), naive->count);
    rh_trace *copies = calloc(naive->count + 1, sizeof *copies);
    rh_trace_table_copy(table, copies);
    for (size_t i = 0; i < naive->count; i++) {
        const rh_trace *expected = twin_find(naive, copies[i].domain, copies[i].address);
        assert_non_null(expected);
        assert_true(same(expected, &copies[i]));
    }
    free(copies);
}

/* Addresses as heaps give them (close together), as numbers, and as bad for the spreading as can
 * be. */
static uintptr_t
some_address(rh_random *random, int pattern)
{
    uintptr_t number = rh_random_below(random, TWIN_MOST / 2);
    switch (pattern) {
    case 0:
        return 0x7f0000000000 + number * 16;
    case 1:
        return number;
    case 2:
        return number << 55; /* only high bits differ */
    default:
        return number * 0x100000;
    }
}

static void
run_model(int pattern)
{
    static twin naive;
    rh_trace_table table = {.entries = NULL};
    rh_random random = {(uint64_t)pattern};
    memset(&naive, 0, sizeof naive);
    unsigned taken = 0, kept = 0;
    for (unsigned i = 0; i < OPERATIONS; i++) {
        rh_trace trace = {some_address(&random, pattern), rh_random_below(&random, 1000),
                          (uint32_t)rh_random_below(&random, 2),
                          (uint32_t)rh_random_below(&random, 9) + 1};
        rh_trace got = {0}, expected = {0};
        uint64_t old_bytes, expected_bytes;
        unsigned what = (unsigned)rh_random_below(&random, 100);
        if (what < 50) {
            if (kept > 0) {
                rh_trace_table_unkeep(&table);
                kept--;
            }
            assert_true(rh_trace_table_put(&table, &trace, &old_bytes));
            twin_put(&naive, &trace, &expected_bytes);
            assert_int_equal(old_bytes, expected_bytes);
        } else if (what < 95) {
            bool keep = what > 90;
            bool found = rh_trace_table_take(&table, trace.domain, trace.address, keep, &got);
            assert_int_equal(found, twin_take(&naive, trace.domain, trace.address, &expected));
            assert_true(same(&got, &expected));
            taken += found;
            kept += found && keep;
        } else {
            const rh_trace *found = rh_trace_table_find(&table, trace.domain, trace.address);
            const rh_trace *known = twin_find(&naive, trace.domain, trace.address);
            assert_int_equal(!found, !known);
            assert_true(!found || same(found, known));
        }
        if (i % 1000 == 0)
            compare_all(&table, &naive);
    }
    compare_all(&table, &naive);
    assert_true(taken > OPERATIONS / 10);
    rh_trace_table_release(&table);
}

static void
it_is_its_twin(void **state)
{
    (void)state;
    for (int pattern = 0; pattern < 4; pattern++)
        run_model(pattern);
}

/* The same numbers of entries need the same memory, wherever the entries lie. */
static void
its_size_follows_from_the_count(void **state)
{
    (void)state;
    size_t bytes[2];
    for (int pattern = 0; pattern < 2; pattern++) {
        rh_trace_table table = {.entries = NULL};
        for (uintptr_t i = 0; i < 10000; i++) {
            uint64_t old_bytes;
            rh_trace trace = {pattern ? i * 4096 : 1000000 - i, 1, 0, 1};
            assert_true(rh_trace_table_put(&table, &trace, &old_bytes));
            rh_trace gone;
            if (i % 3 == 0) /* churn leaves nothing behind */
                assert_true(rh_trace_table_take(&table, 0, trace.address, false, &gone));
        }
        bytes[pattern] = table.memory.bytes;
        assert_int_equal(rh_trace_table_count(&table), 6666);
        rh_trace_table_release(&table);
    }
    assert_int_equal(bytes[0], bytes[1]);
    assert_true(bytes[0] <= 16384 * sizeof(rh_trace) + 4096);
}

static void
an_empty_table_knows_nothing(void **state)
{
    (void)state;
    rh_trace_table table = {.entries = NULL};
    rh_trace trace;
    assert_null(rh_trace_table_find(&table, 0, 0));
    assert_false(rh_trace_table_take(&table, 0, 0, true, &trace));
    assert_int_equal(rh_trace_table_count(&table), 0);
    rh_trace_table_copy(&table, NULL);
    rh_trace_table_release(&table);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_its_twin),
        cmocka_unit_test(its_size_follows_from_the_count),
        cmocka_unit_test(an_empty_table_knows_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
