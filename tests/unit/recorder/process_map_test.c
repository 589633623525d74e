/* What is found from outside is what the process itself sees; so this process looks at itself. */
#define _GNU_SOURCE
#include "traces/process_map.h"

#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* The C library's, also where a sanitizer has put others in their place. */
static uint64_t
own_address(const char *name)
{
    void *libc = dlopen("libc.so.6", RTLD_NOW | RTLD_NOLOAD);
    return libc ? (uint64_t)(uintptr_t)dlsym(libc, name) : 0;
}

static void
test_symbols(void **state)
{
    (void)state;
    static const char *const names[] = {"malloc", "free", "dlopen", "dlsym", "mmap", "getpid"};
    rh_process_map map;
    rh_error error = {0};
    assert_int_equal(rh_process_map_read(getpid(), &map, &error), RH_OK);
    const rh_mapping *libc = rh_process_map_file(&map, "libc.so");
    assert_non_null(libc);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_int_equal(rh_process_map_symbol(&map, libc, names[i]), own_address(names[i]));
    assert_int_equal(rh_process_map_symbol(&map, libc, "no_such_function"), 0);
    assert_int_equal(rh_process_map_symbol(&map, libc, "mallo"), 0);
    const rh_mapping missing = {.path = (char[]){"/no/such/file"}};
    assert_int_equal(rh_process_map_symbol(&map, &missing, "malloc"), 0);
    assert_null(rh_process_map_file(&map, "no_such_library"));
    rh_process_map_release(&map);
}

static void
test_mappings(void **state)
{
    (void)state;
    rh_process_map map;
    rh_error error = {0};
    void *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_int_equal(rh_process_map_read(getpid(), &map, &error), RH_OK);
    const rh_mapping *here = rh_process_map_at(&map, own_address("malloc"));
    assert_non_null(here);
    assert_true(here->executable);
    const rh_mapping *data = rh_process_map_at(&map, (uint64_t)(uintptr_t)page);
    assert_non_null(data);
    assert_false(data->executable);
    assert_null(rh_process_map_at(&map, 1));
    rh_process_map_release(&map);
    munmap(page, 4096);
}

static void
test_none(void **state)
{
    (void)state;
    rh_process_map map;
    rh_error error = {0};
    pid_t gone = fork();
    if (gone == 0)
        _exit(0);
    assert_int_equal(waitpid(gone, NULL, 0), gone);
    assert_int_equal(rh_process_map_read(gone, &map, &error), RH_CANNOT_RUN);
    assert_true(map.problem != 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_symbols),
        cmocka_unit_test(test_mappings),
        cmocka_unit_test(test_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
