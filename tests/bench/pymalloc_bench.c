/* How fast is our pymalloc beside the one of the real libpython3.11? Prints, for each load, the
 * time of an operation and its ratio to libpython's, when the blocks are not touched, when the
 * first byte of each is written as the block is got, and when it is also read before the block is
 * freed. There are two of ours: libpymem.so, whose headers lie beside the pools, and the heap of a
 * spec, whose headers lie in them as CPython's do.
 *
 * Both libraries are opened, and called through the PyMemAllocatorEx that their
 * PyMem_GetAllocator(PYMEM_DOMAIN_OBJ) tells, and so is the heap's object domain, with the same
 * operations, drawn before each round: a script played twice would be learnt by the processor. They
 * take turns in one process, the first of each round alternating; the ratio of a load is the median
 * of its rounds' ratios, for the machine's speed changes from one second to the next, and much less
 * from one round's half to the other. Each has its own copy of the loop: a call that leads to
 * several places in turn costs a nanosecond more than one that always leads to the same, and a
 * program has only one. The same loops with functions that do nothing tell what the calls alone
 * take.
 *
 * All arenas are laid out by the same rule (libpython's through
 * PyObject_SetArenaAllocator), so that every block has to lie at the same offset in each: after
 * each round all live blocks are compared. --own-arenas leaves libpython its own arenas, and
 * compares nothing.
 *
 *   fixed    blocks of one size: 100 asked for, the 100 given back in the same order; the last
 *            of them empties its pool
 *   single   one block asked for and given back, again and again: its pool changes hands each time
 *   beside   the same beside a block that stays: its pool does not
 *   random   a working set of 16 to 512 bytes: a block drawn at random is freed and another of
 *            random size takes its place
 */
#define _GNU_SOURCE
#include <argp.h>
#include <dlfcn.h>
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc/arena_ground.h"
#include "alloc/heap.h"
#include "base/host.h"
#include "base/random.h"

#define LIBPYTHON   "libpython3.11.so.1.0"
#define LIBPYMEM    "alloc/libpymem.so"
#define HEAP        "pymalloc,large=libc"
#define ARENA_BYTES ((size_t)1 << 20)
#define BATCH       100
#define ROUND_NS    5e6    /* how long one allocator runs at a stretch */
#define WARM_UP     100000 /* operations */
#define ROUNDS_MAX  1001
#define LIVE_MAX    1000000
#define SCRIPT      (1u << 20) /* most operations of a round of a random load */

enum { CPYTHON, BESIDE, INBAND, SIDES, NOTHING = SIDES, ALL };
enum { UNTOUCHED, WRITTEN, READ, TOUCHES };

typedef struct step {
    uint32_t slot;
    uint32_t size;
} step;

typedef struct load {
    char name[32];
    uint32_t size;  /* fixed, single, beside */
    uint32_t batch; /* blocks at once */
    bool beside;
    uint32_t live; /* random */
} load;

typedef struct side {
    PyMemAllocatorEx allocator;
    void **blocks;
    uintptr_t base; /* what the addresses of its blocks are compared from */
} side;

typedef struct bench {
    unsigned rounds;
    const char *only, *library, *heap;
    bool own_arenas;
    side sides[ALL];
    step *script;
    rh_random random;
    uint64_t compared, different;
} bench;

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
fixed(const side *on, const load *what, uint64_t operations, int touch)
{
    PyMemAllocatorEx allocator = on->allocator;
    size_t size = what->size;
    void *blocks[BATCH] = {NULL};
    for (uint64_t done = 0; done < operations; done += BATCH) {
        void **next = blocks;
        while (next < blocks + BATCH) {
            TEN(*next++ = take(&allocator, size, touch));
        }
        next = blocks;
        while (next < blocks + BATCH) {
            TEN(give(&allocator, *next++, touch));
        }
    }
    memcpy(on->blocks, blocks, sizeof blocks);
}

IN_EACH void
pairs(const side *on, const load *what, uint64_t operations, int touch)
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
working_set(const side *on, const step *script, uint64_t operations, int touch)
{
    PyMemAllocatorEx allocator = on->allocator;
    void **blocks = on->blocks;
    for (uint64_t done = 0; done < operations; done++) {
        step next = script[done];
        give(&allocator, blocks[next.slot], touch);
        blocks[next.slot] = take(&allocator, next.size, touch);
    }
}

typedef void loop(const side *on, const load *what, const step *script, uint64_t operations);

