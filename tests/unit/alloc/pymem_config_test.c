/* Which allocators a configuration puts into the domains, how that is told by name, and what
 * statistics there are. Each test runs in a process of its own: what it sets stays with it. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "alloc/c_library.h"
#include "alloc/pymem.h"
#include "alloc/pymem_config.h"
#include "tests/apart.h"

static const rh_python_build as_it_comes, free_threaded = {.free_threaded = true},
                                          debug_build = {.debug = true},
                                          without_pymalloc = {.without_pymalloc = true};

static bool
is_current(const char *name)
{
    const char *found = rh_pymem_current_name();
    bool same = found && name ? strcmp(found, name) == 0 : found == name;
    if (!same)
        fprintf(stderr, "%s instead of %s\n", found ? found : "none", name ? name : "none");
    return same;
}

/* A block of every domain, grown through sizes that pools serve and do not, and freed. */
static int
use_domains(void)
{
    for (size_t size = 0; size < 3000; size += 123) {
        void *raw = PyMem_RawMalloc(size), *mem = PyMem_Calloc(1, size),
             *object = PyObject_Malloc(size);
        EXPECT(raw && mem && object);
        raw = PyMem_RawRealloc(raw, 2 * size);
        mem = PyMem_Realloc(mem, size / 2);
        object = PyObject_Realloc(object, size + 1);
        EXPECT(raw && mem && object);
        PyMem_RawFree(raw);
        PyMem_Free(mem);
        PyObject_Free(object);
    }
    return 0;
}

/* ---- names ---- */

typedef struct wish {
    const char *name, *version;
    const rh_python_build *build;
    const char *current;
} wish;

static int
configure_and_use(const void *argument)
{
    const wish *w = argument;
    rh_error error;
    rh_status status = rh_pymem_configure(w->name, w->version, w->build, &error);
    if (status != RH_OK)
        fprintf(stderr, "%s\n", error.message);
    if (status == RH_CANNOT_RUN)
        return 0; /* no mimalloc here; the scripts say SKIP */
    EXPECT(status == RH_OK);
    EXPECT(is_current(w->current));
    EXPECT(use_domains() == 0);
    EXPECT(is_current(w->current));
    return 0;
}

static void
every_configuration_serves_and_has_its_name(void **state)
{
    (void)state;
    static const wish wishes[] = {
        {NULL, NULL, NULL, "pymalloc"},
        {"", NULL, NULL, "pymalloc"},
        {"default", NULL, NULL, "pymalloc"},
        {"debug", NULL, NULL, "pymalloc_debug"},
        {"pymalloc", "3.7", NULL, "pymalloc"},
        {"pymalloc_debug", "3.7", NULL, "pymalloc_debug"},
        {"malloc", NULL, NULL, "malloc"},
        {"malloc_debug", NULL, NULL, "malloc_debug"},
        {"mimalloc", "3.13", NULL, "mimalloc"},
        {"mimalloc_debug", "3.14", NULL, "mimalloc_debug"},
        {"mimalloc", "3.15", NULL, "mimalloc"},
        {"mimalloc_debug", "3.15", NULL, "mimalloc_debug"},
        {NULL, "3.13", &free_threaded, "mimalloc"},
        {"debug", "3.15", &free_threaded, "mimalloc_debug"},
        {NULL, NULL, &debug_build, "pymalloc_debug"},
        {"default", NULL, &debug_build, "pymalloc_debug"},
        {"pymalloc", NULL, &debug_build, "pymalloc"},
        {NULL, NULL, &without_pymalloc, "malloc"},
        {"debug", NULL, &without_pymalloc, "malloc_debug"},
    };
    for (size_t i = 0; i < sizeof wishes / sizeof wishes[0]; i++)
        apart(configure_and_use, &wishes[i]);
}

static void *
my_malloc(void *ctx, size_t size)
{
    (void)ctx;
    return malloc(size ? size : 1);
}

static int
hooks_have_no_name(const void *unused)
{
    (void)unused;
    PyMemAllocatorEx before, mine;
    for (int i = 0; i < 3; i++) {
        PyMemAllocatorDomain domain = (PyMemAllocatorDomain)i;
        PyMem_GetAllocator(domain, &before);
        mine = before;
        mine.malloc = my_malloc;
        PyMem_SetAllocator(domain, &mine);
        EXPECT(is_current(NULL));
        PyMem_SetAllocator(domain, &before);
        EXPECT(is_current("pymalloc"));
    }
    /* Hooks on one domain alone are nobody's configuration. */
    PyMem_SetupDebugHooks();
    EXPECT(is_current("pymalloc_debug"));
    PyMem_SetAllocator(PYMEM_DOMAIN_OBJ, &before);
    EXPECT(is_current(NULL));
    return 0;
}

static void
what_is_no_configuration_has_no_name(void **state)
{
    (void)state;
    apart(hooks_have_no_name, NULL);
}

/* ---- what was set before ---- */

