#define _GNU_SOURCE
// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "alloc/library_file.h"

/* Writes a file into the test's own folder and returns its path. */
static const char *
make_file(const char *name, const void *bytes, size_t size)
{
    static char path[4096];
    snprintf(path, sizeof path, "%s/%s", getenv("TEST_TMPDIR"), name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    fclose(file);
    return path;
}

static void
finds_the_c_library(void **state)
{
    (void)state;
    char path[4096];
    rh_error error = {0};
    assert_true(rh_library_find("libc.so.6", path, sizeof path));
    assert_int_equal(rh_library_check(path, &error), RH_OK);
    assert_false(rh_library_find("libthere-is-none.so.7", path, sizeof path));
    char narrow[8];
    assert_false(rh_library_find("libc.so.6", narrow, sizeof narrow));
}

static void
looks_where_it_is_told(void **state)
{
    (void)state;
    char path[4096];
    const char *made = make_file("libmade-for-this.so", "x", 1);
    assert_false(rh_library_find("libmade-for-this.so", path, sizeof path));
    char folders[5000];
    snprintf(folders, sizeof folders, ":/nowhere:%s:", getenv("TEST_TMPDIR"));
    setenv("LD_LIBRARY_PATH", folders, 1);
    assert_true(rh_library_find("libmade-for-this.so", path, sizeof path));
    assert_string_equal(path, made);
    unsetenv("LD_LIBRARY_PATH");
}

static void
refuses(const char *path, const char *reason)
{
    rh_error error = {0};
    assert_int_equal(rh_library_check(path, &error), RH_CANNOT_RUN);
    if (!strstr(error.message, reason) || !strstr(error.message, path))
        fail_msg("%s: \"%s\" lacks \"%s\"", path, error.message, reason);
}

static void
refuses_what_is_no_library(void **state)
{
    (void)state;
    unsigned char header[64];
    memset(header, 0, sizeof header);
    refuses("/nowhere/lib.so", "No such file");
    refuses("/", "not a shared library");
    refuses("/dev/null", "not a shared library");
    refuses(make_file("empty", "", 0), "not a shared library");
    refuses(
        make_file("text", "not an object file, but long enough to have a header in it ......", 64),
        "not a shared library");
    memcpy(header, "\177ELF\2\1\1", 7);
    header[16] = 2; /* a program */
    refuses(make_file("program", header, sizeof header), "not a shared library");
    header[16] = 3;
    header[18] = 183; /* 64-bit ARM */
    refuses(make_file("arm", header, sizeof header), "another processor");
    header[18] = 62;
    header[4] = 1; /* 32 bits */
    refuses(make_file("narrow", header, sizeof header), "another processor");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_the_c_library),
        cmocka_unit_test(looks_where_it_is_told),
        cmocka_unit_test(refuses_what_is_no_library),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
