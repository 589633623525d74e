#define _GNU_SOURCE
#include "tests/bench/pymalloc_side.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "alloc/arena_ground.h"
#include "alloc/heap.h"
#include "base/host.h"
#include "base/random.h"

#define ARENA_BYTES ((size_t)1 << 20)
#define BATCH_MAX   100

typedef struct step {
    uint32_t slot;
    uint32_t size;
} step;

typedef struct side {
    PyMemAllocatorEx allocator;
    void **blocks;
    uintptr_t base; /* where its first arena begins */
    step *script;
    bool filled;
    rh_arena_ground ground;
} side;

/* ---- the loops: one operation is a malloc and a free ---- */

#define IN_EACH static inline __attribute__((always_inline))

IN_EACH void *
take(const PyMemAllocatorEx *allocator, size_t size, int touch)
{
    char *block = allocator->malloc(allocator->ctx, size);
    if (touch)
        *(volatile char *)block = 1;
    return block;
}

IN_EACH void
give(const PyMemAllocatorEx *allocator, void *block, int touch)
{
    if (touch == READ)
        (void)*(volatile char *)block;
    allocator->free(allocator->ctx, block);
}

/* Written out ten times: a jump for each operation would cost as much as one of the calls. */
#define TEN(it)                                                                                    \
    it;                                                                                            \
    it;                                                                                            \
    it;                                                                                            \
    it;                                                                                            \
    it;                                                                                            \
    it;                                                                                            \
    it;                                                                                            \
    it;                                                                                            \
    it;                                                                                            \
    it

IN_EACH void
fixed(const side *on, const side_load *what, uint64_t operations, int touch)
{
    PyMemAllocatorEx allocator = on->allocator;
    size_t size = what->size;
    void *blocks[BATCH_MAX] = {NULL};
    for (uint64_t done = 0; done < operations; done += BATCH_MAX) {
        void **next = blocks;
        while (next < blocks + BATCH_MAX) {
            TEN(*next++ = take(&allocator, size, touch));
        }
        next = blocks;
        while (next < blocks + BATCH_MAX) {
            TEN(give(&allocator, *next++, touch));
        }
    }
    memcpy(on->blocks, blocks, sizeof blocks);
}

IN_EACH void
pairs(const side *on, const side_load *what, uint64_t operations, int touch)
{
    PyMemAllocatorEx allocator = on->allocator;
    size_t size = what->size;
    void *block = NULL, *stays = what->beside ? take(&allocator, size, touch) : NULL;
    for (uint64_t done = 0; done < operations; done += 10) {
        TEN(block = take(&allocator, size, touch); give(&allocator, block, touch));
    }
    on->blocks[0] = block;
    if (stays)
        give(&allocator, stays, touch);
}

IN_EACH void
working_set(const side *on, uint64_t operations, int touch)
{
    PyMemAllocatorEx allocator = on->allocator;
    void **blocks = on->blocks;
    const step *script = on->script;
    for (uint64_t done = 0; done < operations; done++) {
        step next = script[done];
        give(&allocator, blocks[next.slot], touch);
        blocks[next.slot] = take(&allocator, next.size, touch);
    }
}

/* Each at four places relative to a cache line: what so short a loop takes depends on that, for
 * some callees more than for others, and nobody's program is at the best of them by right. */
