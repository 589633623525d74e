/* See experiment.h. The plan is a list of groups (group.h), shuffled by the seed: time passes one
 * run each, memory passes all allocators of a trace together, as many as fit into memory. */
#define _GNU_SOURCE
#include "replay/experiment.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc/heap.h"
#include "alloc/spec.h"
#include "base/host.h"
#include "base/output.h"
#include "base/random.h"
#include "base/size.h"
#include "replay/arena_history.h"
#include "replay/group.h"
#include "replay/latency_store.h"
#include "replay/metrics.h"
#include "replay/pace.h"
#include "replay/pass_spec.h"
#include "replay/pin_pass.h"
#include "replay/pin_plan.h"
#include "replay/provenance.h"
#include "replay/recall.h"
#include "replay/rounds.h"
#include "replay/stretches.h"
#include "replay/trace_source.h"

#define SAMPLES_STANDARD     1000
#define PADDING_MOST         4096 /* bytes: a page of the stack */
#define SAMPLES_MOST         1000000
#define MEMBERS_MOST         32u
#define ROUND_SAMPLES_LEAST  4
#define PACED_DAYS_MOST      30 /* a run */
#define REPETITIONS_STANDARD 3
#define MEMBER_BYTES         (UINT64_C(64) << 20) /* what a child takes besides its heap */

typedef struct trace_entry {
    const char *path;
    char hash[RH_TRACE_HASH_TEXT];
    int64_t id;
    rh_scan scan;
    rh_compiler compiler;   /* its options, without samples */
    rh_age_size *age_sizes; /* aged: what is drawn from */
    size_t age_size_count;
    rh_leftovers leftovers; /* looped: what lives at the end, found where it is asked for */
} trace_entry;

/* An allocator as given, parsed. */
typedef struct allocator_entry {
    const char *text;
    rh_spec spec;
    bool parsed;
    char preload[4096];
    char *library;    /* the file that so= names, whole; "" for none */
    rh_status status; /* of finding the library */
    char reason[1024];
} allocator_entry;

typedef struct group_order {
    size_t trace;
    rh_pass pass;
    unsigned rep;
    bool control; /* bump's latency, where nobody asked for bump: what the harness itself shows */
    size_t count;
    size_t candidate[MEMBERS_MOST];
} group_order;

typedef struct run_state {
    const rh_experiment *experiment;
    rh_results *results;
    rh_machine machine;
    trace_entry *traces;
    allocator_entry *candidates; /* those of the experiment, and the control last */
    group_order *orders;
    size_t order_count, order_capacity;
    rh_progress progress;
    uint64_t calls_done; /* by earlier groups, over all members */
    unsigned failed, stored;
    char first_failure[1200];
} run_state;

void
rh_experiment_init(rh_experiment *experiment)
{
    *experiment =
        (rh_experiment){.measures = RH_MEASURE_MEMORY | RH_MEASURE_THROUGHPUT | RH_MEASURE_LATENCY,
                        .repetitions = REPETITIONS_STANDARD,
                        .seed = 1,
                        .domain = PYMEM_DOMAIN_OBJ};
}

unsigned
rh_experiment_samples(const rh_experiment *experiment)
{
    return experiment->samples ? experiment->samples : SAMPLES_STANDARD;
}

/* ------------------------------------------------------------------ before anything runs */

/* Values that are each within their range may not go together, which only opening the heap tells.
 */
static rh_status
check_combination(const allocator_entry *candidate, rh_error *error)
{
    rh_heap *heap;
    if (!candidate->spec.allocator->many)
        return RH_OK;
    rh_error problem = {0};
    rh_status status = rh_heap_open(candidate->text, &heap, &problem);
    if (status == RH_OK)
        rh_heap_close(heap);
    return status == RH_USAGE ? rh_fail(error, RH_USAGE, "%s", problem.message) : RH_OK;
}

/* Where the library lies that a spec names by its path, for the provenance; from malloc. */
static char *
named_library(const rh_spec *spec)
{
    const char *so = "";
    bool path = rh_spec_text(&spec->base, "so", &so) && strchr(so, '/');
    char *whole = path ? realpath(so, NULL) : NULL;
    if (!whole && !(whole = strdup(path ? so : "")))
        abort();
    return whole;
}

