#include "tests/unit/analysis/made_results.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "replay/results.h"

#define MIB    (1024.0 * 1024)
#define EVENTS 20e6

const made_options made_standard = {
    .repetitions = 3, .samples = 12, .hash = "0123456789abcdef", .touch = "none", .slower = 1};

/* An allocator that does not exist. */
typedef struct invented {
    const char *spec, *name;
    double ns, excess;
    double arena_bytes; /* 0: has no arenas */
    int own;            /* knows its waterfall */
} invented;

static const invented six[] = {
    {"pymalloc", "pymalloc", 11.2, 0.12, 1 * MIB, 1},
    {"cpython", "cpython", 11.9, 0.12, 1 * MIB, 0},
    {"mimalloc", "mimalloc", 10.1, 0.31, 0, 0},
    {"malloc", "malloc", 19.4, 0.22, 0, 0},
    {"jemalloc", "jemalloc", 14.8, 0.27, 0, 0},
    {"tcmalloc", "tcmalloc", 10.3, 0.25, 0, 0},
};

static void
must(rh_status status, const rh_error *error)
{
    if (status == RH_OK)
        return;
    fprintf(stderr, "cannot make results: %s\n", error->message);
    abort();
}

/* Bytes asked for at a point of the run (0 to 1): two phases of growth, each released. */
static double
requested_at(double t)
{
    double first = t < 0.5 ? t * 2 : fmax(0, 1 - (t - 0.5) * 6);
    double second = t > 0.6 ? fmin((t - 0.6) * 4, (1 - t) * 6) : 0;
    return (8 + 90 * first + 140 * fmax(0, second)) * MIB;
}

static double
mapped_at(const invented *allocator, double t)
{
    double now = requested_at(t), before = requested_at(fmax(0, t - 0.08));
    double held = fmax(now, 0.8 * before) * (1 + allocator->excess);
    return allocator->arena_bytes > 0 ? ceil(held / allocator->arena_bytes) * allocator->arena_bytes
                                      : held;
}

/* Parts that sum to what is mapped. */
static void
set_parts(rh_sample *sample)
{
    rh_counters *counters = &sample->counters;
    uint64_t rounding = sample->requested_bytes / 25;
    counters->block_bytes = sample->requested_bytes + rounding;
    if (counters->mapped_bytes < counters->block_bytes)
        must(RH_SYSTEM, &(rh_error){.message = "it holds less than is asked of it"});
    uint64_t rest = counters->mapped_bytes - counters->block_bytes;
    counters->header_bytes = 0;
    counters->page_header_bytes = rest / 20;
    counters->page_tail_bytes = rest / 30;
    counters->free_block_bytes = rest / 3;
    counters->free_arena_bytes = rest / 10;
    counters->metadata_bytes = rest / 10;
    counters->other_bytes = 0;
    counters->free_page_bytes = 0;
    counters->free_page_bytes = counters->mapped_bytes - rh_counters_parts(counters);
}

static rh_sample
sample_at(const invented *allocator, double t)
{
    rh_sample sample;
    memset(&sample, 0xFF, sizeof sample); /* RH_UNKNOWN everywhere */
    sample.event = (uint64_t)(t * EVENTS);
    sample.requested_bytes = (uint64_t)requested_at(t);
    sample.live_blocks = sample.requested_bytes / 90;
    sample.counters.mapped_bytes = (uint64_t)mapped_at(allocator, t);
    sample.resident_bytes = sample.counters.mapped_bytes;
    sample.aged_block_bytes = 0;
    if (allocator->own)
        set_parts(&sample);
    if (allocator->arena_bytes > 0) {
        double held = mapped_at(allocator, t) / allocator->arena_bytes;
        sample.counters.arenas_current = (uint64_t)held;
        sample.counters.arenas_allocated = (uint64_t)(held + 40 * t);
        sample.counters.arenas_released = (uint64_t)(40 * t);
        sample.counters.arenas_reused = (uint64_t)(7 * t);
    }
    return sample;
}

