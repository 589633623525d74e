/* What each layer costs over the bare heap, an operation:
 *
 *   - a random working set: 1,000 live blocks of 16 to 512 bytes; a random one is freed and one of
 *     another size asked for, nothing is written into it;
 *   - a recording, compiled beforehand and played as in a throughput pass.
 *
 * All heaps are open in this one process and take turns in every round, each round beginning with
 * another; a layer's ratio is the median of its ratios to the bare heap in the same round, its cost
 * the median of the differences. Time is that of the processor. `./dev bench layers` makes the
 * recording and counts instructions:
 *
 *     layers_timer FILE.rht                        the tables
 *     layers_timer FILE.rht SPEC random|recording TIMES    one load alone, for valgrind
 */
#define _GNU_SOURCE
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "alloc/heap.h"
#include "alloc/spec.h"
#include "base/host.h"
#include "base/output.h"
#include "base/random.h"
#include "replay/loop.h"
#include "replay/program.h"
#include "traces/reader.h"

enum {
    ROUNDS = 15,
    BATCH = 8192,
    LIVE = 1000,
    STEPS = 300000, /* of a free and a malloc */
    SPECS_MOST = 64,
    SPEC_BYTES = 96
};

static const char *const bases[] = {"pymalloc,large=libc", "malloc", "mimalloc", "bestfit"};
enum { BASES = sizeof bases / sizeof *bases };