static rh_status
parse_candidate(const run_state *state, allocator_entry *candidate, bool control, rh_error *error)
{
    rh_status status = rh_spec_parse(candidate->text, &candidate->spec, error);
    if (status != RH_OK)
        return status;
    candidate->parsed = true;
    candidate->library = named_library(&candidate->spec);
    if (strlen(candidate->text) + 64 > RH_CHANNEL_SPEC_MAX)
        return rh_fail(error, RH_USAGE, "%.40s...: the spec is too long", candidate->text);
    if (state->experiment->touch != RH_TOUCH_NONE && rh_spec_is_unbacked(&candidate->spec))
        return rh_fail(error, RH_USAGE,
                       "%s: addresses of source=virtual cannot be touched; use touch mode none",
                       candidate->text);
    bool threads = !control && state->experiment->threads &&
                   state->experiment->measures & (RH_MEASURE_THROUGHPUT | RH_MEASURE_LATENCY);
    if (threads && (!candidate->spec.allocator->threads || candidate->spec.layers))
        return rh_fail(error, RH_USAGE,
                       "%s: is for one thread at a time, and cannot be replayed in the recorded "
                       "threads; leave --threads out",
                       candidate->text);
    if (state->experiment->measures & RH_MEASURE_MEMORY && rh_spec_is_shared(&candidate->spec))
        return rh_fail(
            error, RH_USAGE,
            "%s: blocks that the C library gives are in no count of memory; leave large= "
            "out, or --measure throughput,latency",
            candidate->text);
    rh_error library_error = {0};
    candidate->status = rh_spec_library(&candidate->spec, candidate->preload,
                                        sizeof candidate->preload, &library_error);
    snprintf(candidate->reason, sizeof candidate->reason, "%s", library_error.message);
    if (candidate->status == RH_USAGE)
        return rh_fail(error, RH_USAGE, "%s", library_error.message);
    return check_combination(candidate, error);
}

/* Enters it into the results, or finds it there when the experiment goes on. */
static rh_status
enter_trace(const run_state *state, trace_entry *trace, const rh_trace_info *info, rh_error *error)
{
    rh_results *results = state->results;
    for (size_t i = 0; state->experiment->resume && i < rh_results_traces(results); i++) {
        int64_t id = rh_results_trace_id(results, i);
        const char *path = rh_results_trace_path(results, id);
        const char *hash = rh_results_trace_hash(results, id);
        if (!path || strcmp(path, trace->path) != 0)
            continue;
        trace->id = id;
        if (hash && strcmp(hash, trace->hash) == 0)
            return RH_OK;
        return rh_fail(error, RH_USAGE,
                       "%s: is another recording than the runs were made of; replay anew",
                       trace->path);
    }
    char *description = rh_trace_describe(info);
    rh_status status =
        rh_results_add_trace(results, trace->path, trace->hash, description, &trace->id, error);
    free(description);
    if (status == RH_OK && trace->scan.mark_count)
        status = rh_results_add_marks(results, trace->id, trace->scan.marks, trace->scan.mark_count,
                                      error);
    return status;
}

/* A pace needs times, and an end within somebody's patience. */
static rh_status
check_times(const run_state *state, const trace_entry *trace, rh_error *error)
{
    const rh_compiler *counts = &trace->scan.counts;
    char pace[32];
    rh_pace_text(state->experiment->pace, pace, sizeof pace);
    if (!trace->compiler.has_times)
        return rh_fail(error, RH_USAGE,
                       "%s: has no times to be paced by; record it with --timestamps=coarse or "
                       "exact",
                       trace->path);
    double days = (double)(counts->largest_time_ns - counts->first_time_ns) /
                  state->experiment->pace / 86400e9;
    if (days > PACED_DAYS_MOST)
        return rh_fail(error, RH_USAGE,
                       "%s: a run would take %.0f days at %s; choose a faster --pace", trace->path,
                       days, pace);
    return RH_OK;
}

/* What of the recording lives at its end stays, in each round, or has to be known to be freed. */
static rh_status
check_rounds(const run_state *state, trace_entry *trace, rh_error *error)
{
    const rh_loop *loop = &state->experiment->loop;
    char requested[RH_SIZE_TEXT];
    double all = (double)trace->scan.end_requested_bytes * loop->rounds;
    if (!loop->frees && all > (double)rh_host_memory_bytes() / 2)
        return rh_fail(error, RH_USAGE,
                       "%s: leaves %s behind in each of up to %u rounds, more than there is memory "
                       "for; choose fewer rounds, or --loop=...,end=free",
                       trace->path,
                       rh_size_human(trace->scan.end_requested_bytes, requested, sizeof requested),
                       loop->rounds);
    if (!loop->frees)
        return RH_OK;
    rh_reader *reader;
    rh_status status = rh_reader_open(trace->path, NULL, &reader, error);
    if (status != RH_OK)
        return status;
    rh_source source = rh_trace_source(reader);
    status = rh_leftovers_find(&source, &trace->leftovers, error);
    rh_reader_close(reader);
    return status;
}

static rh_status
find_age_sizes(const run_state *state, trace_entry *trace, rh_error *error)
{
    const rh_experiment *experiment = state->experiment;
    rh_reader *reader;
    rh_status status = rh_reader_open(trace->path, NULL, &reader, error);
    if (status != RH_OK)
        return status;
    rh_source source = rh_trace_source(reader);
    status =
        rh_age_sizes_find(&source, trace->compiler.has_domains, (unsigned)experiment->domain,
                          experiment->age.seed, &trace->age_sizes, &trace->age_size_count, error);
    rh_reader_close(reader);
    if (status == RH_OK && trace->age_size_count == 0)
        status = rh_fail(error, RH_USAGE, "%s: asks for no block, of whose size a heap could age",
                         trace->path);
    return status;
}

