/* PYTHONMALLOC's names against a table written out by hand: every name, version and build. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "alloc/pythonmalloc.h"

static const char *const versions[] = {"3.7",  "3.8",  "3.9",  "3.10", "3.11",
                                       "3.12", "3.13", "3.14", "3.15"};
enum { VERSIONS = sizeof versions / sizeof versions[0] };

/* RAW, then MEM and OBJ; C: the C library, p: pymalloc, m: mimalloc, d: with hooks; "-": unknown.
 * One column for each of: up to 3.12, 3.13 and 3.14, 3.15. */
typedef struct row {
    const char *name, *old, *middle, *new;
} row;

static const row as_it_comes[] = {
    {"", "Cp", "Cp", "Cp"},
    {"default", "Cp", "Cp", "Cp"},
    {"debug", "Cpd", "Cpd", "Cpd"},
    {"malloc", "CC", "CC", "CC"},
    {"malloc_debug", "CCd", "CCd", "CCd"},
    {"pymalloc", "Cp", "Cp", "Cp"},
    {"pymalloc_debug", "Cpd", "Cpd", "Cpd"},
    {"mimalloc", "-", "Cm", "mm"},
    {"mimalloc_debug", "-", "Cmd", "mmd"},
    {0},
};

static const row debug_build[] = {
    {"", "Cpd", "Cpd", "Cpd"},      {"default", "Cpd", "Cpd", "Cpd"},
    {"debug", "Cpd", "Cpd", "Cpd"}, {"malloc", "CC", "CC", "CC"},
    {"pymalloc", "Cp", "Cp", "Cp"}, {"pymalloc_debug", "Cpd", "Cpd", "Cpd"},
    {"mimalloc", "-", "Cm", "mm"},  {0},
};

static const row without_pymalloc[] = {
    {"", "CC", "CC", "CC"},         {"default", "CC", "CC", "CC"},
    {"debug", "CCd", "CCd", "CCd"}, {"malloc_debug", "CCd", "CCd", "CCd"},
    {"pymalloc", "-", "-", "-"},    {"pymalloc_debug", "-", "-", "-"},
    {"mimalloc", "-", "Cm", "mm"},  {0},
};

static const row without_mimalloc[] = {
    {"", "Cp", "Cp", "Cp"},
    {"mimalloc", "-", "-", "-"},
    {"mimalloc_debug", "-", "-", "-"},
    {0},
};

static const row free_threaded[] = {
    {"", "-", "Cm", "mm"},
    {"default", "-", "Cm", "mm"},
    {"debug", "-", "Cmd", "mmd"},
    {"malloc", "-", "-", "-"},
    {"malloc_debug", "-", "-", "-"},
    {"pymalloc", "-", "-", "-"},
    {"pymalloc_debug", "-", "-", "-"},
    {"mimalloc", "-", "Cm", "mm"},
    {"mimalloc_debug", "-", "Cmd", "mmd"},
    {0},
};

static const row free_threaded_debug[] = {
    {"", "-", "Cmd", "mmd"},
    {"default", "-", "Cmd", "mmd"},
    {"mimalloc", "-", "Cm", "mm"},
    {0},
};

static const row nothing_is_so_built[] = {{"", "-", "-", "-"}, {"mimalloc", "-", "-", "-"}, {0}};

static void
check_rows(const row *rows, rh_python_build build)
{
    for (; rows->name; rows++)
        for (int v = 0; v < VERSIONS; v++) {
            rh_python_memory memory;
            rh_error error;
            char found[4] = "-";
            rh_status status =
                rh_pythonmalloc_resolve(rows->name, versions[v], &build, &memory, &error);
            if (status == RH_OK)
                snprintf(found, sizeof found, "%c%c%s", "Cpm"[memory.raw], "Cpm"[memory.objects],
                         memory.debug ? "d" : "");
            else
                assert_true(status == RH_USAGE && strstr(error.message, versions[v]) != NULL);
            const char *wanted = v < 6 ? rows->old : v < 8 ? rows->middle : rows->new;
            if (strcmp(found, wanted) != 0)
                fail_msg("%s, '%s': %s instead of %s", versions[v], rows->name, found, wanted);
        }
}

