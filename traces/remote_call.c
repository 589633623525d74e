#define _GNU_SOURCE
#include "traces/remote_call.h"

#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "traces/run_to.h"

enum {
    ROUND_NS = 10000000,
    CALL_POLL_NS = 500000,
    CALL_POLLS = 40000, /* about 20 s */
    STATE_BYTES = 16 << 10,
    STACK_BYTES = 256 << 10,
    TEXT_BYTES = 8 << 10, /* above the stack */
    RED_ZONE_BYTES = 128,
    SCANNED_WORDS = 64,
    DIRECTION_FLAG = 0x400
};

/* How long a thread at a safe place is looked for, and how long one is given to get to such a
 * place. */
#define PATIENCE_NS UINT64_C(5000000000)
#define LEAVE_NS    UINT64_C(200000000)

struct rh_remote {
    const rh_process_map *map;
    rh_meanwhile meanwhile;
    pid_t thread;
    struct user_regs_struct saved;
    unsigned char state[STATE_BYTES]; /* vector registers and the like */
    size_t state_bytes;
    uint64_t signals; /* held by the thread */
    uint64_t stack, text_used;
};

/* ---- permission ---- */

static int
read_number(const char *path)
{
    FILE *file = fopen(path, "re");
    int number = -1;
    if (file && fscanf(file, "%d", &number) != 1)
        number = -1;
    if (file)
        fclose(file);
    return number;
}

/* A number from /proc/PID/status; -1: not there. */
static int
status_number(pid_t process, const char *name)
{
    char path[64], line[256];
    int number = -1;
    snprintf(path, sizeof path, "/proc/%d/status", (int)process);
    FILE *file = fopen(path, "re");
    while (file && fgets(line, sizeof line, file)) {
        if (strncmp(line, name, strlen(name)) == 0)
            number = atoi(line + strlen(name));
    }
    if (file)
        fclose(file);
    return number;
}

rh_status
rh_remote_refused(pid_t process, int problem, rh_error *error)
{
    int scope = read_number("/proc/sys/kernel/yama/ptrace_scope");
    int owner = status_number(process, "Uid:"), tracer = status_number(process, "TracerPid:");
    const int id = (int)process;
    if (problem == ESRCH)
        return rh_fail(error, RH_CANNOT_RUN, "process %d: it has ended", id);
    if (tracer > 0)
        return rh_fail(error, RH_CANNOT_RUN,
                       "process %d: process %d (a debugger, strace?) traces it already, and only "
                       "one can; end that first",
                       id, tracer);
    if (owner >= 0 && geteuid() != 0 && owner != (int)geteuid())
        return rh_fail(error, RH_CANNOT_RUN,
                       "process %d: it belongs to user %d; attach as that user, or as root", id,
                       owner);
    if (scope >= 3)
        return rh_fail(
            error, RH_CANNOT_RUN,
            "process %d: this system lets nobody attach to a process until it is booted "
            "anew (kernel.yama.ptrace_scope is %d); start the program with `reheap record`",
            id, scope);
    if (scope >= 1 && geteuid() != 0)
        return rh_fail(error, RH_CANNOT_RUN,
                       "process %d: this system lets only %s attach (kernel.yama.ptrace_scope is "
                       "%d); attach as root, or `sysctl kernel.yama.ptrace_scope=0` as root first",
                       id, scope == 1 ? "a process's parents" : "root", scope);
    return rh_fail_errno(error, RH_CANNOT_RUN, problem,
                         "process %d: the system does not let us attach (a container without "
                         "CAP_SYS_PTRACE, or a program that keeps debuggers out)",
                         id);
}

/* ---- stopping ---- */

/* Waits until the thread stands still by our wish; passes on what else comes. False: it has ended.
 */
static bool
await_stop(pid_t thread)
{
    for (;;) {
        int status;
        pid_t got = waitpid(thread, &status, __WALL);
        if (got < 0 && errno == EINTR)
            continue;
        if (got != thread || !WIFSTOPPED(status))
            return false;
        if (status >> 16 == PTRACE_EVENT_STOP)
            return true;
        ptrace(PTRACE_CONT, thread, 0, WSTOPSIG(status));
    }
}

/* System calls that end with EINTR for good when the thread is stopped are begun anew. */
static bool
ends_by_interruption(uint64_t call)
{
    return call == SYS_epoll_wait || call == SYS_epoll_pwait || call == SYS_semop ||
           call == SYS_semtimedop || call == SYS_rt_sigtimedwait || call == SYS_io_getevents;
}

