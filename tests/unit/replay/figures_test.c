// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#include <stdio.h>
#include <string.h>

#include "replay/figures.h"

static rh_figures figures;

static void
names_are_kept_and_told_apart(void **state)
{
    (void)state;
    figures.count = 0;
    rh_figures_take(&figures, "count_obj_mallocs", 5);
    rh_figures_take(&figures, "Hit rate, %", 6);
    rh_figures_take(&figures, "count_obj_mallocs", 7);
    rh_figures_take(&figures, "count_obj_mallocs", 8);
    rh_figures_take(&figures, "", 9);
    rh_figures_take(&figures, NULL, 10);
    assert_int_equal(figures.count, 4);
    assert_string_equal(figures.figure[0].name, "count_obj_mallocs");
    assert_int_equal(figures.figure[0].value, 5);
    assert_string_equal(figures.figure[1].name, "hit_rate___");
    assert_string_equal(figures.figure[2].name, "count_obj_mallocs_2");
    assert_string_equal(figures.figure[3].name, "count_obj_mallocs_3");
    assert_int_equal(figures.figure[3].value, 8);
}

static void
too_much_is_dropped(void **state)
{
    (void)state;
    char name[300];
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    figures.count = 0;
    for (int i = 0; i < 200; i++)
        rh_figures_take(&figures, name, (uint64_t)i);
    assert_true(figures.count > 50 && figures.count <= RH_FIGURES_MAX);
    for (uint32_t i = 0; i < figures.count; i++)
        assert_true(strlen(figures.figure[i].name) < RH_FIGURE_NAME);
    for (int i = 0; i < 200; i++) {
        snprintf(name, sizeof name, "figure_%d", i);
        rh_figures_take(&figures, name, (uint64_t)i);
    }
    assert_int_equal(figures.count, RH_FIGURES_MAX);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_kept_and_told_apart),
        cmocka_unit_test(too_much_is_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
