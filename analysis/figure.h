/* A figure on its way: a gnuplot script and the table it draws, both text that a person can change.
 *
 * Every script has the same frame (figure.c writes it): a comment that says what it is and how to
 * redraw it, the palette, and one loop that draws the same thing as SVG and as PNG. A builder fills
 * in the middle. Text from outside (specs, command lines) reaches a script only through
 * rh_figure_quoted, because gnuplot runs what stands in backquotes of a double-quoted string.
 */
#ifndef REHEAP_ANALYSIS_FIGURE_H
#define REHEAP_ANALYSIS_FIGURE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

typedef struct rh_figure {
    char *name;                    /* of the files: NAME.gp, NAME.tsv, NAME.svg, NAME.png */
    char *caption;                 /* one line: what is to be seen */
    FILE *script, *data;           /* open between begin and end */
    char *script_text, *data_text; /* complete after end */
    size_t script_bytes, data_bytes;
} rh_figure;

typedef struct rh_figures {
    rh_figure *figure;
    size_t count;
    const char *suffix; /* appended to names: "" or, with several traces in a file, "-2" */
} rh_figures;

/* Starts a figure and writes everything up to the place where the drawing's own settings go.
 * Sizes in pixels. The pointer is valid until the next begin. */
rh_figure *rh_figure_begin(rh_figures *figures, const char *name, unsigned width, unsigned height,
                           const char *caption);
void rh_figure_end(rh_figure *figure);
void rh_figures_release(rh_figures *figures);

/* Writes `text` as a gnuplot string that is only ever text: single-quoted, control characters as
 * '?', cut with an ellipsis after `longest` characters (0: never). */
void rh_figure_quoted(FILE *out, const char *text, size_t longest);

/* The same for the label of a tic, which gnuplot takes for a format. */
void rh_figure_quoted_tic(FILE *out, const char *text, size_t longest);

/* What of a title's second line has room. */
enum { RH_TITLE_CHARACTERS = 120 };

/* Writes the title: a heading, and below it what was run. */
void rh_figure_title(const rh_figure *figure, const char *heading, const char *command);

/* A number for a data file: "NaN", which gnuplot draws as a gap, when it is not finite. */
void rh_figure_number(FILE *out, double value);

/* What to divide by so that the largest value reads well, and the unit's name after that. */
typedef struct rh_scale {
    double divisor;
    const char *unit;
} rh_scale;
rh_scale rh_scale_bytes(double largest); /* KiB, MiB, GiB */
rh_scale rh_scale_count(double largest); /* "", "thousands", "millions" */

/* The axis of calls below a figure, from 0 to `last_event`; data are divided by the script's
 * variable `events`. */
void rh_figure_event_axis(FILE *script, double last_event);

/* A vertical axis for 1 + fragmentation, logarithmic, so that a tenth more and twice as much both
 * read well; its marks are written as fragmentation in per cent and kept apart on an axis of so
 * many pixels. `bottom` and `top` are of 1 + fragmentation, above 0. */
void rh_figure_excess_axis(FILE *script, double bottom, double top, double pixels);

/* Colours of Okabe and Ito, which readers with any kind of colour vision tell apart; the n-th
 * colour of curves and of areas. */
const char *rh_figure_colour(size_t n);

#endif