static void
set(rh_run *run, rh_metric *metrics, const char *name, double value)
{
    metrics[run->metric_count++] = (rh_metric){name, value};
    run->metrics = metrics;
}

static rh_run
run_of(int64_t trace, const invented *allocator, const char *pass, unsigned rep,
       const char *provenance)
{
    return (rh_run){.trace = trace,
                    .spec = allocator->spec,
                    .name = allocator->name,
                    .version = "1.0",
                    .pass = pass,
                    .status = "complete",
                    .provenance = provenance,
                    .rep = rep};
}

static void
set_waterfall(rh_run *run, rh_metric *metrics, const invented *allocator, double peak,
              double requested)
{
    double rest = peak - requested * 1.04;
    set(run, metrics, "requested_bytes", requested);
    set(run, metrics, "rounding_bytes", requested * 0.04);
    if (!allocator->own) {
        set(run, metrics, "other_bytes", rest);
        return;
    }
    set(run, metrics, "page_header_bytes", rest * 0.05);
    set(run, metrics, "page_tail_bytes", rest * 0.03);
    set(run, metrics, "free_block_bytes", rest * 0.32);
    set(run, metrics, "free_page_bytes", rest * 0.4);
    set(run, metrics, "free_arena_bytes", rest * 0.1);
    set(run, metrics, "metadata_bytes", rest * 0.1);
}

static void
add_memory(rh_results *results, int64_t trace, const invented *allocator,
           const made_options *options, const char *provenance)
{
    rh_run run = run_of(trace, allocator, "memory", 0, provenance);
    rh_metric metrics[24];
    double peak = 0, requested = 0, most_requested = 0;
    rh_sample *samples = calloc(options->samples, sizeof *samples);
    if (!samples)
        abort();
    for (unsigned i = 0; i < options->samples; i++) {
        samples[i] = sample_at(allocator, (double)i / (options->samples - 1));
        double held = (double)samples[i].counters.mapped_bytes;
        requested = held > peak ? (double)samples[i].requested_bytes : requested;
        peak = fmax(peak, held);
        most_requested = fmax(most_requested, (double)samples[i].requested_bytes);
    }
    set(&run, metrics, "peak_requested_bytes", most_requested);
    set(&run, metrics, "fragmentation_mean", allocator->excess + 0.02);
    set(&run, metrics, "peak_mapped_bytes", peak);
    if (options->marks)
        set(&run, metrics, "peak_mapped_event", 0.9 * EVENTS);
    set(&run, metrics, "peak_resident_bytes", peak + MIB);
    set(&run, metrics, "resident_bytes", peak - MIB);
    set(&run, metrics, "arenas_highwater",
        allocator->arena_bytes > 0 ? peak / allocator->arena_bytes : NAN);
    set_waterfall(&run, metrics, allocator, peak, requested);
    run.samples = samples;
    run.sample_count = options->samples;
    rh_error error;
    must(rh_results_add_run(results, &run, &error), &error);
    free(samples);
}

static void
add_throughput(rh_results *results, int64_t trace, const invented *allocator, unsigned rep,
               const made_options *options, const char *provenance)
{
    rh_run run = run_of(trace, allocator, "throughput", rep, provenance);
    rh_metric metrics[4];
    double noise = 1 + 0.004 * ((double)((rep * 7 + strlen(allocator->spec)) % 5) - 2);
    set(&run, metrics, "ns_per_event", allocator->ns * options->slower * noise);
    set(&run, metrics, "events", EVENTS);
    rh_error error;
    must(rh_results_add_run(results, &run, &error), &error);
}

