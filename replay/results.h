/* Results: what runs measured, in one SQLite file per experiment, with the provenance of every run.
 *
 * Tables (docs/metrics.md gives each number's formula):
 *   experiment(key, value)           how it was made: command line, seed, options, start
 *   trace(id, path, hash, info)      info: JSON of what the trace says of itself
 *   mark(trace, event, time_ns, text)
 *                                    phases that the program announced; event: calls replayed
 *                                    before it, as in sample; time_ns NULL when unknown
 *   run(id, trace, spec, name, version, rep, pass, status, provenance)
 *                                    pass: memory throughput latency system control
 *                                    status: complete flagged failed
 *                                    provenance: JSON of processor, kernel, huge pages, seed,
 *                                    options read back, and the reason of a failure
 *   metric(run, name, value)         value NULL: the allocator cannot tell
 *   sample(run, event, time_ns, requested_bytes, live_blocks, resident_bytes, COUNTERS...)
 *                                    memory pass: one row a sample; NULL where unknown. The
 *                                    counter live_blocks is the column counted_live_blocks
 *   latency(run, response, operation, size_least, size_most, calls, max_ns)
 *                                    latency pass: a row for each histogram that has a call;
 *                                    operation: malloc calloc realloc free; response 1: from the
 *                                    moment at which the call was due, 0: of the call itself
 *   histogram(run, operation, lower_ns, upper_ns, count, response, size_least)
 *                                    their buckets with a call
 *   round(run, calls, peak_mapped_bytes, end_mapped_bytes, peak_requested_bytes,
 *         end_requested_bytes, end_live_blocks, busy_ns)
 *                                    looped run: a row a round, in order; NULL where unknown
 *   stretch(run, calls, busy_ns)     throughput pass: a row a stretch, in order (stretches.h)
 *   arena, arena_look, arena_sample, pin_point, pin_sum, pin_table, pin, pin_arena
 *                                    memory pass, of heaps that tell: see results_arenas.h
 * A run becomes visible whole, in one transaction, so an interrupted experiment keeps what was
 * complete; the file takes its name, replacing an older one, with the first run that is stored.
 */
#ifndef REHEAP_REPLAY_RESULTS_H
#define REHEAP_REPLAY_RESULTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "alloc/counters.h"
#include "base/error.h"
#include "replay/results_arenas.h"

typedef struct rh_results rh_results;

typedef struct rh_sample {
    uint64_t event;   /* events replayed before it */
    uint64_t time_ns; /* recorded time; RH_UNKNOWN */
    uint64_t requested_bytes;
    uint64_t live_blocks;
    uint64_t resident_bytes; /* RH_UNKNOWN where not taken */
    /* Sizes of the blocks from before the first event, of an aged heap; 0: it is not. RH_UNKNOWN
     * where the heap does not tell: they are in other_bytes. */
    uint64_t aged_block_bytes;
    rh_counters counters;
} rh_sample;

/* A phase that the recorded program announced. */
typedef struct rh_mark {
    uint64_t event;   /* calls replayed before it: the clock of samples */
    uint64_t time_ns; /* recorded time; RH_UNKNOWN */
    char *text;
} rh_mark;

/* A histogram of a latency pass (latency.h). */
typedef struct rh_latency_row {
    const char *operation;
    bool response;                  /* else service */
    uint64_t size_least, size_most; /* of the range; size_most UINT64_MAX: no bound */
    uint64_t calls, max_ns;
} rh_latency_row;

typedef struct rh_bucket {
    const char *operation;
    uint64_t lower_ns, upper_ns; /* durations in [lower, upper) */
    uint64_t count;
    bool response;
    uint64_t size_least; /* of its histogram */
} rh_bucket;

/* Latencies are measured with a control: bump, which does next to nothing, so that what it shows is
 * the harness and the machine. Where it is not among the allocators it runs by itself, in a pass
 * of this name that no comparison takes for an allocator's. */
#define RH_CONTROL_SPEC "bump"
#define RH_CONTROL_PASS "control"

/* A round of a looped replay; RH_UNKNOWN where the pass does not tell. */
typedef struct rh_round {
    uint64_t calls; /* in it */
    uint64_t peak_mapped_bytes, end_mapped_bytes;
    uint64_t peak_requested_bytes, end_requested_bytes, end_live_blocks;
    uint64_t busy_ns; /* throughput: what its calls took, without preemption */
} rh_round;

/* A piece of a throughput pass, the same calls in every run of the recording. */
typedef struct rh_stretch {
    uint64_t calls, busy_ns; /* what they took, without preemption */
} rh_stretch;

