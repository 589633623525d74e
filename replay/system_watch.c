#define _GNU_SOURCE
#include "replay/system_watch.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static const int numbers[RH_SYSTEM_CALL_COUNT] = {
#define SYSTEM_CALL(name) SYS_##name,
    RH_SYSTEM_CALLS(SYSTEM_CALL)
#undef SYSTEM_CALL
};

/* One to a process, as filters are. */
static struct {
    _Atomic uint64_t counts[RH_SYSTEM_CALL_COUNT];
    _Atomic int listener; /* -1: not there yet; -2: it will not be */
} watch = {.listener = -1};

static void
count(int number)
{
    for (int i = 0; i < RH_SYSTEM_CALL_COUNT; i++)
        if (numbers[i] == number)
            atomic_fetch_add(&watch.counts[i], 1);
}

/* The watching thread, which the filter does not hold for: it was there before. It must not
 * allocate. */
static void *
watch_calls(void *unused)
{
    (void)unused;
    int listener;
    while ((listener = atomic_load(&watch.listener)) == -1)
        usleep(100);
    while (listener >= 0) {
        struct seccomp_notif asked;
        memset(&asked, 0, sizeof asked); /* the kernel insists */
        if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &asked) != 0) {
            if (errno == EINTR || errno == ENOENT)
                continue;
            break;
        }
        count(asked.data.nr);
        struct seccomp_notif_resp answer = {.id = asked.id,
                                            .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};
        ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
    }
    return NULL;
}

/* The listener, or -1. */
static int
install_filter(void)
{
    enum { HEAD = 4 };
    struct sock_filter filter[HEAD + RH_SYSTEM_CALL_COUNT + 2] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
    };
    for (int i = 0; i < RH_SYSTEM_CALL_COUNT; i++) {
        unsigned char to_listener = (unsigned char)(RH_SYSTEM_CALL_COUNT - i);
        filter[HEAD + i] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
                                                        (unsigned)numbers[i], to_listener, 0);
    }
    filter[HEAD + RH_SYSTEM_CALL_COUNT] =
        (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    filter[HEAD + RH_SYSTEM_CALL_COUNT + 1] =
        (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF);
    struct sock_fprog program = {.len = sizeof filter / sizeof *filter, .filter = filter};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return -1;
    return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER,
                        &program);
}

bool
rh_system_watch_start(void)
{
    pthread_t thread;
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int problem = pthread_create(&thread, NULL, watch_calls, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (problem)
        return false;
    int listener = install_filter();
    atomic_store(&watch.listener, listener >= 0 ? listener : -2);
    if (listener < 0)
        pthread_join(thread, NULL);
    return listener >= 0;
}

void
rh_system_watch_read(uint64_t counts[RH_SYSTEM_CALL_COUNT])
{
    for (int i = 0; i < RH_SYSTEM_CALL_COUNT; i++)
        counts[i] = atomic_load(&watch.counts[i]);
}
