/* Where the memory is at the moment of most mapped: one bar an allocator, cut into the named parts
 * that sum to it. */
#include <math.h>
#include <string.h>

#include "analysis/plot.h"
#include "analysis/plot_marks.h"
#include "analysis/waterfall_parts.h"

typedef rh_waterfall_part part;

enum { PARTS = RH_WATERFALL_PARTS, WIDTH = 1100 };

/* A part narrower than this share of the axis has no room for its size. */
#define LABEL_FROM 0.09

static double
requested_of(const rh_subject *subject)
{
    double bytes = rh_subject_median(subject, rh_waterfall_parts[0].metric);
    return isfinite(bytes) && bytes > 0 ? bytes : 0;
}

static double
total_of(const rh_subject *subject)
{
    double total = 0;
    for (size_t p = 0; p < PARTS; p++) {
        double bytes = rh_subject_median(subject, rh_waterfall_parts[p].metric);
        total += isfinite(bytes) && bytes > 0 ? bytes : 0;
    }
    return total;
}

/* Those whose bar is known, from the smallest down. */
static size_t
bars_of(const rh_plot *plot, const rh_subject **bars)
{
    size_t count = 0;
    for (size_t i = 0; i < plot->chosen_count; i++) {
        if (total_of(plot->chosen[i]) <= 0)
            continue;
        size_t at = count++;
        for (; at > 0 && total_of(bars[at - 1]) > total_of(plot->chosen[i]); at--)
            bars[at] = bars[at - 1];
        bars[at] = plot->chosen[i];
    }
    return count;
}

/* A block of the table per part. Returns whether any bar has it. */
static bool
write_part(FILE *data, size_t index, const part *this, const rh_subject **bars, size_t count)
{
    bool any = false;
    for (size_t i = 0; i < count; i++) {
        double bytes = rh_subject_median(bars[i], this->metric);
        any |= isfinite(bytes) && bytes > 0;
    }
    if (!any)
        return false;
    fprintf(data, "%s# index %zu: %s\n", index ? "\n\n" : "", index, this->metric);
    for (size_t i = 0; i < count; i++) {
        double from = 0;
        for (const part *before = rh_waterfall_parts; before < this; before++) {
            double bytes = rh_subject_median(bars[i], before->metric);
            from += isfinite(bytes) && bytes > 0 ? bytes : 0;
        }
        double bytes = rh_subject_median(bars[i], this->metric);
        bytes = bytes > 0 ? bytes : isfinite(bytes) ? 0 : NAN;
        fprintf(data, "%zu\t%.0f\t", i, from);
        rh_figure_number(data, round(from + bytes));
        fputc('\t', data);
        rh_figure_number(data, round(bytes));
        fprintf(data, "\t%.0f\n", requested_of(bars[i]));
    }
    return true;
}

/* The two panels: all that is held, and, larger, what is held beyond the program's wish. */
typedef struct half {
    double left, right; /* of the screen */
    bool beyond;
    double widest_bytes;
} half;

static void
write_bar_part(FILE *script, const char *name, bool first, size_t index, const part *this,
               bool beyond)
{
    const char *less = beyond ? "-$5" : "";
    fprintf(
        script,
        "%s'%s.tsv' index %zu using ((($2+$3)/2%s)/bytes):1:(($2%s)/bytes):(($3%s)/bytes):"
        "($1-0.34):($1+0.34) with boxxyerror fs solid 1 border rgb 'white' fc rgb '%s' lw 1 dt 1 "
        "title '%s', \\\n     '' index %zu using ((($2+$3)/2%s)/bytes):"
        "1:($4/bytes>widest*%.3f ? sprintf('%%.3g',$4/bytes) : '') with labels tc rgb '%s' "
        "notitle",
        first ? "plot " : ", \\\n     ", name, index, less, less, less, this->colour, this->legend,
        index, less, LABEL_FROM, this->ink);
}

