/* The figures: each builder turns the results of one trace into a script and a table, or adds
 * nothing when the results do not hold what it shows. The same results give the same bytes. */
#ifndef REHEAP_ANALYSIS_PLOT_H
#define REHEAP_ANALYSIS_PLOT_H

#include <stdbool.h>
#include <stddef.h>

#include "analysis/figure.h"
#include "analysis/summary.h"
#include "base/error.h"

/* More curves than this cannot be told apart. */
#define RH_PLOT_CURVES 8

typedef struct rh_plot {
    const rh_summary *summary;
    const rh_workload *workload;
    /* The allocators that get a curve or a bar of their own, in the order of the results. */
    const rh_subject *chosen[RH_PLOT_CURVES];
    size_t chosen_count;
    bool *front; /* by subject: stands on the Pareto front of memory and speed */
} rh_plot;

/* Which of two memory numbers the front and the picture of speed against memory use: the mean
 * fragmentation where it is known, else the peak. */
const rh_quantity *rh_plot_memory_quantity(const rh_workload *workload);

/* Chooses the curves: all allocators where they are few; else pymalloc with nothing changed, then
 * the front, then whichever lie furthest in memory from those chosen. */
void rh_plot_init(rh_plot *plot, const rh_summary *summary, const rh_workload *workload);
void rh_plot_release(rh_plot *plot);

typedef rh_status rh_plot_builder(const rh_plot *plot, rh_figures *figures, rh_error *error);
rh_plot_builder rh_plot_memory;         /* memory held over time, with the live curve */
rh_plot_builder rh_plot_fragmentation;  /* fragmentation over time */
rh_plot_builder rh_plot_arenas;         /* arenas held, born, released, reused over time */
rh_plot_builder rh_plot_occupancy;      /* how full each arena is over time */
rh_plot_builder rh_plot_bands;          /* how many arenas are how full over time */
rh_plot_builder rh_plot_pins;           /* what keeps those that are nearly empty */
rh_plot_builder rh_plot_waterfall;      /* where the memory is at the peak */
rh_plot_builder rh_plot_waterfall_time; /* where it is over time */
rh_plot_builder rh_plot_latency; /* one figure an operation: share of calls that take longer */
rh_plot_builder rh_plot_speed;   /* speed against memory */
rh_plot_builder rh_plot_grid;    /* arena by pool: memory, and speed */

/* All of the above, for every trace in the results. */
rh_status rh_plot_all(const rh_summary *summary, rh_figures *figures, rh_error *error);

#endif