static void
begin_call_anew(struct user_regs_struct *registers)
{
    if ((int64_t)registers->rax != -EINTR || !ends_by_interruption(registers->orig_rax))
        return;
    registers->rip -= 2;
    registers->rax = registers->orig_rax;
    registers->orig_rax = (unsigned long long)-1;
}

static void
let_go(pid_t thread, struct user_regs_struct *registers)
{
    begin_call_anew(registers);
    ptrace(PTRACE_SETREGS, thread, 0, registers);
    ptrace(PTRACE_DETACH, thread, 0, 0);
}

/* ---- safe places ---- */

/* Neither the loader nor an allocator makes these. */
static bool
waits_outside(uint64_t call)
{
    static const uint64_t calls[] = {
        SYS_poll,        SYS_ppoll,  SYS_select,          SYS_pselect6,        SYS_epoll_wait,
        SYS_epoll_pwait, SYS_accept, SYS_accept4,         SYS_recvfrom,        SYS_recvmsg,
        SYS_nanosleep,   SYS_wait4,  SYS_waitid,          SYS_pause,           SYS_rt_sigsuspend,
        SYS_connect,     SYS_sendto, SYS_sendmsg,         SYS_clock_nanosleep, SYS_flock,
        SYS_semop,       SYS_msgrcv, SYS_rt_sigtimedwait,
    };
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        if (calls[i] == call)
            return true;
    }
    return false;
}

/* Whose code holds the locks in question. The recorder's own stands between a program and its
 * allocator. */
static bool
is_sensitive(const rh_mapping *mapping)
{
    static const char *const names[] = {"libc.so", "libc-2.",    "ld-linux",        "ld-2.",
                                        "libdl",   "libpthread", "libreheap_record"};
    const char *slash = strrchr(mapping->path, '/');
    if (mapping->path[0] == '[')
        return true; /* the kernel's */
    for (size_t i = 0; slash && i < sizeof names / sizeof *names; i++) {
        if (strncmp(slash + 1, names[i], strlen(names[i])) == 0)
            return true;
    }
    return strstr(mapping->path, "malloc") != NULL; /* jemalloc, tcmalloc, mimalloc, … */
}

/* A return address into the loader or an allocator near the top of the stack. What was left there
 * by earlier calls is taken for one, too. */
static bool
stack_is_sensitive(const rh_process_map *map, uint64_t top)
{
    uint64_t words[SCANNED_WORDS];
    struct iovec here = {words, sizeof words}, there = {(void *)(uintptr_t)top, sizeof words};
    ssize_t got = process_vm_readv(map->process, &here, 1, &there, 1, 0);
    const rh_mapping *libc = rh_process_map_file(map, "libc.so");
    uint64_t from = libc ? rh_process_map_symbol(map, libc, "malloc") : 0, low = from, high = from;
    static const char *const family[] = {"free", "calloc", "realloc", "memalign", "malloc_trim"};
    for (size_t i = 0; from && i < sizeof family / sizeof *family; i++) {
        uint64_t at = rh_process_map_symbol(map, libc, family[i]);
        low = at && at < low ? at : low;
        high = at > high ? at : high;
    }
    for (ssize_t i = 0; i < got / (ssize_t)sizeof *words; i++) {
        const rh_mapping *mapping = rh_process_map_at(map, words[i]);
        if (!mapping || !mapping->executable || !is_sensitive(mapping))
            continue;
        const char *slash = strrchr(mapping->path, '/');
        bool in_libc = slash && strncmp(slash + 1, "libc", 4) == 0;
        enum { BEYOND = 8192 }; /* functions without a name before and behind those */
        if (!in_libc || (words[i] + BEYOND >= low && words[i] <= high + BEYOND))
            return true;
    }
    return got <= 0;
}

/* Whether the executable brings a malloc of its own, so that its code may be an allocator's. */
static bool
own_malloc(const rh_process_map *map)
{
    char path[64], name[4200];
    snprintf(path, sizeof path, "/proc/%d/exe", (int)map->process);
    ssize_t length = readlink(path, name, sizeof name - 1);
    name[length > 0 ? length : 0] = '\0';
    const rh_mapping file = {.path = name};
    return rh_process_map_symbol(map, &file, "malloc") != 0;
}

static bool
is_safe(const rh_process_map *map, const struct user_regs_struct *registers, bool waiting_only)
{
    const rh_mapping *at = rh_process_map_at(map, registers->rip);
    bool in_call = (int64_t)registers->orig_rax >= 0;
    if (in_call && waits_outside(registers->orig_rax))
        return true;
    if (in_call)
        return (registers->orig_rax == SYS_futex || registers->orig_rax == SYS_read ||
                registers->orig_rax == SYS_write) &&
               !stack_is_sensitive(map, registers->rsp);
    return !waiting_only && at && at->executable && !is_sensitive(at);
}

