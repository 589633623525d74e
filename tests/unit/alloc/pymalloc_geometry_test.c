/* The size classes of CPython's two geometries, against the numbers its documentation and headers
 * give, and the presets' names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "alloc/pymalloc_geometry.h"

/* Blocks of a pool by class, with a header of 48 bytes. */
static const uint32_t blocks_of_16k[32] = {1021, 510, 340, 255, 204, 170, 145, 127, 113, 102, 92,
                                           85,   78,  72,  68,  63,  60,  56,  53,  51,  48,  46,
                                           44,   42,  40,  39,  37,  36,  35,  34,  32,  31};
static const uint32_t blocks_of_4k[32] = {253, 126, 84, 63, 50, 42, 36, 31, 28, 25, 23,
                                          21,  19,  18, 16, 15, 14, 14, 13, 12, 12, 11,
                                          11,  10,  10, 9,  9,  9,  8,  8,  8,  7};

static void
classes_are_cpythons(void **state)
{
    (void)state;
    rh_pymalloc_geometry now, before;
    assert_int_equal(rh_pymalloc_geometry_init(&now, 1 << 20, 1 << 14, 16, 512, NULL, NULL), RH_OK);
    assert_int_equal(rh_pymalloc_geometry_init(&before, 1 << 18, 1 << 12, 16, 512, NULL, NULL),
                     RH_OK);
    assert_int_equal(now.classes, 32);
    assert_int_equal(now.pools, 64);
    assert_int_equal(before.pools, 64);
    for (uint32_t i = 0; i < 32; i++) {
        assert_int_equal(rh_class_bytes(&now, i), (i + 1) * 16);
        assert_int_equal(rh_class_capacity(&now, i), blocks_of_16k[i]);
        assert_int_equal(rh_class_capacity(&before, i), blocks_of_4k[i]);
        assert_int_equal(48 + blocks_of_4k[i] * (i + 1) * 16 + rh_class_tail(&before, i), 4096);
    }
    assert_int_equal(rh_class_of(&now, 1), 0);
    assert_int_equal(rh_class_of(&now, 16), 0);
    assert_int_equal(rh_class_of(&now, 17), 1);
    assert_int_equal(rh_class_of(&now, 512), 31);
}

static void
headers_keep_the_alignment(void **state)
{
    (void)state;
    static const struct {
        uint64_t alignment;
        uint32_t header;
    } pairs[] = {{8, 48}, {16, 48}, {32, 64}, {64, 64}, {256, 256}, {1024, 1024}};
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        rh_pymalloc_geometry geometry;
        assert_int_equal(rh_pymalloc_geometry_init(&geometry, 1 << 20, 1 << 14, pairs[i].alignment,
                                                   500, NULL, NULL),
                         RH_OK);
        assert_int_equal(geometry.header_bytes, pairs[i].header);
        assert_int_equal(geometry.classes, (500 + pairs[i].alignment - 1) / pairs[i].alignment);
    }
}

/* The check of a table sees every entry that is wrong. */
static void
a_damaged_table_is_noticed(void **state)
{
    (void)state;
    rh_pymalloc_geometry geometry;
    assert_int_equal(
        rh_pymalloc_geometry_init(&geometry, 1 << 20, 1 << 14, 16, 0, "16:48:64:112:256", NULL),
        RH_OK);
    assert_null(rh_pymalloc_geometry_check(&geometry));
    for (uint32_t i = 0; i < geometry.classes; i++) {
        geometry.class_bytes[i] += 16;
        assert_non_null(rh_pymalloc_geometry_check(&geometry));
        geometry.class_bytes[i] -= 8;
        assert_non_null(rh_pymalloc_geometry_check(&geometry));
        geometry.class_bytes[i] -= 8;
    }
    for (uint32_t unit = 0; unit < 256 / 16; unit++) {
        geometry.class_of_unit[unit]++;
        assert_non_null(rh_pymalloc_geometry_check(&geometry));
        geometry.class_of_unit[unit]--;
    }
    geometry.classes--;
    assert_non_null(rh_pymalloc_geometry_check(&geometry));
    geometry.classes++;
    assert_null(rh_pymalloc_geometry_check(&geometry));
    rh_pymalloc_geometry_release(&geometry);
}

static void
presets_follow_versions(void **state)
{
    (void)state;
    for (int i = 0; rh_pymalloc_presets[i]; i++)
        assert_string_equal(rh_pymalloc_preset_find(rh_pymalloc_presets[i])->version,
                            rh_pymalloc_presets[i]);
    assert_string_equal(rh_pymalloc_preset_find("3.10.13")->version, "3.10");
    assert_string_equal(rh_pymalloc_preset_find("3.7.16")->version, "3.7");
    assert_int_equal(rh_pymalloc_preset_find("3.8")->keep, 0);
    assert_int_equal(rh_pymalloc_preset_find("3.9")->keep, 1);
    assert_int_equal(rh_pymalloc_preset_find("3.9")->map_address_bits, 0);
    assert_int_equal(rh_pymalloc_preset_find("3.10")->map_address_bits, 48);
    assert_int_equal(rh_pymalloc_preset_find("3.15")->map_address_bits, 64);
    /* Those that the contract suite leaves to their like. */
    static const char *const alike[][2] = {
        {"3.8", "3.7"}, {"3.12", "3.11"}, {"3.13", "3.11"}, {"3.14", "3.11"}, {"3.15", "3.11"}};
    for (size_t i = 0; i < sizeof alike / sizeof alike[0]; i++) {
        rh_pymalloc_preset preset = *rh_pymalloc_preset_find(alike[i][0]);
        preset.version = rh_pymalloc_preset_find(alike[i][1])->version;
        assert_memory_equal(&preset, rh_pymalloc_preset_find(alike[i][1]), sizeof preset);
    }
    assert_null(rh_pymalloc_preset_find("3.1"));
    assert_null(rh_pymalloc_preset_find("3.16"));
    assert_null(rh_pymalloc_preset_find("3.70"));
    assert_null(rh_pymalloc_preset_find(""));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(classes_are_cpythons),
        cmocka_unit_test(headers_keep_the_alignment),
        cmocka_unit_test(a_damaged_table_is_noticed),
        cmocka_unit_test(presets_follow_versions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
