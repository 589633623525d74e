/* Response times against a queue worked out by hand, on a clock that is made up: ticks are numbers.
 */
#include "replay/pace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static rh_latency response;

static int
clear(void **state)
{
    (void)state;
    memset(&response, 0, sizeof response);
    return 0;
}

static void
test_spellings(void **state)
{
    (void)state;
    static const char *const right[] = {"none", "1x", "10x", "0.5x", "1000000x", "0.001x", "2.25x"};
    static const char *const wrong[] = {"",     "x",   "10",   "0x",  "-1x",  "1e9x",
                                        "nanx", "1xx", "fast", " 1x", "infx", "0.0001x"};
    for (size_t i = 0; i < sizeof right / sizeof *right; i++) {
        double pace = -1;
        char text[32];
        assert_true(rh_pace_parse(right[i], &pace));
        double back = -2;
        assert_true(rh_pace_parse(rh_pace_text(pace, text, sizeof text), &back));
        assert_true(pace == back);
    }
    char text[32];
    assert_string_equal(rh_pace_text(10, text, sizeof text), "10x");
    assert_string_equal(rh_pace_text(0.1, text, sizeof text), "0.1x");
    assert_string_equal(rh_pace_text(0, text, sizeof text), "none");
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        double pace = 7;
        assert_false(rh_pace_parse(wrong[i], &pace));
        assert_true(pace == 7);
    }
}

/* Two ticks a nanosecond, ten times as fast as recorded: 100 recorded ns are 20 ticks. */
static void
test_schedule(void **state)
{
    (void)state;
    rh_pacer pacer = rh_pacer_make(10, 2, &response, NULL);
    rh_pacer_due(&pacer, 5000, 700);
    assert_int_equal(pacer.due_ticks, 700);
    rh_pacer_due(&pacer, 5100, 99999); /* now means nothing any more */
    assert_int_equal(pacer.due_ticks, 720);
    rh_pacer_due(&pacer, 4000, 0); /* before the first: due with it */
    assert_int_equal(pacer.due_ticks, 700);
    rh_pacer_due(&pacer, UINT64_C(5000) + 86400000000000, 0); /* a day later */
    assert_int_equal(pacer.due_ticks, UINT64_C(700) + 86400000000000 / 5);
}

/* One server, a call due every 1,000 ns, each takes 100 ns but the second, which takes 4,500: what
 * came due meanwhile waits. By hand:
 *
 *     due    begun   ended   response  late by
 *       0        0     100        100        0
 *    1000     1000    5500       4500        0
 *    2000     5500    5600       3600     3500
 *    3000     5600    5700       2700     2600
 *    4000     5700    5800       1800     1700
 *    5000     5800    5900        900      800
 *    6000     6000    6100        100        0
 */
static void
test_a_slow_call_is_seen_in_those_behind_it(void **state)
{
    (void)state;
    static const uint64_t expected[] = {100, 4500, 3600, 2700, 1800, 900, 100};
    rh_pacer pacer = rh_pacer_make(1, 1, &response, NULL);
    uint64_t free_at = 50000;
    for (uint64_t i = 0; i < 7; i++) {
        rh_pacer_due(&pacer, 8000 + i * 1000, free_at);
        uint64_t begun = pacer.due_ticks > free_at ? pacer.due_ticks : free_at;
        free_at = begun + (i == 1 ? 4500 : 100);
        assert_int_equal(rh_pacer_note(&pacer, begun, free_at), expected[i]);
    }
    rh_pace_totals totals = rh_pacer_totals(&pacer);
    assert_int_equal(totals.calls, 7);
    assert_int_equal(totals.late, 3);
    assert_int_equal(totals.latest_ns, 3500);
    assert_int_equal(totals.scheduled_ns, 6000);
    assert_int_equal(totals.elapsed_ns, 6000);
}

/* A pace that cannot be held: calls due every 10 ns that take 30. */
static void
test_a_pace_that_is_not_held(void **state)
{
    (void)state;
    enum { CALLS = 1001 };
    rh_pacer pacer = rh_pacer_make(1, 1, &response, NULL);
    uint64_t free_at = 0;
    for (uint64_t i = 0; i < CALLS; i++) {
        rh_pacer_due(&pacer, 1 + i * 10, 0);
        uint64_t begun = pacer.due_ticks > free_at ? pacer.due_ticks : free_at;
        free_at = begun + 30;
        assert_int_equal(rh_pacer_note(&pacer, begun, free_at), 30 + i * 20);
    }
    rh_pace_totals totals = rh_pacer_totals(&pacer);
    assert_int_equal(totals.scheduled_ns, 10000);
    assert_int_equal(totals.elapsed_ns, 30000);
    assert_int_equal(totals.latest_ns, 20000);
    assert_int_equal(totals.late, CALLS - 51); /* the 51 first are at most 1,000 ns late */
}

static void
test_totals_of_threads(void **state)
{
    (void)state;
    rh_pace_totals all = {
        .calls = 5, .late = 1, .latest_ns = 9, .scheduled_ns = 8, .elapsed_ns = 7};
    const rh_pace_totals one = {
        .calls = 2, .late = 2, .latest_ns = 3, .scheduled_ns = 20, .elapsed_ns = 30};
    rh_pace_totals_merge(&all, &one);
    assert_int_equal(all.calls, 7);
    assert_int_equal(all.late, 3);
    assert_int_equal(all.latest_ns, 9);
    assert_int_equal(all.scheduled_ns, 20);
    assert_int_equal(all.elapsed_ns, 30);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spellings),
        cmocka_unit_test_setup(test_schedule, clear),
        cmocka_unit_test_setup(test_a_slow_call_is_seen_in_those_behind_it, clear),
        cmocka_unit_test_setup(test_a_pace_that_is_not_held, clear),
        cmocka_unit_test(test_totals_of_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
