/* The statistics text: who prints it, and that its figures add up. */
#define _GNU_SOURCE
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/pymem_contract/suite.h"

/* The text, to be freed; what was returned in *printed. */
static char *
statistics(int *printed)
{
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    assert_non_null(out);
    *printed = _PyObject_DebugMallocStats(out);
    fclose(out);
    return text;
}

/* The number after the '=' of the first line at or after `text` that has `label` in it. */
static uint64_t
figure(const char *text, const char *label)
{
    const char *line = strstr(text, label);
    if (!line)
        fail_msg("there is no line of %s in\n%s", label, text);
    uint64_t number = 0;
    for (const char *at = strchr(line, '=') + 1; *at != '\n'; at++)
        if (isdigit((unsigned char)*at))
            number = number * 10 + (uint64_t)(*at - '0');
    return number;
}

static void
add_up(const char *text)
{
    static const char *const parts[] = {"# bytes in allocated blocks",
                                        "# bytes in available blocks",
                                        " unused pools * ",
                                        "# bytes lost to pool headers",
                                        "# bytes lost to quantization",
                                        "# bytes lost to arena alignment"};
    uint64_t sum = 0;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        sum += figure(text, parts[i]);
    assert_int_equal(sum, figure(text, "\nTotal"));
    assert_int_equal(sum, figure(text, "# arenas allocated current") * configuration.arena_bytes);
    assert_int_equal(figure(text, "# arenas allocated total") - figure(text, "# arenas reclaimed"),
                     figure(text, "# arenas allocated current"));
    assert_true(figure(text, "# arenas highwater mark") >=
                figure(text, "# arenas allocated current"));
}

static void
the_right_ones_print(void **state)
{
    (void)state;
    int printed;
    char *text = statistics(&printed);
    /* Tracing stands over OBJ like any hook. */
    bool expected = (configuration.pymalloc || configuration.mimalloc) && !configuration.tracing;
    assert_int_equal(printed, expected);
    assert_int_equal(strlen(text) > 0, expected);
    if (expected)
        assert_true(strncmp(text, "Small block threshold = ", 24) == 0);
    free(text);
}

static void
a_hook_silences_them(void **state)
{
    (void)state;
    struct counting_hook hook;
    int printed;
    put_hook(&hook, PYMEM_DOMAIN_OBJ);
    char *text = statistics(&printed);
    take_hook(&hook);
    assert_int_equal(printed, 0);
    assert_int_equal(strlen(text), 0);
    free(text);
}

static void
figures_add_up(void **state)
{
    (void)state;
    if (!configuration.pymalloc || configuration.tracing)
        skip();
    enum { BLOCKS = 20000 };
    static void *block[BLOCKS];
    rh_random random = {11};
    int printed;
    for (int round = 0; round < 6; round++) {
        for (size_t i = 0; i < BLOCKS; i++) {
            const struct family *f = &families[PYMEM_DOMAIN_MEM + i % 2];
            if (rh_random_below(&random, 3) == 0)
                continue;
            f->free(block[i]);
            block[i] = f->malloc(rh_random_below(&random, 600));
        }
        char *text = statistics(&printed);
        add_up(text);
        free(text);
    }
    for (size_t i = 0; i < BLOCKS; i++) {
        families[PYMEM_DOMAIN_MEM + i % 2].free(block[i]);
        block[i] = NULL;
    }
    char *text = statistics(&printed);
    add_up(text);
    free(text);
}

/* So many blocks more of a size are so many bytes more. */
static void
blocks_are_counted(void **state)
{
    (void)state;
    if (!configuration.pymalloc || configuration.tracing)
        skip();
    enum { BLOCKS = 1000, BYTES = 200 };
    static void *block[BLOCKS];
    int printed;
    char *before = statistics(&printed);
    for (size_t i = 0; i < BLOCKS; i++)
        block[i] = PyObject_Malloc(BYTES);
    char *after = statistics(&printed);
    size_t block_bytes = (BYTES + configuration.decoration + 15) / 16 * 16;
    size_t grown = figure(after, "# bytes in allocated blocks") -
                   figure(before, "# bytes in allocated blocks");
    assert_int_equal(grown, BLOCKS * block_bytes);
    for (size_t i = 0; i < BLOCKS; i++)
        PyObject_Free(block[i]);
    free(after);
    after = statistics(&printed);
    assert_int_equal(figure(after, "# bytes in allocated blocks"),
                     figure(before, "# bytes in allocated blocks"));
    free(before);
    free(after);
}

const struct CMUnitTest statistics_tests[] = {
    cmocka_unit_test(the_right_ones_print),
    cmocka_unit_test(a_hook_silences_them),
    cmocka_unit_test(figures_add_up),
    cmocka_unit_test(blocks_are_counted),
};

const size_t statistics_test_count = sizeof statistics_tests / sizeof *statistics_tests;