/* The comment in the code keeps the compiler from making one function of two that are the same. */
#define LOOP(name, touch)                                                                          \
    static __attribute__((noinline)) void name(const side *on, const load *what,                   \
                                               const step *script, uint64_t operations)            \
    {                                                                                              \
        __asm__ volatile("# " #name);                                                              \
        if (what->live)                                                                            \
            working_set(on, script, operations, touch);                                            \
        else if (what->batch == 1)                                                                 \
            pairs(on, what, operations, touch);                                                    \
        else                                                                                       \
            fixed(on, what, operations, touch);                                                    \
    }

LOOP(cpython_untouched, UNTOUCHED)
LOOP(cpython_written, WRITTEN)
LOOP(cpython_read, READ)
LOOP(beside_untouched, UNTOUCHED)
LOOP(beside_written, WRITTEN)
LOOP(beside_read, READ)
LOOP(inband_untouched, UNTOUCHED)
LOOP(inband_written, WRITTEN)
LOOP(inband_read, READ)
LOOP(nothing_untouched, UNTOUCHED)
LOOP(nothing_written, WRITTEN)
LOOP(nothing_read, READ)

static loop *const loops[ALL][TOUCHES] = {
    {cpython_untouched, cpython_written, cpython_read},
    {beside_untouched, beside_written, beside_read},
    {inband_untouched, inband_written, inband_read},
    {nothing_untouched, nothing_written, nothing_read},
};

static double
time_run(bench *b, int who, int touch, const load *what, uint64_t operations)
{
    uint64_t start = rh_host_now_ns();
    loops[who][touch](&b->sides[who], what, b->script, operations);
    return (double)(rh_host_now_ns() - start) / (double)operations;
}

/* ---- one load ---- */

static uint32_t
random_size(rh_random *random)
{
    return 16 + (uint32_t)rh_random_below(random, 497);
}

static void
draw(bench *b, const load *what, uint64_t operations)
{
    for (uint64_t i = 0; what->live && i < operations; i++)
        b->script[i] =
            (step){(uint32_t)rh_random_below(&b->random, what->live), random_size(&b->random)};
}

/* Fills the working set; freed in part and filled again, so that it is not fresh. Blocks that will
 * be touched are touched here first: the system's time to make a page is nobody's merit. */
static void
fill(const side *on, const load *what, int touch)
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
}

static void
empty(const side *on, const load *what)
{
    for (uint32_t i = 0; i < what->live; i++)
        on->allocator.free(on->allocator.ctx, on->blocks[i]);
}

/* All live blocks; of loads that keep none, those of the last batch. */
static void
compare(bench *b, const load *what)
{
    const side *cpython = &b->sides[CPYTHON];
    uint32_t count = what->live ? what->live : what->batch;
    for (const side *ours = &b->sides[BESIDE]; ours <= &b->sides[INBAND]; ours++)
        for (uint32_t i = 0; !b->own_arenas && i < count; i++) {
            uintptr_t wanted = (uintptr_t)cpython->blocks[i] - cpython->base;
            b->different += (uintptr_t)ours->blocks[i] - ours->base != wanted;
            b->compared++;
        }
}

static int
ascending(const void *first, const void *second)
{
    double a = *(const double *)first, b = *(const double *)second;
    return (a > b) - (a < b);
}

/* The median, and bounds of its interval of 95 %: order statistics, which suppose nothing of the
 * distribution. */
typedef struct middle {
    double low, median, high;
} middle;

static middle
middle_of(double *values, unsigned count)
{
    qsort(values, count, sizeof *values, ascending);
    double reach = .98 * sqrt(count);
    int low = (int)floor(count / 2. - reach);
    low = low < 0 ? 0 : low;
    return (middle){values[low], values[count / 2], values[count - 1 - (unsigned)low]};
}

/* What an allocator took for an operation, and that beside libpython's time. */
typedef struct result {
    double ns;
    middle ratio;
} result;

static result
result_of(const double *times, const double *cpython, unsigned rounds)
{
    static double sorted[ROUNDS_MAX];
    result it;
    for (unsigned i = 0; i < rounds; i++)
        sorted[i] = times[i] / cpython[i];
    it.ratio = middle_of(sorted, rounds);
    memcpy(sorted, times, rounds * sizeof *sorted);
    it.ns = middle_of(sorted, rounds).median;
    return it;
}

/* Runs each side once and tells how many operations make a round. */
static uint64_t
warm_up(bench *b, const load *what, int touch)
{
    double slowest = 0;
    draw(b, what, WARM_UP);
    for (int who = 0; who < SIDES; who++) {
        double ns = time_run(b, who, touch, what, WARM_UP);
        slowest = ns > slowest ? ns : slowest;
    }
    uint64_t operations = (uint64_t)(ROUND_NS / slowest) + 1;
    return what->live && operations > SCRIPT ? SCRIPT : operations;
}

