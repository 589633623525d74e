#define _GNU_SOURCE
#include "analysis/figure.h"

#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Yellow is left out: on white a line of it cannot be seen. */
static const char *const colours[] = {"#0072B2", "#D55E00", "#009E73", "#CC79A7",
                                      "#E69F00", "#56B4E9", "#666666", "#7A5C00"};
enum { COLOURS = sizeof colours / sizeof colours[0] };

/* Colour alone does not carry a meaning: dashes and points differ as well. */
static const char *const dashes[COLOURS] = {"1",      "(12,4)", "(3,3)", "(12,3,3,3)",
                                            "(20,4)", "(6,3)",  "(2,2)", "(16,3,2,3,2,3)"};
static const unsigned points[COLOURS] = {7, 5, 9, 13, 11, 4, 6, 8};

const char *
rh_figure_colour(size_t n)
{
    return colours[n % COLOURS];
}

static char *
copied(const char *text)
{
    char *copy = strdup(text);
    if (!copy)
        abort();
    return copy;
}

static void
write_palette(FILE *script)
{
    fprintf(script, "# Colours of Okabe and Ito; dashes and points tell the same apart in grey.\n");
    for (size_t i = 0; i < COLOURS; i++)
        fprintf(script, "set linetype %zu lc rgb '%s' lw 1.8 dt %s pt %u ps 0.9\n", i + 1,
                colours[i], dashes[i], points[i]);
    fprintf(script, "set linetype cycle %d\n", COLOURS);
}

static void
write_frame(const rh_figure *figure, unsigned width, unsigned height)
{
    FILE *script = figure->script;
    fprintf(script,
            "# %s\n# Draws %s.tsv as %s.svg and %s.png: change what you like, then run here\n"
            "#   gnuplot %s.gp\n\n",
            figure->caption, figure->name, figure->name, figure->name, figure->name);
    fprintf(script, "set encoding utf8\nset datafile separator tab\n");
    write_palette(script);
    fprintf(script, "set border 3 lc rgb '#444444'\nset tics nomirror\n"
                    "set grid lt 1 dt 1 lc rgb '#DDDDDD' lw 0.6\n"
                    "set key outside right top Left reverse samplen 3 spacing 1.2\n\n");
    fprintf(script,
            "do for [form in 'svg png'] {\nif (form eq 'svg') {\n"
            "    set terminal svg mousing standalone size %u,%u font 'sans,14' noenhanced "
            "background rgb 'white'\n} else {\n"
            "    set terminal pngcairo size %u,%u font 'sans,10.5' noenhanced\n}\n",
            width, height, width, height);
    fprintf(script, "set output '%s.'.form\nunset label\nunset arrow\nunset object\n\n",
            figure->name);
}

rh_figure *
rh_figure_begin(rh_figures *figures, const char *name, unsigned width, unsigned height,
                const char *caption)
{
    figures->figure = realloc(figures->figure, (figures->count + 1) * sizeof *figures->figure);
    if (!figures->figure)
        abort();
    rh_figure *figure = &figures->figure[figures->count++];
    *figure = (rh_figure){.caption = copied(caption)};
    if (asprintf(&figure->name, "%s%s", name, figures->suffix ? figures->suffix : "") < 0)
        abort();
    figure->script = open_memstream(&figure->script_text, &figure->script_bytes);
    figure->data = open_memstream(&figure->data_text, &figure->data_bytes);
    if (!figure->script || !figure->data)
        abort();
    write_frame(figure, width, height);
    return figure;
}

void
rh_figure_end(rh_figure *figure)
{
    fprintf(figure->script, "\nunset output\n}\n");
    fclose(figure->script);
    fclose(figure->data);
    figure->script = figure->data = NULL;
}

void
rh_figures_release(rh_figures *figures)
{
    for (size_t i = 0; i < figures->count; i++) {
        rh_figure *figure = &figures->figure[i];
        if (figure->script)
            rh_figure_end(figure);
        free(figure->name);
        free(figure->caption);
        free(figure->script_text);
        free(figure->data_text);
    }
    free(figures->figure);
    *figures = (rh_figures){.figure = NULL};
}

static bool
continues(char byte)
{
    return ((unsigned char)byte & 0xC0) == 0x80;
}

/* In apostrophes gnuplot takes all as it stands, but cannot read two apostrophes in a row: a text
 * with any is put into double quotes, where a backquote would run a command. */
