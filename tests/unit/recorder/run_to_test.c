/* A child runs round and round, and is let run to places that it comes by, and to one that it does
 * not; then it goes on as if nothing had been. */
#define _GNU_SOURCE
#include "traces/run_to.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define SOON_NS UINT64_C(100000000)
#define LATE_NS UINT64_C(60000000000)

static volatile sig_atomic_t over, signals;

static void
note_end(int number)
{
    (void)number;
    over = 1;
}

static void
count_signal(int number)
{
    (void)number;
    signals++;
}

__attribute__((noinline)) static void
come_by(void)
{
    __asm__ volatile("");
}

__attribute__((noinline)) static void
never_come_by(void)
{
    __asm__ volatile("nop");
}

static void
go_round(int ready)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGTERM, note_end);
    signal(SIGUSR1, count_signal);
    if (write(ready, "", 1) != 1)
        _exit(1);
    while (!over)
        come_by();
    if (getppid() == 0)
        never_come_by();
    _exit(signals == 1 ? 7 : 1);
}

static uint64_t
place_of(void (*function)(void))
{
    return (uint64_t)(uintptr_t)function;
}

static uint64_t
where(pid_t child)
{
    struct user_regs_struct registers;
    assert_int_equal(ptrace(PTRACE_GETREGS, child, 0, &registers), 0);
    return registers.rip;
}

static void
test_runs_to_a_place(void **state)
{
    (void)state;
    int ends[2], status;
    char word;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0)
        go_round(ends[1]);
    assert_int_equal(read(ends[0], &word, 1), 1);
    if (ptrace(PTRACE_SEIZE, child, 0, 0) != 0) {
        printf("SKIP: the system lets nobody trace: errno %d\n", errno);
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        return;
    }
    ptrace(PTRACE_INTERRUPT, child, 0, 0);
    assert_int_equal(waitpid(child, &status, __WALL), child);

    const uint64_t either[] = {place_of(never_come_by), place_of(come_by)};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(rh_run_to(child, either, 2, LATE_NS), RH_RAN_THERE);
        assert_int_equal(where(child), place_of(come_by));
    }
    assert_int_equal(rh_run_to(child, either, 1, SOON_NS), RH_RAN_NOT);
    /* A signal on the way is the program's. */
    kill(child, SIGUSR1);
    assert_int_equal(rh_run_to(child, either, 1, SOON_NS), RH_RAN_NOT);
    assert_int_equal(rh_run_to(child, either, 0, SOON_NS), RH_RAN_NOT);

    /* It comes by many times more, watched by nobody. */
    assert_int_equal(ptrace(PTRACE_DETACH, child, 0, 0), 0);
    kill(child, SIGTERM);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 7);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_runs_to_a_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
