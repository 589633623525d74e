#define _GNU_SOURCE
#include "traces/recorder/ring_room.h"

#include <linux/futex.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { LONGEST_SLEEP_NS = 50000000 };

void
rh_ring_room_give(rh_ring *ring, uint64_t head)
{
    atomic_store(&ring->head, head);
    uint64_t wanted = atomic_load(&ring->wanted);
    if (wanted == 0 || head < wanted)
        return;
    atomic_store_explicit(&ring->wanted, 0, memory_order_relaxed);
    atomic_fetch_add(&ring->bell, 1);
    syscall(SYS_futex, &ring->bell, FUTEX_WAKE, 1, NULL, NULL, 0);
}

void
rh_ring_room_await(rh_ring *ring, uint64_t head)
{
    struct timespec longest = {.tv_nsec = LONGEST_SLEEP_NS};
    uint32_t bell = atomic_load(&ring->bell);
    atomic_store(&ring->wanted, head);
    if (atomic_load(&ring->head) < head)
        syscall(SYS_futex, &ring->bell, FUTEX_WAIT, bell, &longest, NULL, 0);
    atomic_store_explicit(&ring->wanted, 0, memory_order_relaxed);
}