static rh_status
read_trace(const run_state *state, trace_entry *trace, rh_error *error)
{
    rh_reader *reader;
    rh_status status = rh_reader_open(trace->path, NULL, &reader, error);
    if (status != RH_OK)
        return status;
    const rh_trace_info *info = rh_reader_info(reader);
    trace->compiler = (rh_compiler){.domain = (PyMemAllocatorDomain)state->experiment->domain,
                                    .has_domains = info->domains,
                                    .has_times = info->timestamps != RH_TIMES_NONE,
                                    .threads = state->experiment->threads,
                                    .times = state->experiment->pace > 0};
    rh_source source = rh_trace_source(reader);
    status = rh_scan_source(&source, &trace->compiler, &trace->scan, error);
    if (status == RH_OK)
        status = rh_trace_hash(trace->path, trace->hash, error);
    if (status == RH_OK && trace->scan.counts.calls == 0)
        status = rh_fail(error, RH_BAD_INPUT, "%s: it holds no event that could be replayed",
                         trace->path);
    if (status == RH_OK && state->experiment->age.aged)
        status = find_age_sizes(state, trace, error);
    if (status == RH_OK && state->experiment->loop.rounds)
        status = check_rounds(state, trace, error);
    if (status == RH_OK && state->experiment->pace > 0)
        status = check_times(state, trace, error);
    if (status == RH_OK && state->experiment->pins)
        status = rh_pin_wish_check(&state->experiment->pin_wish, &trace->scan, trace->path, error);
    if (status == RH_OK)
        status = enter_trace(state, trace, info, error);
    rh_reader_close(reader);
    return status;
}

static rh_status
set_number(run_state *state, const char *key, uint64_t value, rh_error *error)
{
    char text[32];
    snprintf(text, sizeof text, "%llu", (unsigned long long)value);
    return rh_results_set(state->results, key, text, error);
}

/* A list under a key, a line each. */
static rh_status
store_lines(run_state *state, const char *key, const char *const *lines, size_t count,
            rh_error *error)
{
    char *text = NULL;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);
    for (size_t i = 0; out && i < count; i++)
        fprintf(out, "%s%s", i ? "\n" : "", lines[i]);
    if (!out || fclose(out) != 0)
        abort();
    rh_status status = rh_results_set(state->results, key, text, error);
    free(text);
    return status;
}

/* The allocators as they were named; of an experiment that goes on, the first. */
static rh_status
store_allocators(run_state *state, rh_error *error)
{
    if (rh_results_get(state->results, "allocators"))
        return RH_OK;
    return store_lines(state, "allocators", state->experiment->specs, state->experiment->spec_count,
                       error);
}

static rh_status
store_pin_wish(run_state *state, rh_error *error)
{
    const rh_pin_wish *wish = &state->experiment->pin_wish;
    rh_status status = set_number(state, "pins_under_percent", wish->under_percent, error);
    return status == RH_OK ? store_lines(state, "pins_at", wish->at, wish->at_count, error)
                           : status;
}

static rh_status
store_settings(run_state *state, rh_error *error)
{
    const rh_experiment *experiment = state->experiment;
    rh_status status = set_number(state, "seed", experiment->seed, error);
    if (status == RH_OK)
        status = set_number(state, "repetitions", experiment->repetitions, error);
    if (status == RH_OK)
        status =
            rh_results_set(state->results, "threads", rh_threads_names[experiment->threads], error);
    if (status == RH_OK)
        status = set_number(state, "samples", experiment->samples, error);
    if (status == RH_OK)
        status = set_number(state, "measures", experiment->measures, error);
    if (status == RH_OK)
        status =
            rh_results_set(state->results, "domain", rh_domain_names[experiment->domain], error);
    if (status == RH_OK)
        status = rh_results_set(state->results, "touch", rh_touch_names[experiment->touch], error);
    char pace[32], loop[64], age[96];
    if (status == RH_OK)
        status = rh_results_set(state->results, "age",
                                rh_age_text(&experiment->age, age, sizeof age), error);
    if (status == RH_OK)
        status = rh_results_set(state->results, "loop",
                                rh_loop_text(&experiment->loop, loop, sizeof loop), error);
    if (status == RH_OK)
        status = rh_results_set(state->results, "pace",
                                rh_pace_text(experiment->pace, pace, sizeof pace), error);
    if (status == RH_OK && experiment->command && !experiment->resume)
        status = rh_results_set(state->results, "command", experiment->command, error);
    if (status == RH_OK && experiment->pins)
        status = store_pin_wish(state, error);
    if (status == RH_OK)
        status = store_allocators(state, error);
    return status;
}