static void
every_name_version_and_build(void **state)
{
    (void)state;
    check_rows(as_it_comes, (rh_python_build){0});
    check_rows(debug_build, (rh_python_build){.debug = true});
    check_rows(without_pymalloc, (rh_python_build){.without_pymalloc = true});
    check_rows(without_mimalloc, (rh_python_build){.without_mimalloc = true});
    check_rows(free_threaded, (rh_python_build){.free_threaded = true});
    check_rows(free_threaded_debug, (rh_python_build){.free_threaded = true, .debug = true});
}

static void
no_build_is_free_threaded_without_mimalloc(void **state)
{
    (void)state;
    for (const row *rows = nothing_is_so_built; rows->name; rows++) {
        rh_python_memory memory;
        rh_python_build build = {.free_threaded = true, .without_mimalloc = true};
        assert_int_equal(rh_pythonmalloc_resolve(rows->name, "3.13", &build, &memory, NULL),
                         RH_USAGE);
    }
}

static void
names_are_exact(void **state)
{
    (void)state;
    static const char *const wrong[] = {"Malloc",  "PYMALLOC",     "pymalloc ",
                                        " malloc", "pymallo",      "malloc_",
                                        "debug_",  "malloc-debug", "default_debug"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        rh_python_memory memory;
        rh_python_build build = {0};
        rh_error error;
        assert_int_equal(rh_pythonmalloc_resolve(wrong[i], "3.13", &build, &memory, &error),
                         RH_USAGE);
        assert_non_null(strstr(error.message, wrong[i]));
    }
}

static void
versions_may_be_long(void **state)
{
    (void)state;
    rh_python_memory memory;
    rh_python_build build = {0};
    assert_int_equal(rh_pythonmalloc_resolve("mimalloc", "3.15.0rc2", &build, &memory, NULL),
                     RH_OK);
    assert_int_equal(memory.raw, RH_PYTHON_MIMALLOC);
    assert_int_equal(rh_pythonmalloc_resolve(NULL, "3.11.2", &build, &memory, NULL), RH_OK);
    static const char *const unknown[] = {"3.6", "3.16", "4.0", "2.7", "", "x"};
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++)
        assert_int_equal(rh_pythonmalloc_resolve("malloc", unknown[i], &build, &memory, NULL),
                         RH_USAGE);
}

static void
numbers_have_names(void **state)
{
    (void)state;
    assert_null(rh_pythonmalloc_name(PYMEM_ALLOCATOR_NOT_SET));
    assert_string_equal(rh_pythonmalloc_name(PYMEM_ALLOCATOR_DEFAULT), "default");
    assert_string_equal(rh_pythonmalloc_name((PyMemAllocatorName)4), "malloc_debug");
    assert_string_equal(rh_pythonmalloc_name((PyMemAllocatorName)8), "mimalloc_debug");
    assert_null(rh_pythonmalloc_name((PyMemAllocatorName)9));
    assert_null(rh_pythonmalloc_name((PyMemAllocatorName)-1));
}

static void
huge_pages_are_a_number_or_not(void **state)
{
    (void)state;
    static const char *const yes[] = {"1", "2", "-1", "yes", "0x", "1 "};
    static const char *const no[] = {NULL, "", "0", "00", "-0"};
    for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++)
        assert_true(rh_pythonmalloc_wants_huge_pages(yes[i]));
    for (size_t i = 0; i < sizeof no / sizeof no[0]; i++)
        assert_false(rh_pythonmalloc_wants_huge_pages(no[i]));
    rh_python_build build = {.huge_pages = true};
    rh_python_memory memory;
    for (int i = 0; i < VERSIONS; i++)
        assert_int_equal(rh_pythonmalloc_resolve(NULL, versions[i], &build, &memory, NULL),
                         strcmp(versions[i], "3.15") == 0 ? RH_OK : RH_USAGE);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(huge_pages_are_a_number_or_not),
        cmocka_unit_test(every_name_version_and_build),
        cmocka_unit_test(no_build_is_free_threaded_without_mimalloc),
        cmocka_unit_test(names_are_exact),
        cmocka_unit_test(versions_may_be_long),
        cmocka_unit_test(numbers_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
