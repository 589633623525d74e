/* How fast is pymalloc beside the real one? Prints, for each load, the time of CPython's object
 * domain (out of libpython3.11, which works without an interpreter), of ours, and their ratio.
 *
 * Both are called through their PyMemAllocatorEx by the same loop with the same operations, drawn
 * before each round: a script played twice would be learnt by the processor. The two take turns in
 * one process, the first of each round alternating; the ratio of a load is the median of its
 * rounds' ratios, for the machine's speed changes from one second to the next, and much less from
 * one round's half to the other.
 *
 *   fixed    blocks of one size: 100 asked for, the 100 given back in the same order; the last
 *            of them empties its pool
 *   single   one block asked for and given back, again and again: its pool changes hands each time
 *   beside   the same beside a block that stays: its pool does not
 *   random   a working set of 16 to 512 bytes: a block drawn at random is freed and another of
 *            random size takes its place
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc/heap.h"
#include "alloc/pymalloc.h"
#include "base/host.h"
#include "base/random.h"

#define LIBRARY        "libpython3.11.so.1.0"
#define BATCH          100
#define ROUND_NS       20e6   /* how long one allocator runs at a stretch */
#define WARM_UP        100000 /* operations */
#define ROUNDS_DEFAULT 31
#define ROUNDS_MAX     1001
#define SCRIPT         (1u << 20) /* most operations of a round of a random load */

enum { CPYTHON, OURS, SIDES };

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
} side;

/* ---- the loops: one operation is a malloc and a free ---- */

static __attribute__((noinline)) void
run_fixed(side *on, const load *what, uint64_t operations)
{
    PyMemAllocatorEx allocator = on->allocator;
    size_t size = what->size;
    void *blocks[BATCH], *stays = what->beside ? allocator.malloc(allocator.ctx, size) : NULL;
    for (uint64_t done = 0; done < operations; done += what->batch) {
        for (unsigned i = 0; i < what->batch; i++)
            blocks[i] = allocator.malloc(allocator.ctx, size);
        for (unsigned i = 0; i < what->batch; i++)
            allocator.free(allocator.ctx, blocks[i]);
    }
    allocator.free(allocator.ctx, stays);
}

static __attribute__((noinline)) void
run_random(side *on, const step *script, uint64_t operations)
{
    PyMemAllocatorEx allocator = on->allocator;
    void **blocks = on->blocks;
    for (uint64_t done = 0; done < operations; done++) {
        step next = script[done];
        allocator.free(allocator.ctx, blocks[next.slot]);
        blocks[next.slot] = allocator.malloc(allocator.ctx, next.size);
    }
}

static double
time_run(const load *what, side *on, const step *script, uint64_t operations)
{
    uint64_t start = rh_host_now_ns();
    if (what->live)
        run_random(on, script, operations);
    else
        run_fixed(on, what, operations);
    return (double)(rh_host_now_ns() - start) / (double)operations;
}

/* ---- one load ---- */

static uint32_t
random_size(rh_random *random)
{
    return 16 + (uint32_t)rh_random_below(random, 497);
}

static void
draw(const load *what, step *script, rh_random *random)
{
    for (uint32_t i = 0; what->live && i < SCRIPT; i++)
        script[i] = (step){(uint32_t)rh_random_below(random, what->live), random_size(random)};
}

/* Fills the working set; freed in part and filled again, so that it is not fresh. */
static void
fill(const load *what, side *on)
{
    PyMemAllocatorEx allocator = on->allocator;
    rh_random random = {5};
    for (int pass = 0; pass < 3; pass++)
        for (uint32_t i = 0; i < what->live; i++) {
            if (pass) {
                if (rh_random_below(&random, 2))
                    continue;
                allocator.free(allocator.ctx, on->blocks[i]);
            }
            on->blocks[i] = allocator.malloc(allocator.ctx, random_size(&random));
        }
}

static void
empty(const load *what, side *on)
{
    for (uint32_t i = 0; i < what->live; i++)
        on->allocator.free(on->allocator.ctx, on->blocks[i]);
}

static int
ascending(const void *first, const void *second)
{
    double a = *(const double *)first, b = *(const double *)second;
    return (a > b) - (a < b);
}

static double
quantile(double *values, unsigned count, double of)
{
    qsort(values, count, sizeof *values, ascending);
    return values[(unsigned)((count - 1) * of + .5)];
}

