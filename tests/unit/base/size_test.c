/* What is written reads back; what does not fit is refused, never wrapped. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "base/size.h"

static void
reads(const char *text, uint64_t expected)
{
    uint64_t value = 42;
    if (!rh_size_parse(text, &value))
        fail_msg("'%s' was refused", text);
    if (value != expected)
        fail_msg("'%s' read as %" PRIu64, text, value);
}

static void
refuses(const char *text)
{
    uint64_t value = 42;
    if (rh_size_parse(text, &value))
        fail_msg("'%s' was taken for %" PRIu64, text, value);
    assert_int_equal(value, 42);
}

static void
reads_time(const char *text, uint64_t expected)
{
    uint64_t ns = 42;
    if (rh_time_parse(text, &ns) != (expected != UINT64_MAX) ||
        ns != (expected == UINT64_MAX ? 42 : expected))
        fail_msg("'%s' read as %" PRIu64, text, ns);
}

static void
reads_times(void **state)
{
    (void)state;
    reads_time("20ms", 20000000);
    reads_time("1.5s", 1500000000);
    reads_time("0s", 0);
    reads_time("7us", 7000);
    reads_time("10m", UINT64_C(600000000000));
    reads_time("2h", UINT64_C(7200000000000));
    const char *const none[] = {"",     "s",   "1",    "1 s",  "-1s",    "1ns", "1.5",
                                "1e3s", "inf", "nans", "0x1s", "1.2.3s", "1S",  "999999999999s"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        reads_time(none[i], UINT64_MAX);
}

static void
reads_counts(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t expected;
    } counts[] = {{"0", 0},
                  {"1024", 1024},
                  {"1K", 1000},
                  {"10m", 10000000},
                  {"3G", 3000000000},
                  {"2T", 2000000000000},
                  {"18446744073709551615", UINT64_MAX},
                  {"18446744T", UINT64_C(18446744000000000000)}};
    uint64_t value = 42;
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        assert_true(rh_count_parse(counts[i].text, &value));
        assert_int_equal(value, counts[i].expected);
    }
    const char *const none[] = {"", "K", "1KB", "1 K", "-1", "18446745T", "1P"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        assert_false(rh_count_parse(none[i], &value));
}

static void
reads_numbers_and_suffixes(void **state)
{
    (void)state;
    reads("0", 0);
    reads("007", 7);
    reads("4096", 4096);
    reads("4K", 4096);
    reads("4k", 4096);
    reads("1M", 1u << 20);
    reads("3G", 3u * ((uint64_t)1 << 30));
    reads("2t", (uint64_t)2 << 40);
    reads("0T", 0);
}

static void
reads_up_to_64_bits_and_not_beyond(void **state)
{
    (void)state;
    reads("18446744073709551615", UINT64_MAX);
    refuses("18446744073709551616");
    refuses("18446744073709551620");
    refuses("99999999999999999999999999");
    reads("18014398509481983K", UINT64_MAX - 1023);
    refuses("18014398509481984K");
    reads("16777215T", (uint64_t)16777215 << 40);
    refuses("16777216T");
}

static void
refuses_everything_else(void **state)
{
    (void)state;
    static const char *const bad[] = {"",     " ",    " 1", "1 ",  "-1",  "+1",  "K",   "1KB",
                                      "1.5M", "0x10", "1P", "1E3", "1KK", "ten", "1\n", "1,024"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        refuses(bad[i]);
}

static void
exact_is_shortest_and_reads_back(void **state)
{
    (void)state;
    char text[RH_SIZE_TEXT];
    assert_string_equal(rh_size_exact(0, text, sizeof text), "0");
    assert_string_equal(rh_size_exact(1023, text, sizeof text), "1023");
    assert_string_equal(rh_size_exact(1024, text, sizeof text), "1K");
    assert_string_equal(rh_size_exact(1536, text, sizeof text), "1536");
    assert_string_equal(rh_size_exact((uint64_t)1 << 20, text, sizeof text), "1M");
    assert_string_equal(rh_size_exact((uint64_t)1 << 50, text, sizeof text), "1024T");

    rh_random random = {.state = 2};
    for (int i = 0; i < 10000; i++) {
        uint64_t number = rh_random_next(&random) >> rh_random_below(&random, 64)
                                                         << rh_random_below(&random, 20);
        reads(rh_size_exact(number, text, sizeof text), number);
    }
    reads(rh_size_exact(UINT64_MAX, text, sizeof text), UINT64_MAX);
}

static void
human_has_three_digits_and_a_unit(void **state)
{
    (void)state;
    static const struct {
        uint64_t bytes;
        const char *text;
    } cases[] = {
        {0, "0 B"},
        {999, "999 B"},
        {1000, "0.98 KiB"},
        {1024, "1.00 KiB"},
        {1536, "1.50 KiB"},
        {10240, "10.0 KiB"},
        {1023 * 1024, "1.00 MiB"},
        {1 << 20, "1.00 MiB"},
        {100 << 20, "100 MiB"},
        {UINT64_MAX, "16.0 EiB"},
    };
    char text[RH_SIZE_TEXT];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(rh_size_human(cases[i].bytes, text, sizeof text), cases[i].text);
}

static void
times_are_read_by_people(void **state)
{
    (void)state;
    static const struct {
        uint64_t ns;
        const char *text;
    } cases[] = {
        {0, "0 ns"},
        {999, "999 ns"},
        {1000, "1.00 µs"},
        {9994, "9.99 µs"},
        {9996, "10.0 µs"},
        {99949, "99.9 µs"},
        {999499, "999 µs"},
        {999500, "1.00 ms"},
        {123456789, "123 ms"},
        {1500000000, "1.50 s"},
        {UINT64_C(90000) * 1000000000, "90000 s"},
        {UINT64_MAX, "18446744074 s"},
    };
    char text[RH_SIZE_TEXT];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(rh_time_human(cases[i].ns, text, sizeof text), cases[i].text);
}

static void
groups_by_thousands(void **state)
{
    (void)state;
    char text[RH_SIZE_TEXT];
    assert_string_equal(rh_count_grouped(0, text, sizeof text), "0");
    assert_string_equal(rh_count_grouped(999, text, sizeof text), "999");
    assert_string_equal(rh_count_grouped(1000, text, sizeof text), "1,000");
    assert_string_equal(rh_count_grouped(1048576, text, sizeof text), "1,048,576");
    assert_string_equal(rh_count_grouped(UINT64_MAX, text, sizeof text),
                        "18,446,744,073,709,551,615");
}

static void
never_writes_beyond_the_buffer(void **state)
{
    (void)state;
    for (size_t capacity = 1; capacity < RH_SIZE_TEXT; capacity++) {
        char text[RH_SIZE_TEXT + 1];
        memset(text, '#', sizeof text);
        rh_count_grouped(UINT64_MAX, text, capacity);
        assert_non_null(memchr(text, '\0', capacity));
        assert_int_equal(text[capacity], '#');
        memset(text, '#', sizeof text);
        rh_size_exact(UINT64_MAX, text, capacity);
        assert_non_null(memchr(text, '\0', capacity));
        assert_int_equal(text[capacity], '#');
        memset(text, '#', sizeof text);
        rh_size_human(UINT64_MAX, text, capacity);
        assert_non_null(memchr(text, '\0', capacity));
        assert_int_equal(text[capacity], '#');
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_numbers_and_suffixes),
        cmocka_unit_test(reads_counts),
        cmocka_unit_test(reads_times),
        cmocka_unit_test(reads_up_to_64_bits_and_not_beyond),
        cmocka_unit_test(refuses_everything_else),
        cmocka_unit_test(exact_is_shortest_and_reads_back),
        cmocka_unit_test(human_has_three_digits_and_a_unit),
        cmocka_unit_test(times_are_read_by_people),
        cmocka_unit_test(groups_by_thousands),
        cmocka_unit_test(never_writes_beyond_the_buffer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