static void
measure_touch(bench *b, const load *what, int touch, result results[SIDES])
{
    static double times[SIDES][ROUNDS_MAX];
    for (int who = 0; what->live && who < SIDES; who++)
        fill(&b->sides[who], what, touch);
    uint64_t operations = warm_up(b, what, touch);
    for (unsigned round = 0; round < b->rounds; round++) {
        draw(b, what, operations);
        for (unsigned i = 0; i < SIDES; i++) {
            unsigned who = (i + round) % SIDES;
            times[who][round] = time_run(b, (int)who, touch, what, operations);
        }
        compare(b, what);
    }
    for (int who = 0; what->live && who < SIDES; who++)
        empty(&b->sides[who], what);
    for (int who = 0; who < SIDES; who++)
        results[who] = result_of(times[who], times[CPYTHON], b->rounds);
}

/* Measures a load under the name that `format` makes of `number`, if that is asked for. */
static __attribute__((format(printf, 3, 0))) void
measure(bench *b, load what, const char *format, uint32_t number)
{
    result results[TOUCHES][SIDES];
    snprintf(what.name, sizeof what.name, format, number);
    if (b->only && strcmp(what.name, b->only) != 0)
        return;
    for (int touch = 0; touch < TOUCHES; touch++)
        measure_touch(b, &what, touch, results[touch]);
    for (int who = BESIDE; who <= INBAND; who++) {
        printf("%-14s | %-7s", what.name, who == BESIDE ? "beside" : "in-band");
        for (int touch = 0; touch < TOUCHES; touch++) {
            const result *ours = &results[touch][who];
            printf(" | %6.2f %6.2f %5.2f (%.2f-%.2f)", results[touch][CPYTHON].ns, ours->ns,
                   ours->ratio.median, ours->ratio.low, ours->ratio.high);
        }
        putchar('\n');
    }
    fflush(stdout);
}

/* What the loops and the calls take by themselves. */
static void
measure_nothing(bench *b, load what, const char *name)
{
    static double times[ROUNDS_MAX];
    printf("%-14s | %-7s", name, "");
    for (int touch = 0; touch < TOUCHES; touch++) {
        uint64_t operations = WARM_UP * 4;
        fill(&b->sides[NOTHING], &what, touch);
        draw(b, &what, operations);
        for (unsigned round = 0; round < b->rounds; round++)
            times[round] = time_run(b, NOTHING, touch, &what, operations);
        printf(" | %13s %5.2f %12s", "calls alone", middle_of(times, b->rounds).median, "");
    }
    putchar('\n');
}

static void
measure_all(bench *b)
{
    static const uint32_t sizes[] = {8, 16, 24, 48, 64, 96, 128, 192, 256, 384, 512};
    static const uint32_t few[] = {16, 64, 256};
    static const uint32_t lives[] = {1000, 10000, 100000, LIVE_MAX};
    printf("%-14s | %-7s | %-31s | %-31s | %-31s\n%-14s | %-7s", "", "", "not touched",
           "first byte written", "written, read before free", "load", "headers");
    for (int touch = 0; touch < TOUCHES; touch++)
        printf(" | %6s %6s %5s %-10s", "python", "ours", "ratio", " (95 %)");
    putchar('\n');
    for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        measure(b, (load){.size = sizes[i], .batch = BATCH}, "fixed %" PRIu32 " B", sizes[i]);
    measure_nothing(b, (load){.size = 16, .batch = BATCH}, "fixed");
    for (unsigned i = 0; i < sizeof few / sizeof few[0]; i++) {
        load what = {.size = few[i], .batch = 1};
        measure(b, what, "single %" PRIu32 " B", few[i]);
        what.beside = true;
        measure(b, what, "beside %" PRIu32 " B", few[i]);
    }
    measure_nothing(b, (load){.size = 16, .batch = 1}, "single, beside");
    for (unsigned i = 0; i < sizeof lives / sizeof lives[0]; i++)
        measure(b, (load){.live = lives[i]}, "random %" PRIu32, lives[i]);
    measure_nothing(b, (load){.live = 1000}, "random 1000");
}

/* ---- the two sides ---- */

typedef struct memory_api {
    void (*get)(PyMemAllocatorDomain, PyMemAllocatorEx *);
    void (*set_arenas)(PyObjectArenaAllocator *);
} memory_api;

static bool
open_api(const char *path, memory_api *api)
{
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library) {
        *(void **)&api->get = dlsym(library, "PyMem_GetAllocator");
        *(void **)&api->set_arenas = dlsym(library, "PyObject_SetArenaAllocator");
        if (api->get && api->set_arenas)
            return true;
    }
    fprintf(stderr, "%s cannot be used: %s\n", path, dlerror());
    return false;
}

