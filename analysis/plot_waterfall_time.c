/* Where the memory is at every sample: a panel an allocator, cut into the named parts that sum to
 * what it holds, with what is resident beside. Each panel has a scale of its own, since allocators
 * can differ twentyfold; the figure `memory` has them all on one. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/plot.h"
#include "analysis/plot_marks.h"
#include "analysis/waterfall_parts.h"

enum { PANELS_MOST = 6 };

typedef struct part_series {
    const rh_subject *subject;
    rh_sample *samples;
    size_t count;
    double largest_bytes;
} part_series;

typedef struct part_set {
    part_series one[PANELS_MOST];
    size_t count;
    double last_event;
    bool present[RH_WATERFALL_PARTS]; /* in some sample */
    bool resident;
} part_set;

static void
release(part_set *set)
{
    for (size_t i = 0; i < set->count; i++)
        free(set->one[i].samples);
    set->count = 0;
}

static double
known(uint64_t value)
{
    return value > UINT64_MAX / 16 ? NAN : (double)value;
}

/* Parts as they are drawn: none is below 0 (blocks of `bump` overlap after a lap). */
static double
drawn(const rh_sample *sample, size_t part)
{
    double bytes = rh_waterfall_at(sample, part);
    return bytes > 0 ? bytes : isnan(bytes) ? NAN : 0;
}

static void
look_through(part_set *set, part_series *one)
{
    for (size_t i = 0; i < one->count; i++) {
        const rh_sample *sample = &one->samples[i];
        double sum = 0;
        for (size_t p = 0; p < RH_WATERFALL_PARTS; p++) {
            double bytes = drawn(sample, p);
            set->present[p] |= bytes > 0;
            sum += bytes > 0 ? bytes : 0;
        }
        double resident = known(sample->resident_bytes);
        set->resident |= resident > 0;
        one->largest_bytes = fmax(one->largest_bytes, fmax(sum, resident));
        set->last_event = fmax(set->last_event, (double)sample->event);
    }
}

/* Whether anything is told beyond what was asked for. */
static bool
has_parts(const part_series *one)
{
    for (size_t i = 0; i < one->count; i++)
        for (size_t p = 1; p < RH_WATERFALL_PARTS; p++)
            if (drawn(&one->samples[i], p) > 0)
                return true;
    return false;
}

static rh_status
load(const rh_plot *plot, part_set *set, rh_error *error)
{
    *set = (part_set){.count = 0};
    for (size_t i = 0; i < plot->chosen_count && set->count < PANELS_MOST; i++) {
        part_series next = {.subject = plot->chosen[i]};
        rh_status status =
            rh_subject_samples(plot->summary, next.subject, &next.samples, &next.count, error);
        if (status != RH_OK) {
            release(set);
            return status;
        }
        if (!has_parts(&next)) {
            free(next.samples);
            continue;
        }
        look_through(set, &next);
        set->one[set->count++] = next;
    }
    return RH_OK;
}

static void
write_data(FILE *data, const part_set *set)
{
    fprintf(data, "# event");
    for (size_t p = 0; p < RH_WATERFALL_PARTS; p++)
        fprintf(data, "\t%s", rh_waterfall_parts[p].metric);
    fprintf(data, "\tmapped_bytes\tresident_bytes\n");
    for (size_t i = 0; i < set->count; i++) {
        fprintf(data, "%s# index %zu: ", i ? "\n\n" : "", i);
        rh_figure_quoted(data, set->one[i].subject->spec, 0);
        fputc('\n', data);
        for (size_t j = 0; j < set->one[i].count; j++) {
            const rh_sample *sample = &set->one[i].samples[j];
            fprintf(data, "%.0f", (double)sample->event);
            for (size_t p = 0; p < RH_WATERFALL_PARTS; p++) {
                fputc('\t', data);
                rh_figure_number(data, drawn(sample, p));
            }
            fputc('\t', data);
            rh_figure_number(data, known(sample->counters.mapped_bytes));
            fputc('\t', data);
            rh_figure_number(data, known(sample->resident_bytes));
            fputc('\n', data);
        }
    }
}

/* All in pixels. */
enum { WIDTH = 1100, TOP = 78, STEP = 226, HEIGHT = 206, BELOW = 64, KEY_LINE = 20 };
#define LEFT  0.09
#define RIGHT 0.97

static unsigned
key_height(const part_set *set)
{
    enum { COLUMNS = 3 };
    unsigned entries = set->resident;
    for (size_t p = 0; p < RH_WATERFALL_PARTS; p++)
        entries += set->present[p];
    return (entries + COLUMNS - 1) / COLUMNS * KEY_LINE;
}

