/* Rounds of a looped replay: spellings, when a heap is steady, and what is left at the end. */
#include "replay/rounds.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/replay/events.h"

static void
test_spellings(void **state)
{
    (void)state;
    static const struct {
        const char *text, *whole;
        rh_loop loop;
    } right[] = {
        {"none", "none", {.rounds = 0}},
        {"1", "1,end=keep", {.rounds = 1}},
        {"20", "20,end=keep", {.rounds = 20}},
        {"20,end=free", "20,end=free", {.rounds = 20, .frees = true}},
        {"steady", "steady,most=100,end=keep", {.rounds = 100, .steady = true}},
        {"steady,most=7", "steady,most=7,end=keep", {.rounds = 7, .steady = true}},
        {"steady,end=free,most=10000",
         "steady,most=10000,end=free",
         {.rounds = 10000, .steady = true, .frees = true}},
    };
    static const char *const wrong[] = {
        "",
        "0",
        "10001",
        "-1",
        "steady,",
        "20,most=3",
        "steady,most=0",
        "steady,3",
        "20,end=",
        "end=free",
        "Steady",
        "1,2",
        "free",
        "20,free",
        "steady,most=",
        ",20",
        "20,end=free,end=keep,end=free,end=keep,end=free,end=keep,"};
    for (size_t i = 0; i < sizeof right / sizeof *right; i++) {
        rh_loop loop = {.rounds = 77}, back = {.rounds = 78};
        char text[64];
        assert_int_equal(rh_loop_parse(right[i].text, &loop, NULL), RH_OK);
        assert_true(rh_loop_same(&loop, &right[i].loop));
        assert_string_equal(rh_loop_text(&loop, text, sizeof text), right[i].whole);
        assert_int_equal(rh_loop_parse(text, &back, NULL), RH_OK);
        assert_true(rh_loop_same(&loop, &back));
    }
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        rh_loop loop = {.rounds = 77};
        assert_int_equal(rh_loop_parse(wrong[i], &loop, NULL), RH_USAGE);
        assert_int_equal(loop.rounds, 77);
    }
}

static void
test_steady(void **state)
{
    (void)state;
    rh_round rounds[6];
    static const uint64_t mapped[6] = {500000, 900000, 1000000, 1000900, 1000000, 1002000};
    for (int i = 0; i < 6; i++)
        rounds[i] = (rh_round){.peak_mapped_bytes = mapped[i], .end_requested_bytes = 10};
    for (size_t count = 0; count <= 6; count++)
        assert_int_equal(rh_rounds_steady(rounds, count), count == 5 ? 3 : 0);
    /* By what is mapped at the ends where the peak is not known; by nothing where neither is. */
    for (int i = 0; i < 6; i++)
        rounds[i] = (rh_round){.peak_mapped_bytes = RH_UNKNOWN, .end_mapped_bytes = mapped[i]};
    assert_true(rh_rounds_steady(rounds, 5));
    rounds[3].end_mapped_bytes = RH_UNKNOWN;
    assert_false(rh_rounds_steady(rounds, 5));
    /* A leak never is, however little it is. */
    for (uint64_t i = 0; i < 6; i++)
        rounds[i] = (rh_round){.peak_mapped_bytes = 1 << 20, .end_requested_bytes = i};
    assert_false(rh_rounds_steady(rounds, 6));
}

/* Rounds may differ, and come back. */
static void
test_steady_in_turns(void **state)
{
    (void)state;
    static const uint64_t mapped[] = {700, 100, 200, 150, 100, 200, 150, 100, 200, 150, 100, 201};
    enum { COUNT = sizeof mapped / sizeof *mapped };
    rh_round rounds[COUNT];
    for (int i = 0; i < COUNT; i++)
        rounds[i] = (rh_round){.peak_mapped_bytes = mapped[i] * 1000};
    for (size_t count = 0; count <= COUNT; count++)
        assert_int_equal(rh_rounds_steady(rounds, count), count == 10 || count == 11 ? 9 : 0);
}

static void
test_leftovers(void **state)
{
    (void)state;
    rh_test_events events = {0};
    const rh_event made[] = {
        {.operation = RH_MALLOC, .domain = 2, .slot = 5, .size = 50},
        {.operation = RH_MALLOC, .domain = 1, .slot = 2, .size = 20},
        {.operation = RH_MALLOC, .domain = 2, .slot = 1, .size = 10, .flags = RH_EVENT_NESTED},
        {.operation = RH_MALLOC,
         .domain = 2,
         .slot = RH_NO_SLOT,
         .size = 10,
         .flags = RH_EVENT_FAILED},
        {.operation = RH_CALLOC, .domain = 0, .slot = 7, .size = 70, .count = 7, .element = 10},
        {.operation = RH_FREE, .domain = 1, .slot = 2},
        {.operation = RH_MALLOC, .domain = 2, .slot = 2, .size = 21}, /* younger than slot 7's */
        {.operation = RH_REALLOC, .domain = 2, .slot = 5, .size = 51},
        {.operation = RH_REALLOC, .domain = 2, .slot = 5, .size = 99, .flags = RH_EVENT_FAILED},
    };
    for (size_t i = 0; i < sizeof made / sizeof *made; i++)
        rh_test_events_add(&events, made[i]);
    rh_source source = rh_test_events_source(&events);
    rh_leftovers left;
    rh_error error;
    assert_int_equal(rh_leftovers_find(&source, &left, &error), RH_OK);
    assert_int_equal(left.count, 3);
    assert_int_equal(left.bytes, 51 + 70 + 21);
    static const rh_event expected[] = {{.slot = 5, .size = 51, .domain = 2},
                                        {.slot = 7, .size = 70, .domain = 0},
                                        {.slot = 2, .size = 21, .domain = 2}};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(left.frees[i].operation, RH_FREE);
        assert_int_equal(left.frees[i].slot, expected[i].slot);
        assert_int_equal(left.frees[i].size, expected[i].size);
        assert_int_equal(left.frees[i].domain, expected[i].domain);
        assert_int_equal(left.frees[i].time_ns, 0);
    }
    rh_leftovers_release(&left);
    rh_test_events_release(&events);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spellings),
        cmocka_unit_test(test_steady),
        cmocka_unit_test(test_steady_in_turns),
        cmocka_unit_test(test_leftovers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
