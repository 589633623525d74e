/* What the harness itself costs: the timed loop with `bump`, against the floor (the same loop over
 * the same operations that calls nothing); a whole streaming replay with `bump`, decoding included,
 * on one processor and with another that decodes ahead; and a memory pass of eight heaps, against
 * eight times one heap and one decoding.
 *
 *     ./dev bench engine [FILE.rht]
 *
 * Without a file: a made-up trace of a program that repeats itself, as programs do, written to a
 * temporary file and read back. All alternate in every round. What one processor does is told as
 * each batch's fastest round and as the median of the rounds, the passes as their fastest.
 */
#define _GNU_SOURCE
#include <inttypes.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "alloc/heap.h"
#include "base/host.h"
#include "base/random.h"
#include "replay/child.h"
#include "replay/loop.h"
#include "replay/program.h"
#include "tests/bench/engine_passes.h"
#include "traces/event.h"
#include "traces/reader.h"
#include "traces/writer.h"

#define HEAP "bump,window=64M"

enum { ROUNDS = 15, BATCH = 8192, EVENTS_MOST = 20000000, MADE_UP = 4000000 };

typedef struct compiled {
    rh_program *batches;
    size_t count;
    uint32_t slots;
    uint64_t calls;
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
    for (size_t done = 0; done < list->count;) {
        rh_program *program = &result.batches[result.count++];
        *program = (rh_program){.codes = get(BATCH * sizeof(rh_code)),
                                .wides = get(BATCH * sizeof(rh_wide)),
                                .code_capacity = BATCH,
                                .wide_capacity = BATCH};
        done += rh_compile(&compiler, list->events + done, list->count - done, program);
    }
    result.calls = compiler.calls;
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

/* Times of one kind of work: whole rounds, and the fastest of each batch. */
typedef struct timing_record {
    const char *what;
    uint64_t *fastest; /* ticks, by batch */
    size_t batches, room;
    uint64_t events;
    double round_ns[ROUNDS];
    int rounds;
    uint64_t round_ticks;
} timing_record;

static void
note(timing_record *timing, size_t batch, uint64_t ticks)
{
    while (batch >= timing->room) {
        size_t room = timing->room ? timing->room * 2 : 1024;
        timing->fastest = realloc(timing->fastest, room * sizeof *timing->fastest);
        if (!timing->fastest)
            die("no memory");
        memset(timing->fastest + timing->room, 0xFF,
               (room - timing->room) * sizeof *timing->fastest);
        timing->room = room;
    }
    if (ticks < timing->fastest[batch])
        timing->fastest[batch] = ticks;
    timing->batches = batch >= timing->batches ? batch + 1 : timing->batches;
    timing->round_ticks += ticks;
}

static void
end_round(timing_record *timing, uint64_t events)
{
    timing->events = events;
    timing->round_ns[timing->rounds++] =
        (double)timing->round_ticks / rh_host_ticks_per_ns() / (double)events;
    timing->round_ticks = 0;
}

static void
time_floor(timing_record *timing, const compiled *work, void **slots)
{
    for (size_t i = 0; i < work->count; i++) {
        uint64_t start = rh_host_ticks();
        walk(&work->batches[i], slots);
        note(timing, i, rh_host_ticks() - start);
    }
    end_round(timing, work->calls);
}

static rh_heap *
open_heap(const char *spec)
{
    rh_heap *heap;
    rh_error error;
    if (rh_heap_open(spec, &heap, &error) != RH_OK)
        die(error.message);
    return heap;
}

static void
time_loop(timing_record *timing, const compiled *work, void **slots, rh_heap *heap)
{
    rh_target target = {.heap = heap, .slots = slots};
    for (size_t i = 0; i < work->count; i++) {
        uint64_t start = rh_host_ticks();
        rh_loop_run(&target, &work->batches[i]);
        note(timing, i, rh_host_ticks() - start);
    }
    end_round(timing, work->calls);
    if (target.failed_allocations)
        die("an allocation failed");
}

static int
compare(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static void
print_timing(timing_record *timing)
{
    qsort(timing->round_ns, ROUNDS, sizeof *timing->round_ns, compare);
    double undisturbed = 0;
    for (size_t i = 0; i < timing->batches; i++)
        undisturbed += (double)timing->fastest[i];
    undisturbed /= rh_host_ticks_per_ns() * (double)timing->events;
    printf("%-44s %6.2f ns an event, median %.2f\n", timing->what, undisturbed,
           timing->round_ns[ROUNDS / 2]);
    free(timing->fastest);
}

/* ------------------------------------------------------------------ with decoding */

static rh_reader *
open_trace(const char *path)
{
    rh_reader *reader;
    rh_error error;
    if (rh_reader_open(path, NULL, &reader, &error) != RH_OK)
        die(error.message);
    return reader;
}

static rh_batch
next_batch(rh_reader *reader)
{
    rh_batch batch;
    rh_error error;
    if (rh_reader_next(reader, &batch, &error) != RH_OK)
        die(error.message);
    return batch;
}

/* All events of a file in memory, as far as they fit. */
static event_list
load(const char *path)
{
    rh_reader *reader = open_trace(path);
    event_list list = {.domains = rh_reader_info(reader)->domains};
    list.events = get(sizeof(rh_event) * EVENTS_MOST);
    for (rh_batch batch; (batch = next_batch(reader)).count;) {
        if (list.count + batch.count > EVENTS_MOST)
            break;
        memcpy(list.events + list.count, batch.events, batch.count * sizeof(rh_event));
        list.count += batch.count;
        list.slots = batch.slots;
    }
    rh_reader_close(reader);
    return list;
}

typedef struct stream_state {
    rh_reader *reader;
    rh_compiler compiler;
    rh_wording wording;
    rh_program program;
    rh_batch batch;
    size_t done; /* events of the batch that are compiled */
    uint64_t events;
    bool more;
} stream_state;

/* Appends what comes next to the program. */
static void
stream_on(stream_state *stream)
{
    rh_program *program = &stream->program;
    if (stream->done == stream->batch.count) {
        rh_words words = {.word = program->codes + program->code_count,
                          .capacity = rh_compile_room(&stream->compiler, program)};
        rh_error error;
        if (rh_reader_next_words(stream->reader, &words, &stream->batch, &error) != RH_OK)
            die(error.message);
        rh_compile_words(&stream->compiler, &words, program);
        stream->done = 0;
        stream->events += words.events + stream->batch.count;
        stream->more = words.events || stream->batch.count;
    }
    stream->done += rh_compile(&stream->compiler, stream->batch.events + stream->done,
                               stream->batch.count - stream->done, program);
}

/* A whole replay in this one thread; without a heap, decoding alone. */
static void
time_streaming(timing_record *timing, const char *path, void **slots, rh_heap *heap)
{
    static rh_code codes[BATCH];
    static rh_wide wides[BATCH];
    rh_target target = {.heap = heap, .slots = slots};
    uint64_t start = rh_host_ticks();
    stream_state stream = {
        .reader = open_trace(path),
        .program = {.codes = codes, .wides = wides, .code_capacity = BATCH, .wide_capacity = BATCH},
        .more = true};
    stream.compiler = (rh_compiler){.has_domains = rh_reader_info(stream.reader)->domains,
                                    .domain = PYMEM_DOMAIN_OBJ};
    stream.wording = rh_compile_wording(&stream.compiler);
    rh_reader_use_wording(stream.reader, &stream.wording);
    for (size_t count = 0; stream.more; count++) {
        stream.program.code_count = stream.program.wide_count = 0;
        while (stream.more && rh_compile_room(&stream.compiler, &stream.program))
            stream_on(&stream);
        if (heap)
            rh_loop_run(&target, &stream.program);
        uint64_t now = rh_host_ticks();
        note(timing, count, now - start);
        start = now;
    }
    rh_reader_close(stream.reader);
    end_round(timing, stream.events);
}

/* The made-up events as a file. */
static void
write_trace(const event_list *list, const char *path)
{
    rh_trace_info info;
    rh_writer *writer;
    rh_error error;
    rh_trace_info_init(&info);
    info.domains = true;
    uint32_t *handles = get(sizeof *handles * list->slots);
    rh_status status = rh_writer_open(path, &info, NULL, &writer, &error);
    for (size_t i = 0; i < list->count && status == RH_OK; i++)
        status = rh_writer_event(writer, &list->events[i], &handles[list->events[i].slot], &error);
    if (status != RH_OK || rh_writer_finish(writer, 0, 0, &error) != RH_OK)
        die(error.message);
    rh_trace_info_release(&info);
    free(handles);
}

enum { FLOOR, LOOP, DECODE, STREAMING, KINDS };

static void
measure(const compiled *work, const char *path, timing_record timings[KINDS])
{
    void **slots = get(sizeof *slots * (work->slots + 1));
    rh_heap *heap = open_heap(HEAP);
    for (int round = 0; round < ROUNDS; round++) {
        time_floor(&timings[FLOOR], work, slots);
        time_loop(&timings[LOOP], work, slots, heap);
        time_streaming(&timings[DECODE], path, slots, NULL);
        time_streaming(&timings[STREAMING], path, slots, heap);
    }
    rh_heap_close(heap);
    free(slots);
}

int
main(int argc, char **argv)
{
    rh_child_asked(argc, argv);
    rh_host_keep_freed(); /* as `reheap replay` does */
    char made_up[] = "/tmp/engine-bench-XXXXXX";
    const char *path = argc > 1 ? argv[1] : made_up;
    event_list list;
    if (argc > 1) {
        list = load(path);
    } else {
        if (!mkdtemp(made_up))
            die("cannot make a temporary folder");
        char *file = get(sizeof made_up + 16);
        sprintf(file, "%s/trace.rht", made_up);
        path = file;
        list = make_up();
        write_trace(&list, path);
    }
    compiled work = compile(&list);
    timing_record timings[KINDS] = {{.what = "floor: operations walked, slots written"},
                                    {.what = "timed loop with " HEAP},
                                    {.what = "decoding into operations"},
                                    {.what = "streaming: decoding, " HEAP}};
    cpu_set_t allowed;
    sched_getaffinity(0, sizeof allowed, &allowed);
    rh_host_pin(rh_host_processors() - 1);
    measure(&work, path, timings);
    sched_setaffinity(0, sizeof allowed, &allowed);
    printf("%s: %" PRIu64 " events, %d rounds\n", argc > 1 ? path : "a made-up trace", work.calls,
           ROUNDS);
    for (int kind = 0; kind < KINDS; kind++)
        print_timing(&timings[kind]);
    engine_passes(path, HEAP);
    if (argc <= 1) {
        unlink(path);
        rmdir(made_up);
    }
    return 0;
}
