/* The lines about types that installed Pythons print, and the same lines from lists filled alike:
 * equal to the byte. */
#define _GNU_SOURCE
// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc/free_lists.h"

#define TEXT_BYTES 65536

/* Blocks to fill lists with: no list of a fresh interpreter is longer. */
static uint64_t blocks[RH_FREE_LIST_COUNT][2000];

static int pythons_compared;

/* Runs a Python; first its minor version, then, in `text`, its lines about types. False when it is
 * none that we know. */
static bool
ask(const char *python, unsigned *minor, char *text)
{
    char command[4400], line[512];
    snprintf(command, sizeof command,
             "'%s' -E -c 'import sys; print(sys.version_info[0], sys.version_info[1], flush=True);"
             " x = [(i,) for i in range(9)]; y = {1: 2}; del x, y; sys._debugmallocstats()' 2>&1",
             python);
    FILE *out = popen(command, "r");
    assert_non_null(out);
    unsigned major = 0;
    size_t length = 0;
    bool known = fscanf(out, "%u %u\n", &major, minor) == 2 && major == 3 &&
                 *minor >= RH_FREE_OLDEST && *minor <= RH_FREE_NEWEST;
    while (fgets(line, sizeof line, out)) {
        size_t bytes = strlen(line);
        if (known && strstr(line, " free ") && strstr(line, " bytes each =") &&
            length + bytes < TEXT_BYTES) {
            memcpy(text + length, line, bytes);
            length += bytes;
        }
    }
    text[length] = '\0';
    pclose(out);
    return known;
}

/* Fills the list that a line is about. */
static void
fill(rh_free_lists *lists, const char *line)
{
    static const struct {
        const char *name;
        rh_free_kind kind;
    } names[] = {
        {"PyCFunctionObjects", RH_FREE_C_FUNCTION}, {"PyDictObjects", RH_FREE_DICT},
        {"PyDictKeysObjects", RH_FREE_DICT_KEYS},   {"PyFloatObjects", RH_FREE_FLOAT},
        {"PyFrameObjects", RH_FREE_FRAME},          {"PyListObjects", RH_FREE_LIST},
        {"PyMethodObjects", RH_FREE_METHOD},
    };
    unsigned count, length;
    char name[64];
    rh_free_list *list = NULL;
    if (sscanf(line, "%u free %u-sized", &count, &length) == 2) {
        list = rh_free_list_of(lists, RH_FREE_TUPLE, length);
    } else if (sscanf(line, "%u free %63s", &count, name) == 2) {
        for (size_t i = 0; i < sizeof names / sizeof *names; i++)
            if (strcmp(names[i].name, name) == 0)
                list = rh_free_list_of(lists, names[i].kind, 0);
    }
    if (!list)
        fail_msg("nobody keeps what this line is about: %s", line);
    size_t place = (size_t)(list - lists->list);
    for (unsigned i = 0; i < count; i++)
        assert_true(rh_free_list_give(list, &blocks[place][i]));
}

static void
compare(const char *python)
{
    static char theirs[TEXT_BYTES];
    unsigned minor;
    if (!ask(python, &minor, theirs))
        return;
    rh_free_lists lists;
    rh_free_lists_init(&lists, minor, false);
    for (const char *line = theirs; *line; line = strchr(line, '\n') + 1)
        fill(&lists, line);
    char *ours;
    size_t length;
    FILE *out = open_memstream(&ours, &length);
    rh_free_lists_print(&lists, out);
    fclose(out);
    assert_string_equal(ours, theirs);
    free(ours);
    print_message("3.%u: %zu bytes of text alike\n", minor, length);
    pythons_compared++;
}

static void
debians_python_prints_the_same(void **state)
{
    (void)state;
    compare("/usr/bin/python3");
    assert_int_equal(pythons_compared, 1);
}

static void
other_pythons_print_the_same(void **state)
{
    (void)state;
    const char *folder = getenv("REHEAP_PYTHONS");
    DIR *versions = folder ? opendir(folder) : NULL;
    if (!versions) {
        print_message("SKIP: REHEAP_PYTHONS names no folder of interpreters\n");
        skip();
    }
    const struct dirent *entry;
    while ((entry = readdir(versions))) {
        char python[4200];
        snprintf(python, sizeof python, "%s/%s/bin/python3", folder, entry->d_name);
        compare(python);
    }
    closedir(versions);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(debians_python_prints_the_same),
        cmocka_unit_test(other_pythons_print_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
