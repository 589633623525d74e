/* The memory that CPython would take for its tables of arenas: asked for at the same moments, and
 * when it is refused there is no arena. */
#include "alloc/arena_books.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "alloc/arena_map_census.h"

enum { REQUESTS = 8 };

/* A RAW domain that remembers what it was asked for. */
struct giver {
    size_t sizes[REQUESTS], requests;
    size_t refused; /* the number of the request that fails, from 1 */
    void *given[REQUESTS];
};

static void *
give_cleared(void *ctx, size_t count, size_t size)
{
    struct giver *giver = ctx;
    assert_int_equal(count, 1);
    assert_true(giver->requests < REQUESTS);
    giver->sizes[giver->requests++] = size;
    if (giver->requests == giver->refused)
        return NULL;
    return giver->given[giver->requests - 1] = malloc(16);
}

static void *
give_again(void *ctx, void *block, size_t size)
{
    struct giver *giver = ctx;
    assert_ptr_equal(block, giver->requests ? giver->given[giver->requests - 1] : NULL);
    return give_cleared(ctx, 1, size);
}

static void
take_all(struct giver *giver)
{
    for (size_t i = 0; i < giver->requests; i++)
        free(giver->given[i]);
}

static void
slots_grow_in_place_of_the_old(void **state)
{
    (void)state;
    struct giver giver = {.refused = 3};
    const PyMemAllocatorEx raw = {&giver, NULL, give_cleared, give_again, NULL};
    rh_arena_books books = {.raw = &raw};
    assert_true(rh_arena_books_slots(&books, 16));
    assert_true(rh_arena_books_slots(&books, 32));
    assert_false(rh_arena_books_slots(&books, 64));
    assert_ptr_equal(books.slots, giver.given[1]); /* refused: the old table stays */
    assert_int_equal(giver.sizes[0], 16 * 48);
    assert_int_equal(giver.sizes[1], 32 * 48);
    assert_int_equal(giver.sizes[2], 64 * 48);
    take_all(&giver);
}

static void
nodes_are_asked_for_once(void **state)
{
    (void)state;
    struct giver giver = {.refused = 0};
    const PyMemAllocatorEx raw = {&giver, NULL, give_cleared, give_again, NULL};
    rh_arena_books books = {.raw = &raw};
    rh_arena_map_census census;
    rh_arena_map_census_init(&census, 64, 20);
    assert_true(rh_arena_map_census_enter(&census, (uintptr_t)1 << 30, &books));
    assert_int_equal(giver.requests, 2);
    assert_int_equal(giver.sizes[0], 262144);
    assert_int_equal(giver.sizes[1], 131072);
    assert_true(rh_arena_map_census_enter(&census, (uintptr_t)2 << 30, &books));
    assert_int_equal(giver.requests, 2);
    /* Not at a multiple of its size, and the next multiple is another node's. */
    assert_true(rh_arena_map_census_enter(&census, ((uintptr_t)1 << 34) - 4096, &books));
    assert_int_equal(giver.requests, 3);
    rh_arena_map_census_release(&census);
    take_all(&giver);
}

static void
refused_nodes_leave_those_above(void **state)
{
    (void)state;
    struct giver giver = {.refused = 2};
    const PyMemAllocatorEx raw = {&giver, NULL, give_cleared, give_again, NULL};
    rh_arena_books books = {.raw = &raw};
    rh_arena_map_census census;
    rh_arena_map_census_init(&census, 64, 20);
    assert_false(rh_arena_map_census_enter(&census, (uintptr_t)1 << 30, &books));
    assert_int_equal(rh_arena_map_census_middle_bytes(&census), 262144);
    assert_int_equal(rh_arena_map_census_bottom_bytes(&census), 0);
    assert_true(rh_arena_map_census_enter(&census, (uintptr_t)1 << 30, &books));
    assert_int_equal(giver.requests, 3);
    rh_arena_map_census_release(&census);
    take_all(&giver);
}

static void
without_books_nothing_is_asked_for(void **state)
{
    (void)state;
    rh_arena_books books = {.raw = NULL};
    assert_true(rh_arena_books_slots(&books, 16));
    assert_true(rh_arena_books_node(&books, 131072));
    assert_null(books.slots);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slots_grow_in_place_of_the_old),
        cmocka_unit_test(nodes_are_asked_for_once),
        cmocka_unit_test(refused_nodes_leave_those_above),
        cmocka_unit_test(without_books_nothing_is_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