static rh_status
check_settings(const rh_experiment *experiment, rh_error *error)
{
    if (experiment->trace_count == 0 || experiment->spec_count == 0 || experiment->measures == 0)
        return rh_fail(error, RH_USAGE, "needs at least a trace, an allocator and a measure");
    if (experiment->repetitions == 0 || experiment->repetitions > 10000)
        return rh_fail(error, RH_USAGE, "repetitions are 1 to 10000");
    if (experiment->samples > SAMPLES_MOST)
        return rh_fail(error, RH_USAGE, "samples are at most %d", SAMPLES_MOST);
    if (experiment->pace > 0 && experiment->measures == RH_MEASURE_THROUGHPUT)
        return rh_fail(error, RH_USAGE,
                       "the throughput pass has no pace, and --measure leaves out all others");
    if (experiment->threads &&
        !(experiment->measures & (RH_MEASURE_THROUGHPUT | RH_MEASURE_LATENCY)))
        return rh_fail(error, RH_USAGE,
                       "recorded threads are of the throughput and latency passes, which --measure "
                       "leaves out; the others have one thread");
    if (experiment->loop.rounds > RH_ROUNDS_MOST)
        return rh_fail(error, RH_USAGE, "rounds are at most %d", RH_ROUNDS_MOST);
    if (experiment->domain < 0 || experiment->domain >= RH_DOMAINS)
        return rh_fail(error, RH_USAGE, "domains are raw, mem and obj");
    return RH_OK;
}

/* ------------------------------------------------------------------ the plan */

static group_order *
add_order(run_state *state, size_t trace, rh_pass pass, unsigned rep)
{
    if (state->order_count == state->order_capacity) {
        state->order_capacity = state->order_capacity ? state->order_capacity * 2 : 64;
        state->orders = realloc(state->orders, state->order_capacity * sizeof *state->orders);
        if (!state->orders)
            abort();
    }
    group_order *order = &state->orders[state->order_count++];
    *order = (group_order){.trace = trace, .pass = pass, .rep = rep};
    return order;
}

static void
plan_times(run_state *state, size_t trace, rh_pass pass)
{
    for (unsigned rep = 0; rep < state->experiment->repetitions; rep++) {
        for (size_t c = 0; c < state->experiment->spec_count; c++) {
            group_order *order = add_order(state, trace, pass, rep);
            order->candidate[order->count++] = c;
        }
    }
}

static const char *
pass_name(const group_order *order)
{
    return order->control ? RH_CONTROL_PASS : rh_pass_names[order->pass];
}

/* One run for each repetition, unless bump is among the allocators anyway. */
static void
plan_control(run_state *state, size_t trace)
{
    size_t control = state->experiment->spec_count;
    for (size_t c = 0; c < control; c++)
        if (strcmp(state->candidates[c].text, RH_CONTROL_SPEC) == 0)
            return;
    for (unsigned rep = 0; rep < state->experiment->repetitions; rep++) {
        group_order *order = add_order(state, trace, RH_PASS_LATENCY, rep);
        order->control = true;
        order->candidate[order->count++] = control;
    }
}

/* How many heaps may hold this trace's blocks at once in half of the machine's memory. */
static unsigned
members_that_fit(const run_state *state, const trace_entry *trace)
{
    const rh_loop *loop = &state->experiment->loop;
    uint64_t kept = loop->frees ? 0 : trace->scan.end_requested_bytes * loop->rounds;
    uint64_t aged = state->experiment->age.aged ? trace->scan.peak_requested_bytes : 0;
    uint64_t each = (trace->scan.peak_requested_bytes + kept + aged) / 2 * 3 +
                    trace->scan.slots * (uint64_t)sizeof(rh_memory_slot) + MEMBER_BYTES;
    uint64_t fit = rh_host_memory_bytes() / 2 / each;
    return fit < 1 ? 1 : fit > MEMBERS_MOST ? MEMBERS_MOST : (unsigned)fit;
}

/* A heap that behaves the same every time runs once. */
static void
plan_shared(run_state *state, size_t trace, rh_pass pass)
{
    unsigned most = members_that_fit(state, &state->traces[trace]);
    for (unsigned rep = 0; rep < state->experiment->repetitions; rep++) {
        group_order *order = NULL;
        for (size_t c = 0; c < state->experiment->spec_count; c++) {
            if (rep > 0 && rh_spec_repeats(&state->candidates[c].spec))
                continue;
            if (!order || order->count == most)
                order = add_order(state, trace, pass, rep);
            order->candidate[order->count++] = c;
        }
    }
}

static void
shuffle(group_order *orders, size_t count, rh_random *random)
{
    for (size_t i = count; i > 1; i--) {
        size_t j = (size_t)rh_random_below(random, i);
        group_order swap = orders[i - 1];
        orders[i - 1] = orders[j];
        orders[j] = swap;
    }
}

/* A repetition is a round: what is compared in pairs runs within it, in an order that is drawn anew
 * each time. Rounds come in their order, so that a drift of the machine is to be seen in them. */
