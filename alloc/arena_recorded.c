#define _GNU_SOURCE
#include "alloc/arena_recorded.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

/* As a number: where no process has memory. */
#define ELSEWHERE  (UINT64_C(1) << 52)
#define USER_LIMIT (UINT64_C(1) << 47)
#define ATTEMPTS   4096

void
rh_arena_recorded_init(rh_arena_recorded *recorded, bool placed)
{
    *recorded = (rh_arena_recorded){.placed = placed};
}

void
rh_arena_recorded_release(rh_arena_recorded *recorded)
{
    if (recorded->base)
        munmap((void *)recorded->base, recorded->bytes);
    free(recorded->queue);
    free(recorded->live);
    recorded->queue = NULL;
    recorded->live = NULL;
    recorded->base = 0;
}

bool
rh_arena_recorded_expect(rh_arena_recorded *recorded, const rh_recorded_arena *arena)
{
    if (recorded->queued == recorded->capacity) {
        size_t capacity = recorded->capacity ? recorded->capacity * 2 : 64;
        rh_recorded_arena *queue = realloc(recorded->queue, capacity * sizeof *queue);
        if (!queue)
            return false;
        recorded->queue = queue;
        recorded->capacity = capacity;
    }
    recorded->queue[recorded->queued++] = *arena;
    return true;
}

/* ---- memory for the addresses ---- */

static rh_status
find_span(const rh_arena_recorded *recorded, uint64_t *first, uint64_t *end, rh_error *error)
{
    *first = UINT64_MAX;
    *end = 0;
    for (size_t i = 0; i < recorded->queued; i++) {
        const rh_recorded_arena *arena = &recorded->queue[i];
        if (arena->freed || arena->failed)
            continue;
        if (arena->address == 0 || arena->address % 4096 != 0 || arena->size % 4096 != 0 ||
            arena->size > USER_LIMIT || arena->address > USER_LIMIT - arena->size)
            return rh_fail(error, RH_USAGE, "an arena of %" PRIu64 " bytes cannot be at 0x%" PRIx64,
                           arena->size, arena->address);
        if (arena->address < *first)
            *first = arena->address;
        if (arena->address + arena->size > *end)
            *end = arena->address + arena->size;
    }
    if (*end == 0)
        return rh_fail(error, RH_USAGE, "no arena was recorded");
    return RH_OK;
}