static PyMemAllocatorEx
mine_of(PyMemAllocatorDomain domain)
{
    PyMemAllocatorEx allocator;
    PyMem_GetAllocator(domain, &allocator);
    allocator.malloc = my_malloc;
    return allocator;
}

static int
set_before(const void *name)
{
    PyMemAllocatorEx mine = mine_of(PYMEM_DOMAIN_RAW), found;
    PyMem_SetAllocator(PYMEM_DOMAIN_RAW, &mine);
    EXPECT(rh_pymem_configure(name, NULL, NULL, NULL) == RH_OK);
    PyMem_GetAllocator(PYMEM_DOMAIN_RAW, &found);
    bool survived = memcmp(&found, &mine, sizeof mine) == 0;
    EXPECT(survived == (name == NULL));
    EXPECT(is_current(name ? "pymalloc" : NULL));
    return 0;
}

static int
set_before_a_build_with_other_defaults(const void *unused)
{
    (void)unused;
    PyMemAllocatorEx mine = mine_of(PYMEM_DOMAIN_MEM), found;
    PyMem_SetAllocator(PYMEM_DOMAIN_MEM, &mine);
    EXPECT(rh_pymem_configure(NULL, NULL, &without_pymalloc, NULL) == RH_OK);
    PyMem_GetAllocator(PYMEM_DOMAIN_MEM, &found);
    EXPECT(memcmp(&found, &mine, sizeof mine) == 0);
    PyMem_GetAllocator(PYMEM_DOMAIN_OBJ, &found);
    EXPECT(memcmp(&found, &rh_c_library, sizeof found) == 0);
    return 0;
}

static void
what_was_set_before_stays_unless_there_is_a_name(void **state)
{
    (void)state;
    apart(set_before, NULL);
    apart(set_before, "default");
    apart(set_before, "pymalloc");
    apart(set_before_a_build_with_other_defaults, NULL);
}

/* ---- refusals ---- */

static int
refuse(const void *unused)
{
    (void)unused;
    rh_error error;
    PyMemAllocatorEx before[3], after;
    for (int i = 0; i < 3; i++)
        PyMem_GetAllocator((PyMemAllocatorDomain)i, &before[i]);
    EXPECT(rh_pymem_configure("nosuch", NULL, NULL, &error) == RH_USAGE);
    EXPECT(strstr(error.message, "nosuch"));
    EXPECT(rh_pymem_configure("mimalloc", "3.12", NULL, &error) == RH_USAGE);
    EXPECT(strstr(error.message, "3.13"));
    EXPECT(rh_pymem_configure("pymalloc", "3.13", &free_threaded, NULL) == RH_USAGE);
    EXPECT(rh_pymem_configure("malloc", "2.7", NULL, NULL) == RH_USAGE);
    for (int i = 0; i < 3; i++) {
        PyMem_GetAllocator((PyMemAllocatorDomain)i, &after);
        EXPECT(memcmp(&after, &before[i], sizeof after) == 0);
    }
    return 0;
}

/* pymalloc is one to a process, and one version's. */
static int
refuse_second_version(const void *unused)
{
    (void)unused;
    rh_error error;
    EXPECT(rh_pymem_configure(NULL, "3.9", &as_it_comes, NULL) == RH_OK);
    EXPECT(rh_pymem_configure(NULL, "3.10", &as_it_comes, NULL) == RH_OK); /* not used yet */
    PyObject_Free(PyObject_Malloc(1));
    EXPECT(rh_pymem_configure("pymalloc", "3.10.13", NULL, NULL) == RH_OK);
    EXPECT(rh_pymem_configure("pymalloc", "3.9", NULL, &error) == RH_USAGE);
    EXPECT(strstr(error.message, "3.10") && strstr(error.message, "3.9"));
    EXPECT(is_current("pymalloc"));
    return 0;
}

static void
what_there_is_not_is_refused_and_changes_nothing(void **state)
{
    (void)state;
    apart(refuse, NULL);
    apart(refuse_second_version, NULL);
}

/* ---- statistics ---- */

/* What _PyObject_DebugMallocStats prints, from malloc; NULL when it says that it printed nothing,
 * and did. */
static char *
statistics(void)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    int printed = _PyObject_DebugMallocStats(out);
    fclose(out);
    if ((size != 0) != (printed == 1)) {
        fprintf(stderr, "%zu characters, and says %d\n", size, printed);
        abort();
    }
    if (printed)
        return text;
    free(text);
    return NULL;
}