static void
shuffle_rounds(run_state *state)
{
    rh_random random = {state->experiment->seed};
    group_order *sorted = malloc((state->order_count + 1) * sizeof *sorted);
    if (!sorted)
        abort();
    size_t done = 0;
    for (unsigned rep = 0; done < state->order_count; rep++) {
        size_t first = done;
        for (size_t i = 0; i < state->order_count; i++)
            if (state->orders[i].rep == rep)
                sorted[done++] = state->orders[i];
        shuffle(sorted + first, done - first, &random);
    }
    free(state->orders);
    state->orders = sorted;
    state->order_capacity = state->order_count + 1;
}

static void
plan(run_state *state)
{
    for (size_t t = 0; t < state->experiment->trace_count; t++) {
        if (state->experiment->measures & RH_MEASURE_MEMORY)
            plan_shared(state, t, RH_PASS_MEMORY);
        if (state->experiment->measures & RH_MEASURE_SYSTEM)
            plan_shared(state, t, RH_PASS_SYSTEM);
        if (state->experiment->measures & RH_MEASURE_THROUGHPUT)
            plan_times(state, t, RH_PASS_THROUGHPUT);
        if (state->experiment->measures & RH_MEASURE_LATENCY) {
            plan_times(state, t, RH_PASS_LATENCY);
            plan_control(state, t);
        }
    }
    shuffle_rounds(state);
}

/* Takes out of the plan what the results have. */
static void
strike_out(run_state *state, const rh_run *runs, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < state->order_count; i++) {
        group_order order = state->orders[i];
        size_t wanted = 0;
        for (size_t c = 0; c < order.count; c++)
            if (!rh_recall_has_run(runs, count, state->traces[order.trace].id,
                                   state->candidates[order.candidate[c]].text, pass_name(&order),
                                   state->experiment->first_repetition + order.rep))
                order.candidate[wanted++] = order.candidate[c];
        order.count = wanted;
        if (wanted)
            state->orders[kept++] = order;
    }
    state->order_count = kept;
}

/* Failed runs are tried again: whoever goes on has likely mended what they lacked. */
static rh_status
go_on(run_state *state, rh_error *error)
{
    const rh_run *runs;
    size_t count;
    rh_status status = rh_results_forget_failures(state->results, error);
    if (status == RH_OK)
        status = rh_results_runs(state->results, &runs, &count, error);
    if (status == RH_OK)
        status = rh_recall_check_machine(runs, count, &state->machine, error);
    if (status == RH_OK)
        strike_out(state, runs, count);
    return status;
}

/* ------------------------------------------------------------------ running and storing */

static void
note_failure(run_state *state, const allocator_entry *candidate, const char *reason)
{
    if (state->failed++ > 0)
        return;
    bool named = strstr(reason, candidate->text) != NULL;
    snprintf(state->first_failure, sizeof state->first_failure, "%.150s%s%s",
             named ? "" : candidate->text, named ? "" : ": ", reason);
}

static rh_status
store_run(run_state *state, const group_order *order, size_t which, const rh_member *member,
          const rh_sample *samples, const rh_arena_report *arenas,
          const rh_latency_findings *latency, const rh_stretches *stretches, const rh_round *rounds,
          const char *opened, rh_error *error)
{
    const allocator_entry *candidate = &state->candidates[which];
    const trace_entry *trace = &state->traces[order->trace];
    const char *reason = candidate->status ? candidate->reason : member->message;
    bool failed = candidate->status || member->status;
    rh_latency_rows rows = {.row_count = 0};
    size_t round_count = failed || !state->experiment->loop.rounds ? 0 : member->rounds_played;
    rh_metrics metrics = {.count = 0};
    if (failed)
        note_failure(state, candidate, reason);
    else
        rh_metrics_fill(&metrics, member, &trace->scan, state->machine.ticks_per_ns);
    if (!failed && arenas)
        rh_metrics_add_arenas(&metrics, arenas);
    rh_metrics_add_rounds(&metrics, order->pass, rounds, round_count);
    if (!failed && latency) {
        bool paced = state->experiment->pace > 0;
        rh_metrics_add_latency(&metrics, latency, paced);
        rh_latency_rows_add(&rows, &latency->service, false);
        if (paced)
            rh_latency_rows_add(&rows, &latency->response, true);
    }
    size_t stretch_count = 0;
    rh_stretch *stretch =
        failed || !stretches
            ? NULL
            : rh_stretches_rows(stretches, state->machine.ticks_per_ns, &stretch_count);
    char *provenance =
        rh_provenance(&state->machine, state->experiment, member, opened, candidate->library,
                      candidate->preload, trace->hash, failed ? reason : NULL);
    rh_run run = {.trace = trace->id,
                  .spec = candidate->text,
                  .name = candidate->spec.allocator->name,
                  .version = member ? member->version : "",
                  .pass = pass_name(order),
                  .rep = state->experiment->first_repetition + order->rep,
                  .status = failed                       ? "failed"
                            : member->failed_allocations ? "flagged"
                                                         : "complete",
                  .provenance = provenance,
                  .metrics = metrics.metric,
                  .metric_count = metrics.count,
                  .samples = samples,
                  .sample_count = failed || order->pass != RH_PASS_MEMORY
                                      ? 0
                                      : (size_t)member->memory.sample_count,
                  .rounds = rounds,
                  .round_count = round_count,
                  .latencies = rows.row,
                  .latency_count = rows.row_count,
                  .buckets = rows.bucket,
                  .bucket_count = rows.bucket_count,
                  .stretches = stretch,
                  .stretch_count = stretch_count,
                  .arenas = failed ? NULL : arenas};
    rh_status status = rh_results_add_run(state->results, &run, error);
    state->stored += status == RH_OK;
    free(provenance);
    free(stretch);
    rh_latency_rows_release(&rows);
    return status;
}

