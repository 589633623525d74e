// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#include <string.h>

#include "alloc/spec.h"

/* The library that `spec` asks for, or what is wrong. */
static rh_status
library_of(const char *text, char *path, size_t capacity, rh_error *error)
{
    rh_spec spec;
    memset(error, 0, sizeof *error);
    if (rh_spec_parse(text, &spec, error) != RH_OK)
        fail_msg("%s", error->message);
    rh_status status = rh_spec_library(&spec, path, capacity, error);
    rh_spec_release(&spec);
    return status;
}

static void
most_need_none(void **state)
{
    (void)state;
    char path[4096] = "x";
    rh_error error;
    assert_int_equal(library_of("pymalloc", path, sizeof path, &error), RH_OK);
    assert_string_equal(path, "");
}

static void
preload_takes_what_is_given(void **state)
{
    (void)state;
    char path[4096], found[4096];
    rh_error error;
    assert_int_equal(library_of("preload,so=libc.so.6", path, sizeof path, &error), RH_OK);
    assert_non_null(strstr(path, "/libc.so.6"));
    strcpy(found, path);
    char spec[5000] = "preload,so=";
    strcat(spec, found);
    assert_int_equal(library_of(spec, path, sizeof path, &error), RH_OK);
    assert_non_null(strstr(path, "libc"));
}

static void
what_cannot_be_loaded_is_refused(void **state)
{
    (void)state;
    char path[4096];
    rh_error error;
    assert_int_equal(library_of("preload,so=/nowhere/x.so", path, sizeof path, &error),
                     RH_CANNOT_RUN);
    assert_non_null(strstr(error.message, "/nowhere/x.so"));
    assert_int_equal(library_of("preload,so=/dev/null", path, sizeof path, &error), RH_CANNOT_RUN);
    assert_int_equal(library_of("preload,so=libnone.so", path, sizeof path, &error), RH_CANNOT_RUN);
    assert_string_equal(path, "");
    char narrow[4];
    assert_int_not_equal(library_of("preload,so=libc.so.6", narrow, sizeof narrow, &error), RH_OK);
}

/* Nobody has started this process with them. */
static void
open_refuses_without_the_library(void **state)
{
    (void)state;
    static const char *const specs[] = {"jemalloc", "tcmalloc", "scudo", "tbb",
                                        "preload,so=libjemalloc.so.2"};
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
        rh_heap *heap;
        rh_error error = {0};
        assert_int_equal(rh_heap_open(specs[i], &heap, &error), RH_CANNOT_RUN);
        if (!strstr(error.message, "LD_PRELOAD"))
            fail_msg("%s", error.message);
        assert_non_null(strstr(error.message, specs[i]));
    }
}

/* A sanitizer's malloc would pass for one that it brought. */
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
static void
open_refuses_a_library_without_malloc(void **state)
{
    (void)state;
    rh_heap *heap;
    rh_error error = {0};
    assert_int_equal(rh_heap_open("preload,so=libc.so.6", &heap, &error), RH_CANNOT_RUN);
    assert_non_null(strstr(error.message, "malloc is still the C library's"));
}
#endif

static void
open_refuses_what_is_no_python(void **state)
{
    (void)state;
    rh_heap *heap;
    rh_error error = {0};
    assert_int_equal(rh_heap_open("cpython,so=libdl.so.2", &heap, &error), RH_CANNOT_RUN);
    assert_non_null(strstr(error.message, "not a libpython"));
    assert_int_equal(rh_heap_open("cpython,so=libc.so.6", &heap, &error), RH_CANNOT_RUN);
    assert_non_null(strstr(error.message, "not a libpython"));
    assert_int_equal(rh_heap_open("cpython,so=/nowhere/libpython3.11.so", &heap, &error),
                     RH_CANNOT_RUN);
    assert_non_null(strstr(error.message, "/nowhere/libpython3.11.so"));
    assert_int_equal(rh_heap_open("cpython,so=libpython9.9.so", &heap, &error), RH_CANNOT_RUN);
    assert_non_null(strstr(error.message, "libpython9.9.so"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(most_need_none),
        cmocka_unit_test(preload_takes_what_is_given),
        cmocka_unit_test(what_cannot_be_loaded_is_refused),
        cmocka_unit_test(open_refuses_without_the_library),
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
        cmocka_unit_test(open_refuses_a_library_without_malloc),
#endif
        cmocka_unit_test(open_refuses_what_is_no_python),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
