/* Whether runs may be compared: the same recording, replayed in the same way on the same machine.
 */
#ifndef REHEAP_ANALYSIS_ALIKE_H
#define REHEAP_ANALYSIS_ALIKE_H

#include "analysis/summary.h"
#include "base/error.h"

/* Checks that all runs of a workload were made alike (build, touch mode, processor, kernel, …: all
 * that their provenance says but what differs from run to run; failed runs are passed over).
 * RH_USAGE names the first thing that differs, both values, and both runs. */
rh_status rh_alike_within(const rh_summary *summary, const rh_workload *workload, rh_error *error);

/* The same of two workloads out of two files, and that they replay the same recording. The files
 * may come from two builds of the program. */
rh_status rh_alike_between(const rh_summary *older, const rh_workload *before,
                           const rh_summary *newer, const rh_workload *after, rh_error *error);

#endif
