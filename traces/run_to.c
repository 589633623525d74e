#define _GNU_SOURCE
#include "traces/run_to.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>

#include "base/host.h"

enum { CONTROL = 7, POLL_NS = 200000 };

static bool
set_register(pid_t thread, unsigned number, uint64_t value)
{
    const size_t place = offsetof(struct user, u_debugreg) + number * sizeof(uint64_t);
    return ptrace(PTRACE_POKEUSER, thread, place, value) == 0;
}

/* Of the control register: an instruction's address in each of the others, two bits for each. */
static bool
watch(pid_t thread, const uint64_t *places, unsigned count)
{
    uint64_t control = 0;
    bool good = true;
    for (unsigned i = 0; i < count && i < RH_RUN_TO_PLACES; i++) {
        good = good && set_register(thread, i, places[i]);
        control |= UINT64_C(1) << 2 * i;
    }
    return good && set_register(thread, CONTROL, control);
}

static bool
is_watched_place(pid_t thread, int status)
{
    siginfo_t information;
    return status >> 8 == SIGTRAP && ptrace(PTRACE_GETSIGINFO, thread, 0, &information) == 0 &&
           information.si_code == TRAP_HWBKPT;
}

static rh_ran
await_place(pid_t thread, uint64_t until_ns)
{
    bool interrupted = false;
    for (;;) {
        int status;
        pid_t got = waitpid(thread, &status, __WALL | (interrupted ? 0 : WNOHANG));
        if (got < 0 && errno == EINTR)
            continue;
        if (got == 0 && rh_host_now_ns() < until_ns) {
            nanosleep(&(struct timespec){.tv_nsec = POLL_NS}, NULL);
            continue;
        }
        if (got == 0) {
            interrupted = true;
            ptrace(PTRACE_INTERRUPT, thread, 0, 0);
            continue;
        }
        if (got != thread || !WIFSTOPPED(status))
            return RH_RAN_TO_END;
        if (is_watched_place(thread, status))
            return RH_RAN_THERE;
        if (status >> 16 == PTRACE_EVENT_STOP)
            return RH_RAN_NOT;
        ptrace(PTRACE_CONT, thread, 0, status >> 16 ? 0 : WSTOPSIG(status));
    }
}

rh_ran
rh_run_to(pid_t thread, const uint64_t *places, unsigned count, uint64_t within_ns)
{
    rh_ran ran = RH_RAN_NOT;
    if (count && watch(thread, places, count) && ptrace(PTRACE_CONT, thread, 0, 0) == 0)
        ran = await_place(thread, rh_host_now_ns() + within_ns);
    if (ran != RH_RAN_TO_END)
        set_register(thread, CONTROL, 0);
    return ran;
}
