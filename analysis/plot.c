#include "analysis/plot.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/pareto.h"

const rh_quantity *
rh_plot_memory_quantity(const rh_workload *workload)
{
    for (size_t i = 0; i < workload->subject_count; i++) {
        if (isfinite(rh_subject_median(&workload->subjects[i], "fragmentation_mean")))
            return rh_quantity_find("fragmentation_mean");
    }
    return rh_quantity_find("peak_mapped_bytes");
}

static void
find_front(rh_plot *plot)
{
    const rh_workload *workload = plot->workload;
    size_t count = workload->subject_count;
    const char *memory = rh_plot_memory_quantity(workload)->name;
    rh_point *points = calloc(count + 1, sizeof *points);
    rh_values *times = calloc(count + 1, sizeof *times);
    plot->front = calloc(count + 1, sizeof *plot->front);
    if (!points || !times || !plot->front)
        abort();
    for (size_t i = 0; i < count; i++) {
        times[i] = rh_subject_values(&workload->subjects[i], rh_workload_speed(workload));
        points[i] = (rh_point){.memory = rh_subject_median(&workload->subjects[i], memory),
                               .ns = times[i].value,
                               .ns_count = times[i].count};
    }
    rh_pareto_front(points, count, plot->front);
    for (size_t i = 0; i < count; i++)
        rh_values_release(&times[i]);
    free(times);
    free(points);
}

static bool
has_runs(const rh_subject *subject)
{
    return subject->run_count > subject->failed;
}

/* The one whose memory is furthest from that of any wanted; the count when none is left. */
static size_t
furthest(const rh_workload *workload, const bool *wanted, const double *memory)
{
    size_t best = workload->subject_count;
    double best_gap = -1;
    for (size_t i = 0; i < workload->subject_count; i++) {
        if (wanted[i] || !has_runs(&workload->subjects[i]))
            continue;
        double gap = isnan(memory[i]) ? 0 : INFINITY;
        for (size_t j = 0; j < workload->subject_count; j++) {
            if (wanted[j])
                gap = fmin(gap, fabs(memory[i] - memory[j]));
        }
        if (gap > best_gap) {
            best = i;
            best_gap = gap;
        }
    }
    return best;
}

static void
choose_furthest(const rh_plot *plot, bool *wanted, size_t left)
{
    const rh_workload *workload = plot->workload;
    const char *metric = rh_plot_memory_quantity(workload)->name;
    double *memory = calloc(workload->subject_count + 1, sizeof *memory);
    if (!memory)
        abort();
    for (size_t i = 0; i < workload->subject_count; i++)
        memory[i] = rh_subject_median(&workload->subjects[i], metric);
    for (; left > 0; left--) {
        size_t next = furthest(workload, wanted, memory);
        if (next == workload->subject_count)
            break;
        wanted[next] = true;
    }
    free(memory);
}

/* Marks up to RH_PLOT_CURVES subjects, most telling first. */
static void
choose(const rh_plot *plot, bool *wanted)
{
    const rh_workload *workload = plot->workload;
    const rh_subject *baseline = rh_workload_subject(workload, "pymalloc");
    size_t left = RH_PLOT_CURVES;
    for (unsigned round = 0; round < 2; round++) {
        for (size_t i = 0; i < workload->subject_count && left > 0; i++) {
            const rh_subject *subject = &workload->subjects[i];
            bool now = round == 0 ? subject == baseline : plot->front[i];
            if (wanted[i] || !now || !has_runs(subject))
                continue;
            wanted[i] = true;
            left--;
        }
    }
    choose_furthest(plot, wanted, left);
}

void
rh_plot_init(rh_plot *plot, const rh_summary *summary, const rh_workload *workload)
{
    *plot = (rh_plot){.summary = summary, .workload = workload};
    find_front(plot);
    bool *wanted = calloc(workload->subject_count + 1, sizeof *wanted);
    if (!wanted)
        abort();
    choose(plot, wanted);
    for (size_t i = 0; i < workload->subject_count; i++) {
        if (wanted[i])
            plot->chosen[plot->chosen_count++] = &workload->subjects[i];
    }
    free(wanted);
}

void
rh_plot_release(rh_plot *plot)
{
    free(plot->front);
    plot->front = NULL;
}

rh_status
rh_plot_all(const rh_summary *summary, rh_figures *figures, rh_error *error)
{
    static rh_plot_builder *const builders[] = {
        rh_plot_memory,  rh_plot_fragmentation, rh_plot_waterfall_time, rh_plot_waterfall,
        rh_plot_arenas,  rh_plot_occupancy,     rh_plot_bands,          rh_plot_pins,
        rh_plot_latency, rh_plot_speed,         rh_plot_grid,
    };
    rh_status status = RH_OK;
    for (size_t i = 0; status == RH_OK && i < summary->workload_count; i++) {
        char suffix[32] = "";
        if (summary->workload_count > 1)
            snprintf(suffix, sizeof suffix, "-%zu", i + 1);
        figures->suffix = suffix;
        rh_plot plot;
        rh_plot_init(&plot, summary, &summary->workloads[i]);
        for (size_t j = 0; status == RH_OK && j < sizeof builders / sizeof builders[0]; j++)
            status = builders[j](&plot, figures, error);
        rh_plot_release(&plot);
        figures->suffix = NULL;
    }
    return status;
}
