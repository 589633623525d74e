/* Short records: what is packed comes out again, and what cannot be packed says so. */
#include "traces/recorder/short_record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/random.h"

static const uint64_t thread = UINT64_C(77) << RH_AMOUNT_THREAD_SHIFT;

static rh_record
call(unsigned kind, uint64_t address, uint64_t size)
{
    return (rh_record){address | (uint64_t)kind << RH_RECORD_KIND_SHIFT |
                           (uint64_t)RH_RECORD_LIBC_DOMAIN << RH_RECORD_DOMAIN_SHIFT,
                       size | thread};
}

static void
expect_packed(unsigned kind, uint64_t address, uint64_t size)
{
    const rh_record record = call(kind, address, size);
    uint64_t word;
    assert_true(rh_short_pack(&record, &word));
    const rh_record again = rh_short_unpack(word, thread);
    assert_int_equal(again.what, record.what);
    assert_int_equal(again.amount, record.amount);
}

static void
expect_long(unsigned kind, uint64_t address, uint64_t size)
{
    const rh_record record = call(kind, address, size);
    uint64_t word;
    assert_false(rh_short_pack(&record, &word));
}

static uint64_t
calloc_size(uint64_t count, uint64_t element)
{
    return count << RH_CALLOC_COUNT_SHIFT | element;
}

static void
test_limits(void **state)
{
    (void)state;
    const uint64_t last = (UINT64_C(1) << 47) - 8;
    expect_packed(RH_RECORD_MALLOC, 0, 0);
    expect_packed(RH_RECORD_MALLOC, last, 65535);
    expect_long(RH_RECORD_MALLOC, 16, 65536);
    expect_long(RH_RECORD_MALLOC, 20, 1);
    expect_long(RH_RECORD_FREE, UINT64_C(1) << 47, 0);
    expect_packed(RH_RECORD_CALLOC, 16, calloc_size(255, 255));
    expect_packed(RH_RECORD_CALLOC, 16, calloc_size(0, 0));
    expect_packed(RH_RECORD_CALLOC, 16, calloc_size(1, 65535));
    expect_packed(RH_RECORD_CALLOC, 16, calloc_size(65535, 1));
    expect_packed(RH_RECORD_CALLOC, 16, calloc_size(1, 0));
    expect_packed(RH_RECORD_CALLOC, 16, calloc_size(0, 1));
    expect_long(RH_RECORD_CALLOC, 16, calloc_size(256, 2));
    expect_long(RH_RECORD_CALLOC, 16, calloc_size(2, 256));
    expect_long(RH_RECORD_CALLOC, 16, calloc_size(65536, 1));
    expect_long(RH_RECORD_CALLOC, 16, calloc_size(1, 65536));
    expect_long(RH_RECORD_WIDE, 0, 5);
    expect_long(RH_RECORD_ALIGNED, 64, 64);
    expect_long(RH_RECORD_MARK, 0, 7);
}

static void
test_any_call(void **state)
{
    (void)state;
    static const unsigned kinds[] = {RH_RECORD_MALLOC, RH_RECORD_REALLOC_FROM, RH_RECORD_REALLOC,
                                     RH_RECORD_FREE,   RH_RECORD_REALLOC_NULL, RH_RECORD_GONE,
                                     RH_RECORD_CALLOC};
    rh_random random = {5};
    for (int i = 0; i < 200000; i++) {
        const unsigned kind = kinds[rh_random_below(&random, sizeof kinds / sizeof *kinds)];
        uint64_t address = (rh_random_next(&random) >> 17) & ~UINT64_C(7);
        uint64_t size = rh_random_below(&random, 65536);
        if (kind == RH_RECORD_CALLOC)
            size = calloc_size(size & 255, size >> 8);
        expect_packed(kind, address, size);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_any_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
