/* The set of arenas against a list that is searched from end to end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above. */
#include <cmocka.h>

#include "base/random.h"
#include "traces/arena_set.h"

enum { ARENA = 256 << 10, PLACES = 600, STEPS = 20000 };

static void
agrees_with_a_list(void **state)
{
    (void)state;
    /* Arenas never overlap, but begin anywhere on a page: place i has room for one and some pages.
     */
    static uint64_t bases[PLACES];
    rh_random random = {2};
    rh_arena_set set;
    assert_true(rh_arena_set_init(&set, ARENA));
    for (unsigned step = 0; step < STEPS; step++) {
        size_t place = rh_random_below(&random, PLACES);
        uint64_t start = UINT64_C(0x7f1234000000) + place * (ARENA + 16 * 4096);
        if (bases[place]) {
            assert_true(rh_arena_set_remove(&set, bases[place]));
            assert_false(rh_arena_set_remove(&set, bases[place]));
            bases[place] = 0;
        } else {
            bases[place] = start + rh_random_below(&random, 16) * 4096;
            assert_true(rh_arena_set_add(&set, bases[place]));
        }
        for (unsigned look = 0; look < 20; look++) {
            uint64_t near = rh_random_below(&random, PLACES);
            uint64_t address = UINT64_C(0x7f1234000000) + near * (ARENA + 16 * 4096) +
                               rh_random_below(&random, ARENA + 16 * 4096);
            bool inside = false;
            for (size_t i = near ? near - 1 : 0; i <= near; i++)
                inside |= bases[i] && address >= bases[i] && address - bases[i] < ARENA;
            assert_int_equal(rh_arena_set_has(&set, address), inside);
        }
    }
    rh_arena_set_release(&set);
}

static void
holds_its_edges_only(void **state)
{
    (void)state;
    rh_arena_set set;
    uint64_t base = UINT64_C(0x7f0000001000);
    assert_true(rh_arena_set_init(&set, ARENA));
    assert_false(rh_arena_set_has(&set, base));
    assert_true(rh_arena_set_add(&set, base));
    assert_true(rh_arena_set_has(&set, base));
    assert_true(rh_arena_set_has(&set, base + ARENA - 1));
    assert_false(rh_arena_set_has(&set, base + ARENA));
    assert_false(rh_arena_set_has(&set, base - 1));
    assert_true(rh_arena_set_remove(&set, base));
    assert_false(rh_arena_set_has(&set, base));
    rh_arena_set_release(&set);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_a_list),
        cmocka_unit_test(holds_its_edges_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
