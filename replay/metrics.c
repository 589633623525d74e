#include "replay/metrics.h"

#include <math.h>
#include <string.h>

#include "replay/rounds.h"

static void
add(rh_metrics *metrics, const char *name, double value)
{
    if (metrics->count < RH_METRICS_MAX)
        metrics->metric[metrics->count++] = (rh_metric){name, value};
}

static double
number(uint64_t value)
{
    return value == RH_UNKNOWN ? NAN : (double)value;
}

double
rh_metrics_get(const rh_metric *metrics, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(metrics[i].name, name) == 0)
            return metrics[i].value;
    return NAN;
}

double
rh_metrics_fragmentation(double mapped, double requested)
{
    return requested > 0 ? mapped / requested - 1 : NAN;
}

/* What the replay did: the same in every pass. */
static void
add_events(rh_metrics *metrics, const rh_member *member, const rh_scan *scan)
{
    const rh_compiler *counts = &scan->counts;
    add(metrics, "events", number(counts->calls));
    add(metrics, "allocations", number(counts->allocations));
    add(metrics, "reallocations", number(counts->reallocations));
    add(metrics, "frees", number(counts->frees));
    add(metrics, "null_frees", number(counts->null_frees));
    add(metrics, "failed_allocations", number(member->failed_allocations));
    add(metrics, "skipped_events", number(member->skipped_events));
    add(metrics, "recorded_failures", number(counts->recorded_failures));
    add(metrics, "nested_events", number(counts->nested_events));
    add(metrics, "foreign_events", number(counts->foreign_events));
}

static void
add_time(rh_metrics *metrics, const rh_member *member, double ticks_per_ns)
{
    double loop_ns = (double)member->loop_ticks / ticks_per_ns;
    double preempted_ns = (double)member->preempted_ticks / ticks_per_ns;
    double calls = (double)member->calls;
    add(metrics, "ns_per_event", calls > 0 ? (loop_ns - preempted_ns) / calls : NAN);
    add(metrics, "wall_ns", loop_ns);
    add(metrics, "preempted_ns", preempted_ns);
    add(metrics, "waited_ns", (double)member->waited_ticks / ticks_per_ns);
}

/* How the threads of a replay in the recorded ones went. */
static void
add_order(rh_metrics *metrics, const rh_member *member)
{
    const rh_thread_totals *totals = &member->threads_run;
    double calls = (double)member->calls;
    add(metrics, "threads", number(totals->threads));
    add(metrics, "thread_waits", number(totals->waits));
    add(metrics, "thread_waits_late", number(totals->late));
    add(metrics, "reordered_share", calls > 0 ? (double)totals->reordered / calls : NAN);
}

/* Of a replay in the recorded threads. The time of a call is what all of them had a processor for,
 * over all calls; the wall time is that of the whole. */
static void
add_threads(rh_metrics *metrics, const rh_member *member, double ticks_per_ns)
{
    const rh_thread_totals *totals = &member->threads_run;
    double calls = (double)member->calls;
    add(metrics, "ns_per_event",
        calls > 0 ? (double)totals->busy_ticks / ticks_per_ns / calls : NAN);
    add(metrics, "wall_ns", (double)totals->wall_ticks / ticks_per_ns);
    add(metrics, "waited_ns", (double)totals->waited_ticks / ticks_per_ns);
    add_order(metrics, member);
}

static void
add_disturbances(rh_metrics *metrics, const rh_member *member)
{
    add(metrics, "page_faults", number(member->page_faults));
    add(metrics, "context_switches", number(member->context_switches));
}

static void
add_system(rh_metrics *metrics, const rh_system_totals *totals)
{
    static const char *const resident[RH_RESIDENT_LOOKS] = {
        "resident_after_100ms_bytes", "resident_after_1s_bytes", "resident_after_5s_bytes"};
    static const char *const calls[RH_SYSTEM_CALL_COUNT] = {
#define CALLS_NAME(name) #name "_calls",
        RH_SYSTEM_CALLS(CALLS_NAME)
#undef CALLS_NAME
    };
    for (int i = 0; i < RH_SYSTEM_CALL_COUNT; i++)
        add(metrics, calls[i], number(totals->calls[i]));
    for (int i = 0; i < RH_RESIDENT_LOOKS; i++)
        add(metrics, resident[i], number(totals->resident_after[i]));
    add(metrics, "peak_huge_bytes", number(totals->peak_huge_bytes));
    add(metrics, "end_huge_bytes", number(totals->end_huge_bytes));
    add(metrics, "huge_coverage",
        totals->huge_resident_sum ? (double)totals->huge_sum / (double)totals->huge_resident_sum
                                  : NAN);
}

