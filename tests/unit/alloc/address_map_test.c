/* The address map against a plain list of arenas, and what it refuses; and what CPython's own map
 * would have cost, against counts made by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "alloc/address_map.h"
#include "alloc/arena_map_census.h"
#include "base/random.h"

#define ARENAS 200

static rh_address_map *
new_map(unsigned shift)
{
    rh_address_map *map = malloc(sizeof *map);
    assert_non_null(map);
    assert_true(rh_address_map_init(map, shift));
    return map;
}

static void
drop_map(rh_address_map *map)
{
    rh_address_map_release(map);
    free(map);
}

static void
expect(const rh_address_map *map, unsigned shift, uintptr_t address, const uintptr_t *base)
{
    uint32_t expected = UINT32_MAX, found = 0;
    for (uint32_t i = 0; i < ARENAS; i++)
        if (base[i] && address >= base[i] && address - base[i] < (uintptr_t)1 << shift)
            expected = i;
    assert_int_equal(rh_address_map_has(map, address, shift), expected != UINT32_MAX);
    if (rh_address_map_find(map, address, shift, &found))
        assert_int_equal(found, expected);
}

/* Arenas at any page, crowded around the seam between two leaves, entered and removed at random. */
static void
knows_what_a_list_knows(void **state)
{
    (void)state;
    static const unsigned shifts[] = {12, 16, 18, 20, 30};
    for (size_t i = 0; i < sizeof shifts / sizeof shifts[0]; i++) {
        unsigned shift = shifts[i];
        rh_address_map *map = new_map(shift);
        rh_random random = {shift};
        uintptr_t base[ARENAS] = {0}, size = (uintptr_t)1 << shift;
        uintptr_t start = ((uintptr_t)5 << RH_MAP_LEAF_BITS) - 40 * size;
        for (int step = 0; step < 20000; step++) {
            uint32_t which = (uint32_t)rh_random_below(&random, ARENAS);
            if (base[which]) {
                rh_address_map_remove(map, base[which]);
                base[which] = 0;
            } else {
                uintptr_t at = start + rh_random_below(&random, 80) * size +
                               rh_random_below(&random, size >> 12) * 4096;
                bool free_place = true;
                for (uint32_t j = 0; j < ARENAS; j++)
                    free_place =
                        free_place && (!base[j] || at >= base[j] + size || at + size <= base[j]);
                assert_int_equal(rh_address_map_enter(map, at, which), free_place);
                base[which] = free_place ? at : 0;
            }
            for (int j = 0; j < 4; j++)
                expect(map, shift,
                       start + rh_random_below(&random, 81) * size + rh_random_below(&random, size),
                       base);
        }
        expect(map, shift, 0, base);
        expect(map, shift, 0x7fffffffffff, base);
        drop_map(map);
    }
}

static void
refuses_what_it_cannot_hold(void **state)
{
    (void)state;
    rh_address_map *map = new_map(20);
    assert_false(rh_address_map_enter(map, 0, 1));
    assert_false(rh_address_map_enter(map, ((uintptr_t)1 << 48) - 4096, 1));
    assert_false(rh_address_map_enter(map, (uintptr_t)1 << 60, 1));
    assert_true(rh_address_map_enter(map, (uintptr_t)1 << 30, 1));
    assert_false(rh_address_map_enter(map, (uintptr_t)1 << 30, 2));
    uint64_t held = rh_address_map_bytes(map);
    assert_in_range(held, 4096, 8192);
    rh_address_map_remove(map, (uintptr_t)1 << 30);
    assert_int_equal(rh_address_map_bytes(map), held); /* leaves stay */
    drop_map(map);
}

static void
expect_census(unsigned address_bits, const uintptr_t *bases, uint64_t root, uint64_t middle,
              uint64_t bottom)
{
    rh_arena_map_census census;
    rh_arena_books books = {.raw = NULL};
    rh_arena_map_census_init(&census, address_bits, 20);
    for (; *bases; bases++)
        assert_true(rh_arena_map_census_enter(&census, *bases, &books));
    assert_int_equal(rh_arena_map_census_root_bytes(&census), root);
    assert_int_equal(rh_arena_map_census_middle_bytes(&census), middle);
    assert_int_equal(rh_arena_map_census_bottom_bytes(&census), bottom);
    rh_arena_map_census_release(&census);
}

static void
census_counts_nodes_once(void **state)
{
    (void)state;
    const uintptr_t gib = (uintptr_t)1 << 30, mib = (uintptr_t)1 << 20;
    /* Since 3.11: a bottom node is 16 GiB of addresses, a middle one 512 TiB. */
    const uintptr_t near[] = {32 * gib, 33 * gib, 47 * gib, 0};
    const uintptr_t across[] = {48 * gib - mib / 2, 0}; /* an arena on the seam needs both */
    const uintptr_t up_to[] = {48 * gib - mib, 0};      /* one that ends there does not */
    const uintptr_t far[] = {mib, ((uintptr_t)1 << 49) + mib, 0};
    expect_census(64, near, 262144, 262144, 131072);
    expect_census(64, across, 262144, 262144, 2 * 131072);
    expect_census(64, up_to, 262144, 262144, 131072);
    expect_census(64, far, 262144, 2 * 262144, 2 * 131072);
    /* 3.10: 256 MiB and 256 GiB. */
    expect_census(48, near, 8192, 8192, 3 * 2048);
    const uintptr_t seam[] = {256 * gib - mib / 2, 0};
    expect_census(48, seam, 8192, 2 * 8192, 2 * 2048);
    expect_census(0, near, 0, 0, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knows_what_a_list_knows),
        cmocka_unit_test(refuses_what_it_cannot_hold),
        cmocka_unit_test(census_counts_nodes_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
