#define _GNU_SOURCE
#include "replay/channel.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define ALIGNED(bytes) (((bytes) + 4095) & ~(uint64_t)4095)

const char *const rh_pass_names[] = {"memory", "throughput", "latency", "system"};
const unsigned rh_resident_delays_ms[RH_RESIDENT_LOOKS] = {100, 1000, 5000};

static uint64_t
members_at(void)
{
    return ALIGNED(sizeof(rh_channel));
}

static uint64_t
samples_at(const rh_channel *channel)
{
    return members_at() + channel->members * ALIGNED(sizeof(rh_member));
}

static uint64_t
samples_bytes(const rh_channel *channel)
{
    return ALIGNED(channel->sample_capacity * sizeof(rh_sample));
}

uint64_t
rh_channel_batch_bytes(void)
{
    return ALIGNED(sizeof(rh_batch_header) + RH_CHANNEL_CODES * sizeof(rh_code) +
                   RH_CHANNEL_WIDES * sizeof(rh_wide));
}

static uint64_t
rounds_at(const rh_channel *channel)
{
    return samples_at(channel) + channel->members * samples_bytes(channel);
}

static uint64_t
rounds_bytes(const rh_channel *channel)
{
    return ALIGNED(channel->round_capacity * sizeof(rh_round));
}

static uint64_t
age_sizes_at(const rh_channel *channel)
{
    return rounds_at(channel) + channel->members * rounds_bytes(channel);
}

static uint64_t
buffers_at(const rh_channel *channel)
{
    return age_sizes_at(channel) + ALIGNED(channel->age_size_count * sizeof(rh_age_size));
}

/* The members' own room comes last: it is not faulted in. */
static uint64_t
room_at(const rh_channel *channel)
{
    return buffers_at(channel) + channel->buffers * rh_channel_batch_bytes();
}

/* Maps a part of the file at its place, resident from now on. */
static bool
map_part(char *memory, uint64_t from, uint64_t to, int access, int file)
{
    const int how = MAP_SHARED | MAP_FIXED | MAP_POPULATE;
    return to == from ||
           mmap(memory + from, to - from, access, how, file, (off_t)from) == memory + from;
}

/* `batches`: how they may be accessed. Members only read them: no allocator gone wild writes there.
 */
static rh_status
map(int file, const rh_channel *plan, int batches, rh_channel **channel, rh_error *error)
{
    const int access = PROT_READ | PROT_WRITE;
    uint64_t buffers = buffers_at(plan), room = room_at(plan);
    char *memory = mmap(NULL, plan->bytes, access, MAP_SHARED, file, 0);
    if (memory == MAP_FAILED || !map_part(memory, 0, buffers, access, file) ||
        !map_part(memory, buffers, room, batches, file))
        return rh_fail_errno(error, RH_SYSTEM, errno, "cannot map memory shared between processes");
    *channel = (rh_channel *)memory;
    return RH_OK;
}

rh_status
rh_channel_create(const rh_channel *plan, int *file, rh_channel **channel, rh_error *error)
{
    rh_channel made = {.members = plan->members,
                       .buffers = plan->whole         ? plan->buffers
                                  : plan->members > 1 ? RH_CHANNEL_RING_FOR
                                                      : RH_CHANNEL_RING,
                       .whole = plan->whole,
                       .slots = plan->slots,
                       .sample_capacity = plan->sample_capacity,
                       .round_capacity = plan->round_capacity,
                       .age_size_count = plan->age_size_count,
                       .age_most_blocks = plan->age_most_blocks,
                       .age_most_bytes = plan->age_most_bytes,
                       .room_bytes = ALIGNED(plan->room_bytes),
                       .spins = plan->spins,
                       .parent = getpid()};
    made.bytes = room_at(&made) + made.members * made.room_bytes;
    *file = memfd_create("reheap-replay", MFD_CLOEXEC);
    if (*file < 0 || ftruncate(*file, (off_t)made.bytes) != 0) {
        rh_fail_errno(error, RH_SYSTEM, errno, "cannot create memory shared between processes");
        if (*file >= 0)
            close(*file);
        return RH_SYSTEM;
    }
    rh_status status = map(*file, &made, PROT_READ | PROT_WRITE, channel, error);
    if (status != RH_OK) {
        close(*file);
        return status;
    }
    **channel = made;
    return RH_OK;
}

rh_status
rh_channel_map(int file, rh_channel **channel, rh_error *error)
{
    struct stat facts;
    rh_channel made;
    if (fstat(file, &facts) != 0 || pread(file, &made, sizeof made, 0) != sizeof made ||
        made.bytes != (uint64_t)facts.st_size || room_at(&made) > made.bytes)
        return rh_fail(error, RH_USAGE, "this command is for reheap's own use");
    return map(file, &made, PROT_READ, channel, error);
}

void
rh_channel_unmap(rh_channel *channel)
{
    if (channel)
        munmap(channel, channel->bytes);
}

rh_member *
rh_channel_member(rh_channel *channel, uint32_t index)
{
    return (rh_member *)((char *)channel + members_at() + index * ALIGNED(sizeof(rh_member)));
}

