/* The order of arenas against a search over all of them, for every policy. */
#include "alloc/arena_order.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"

enum { ARENAS = 40, POOLS = 6 };

typedef struct fixture {
    rh_arena_order order;
    rh_arena slots[ARENAS];
    uint64_t stamp[ARENAS], now;   /* of birth or of the last pool given back */
    uint32_t list[ARENAS], listed; /* most-full: the order itself */
} fixture;

static bool
is_better(const fixture *f, uint32_t a, uint32_t b)
{
    const rh_arena *first = &f->slots[a], *second = &f->slots[b];
    switch (f->order.policy) {
    case RH_POLICY_LOWEST_ADDRESS:
        return first->base < second->base;
    case RH_POLICY_MOST_RECENT:
        return f->stamp[a] > f->stamp[b];
    default:
        return first->free_pools > second->free_pools ||
               (first->free_pools == second->free_pools && first->base < second->base);
    }
}

static uint32_t
expected_first(const fixture *f)
{
    if (f->order.policy == RH_POLICY_MOST_FULL)
        return f->listed ? f->list[0] : RH_NO_ARENA;
    uint32_t best = RH_NO_ARENA;
    for (uint32_t i = 0; i < ARENAS; i++)
        if (f->slots[i].base && f->slots[i].free_pools &&
            (best == RH_NO_ARENA || is_better(f, i, best)))
            best = i;
    return best;
}

static uint64_t
usable(const fixture *f)
{
    uint64_t count = 0;
    for (uint32_t i = 0; i < ARENAS; i++)
        count += f->slots[i].base && f->slots[i].free_pools;
    return count;
}

static void
list_remove(fixture *f, uint32_t arena)
{
    uint32_t at = 0;
    while (at < f->listed && f->list[at] != arena)
        at++;
    if (at < f->listed)
        memmove(&f->list[at], &f->list[at + 1], (--f->listed - at) * sizeof f->list[0]);
}

/* most-full: before the first that has at least as many, but never ahead of where it was. */
static void
list_given(fixture *f, uint32_t arena)
{
    uint32_t at = 0;
    while (at < f->listed && f->list[at] != arena)
        at++;
    if (at == f->listed) {
        memmove(&f->list[1], &f->list[0], f->listed++ * sizeof f->list[0]);
        f->list[0] = arena;
        return;
    }
    for (; at + 1 < f->listed && f->slots[f->list[at + 1]].free_pools < f->slots[arena].free_pools;
         at++) {
        f->list[at] = f->list[at + 1];
        f->list[at + 1] = arena;
    }
}

static void
take(fixture *f)
{
    uint32_t first = rh_arena_order_first(&f->order);
    rh_arena_order_taken(&f->order);
    if (f->slots[first].free_pools == 0)
        list_remove(f, first);
}

static void
give(fixture *f, uint32_t arena)
{
    rh_arena_order_given(&f->order, arena);
    f->stamp[arena] = ++f->now;
    list_given(f, arena);
}

static void
add(fixture *f, uint32_t arena, uintptr_t base)
{
    f->slots[arena] = (rh_arena){.base = base, .pools = POOLS, .free_pools = POOLS};
    f->stamp[arena] = ++f->now;
    f->list[f->listed++] = arena;
    rh_arena_order_add(&f->order, arena);
}

static void
drop(fixture *f, uint32_t arena)
{
    rh_arena_order_remove(&f->order, arena);
    list_remove(f, arena);
    f->slots[arena] = (rh_arena){0};
}

static void
step(fixture *f, rh_random *random)
{
    uint32_t arena = (uint32_t)rh_random_below(random, ARENAS);
    rh_arena *slot = &f->slots[arena];
    uint64_t dice = rh_random_below(random, 8);
    if (rh_arena_order_first(&f->order) == RH_NO_ARENA && !slot->base)
        add(f, arena, 1 + rh_random_below(random, 1u << 30));
    else if (slot->base && slot->free_pools == POOLS && dice == 0)
        drop(f, arena);
    else if (slot->base && slot->free_pools < POOLS && dice < 4)
        give(f, arena);
    else if (rh_arena_order_first(&f->order) != RH_NO_ARENA)
        take(f);
}

static void
first_is_what_a_search_finds(void **state)
{
    (void)state;
    for (rh_policy policy = RH_POLICY_MOST_FULL; policy <= RH_POLICY_LEAST_FULL; policy++) {
        fixture f = {0};
        rh_random random = {policy};
        assert_true(rh_arena_order_init(&f.order, policy, POOLS));
        assert_true(rh_arena_order_reserve(&f.order, f.slots, ARENAS));
        for (int i = 0; i < 200000; i++) {
            step(&f, &random);
            assert_int_equal(rh_arena_order_first(&f.order), expected_first(&f));
            const char *wrong = i % 16 ? NULL : rh_arena_order_check(&f.order, usable(&f));
            if (wrong)
                fail_msg("%s", wrong);
        }
        rh_arena_order_release(&f.order);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(first_is_what_a_search_finds)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