/* Where the calls in which the thread is may return to outside of the loader and the allocators.
 * What was left on the stack by earlier calls is taken for such, too: if it comes there, all the
 * better.
 */
static unsigned
ways_out(const rh_process_map *map, uint64_t top, uint64_t *places)
{
    uint64_t words[2 * SCANNED_WORDS];
    struct iovec here = {words, sizeof words}, there = {(void *)(uintptr_t)top, sizeof words};
    ssize_t got = process_vm_readv(map->process, &here, 1, &there, 1, 0);
    unsigned count = 0;
    for (ssize_t i = 0; i < got / (ssize_t)sizeof *words && count < RH_RUN_TO_PLACES; i++) {
        const rh_mapping *mapping = rh_process_map_at(map, words[i]);
        bool known = false;
        for (unsigned k = 0; k < count; k++)
            known |= places[k] == words[i];
        if (!known && mapping && mapping->executable && !is_sensitive(mapping))
            places[count++] = words[i];
    }
    return count;
}

/* A thread that stands in an allocator, or waits there for another, will leave it soon. True: it
 * has, and stands still behind it. False: it runs on. */
static bool
leave_allocator(const rh_process_map *map, pid_t thread, struct user_regs_struct *registers)
{
    uint64_t places[RH_RUN_TO_PLACES];
    begin_call_anew(registers);
    ptrace(PTRACE_SETREGS, thread, 0, registers);
    const unsigned count = ways_out(map, registers->rsp, places);
    rh_ran ran = rh_run_to(thread, places, count, LEAVE_NS);
    if (ran == RH_RAN_TO_END || ptrace(PTRACE_GETREGS, thread, 0, registers) != 0)
        return false;
    if (is_safe(map, registers, false))
        return true;
    let_go(thread, registers);
    return false;
}

/* Stops one thread; true: at a safe place, and it stays there. */
static rh_status
try_thread(const rh_process_map *map, pid_t thread, bool waiting_only, bool *safe,
           struct user_regs_struct *registers, rh_error *error)
{
    *safe = false;
    if (ptrace(PTRACE_SEIZE, thread, 0, 0) != 0) {
        int problem = errno;
        char path[64];
        snprintf(path, sizeof path, "/proc/%d/task/%d", (int)map->process, (int)thread);
        if (problem == ESRCH && thread != map->process && access(path, F_OK) != 0)
            return RH_OK; /* this one has ended */
        return rh_remote_refused(map->process, problem, error);
    }
    if (ptrace(PTRACE_INTERRUPT, thread, 0, 0) != 0 || !await_stop(thread) ||
        ptrace(PTRACE_GETREGS, thread, 0, registers) != 0)
        return RH_OK;
    *safe = is_safe(map, registers, waiting_only);
    if (!*safe && !waiting_only)
        *safe = leave_allocator(map, thread, registers);
    else if (!*safe)
        let_go(thread, registers);
    return RH_OK;
}

static uint64_t
now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static rh_status
try_threads(const rh_process_map *map, bool only_main, bool waiting_only, uint64_t until_ns,
            pid_t *found, struct user_regs_struct *registers, rh_error *error)
{
    char path[64];
    bool safe = false;
    rh_status status = try_thread(map, map->process, waiting_only, &safe, registers, error);
    *found = safe ? map->process : 0;
    if (status != RH_OK || safe || only_main)
        return status;
    snprintf(path, sizeof path, "/proc/%d/task", (int)map->process);
    DIR *folder = opendir(path);
    for (struct dirent *entry;
         folder && status == RH_OK && !safe && now_ns() < until_ns && (entry = readdir(folder));) {
        pid_t thread = (pid_t)atoi(entry->d_name);
        if (thread <= 0 || thread == map->process)
            continue;
        status = try_thread(map, thread, waiting_only, &safe, registers, error);
        if (safe)
            *found = thread;
    }
    if (folder)
        closedir(folder);
    return status;
}

static void
nap(long ns)
{
    struct timespec span = {.tv_nsec = ns};
    nanosleep(&span, NULL);
}