static void
show_progress(void *ctx, uint64_t calls)
{
    run_state *state = ctx;
    if (!state->experiment->quiet)
        rh_progress_update(&state->progress, state->calls_done + calls);
}

/* The members of an order that can be tried; the others are stored as failed at once. */
typedef struct attempt_set {
    size_t candidate[MEMBERS_MOST];
    char *specs[MEMBERS_MOST];
    const char *libraries[MEMBERS_MOST];
    unsigned count;
} attempt_set;

static rh_status
gather(run_state *state, const group_order *order, attempt_set *attempt, rh_error *error)
{
    attempt->count = 0;
    for (size_t i = 0; i < order->count; i++) {
        allocator_entry *candidate = &state->candidates[order->candidate[i]];
        if (candidate->status) {
            rh_status status = store_run(state, order, order->candidate[i], NULL, NULL, NULL, NULL,
                                         NULL, NULL, candidate->text, error);
            if (status != RH_OK)
                return status;
            continue;
        }
        attempt->candidate[attempt->count] = order->candidate[i];
        attempt->specs[attempt->count] =
            rh_pass_spec(candidate->text, &candidate->spec, order->pass);
        attempt->libraries[attempt->count++] = candidate->preload;
    }
    return RH_OK;
}

/* Where the stack lies can decide a race between allocators. It differs from repetition to
 * repetition by the seed, and is the same for all allocators of one repetition, which are compared
 * in pairs. */
static unsigned
padding_of(const rh_experiment *experiment, const group_order *order)
{
    rh_random random = {experiment->seed ^ (uint64_t)(experiment->first_repetition + order->rep)
                                               << 32};
    rh_random_next(&random);
    return (unsigned)rh_random_below(&random, PADDING_MOST);
}

/* All rounds that are likely share the samples that were asked for, as far as that leaves some for
 * each; those of all rounds together are bounded. */
static uint64_t
samples_a_round(const rh_experiment *experiment)
{
    const rh_loop *loop = &experiment->loop;
    uint64_t each = rh_experiment_samples(experiment) / rh_loop_shares(loop->steady, loop->rounds);
    uint64_t most = SAMPLES_MOST / (loop->rounds ? loop->rounds : 1);
    if (loop->rounds == 0)
        return each;
    each = each > most ? most : each;
    return each > ROUND_SAMPLES_LEAST ? each : ROUND_SAMPLES_LEAST;
}

/* That a channel needs for a round of it. What is freed at its end may be all in the table beside.
 */
static uint32_t
batches_of(const trace_entry *trace)
{
    if (trace->leftovers.count == 0)
        return trace->scan.batches;
    return trace->scan.batches + (uint32_t)(trace->leftovers.count / (RH_CHANNEL_WIDES - 2)) + 1;
}

/* That live at once while a heap ages. */
static uint64_t
aged_most_blocks(const rh_experiment *experiment, const trace_entry *trace)
{
    uint64_t blocks = experiment->age.aged ? trace->scan.peak_live_blocks : 0;
    return blocks < RH_AGE_BLOCKS_MOST ? blocks : RH_AGE_BLOCKS_MOST;
}

