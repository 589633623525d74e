#define _GNU_SOURCE
// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc/free_lists.h"

enum { BLOCKS = 2001 };

static uint64_t block[BLOCKS][2];

static void
limits_differ_by_version(void **state)
{
    (void)state;
    static const struct {
        unsigned minor;
        rh_free_kind kind;
        uint32_t limit;
    } expected[] = {
        {7, RH_FREE_TUPLE, 2000},     {15, RH_FREE_TUPLE, 2000},       {7, RH_FREE_LIST, 80},
        {11, RH_FREE_DICT, 80},       {13, RH_FREE_DICT_KEYS, 80},     {7, RH_FREE_FLOAT, 100},
        {10, RH_FREE_FRAME, 200},     {11, RH_FREE_FRAME, 0},          {8, RH_FREE_METHOD, 256},
        {9, RH_FREE_METHOD, 0},       {13, RH_FREE_METHOD, 0},         {14, RH_FREE_METHOD, 20},
        {8, RH_FREE_C_FUNCTION, 256}, {13, RH_FREE_C_FUNCTION, 0},     {14, RH_FREE_C_FUNCTION, 16},
        {8, RH_FREE_C_METHOD, 0},     {14, RH_FREE_C_METHOD, 16},      {9, RH_FREE_CONTEXT, 255},
        {12, RH_FREE_ASYNC_SEND, 80}, {12, RH_FREE_SLICE, 1},          {12, RH_FREE_STACK_CHUNK, 0},
        {13, RH_FREE_STACK_CHUNK, 4}, {13, RH_FREE_LIST_ITERATOR, 0},  {14, RH_FREE_INT, 100},
        {14, RH_FREE_RANGE, 6},       {14, RH_FREE_UNICODE_WRITER, 1}, {14, RH_FREE_COMPLEX, 0},
        {15, RH_FREE_COMPLEX, 100},   {15, RH_FREE_BYTES_WRITER, 1},   {6, RH_FREE_METHOD, 256},
        {99, RH_FREE_COMPLEX, 100},
    };
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
        assert_int_equal(rh_free_limit(expected[i].minor, expected[i].kind), expected[i].limit);
    assert_int_equal(rh_free_tuple_lengths(7), 19);
    assert_int_equal(rh_free_tuple_lengths(10), 19);
    assert_int_equal(rh_free_tuple_lengths(11), 20);
}

static void
the_last_given_is_the_first_taken(void **state)
{
    (void)state;
    rh_free_lists lists;
    rh_free_lists_init(&lists, 11, false);
    rh_free_list *floats = rh_free_list_of(&lists, RH_FREE_FLOAT, 0);
    assert_null(rh_free_list_take(floats));
    for (int i = 0; i < 3; i++)
        assert_true(rh_free_list_give(floats, block[i]));
    assert_ptr_equal(rh_free_list_take(floats), block[2]);
    assert_true(rh_free_list_give(floats, block[3]));
    assert_ptr_equal(rh_free_list_take(floats), block[3]);
    assert_ptr_equal(rh_free_list_take(floats), block[1]);
    assert_int_equal(rh_free_lists_check(&lists, NULL), RH_OK);
    assert_ptr_equal(rh_free_list_take(floats), block[0]);
    assert_null(rh_free_list_take(floats));
    assert_int_equal(floats->hits, 4);
    assert_int_equal(floats->misses, 2);
    assert_int_equal(floats->rejected, 0);
}

static void
a_full_list_keeps_no_more(void **state)
{
    (void)state;
    rh_free_lists lists;
    rh_free_lists_init(&lists, 11, false);
    rh_free_list *tuples = rh_free_list_of(&lists, RH_FREE_TUPLE, 20);
    for (int i = 0; i < 2000; i++)
        assert_true(rh_free_list_give(tuples, block[i]));
    assert_false(rh_free_list_give(tuples, block[2000]));
    assert_int_equal(tuples->rejected, 1);
    assert_int_equal(rh_free_lists_check(&lists, NULL), RH_OK);
    assert_ptr_equal(rh_free_list_take(tuples), block[1999]);
}

static void
lengths_and_kinds_are_apart(void **state)
{
    (void)state;
    rh_free_lists lists;
    rh_free_lists_init(&lists, 10, false);
    assert_null(rh_free_list_of(&lists, RH_FREE_TUPLE, 0));
    assert_null(rh_free_list_of(&lists, RH_FREE_TUPLE, 20));
    assert_null(rh_free_list_of(&lists, RH_FREE_INT, 1));
    for (size_t length = 1; length <= 19; length++)
        assert_true(
            rh_free_list_give(rh_free_list_of(&lists, RH_FREE_TUPLE, length), block[length]));
    assert_true(rh_free_list_give(rh_free_list_of(&lists, RH_FREE_LIST, 0), block[0]));
    assert_null(rh_free_list_take(rh_free_list_of(&lists, RH_FREE_DICT, 0)));
    for (size_t length = 19; length >= 1; length--)
        assert_ptr_equal(rh_free_list_take(rh_free_list_of(&lists, RH_FREE_TUPLE, length)),
                         block[length]);
    rh_free_lists_init(&lists, 11, true);
    assert_null(rh_free_list_of(&lists, RH_FREE_TUPLE, 1));
    assert_null(rh_free_list_of(&lists, RH_FREE_FLOAT, 0));
}

