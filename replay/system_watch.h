/* What a heap asks of the kernel, counted by the kernel: a seccomp filter hands every call that
 * changes the address space to a thread of the same process, which counts it and lets it go on.
 * Replacing `mmap` in the process would miss what an allocator calls directly. Each call takes some
 * microseconds longer, so nothing else is measured meanwhile. */
#ifndef REHEAP_REPLAY_SYSTEM_WATCH_H
#define REHEAP_REPLAY_SYSTEM_WATCH_H

#include <stdbool.h>
#include <stdint.h>

/* The calls that are counted, in the order of the numbers below. */
#define RH_SYSTEM_CALLS(X) X(mmap) X(munmap) X(mremap) X(madvise) X(mprotect) X(brk)

enum {
#define RH_SYSTEM_CALL_NUMBER(name) RH_SYSTEM_##name,
    RH_SYSTEM_CALLS(RH_SYSTEM_CALL_NUMBER)
#undef RH_SYSTEM_CALL_NUMBER
        RH_SYSTEM_CALL_COUNT
};

/* Counts up from now on, in this thread and those that it starts. It cannot be ended, only read. To
 * be called once, before whatever shall not be disturbed by a new thread's memory. false: the
 * kernel does not allow it, and nothing is counted. */
bool rh_system_watch_start(void);

/* The numbers so far, all of them whole: a call that returned is in. Only after a start that
 * succeeded. */
void rh_system_watch_read(uint64_t counts[RH_SYSTEM_CALL_COUNT]);

#endif