#define LOOP(name, touch, place)                                                                   \
    static __attribute__((noinline, aligned(64))) void name##_##place(                             \
        const side *on, const side_load *what, uint64_t operations)                                \
    {                                                                                              \
        __asm__ volatile(".nops " #place);                                                         \
        if (what->live)                                                                            \
            working_set(on, operations, touch);                                                    \
        else if (what->batch == 1)                                                                 \
            pairs(on, what, operations, touch);                                                    \
        else                                                                                       \
            fixed(on, what, operations, touch);                                                    \
    }
#define LOOPS(name, touch)                                                                         \
    LOOP(name, touch, 1)                                                                           \
    LOOP(name, touch, 16)                                                                          \
    LOOP(name, touch, 32)                                                                          \
    LOOP(name, touch, 48)

LOOPS(untouched, UNTOUCHED)
LOOPS(written, WRITTEN)
LOOPS(written_and_read, READ)

typedef void loop(const side *on, const side_load *what, uint64_t operations);
#define PLACES(name)                                                                               \
    {                                                                                              \
        name##_1, name##_16, name##_32, name##_48                                                  \
    }
static loop *const loops[TOUCHES][SIDE_PLACES] = {PLACES(untouched), PLACES(written),
                                                  PLACES(written_and_read)};

/* ---- a load ---- */

static uint32_t
random_size(rh_random *random)
{
    return 16 + (uint32_t)rh_random_below(random, 497);
}

/* Fills the working set; freed in part and filled again, so that it is not fresh. Blocks that will
 * be touched are touched here first: the system's time to make a page is nobody's merit. */
static void
fill(side *on, const side_load *what, int touch)
{
    rh_random random = {5};
    for (int pass = 0; pass < 3; pass++)
        for (uint32_t i = 0; i < what->live; i++) {
            if (pass) {
                if (rh_random_below(&random, 2))
                    continue;
                give(&on->allocator, on->blocks[i], touch);
            }
            on->blocks[i] = take(&on->allocator, random_size(&random), touch);
        }
    on->filled = true;
}

static void
empty(side *on, const side_load *what)
{
    for (uint32_t i = 0; i < what->live; i++)
        on->allocator.free(on->allocator.ctx, on->blocks[i]);
    on->filled = false;
}

static void
draw(const side *on, const side_order *order)
{
    rh_random random = {order->seed};
    for (uint64_t i = 0; order->load.live && i < order->operations; i++)
        on->script[i] =
            (step){(uint32_t)rh_random_below(&random, order->load.live), random_size(&random)};
}

static void
tell_places(const side *on, const side_load *what, side_answer *answer)
{
    static uintptr_t places[SIDE_LIVE_MAX];
    answer->blocks = what->live ? what->live : what->batch;
    for (uint64_t i = 0; i < answer->blocks; i++)
        places[i] = (uintptr_t)on->blocks[i] - on->base;
    answer->places = XXH3_64bits(places, answer->blocks * sizeof *places);
}

static void
carry_out(side *on, const side_order *order, side_answer *answer)
{
    const side_load *what = &order->load;
    if (what->live && !on->filled)
        fill(on, what, order->touch);
    draw(on, order);
    if (order->operations) {
        uint64_t start = rh_host_now_ns();
        loops[order->touch][order->place](on, what, order->operations);
        answer->ns = (double)(rh_host_now_ns() - start) / (double)order->operations;
        tell_places(on, what, answer);
    }
    if (order->ends)
        empty(on, what);
}

/* ---- the allocator ---- */

static bool
open_library(side *on, const char *path, bool own_arenas)
{
    void (*get)(PyMemAllocatorDomain, PyMemAllocatorEx *) = NULL;
    void (*set_arenas)(PyObjectArenaAllocator *) = NULL;
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library) {
        *(void **)&get = dlsym(library, "PyMem_GetAllocator");
        *(void **)&set_arenas = dlsym(library, "PyObject_SetArenaAllocator");
    }
    if (!get || !set_arenas) {
        fprintf(stderr, "%s cannot be used: %s\n", path, dlerror());
        return false;
    }
    rh_arena_ground_init(&on->ground, ARENA_BYTES, false);
    PyObjectArenaAllocator arenas = rh_arena_ground_source(&on->ground);
    if (!own_arenas)
        set_arenas(&arenas);
    get(PYMEM_DOMAIN_OBJ, &on->allocator);
    return true;
}

static bool
open_heap(side *on, const char *spec)
{
    rh_heap *heap;
    rh_error error = {0};
    if (rh_heap_open(spec, &heap, &error) != RH_OK) {
        fprintf(stderr, "%s\n", error.message);
        return false;
    }
    on->allocator = heap->domain[PYMEM_DOMAIN_OBJ];
    return true;
}

static void *
nothing_malloc(void *ctx, size_t size)
{
    (void)size;
    return ctx;
}

static void
nothing_free(void *ctx, void *block)
{
    (void)ctx;
    (void)block;
}

static bool
open_side(side *on, const char *what, bool own_arenas)
{
    static char byte;
    on->blocks = calloc(SIDE_LIVE_MAX, sizeof *on->blocks);
    on->script = malloc(SIDE_OPERATIONS * sizeof *on->script);
    if (!on->blocks || !on->script)
        return false;
    if (!*what)
        on->allocator =
            (PyMemAllocatorEx){.ctx = &byte, .malloc = nothing_malloc, .free = nothing_free};
    else if (*what == '=' ? !open_heap(on, what + 1) : !open_library(on, what, own_arenas))
        return false;
    void *block = on->allocator.malloc(on->allocator.ctx, 1);
    on->base = (uintptr_t)block & ~(uintptr_t)(ARENA_BYTES - 1);
    on->allocator.free(on->allocator.ctx, block);
    return true;
}

int
side_serve(const char *what, bool own_arenas)
{
    static side on;
    side_order order;
    if (!open_side(&on, what, own_arenas))
        return 4;
    rh_host_pin(0);
    while (read(STDIN_FILENO, &order, sizeof order) == sizeof order) {
        side_answer answer = {0};
        carry_out(&on, &order, &answer);
        if (write(STDOUT_FILENO, &answer, sizeof answer) != sizeof answer)
            return 5;
    }
    return 0;
}