/* What each bar comes to, at its end. */
static void
write_totals(FILE *script, const rh_subject **bars, size_t count, bool beyond)
{
    fprintf(script, "unset label\n");
    for (size_t i = 0; i < count; i++) {
        double total = total_of(bars[i]), requested = requested_of(bars[i]);
        double shown = beyond ? total - requested : total;
        fprintf(script, "set label sprintf('%%.3g', %.1f/bytes)", shown);
        double percent = (total - requested) / requested * 100;
        if (beyond && requested > 0)
            fprintf(script, percent < 100 ? ".' (%.3g %%)'" : ".' (%.0f %%)'", percent);
        fprintf(script, " at first %.1f/bytes,%zu left offset 0.6,0\n", shown, i);
    }
}

/* A line across each bar at what of it is resident; part of the panel of all that is held. */
static bool
write_resident(FILE *script, const rh_subject **bars, size_t count)
{
    bool any = false;
    fprintf(script, "unset arrow\n");
    for (size_t i = 0; i < count; i++) {
        double resident = rh_subject_median(bars[i], "resident_bytes");
        if (!isfinite(resident) || resident <= 0)
            continue;
        fprintf(script,
                "set arrow from first %.1f/bytes,%.2f to first %.1f/bytes,%.2f nohead front "
                "lc rgb 'black' dt (4,2) lw 2\n",
                resident, (double)i - 0.42, resident, (double)i + 0.42);
        any = true;
    }
    return any;
}

enum { NAME_LETTERS = 40, PHASE_LETTERS = 30 };

/* The phase in which an allocator holds most; NULL: none was announced. */
static const char *
phase_of(const rh_plot *plot, const rh_subject *bar)
{
    double event = rh_subject_median(bar, "peak_mapped_event");
    return isfinite(event) ? rh_plot_phase_at(plot->workload, event) : NULL;
}

static void
write_names(const rh_plot *plot, FILE *script, const rh_subject **bars, size_t count)
{
    fprintf(script, "set ytics (");
    for (size_t i = 0; i < count; i++) {
        const char *phase = phase_of(plot, bars[i]);
        fprintf(script, i ? ", " : "");
        rh_figure_quoted_tic(script, bars[i]->spec, NAME_LETTERS);
        if (phase) {
            fprintf(script, ".\"\\nin \".");
            rh_figure_quoted_tic(script, phase, PHASE_LETTERS);
        }
        fprintf(script, " %zu", i);
    }
    fprintf(script, ") scale 0\n");
}

/* Returns whether it shows what is resident. */
static bool
write_panel(const rh_plot *plot, FILE *script, const half *panel, const rh_subject **bars,
            size_t count)
{
    rh_scale scale = rh_scale_bytes(panel->widest_bytes);
    fprintf(script,
            "\nset lmargin at screen %.4f\nset rmargin at screen %.4f\nbytes = %.0f\n"
            "widest = %.6g\nset xrange [0:widest*%.2f]\nset xlabel '%s (%s)'\n",
            panel->left, panel->right, scale.divisor, panel->widest_bytes / scale.divisor,
            panel->beyond ? 1.34 : 1.18,
            panel->beyond ? "of which beyond what the program asked for" : "all that is held",
            scale.unit);
    write_totals(script, bars, count, panel->beyond);
    if (panel->beyond) {
        fprintf(script, "unset ytics\nunset key\nunset arrow\n");
        return false;
    }
    write_names(plot, script, bars, count);
    fprintf(script, "set key at screen 0.5,0.015 center bottom vertical maxrows 4 width 2\n");
    return write_resident(script, bars, count);
}

static size_t
longest_name(const rh_plot *plot, const rh_subject **bars, size_t count)
{
    size_t longest = 0;
    for (size_t i = 0; i < count; i++) {
        const char *phase = phase_of(plot, bars[i]);
        size_t name = strlen(bars[i]->spec), in = phase ? strlen(phase) : 0;
        name = name < NAME_LETTERS ? name : NAME_LETTERS;
        in = phase ? 3 + (in < PHASE_LETTERS ? in : PHASE_LETTERS) : 0;
        longest = name > longest ? name : longest;
        longest = in > longest ? in : longest;
    }
    return longest;
}