typedef struct latency_names {
    const char *name[6]; /* in the order of the quantiles below, then the maximum */
    const char *response[6];
    const char *calls;
} latency_names;

#define NAMES(op)                                                                                  \
    {                                                                                              \
        {#op "_p50_ns",  #op "_p90_ns",   #op "_p99_ns",                                           \
         #op "_p999_ns", #op "_p9999_ns", #op "_max_ns"},                                          \
            {#op "_response_p50_ns",  #op "_response_p90_ns",   #op "_response_p99_ns",            \
             #op "_response_p999_ns", #op "_response_p9999_ns", #op "_response_max_ns"},           \
            #op "_timed_calls"                                                                     \
    }

static void
add_fragmentation(rh_metrics *metrics, const rh_memory_totals *totals)
{
    double peak_mapped = number(totals->peak.counters.mapped_bytes);
    double peak_requested = number(totals->peak_requested_bytes);
    bool known = totals->peak.counters.mapped_bytes != RH_UNKNOWN;
    const rh_fragmentation *sums = &totals->fragmentation;
    add(metrics, "fragmentation_mean", known ? rh_fragmentation_mean(sums) : NAN);
    add(metrics, "fragmentation_average", known ? rh_fragmentation_average(sums) : NAN);
    add(metrics, "fragmentation_time_mean", known ? rh_fragmentation_time_mean(sums) : NAN);
    add(metrics, "mapped_byte_events", known ? (double)sums->mapped_byte_events : NAN);
    add(metrics, "requested_byte_events", known ? (double)sums->requested_byte_events : NAN);
    add(metrics, "mapped_byte_seconds", known ? rh_fragmentation_mapped_byte_seconds(sums) : NAN);
    add(metrics, "requested_byte_seconds",
        known ? rh_fragmentation_requested_byte_seconds(sums) : NAN);
    add(metrics, "fragmentation_at_peak_live",
        rh_metrics_fragmentation(number(totals->mapped_at_peak_requested), peak_requested));
    add(metrics, "fragmentation_peak_mapped",
        rh_metrics_fragmentation(peak_mapped, number(totals->peak.requested_bytes)));
    add(metrics, "fragmentation_peak_to_peak",
        rh_metrics_fragmentation(peak_mapped, peak_requested));
}

/* The parts at the first maximum of mapped, each under its own name, and the counts at the end. */
static void
add_counters(rh_metrics *metrics, const rh_memory_totals *totals)
{
    const rh_counters *peak = &totals->peak.counters, *end = &totals->end.counters;
    add(metrics, "requested_bytes", number(totals->peak.requested_bytes));
    add(metrics, "rounding_bytes", rh_sample_rounding(&totals->peak));
    add(metrics, "aged_block_bytes", number(totals->peak.aged_block_bytes));
#define AT_PEAK(name) add(metrics, #name, number(peak->name));
    AT_PEAK(header_bytes)
    AT_PEAK(page_header_bytes)
    AT_PEAK(page_tail_bytes)
    AT_PEAK(free_block_bytes)
    AT_PEAK(free_page_bytes)
    AT_PEAK(free_arena_bytes)
    AT_PEAK(metadata_bytes)
    AT_PEAK(other_bytes)
    AT_PEAK(mapped_bytes)
    add(metrics, "resident_bytes", number(totals->peak.resident_bytes));
    AT_PEAK(pools_in_use)
    AT_PEAK(pools_free)
    AT_PEAK(reported_allocated_bytes)
    AT_PEAK(reported_mapped_bytes)
    AT_PEAK(reported_metadata_bytes)
#undef AT_PEAK
#define AT_END(name) add(metrics, #name, number(end->name));
    AT_END(free_list_hits)
    AT_END(free_list_misses)
    AT_END(free_list_rejected)
    AT_END(free_list_blocks)
    AT_END(free_list_bytes)
    AT_END(arenas_allocated)
    AT_END(arenas_released)
    AT_END(arenas_current)
    AT_END(arenas_highwater)
    AT_END(arena_bytes)
    AT_END(arenas_reused)
    AT_END(arena_slots_reused)
    AT_END(pools_recycled)
    AT_END(pools_reclassed)
    AT_END(traced_bytes)
    AT_END(peak_traced_bytes)
    AT_END(traced_blocks)
    AT_END(trace_table_bytes)
#undef AT_END
}

static void
add_memory(rh_metrics *metrics, const rh_memory_totals *totals)
{
    add(metrics, "peak_requested_bytes", number(totals->peak_requested_bytes));
    add(metrics, "peak_live_blocks", number(totals->peak_live_blocks));
    add(metrics, "end_requested_bytes", number(totals->end.requested_bytes));
    add(metrics, "peak_usable_bytes", number(totals->peak_usable_bytes));
    add(metrics, "peak_mapped_bytes", number(totals->peak.counters.mapped_bytes));
    add(metrics, "peak_mapped_event", number(totals->peak.event));
    add(metrics, "end_mapped_bytes", number(totals->end.counters.mapped_bytes));
    add(metrics, "peak_resident_bytes", number(totals->peak_resident_bytes));
    add(metrics, "end_resident_bytes", number(totals->end.resident_bytes));
    add(metrics, "mean_resident_bytes", rh_resident_mean(&totals->resident));
    double windows = (double)totals->locality_windows;
    add(metrics, "pages_per_1000_events",
        windows > 0 ? (double)totals->pages_named / windows : NAN);
    add(metrics, "lines_per_1000_events",
        windows > 0 ? (double)totals->lines_named / windows : NAN);
    add_fragmentation(metrics, totals);
    add_counters(metrics, totals);
}

/* What only this heap's layers know, or the plug-in. */
static void
add_figures(rh_metrics *metrics, const rh_figures *figures)
{
    for (uint32_t i = 0; i < figures->count && i < RH_FIGURES_MAX; i++)
        add(metrics, figures->figure[i].name, number(figures->figure[i].value));
}

/* What the heap had gone through before the first call. */
static void
add_age(rh_metrics *metrics, const rh_member *member)
{
    add(metrics, "aged_calls", number(member->aged.calls));
    add(metrics, "aged_failed_allocations", number(member->aged.failed_allocations));
    add(metrics, "aged_blocks", number(member->aged.blocks));
    add(metrics, "aged_bytes", number(member->aged.bytes));
    add(metrics, "aged_mapped_bytes", number(member->aged_mapped_bytes));
}

/* How well passes that time nothing kept to the schedule. */
static void
add_slowdown(rh_metrics *metrics, const char *name, const rh_member *member)
{
    double scheduled = (double)member->on_time.scheduled_ns;
    if (member->pace > 0)
        add(metrics, name, scheduled > 0 ? (double)member->on_time.elapsed_ns / scheduled : NAN);
}

void
rh_metrics_fill(rh_metrics *metrics, const rh_member *member, const rh_scan *scan,
                double ticks_per_ns)
{
    metrics->count = 0;
    add_events(metrics, member, scan);
    switch (member->pass) {
    case RH_PASS_MEMORY:
        if (member->age.aged)
            add_age(metrics, member);
        add_memory(metrics, &member->memory);
        add_slowdown(metrics, "memory_pace_slowdown", member);
        add_figures(metrics, &member->figures);
        break;
    case RH_PASS_THROUGHPUT:
        if (member->threads)
            add_threads(metrics, member, ticks_per_ns);
        else
            add_time(metrics, member, ticks_per_ns);
        add_disturbances(metrics, member);
        break;
    case RH_PASS_LATENCY:
        add(metrics, "probe_ns", (double)member->probe_ticks / ticks_per_ns);
        if (member->threads)
            add_order(metrics, member);
        add_disturbances(metrics, member);
        break;
    case RH_PASS_SYSTEM:
        add_system(metrics, &member->system);
        add(metrics, "system_page_faults", number(member->page_faults));
        add_slowdown(metrics, "system_pace_slowdown", member);
        break;
    }
}

static uint64_t
excess(const rh_arena_census *look)
{
    return look->packed_arenas < look->arenas ? look->arenas - look->packed_arenas : 0;
}

void
rh_metrics_add_arenas(rh_metrics *metrics, const rh_arena_report *report)
{
    static const rh_arena_census unknown = {.arenas = RH_UNKNOWN,
                                            .empty_arenas = RH_UNKNOWN,
                                            .under_10_arenas = RH_UNKNOWN,
                                            .under_25_arenas = RH_UNKNOWN,
                                            .under_50_arenas = RH_UNKNOWN,
                                            .packed_arenas = RH_UNKNOWN};
    bool known = report->looks_count > 0 && report->worst;
    const rh_arena_census *end = known ? &report->looks[report->looks_count - 1] : &unknown;
    const rh_arena_census *worst = known ? report->worst : &unknown;
    add(metrics, "empty_arenas", number(end->empty_arenas));
    add(metrics, "under_10_arenas", number(end->under_10_arenas));
    add(metrics, "under_25_arenas", number(end->under_25_arenas));
    add(metrics, "under_50_arenas", number(end->under_50_arenas));
    add(metrics, "packed_arenas", number(end->packed_arenas));
    add(metrics, "worst_excess_arenas",
        known && worst->packed_arenas != RH_UNKNOWN ? number(excess(worst)) : NAN);
    add(metrics, "worst_excess_event", known ? number(worst->event) : NAN);
}

static double
quantile(const rh_histogram *histogram, double fraction)
{
    return histogram->total ? (double)rh_histogram_quantile(histogram, fraction) : NAN;
}

static void
add_quantiles(rh_metrics *metrics, const char *const names[6], const rh_histogram *histogram)
{
    static const double quantiles[] = {.5, .9, .99, .999, .9999};
    for (int i = 0; i < 5; i++)
        add(metrics, names[i], quantile(histogram, quantiles[i]));
    add(metrics, names[5], histogram->total ? (double)histogram->max : NAN);
}

/* How well the schedule was kept. */
static void
add_pace(rh_metrics *metrics, const rh_pace_totals *pace)
{
    double calls = (double)pace->calls, scheduled = (double)pace->scheduled_ns;
    add(metrics, "late_share", calls > 0 ? (double)pace->late / calls : NAN);
    add(metrics, "latest_ns", (double)pace->latest_ns);
    add(metrics, "scheduled_ns", scheduled);
    add(metrics, "pace_slowdown", scheduled > 0 ? (double)pace->elapsed_ns / scheduled : NAN);
}

void
rh_metrics_add_latency(rh_metrics *metrics, const rh_latency_findings *found, bool paced)
{
    static const latency_names names[RH_TIMED_OPERATIONS] = {NAMES(malloc), NAMES(calloc),
                                                             NAMES(realloc), NAMES(free)};
    static rh_histogram whole;
    add(metrics, "probe_p99_ns", quantile(&found->probe, .99));
    add(metrics, "probe_p9999_ns", quantile(&found->probe, .9999));
    add(metrics, "probe_max_ns", found->probe.total ? (double)found->probe.max : NAN);
    for (unsigned operation = 0; operation < RH_TIMED_OPERATIONS; operation++) {
        rh_latency_operation(&found->service, (rh_timed)operation, &whole);
        add_quantiles(metrics, names[operation].name, &whole);
        add(metrics, names[operation].calls, (double)whole.total);
        rh_latency_operation(&found->response, (rh_timed)operation, &whole);
        if (paced)
            add_quantiles(metrics, names[operation].response, &whole);
    }
    if (paced)
        add_pace(metrics, &found->pace);
}

/* Nanoseconds a call in rounds `from` to `until`. */
static double
ns_in_rounds(const rh_round *rounds, size_t from, size_t until)
{
    double ns = 0, calls = 0;
    for (size_t i = from; i < until; i++) {
        ns += number(rounds[i].busy_ns);
        calls += number(rounds[i].calls);
    }
    return calls > 0 ? ns / calls : NAN;
}

/* What the requested bytes, or the mapped ones, grew by from round to round. */
static double
growth(uint64_t first, uint64_t last, size_t count)
{
    return count > 1 ? (number(last) - number(first)) / (double)(count - 1) : NAN;
}

void
rh_metrics_add_rounds(rh_metrics *metrics, rh_pass pass, const rh_round *rounds, size_t count)
{
    static const char *const counts[] = {"rounds", "throughput_rounds", "latency_rounds",
                                         "system_rounds"};
    if (count == 0)
        return;
    const rh_round *first = &rounds[0], *last = &rounds[count - 1];
    size_t settled = 0; /* the first of the rounds that were the same */
    for (size_t i = 1; i <= count && settled == 0; i++) {
        size_t seen = rh_rounds_steady(rounds, i);
        settled = seen ? i - seen + 1 : 0;
    }
    add(metrics, counts[pass], (double)count);
    if (pass == RH_PASS_MEMORY) {
        add(metrics, "steady_round", settled ? (double)settled : NAN);
        add(metrics, "first_round_peak_mapped_bytes", number(first->peak_mapped_bytes));
        add(metrics, "last_round_peak_mapped_bytes", number(last->peak_mapped_bytes));
        add(metrics, "round_growth_requested_bytes",
            growth(first->end_requested_bytes, last->end_requested_bytes, count));
        add(metrics, "round_growth_mapped_bytes",
            growth(first->end_mapped_bytes, last->end_mapped_bytes, count));
    } else if (pass == RH_PASS_THROUGHPUT) {
        add(metrics, "first_round_ns_per_event", ns_in_rounds(rounds, 0, 1));
        add(metrics, "steady_ns_per_event",
            settled ? ns_in_rounds(rounds, settled - 1, count) : NAN);
    }
}
