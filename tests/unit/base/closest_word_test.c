// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#include <string.h>

#include "base/closest_word.h"

static void
counts_slips(void **state)
{
    (void)state;
    assert_int_equal(rh_word_distance("", ""), 0);
    assert_int_equal(rh_word_distance("", "abc"), 3);
    assert_int_equal(rh_word_distance("abc", ""), 3);
    assert_int_equal(rh_word_distance("arena", "arena"), 0);
    assert_int_equal(rh_word_distance("arean", "arena"), 1); /* exchanged */
    assert_int_equal(rh_word_distance("arna", "arena"), 1);  /* lost */
    assert_int_equal(rh_word_distance("areena", "arena"), 1);
    assert_int_equal(rh_word_distance("orena", "arena"), 1);
    assert_int_equal(rh_word_distance("kitten", "sitting"), 3);
}

static void
long_words_are_all_different(void **state)
{
    (void)state;
    char letters[100];
    memset(letters, 'a', 99);
    letters[99] = '\0';
    assert_int_equal(rh_word_distance(letters, letters), 99);
    assert_int_equal(rh_word_distance("a", letters), 99);
}

static void
offers_what_may_have_been_meant(void **state)
{
    (void)state;
    const char *best = NULL;
    rh_word_offer("malloc", "bump", &best);
    assert_null(best);
    rh_word_offer("pymaloc", "mimalloc", &best);
    rh_word_offer("pymaloc", "pymalloc", &best);
    rh_word_offer("pymaloc", "jemalloc", &best);
    assert_string_equal(best, "pymalloc");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_slips),
        cmocka_unit_test(long_words_are_all_different),
        cmocka_unit_test(offers_what_may_have_been_meant),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
