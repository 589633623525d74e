/* Figures become files: the texts are written, gnuplot draws them, and everything moves to its
 * place at the end. */
#ifndef REHEAP_ANALYSIS_GNUPLOT_H
#define REHEAP_ANALYSIS_GNUPLOT_H

#include <stdbool.h>

#include "analysis/figure.h"
#include "base/error.h"

/* Whether PATH has a gnuplot. */
bool rh_gnuplot_installed(void);

/* Writes NAME.gp and NAME.tsv of every figure, and figures.html, a page that shows them, into the
 * folder `directory` and draws NAME.svg and NAME.png.
 *
 * A folder that is not there appears whole or not at all: it is made under a temporary name and
 * renamed. Into one that is there the finished files are moved one by one; others in it stay.
 * RH_CANNOT_RUN: gnuplot is not installed or failed. When it is not installed, scripts and tables
 * are left in the folder, for they can be drawn elsewhere. RH_SYSTEM: the folder cannot be written.
 * `title` heads the page. */
rh_status rh_figures_draw(const rh_figures *figures, const char *directory, const char *title,
                          rh_error *error);

#endif