static void
die(const char *message)
{
    fprintf(stderr, "layers: %s\n", message);
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

/* ------------------------------------------------------------------ the loads */

/* What to do, decided beforehand. */
typedef struct step {
    uint32_t slot, size;
} step;

/* A recording in operations, with the blocks that it leaves alive. */
typedef struct recording {
    rh_program *batches;
    size_t count;
    uint32_t slots;
    uint64_t calls;
    uint8_t *alive; /* by slot: 1 + the domain of a block that is alive at the end; 0: none */
} recording;

typedef struct loads {
    step *steps;
    recording recorded;
    void **slots; /* room for either */
} loads;

typedef enum load { LOAD_RANDOM, LOAD_RECORDING, LOADS } load;
static const char *const load_names[] = {"random", "recording"};

static void
make_steps(loads *made)
{
    rh_random random = {1};
    made->steps = get((LIVE + STEPS) * sizeof *made->steps);
    for (uint32_t i = 0; i < LIVE + STEPS; i++)
        made->steps[i] = (step){i < LIVE ? i : (uint32_t)rh_random_below(&random, LIVE),
                                16 + (uint32_t)rh_random_below(&random, 497)};
}

/* Which blocks live on after an event. */
static void
follow(uint8_t *alive, const rh_event *event)
{
    bool births = event->operation != RH_FREE;
    if (event->operation > RH_ALIGNED || event->slot == RH_NO_SLOT ||
        event->flags & (RH_EVENT_FAILED | RH_EVENT_NESTED))
        return;
    alive[event->slot] = births ? (uint8_t)(event->domain + 1) : 0;
}

static void
compile(recording *made, rh_compiler *compiler, const rh_batch *batch)
{
    for (size_t done = 0; done < batch->count;) {
        made->batches = realloc(made->batches, (made->count + 1) * sizeof *made->batches);
        if (!made->batches)
            die("no memory");
        rh_program *program = &made->batches[made->count++];
        *program = (rh_program){.codes = get(BATCH * sizeof(rh_code)),
                                .wides = get(BATCH * sizeof(rh_wide)),
                                .code_capacity = BATCH,
                                .wide_capacity = BATCH};
        done += rh_compile(compiler, batch->events + done, batch->count - done, program);
    }
}

static void
read_recording(recording *made, const char *path)
{
    rh_reader *reader;
    rh_error error = {.status = RH_OK};
    rh_batch batch = {.count = 0};
    if (rh_reader_open(path, NULL, &reader, &error) != RH_OK)
        die(error.message);
    if (!rh_reader_info(reader)->domains)
        die("the recording has no domains; record with --python");
    rh_compiler compiler = {.has_domains = true, .domain = PYMEM_DOMAIN_OBJ};
    size_t room = 0;
    while (rh_reader_next(reader, &batch, &error) == RH_OK && batch.count) {
        if (batch.slots > room) {
            made->alive = realloc(made->alive, batch.slots);
            if (!made->alive)
                die("no memory");
            memset(made->alive + room, 0, batch.slots - room);
            room = batch.slots;
        }
        for (size_t i = 0; i < batch.count; i++)
            follow(made->alive, &batch.events[i]);
        compile(made, &compiler, &batch);
    }
    if (error.status != RH_OK)
        die(error.message);
    rh_reader_close(reader);
    made->slots = (uint32_t)room;
    made->calls = compiler.calls;
}

/* Time that this thread had a processor: what others do on this machine in between is not in it. */
static uint64_t
processor_ns(void)
{
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

/* Plays a load once and leaves the heap empty. Returns the time of the part that is measured. */
static uint64_t
play_random(const loads *of, rh_heap *heap)
{
    const PyMemAllocatorEx object = heap->domain[PYMEM_DOMAIN_OBJ];
    void **slots = of->slots;
    for (size_t i = 0; i < LIVE; i++)
        slots[of->steps[i].slot] = object.malloc(object.ctx, of->steps[i].size);
    uint64_t start = processor_ns();
    for (const step *at = of->steps + LIVE, *end = at + STEPS; at < end; at++) {
        object.free(object.ctx, slots[at->slot]);
        slots[at->slot] = object.malloc(object.ctx, at->size);
    }
    uint64_t taken = processor_ns() - start;
    for (size_t i = 0; i < LIVE; i++)
        object.free(object.ctx, slots[i]);
    return taken;
}

static uint64_t
play_recording(const loads *of, rh_heap *heap)
{
    const recording *recorded = &of->recorded;
    rh_target target = {.heap = heap, .slots = of->slots, .zero_fits = true};
    uint64_t start = processor_ns();
    for (size_t i = 0; i < recorded->count; i++)
        rh_loop_run(&target, &recorded->batches[i]);
    uint64_t taken = processor_ns() - start;
    for (uint32_t slot = 0; slot < recorded->slots; slot++) {
        if (!recorded->alive[slot])
            continue;
        const PyMemAllocatorEx *domain = &heap->domain[recorded->alive[slot] - 1];
        domain->free(domain->ctx, of->slots[slot]);
    }
    if (target.failed_allocations)
        die("an allocation failed");
    return taken;
}

static uint64_t
play(const loads *of, load kind, rh_heap *heap)
{
    memset(of->slots, 0, (of->recorded.slots + (size_t)LIVE) * sizeof *of->slots);
    return kind == LOAD_RANDOM ? play_random(of, heap) : play_recording(of, heap);
}

static uint64_t
calls_of(const loads *of, load kind)
{
    return kind == LOAD_RANDOM ? 2 * STEPS : of->recorded.calls;
}

/* ------------------------------------------------------------------ the candidates */

typedef struct candidate {
    char spec[SPEC_BYTES];
    size_t base; /* its bare heap, by place; its own for a bare one */
    rh_heap *heap;
    double ns[LOADS][ROUNDS];
} candidate;

typedef struct field {
    candidate of[SPECS_MOST];
    size_t count;
} field;

static bool
open_heap(const char *spec, rh_heap **heap)
{
    rh_error error = {.status = RH_OK};
    if (rh_heap_open(spec, heap, &error) == RH_OK)
        return true;
    fprintf(stderr, "layers: left out: %s\n", error.message);
    return false;
}

static bool
add(field *all, const char *base, const char *layer, size_t bare)
{
    if (all->count == SPECS_MOST)
        return false;
    candidate *next = &all->of[all->count];
    snprintf(next->spec, sizeof next->spec, "%s%s%s", base, *layer ? "+" : "", layer);
    next->base = bare;
    if (!open_heap(next->spec, &next->heap))
        return false;
    all->count++;
    return true;
}

/* Each base bare and under each layer; tracebacks are dear, and tried on the first. */
static void
gather(field *all)
{
    for (size_t b = 0; b < BASES; b++) {
        size_t bare = all->count;
        if (!add(all, bases[b], "", bare))
            continue;
        for (size_t i = 0; rh_layers[i]; i++) {
            const char *name = rh_layers[i]->name;
            add(all, bases[b],
                strcmp(name, "fault") == 0   ? "fault,nth=1000000000000"
                : strcmp(name, "delay") == 0 ? "delay,ns=0"
                                             : name,
                bare);
        }
    }
    add(all, bases[0], "trace,frames=8,stack=return", 0);
}

static int
compare(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static double
median(const double values[ROUNDS])
{
    double sorted[ROUNDS];
    memcpy(sorted, values, sizeof sorted);
    qsort(sorted, ROUNDS, sizeof *sorted, compare);
    return sorted[ROUNDS / 2];
}

static void
measure(field *all, const loads *of)
{
    for (int round = -1; round < ROUNDS; round++) /* the first is to get warm */
        for (load kind = LOAD_RANDOM; kind < LOADS; kind++)
            for (size_t turn = 0; turn < all->count; turn++) {
                candidate *next = &all->of[(turn + (size_t)(round + 1)) % all->count];
                double ns = (double)play(of, kind, next->heap);
                if (round >= 0)
                    next->ns[kind][round] = ns / (double)calls_of(of, kind);
            }
}

static void
add_cells(rh_table *table, const candidate *next, const candidate *bare, load kind)
{
    double ratio[ROUNDS], added[ROUNDS];
    for (int round = 0; round < ROUNDS; round++) {
        ratio[round] = next->ns[kind][round] / bare->ns[kind][round];
        added[round] = next->ns[kind][round] - bare->ns[kind][round];
    }
    rh_table_cell(table, "%.1f", median(next->ns[kind]));
    if (next == bare) {
        rh_table_cell(table, "-");
        rh_table_cell(table, "-");
    } else {
        rh_table_cell(table, "%+.1f", median(added));
        rh_table_cell(table, "%.2f", median(ratio));
    }
}

static void
print(const field *all)
{
    static const char *const headings[] = {
        "heap", "random: ns/call", "more", "ratio", "recording: ns/call", "more", "ratio"};
    enum { COLUMNS = sizeof headings / sizeof *headings };
    rh_table *table = rh_table_new(COLUMNS);
    for (size_t i = 0; i < COLUMNS; i++)
        rh_table_cell(table, "%s", headings[i]);
    for (size_t i = 0; i < all->count; i++) {
        rh_table_cell(table, "%s", all->of[i].spec);
        for (load kind = LOAD_RANDOM; kind < LOADS; kind++)
            add_cells(table, &all->of[i], &all->of[all->of[i].base], kind);
    }
    rh_table_print(table, stdout);
    rh_table_free(table);
}

/* One load, TIMES times over, and what a call is: for a counter of instructions outside. */
static int
play_alone(const loads *of, const char *spec, const char *name, const char *times)
{
    rh_heap *heap;
    load kind = strcmp(name, load_names[LOAD_RANDOM]) == 0 ? LOAD_RANDOM : LOAD_RECORDING;
    if (!open_heap(spec, &heap))
        return 1;
    for (int i = atoi(times); i > 0; i--)
        play(of, kind, heap);
    printf("%" PRIu64 "\n", calls_of(of, kind));
    rh_heap_close(heap);
    return 0;
}

int
main(int argc, char **argv)
{
    static field all;
    loads made = {.steps = NULL};
    if (argc != 2 && argc != 5)
        die("usage: layers_timer FILE.rht [SPEC random|recording TIMES]");
    make_steps(&made);
    read_recording(&made.recorded, argv[1]);
    made.slots = get((made.recorded.slots + (size_t)LIVE) * sizeof *made.slots);
    if (argc == 5)
        return play_alone(&made, argv[2], argv[3], argv[4]);
    rh_host_pin(rh_host_processors() - 1);
    gather(&all);
    measure(&all, &made);
    printf("random: %d live blocks of 16 to 512 bytes, one freed and one asked for; recording: "
           "%" PRIu64 " calls.\n"
           "%zu heaps in one process take turns, %d rounds; medians; `more` and `ratio` against "
           "the bare heap in the same round.\n",
           LIVE, made.recorded.calls, all.count, ROUNDS);
    print(&all);
    return 0;
}
