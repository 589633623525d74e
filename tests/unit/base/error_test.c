/* Messages are whole, prefixed, cut at the buffer's end, and never needed. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"

static void
keeps_status_and_text(void **state)
{
    (void)state;
    rh_error error = {.status = RH_OK};
    assert_int_equal(rh_fail(&error, RH_BAD_INPUT, "%s: byte %d", "a.rht", 7), RH_BAD_INPUT);
    assert_int_equal(error.status, RH_BAD_INPUT);
    assert_string_equal(error.message, "a.rht: byte 7");
}

static void
appends_the_systems_reason(void **state)
{
    (void)state;
    rh_error error;
    assert_int_equal(rh_fail_errno(&error, RH_SYSTEM, ENOSPC, "%s: cannot write", "a.rht"),
                     RH_SYSTEM);
    assert_string_equal(error.message, "a.rht: cannot write: No space left on device");
}

static void
prefix_goes_before_and_keeps_the_status(void **state)
{
    (void)state;
    rh_error error;
    rh_fail(&error, RH_CANNOT_RUN, "no such library");
    assert_int_equal(rh_error_prefix(&error, "spec '%s'", "preload"), RH_CANNOT_RUN);
    assert_string_equal(error.message, "spec 'preload': no such library");
}

static void
long_text_is_cut_and_terminated(void **state)
{
    (void)state;
    struct {
        rh_error error;
        unsigned char guard[64];
    } padded;
    memset(&padded, 0xA5, sizeof padded);
    char text[3000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';

    rh_fail(&padded.error, RH_USAGE, "%s", text);
    assert_int_equal(strlen(padded.error.message), sizeof padded.error.message - 1);
    rh_fail_errno(&padded.error, RH_USAGE, EIO, "%s", text);
    assert_int_equal(strlen(padded.error.message), sizeof padded.error.message - 1);
    rh_error_prefix(&padded.error, "%s", text);
    assert_int_equal(strlen(padded.error.message), sizeof padded.error.message - 1);
    for (size_t i = 0; i < sizeof padded.guard; i++)
        assert_int_equal(padded.guard[i], 0xA5);
}

static void
a_caller_may_not_care(void **state)
{
    (void)state;
    assert_int_equal(rh_fail(NULL, RH_USAGE, "nobody reads this"), RH_USAGE);
    assert_int_equal(rh_fail_errno(NULL, RH_SYSTEM, EIO, "nor this"), RH_SYSTEM);
    assert_int_not_equal(rh_error_prefix(NULL, "nor this"), RH_OK);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_status_and_text),
        cmocka_unit_test(appends_the_systems_reason),
        cmocka_unit_test(prefix_goes_before_and_keeps_the_status),
        cmocka_unit_test(long_text_is_cut_and_terminated),
        cmocka_unit_test(a_caller_may_not_care),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