static void
add_latency(rh_results *results, int64_t trace, const invented *allocator, unsigned rep,
            const made_options *options, const char *provenance)
{
    static const char *const operations[] = {"malloc", "free"};
    rh_run run = run_of(trace, allocator, "latency", rep, provenance);
    rh_metric metrics[8];
    rh_bucket buckets[64];
    for (size_t o = 0; o < 2; o++) {
        double count = 1e7, lower = (allocator->ns + 14) * options->slower;
        for (int i = 0; i < 22 && count >= 1; i++) {
            double upper = lower * 1.5 + 1;
            buckets[run.bucket_count++] = (rh_bucket){.operation = operations[o],
                                                      .lower_ns = (uint64_t)lower,
                                                      .upper_ns = (uint64_t)upper,
                                                      .count = (uint64_t)count};
            lower = (double)(uint64_t)upper;
            count *= o ? 0.30 : 0.28 + allocator->excess / 3;
        }
    }
    run.buckets = buckets;
    set(&run, metrics, "probe_ns", 11);
    set(&run, metrics, "malloc_p50_ns", allocator->ns + 16);
    set(&run, metrics, "malloc_p99_ns", (allocator->ns + 16) * 3);
    set(&run, metrics, "malloc_p999_ns", (allocator->ns + 16) * 9);
    set(&run, metrics, "free_p50_ns", 9);
    rh_error error;
    must(rh_results_add_run(results, &run, &error), &error);
}

static void
add_allocator(rh_results *results, int64_t trace, const invented *allocator,
              const made_options *options)
{
    char provenance[200];
    snprintf(provenance, sizeof provenance,
             "{\"processor\": \"a processor\", \"touch\": \"%s\", \"domain\": \"object\"}",
             options->touch);
    add_memory(results, trace, allocator, options, provenance);
    for (unsigned rep = 0; rep < options->repetitions; rep++) {
        add_throughput(results, trace, allocator, rep, options, provenance);
        add_latency(results, trace, allocator, rep, options, provenance);
    }
}

/* Evenly over the first nine tenths, so that the last phase is longer than the others. */
static void
add_marks(rh_results *results, int64_t trace, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        char text[64];
        snprintf(text, sizeof text, i % 3 ? "round %u" : "it's `touch ran` \xc3\xbc %u", i);
        rh_mark mark = {.event = (uint64_t)(0.05 * EVENTS + 0.85 * EVENTS * i / count),
                        .time_ns = UINT64_MAX,
                        .text = text};
        rh_error error;
        must(rh_results_add_marks(results, trace, &mark, 1, &error), &error);
    }
}

static void
add_grid(rh_results *results, int64_t trace, const made_options *options)
{
    static const char *const arenas[] = {"256K", "512K", "1M", "2M", "4M", "8M"};
    static const char *const pools[] = {"4K", "8K", "16K", "32K"};
    for (int a = 0; a < 6; a++) {
        for (int p = 0; p < 4; p++) {
            if (a == 0 && p == 3)
                continue;
            char spec[64];
            snprintf(spec, sizeof spec, "pymalloc,arena=%s,pool=%s", arenas[a], pools[p]);
            invented one = {spec,
                            "pymalloc",
                            11.5 - 0.3 * a + 0.2 * (p - 2) * (p - 2),
                            0.06 + 0.03 * a + 0.02 * p,
                            ldexp(256 * 1024.0, a),
                            1};
            /* One that is as fast as pymalloc, in less memory. */
            if (a == 1 && p == 2) {
                one.ns = six[0].ns;
                one.excess = 0.09;
            }
            add_allocator(results, trace, &one, options);
        }
    }
}

void
make_results(const char *path, const made_options *options)
{
    rh_results *results;
    rh_error error;
    int64_t trace;
    must(rh_results_create(path, &results, &error), &error);
    must(rh_results_add_trace(
             results, "somewhere/program.rht", options->hash,
             "{\"schema\": \"reheap.info/1\", \"command\": \"python3 -m it's '' "
             "--all `touch ran; echo of it`\", \"events\": 20000000, \"arena_bytes\": 1048576, "
             "\"pool_bytes\": 16384}",
             &trace, &error),
         &error);
    add_marks(results, trace, options->marks);
    for (size_t i = 0; i < sizeof six / sizeof six[0]; i++)
        add_allocator(results, trace, &six[i], options);
    if (options->grid)
        add_grid(results, trace, options);
    rh_results_close(results);
}
