#include "tests/bench/engine_passes.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "base/host.h"
#include "replay/arena_history.h"
#include "replay/group.h"
#include "replay/scan.h"
#include "replay/trace_source.h"
#include "traces/reader.h"

enum { ROUNDS = 5, HEAPS = 8, SAMPLES = 1000 };

static const char *const arenas[HEAPS] = {
    "pymalloc,arena=256K", "pymalloc,arena=512K", "pymalloc,arena=1M",  "pymalloc,arena=2M",
    "pymalloc,arena=4M",   "pymalloc,arena=8M",   "pymalloc,arena=16M", "pymalloc,arena=32M"};
static const char *const no_library[HEAPS] = {"", "", "", "", "", "", "", ""};

/* What a piece of work took: of the processors, here and in the processes of the heaps, and of the
 * wall's clock. */
typedef struct cost {
    double own_ns, heaps_ns, wall_ns;
} cost;

static void
check(rh_status status, const rh_error *error)
{
    if (status == RH_OK)
        return;
    fprintf(stderr, "engine: %s\n", error->message);
    exit(1);
}

static double
ns_of(struct timeval time)
{
    return (double)time.tv_sec * 1e9 + (double)time.tv_usec * 1e3;
}

/* Used so far. */
static cost
used(void)
{
    struct rusage self, children;
    getrusage(RUSAGE_SELF, &self);
    getrusage(RUSAGE_CHILDREN, &children);
    return (cost){ns_of(self.ru_utime) + ns_of(self.ru_stime),
                  ns_of(children.ru_utime) + ns_of(children.ru_stime), (double)rh_host_now_ns()};
}

static rh_reader *
open_trace(const char *path)
{
    rh_reader *reader;
    rh_error error;
    check(rh_reader_open(path, NULL, &reader, &error), &error);
    return reader;
}

static rh_scan
scan_trace(const char *path, rh_compiler *options)
{
    rh_reader *reader = open_trace(path);
    *options =
        (rh_compiler){.has_domains = rh_reader_info(reader)->domains, .domain = PYMEM_DOMAIN_OBJ};
    rh_source source = rh_trace_source(reader);
    rh_scan scan;
    rh_error error;
    check(rh_scan_source(&source, options, &scan, &error), &error);
    rh_reader_close(reader);
    return scan;
}

/* One decoding into operations that nobody plays. */
static void
decode(const char *path, const rh_compiler *options)
{
    static rh_code codes[RH_CHANNEL_CODES];
    static rh_wide wides[RH_CHANNEL_WIDES];
    rh_compiler compiler = *options;
    const rh_wording wording = rh_compile_wording(&compiler);
    rh_reader *reader = open_trace(path);
    rh_reader_use_wording(reader, &wording);
    rh_words words;
    rh_batch batch;
    do {
        rh_program program = {.codes = codes,
                              .wides = wides,
                              .code_capacity = RH_CHANNEL_CODES,
                              .wide_capacity = RH_CHANNEL_WIDES};
        rh_error error;
        words = (rh_words){.word = codes, .capacity = rh_compile_room(&compiler, &program)};
        check(rh_reader_next_words(reader, &words, &batch, &error), &error);
        rh_compile_words(&compiler, &words, &program);
        rh_compile(&compiler, batch.events, batch.count, &program);
    } while (words.events || batch.count);
    rh_reader_close(reader);
}

/* Runs the plan over the trace; the group is the caller's. */
static rh_group *
run(const char *path, const rh_group_plan *plan)
{
    rh_reader *reader = open_trace(path);
    rh_source source = rh_trace_source(reader);
    rh_group *group;
    rh_error error;
    check(rh_group_run(plan, &source, &group, &error), &error);
    for (uint32_t i = 0; i < plan->members; i++) {
        const rh_member *member = rh_group_member(group, i);
        if (member->status != RH_OK) {
            fprintf(stderr, "engine: %s: %s\n", plan->specs[i], member->message);
            exit(1);
        }
    }
    rh_reader_close(reader);
    return group;
}

static cost
since(cost before)
{
    cost now = used();
    return (cost){now.own_ns - before.own_ns, now.heaps_ns - before.heaps_ns,
                  now.wall_ns - before.wall_ns};
}

static double
of_processors(cost taken)
{
    return taken.own_ns + taken.heaps_ns;
}

