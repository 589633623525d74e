/* What a title says of how a recording was replayed: nothing of the ordinary way, else options that
 * could be typed; and nothing that a stranger's file says crashes it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "analysis/conditions.h"

static void
the_ordinary_way_is_not_told(void **state)
{
    (void)state;
    rh_conditions conditions = {0};
    char text[RH_CONDITIONS_TEXT];
    rh_conditions_add(&conditions, NULL);
    rh_conditions_add(&conditions, "no JSON");
    rh_conditions_add(&conditions, "[1, 2]");
    rh_conditions_add(&conditions, "{\"touch\": 7, \"pace\": null}");
    rh_conditions_add(&conditions, "{\"threads\": \"one\", \"touch\": \"none\", \"age\": \"none\", "
                                   "\"loop\": \"none\", \"pace\": \"none\"}");
    assert_string_equal(rh_conditions_text(&conditions, text), "");
}

static void
passes_add_up(void **state)
{
    (void)state;
    rh_conditions conditions = {0};
    char text[RH_CONDITIONS_TEXT];
    rh_conditions_add(&conditions, "{\"threads\": \"recorded\", \"pace\": \"10x\"}");
    rh_conditions_add(&conditions,
                      "{\"threads\": \"one\", \"pace\": \"none\", \"touch\": \"read\", "
                      "\"loop\": \"steady,most=100,end=free\"}");
    assert_string_equal(rh_conditions_text(&conditions, text),
                        "--threads recorded --touch read --loop steady,most=100,end=free "
                        "--pace 10x");
}

static void
long_values_are_cut(void **state)
{
    (void)state;
    static const char *const names[] = {"threads", "touch", "age", "loop", "pace"};
    rh_conditions conditions = {0};
    char json[1100], text[RH_CONDITIONS_TEXT];
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        memset(json, 'x', sizeof json);
        char head[32];
        int length = snprintf(head, sizeof head, "{\"%s\": \"", names[i]);
        memcpy(json, head, (size_t)length);
        memcpy(json + 1000, "\"}", 3);
        rh_conditions_add(&conditions, json);
    }
    assert_int_equal(strlen(rh_conditions_text(&conditions, text)),
                     strlen("--threads  --touch  --age  --loop  --pace ") +
                         5 * (RH_CONDITION_BYTES - 1));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_ordinary_way_is_not_told),
        cmocka_unit_test(passes_add_up),
        cmocka_unit_test(long_values_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