static void
count_released(void *ctx, void *released)
{
    *(uint64_t *)released = UINT64_MAX;
    ++*(int *)ctx;
}

static void
disabled_lists_keep_nothing(void **state)
{
    (void)state;
    rh_free_lists lists;
    int released = 0;
    rh_free_lists_init(&lists, 14, false);
    rh_free_list *ints = rh_free_list_of(&lists, RH_FREE_INT, 0);
    rh_free_list *tuples = rh_free_list_of(&lists, RH_FREE_TUPLE, 3);
    rh_free_list_give(ints, block[0]);
    rh_free_list_give(tuples, block[1]);
    rh_free_lists_drain(&lists, count_released, &released);
    assert_int_equal(released, 2);
    assert_true(rh_free_list_give(ints, block[0]));
    rh_free_lists_disable(&lists, count_released, &released);
    assert_int_equal(released, 3);
    assert_false(rh_free_list_give(ints, block[0]));
    assert_null(rh_free_list_take(ints));
    assert_null(rh_free_list_of(&lists, RH_FREE_TUPLE, 3));
    assert_int_equal(rh_free_lists_check(&lists, NULL), RH_OK);
}

static void
damage_is_found(void **state)
{
    (void)state;
    rh_free_lists lists;
    rh_error error = {0};
    rh_free_lists_init(&lists, 11, false);
    rh_free_list *floats = rh_free_list_of(&lists, RH_FREE_FLOAT, 0);
    rh_free_list_give(floats, block[0]);
    rh_free_list_give(floats, block[1]);
    void *self = block[1];
    memcpy(block[1], &self, sizeof self); /* a ring */
    assert_int_equal(rh_free_lists_check(&lists, &error), RH_DIFFERENT);
    assert_non_null(strstr(error.message, "more"));
    memset(block[1], 0, sizeof block[1]); /* cut short */
    assert_int_equal(rh_free_lists_check(&lists, &error), RH_DIFFERENT);
    floats->count = 101;
    assert_int_equal(rh_free_lists_check(&lists, &error), RH_DIFFERENT);
    assert_non_null(strstr(error.message, "limit"));
}

static void
lines_have_cpythons_shape(void **state)
{
    (void)state;
    rh_free_lists lists;
    rh_free_lists_init(&lists, 8, false);
    for (int i = 0; i < 11; i++)
        rh_free_list_give(rh_free_list_of(&lists, RH_FREE_METHOD, 0), block[i]);
    for (int i = 0; i < 29; i++)
        rh_free_list_give(rh_free_list_of(&lists, RH_FREE_TUPLE, 2), block[100 + i]);
    char *text;
    size_t length;
    FILE *out = open_memstream(&text, &length);
    rh_free_lists_print(&lists, out);
    fclose(out);
    const char *start = "       0 free PyCFunctionObjects * 56 bytes each =                    0\n"
                        "            0 free PyDictObjects * 48 bytes each =                    0\n";
    assert_memory_equal(text, start, strlen(start));
    assert_non_null(
        strstr(text, "         11 free PyMethodObjects * 48 bytes each =                  528\n"));
    assert_non_null(
        strstr(text, "  29 free 2-sized PyTupleObjects * 40 bytes each =                1,160\n"));
    assert_null(strstr(text, "20-sized"));
    free(text);
    assert_int_equal(rh_free_printed_bytes(13, RH_FREE_TUPLE, 1), 32);
    assert_int_equal(rh_free_printed_bytes(14, RH_FREE_TUPLE, 1), 40);
    assert_int_equal(rh_free_printed_bytes(15, RH_FREE_TUPLE, 1), 56);
    assert_int_equal(rh_free_printed_bytes(13, RH_FREE_FRAME, 0), RH_FREE_UNLISTED_BYTES);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limits_differ_by_version),
        cmocka_unit_test(the_last_given_is_the_first_taken),
        cmocka_unit_test(a_full_list_keeps_no_more),
        cmocka_unit_test(lengths_and_kinds_are_apart),
        cmocka_unit_test(disabled_lists_keep_nothing),
        cmocka_unit_test(damage_is_found),
        cmocka_unit_test(lines_have_cpythons_shape),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
