/* Stacks of pools: each is its owner's alone, and one given back serves again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "alloc/pool_stacks.h"
#include "base/random.h"

#define ENTRIES_MAX 1021
#define STACKS      3000

typedef struct owner {
    uint16_t *stack;
    uint32_t entries;
    uint16_t mark;
} owner;

static void
own(rh_pool_stacks *stacks, owner *who, uint32_t entries, uint16_t mark)
{
    *who = (owner){rh_pool_stacks_take(stacks, entries), entries, mark};
    assert_non_null(who->stack);
    assert_int_equal((uintptr_t)who->stack % 64, 0);
    for (uint32_t i = 0; i < entries; i++)
        who->stack[i] = mark;
}

static void
disown(rh_pool_stacks *stacks, const owner *who)
{
    for (uint32_t i = 0; i < who->entries; i++)
        assert_int_equal(who->stack[i], who->mark);
    rh_pool_stacks_give(stacks, who->stack, who->entries);
}

static void
stacks_do_not_overlap(void **state)
{
    (void)state;
    static owner owners[STACKS];
    rh_pool_stacks stacks;
    rh_random random = {3};
    assert_true(rh_pool_stacks_init(&stacks, ENTRIES_MAX));
    for (uint32_t i = 0; i < 10 * STACKS; i++) {
        owner *who = &owners[i < STACKS ? i : rh_random_below(&random, STACKS)];
        if (who->stack)
            disown(&stacks, who);
        own(&stacks, who, 1 + (uint32_t)rh_random_below(&random, ENTRIES_MAX), (uint16_t)i);
    }
    for (uint32_t i = 0; i < STACKS; i++)
        disown(&stacks, &owners[i]);
    rh_pool_stacks_release(&stacks);
}

static void
what_was_given_back_serves_again(void **state)
{
    (void)state;
    rh_pool_stacks stacks;
    assert_true(rh_pool_stacks_init(&stacks, ENTRIES_MAX));
    uint16_t *large = rh_pool_stacks_take(&stacks, ENTRIES_MAX);
    uint16_t *small = rh_pool_stacks_take(&stacks, 31);
    uint64_t held = stacks.bytes;
    rh_pool_stacks_give(&stacks, large, ENTRIES_MAX);
    rh_pool_stacks_give(&stacks, small, 31);
    assert_ptr_equal(rh_pool_stacks_take(&stacks, 32), small); /* as many cache lines */
    assert_ptr_equal(rh_pool_stacks_take(&stacks, 1000), large);
    assert_int_equal(stacks.bytes, held);
    rh_pool_stacks_release(&stacks);
    assert_true(rh_pool_stacks_init(&stacks, 65536));
    assert_non_null(rh_pool_stacks_take(&stacks, 65536)); /* larger than a mapping usually is */
    rh_pool_stacks_release(&stacks);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stacks_do_not_overlap),
        cmocka_unit_test(what_was_given_back_serves_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