static rh_status
check_state(pid_t process, rh_error *error)
{
    char path[64], text[512] = "", state = '?';
    snprintf(path, sizeof path, "/proc/%d/stat", (int)process);
    FILE *file = fopen(path, "re");
    if (file && fgets(text, sizeof text, file)) {
        const char *end = strrchr(text, ')');
        if (end && end[1] == ' ')
            state = end[2];
    }
    if (file)
        fclose(file);
    if (state == 'T')
        return rh_fail(error, RH_CANNOT_RUN,
                       "process %d: it is stopped; let it go on first (`kill -CONT %d`)",
                       (int)process, (int)process);
    if (state == 'Z' || state == 'X')
        return rh_fail(error, RH_CANNOT_RUN, "process %d: it has ended", (int)process);
    return RH_OK;
}

/* Keeps what the thread has to get back. */
static bool
keep_state(rh_remote *remote)
{
    const uint64_t all = ~UINT64_C(0);
    struct iovec state = {remote->state, sizeof remote->state};
    if (ptrace(PTRACE_GETREGSET, remote->thread, NT_X86_XSTATE, &state) != 0 ||
        ptrace(PTRACE_GETSIGMASK, remote->thread, sizeof remote->signals, &remote->signals) != 0 ||
        ptrace(PTRACE_SETSIGMASK, remote->thread, sizeof all, &all) != 0)
        return false;
    remote->state_bytes = state.iov_len;
    return true;
}

rh_status
rh_remote_stop(const rh_process_map *map, bool only_main, rh_meanwhile meanwhile, rh_remote **out,
               rh_error *error)
{
    rh_remote *remote = calloc(1, sizeof *remote);
    if (!remote)
        return rh_fail(error, RH_SYSTEM, "out of memory");
    remote->map = map;
    remote->meanwhile = meanwhile;
    rh_status status = check_state(map->process, error);
    bool waiting_only = only_main || own_malloc(map);
    const uint64_t begun = now_ns();
    for (unsigned round = 0; status == RH_OK && !remote->thread; round++) {
        if (only_main ? round == 1 : now_ns() - begun > PATIENCE_NS)
            status = rh_fail(error, RH_CANNOT_RUN,
                             "process %d: none of its threads came to a place where it could be "
                             "stopped without harm; try again",
                             (int)map->process);
        else if (round > 0)
            nap(ROUND_NS);
        if (status == RH_OK)
            status = try_threads(map, only_main, waiting_only, begun + PATIENCE_NS, &remote->thread,
                                 &remote->saved, error);
    }
    if (status == RH_OK && !keep_state(remote)) {
        status = rh_fail_errno(error, RH_CANNOT_RUN, errno, "process %d: cannot read its registers",
                               (int)map->process);
        let_go(remote->thread, &remote->saved);
    }
    if (status != RH_OK) {
        free(remote);
        return status;
    }
    *out = remote;
    return RH_OK;
}

void
rh_remote_release(rh_remote *remote)
{
    if (!remote)
        return;
    struct iovec state = {remote->state, remote->state_bytes};
    ptrace(PTRACE_SETREGSET, remote->thread, NT_X86_XSTATE, &state);
    ptrace(PTRACE_SETSIGMASK, remote->thread, sizeof remote->signals, &remote->signals);
    let_go(remote->thread, &remote->saved);
    free(remote);
}

/* ---- calling ---- */

static bool
write_memory(const rh_remote *remote, uint64_t address, const void *bytes, size_t size)
{
    struct iovec here = {(void *)(uintptr_t)bytes, size};
    struct iovec there = {(void *)(uintptr_t)address, size};
    return process_vm_writev(remote->map->process, &here, 1, &there, 1, 0) == (ssize_t)size;
}

void
rh_remote_read_text(const rh_remote *remote, uint64_t address, char *text, size_t room)
{
    size_t got = 0;
    for (; got + 1 < room; got++) {
        struct iovec here = {text + got, 1}, there = {(void *)(uintptr_t)(address + got), 1};
        if (process_vm_readv(remote->map->process, &here, 1, &there, 1, 0) != 1 || !text[got])
            break;
    }
    text[got] = '\0';
}

static rh_status
fail_call(rh_remote *remote, const char *what, rh_error *error)
{
    ptrace(PTRACE_SETREGS, remote->thread, 0, &remote->saved);
    return rh_fail(error, RH_CANNOT_RUN, "process %d: %s", (int)remote->map->process, what);
}

