/* What a pass opens for what was asked. */
#include "replay/pass_spec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void
expect(const char *given, rh_pass pass, const char *opened)
{
    rh_spec spec;
    rh_error error = {.message = ""};
    if (rh_spec_parse(given, &spec, &error) != RH_OK)
        fail_msg("%s", error.message);
    char *text = rh_pass_spec(given, &spec, pass);
    assert_string_equal(text, opened);
    rh_spec_release(&spec);
    if (rh_spec_parse(text, &spec, &error) != RH_OK)
        fail_msg("%s", error.message);
    rh_spec_release(&spec);
    free(text);
}

static void
test_large(void **state)
{
    (void)state;
    expect("pymalloc", RH_PASS_MEMORY, "pymalloc,large=space");
    expect("pymalloc", RH_PASS_THROUGHPUT, "pymalloc,large=libc");
    expect("pymalloc@3.9,arena=4M", RH_PASS_LATENCY, "pymalloc@3.9,arena=4M,large=libc");
    expect("pymalloc,large=space", RH_PASS_THROUGHPUT, "pymalloc,large=space");
    expect("pymalloc,large=libc", RH_PASS_LATENCY, "pymalloc,large=libc");
    expect("pymalloc,source=virtual", RH_PASS_THROUGHPUT, "pymalloc,source=virtual,large=space");
    expect("malloc", RH_PASS_MEMORY, "malloc");
    expect("bump,window=4M", RH_PASS_THROUGHPUT, "bump,window=4M");
}

static void
test_unbacked(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool unbacked;
    } cases[] = {
        {"pymalloc,source=virtual", true}, {"pymalloc,source=mmap", false}, {"bump", false}};
    for (size_t i = 0; i < 3; i++) {
        rh_spec spec;
        rh_error error;
        assert_int_equal(rh_spec_parse(cases[i].text, &spec, &error), RH_OK);
        assert_int_equal(rh_spec_is_unbacked(&spec), cases[i].unbacked);
        rh_spec_release(&spec);
    }
}

static void
test_repeats(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool repeats;
    } cases[] = {{"pymalloc", true},
                 {"pymalloc,source=cached,cache=4", true},
                 {"pymalloc,source=huge", false},
                 {"pymalloc,source=malloc", false},
                 {"malloc", false},
                 {"bestfit", true}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        rh_spec spec;
        rh_error error;
        assert_int_equal(rh_spec_parse(cases[i].text, &spec, &error), RH_OK);
        assert_int_equal(rh_spec_repeats(&spec), cases[i].repeats);
        rh_spec_release(&spec);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_large),
        cmocka_unit_test(test_unbacked),
        cmocka_unit_test(test_repeats),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
