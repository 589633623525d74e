/* What the machine says of itself, compared with another way of asking. */
#define _GNU_SOURCE
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/host.h"

static void
clocks_go_forward(void **state)
{
    (void)state;
    uint64_t before_ns = rh_host_now_ns(), before = rh_host_ticks();
    double rate = rh_host_ticks_per_ns();
    assert_true(rate > 0.1 && rate < 20);
    assert_true(rh_host_ticks_per_ns() == rate);
    assert_true(rh_host_now_ns() > before_ns);
    assert_true(rh_host_ticks() > before);
}

static void
memory_is_counted(void **state)
{
    (void)state;
    enum { MORE = 32 << 20 };
    assert_int_equal(rh_host_page_bytes(), 4096);
    uint64_t before = rh_host_resident_bytes();
    assert_true(before > 0 && before < rh_host_memory_bytes());
    char *block =
        mmap(NULL, MORE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    assert_true(block != MAP_FAILED);
    assert_true(rh_host_resident_bytes() >= before + MORE / 2);
    munmap(block, MORE);
}

static void
pins_to_each_processor_allowed(void **state)
{
    (void)state;
    cpu_set_t before;
    assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
    unsigned processors = rh_host_processors();
    assert_int_equal(processors, CPU_COUNT(&before));
    assert_false(rh_host_pin(processors));
    for (unsigned i = 0; i < processors; i++) {
        assert_true(rh_host_pin(i));
        assert_int_equal(rh_host_processors(), 1);
        assert_true(CPU_ISSET((size_t)sched_getcpu(), &before));
        assert_int_equal(sched_setaffinity(0, sizeof before, &before), 0);
    }
}

static void
texts_are_there_and_fit(void **state)
{
    (void)state;
    char text[256], tiny[4];
    assert_true(strlen(rh_host_processor_name(text, sizeof text)) > 0);
    assert_null(strchr(text, '\n'));
    assert_int_equal(strncmp(rh_host_kernel(text, sizeof text), "Linux ", 6), 0);
    assert_non_null(strstr(text, "x86_64"));
    rh_host_huge_pages(text, sizeof text);
    assert_true(strcmp(text, "always") == 0 || strcmp(text, "madvise") == 0 ||
                strcmp(text, "never") == 0 || strcmp(text, "unknown") == 0);
    assert_true(strlen(rh_host_kernel(tiny, sizeof tiny)) == 3);
}

/* Makes an empty file; its folder need not be writable, then the test cannot be done. */
static void
make_file(const char *path)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fclose(file);
}

static void
companions_are_beside_or_below(void **state)
{
    (void)state;
    char program[4096], found[4096], expected[4400];
    rh_error error;
    assert_int_equal(rh_host_program(program, sizeof program, &error), RH_OK);
    assert_int_equal(access(program, X_OK), 0);
    char *slash = strrchr(program, '/');
    assert_non_null(slash);
    assert_int_equal(
        rh_host_companion("traces", "no_such_companion.so", found, sizeof found, &error),
        RH_SYSTEM);
    assert_non_null(strstr(error.message, "no_such_companion.so"));
    /* The program itself lies beside the program. */
    assert_int_equal(rh_host_companion("traces", slash + 1, found, sizeof found, &error), RH_OK);
    assert_string_equal(found, program);
    /* So does whatever stands in a folder below. */
    *slash = '\0';
    snprintf(expected, sizeof expected, "%s/companions-%d", program, (int)getpid());
    if (mkdir(expected, 0755) != 0)
        return; /* a read-only place: nothing can be put there */
    const char *subfolder = strrchr(expected, '/') + 1;
    char copy[64];
    snprintf(copy, sizeof copy, "%s", subfolder);
    strcat(expected, "/one.so");
    make_file(expected);
    assert_int_equal(rh_host_companion(copy, "one.so", found, sizeof found, &error), RH_OK);
    assert_string_equal(found, expected);
    unlink(expected);
    *strrchr(expected, '/') = '\0';
    rmdir(expected);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clocks_go_forward),
        cmocka_unit_test(memory_is_counted),
        cmocka_unit_test(pins_to_each_processor_allowed),
        cmocka_unit_test(texts_are_there_and_fit),
        cmocka_unit_test(companions_are_beside_or_below),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
