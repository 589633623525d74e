/* What a figure is written with: strings that gnuplot takes for nothing but text, gaps, scales,
 * marks that keep apart. */
#define _GNU_SOURCE
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "analysis/figure.h"

static char *
written(void (*write)(FILE *, const char *, size_t), const char *text, size_t longest)
{
    static char buffer[512];
    FILE *out = fmemopen(buffer, sizeof buffer, "w");
    assert_non_null(out);
    write(out, text, longest);
    fputc('\0', out);
    fclose(out);
    return buffer;
}

static void
strings_are_only_text(void **state)
{
    (void)state;
    assert_string_equal(written(rh_figure_quoted, "`rm`\\n\"", 0), "'`rm`\\n\"'");
    assert_string_equal(written(rh_figure_quoted, "'' `rm`\\n\"", 0),
                        "\"'' \\140rm\\140\\134n\\042\"");
    assert_string_equal(written(rh_figure_quoted, "a\nb\tc\x7f", 0), "'a?b?c?'");
    assert_string_equal(written(rh_figure_quoted, "100 %", 0), "'100 %'");
    assert_string_equal(written(rh_figure_quoted_tic, "100 %s", 0), "'100 %%s'");
    assert_string_equal(written(rh_figure_quoted, "abcdef", 6), "'abcdef'");
    assert_string_equal(written(rh_figure_quoted, "abcdefg", 6), "'abcde…'");
    /* Characters are cut whole. */
    assert_string_equal(written(rh_figure_quoted, "äöüäöü", 4), "'äöü…'");
}

static void
check_number(double value, const char *expected)
{
    char buffer[64];
    FILE *out = fmemopen(buffer, sizeof buffer, "w");
    rh_figure_number(out, value);
    fputc('\0', out);
    fclose(out);
    assert_string_equal(buffer, expected);
}

static void
unknown_numbers_are_gaps(void **state)
{
    (void)state;
    check_number(NAN, "NaN");
    check_number(INFINITY, "NaN");
    check_number(0, "0");
    check_number(123456789012.0, "123456789012");
    check_number(0.125, "0.125");
}

static void
marks_keep_apart(void **state)
{
    (void)state;
    for (double bottom = 0.8; bottom < 3; bottom *= 1.07) {
        for (double top = bottom * 1.02; top < 60; top *= 1.31) {
            char buffer[4096];
            FILE *out = fmemopen(buffer, sizeof buffer, "w");
            rh_figure_excess_axis(out, bottom, top, 480);
            fputc('\0', out);
            fclose(out);
            double marks[64];
            size_t count = 0;
            for (const char *at = strchr(buffer, '('); at; at = strchr(at + 1, ','))
                marks[count++] = strtod(strstr(at, "%%' ") + 4, NULL);
            assert_in_range(count, 2, 64);
            for (size_t i = 0; i < count; i++) {
                assert_true(marks[i] >= bottom * 0.99999 && marks[i] <= top * 1.00001);
                for (size_t j = 0; j < i; j++)
                    assert_true(fabs(log(marks[i] / marks[j])) / log(top / bottom) * 480 > 30);
            }
        }
    }
}

static void
a_figure_holds_what_was_written(void **state)
{
    (void)state;
    rh_figures figures = {.suffix = "-2"};
    rh_figure *figure = rh_figure_begin(&figures, "memory", 800, 600, "What is seen");
    fprintf(figure->script, "plot 'memory-2.tsv'\n");
    fprintf(figure->data, "1\t2\n");
    rh_figure_end(figure);
    assert_int_equal(figures.count, 1);
    assert_string_equal(figures.figure[0].name, "memory-2");
    assert_string_equal(figures.figure[0].data_text, "1\t2\n");
    assert_non_null(strstr(figures.figure[0].script_text, "# What is seen\n"));
    assert_non_null(strstr(figures.figure[0].script_text, "set output 'memory-2.'.form"));
    assert_non_null(strstr(figures.figure[0].script_text, "plot 'memory-2.tsv'"));
    /* Left open, it is still released. */
    rh_figure_begin(&figures, "other", 800, 600, "Never ended");
    rh_figures_release(&figures);
    assert_int_equal(figures.count, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strings_are_only_text),
        cmocka_unit_test(unknown_numbers_are_gaps),
        cmocka_unit_test(marks_keep_apart),
        cmocka_unit_test(a_figure_holds_what_was_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
