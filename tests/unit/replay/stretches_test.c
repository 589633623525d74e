/* A run of any length is kept in few stretches, and nothing of it is lost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "replay/stretches.h"

static void
expect(uint64_t batches, size_t wanted)
{
    static rh_stretches stretches;
    memset(&stretches, 0, sizeof stretches);
    for (uint64_t i = 0; i < batches; i++)
        rh_stretches_add(&stretches, 8192 - i % 3, 1000 + i);
    size_t count;
    rh_stretch *rows = rh_stretches_rows(&stretches, 0.5, &count);
    assert_int_equal(count, wanted);
    uint64_t each = wanted ? (batches + wanted - 1) / wanted : 0, at = 0;
    for (size_t s = 0; s < count; s++) {
        rh_stretch sum = {0};
        for (uint64_t i = 0; i < each && at < batches; i++, at++) {
            sum.calls += 8192 - at % 3;
            sum.busy_ns += 2 * (1000 + at);
        }
        assert_int_equal(rows[s].calls, sum.calls);
        assert_int_equal(rows[s].busy_ns, sum.busy_ns);
    }
    assert_int_equal(at, batches);
    free(rows);
}

static void
any_length_is_kept(void **state)
{
    (void)state;
    expect(0, 0);
    expect(1, 1);
    expect(RH_STRETCHES_MOST, RH_STRETCHES_MOST);
    expect(RH_STRETCHES_MOST + 1, RH_STRETCHES_MOST / 2 + 1);
    expect(2 * RH_STRETCHES_MOST, RH_STRETCHES_MOST);
    expect(2 * RH_STRETCHES_MOST + 1, RH_STRETCHES_MOST / 2 + 1);
    expect(64 * RH_STRETCHES_MOST - 63, RH_STRETCHES_MOST);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(any_length_is_kept)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
