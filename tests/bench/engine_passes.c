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

static void
keep_least(double *least, double value)
{
    if (*least == 0 || value < *least)
        *least = value;
}

static void
keep_least_cost(cost *least, cost before)
{
    cost now = used();
    keep_least(&least->own_ns, now.own_ns - before.own_ns);
    keep_least(&least->heaps_ns, now.heaps_ns - before.heaps_ns);
    keep_least(&least->wall_ns, now.wall_ns - before.wall_ns);
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
            const rh_scan *scan, cost *least)
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
    cost before = used();
    rh_group_close(run(trace, &plan));
    keep_least_cost(least, before);
}

static void
print_pass(const char *what, cost taken, double events)
{
    printf("%-44s %6.1f %10.1f %8.1f\n", what, taken.heaps_ns / events, taken.own_ns / events,
           taken.wall_ns / events);
}

/* A reader with one member looks for it to go on without sleeping; with eight it sleeps. So what
 * one costs is its own process and a decoding. */
static void
print_passes(double events, cost decoding, const cost each[HEAPS], cost all)
{
    cost mean = {0};
    for (int i = 0; i < HEAPS; i++) {
        mean.own_ns += each[i].own_ns / HEAPS;
        mean.heaps_ns += each[i].heaps_ns / HEAPS;
        mean.wall_ns += each[i].wall_ns / HEAPS;
    }
    double bound = HEAPS * mean.heaps_ns + decoding.own_ns, took = all.heaps_ns + all.own_ns;
    printf("\n%-44s %6s %10s %8s\n", "memory passes, ns of processor an event", "heaps", "decoding",
           "wall");
    print_pass("decoding alone", decoding, events);
    print_pass("one pymalloc, mean of eight arena sizes", mean, events);
    print_pass("all eight in one pass", all, events);
    printf("eight in one pass take %.1f, %.2f of eight times one heap and one decoding (%.1f)\n",
           took / events, took / bound, bound / events);
}

void
engine_passes(const char *trace, const char *heap)
{
    rh_compiler options;
    rh_scan scan = scan_trace(trace, &options);
    cost decoding = {0}, each[HEAPS] = {{0}}, all = {0};
    double ahead = 0, events = (double)scan.counts.calls;
    for (int round = 0; round < ROUNDS; round++) {
        keep_least(&ahead, ahead_ns(trace, heap, &options, &scan));
        cost before = used();
        decode(trace, &options);
        keep_least_cost(&decoding, before);
        for (int i = 0; i < HEAPS; i++)
            memory_pass(trace, &arenas[i], 1, &options, &scan, &each[i]);
        memory_pass(trace, arenas, HEAPS, &options, &scan, &all);
    }
    printf("%-44s %6.2f ns an event\n", "streaming, decoded ahead elsewhere", ahead / events);
    print_passes(events, decoding, each, all);
    rh_scan_release(&scan);
}
