/* Before anything runs: what the experiment names is read, checked and entered into the results. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc/heap.h"
#include "alloc/spec.h"
#include "base/host.h"
#include "base/size.h"
#include "replay/experiment_parts.h"
#include "replay/latency_store.h"
#include "replay/pace.h"
#include "replay/pass_spec.h"
#include "replay/pin_plan.h"
#include "replay/trace_source.h"

#define PACED_DAYS_MOST 30 /* a run */

/* Values that are each within their range may not go together, which only opening the heap tells.
 */
static rh_status
check_combination(const rh_allocator_entry *candidate, rh_error *error)
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
parse_candidate(const rh_run_state *state, rh_allocator_entry *candidate, bool control,
                rh_error *error)
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
enter_trace(const rh_run_state *state, rh_trace_entry *trace, const rh_trace_info *info,
            rh_error *error)
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
check_times(const rh_run_state *state, const rh_trace_entry *trace, rh_error *error)
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
check_rounds(const rh_run_state *state, rh_trace_entry *trace, rh_error *error)
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
find_age_sizes(const rh_run_state *state, rh_trace_entry *trace, rh_error *error)
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
read_trace(const rh_run_state *state, rh_trace_entry *trace, rh_error *error)
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

rh_status
rh_experiment_prepare(rh_run_state *state, rh_error *error)
{
    const rh_experiment *experiment = state->experiment;
    rh_status status = rh_experiment_check_settings(experiment, error);
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
        status = rh_experiment_store_settings(state, error);
    return status;
}

static void
release_trace(rh_trace_entry *trace)
{
    rh_scan_release(&trace->scan);
    rh_leftovers_release(&trace->leftovers);
    free(trace->age_sizes);
}

void
rh_experiment_release(rh_run_state *state)
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