rh_sample *
rh_channel_samples(rh_channel *channel, uint32_t index)
{
    return (rh_sample *)((char *)channel + samples_at(channel) + index * samples_bytes(channel));
}

rh_round *
rh_channel_rounds(rh_channel *channel, uint32_t index)
{
    return (rh_round *)((char *)channel + rounds_at(channel) + index * rounds_bytes(channel));
}

rh_age_size *
rh_channel_age_sizes(rh_channel *channel)
{
    return (rh_age_size *)((char *)channel + age_sizes_at(channel));
}

void *
rh_channel_room(rh_channel *channel, uint32_t index)
{
    return (char *)channel + room_at(channel) + index * channel->room_bytes;
}

rh_batch_header *
rh_channel_batch(rh_channel *channel, uint32_t batch)
{
    uint64_t buffer = batch % channel->buffers;
    return (rh_batch_header *)((char *)channel + buffers_at(channel) +
                               buffer * rh_channel_batch_bytes());
}

rh_program
rh_channel_program(rh_channel *channel, uint32_t batch)
{
    rh_batch_header *head = rh_channel_batch(channel, batch);
    rh_code *codes = (rh_code *)(head + 1);
    return (rh_program){.codes = codes,
                        .wides = (rh_wide *)(codes + RH_CHANNEL_CODES),
                        .code_count = head->code_count,
                        .wide_count = head->wide_count,
                        .code_capacity = RH_CHANNEL_CODES,
                        .wide_capacity = RH_CHANNEL_WIDES};
}

void
rh_channel_sleep(_Atomic uint32_t *word, uint32_t value, unsigned milliseconds)
{
    struct timespec wait = {.tv_sec = milliseconds / 1000,
                            .tv_nsec = (long)(milliseconds % 1000) * 1000000};
    syscall(SYS_futex, word, FUTEX_WAIT, value, milliseconds ? &wait : NULL, NULL, 0);
}

void
rh_channel_wake(_Atomic uint32_t *word)
{
    syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

static uint32_t
unread(const rh_member *member, uint32_t batch)
{
    return batch - atomic_load(&member->consumed);
}

static void
wake_readers(rh_channel *channel)
{
    if (atomic_load(&channel->consumers_wait))
        rh_channel_wake(&channel->produced);
}

bool
rh_channel_wait_for_room(rh_channel *channel, uint32_t batch, uint32_t slowest,
                         unsigned milliseconds)
{
    const rh_member *member = rh_channel_member(channel, slowest);
    uint32_t spins = 0;
    do {
        if (unread(member, batch) < channel->buffers)
            return true;
        __builtin_ia32_pause();
    } while (spins++ < channel->spins);
    atomic_store(&channel->producer_waits, slowest + 1);
    uint32_t freed = atomic_load(&channel->freed);
    wake_readers(channel);
    if (unread(member, batch) > channel->buffers / 2)
        rh_channel_sleep(&channel->freed, freed, milliseconds);
    atomic_store(&channel->producer_waits, 0);
    return unread(member, batch) < channel->buffers;
}

void
rh_channel_publish(rh_channel *channel, uint32_t batch, bool last)
{
    atomic_store(&channel->produced, batch + 1);
    if (last) {
        atomic_store(&channel->complete, 1);
        rh_channel_wake(&channel->complete);
    }
    /* Members that take turns would each take what little there is, and the producer's turn. */
    if (last || channel->spins || (batch + 1) % (channel->buffers / 2) == 0)
        wake_readers(channel);
}

static bool
covers(uint32_t produced, uint32_t batch)
{
    return (int32_t)(produced - batch) > 0;
}

void
rh_channel_wait_for_batch(rh_channel *channel, uint32_t batch)
{
    while (channel->whole && !atomic_load(&channel->complete))
        rh_channel_sleep(&channel->complete, 0, 0);
    for (uint32_t i = 0; i < channel->spins; i++) {
        if (covers(atomic_load(&channel->produced), batch))
            return;
        __builtin_ia32_pause();
    }
    atomic_fetch_add(&channel->consumers_wait, 1);
    uint32_t produced;
    while (!covers(produced = atomic_load(&channel->produced), batch))
        rh_channel_sleep(&channel->produced, produced, 0);
    atomic_fetch_sub(&channel->consumers_wait, 1);
}

void
rh_channel_release(rh_channel *channel, rh_member *member)
{
    atomic_fetch_add(&member->consumed, 1);
    uint32_t awaited = atomic_load(&channel->producer_waits);
    if (channel->whole || !awaited || rh_channel_member(channel, awaited - 1) != member)
        return;
    if (unread(member, atomic_load(&channel->produced)) <= channel->buffers / 2) {
        atomic_fetch_add(&channel->freed, 1);
        rh_channel_wake(&channel->freed);
    }
}

void
rh_channel_finish(rh_channel *channel, rh_member *member)
{
    atomic_store(&member->finished, 1);
    atomic_fetch_add(&channel->freed, 1);
    rh_channel_wake(&channel->freed);
}