static rh_group_plan
group_plan(run_state *state, const group_order *order, const attempt_set *attempt)
{
    const trace_entry *trace = &state->traces[order->trace];
    const rh_experiment *experiment = state->experiment;
    bool threads = experiment->threads && !order->control && !rh_pass_is_shared(order->pass);
    bool paced = experiment->pace > 0 && order->pass != RH_PASS_THROUGHPUT;
    rh_group_plan plan = {.pass = order->pass,
                          .touch = experiment->touch,
                          .threads = threads,
                          .compiler = trace->compiler,
                          .slots = trace->scan.slots,
                          .specs = (const char *const *)attempt->specs,
                          .libraries = attempt->libraries,
                          .members = attempt->count,
                          .padding_bytes = padding_of(experiment, order),
                          .age = experiment->age,
                          .age_sizes = trace->age_sizes,
                          .age_size_count = trace->age_size_count,
                          .age_most_blocks = aged_most_blocks(experiment, trace),
                          .age_most_bytes = trace->scan.peak_requested_bytes,
                          .loop = experiment->loop,
                          .round_leaves =
                              experiment->loop.frees ? 0 : trace->scan.end_requested_bytes,
                          .leftovers = experiment->loop.frees ? &trace->leftovers : NULL,
                          .patience_seconds = experiment->patience_seconds,
                          .progress = show_progress,
                          .progress_ctx = state};
    /* bump frees nothing, and would never be steady. */
    if (order->control && plan.loop.steady && plan.loop.rounds > RH_STEADY_ROUNDS)
        plan.loop.rounds = RH_STEADY_ROUNDS;
    plan.compiler.threads = threads;
    plan.compiler.times = paced;
    plan.pace = paced ? experiment->pace : 0;
    if (order->pass == RH_PASS_LATENCY)
        plan.room_bytes = sizeof(rh_latency_findings);
    if (order->pass == RH_PASS_THROUGHPUT)
        plan.room_bytes = sizeof(rh_stretches);
    if (order->pass == RH_PASS_MEMORY) {
        uint64_t rounds = experiment->loop.rounds ? experiment->loop.rounds : 1;
        uint64_t samples = samples_a_round(experiment);
        uint64_t calls = trace->scan.counts.calls;
        uint64_t every = (calls + samples - 1) / samples;
        plan.compiler.sample_every = plan.compiler.next_sample = every ? every : 1;
        plan.sample_capacity = (samples + 1) * rounds + 3;
        plan.room_bytes = sizeof(rh_arena_history);
    } else if (order->pass != RH_PASS_SYSTEM &&
               batches_of(trace) * rh_channel_batch_bytes() < rh_host_memory_bytes() / 4) {
        plan.batches = batches_of(trace);
    }
    return plan;
}

static rh_status
run_group(const run_state *state, const group_order *order, const rh_group_plan *plan,
          rh_group **group, rh_error *error)
{
    rh_trace_again again;
    *group = NULL;
    rh_status status = rh_trace_again_open(&again, state->traces[order->trace].path, error);
    if (status != RH_OK)
        return status;
    rh_source source = rh_trace_again_source(&again);
    status = rh_group_run(plan, &source, group, error);
    rh_trace_again_close(&again);
    return status;
}

/* What the passes over a trace found, before it is stored. */
typedef struct finding_set {
    run_state *state;
    const group_order *order;
    rh_group_plan memory_plan, pins_plan; /* as long as the groups */
    rh_group *memory, *pins;              /* pins: NULL when nobody asked */
    const size_t *candidates;             /* of the members */
} finding_set;

static void
order_pins(void *ctx, uint32_t index, void *room)
{
    const finding_set *found = ctx;
    const run_state *state = found->state;
    rh_pin_findings *findings = room;
    rh_pin_plan(&state->experiment->pin_wish, &state->traces[found->order->trace].scan,
                state->experiment->age.aged, rh_group_room(found->memory, index),
                &rh_group_member(found->memory, index)->memory, &findings->order);
    findings->order.arenas_differ =
        !rh_spec_repeats(&state->candidates[found->candidates[index]].spec);
}

static rh_status
look_at_pins(finding_set *found, rh_error *error)
{
    rh_group_plan *plan = &found->pins_plan;
    *plan = found->memory_plan;
    plan->compiler.sample_every = 0;
    plan->sample_capacity = 0;
    plan->room_bytes = sizeof(rh_pin_findings);
    plan->pins = true;
    plan->pace = 0;
    plan->compiler.times = 0;
    plan->order_of = order_pins;
    plan->order_ctx = found;
    found->state->calls_done += found->state->traces[found->order->trace].scan.counts.calls;
    return run_group(found->state, found->order, plan, &found->pins, error);
}

static rh_arena_report
arena_report(const finding_set *found, uint32_t index)
{
    rh_arena_report report = {0};
    const rh_arena_history *history = rh_group_room(found->memory, index);
    if (history->known)
        report = (rh_arena_report){.lives = history->arenas,
                                   .lives_count = history->arena_count,
                                   .looks = history->looks,
                                   .looks_count = history->look_count,
                                   .rows = history->rows,
                                   .rows_count = history->row_count,
                                   .worst = &history->worst};
    if (!history->known || !found->pins || rh_group_member(found->pins, index)->status != RH_OK)
        return report;
    const rh_pin_findings *pins = rh_group_room(found->pins, index);
    report.points = pins->points;
    report.points_count = pins->point_count;
    report.sums = pins->sums;
    report.sums_count = pins->sum_count;
    report.tables = pins->tables;
    report.tables_count = pins->table_count;
    report.pins = pins->pins;
    report.pins_count = pins->pin_count;
    report.pinned = pins->arenas;
    report.pinned_count = pins->arena_count;
    return report;
}

