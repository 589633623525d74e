/* Tables of size classes: what each way of telling one gives, that every request gets the smallest
 * class that holds it, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "alloc/size_classes.h"

static size_t
class_bytes(const rh_size_classes *classes, size_t alignment, size_t size_class)
{
    return classes->bytes ? classes->bytes[size_class] : (size_class + 1) * alignment;
}

/* Every request is served by the first class that is large enough, and every class is one. */
static void
check_lookup(const rh_size_classes *classes, size_t alignment)
{
    uint64_t before = 0;
    for (size_t i = 0; i < classes->count; i++) {
        uint64_t bytes = class_bytes(classes, alignment, i);
        assert_true(bytes > before);
        assert_int_equal(bytes % alignment, 0);
        before = bytes;
    }
    assert_int_equal(before, (classes->small_bytes + alignment - 1) / alignment * alignment);
    for (uint64_t request = 1; request <= classes->small_bytes; request++) {
        uint64_t unit = (request - 1) / alignment;
        uint64_t found = classes->of_unit ? classes->of_unit[unit] : unit, right = 0;
        while (class_bytes(classes, alignment, right) < request)
            right++;
        assert_int_equal(found, right);
    }
}

static void
tables_hold_what_they_say(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t alignment, small;
        const char *sizes; /* the first eight and the last */
        uint32_t count;
    } tables[] = {
        {NULL, 16, 512, "16 32 48 64 80 96 112 128 512", 32},
        {"linear", 8, 512, "8 16 24 32 40 48 56 64 512", 64},
        {"linear", 16, 500, "16 32 48 64 80 96 112 128 512", 32},
        {"linear:16", 16, 512, "16 32 48 64 80 96 112 128 512", 32},
        {"linear:32", 16, 512, "32 64 96 128 160 192 224 256 512", 16},
        {"linear:48", 16, 500, "48 96 144 192 240 288 336 384 512", 11},
        {"linear:1K", 16, 1024, "1024 1024", 1},
        {"geometric:1", 16, 512, "16 32 64 128 256 512 512", 6},
        {"geometric:2", 16, 512, "16 32 48 64 96 128 192 256 512", 10},
        {"geometric:4", 16, 512, "16 32 48 64 80 96 112 128 512", 16},
        {"geometric:4", 16, 300, "16 32 48 64 80 96 112 128 304", 13},
        {"geometric:3", 8, 100, "8 16 24 32 48 56 64 88 104", 9},
        {"geometric:64", 16, 512, "16 32 48 64 80 96 112 128 512", 32},
        {"16:32:48:64:96:128", 16, 0, "16 32 48 64 96 128 128", 6},
        {"16:32:48:64:96:128", 16, 120, "16 32 48 64 96 128 128", 6},
        {"64:1K:2K", 64, 2000, "64 1024 2048 2048", 3},
        {"16", 16, 0, "16 16", 1},
    };
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        rh_size_classes classes;
        rh_error error = {0};
        if (rh_size_classes_init(&classes, tables[i].text, tables[i].alignment, tables[i].small,
                                 &error) != RH_OK)
            fail_msg("%s: %s", tables[i].text, error.message);
        char sizes[256];
        size_t length = 0;
        for (size_t c = 0; c < classes.count && c < 8; c++)
            length += (size_t)snprintf(sizes + length, sizeof sizes - length, "%zu ",
                                       class_bytes(&classes, tables[i].alignment, c));
        snprintf(sizes + length, sizeof sizes - length, "%zu",
                 class_bytes(&classes, tables[i].alignment, classes.count - 1));
        assert_string_equal(sizes, tables[i].sizes);
        assert_int_equal(classes.count, tables[i].count);
        check_lookup(&classes, tables[i].alignment);
        rh_size_classes_release(&classes);
    }
}

static void
geometric_steps_keep_their_bound(void **state)
{
    (void)state;
    for (unsigned parts = 1; parts <= RH_CLASSES_PER_DOUBLING_MAX; parts++) {
        char text[32];
        snprintf(text, sizeof text, "geometric:%u", parts);
        rh_size_classes classes;
        assert_int_equal(rh_size_classes_init(&classes, text, 16, 65536, NULL), RH_OK);
        check_lookup(&classes, 16);
        for (size_t i = 1; i < classes.count; i++) {
            uint64_t before = class_bytes(&classes, 16, i - 1), lost = class_bytes(&classes, 16, i);
            lost -= before + 1;
            assert_true(lost <= before / parts + 16);
        }
        rh_size_classes_release(&classes);
    }
}

static void
cpythons_table_needs_no_memory(void **state)
{
    (void)state;
    static const char *const texts[] = {NULL, "linear", "linear:16", "16:32:48:64", "geometric:8"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        rh_size_classes classes;
        assert_int_equal(rh_size_classes_init(&classes, texts[i], 16, 64, NULL), RH_OK);
        assert_null(classes.bytes);
        assert_int_equal(classes.table_bytes, 0);
        rh_size_classes_release(&classes);
    }
}

static void
what_does_not_fit_is_refused(void **state)
{
    (void)state;
    char many[4096] = "16";
    for (size_t i = 2, length = 2; i <= RH_CLASSES_LISTED_MAX + 1; i++)
        length += (size_t)snprintf(many + length, sizeof many - length, ":%zu", i * 16);
    const struct {
        const char *text;
        size_t small;
        const char *why;
    } bad[] = {
        {"16:48:32", 0, "sizes must ascend"},
        {"16:16", 0, "sizes must ascend"},
        {"16:40", 0, "40 is not a multiple of align=16"},
        {"0:16", 0, "not a multiple"},
        {"16:32:64", 128, "less than small=128"},
        {"16:32:256", 128, "above small=128"},
        {"16:32:", 0, "missing after the last colon"},
        {"16::32", 0, "'' is not a size"},
        {"16:x", 0, "'x' is not a size"},
        {"16:32 ", 0, "is not a size"},
        {"16:99999999999999999999", 0, "is not a size"},
        {"16:1T", 0, "larger than any pool"},
        {many, 0, "more than 256 sizes"},
        {"linear:", 512, "the step must be"},
        {"linear:0", 512, "the step must be"},
        {"linear:24", 512, "multiple of align=16"},
        {"linear:1K", 512, "at most small=512"},
        {"linear:16:32", 512, "the step must be"},
        {"geometric", 512, "such as geometric:4"},
        {"geometric:", 512, "such as geometric:4"},
        {"geometric:0", 512, "1 to 64"},
        {"geometric:65", 512, "1 to 64"},
        {"geometric:1K", 512, "such as geometric:4"},
        {"geometric:-1", 512, "such as geometric:4"},
        {"fibonacci", 512, "allowed: linear"},
        {"line", 512, "allowed: linear"},
        {"", 512, "allowed: linear"},
        {"linear", 0, "small=0"},
        {"linear", 65536 * 16 + 1, "is not from 1"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        rh_size_classes classes;
        rh_error error = {0};
        assert_int_equal(rh_size_classes_init(&classes, bad[i].text, 16, bad[i].small, &error),
                         RH_USAGE);
        if (!strstr(error.message, bad[i].why))
            fail_msg("%s: %s", bad[i].text, error.message);
        assert_null(classes.bytes);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_hold_what_they_say),
        cmocka_unit_test(geometric_steps_keep_their_bound),
        cmocka_unit_test(cpythons_table_needs_no_memory),
        cmocka_unit_test(what_does_not_fit_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
