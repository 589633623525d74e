#define _GNU_SOURCE
#include "replay/self_maps.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

static void
test_what_counts(void **state)
{
    (void)state;
    static const char text[] =
        "00400000-00401000 r-xp 00000000 08:01 1 /usr/bin/x\n"
        "00500000-00503000 rw-p 00000000 08:01 1 /usr/bin/x\n" /* a program's data */
        "00503000-00506000 rw-p 00000000 00:00 0 \n"           /* and its zeroed data */
        "00506000-00509000 rw-p 00000000 00:00 0 \n"           /* 12 KiB that only follow */
        "7f0000000000-7f0000010000 ---p 00000000 00:00 0 \n"
        "7f0000010000-7f0000020000 rw-s 00000000 00:01 5 /memfd:x (deleted)\n"
        "7f0000020000-7f0000024000 rw-p 00000000 00:00 0\n"            /* 16 KiB */
        "7f0000030000-7f0000031000 rwxp 00000000 00:00 0 [anon:jit]\n" /* 4 KiB */
        "7ffd00000000-7ffd00021000 rw-p 00000000 00:00 0                [stack]\n"
        "7ffd00030000-7ffd00032000 -w-p 00000000 00:00 0 [heap]\n"; /* 8 KiB */
    assert_int_equal(rh_self_maps_sum(text, sizeof text - 1), (12 + 16 + 4 + 8) * 1024);
    assert_int_equal(rh_self_maps_sum("", 0), 0);
}

static void
test_a_mapping_shows(void **state)
{
    (void)state;
    enum { BYTES = 8 << 20 };
    uint64_t mapped = rh_self_mapped_bytes(), resident = rh_self_resident_bytes();
    char *memory = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(memory != MAP_FAILED);
    assert_int_equal(rh_self_mapped_bytes() - mapped, BYTES);
    memset(memory, 1, BYTES);
    assert_true(rh_self_resident_bytes() - resident >= BYTES / 2);
    munmap(memory, BYTES);
    assert_int_equal(rh_self_mapped_bytes(), mapped);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_counts),
        cmocka_unit_test(test_a_mapping_shows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