static unsigned
figure_height(const rh_plot *plot, const part_set *set)
{
    return rh_plot_marks_room(plot->workload, set->last_event) + TOP + STEP * (unsigned)set->count +
           BELOW - (STEP - HEIGHT) + key_height(set);
}

/* The areas from the highest down, each from 0 to the sum of the parts up to it, so that the next
 * one covers what is not its own. */
static void
write_areas(FILE *script, const char *name, const part_set *set, size_t index)
{
    bool first = true;
    for (size_t p = RH_WATERFALL_PARTS; p-- > 0;) {
        if (!set->present[p])
            continue;
        fprintf(script, "%s'%s.tsv' index %zu using ($1/events):((",
                first ? "plot " : ", \\\n     ", name, index);
        first = false;
        for (size_t below = 0; below <= p; below++)
            if (set->present[below])
                fprintf(script, "+v(%zu)", below + 2);
        fprintf(script, ")/bytes) with filledcurves x1 fc rgb '%s' title '%s'",
                rh_waterfall_parts[p].colour, rh_waterfall_parts[p].legend);
    }
    if (set->resident)
        fprintf(script,
                ", \\\n     '' index %zu using ($1/events):($%d/bytes) with lines lc rgb 'black' "
                "dt (8,4) lw 1.8 title 'resident'",
                index, RH_WATERFALL_PARTS + 3);
    fputc('\n', script);
}

static void
write_panel(const rh_plot *plot, const rh_figure *figure, const part_set *set, size_t row)
{
    FILE *script = figure->script;
    double room = rh_plot_marks_room(plot->workload, set->last_event);
    double height = figure_height(plot, set);
    double top = 1 - (room + TOP + STEP * (double)row) / height;
    fprintf(script, "\nset tmargin at screen %.4f\nset bmargin at screen %.4f\n", top,
            top - HEIGHT / height);
    rh_figure_event_axis(script, set->last_event);
    rh_scale scale = rh_scale_bytes(set->one[row].largest_bytes);
    fprintf(script, "bytes = %.0f\nset ylabel 'memory (%s)'\nset yrange [0:%.6g]\n", scale.divisor,
            scale.unit, set->one[row].largest_bytes / scale.divisor * 1.03);
    if (row + 1 < set->count)
        fprintf(script, "unset xlabel\nunset key\nset format x ''\n");
    else
        fprintf(script,
                "set format x '%%g'\n"
                "set key at screen 0.5,%.4f center bottom vertical maxrows %u width 2 samplen 2\n",
                8 / height, key_height(set) / KEY_LINE);
    fprintf(script, "unset label\nunset arrow\nset label 1 ");
    rh_figure_quoted(script, set->one[row].subject->spec, 100);
    fprintf(script, " at graph 0.012,0.91 left front boxed\n");
    rh_plot_marks(script, plot->workload, set->last_event, (RIGHT - LEFT) * WIDTH, row == 0);
    write_areas(script, figure->name, set, row);
}

static rh_figure *
begin(const rh_plot *plot, const part_set *set, rh_figures *figures)
{
    rh_figure *figure = rh_figure_begin(figures, "waterfall-time", WIDTH, figure_height(plot, set),
                                        "Where the memory of each allocator is over time: the "
                                        "parts sum to what it holds at every sample");
    FILE *script = figure->script;
    fprintf(script, "set multiplot title ");
    if (plot->workload->subject_count > set->count) {
        char title[128];
        snprintf(title, sizeof title, "Where the memory is over time (%zu of %zu allocators)",
                 set->count, plot->workload->subject_count);
        rh_figure_quoted(script, title, 0);
    } else {
        rh_figure_quoted(script, "Where the memory is over time", 0);
    }
    fprintf(script, ".\"\\n\".");
    rh_figure_quoted(script, plot->workload->title, RH_TITLE_CHARACTERS);
    fprintf(script,
            "\nset lmargin at screen %.2f\nset rmargin at screen %.2f\nset style fill solid 1 "
            "noborder\n"
            "set style textbox opaque fillcolor rgb 'white' border lc rgb '#888888'\n"
            "# A part that is not known has no height.\n"
            "v(n) = valid(n) && column(n) == column(n) ? column(n) : 0\n",
            LEFT, RIGHT);
    return figure;
}

rh_status
rh_plot_waterfall_time(const rh_plot *plot, rh_figures *figures, rh_error *error)
{
    part_set set;
    rh_status status = load(plot, &set, error);
    if (status != RH_OK || set.count == 0) {
        release(&set);
        return status;
    }
    rh_figure *figure = begin(plot, &set, figures);
    for (size_t row = 0; row < set.count; row++)
        write_panel(plot, figure, &set, row);
    fprintf(figure->script, "unset multiplot\n");
    write_data(figure->data, &set);
    rh_figure_end(figure);
    release(&set);
    return RH_OK;
}