/* From the first batch to the last, waiting for the decoder included. */
static double
ahead_ns(const char *trace, const char *heap, const rh_compiler *options, const rh_scan *scan)
{
    rh_group_plan plan = {.pass = RH_PASS_THROUGHPUT,
                          .compiler = *options,
                          .slots = scan->slots,
                          .specs = &heap,
                          .libraries = no_library,
                          .members = 1};
    rh_group *group = run(trace, &plan);
    const rh_member *member = rh_group_member(group, 0);
    double ns = (double)(member->loop_ticks + member->waited_ticks) / rh_host_ticks_per_ns();
    rh_group_close(group);
    return ns;
}

/* `count` heaps, from `specs` on. */
static void
memory_pass(const char *trace, const char *const *specs, uint32_t count, const rh_compiler *options,
            const rh_scan *scan)
{
    uint64_t every = scan->counts.calls / SAMPLES + 1;
    rh_group_plan plan = {.pass = RH_PASS_MEMORY,
                          .compiler = *options,
                          .slots = scan->slots,
                          .sample_capacity = SAMPLES + 3,
                          .specs = specs,
                          .libraries = no_library,
                          .members = count,
                          .room_bytes = sizeof(rh_arena_history)};
    plan.compiler.sample_every = plan.compiler.next_sample = every;
    rh_group_close(run(trace, &plan));
}

/* What a round took. */
typedef struct round_cost {
    cost decoding, apart, together; /* the heaps in passes of their own, and all in one */
    double bound_ns;                /* as many times one heap and one decoding */
    double ratio;
} round_cost;

/* One heap's replay is what a pass of it takes beside decoding: its process, the start of it, and
 * what the two processes share. */
static round_cost
measure_round(const char *trace, const rh_compiler *options, const rh_scan *scan)
{
    round_cost round;
    cost before = used();
    decode(trace, options);
    round.decoding = since(before);
    before = used();
    for (int i = 0; i < HEAPS; i++)
        memory_pass(trace, &arenas[i], 1, options, scan);
    round.apart = since(before);
    before = used();
    memory_pass(trace, arenas, HEAPS, options, scan);
    round.together = since(before);
    round.bound_ns = of_processors(round.apart) - (HEAPS - 1) * of_processors(round.decoding);
    round.ratio = of_processors(round.together) / round.bound_ns;
    return round;
}

static int
by_ratio(const void *left, const void *right)
{
    double a = ((const round_cost *)left)->ratio, b = ((const round_cost *)right)->ratio;
    return (a > b) - (a < b);
}

static void
print_cost(const char *what, cost taken, double events)
{
    printf("%-44s %6.1f %10.1f %8.1f\n", what, taken.heaps_ns / events, taken.own_ns / events,
           taken.wall_ns / events);
}

/* The round whose ratio is the median. */
static void
print_passes(double events, round_cost rounds[ROUNDS])
{
    qsort(rounds, ROUNDS, sizeof *rounds, by_ratio);
    const round_cost *median = &rounds[ROUNDS / 2];
    printf("\n%-44s %6s %10s %8s\n", "memory passes, ns of processor an event", "heaps", "here",
           "wall");
    print_cost("decoding alone", median->decoding, events);
    print_cost("eight pymalloc, a pass each", median->apart, events);
    print_cost("all eight in one pass", median->together, events);
    printf(
        "eight in one pass take %.1f, %.3f (%.3f to %.3f) of eight times one heap and one decoding "
        "(%.1f)\n",
        of_processors(median->together) / events, median->ratio, rounds[0].ratio,
        rounds[ROUNDS - 1].ratio, median->bound_ns / events);
}

void
engine_passes(const char *trace, const char *heap)
{
    rh_compiler options;
    rh_scan scan = scan_trace(trace, &options);
    round_cost rounds[ROUNDS];
    double ahead = 0, events = (double)scan.counts.calls;
    for (int round = 0; round < ROUNDS; round++) {
        double ns = ahead_ns(trace, heap, &options, &scan);
        ahead = ahead == 0 || ns < ahead ? ns : ahead;
        rounds[round] = measure_round(trace, &options, &scan);
    }
    printf("%-44s %6.2f ns an event\n", "streaming, decoded ahead elsewhere", ahead / events);
    print_passes(events, rounds);
    rh_scan_release(&scan);
}