static bool
open_cpython(bench *b, rh_arena_ground *ground)
{
    memory_api api;
    if (!open_api(LIBPYTHON, &api))
        return false;
    rh_arena_ground_init(ground, ARENA_BYTES, false);
    PyObjectArenaAllocator arenas = rh_arena_ground_source(ground);
    if (!b->own_arenas)
        api.set_arenas(&arenas);
    api.get(PYMEM_DOMAIN_OBJ, &b->sides[CPYTHON].allocator);
    return true;
}

static bool
open_ours(bench *b, rh_heap **heap)
{
    memory_api api;
    rh_error error = {0};
    if (!open_api(b->library, &api))
        return false;
    api.get(PYMEM_DOMAIN_OBJ, &b->sides[BESIDE].allocator);
    if (rh_heap_open(b->heap, heap, &error) != RH_OK) {
        fprintf(stderr, "%s\n", error.message);
        return false;
    }
    b->sides[INBAND].allocator = (*heap)->domain[PYMEM_DOMAIN_OBJ];
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

/* The first block tells where a side's arenas begin: it is at the same place of both. */
static void
find_base(side *on)
{
    void *block = on->allocator.malloc(on->allocator.ctx, 1);
    on->base = (uintptr_t)block & ~(uintptr_t)(ARENA_BYTES - 1);
    on->allocator.free(on->allocator.ctx, block);
}

/* ---- */

static const struct argp_option options[] = {
    {"rounds", 'r', "N", 0, "Rounds of each load, 31 if not told", 0},
    {"load", 'l', "NAME", 0, "Only the load of this name: \"random 1000\"", 0},
    {"library", 'L', "FILE", 0, "Our library: " LIBPYMEM " if not told", 0},
    {"heap", 'H', "SPEC", 0, "The heap beside it: " HEAP " if not told", 0},
    {"own-arenas", 'o', NULL, 0, "libpython maps its arenas itself; addresses are not compared", 0},
    {0},
};

static error_t
parse(int key, char *argument, struct argp_state *state)
{
    bench *b = state->input;
    if (key == 'r')
        b->rounds = (unsigned)strtoul(argument, NULL, 10);
    else if (key == 'l')
        b->only = argument;
    else if (key == 'L')
        b->library = argument;
    else if (key == 'H')
        b->heap = argument;
    else if (key == 'o')
        b->own_arenas = true;
    else
        return ARGP_ERR_UNKNOWN;
    if (b->rounds < 1 || b->rounds > ROUNDS_MAX)
        argp_error(state, "--rounds=%s: 1 to %d are possible", argument, ROUNDS_MAX);
    return 0;
}

int
main(int argc, char **argv)
{
    static const struct argp argp = {
        options, parse, NULL, "Times libpymem.so and a heap beside libpython3.11.",
        NULL,    NULL,  NULL};
    bench b = {.rounds = 31, .library = LIBPYMEM, .heap = HEAP, .random = {9}};
    rh_arena_ground ground;
    rh_heap *heap;
    argp_parse(&argp, argc, argv, 0, NULL, &b);
    if (!open_cpython(&b, &ground) || !open_ours(&b, &heap))
        return 4;
    rh_host_pin(0);
    b.script = malloc(SCRIPT * sizeof *b.script);
    static char byte;
    b.sides[NOTHING].allocator =
        (PyMemAllocatorEx){.ctx = &byte, .malloc = nothing_malloc, .free = nothing_free};
    for (int who = 0; who < ALL; who++) {
        b.sides[who].blocks = calloc(LIVE_MAX, sizeof(void *));
        find_base(&b.sides[who]);
    }
    printf(
        "ns for a malloc and a free through PyMemAllocatorEx: object domain of %s, of\n"
        "%s (headers beside) and of %s (in-band); medians of %u rounds of\n"
        "%.0f ms each, taking turns in one process; the ratio is the median of the rounds' ratios, "
        "with\nthe interval that has it in 95 of 100 cases\n\n",
        LIBPYTHON, b.library, b.heap, b.rounds, ROUND_NS / 1e6);
    measure_all(&b);
    if (!b.own_arenas)
        printf("\n%" PRIu64 " blocks compared, %" PRIu64 " of them elsewhere\n", b.compared,
               b.different);
    for (int who = 0; who < ALL; who++)
        free(b.sides[who].blocks);
    free(b.script);
    rh_heap_close(heap);
    return b.different != 0;
}
