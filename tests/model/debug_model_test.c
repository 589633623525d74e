/* The debug hooks agree with the model, and the model notices when they would not. What it says of
 * hooks that are really broken is in debug_sabotage.c. */
#include "tests/model/debug_model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { CALLS = 400000, SEEDS = 4 };

static void
every_byte_is_as_it_should_be(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        const char *wrong = debug_model_run(seed, CALLS, DEBUG_BREAKS_NOTHING);
        if (wrong)
            fail_msg("seed %lu: %s", (unsigned long)seed, wrong);
    }
}

static void
changed_bytes_are_noticed(void **state)
{
    (void)state;
    for (debug_sabotage which = DEBUG_BREAKS_NOTHING + 1; which < DEBUG_SABOTAGES; which++)
        if (!debug_model_run(1, CALLS, which))
            fail_msg("byte %d was changed, and nothing noticed", which);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_byte_is_as_it_should_be),
        cmocka_unit_test(changed_bytes_are_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