/* Reserves the span at `place`; false when something is there. */
static bool
reserve_at(uint64_t place, size_t bytes)
{
    void *span = mmap((void *)place, bytes, PROT_NONE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
    if (span == MAP_FAILED)
        return false;
    if ((uint64_t)span == place)
        return true;
    munmap(span, bytes); /* a kernel that does not know the flag */
    return false;
}

rh_status
rh_arena_recorded_reserve(rh_arena_recorded *recorded, uint64_t step, rh_error *error)
{
    uint64_t first, end;
    rh_status status = find_span(recorded, &first, &end, error);
    if (status != RH_OK)
        return status;
    for (uint64_t i = 0; i < ATTEMPTS; i++)
        for (int down = i == 0; down < 2; down++) {
            uint64_t place = down ? first - i * step : first + i * step;
            bool possible = down ? i * step < first : USER_LIMIT - end >= i * step;
            if (!possible || !reserve_at(place, end - first))
                continue;
            recorded->base = place;
            recorded->bytes = end - first;
            recorded->shift = place - first;
            return RH_OK;
        }
    return rh_fail(error, RH_SYSTEM,
                   "no place for the recorded arenas is free: they span %" PRIu64 " bytes",
                   end - first);
}

static bool
in_span(const rh_arena_recorded *recorded, uintptr_t address)
{
    return address - recorded->base < recorded->bytes;
}

/* Whether a live arena overlaps [address, address + size). */
static bool
is_taken(const rh_arena_recorded *recorded, uintptr_t address, size_t size)
{
    for (size_t i = 0; i < recorded->live_count; i++)
        if (address - recorded->live[i] < size || recorded->live[i] - address < size)
            return true;
    return false;
}

static bool
note_live(rh_arena_recorded *recorded, uintptr_t address)
{
    if (recorded->live_count == recorded->live_capacity) {
        size_t capacity = recorded->live_capacity ? recorded->live_capacity * 2 : 64;
        uintptr_t *live = realloc(recorded->live, capacity * sizeof *live);
        if (!live)
            return false;
        recorded->live = live;
        recorded->live_capacity = capacity;
    }
    recorded->live[recorded->live_count++] = address;
    return true;
}

static void
forget_live(rh_arena_recorded *recorded, uintptr_t address)
{
    for (size_t i = 0; i < recorded->live_count; i++)
        if (recorded->live[i] == address) {
            recorded->live[i] = recorded->live[--recorded->live_count];
            return;
        }
}

static void *
map_at(uintptr_t place, size_t size, int protection, int flags)
{
    void *pages = mmap((void *)place, size, protection, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
    return pages == MAP_FAILED ? NULL : pages;
}

/* ---- the source ---- */

__attribute__((format(printf, 2, 3))) static void
differs(rh_arena_recorded *recorded, const char *format, ...)
{
    if (recorded->different++)
        return;
    size_t room = sizeof recorded->difference;
    int used = snprintf(recorded->difference, room, "event %" PRIu64 ": ", recorded->event);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(recorded->difference + used, room - (size_t)used, format, arguments);
    va_end(arguments);
}

static void *
elsewhere(rh_arena_recorded *recorded, size_t size)
{
    recorded->elsewhere++;
    return recorded->base ? map_at(0, size, PROT_READ | PROT_WRITE, 0)
                          : (void *)(uintptr_t)(ELSEWHERE + size * recorded->elsewhere);
}

static void *
place(rh_arena_recorded *recorded, uint64_t address, size_t size)
{
    if (!recorded->base)
        return (void *)(uintptr_t)address;
    uintptr_t moved = address + recorded->shift;
    if (!in_span(recorded, moved) || size > recorded->bytes - (moved - recorded->base) ||
        is_taken(recorded, moved, size) || !note_live(recorded, moved))
        return elsewhere(recorded, size);
    void *arena = map_at(moved, size, PROT_READ | PROT_WRITE, MAP_FIXED);
    if (!arena)
        forget_live(recorded, moved);
    return arena;
}

static void *
give_arena(void *ctx, size_t size)
{
    rh_arena_recorded *recorded = ctx;
    recorded->compared++;
    if (recorded->taken == recorded->queued || recorded->queue[recorded->taken].freed) {
        differs(recorded, "pymalloc asks for an arena, the recorded allocator did not");
        return elsewhere(recorded, size);
    }
    const rh_recorded_arena *next = &recorded->queue[recorded->taken++];
    if (next->size != size)
        differs(recorded, "pymalloc asks for an arena of %zu bytes, recorded were %" PRIu64, size,
                next->size);
    return next->failed ? NULL : place(recorded, next->address, size);
}

static void
compare_death(rh_arena_recorded *recorded, uintptr_t arena)
{
    recorded->compared++;
    if (recorded->taken == recorded->queued || !recorded->queue[recorded->taken].freed) {
        differs(recorded,
                "pymalloc gives an arena back (0x%" PRIxPTR "), the recorded allocator did not",
                arena);
        return;
    }
    const rh_recorded_arena *next = &recorded->queue[recorded->taken++];
    if (next->address != arena)
        differs(recorded, "pymalloc gives arena 0x%" PRIxPTR " back, recorded was 0x%" PRIx64,
                arena, next->address);
}

static void
take_arena_back(void *ctx, void *arena, size_t size)
{
    rh_arena_recorded *recorded = ctx;
    uintptr_t address = (uintptr_t)arena;
    if (!arena)
        return;
    if (!recorded->placed)
        compare_death(recorded, address - recorded->shift);
    if (!recorded->base)
        return;
    if (!in_span(recorded, address)) {
        munmap(arena, size);
        return;
    }
    forget_live(recorded, address);
    /* The span stays ours. A kernel that refuses leaves the pages; they are dropped then. */
    if (!map_at(address, size, PROT_NONE, MAP_NORESERVE | MAP_FIXED))
        madvise(arena, size, MADV_DONTNEED);
}

void
rh_arena_recorded_settle(rh_arena_recorded *recorded)
{
    for (; recorded->taken < recorded->queued; recorded->taken++) {
        const rh_recorded_arena *left = &recorded->queue[recorded->taken];
        recorded->compared++;
        differs(recorded, "the recorded allocator %s an arena (0x%" PRIx64 "), pymalloc does not",
                left->freed ? "gave back" : "got", left->address);
    }
    recorded->queued = recorded->taken = 0;
}

uint64_t
rh_arena_recorded_bytes(const rh_arena_recorded *recorded)
{
    return recorded->capacity * sizeof *recorded->queue +
           recorded->live_capacity * sizeof *recorded->live;
}

PyObjectArenaAllocator
rh_arena_recorded_source(rh_arena_recorded *recorded)
{
    return (PyObjectArenaAllocator){recorded, give_arena, take_arena_back};
}
