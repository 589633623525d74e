/* --vary: what it reads, what it refuses, and the combinations it makes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "analysis/vary.h"

static void
check_values(const char *text, const char *key, const char *const *values)
{
    rh_vary vary;
    rh_error error = {.status = RH_OK};
    if (rh_vary_parse(text, &vary, &error) != RH_OK)
        fail_msg("%s: %s", text, error.message);
    assert_string_equal(vary.key, key);
    size_t count = 0;
    for (; values[count]; count++) {
        assert_true(count < vary.count);
        assert_string_equal(vary.value[count], values[count]);
    }
    assert_int_equal(vary.count, count);
    rh_vary_release(&vary);
}

static void
good_ones_are_read(void **state)
{
    (void)state;
    check_values("arena=256K:2M", "arena", (const char *[]){"256K", "512K", "1M", "2M", NULL});
    check_values("arena=3:20", "arena", (const char *[]){"3", "6", "12", NULL});
    check_values("arena=1M:1M", "arena", (const char *[]){"1M", NULL});
    check_values("pool=4K,16K,5", "pool", (const char *[]){"4K", "16K", "5", NULL});
    check_values("policy=most-full", "policy", (const char *[]){"most-full", NULL});
    check_values("classes=linear:16,geometric:4,16:32:64,16:32", "classes",
                 (const char *[]){"linear:16", "geometric:4", "16:32:64", "16:32", NULL});
    /* Doubling ends before 64 bits do. */
    check_values("arena=4194304T:16777215T", "arena",
                 (const char *[]){"4194304T", "8388608T", NULL});
}

static void
bad_ones_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "arena",
                                      "=1M",
                                      "arena=",
                                      "arena=1M,",
                                      "arena=,1M",
                                      "arena=1,1",
                                      "arena=2M:1M",
                                      "arena=0:4",
                                      "arena=a:b",
                                      "arena=1M:",
                                      "arena=:1M",
                                      "arena=1:2:3",
                                      "classes=geometric:4"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        rh_vary vary;
        rh_error error = {.status = RH_OK};
        if (rh_vary_parse(bad[i], &vary, &error) != RH_USAGE)
            fail_msg("'%s' is taken", bad[i]);
        assert_non_null(strstr(error.message, "--vary"));
    }
    char many[400] = "arena=1";
    for (int i = 2; i < 70; i++)
        snprintf(many + strlen(many), sizeof many - strlen(many), ",%d", i);
    rh_vary vary;
    rh_error error;
    assert_int_equal(rh_vary_parse(many, &vary, &error), RH_USAGE);
}

static void
combinations_are_all_there(void **state)
{
    (void)state;
    rh_vary varies[2];
    rh_error error;
    assert_int_equal(rh_vary_parse("arena=1M,2M", &varies[0], &error), RH_OK);
    assert_int_equal(rh_vary_parse("pool=4K:16K", &varies[1], &error), RH_OK);
    char **specs;
    size_t count;
    assert_int_equal(rh_vary_expand("pymalloc@3.9+debug", varies, 2, &specs, &count, &error),
                     RH_OK);
    static const char *const expected[] = {
        "pymalloc@3.9,arena=1M,pool=4K+debug",  "pymalloc@3.9,arena=1M,pool=8K+debug",
        "pymalloc@3.9,arena=1M,pool=16K+debug", "pymalloc@3.9,arena=2M,pool=4K+debug",
        "pymalloc@3.9,arena=2M,pool=8K+debug",  "pymalloc@3.9,arena=2M,pool=16K+debug"};
    assert_int_equal(count, 6);
    for (size_t i = 0; i < count; i++) {
        assert_string_equal(specs[i], expected[i]);
        free(specs[i]);
    }
    free(specs);
    /* Set already, or twice. */
    assert_int_equal(rh_vary_expand("pymalloc,pool=4K", varies, 2, &specs, &count, &error),
                     RH_USAGE);
    assert_non_null(strstr(error.message, "already sets it"));
    rh_vary twice[] = {varies[0], varies[0]};
    assert_int_equal(rh_vary_expand("pymalloc", twice, 2, &specs, &count, &error), RH_USAGE);
    rh_vary_release(&varies[0]);
    rh_vary_release(&varies[1]);
}

static void
too_many_are_refused(void **state)
{
    (void)state;
    static const char *const keys[] = {"a", "b", "c", "d", "e"};
    rh_vary varies[5];
    rh_error error;
    for (int i = 0; i < 5; i++) {
        char text[64];
        snprintf(text, sizeof text, "%s=1:65536", keys[i]);
        assert_int_equal(rh_vary_parse(text, &varies[i], &error), RH_OK);
    }
    char **specs;
    size_t count;
    assert_int_equal(rh_vary_expand("x", varies, 5, &specs, &count, &error), RH_USAGE);
    for (int i = 0; i < 5; i++)
        rh_vary_release(&varies[i]);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_ones_are_read),
        cmocka_unit_test(bad_ones_are_refused),
        cmocka_unit_test(combinations_are_all_there),
        cmocka_unit_test(too_many_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
