/* What the program says of itself: the same at every time of asking, and another for another
 * program. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <xxhash.h>

#include "base/program_build.h"

static void
the_build_is_the_executables_hash(void **state)
{
    (void)state;
    char text[RH_PROGRAM_BUILD_TEXT], again[RH_PROGRAM_BUILD_TEXT], expected[64];
    static char bytes[1 << 16];
    FILE *file = fopen("/proc/self/exe", "rb");
    XXH3_state_t *hash = XXH3_createState();
    assert_true(file && hash && XXH3_128bits_reset(hash) == XXH_OK);
    for (size_t got; (got = fread(bytes, 1, sizeof bytes, file)) > 0;)
        XXH3_128bits_update(hash, bytes, got);
    fclose(file);
    XXH128_hash_t digest = XXH3_128bits_digest(hash);
    XXH3_freeState(hash);
    snprintf(expected, sizeof expected, "%016llx%016llx", (unsigned long long)digest.high64,
             (unsigned long long)digest.low64);
    assert_string_equal(rh_program_build(text), expected);
    assert_string_equal(rh_program_build(again), text);
}

static void
the_compiler_has_a_version(void **state)
{
    (void)state;
    assert_non_null(strpbrk(rh_program_compiler(), "0123456789"));
#ifdef NDEBUG
    assert_false(rh_program_is_checked());
#else
    assert_true(rh_program_is_checked());
#endif
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_build_is_the_executables_hash),
        cmocka_unit_test(the_compiler_has_a_version),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