typedef struct rh_metric {
    const char *name;
    double value; /* NAN: unknown */
} rh_metric;

/* A run as stored and as read back. Arrays read back belong to the rh_results until it closes or
 * the next read of the same kind. */
typedef struct rh_run {
    int64_t id;    /* set when stored */
    int64_t trace; /* from rh_results_add_trace */
    const char *spec, *name, *version;
    const char *pass;   /* "memory", "throughput", "latency" */
    const char *status; /* "complete", "flagged", "failed" */
    const char *provenance;
    unsigned rep;
    const rh_metric *metrics;
    size_t metric_count;
    const rh_sample *samples;
    size_t sample_count;
    const rh_latency_row *latencies;
    size_t latency_count;
    const rh_bucket *buckets;
    size_t bucket_count;
    const rh_round *rounds; /* of a looped run */
    size_t round_count;
    const rh_stretch *stretches; /* throughput pass in one thread */
    size_t stretch_count;
    const rh_arena_report *arenas; /* memory pass; NULL: none, or not loaded */
} rh_run;

/* create: a new file, which takes the name `path` once a run is stored, replacing results that were
 * there; closed before that, it leaves nothing. NULL: in memory, gone at close. RH_USAGE: something
 * else is there, which is not replaced. open: for reading. RH_BAD_INPUT: not a results file. Both:
 * RH_SYSTEM: cannot be read or written. reopen: as open, to add runs to it; only one process at a
 * time does. */
rh_status rh_results_create(const char *path, rh_results **results, rh_error *error);
rh_status rh_results_open(const char *path, rh_results **results, rh_error *error);
rh_status rh_results_reopen(const char *path, rh_results **results, rh_error *error);
void rh_results_close(rh_results *results);
/* Of results that are written: that the file still is what was made of it. RH_SYSTEM: it was
 * replaced, removed or written over meanwhile by something that is no replay. Adding a run asks it
 * first; `thorough`, at the end, reads all of the file. */
rh_status rh_results_check_kept(rh_results *results, bool thorough, rh_error *error);

rh_status rh_results_set(rh_results *results, const char *key, const char *value, rh_error *error);
/* The value of an experiment key, or NULL; valid until close. */
const char *rh_results_get(rh_results *results, const char *key);

rh_status rh_results_add_trace(rh_results *results, const char *path, const char *hash,
                               const char *info_json, int64_t *id, rh_error *error);
/* The traces in the order they were added: how many, and the id of one of them. */
size_t rh_results_traces(rh_results *results);
int64_t rh_results_trace_id(rh_results *results, size_t index);
/* Takes the runs that failed out of it, so that they can be made again. */
rh_status rh_results_forget_failures(rh_results *results, rh_error *error);
/* In the order in which they were announced. */
rh_status rh_results_add_marks(rh_results *results, int64_t trace, const rh_mark *marks,
                               size_t count, rh_error *error);
rh_status rh_results_add_run(rh_results *results, rh_run *run, rh_error *error);

/* All runs in the order they were stored, with metrics; samples, latencies and buckets are left
 * out. Valid until close. */
rh_status rh_results_runs(rh_results *results, const rh_run **runs, size_t *count, rh_error *error);
/* Loads the samples or buckets of one run into it. Valid until close. */
rh_status rh_results_load_samples(rh_results *results, rh_run *run, rh_error *error);
/* With the histograms that the buckets are of; files of builds that did not know sizes have none of
 * these. */
rh_status rh_results_load_buckets(rh_results *results, rh_run *run, rh_error *error);
/* The rounds of a looped run; none in files of builds that knew none. Valid until close. */
rh_status rh_results_load_rounds(rh_results *results, rh_run *run, rh_error *error);
/* The stretches of a throughput run; none in files of builds that knew none. Valid until close. */
rh_status rh_results_load_stretches(rh_results *results, rh_run *run, rh_error *error);
/* What a memory run knows of arenas; its lists are empty where the heap could not tell. Valid until
 * close. */
void rh_results_load_arenas(rh_results *results, rh_run *run);
/* Path, hash and info of a trace; NULL for an unknown id. Valid until close. */
const char *rh_results_trace_path(rh_results *results, int64_t trace);
const char *rh_results_trace_hash(rh_results *results, int64_t trace);
const char *rh_results_trace_info(rh_results *results, int64_t trace);
/* The marks of a trace; none in files of builds that did not keep them. Valid until close. */
rh_status rh_results_load_marks(rh_results *results, int64_t trace, const rh_mark **marks,
                                size_t *count, rh_error *error);

#endif
