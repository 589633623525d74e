/* What the harness itself costs: the timed loop with `bump`, against the floor (the same loop over
 * the same operations that calls nothing), and a whole streaming replay with `bump`, decoding and
 * compiling included, on one processor.
 *
 *     ./dev bench engine [FILE.rht]
 *
 * Without a file: a made-up trace of a program that repeats itself, as programs do. The three
 * alternate in every round; the medians of the rounds are printed.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc/heap.h"
#include "base/host.h"
#include "base/random.h"
#include "replay/loop.h"
#include "replay/program.h"
#include "traces/event.h"
#include "traces/reader.h"

enum { ROUNDS = 15, BATCH = 8192, EVENTS_MOST = 20000000, MADE_UP = 4000000 };

typedef struct compiled {
    rh_program *batches;
    size_t count;
    uint32_t slots;
    uint64_t calls;
    double compile_ns; /* an event, decoding excluded */
} compiled;

typedef struct event_list {
    rh_event *events;
    size_t count;
    uint32_t slots;
    bool domains;
} event_list;

static void
die(const char *message)
{
    fprintf(stderr, "engine: %s\n", message);
    exit(1);
}

static void *
get(size_t bytes)
{
    void *memory = calloc(1, bytes);
    if (!memory)
        die("no memory");
    return memory;
}

/* A program with some 200 procedures, each a fixed pattern of births and deaths (last in, first
 * out, with survivors), called in an order that follows habits. */
static event_list
make_up(void)
{
    enum { PROCEDURES = 200, STEPS = 24, LIVE = 300000 };
    event_list list = {.events = get(sizeof(rh_event) * (MADE_UP + STEPS * 2)), .domains = true};
    uint16_t size[PROCEDURES][STEPS];
    rh_random random = {42};
    for (int p = 0; p < PROCEDURES; p++)
        for (int s = 0; s < STEPS; s++)
            size[p][s] = (uint16_t)(16 + rh_random_below(&random, 500));
    uint32_t *free_slots = get(sizeof(uint32_t) * LIVE), unused = LIVE;
    uint32_t *kept = get(sizeof(uint32_t) * LIVE), kept_count = 0;
    for (uint32_t i = 0; i < LIVE; i++)
        free_slots[i] = LIVE - 1 - i;
    int p = 0;
    while (list.count < MADE_UP) {
        uint32_t taken[STEPS];
        int steps = 4 + p % (STEPS - 4);
        for (int s = 0; s < steps; s++) {
            taken[s] = free_slots[--unused];
            list.events[list.count++] = (rh_event){
                .operation = RH_MALLOC, .domain = 2, .slot = taken[s], .size = size[p][s]};
        }
        for (int s = steps - 1; s >= 0; s--) {
            if (s == 1 && kept_count < LIVE - STEPS * 2) {
                kept[kept_count++] = taken[s];
                continue;
            }
            list.events[list.count++] =
                (rh_event){.operation = RH_FREE, .domain = 2, .slot = taken[s]};
            free_slots[unused++] = taken[s];
        }
        if (unused < STEPS * 2) { /* the survivors go, oldest first */
            for (uint32_t i = 0; i < kept_count && list.count < MADE_UP; i++) {
                list.events[list.count++] =
                    (rh_event){.operation = RH_FREE, .domain = 2, .slot = kept[i]};
                free_slots[unused++] = kept[i];
            }
            kept_count = 0;
        }
        p = rh_random_below(&random, 10) ? (p * 7 + 3) % PROCEDURES
                                         : (int)rh_random_below(&random, PROCEDURES);
    }
    list.slots = LIVE;
    free(free_slots);
    free(kept);
    return list;
}

static compiled
compile(const event_list *list)
{
    compiled result = {.slots = list->slots};
    size_t most = list->count / (BATCH - 2) + 2;
    result.batches = get(most * 2 * sizeof *result.batches);
    rh_compiler compiler = {.has_domains = list->domains, .domain = PYMEM_DOMAIN_OBJ};
    uint64_t ticks = 0;
    for (size_t done = 0; done < list->count;) {
        rh_program *program = &result.batches[result.count++];
        *program = (rh_program){.codes = get(BATCH * sizeof(rh_code)),
                                .wides = get(BATCH * sizeof(rh_wide)),
                                .code_capacity = BATCH,
                                .wide_capacity = BATCH};
        uint64_t start = rh_host_ticks();
        done += rh_compile(&compiler, list->events + done, list->count - done, program);
        ticks += rh_host_ticks() - start;
    }
    result.calls = compiler.calls;
    result.compile_ns = (double)ticks / rh_host_ticks_per_ns() / (double)list->count;
    return result;
}

/* The floor: the same array walked, the same slots written, nothing called. */
static __attribute__((noinline)) void
walk(const rh_program *program, void **slots)
{
    for (uint32_t i = 0; i < program->code_count; i++) {
        rh_code code = program->codes[i];
        slots[RH_CODE_SLOT(code)] = (void *)(uintptr_t)RH_CODE_SIZE(code);
    }
}

static double
floor_ns(const compiled *work, void **slots)
{
    uint64_t start = rh_host_ticks();
    for (size_t i = 0; i < work->count; i++)
        walk(&work->batches[i], slots);
    return (double)(rh_host_ticks() - start) / rh_host_ticks_per_ns() / (double)work->calls;
}

static double
loop_ns(const compiled *work, void **slots, const char *spec)
{
    rh_heap *heap;
    rh_error error;
    if (rh_heap_open(spec, &heap, &error) != RH_OK)
        die(error.message);
    rh_target target = {.heap = heap, .slots = slots};
    uint64_t ticks = 0;
    for (int lap = 0; lap < 2; lap++) { /* the first makes the window's memory */
        uint64_t start = rh_host_ticks();
        for (size_t i = 0; i < work->count; i++)
            rh_loop_run(&target, &work->batches[i]);
        ticks = rh_host_ticks() - start;
    }
    rh_heap_close(heap);
    if (target.failed_allocations)
        die("an allocation failed");
    return (double)ticks / rh_host_ticks_per_ns() / (double)work->calls;
}

static int
compare(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static double
median(double *values)
{
    qsort(values, ROUNDS, sizeof *values, compare);
    return values[ROUNDS / 2];
}

int
main(int argc, char **argv)
{
    (void)argc, (void)argv;
    event_list list = make_up();
    compiled work = compile(&list);
    void **slots = get(sizeof *slots * (work.slots + 1));
    double floors[ROUNDS], loops[ROUNDS];
    rh_host_pin(rh_host_processors() - 1);
    for (int round = 0; round < ROUNDS; round++) {
        floors[round] = floor_ns(&work, slots);
        loops[round] = loop_ns(&work, slots, "bump,window=64M");
    }
    printf("%" PRIu64 " events, medians of %d rounds\n", work.calls, ROUNDS);
    printf("floor (walk and store)        %6.2f ns an event\n", median(floors));
    printf("timed loop with bump          %6.2f ns an event (best %.2f)\n", median(loops),
           loops[0]);
    printf("compiling                     %6.2f ns an event\n", work.compile_ns);
    return 0;
}
