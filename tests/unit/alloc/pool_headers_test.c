/* Headers of the pools of a window: which they are, and how much of them is there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "alloc/pool_headers.h"

#define WINDOW ((uintptr_t)7 << 36)
#define BYTES  ((size_t)1 << 30)
#define POOL   14

static void
a_header_belongs_to_an_address(void **state)
{
    (void)state;
    rh_pool_headers headers;
    rh_pool_headers_init(&headers, WINDOW, BYTES, POOL);
    assert_true(rh_pool_headers_has(&headers, WINDOW));
    assert_true(rh_pool_headers_has(&headers, WINDOW + BYTES - 1));
    assert_false(rh_pool_headers_has(&headers, WINDOW - 1));
    assert_false(rh_pool_headers_has(&headers, WINDOW + BYTES));
    assert_int_equal(headers.made_bytes, 0);
    rh_side_pool *later = rh_pool_headers_of(&headers, WINDOW + ((uintptr_t)5000 << POOL), 64);
    rh_side_pool *first = rh_pool_headers_of(&headers, WINDOW, 64);
    assert_ptr_equal(later, first + 5000);
    assert_in_range(headers.made_bytes, 5064 * sizeof *first, 5064 * sizeof *first + 65535);
    for (int i = 0; i < 64; i++) {
        assert_null(later[i].pool.ring);
        later[i].origin = first[i].origin = 1;
    }
    uintptr_t last = WINDOW + BYTES - ((uintptr_t)1 << POOL);
    assert_null(rh_pool_headers_of(&headers, last, 1)); /* too far */
    rh_pool_headers_release(&headers);
    rh_pool_headers_init(&headers, WINDOW, BYTES, POOL);
    rh_pool_headers_of(&headers, last, 1)->origin = 1;
    assert_int_equal(headers.made_bytes, 65536);
    assert_null(rh_pool_headers_of(&headers, last, 2));
    rh_pool_headers_of(&headers, last - ((uintptr_t)5000 << POOL), 1)->origin = 1; /* below */
    assert_in_range(headers.made_bytes, 5001 * sizeof *first, 5001 * sizeof *first + 131071);
    rh_pool_headers_release(&headers);
}

static void
there_may_be_no_window(void **state)
{
    (void)state;
    rh_pool_headers headers;
    rh_pool_headers_init(&headers, 0, 0, POOL);
    assert_false(rh_pool_headers_has(&headers, 0));
    rh_pool_headers_release(&headers);
    rh_pool_headers_init(&headers, WINDOW, (size_t)1 << 60, 10); /* more than there are addresses */
    assert_false(rh_pool_headers_has(&headers, WINDOW));
    rh_pool_headers_release(&headers);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_header_belongs_to_an_address),
        cmocka_unit_test(there_may_be_no_window),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