static int
pymalloc_statistics(const void *unused)
{
    (void)unused;
    char *text = statistics();
    EXPECT(text && strstr(text, "\n0 arenas * 1048576 bytes/arena"));
    free(text);
    void *block = PyObject_Malloc(100);
    text = statistics();
    EXPECT(text && strstr(text, "\n1 arenas * 1048576 bytes/arena"));
    EXPECT(strstr(text, "\n    6    112           1               1           144\n"));
    free(text);
    PyObject_Free(block);
    /* Directly under the debug hooks it speaks; under anybody's hook it does not. */
    PyMem_SetupDebugHooks();
    text = statistics();
    EXPECT(text);
    free(text);
    PyMemAllocatorEx mine = mine_of(PYMEM_DOMAIN_OBJ);
    PyMem_SetAllocator(PYMEM_DOMAIN_OBJ, &mine);
    EXPECT(!statistics());
    return 0;
}

static int
other_statistics(const void *name)
{
    rh_status status = rh_pymem_configure(name, "3.13", NULL, NULL);
    if (status == RH_CANNOT_RUN)
        return 0;
    EXPECT(status == RH_OK);
    PyObject_Free(PyObject_Malloc(100));
    char *text = statistics();
    bool is_mimalloc = strncmp(name, "mimalloc", 8) == 0;
    EXPECT(!text == !is_mimalloc);
    EXPECT(!text || strstr(text, "Medium block threshold"));
    free(text);
    return 0;
}

static void
statistics_are_those_of_the_allocator_of_objects(void **state)
{
    (void)state;
    apart(pymalloc_statistics, NULL);
    apart(other_statistics, "malloc");
    apart(other_statistics, "malloc_debug");
    apart(other_statistics, "mimalloc");
    apart(other_statistics, "mimalloc_debug");
}

/* Lines of a file that begin with a text. */
static int
count_lines(FILE *file, const char *beginning)
{
    char line[256];
    int count = 0;
    rewind(file);
    while (fgets(line, sizeof line, file))
        count += strncmp(line, beginning, strlen(beginning)) == 0;
    return count;
}

static int
statistics_at_arenas(const void *unused)
{
    (void)unused;
    FILE *file = tmpfile();
    EXPECT(file && dup2(fileno(file), STDERR_FILENO) == STDERR_FILENO);
    rh_pymem_print_stats_at_arenas(true);
    PyMem_RawFree(PyMem_RawMalloc(10));
    fflush(stderr);
    EXPECT(count_lines(file, "Small block") == 0);
    PyObject_Free(PyObject_Malloc(10));
    fflush(stderr);
    EXPECT(count_lines(file, "Small block") == 1);
    EXPECT(count_lines(file, "0 arenas * ") == 1);
    for (int i = 0; i < 2100; i++) /* 1 MiB and no more */
        EXPECT(PyObject_Malloc(500));
    fflush(stderr);
    EXPECT(count_lines(file, "1 arenas * ") == 1);
    rh_pymem_print_stats_at_arenas(false);
    for (int i = 0; i < 2100; i++)
        EXPECT(PyObject_Malloc(500));
    fflush(stderr);
    EXPECT(count_lines(file, "Small block") == 2);
    return 0;
}

static void
statistics_are_printed_before_each_arena(void **state)
{
    (void)state;
    apart(statistics_at_arenas, NULL);
}

/* ---- the environment ---- */

static int
by_environment(const void *argument)
{
    const wish *w = argument;
    if (w->name)
        setenv("PYTHONMALLOC", w->name, 1);
    if (w->version)
        setenv("REHEAP_PYTHON_VERSION", w->version, 1);
    rh_error error;
    rh_status status = rh_pymem_configure_by_environment(&error);
    if (w->current) {
        EXPECT(status == RH_OK);
        EXPECT(is_current(w->current));
        return 0;
    }
    EXPECT(status == RH_USAGE);
    EXPECT(strncmp(error.message, "Fatal Python error: ", 20) == 0);
    return 0;
}

static void
the_environment_chooses(void **state)
{
    (void)state;
    static const wish wishes[] = {
        {NULL, NULL, NULL, "pymalloc"},    {"", "", NULL, "pymalloc"},
        {"malloc", "3.9", NULL, "malloc"}, {"debug", NULL, NULL, "pymalloc_debug"},
        {"mimalloc", "3.12", NULL, NULL},  {"Debug", NULL, NULL, NULL},
        {"Debug", "3.7", NULL, NULL},
    };
    unsetenv("PYTHONMALLOC");
    unsetenv("PYTHONDEVMODE");
    unsetenv("PYTHONMALLOCSTATS");
    unsetenv("REHEAP_PYTHON_VERSION");
    unsetenv("REHEAP_PYTHON_BUILD");
    for (size_t i = 0; i < sizeof wishes / sizeof wishes[0]; i++)
        apart(by_environment, &wishes[i]);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_configuration_serves_and_has_its_name),
        cmocka_unit_test(what_is_no_configuration_has_no_name),
        cmocka_unit_test(what_was_set_before_stays_unless_there_is_a_name),
        cmocka_unit_test(what_there_is_not_is_refused_and_changes_nothing),
        cmocka_unit_test(statistics_are_those_of_the_allocator_of_objects),
        cmocka_unit_test(statistics_are_printed_before_each_arena),
        cmocka_unit_test(the_environment_chooses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