/* Until the function has returned to address 0. */
static rh_status
await_return(rh_remote *remote, uint64_t *result, rh_error *error)
{
    struct user_regs_struct now;
    for (unsigned polls = 0;; polls++) {
        int status;
        pid_t got = waitpid(remote->thread, &status, __WALL | WNOHANG);
        if (got < 0 && errno == EINTR)
            continue;
        if (got == 0 && polls == CALL_POLLS) {
            ptrace(PTRACE_INTERRUPT, remote->thread, 0, 0);
            await_stop(remote->thread);
            return fail_call(remote, "the recorder could not be loaded within 20 s", error);
        }
        if (got == 0) {
            if (remote->meanwhile.call)
                remote->meanwhile.call(remote->meanwhile.context);
            nap(CALL_POLL_NS);
            continue;
        }
        if (got < 0 || !WIFSTOPPED(status))
            return rh_fail(error, RH_CANNOT_RUN, "process %d: it has ended",
                           (int)remote->map->process);
        bool fault =
            status >> 16 == 0 && (WSTOPSIG(status) == SIGSEGV || WSTOPSIG(status) == SIGBUS ||
                                  WSTOPSIG(status) == SIGILL);
        if (!fault) {
            ptrace(PTRACE_CONT, remote->thread, 0, 0);
            continue;
        }
        if (ptrace(PTRACE_GETREGS, remote->thread, 0, &now) != 0 || now.rip != 0)
            return fail_call(remote, "a fault came up while the recorder was being loaded", error);
        *result = now.rax;
        return RH_OK;
    }
}

static rh_status
call(rh_remote *remote, uint64_t top, uint64_t address, const uint64_t arguments[6],
     uint64_t *result, rh_error *error)
{
    const uint64_t nowhere = 0;
    struct user_regs_struct registers = remote->saved;
    registers.rsp = (top & ~UINT64_C(15)) - sizeof nowhere;
    registers.rip = address;
    registers.rdi = arguments[0];
    registers.rsi = arguments[1];
    registers.rdx = arguments[2];
    registers.rcx = arguments[3];
    registers.r8 = arguments[4];
    registers.r9 = arguments[5];
    registers.rax = 0;
    registers.orig_rax = (unsigned long long)-1; /* no system call is to be begun again */
    registers.eflags &= ~(unsigned long long)DIRECTION_FLAG;
    if (!write_memory(remote, registers.rsp, &nowhere, sizeof nowhere) ||
        ptrace(PTRACE_SETREGS, remote->thread, 0, &registers) != 0 ||
        ptrace(PTRACE_CONT, remote->thread, 0, 0) != 0)
        return rh_fail_errno(error, RH_CANNOT_RUN, errno, "process %d: cannot run code in it",
                             (int)remote->map->process);
    return await_return(remote, result, error);
}

/* Memory for a stack, and above it for texts. */
static rh_status
make_stack(rh_remote *remote, rh_error *error)
{
    const rh_mapping *libc = rh_process_map_file(remote->map, "libc.so");
    if (!libc)
        libc = rh_process_map_file(remote->map, "libc-2.");
    uint64_t map = libc ? rh_process_map_symbol(remote->map, libc, "mmap") : 0;
    if (map == 0)
        return rh_fail(error, RH_CANNOT_RUN,
                       "process %d: it is not dynamically linked with the GNU C library",
                       (int)remote->map->process);
    /* PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS */
    const uint64_t arguments[6] = {0, STACK_BYTES + TEXT_BYTES, 1 | 2, 2 | 0x20, (uint64_t)-1, 0};
    uint64_t top = remote->saved.rsp - RED_ZONE_BYTES - 64;
    rh_status status = call(remote, top, map, arguments, &remote->stack, error);
    if (status == RH_OK && (int64_t)remote->stack < 0 && (int64_t)remote->stack > -4096)
        status = fail_call(remote, "it has no memory for the recorder", error);
    return status;
}

rh_status
rh_remote_call(rh_remote *remote, uint64_t address, const uint64_t arguments[4], uint64_t *result,
               rh_error *error)
{
    rh_status status = remote->stack ? RH_OK : make_stack(remote, error);
    const uint64_t all[6] = {arguments[0], arguments[1], arguments[2], arguments[3], 0, 0};
    if (status == RH_OK)
        status = call(remote, remote->stack + STACK_BYTES, address, all, result, error);
    return status;
}

rh_status
rh_remote_text(rh_remote *remote, const char *text, uint64_t *address, rh_error *error)
{
    size_t bytes = strlen(text) + 1;
    rh_status status = remote->stack ? RH_OK : make_stack(remote, error);
    if (status != RH_OK)
        return status;
    *address = remote->stack + STACK_BYTES + remote->text_used;
    if (bytes > TEXT_BYTES - remote->text_used || !write_memory(remote, *address, text, bytes))
        return rh_fail(error, RH_CANNOT_RUN, "process %d: cannot write into it",
                       (int)remote->map->process);
    remote->text_used += bytes;
    return RH_OK;
}
