/* The phases that the recorded program announced, in a figure over the event clock: a thin line
 * down through the plot at each, its name written upright above it.
 *
 * A program may announce five phases or fifty thousand. Lines that would fall on the same pixels
 * are drawn as one, the longest phases get names first, and one that has no room is counted beside
 * the name before it: "parse (+3)".
 */
#ifndef REHEAP_ANALYSIS_PLOT_MARKS_H
#define REHEAP_ANALYSIS_PLOT_MARKS_H

#include <stdbool.h>
#include <stdio.h>

#include "analysis/summary.h"

/* How many pixels above the plot the names need; 0: there are no marks to show up to `last_event`.
 */
unsigned rh_plot_marks_room(const rh_workload *workload, double last_event);

/* Writes the lines and, if `named`, the names, for the plot command that comes next. The axis is in
 * units of the script's variable `events`, from 0 to `last_event`, on about `width` pixels. */
void rh_plot_marks(FILE *script, const rh_workload *workload, double last_event, double width,
                   bool named);

/* The phase that an event lies in: the last mark no later than it; NULL: none was announced yet. */
const char *rh_plot_phase_at(const rh_workload *workload, double event);

#endif
