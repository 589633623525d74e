/* The index against the list itself, searched from end to end, while blocks come and go and some
 * grow very old. */
#include "traces/birth_index.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/random.h"
#include "traces/live_list.h"

static uint32_t
search(const rh_live_list *live, uint64_t birth)
{
    for (uint32_t at = live->link[0].after; at; at = live->link[at].after)
        if (live->node[at].birth == birth)
            return at;
    return 0;
}

static void
be_born(rh_live_list *live, rh_birth_index *index)
{
    assert_true(rh_live_list_reserve(live, 1));
    uint32_t slot = rh_live_take_slot(live);
    rh_birth_index_born(index, live, slot);
    rh_live_append(live, slot, 1);
}

static void
die(rh_live_list *live, uint32_t slot)
{
    rh_live_unlink(live, slot);
    rh_live_give_slot(live, slot);
}

/* One of those that any of `survivors` in a thousand births leaves for good. */
static void
run(uint64_t seed, unsigned survivors, uint64_t births)
{
    rh_live_list live;
    rh_birth_index index;
    rh_random random = {seed};
    assert_true(rh_live_list_init(&live) && rh_birth_index_init(&index));
    for (uint64_t i = 0; i < births; i++) {
        be_born(&live, &index);
        if (rh_random_below(&random, 1000) >= survivors)
            die(&live, live.link[0].before);
        else if (live.blocks > 300)
            die(&live, rh_random_below(&random, 2) ? live.link[0].after : live.link[0].before);
        if (rh_random_below(&random, 50))
            continue;
        uint64_t asked = rh_random_below(&random, 3) ? rh_random_below(&random, i + 5)
                                                     : live.node[live.link[0].after].birth;
        assert_int_equal(rh_birth_index_find(&index, &live, asked), search(&live, asked));
    }
    /* Everything alive is found, the oldest too. */
    for (uint32_t at = live.link[0].after; at; at = live.link[at].after)
        assert_int_equal(rh_birth_index_find(&index, &live, live.node[at].birth), at);
    assert_false(index.exhausted);
    rh_birth_index_release(&index);
    rh_live_list_release(&live);
}

static void
test_like_the_list(void **state)
{
    (void)state;
    run(1, 5, 400000);
    run(2, 100, 200000);
    run(3, 1000, 100000);
}

/* After a restart only what is in the list counts. */
static void
test_restart(void **state)
{
    (void)state;
    rh_live_list live;
    rh_birth_index index;
    assert_true(rh_live_list_init(&live) && rh_birth_index_init(&index));
    for (unsigned i = 0; i < 1000; i++)
        be_born(&live, &index);
    assert_int_equal(rh_birth_index_find(&index, &live, 7), 8);
    rh_live_list_clear(&live);
    rh_birth_index_restart(&index, 5000);
    live.births = 4000;
    assert_true(rh_live_list_reserve(&live, 1));
    uint32_t slot = rh_live_take_slot(&live);
    rh_live_append(&live, slot, 1);
    live.births = 5000;
    assert_int_equal(rh_birth_index_find(&index, &live, 4000), slot);
    assert_int_equal(rh_birth_index_find(&index, &live, 7), 0);
    assert_int_equal(rh_birth_index_find(&index, &live, 4001), 0);
    assert_int_equal(rh_birth_index_find(&index, &live, 5000), 0);
    be_born(&live, &index);
    assert_int_not_equal(rh_birth_index_find(&index, &live, 5000), 0);
    rh_birth_index_release(&index);
    rh_live_list_release(&live);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_like_the_list),
        cmocka_unit_test(test_restart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
