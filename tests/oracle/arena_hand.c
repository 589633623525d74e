#define _GNU_SOURCE
#include "tests/oracle/arena_hand.h"

#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>

#define REGION_BASE   ((uintptr_t)0x100000000000)
#define REGION_STRIDE ((uintptr_t)300 << 30)
#define REGION_BYTES  ((size_t)1 << 30)

enum { REGIONS = 3, PAGE = 4096, SKEW_ROOM = 65536, RUBBISH = 0xA5 };

bool
hand_reserve(void)
{
    for (uintptr_t i = 0; i < REGIONS; i++)
        if (mmap((void *)(REGION_BASE + i * REGION_STRIDE), REGION_BYTES, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1,
                 0) == MAP_FAILED)
            return false;
    return true;
}

bool
hand_owns(const void *address)
{
    uintptr_t place = (uintptr_t)address - REGION_BASE;
    return place < REGIONS * REGION_STRIDE && place % REGION_STRIDE < REGION_BYTES;
}

uintptr_t
hand_place(const void *address)
{
    return (uintptr_t)address - REGION_BASE;
}

static uintptr_t
place_of_slot(struct arena_hand *hand, size_t slot, size_t size)
{
    size_t span = size + SKEW_ROOM;
    if (slot / REGIONS >= REGION_BYTES / span - 1)
        return 0;
    uintptr_t base = REGION_BASE + (slot % REGIONS) * REGION_STRIDE + (slot / REGIONS) * span;
    switch (hand->skew) {
    case HAND_ALIGNED:
        return (base + size - 1) & ~(uintptr_t)(size - 1);
    case HAND_PAGE_OFF:
        return base + 3 * PAGE;
    default:
        return base + rh_random_below(&hand->random, 8) * PAGE;
    }
}

static void *
hand_alloc(void *ctx, size_t size)
{
    struct arena_hand *hand = ctx;
    uintptr_t address = 0;
    hand->calls++;
    if (hand->closed || (hand->refuse_every && hand->calls % hand->refuse_every == 0))
        address = 0;
    else if (hand->vacant_count && rh_random_below(&hand->random, 4))
        address = hand->vacant[--hand->vacant_count];
    else
        address = place_of_slot(hand, hand->made++, size);
    if (hand->out && address)
        fprintf(hand->out, "  arena of %zu from %s: +%" PRIxPTR "\n", size, hand->name,
                hand_place((void *)address));
    else if (hand->out)
        fprintf(hand->out, "  arena of %zu from %s: none\n", size, hand->name);
    if (address)
        memset((void *)address, RUBBISH, size);
    return (void *)address;
}

static void
hand_free(void *ctx, void *arena, size_t size)
{
    struct arena_hand *hand = ctx;
    if (hand->out)
        fprintf(hand->out, "  arena of %zu back to %s: +%" PRIxPTR "\n", size, hand->name,
                hand_place(arena));
    if (hand->vacant_count < HAND_ARENAS)
        hand->vacant[hand->vacant_count++] = (uintptr_t)arena;
}

PyObjectArenaAllocator
hand_arenas(struct arena_hand *hand)
{
    return (PyObjectArenaAllocator){hand, hand_alloc, hand_free};
}