static void
measure(const load *what, side sides[SIDES], step *script, unsigned rounds)
{
    static double times[SIDES][ROUNDS_MAX], ratios[ROUNDS_MAX];
    rh_random random = {9};
    for (int i = 0; what->live && i < SIDES; i++)
        fill(what, &sides[i]);
    draw(what, script, &random);
    double slowest = 0;
    for (int i = 0; i < SIDES; i++) { /* warm up, and find out how many make a round */
        double ns = time_run(what, &sides[i], script, WARM_UP);
        slowest = ns > slowest ? ns : slowest;
    }
    uint64_t operations = (uint64_t)(ROUND_NS / slowest) + 1;
    if (what->live && operations > SCRIPT)
        operations = SCRIPT;
    for (unsigned round = 0; round < rounds; round++) {
        draw(what, script, &random);
        for (unsigned i = 0; i < SIDES; i++) {
            unsigned who = (i + round) % SIDES;
            times[who][round] = time_run(what, &sides[who], script, operations);
        }
        ratios[round] = times[OURS][round] / times[CPYTHON][round];
    }
    double low = quantile(ratios, rounds, .25), high = quantile(ratios, rounds, .75);
    double fastest = quantile(times[OURS], rounds, 0) / quantile(times[CPYTHON], rounds, 0);
    printf("%-18s %9.2f %9.2f %9.3f   %.3f to %.3f %9.3f\n", what->name,
           quantile(times[CPYTHON], rounds, .5), quantile(times[OURS], rounds, .5),
           quantile(ratios, rounds, .5), low, high, fastest);
    fflush(stdout);
    for (int i = 0; what->live && i < SIDES; i++)
        empty(what, &sides[i]);
}

/* ---- */

static bool
load_cpython(PyMemAllocatorEx *allocator)
{
    void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
    void (*get)(PyMemAllocatorDomain, PyMemAllocatorEx *) = NULL;
    if (library)
        *(void **)&get = dlsym(library, "PyMem_GetAllocator");
    if (!get)
        return false;
    get(PYMEM_DOMAIN_OBJ, allocator);
    return true;
}

/* Measures a load under the name that `format` makes of `number`, if that is asked for. */
static __attribute__((format(printf, 6, 0))) void
measure_named(load *what, side sides[SIDES], step *script, unsigned rounds, const char *only,
              const char *format, uint32_t number)
{
    snprintf(what->name, sizeof what->name, format, number);
    if (!only || strcmp(what->name, only) == 0)
        measure(what, sides, script, rounds);
}

static void
measure_all(side sides[SIDES], unsigned rounds, const char *only)
{
    static const uint32_t sizes[] = {16, 48, 64, 128, 256, 512};
    static const uint32_t lives[] = {1000, 10000, 100000, 1000000};
    step *script = malloc(SCRIPT * sizeof *script);
    for (int i = 0; i < SIDES; i++)
        sides[i].blocks = calloc(lives[3], sizeof(void *));
    printf("%-18s %9s %9s %9s   %-14s %9s\n", "load", "CPython", "ours", "ratio", "quartiles",
           "fastest");
    for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        load what = {.size = sizes[i], .batch = BATCH};
        measure_named(&what, sides, script, rounds, only, "fixed %" PRIu32 " B", sizes[i]);
    }
    for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i += 2) {
        load what = {.size = sizes[i], .batch = 1};
        measure_named(&what, sides, script, rounds, only, "single %" PRIu32 " B", sizes[i]);
        what.beside = true;
        measure_named(&what, sides, script, rounds, only, "beside %" PRIu32 " B", sizes[i]);
    }
    for (unsigned i = 0; i < sizeof lives / sizeof lives[0]; i++) {
        load what = {.live = lives[i]};
        measure_named(&what, sides, script, rounds, only, "random %" PRIu32, lives[i]);
    }
    for (int i = 0; i < SIDES; i++)
        free(sides[i].blocks);
    free(script);
}

int
main(int argc, char **argv)
{
    unsigned rounds = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : ROUNDS_DEFAULT;
    if (rounds == 0 || rounds > ROUNDS_MAX || argc > 3) {
        fprintf(stderr,
                "usage: pymalloc_bench [ROUNDS [LOAD]]\n"
                "ROUNDS: 1 to %d; LOAD: only the one of this name\n",
                ROUNDS_MAX);
        return 2;
    }
    side sides[SIDES] = {0};
    rh_heap *heap;
    rh_pymalloc_config config;
    rh_error error = {0};
    if (!load_cpython(&sides[CPYTHON].allocator)) {
        fprintf(stderr, "%s cannot be opened: install the package libpython3.11\n", LIBRARY);
        return 4;
    }
    if (rh_pymalloc_config_init(&config, "3.11", &error) != RH_OK ||
        rh_pymalloc_open(&config, &heap, &error) != RH_OK) {
        fprintf(stderr, "%s\n", error.message);
        return (int)error.status;
    }
    sides[OURS].allocator = heap->domain[PYMEM_DOMAIN_OBJ];
    printf("ns for a malloc and a free through PyMemAllocatorEx; object domain of %s and of\n"
           "pymalloc@3.11; medians of %u rounds of %.0f ms each, taking turns in one process;\n"
           "the ratio is the median of the rounds' ratios, fastest the ratio of the fastest "
           "rounds\n\n",
           LIBRARY, rounds, ROUND_NS / 1e6);
    rh_host_pin(0);
    measure_all(sides, rounds, argc > 2 ? argv[2] : NULL);
    rh_heap_close(heap);
    return 0;
}
