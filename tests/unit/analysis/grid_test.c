/* Specs as text: reading a size, taking keys out, putting one in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "analysis/grid.h"

static void
sizes_are_read_from_the_allocator_only(void **state)
{
    (void)state;
    uint64_t size = 7;
    assert_true(rh_spec_size_of("pymalloc@3.9,arena=4M,pool=64K+debug", "arena", &size));
    assert_int_equal(size, 4 << 20);
    assert_true(rh_spec_size_of("pymalloc@3.9,arena=4M,pool=64K+debug", "pool", &size));
    assert_int_equal(size, 64 << 10);
    size = 7;
    assert_false(rh_spec_size_of("pymalloc", "arena", &size));
    assert_false(rh_spec_size_of("pymalloc,arena=much", "arena", &size));
    assert_false(rh_spec_size_of("pymalloc,xarena=4M", "arena", &size));
    assert_false(rh_spec_size_of("pymalloc+freelist,arena=4M", "arena", &size));
    assert_false(rh_spec_size_of("preload,so=a\\,arena=4M", "arena", &size));
    assert_false(rh_spec_size_of("pymalloc,arena", "arena", &size));
    assert_false(rh_spec_size_of("", "arena", &size));
    assert_int_equal(size, 7);
}

static void
check_without(const char *spec, const char *expected)
{
    const char *const keys[] = {"arena", "pool"};
    char *rest = rh_spec_without(spec, keys, 2);
    assert_string_equal(rest, expected);
    free(rest);
}

static void
keys_are_taken_out(void **state)
{
    (void)state;
    check_without("pymalloc", "pymalloc");
    check_without("pymalloc,arena=1M,keep=2,pool=4K+debug,pool=x", "pymalloc,keep=2+debug,pool=x");
    check_without("preload,so=a\\,pool=3,pool=4K", "preload,so=a\\,pool=3");
    check_without("pymalloc,arena=1M", "pymalloc");
}

static void
check_with(const char *base, const char *expected)
{
    char *spec = rh_spec_with(base, "arena", "2M");
    assert_string_equal(spec, expected);
    free(spec);
}

static void
a_key_goes_before_the_layers(void **state)
{
    (void)state;
    check_with("pymalloc", "pymalloc,arena=2M");
    check_with("pymalloc@3.9,keep=1+debug", "pymalloc@3.9,keep=1,arena=2M+debug");
    check_with("preload,so=a\\+b", "preload,so=a\\+b,arena=2M");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_are_read_from_the_allocator_only),
        cmocka_unit_test(keys_are_taken_out),
        cmocka_unit_test(a_key_goes_before_the_layers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