/* The first part beyond the request that is there: it begins the plot command. */
static size_t
first_of(const bool *present, bool beyond)
{
    size_t p = beyond ? 1 : 0;
    while (p < PARTS && !present[p])
        p++;
    return p;
}

static void
write_panels(const rh_plot *plot, const rh_figure *figure, const rh_subject **bars, size_t count,
             const bool *present, unsigned height)
{
    FILE *script = figure->script;
    double start = (30 + 8.0 * (double)longest_name(plot, bars, count)) / WIDTH;
    double middle = start + (0.98 - start) * 0.44;
    half panels[] = {{start, middle, false, 0}, {middle + 0.03, 0.98, true, 1}};
    for (size_t i = 0; i < count; i++) {
        double total = total_of(bars[i]);
        panels[0].widest_bytes = fmax(panels[0].widest_bytes, total);
        double resident = rh_subject_median(bars[i], "resident_bytes");
        panels[0].widest_bytes = fmax(panels[0].widest_bytes, resident); /* NAN: unknown */
        panels[1].widest_bytes = fmax(panels[1].widest_bytes, total - requested_of(bars[i]));
    }
    fprintf(script,
            "set tmargin at screen %.4f\nset bmargin at screen %.4f\nset yrange [%.1f:-0.6]\n"
            "set grid noy\n",
            1 - 62.0 / height, 140.0 / height, (double)count - 0.4);
    for (size_t i = 0; i < 2; i++) {
        bool resident = write_panel(plot, script, &panels[i], bars, count);
        size_t index = 0;
        for (size_t p = 0; p < PARTS; p++) {
            if (!present[p])
                continue;
            if (p > 0 || !panels[i].beyond)
                write_bar_part(script, figure->name, p == first_of(present, panels[i].beyond),
                               index, &rh_waterfall_parts[p], panels[i].beyond);
            index++;
        }
        if (resident)
            fprintf(script, ", \\\n     NaN with lines lc rgb 'black' dt (4,2) lw 2 title "
                            "'resident'");
        fputc('\n', script);
    }
}

rh_status
rh_plot_waterfall(const rh_plot *plot, rh_figures *figures, rh_error *error)
{
    (void)error;
    const rh_subject *bars[RH_PLOT_CURVES];
    size_t count = bars_of(plot, bars);
    if (count == 0)
        return RH_OK;
    unsigned height = 240 + 56 * (unsigned)count;
    rh_figure *figure = rh_figure_begin(figures, "waterfall", WIDTH, height,
                                        "Where the memory is at each allocator's own peak: the "
                                        "parts of a bar sum to what it holds");
    fprintf(figure->data, "# bar\tfrom_bytes\tto_bytes\tbytes\trequested_bytes; bars:");
    for (size_t i = 0; i < count; i++) {
        fprintf(figure->data, " %zu ", i);
        rh_figure_quoted(figure->data, bars[i]->spec, 0);
    }
    fputc('\n', figure->data);
    bool present[PARTS];
    size_t index = 0;
    for (size_t p = 0; p < PARTS; p++) {
        present[p] = write_part(figure->data, index, &rh_waterfall_parts[p], bars, count);
        index += present[p];
    }
    fprintf(figure->script, "set multiplot title ");
    rh_figure_quoted(figure->script, "Where the memory is, at the moment when most is held", 0);
    fprintf(figure->script, ".\"\\n\".");
    rh_figure_quoted(figure->script, plot->workload->title, RH_TITLE_CHARACTERS);
    fputc('\n', figure->script);
    write_panels(plot, figure, bars, count, present, height);
    fprintf(figure->script, "unset multiplot\n");
    rh_figure_end(figure);
    return RH_OK;
}