static void
write_quoted(FILE *out, const char *text, size_t longest, bool format)
{
    char quote = strchr(text, '\'') ? '"' : '\'';
    size_t characters = 0;
    for (const char *c = text; *c; c++)
        characters += !continues(*c);
    bool cut = longest && characters > longest;
    size_t written = 0;
    fputc(quote, out);
    for (const char *c = text; *c; c++) {
        if (!continues(*c) && cut && written++ == longest - 1)
            break;
        if (quote == '"' && strchr("\"\\`", *c))
            fprintf(out, "\\%03o", (unsigned)*c);
        else if (*c == '%' && format)
            fputs("%%", out);
        else
            fputc((unsigned char)*c < ' ' || *c == 127 ? '?' : *c, out);
    }
    fprintf(out, "%s%c", cut ? "…" : "", quote);
}

void
rh_figure_quoted(FILE *out, const char *text, size_t longest)
{
    write_quoted(out, text, longest, false);
}

void
rh_figure_quoted_tic(FILE *out, const char *text, size_t longest)
{
    write_quoted(out, text, longest, true);
}

void
rh_figure_title(const rh_figure *figure, const char *heading, const char *command)
{
    fputs("set title ", figure->script);
    rh_figure_quoted(figure->script, heading, 0);
    fputs(".\"\\n\".", figure->script);
    rh_figure_quoted(figure->script, command, RH_TITLE_CHARACTERS);
    fputc('\n', figure->script);
}

void
rh_figure_number(FILE *out, double value)
{
    if (!isfinite(value))
        fputs("NaN", out);
    else if (value == floor(value) && fabs(value) < 1e15)
        fprintf(out, "%.0f", value);
    else
        fprintf(out, "%.6g", value);
}

rh_scale
rh_scale_bytes(double largest)
{
    if (largest >= 4.0 * 1024 * 1024 * 1024)
        return (rh_scale){1024.0 * 1024 * 1024, "GiB"};
    if (largest >= 4.0 * 1024 * 1024)
        return (rh_scale){1024.0 * 1024, "MiB"};
    return (rh_scale){1024, "KiB"};
}

rh_scale
rh_scale_count(double largest)
{
    if (largest >= 2e6)
        return (rh_scale){1e6, "millions"};
    if (largest >= 2e4)
        return (rh_scale){1e3, "thousands"};
    return (rh_scale){1, ""};
}

void
rh_figure_event_axis(FILE *script, double last_event)
{
    last_event = fmax(last_event, 1);
    rh_scale scale = rh_scale_count(last_event);
    /* A real number: gnuplot divides whole ones without a rest. */
    fprintf(script, "events = %.1f\nset xlabel 'calls of the allocator replayed%s%s%s'\n",
            scale.divisor, *scale.unit ? " (" : "", scale.unit, *scale.unit ? ")" : "");
    fprintf(script, "set xrange [0:%.9g]\n", last_event / scale.divisor);
}

enum { MARKS_MAX = 64 };

typedef struct marks {
    double at[MARKS_MAX]; /* 1 + fragmentation */
    size_t count;
} marks;

static void
try_mark(marks *set, double at, double apart)
{
    bool clear = set->count < MARKS_MAX;
    for (size_t i = 0; clear && i < set->count; i++)
        clear = fabs(log(at / set->at[i])) >= apart;
    if (clear)
        set->at[set->count++] = at;
}

void
rh_figure_excess_axis(FILE *script, double bottom, double top, double pixels)
{
    /* Round numbers first, finer ones where they leave room. */
    static const double steps[] = {1000, 100, 50, 20, 10, 5, 2, 1, 0.5, 0.2, 0.1};
    enum { APART_PIXELS = 34, ENOUGH = 7 };
    double apart = log(top / bottom) / pixels * APART_PIXELS;
    marks set = {.count = 0};
    if (bottom <= 1 && top >= 1)
        try_mark(&set, 1, apart);
    for (size_t i = 0; i < sizeof steps / sizeof steps[0] && set.count < ENOUGH; i++) {
        double first = ceil((bottom - 1) * 100 / steps[i]);
        for (int n = 0; n < 1000 && 1 + (first + n) * steps[i] / 100 <= top; n++)
            try_mark(&set, 1 + (first + n) * steps[i] / 100, apart);
    }
    fprintf(script, "set logscale y\nset yrange [%.6g:%.6g]\nunset mytics\nset ytics (", bottom,
            top);
    for (size_t i = 0; i < set.count; i++)
        fprintf(script, "%s'%.6g %%%%' %.6g", i ? ", " : "", (set.at[i] - 1) * 100, set.at[i]);
    fprintf(script, ")\n");
}