static rh_status
store_member(finding_set *found, const attempt_set *attempt, uint32_t index, rh_error *error)
{
    bool memory = found->order->pass == RH_PASS_MEMORY;
    bool latency = found->order->pass == RH_PASS_LATENCY;
    bool throughput = found->order->pass == RH_PASS_THROUGHPUT;
    const rh_member *member = rh_group_member(found->memory, index);
    rh_arena_report report;
    if (memory)
        report = arena_report(found, index);
    if (found->pins && member->status == RH_OK)
        if (rh_group_member(found->pins, index)->status != RH_OK)
            member = rh_group_member(found->pins, index); /* what it says is the run's failure */
    return store_run(found->state, found->order, attempt->candidate[index], member,
                     rh_group_samples(found->memory, index), memory ? &report : NULL,
                     latency ? rh_group_room(found->memory, index) : NULL,
                     throughput ? rh_group_room(found->memory, index) : NULL,
                     rh_group_rounds(found->memory, index), attempt->specs[index], error);
}

static rh_status
run_attempt(run_state *state, const group_order *order, const attempt_set *attempt, rh_error *error)
{
    finding_set found = {.state = state,
                         .order = order,
                         .candidates = attempt->candidate,
                         .memory_plan = group_plan(state, order, attempt)};
    rh_status status = run_group(state, order, &found.memory_plan, &found.memory, error);
    if (status == RH_OK && state->experiment->pins && order->pass == RH_PASS_MEMORY)
        status = look_at_pins(&found, error);
    for (uint32_t i = 0; status == RH_OK && i < attempt->count; i++)
        status = store_member(&found, attempt, i, error);
    rh_group_close(found.pins);
    rh_group_close(found.memory);
    return status;
}

static rh_status
run_order(run_state *state, const group_order *order, rh_error *error)
{
    attempt_set attempt;
    rh_status status = gather(state, order, &attempt, error);
    if (status == RH_OK && attempt.count)
        status = run_attempt(state, order, &attempt, error);
    for (unsigned i = 0; i < attempt.count; i++)
        free(attempt.specs[i]);
    state->calls_done += state->traces[order->trace].scan.counts.calls;
    return status;
}

/* How often the recording is played. */
static unsigned
passes_of(const run_state *state, const group_order *order)
{
    return state->experiment->pins && order->pass == RH_PASS_MEMORY ? 2 : 1;
}

static rh_status
run_orders(run_state *state, rh_error *error)
{
    uint64_t total = 0;
    for (size_t i = 0; i < state->order_count; i++)
        total += state->traces[state->orders[i].trace].scan.counts.calls *
                 passes_of(state, &state->orders[i]);
    rh_progress_begin(&state->progress, "replaying", "events", total);
    rh_status status = RH_OK;
    for (size_t i = 0; i < state->order_count && status == RH_OK; i++)
        status = rh_interrupted() ? rh_fail(error, RH_INTERRUPTED, "interrupted")
                                  : run_order(state, &state->orders[i], error);
    rh_progress_end(&state->progress);
    return status;
}

static rh_status
prepare(run_state *state, rh_error *error)
{
    const rh_experiment *experiment = state->experiment;
    rh_status status = check_settings(experiment, error);
    if (status != RH_OK)
        return status;
    state->traces = calloc(experiment->trace_count, sizeof *state->traces);
    state->candidates = calloc(experiment->spec_count + 1, sizeof *state->candidates);
    if (!state->traces || !state->candidates)
        abort();
    for (size_t i = 0; status == RH_OK && i <= experiment->spec_count; i++) {
        bool control = i == experiment->spec_count;
        state->candidates[i].text = control ? RH_CONTROL_SPEC : experiment->specs[i];
        status = parse_candidate(state, &state->candidates[i], control, error);
    }
    for (size_t i = 0; status == RH_OK && i < experiment->trace_count; i++) {
        state->traces[i].path = experiment->traces[i];
        status = read_trace(state, &state->traces[i], error);
    }
    if (status == RH_OK)
        status = store_settings(state, error);
    return status;
}

static void
release_trace(trace_entry *trace)
{
    rh_scan_release(&trace->scan);
    rh_leftovers_release(&trace->leftovers);
    free(trace->age_sizes);
}

static void
release(run_state *state)
{
    for (size_t i = 0; state->candidates && i <= state->experiment->spec_count; i++)
        if (state->candidates[i].parsed) {
            rh_spec_release(&state->candidates[i].spec);
            free(state->candidates[i].library);
        }
    for (size_t i = 0; state->traces && i < state->experiment->trace_count; i++)
        release_trace(&state->traces[i]);
    free(state->candidates);
    free(state->traces);
    free(state->orders);
}

rh_status
rh_experiment_run(const rh_experiment *experiment, rh_results *results, rh_error *error)
{
    run_state state = {.experiment = experiment, .results = results};
    rh_status status = prepare(&state, error);
    if (status == RH_OK) {
        rh_machine_read(&state.machine);
        plan(&state);
        if (experiment->resume)
            status = go_on(&state, error);
    }
    if (status == RH_OK)
        status = run_orders(&state, error);
    if (status == RH_OK && state.failed)
        status = rh_fail(error, RH_CANNOT_RUN, "%u of %u runs failed; the first: %s", state.failed,
                         state.stored, state.first_failure);
    release(&state);
    return status;
}
