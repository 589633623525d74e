// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#include <string.h>

#include "alloc/side_memory.h"

static void
grows_and_keeps(void **state)
{
    (void)state;
    rh_side_memory memory = {.base = NULL};
    size_t had = 0;
    for (size_t wanted = 1; wanted < 3000000; wanted = wanted * 3 / 2 + 1) {
        assert_true(rh_side_memory_grow(&memory, wanted));
        assert_true(memory.bytes >= wanted);
        assert_int_equal((uintptr_t)memory.base % 4096, 0);
        const unsigned char *bytes = memory.base;
        for (size_t i = 0; i < memory.bytes; i++)
            assert_int_equal(bytes[i], i < had ? 0x77 : 0);
        had = memory.bytes;
        memset(memory.base, 0x77, had);
    }
    rh_side_memory_release(&memory);
    assert_null(memory.base);
    assert_int_equal(memory.bytes, 0);
}

static void
refuses_without_change(void **state)
{
    (void)state;
    rh_side_memory memory = {.base = NULL};
    assert_false(rh_side_memory_grow(&memory, SIZE_MAX));
    assert_false(rh_side_memory_grow(&memory, (size_t)1 << 60));
    assert_null(memory.base);
    assert_true(rh_side_memory_grow(&memory, 10));
    void *base = memory.base;
    size_t bytes = memory.bytes;
    assert_false(rh_side_memory_grow(&memory, (size_t)1 << 60));
    assert_ptr_equal(memory.base, base);
    assert_int_equal(memory.bytes, bytes);
    rh_side_memory_release(&memory);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grows_and_keeps),
        cmocka_unit_test(refuses_without_change),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
