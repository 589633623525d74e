/* Every call is counted, also one that goes to the kernel past the C library, and no other. */
#define _GNU_SOURCE
#include "replay/system_watch.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

enum { PAGE = 4096 };

static char *
map_directly(size_t bytes)
{
    return (char *)syscall(SYS_mmap, NULL, bytes, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS, -1, 0L);
}

/* 3 mmap, 1 mremap, 2 madvise, 1 mprotect, 2 brk, 2 munmap, and some that are none of these. */
static void *
call_some(void *unused)
{
    (void)unused;
    char *first = map_directly(4 * PAGE), *second = map_directly(PAGE);
    char *third = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    first = (char *)syscall(SYS_mremap, first, 4L * PAGE, 2L * PAGE, MREMAP_MAYMOVE);
    madvise(first, PAGE, MADV_DONTNEED);
    madvise(first, PAGE, MADV_DONTNEED);
    mprotect(third, PAGE, PROT_NONE);
    syscall(SYS_brk, 0L);
    syscall(SYS_brk, 0L);
    munmap(first, 2 * PAGE);
    munmap(second, PAGE);
    getpid();
    close(-1);
    return NULL;
}

static void
calls_are_counted(void **state)
{
    (void)state;
    static const uint64_t expected[RH_SYSTEM_CALL_COUNT] = {
        [RH_SYSTEM_mmap] = 3,    [RH_SYSTEM_munmap] = 2,   [RH_SYSTEM_mremap] = 1,
        [RH_SYSTEM_madvise] = 2, [RH_SYSTEM_mprotect] = 1, [RH_SYSTEM_brk] = 2,
    };
    uint64_t before[RH_SYSTEM_CALL_COUNT], after[RH_SYSTEM_CALL_COUNT];
    if (!rh_system_watch_start()) {
        print_message("SKIP: this kernel lets no process watch its own calls\n");
        return;
    }
    for (uint64_t round = 1; round <= 3; round++) {
        rh_system_watch_read(before);
        call_some(NULL);
        rh_system_watch_read(after);
        for (int i = 0; i < RH_SYSTEM_CALL_COUNT; i++)
            assert_int_equal(after[i] - before[i], expected[i]);
    }
    /* A thread that is started later is watched as well; starting it takes some calls of its own.
     */
    pthread_t thread;
    rh_system_watch_read(before);
    assert_int_equal(pthread_create(&thread, NULL, call_some, NULL), 0);
    pthread_join(thread, NULL);
    rh_system_watch_read(after);
    for (int i = 0; i < RH_SYSTEM_CALL_COUNT; i++)
        assert_true(after[i] - before[i] >= expected[i]);
    assert_int_equal(after[RH_SYSTEM_mremap] - before[RH_SYSTEM_mremap], 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(calls_are_counted)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
