/* The three figures over the event clock: memory held, fragmentation, arenas. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/plot.h"
#include "analysis/plot_marks.h"

/* The samples of every chosen allocator; those without any are left out. */
typedef struct series {
    const rh_subject *subject;
    rh_sample *samples;
    size_t count;
} series;

typedef struct series_set {
    series one[RH_PLOT_CURVES];
    size_t count;
    double last_event;
} series_set;

static void
release(series_set *set)
{
    for (size_t i = 0; i < set->count; i++)
        free(set->one[i].samples);
    set->count = 0;
}

static rh_status
load(const rh_plot *plot, series_set *set, rh_error *error)
{
    *set = (series_set){.count = 0};
    for (size_t i = 0; i < plot->chosen_count; i++) {
        series next = {.subject = plot->chosen[i]};
        rh_status status =
            rh_subject_samples(plot->summary, next.subject, &next.samples, &next.count, error);
        if (status != RH_OK) {
            release(set);
            return status;
        }
        if (next.count == 0)
            continue;
        set->last_event = fmax(set->last_event, (double)next.samples[next.count - 1].event);
        set->one[set->count++] = next;
    }
    return RH_OK;
}

static double
known(uint64_t value)
{
    return value > UINT64_MAX / 16 ? NAN : (double)value; /* RH_UNKNOWN, or no sense */
}

static double
mapped(const rh_sample *sample)
{
    return known(sample->counters.mapped_bytes);
}

static double
fragmentation(const rh_sample *sample)
{
    double requested = known(sample->requested_bytes);
    return requested > 0 ? mapped(sample) / requested - 1 : NAN;
}

/* One block of the table per allocator, as gnuplot's `index` wants them. */
static void
begin_block(FILE *data, size_t index, const char *spec)
{
    fprintf(data, "%s# index %zu: ", index ? "\n\n" : "", index);
    for (const char *c = spec; *c; c++)
        fputc((unsigned char)*c < ' ' ? '?' : *c, data);
    fputc('\n', data);
}

static const char *
curves_note(const rh_plot *plot, char *text, size_t capacity)
{
    size_t all = plot->workload->subject_count;
    if (all > plot->chosen_count)
        snprintf(text, capacity, " (%zu of %zu allocators)", plot->chosen_count, all);
    else
        text[0] = '\0';
    return text;
}

/* All in pixels. */
enum { WIDTH = 1100, HEIGHT = 600, TITLE = 62 };

/* Where the names of curves are, to the right of what is drawn. */
static double
key_width(const series_set *set, size_t most_letters)
{
    size_t longest = 8;
    for (size_t i = 0; i < set->count; i++) {
        size_t length = strlen(set->one[i].subject->spec);
        longest = length > longest ? length : longest;
    }
    return 60 + 8.0 * (double)(longest < most_letters ? longest : most_letters);
}

/* Title and marks of a figure with one plot; the marks' names stand between the two. */
static void
write_head(const rh_plot *plot, const rh_figure *figure, const series_set *set, const char *what)
{
    enum { AXIS = 90, KEY_LETTERS = 60, LINE = 17 };
    char note[64], heading[160];
    snprintf(heading, sizeof heading, "%s%s", what, curves_note(plot, note, sizeof note));
    rh_figure_title(figure, heading, plot->workload->title);
    unsigned room = rh_plot_marks_room(plot->workload, set->last_event);
    if (room == 0)
        return;
    double width = WIDTH - AXIS - key_width(set, KEY_LETTERS);
    fprintf(figure->script, "set title offset 0,%.1f\nset tmargin at screen %.4f\n",
            (double)room / LINE, 1 - (double)(TITLE + room) / (HEIGHT + room));
    rh_plot_marks(figure->script, plot->workload, set->last_event, width, true);
}

static double
largest_mapped(const series_set *set)
{
    double largest = 0;
    for (size_t i = 0; i < set->count; i++) {
        for (size_t j = 0; j < set->one[i].count; j++)
            largest = fmax(largest, fmax(mapped(&set->one[i].samples[j]),
                                         known(set->one[i].samples[j].requested_bytes)));
    }
    return largest;
}

static void
write_memory_data(FILE *data, const series_set *set)
{
    fprintf(data, "# event\trequested_bytes\tmapped_bytes\tresident_bytes\n");
    for (size_t i = 0; i < set->count; i++) {
        begin_block(data, i, set->one[i].subject->spec);
        for (size_t j = 0; j < set->one[i].count; j++) {
            const rh_sample *sample = &set->one[i].samples[j];
            fprintf(data, "%.0f\t", (double)sample->event);
            rh_figure_number(data, known(sample->requested_bytes));
            fputc('\t', data);
            rh_figure_number(data, mapped(sample));
            fputc('\t', data);
            rh_figure_number(data, known(sample->resident_bytes));
            fputc('\n', data);
        }
    }
}

rh_status
rh_plot_memory(const rh_plot *plot, rh_figures *figures, rh_error *error)
{
    series_set set;
    rh_status status = load(plot, &set, error);
    if (status != RH_OK || largest_mapped(&set) <= 0) {
        release(&set);
        return status;
    }
    rh_figure *figure = rh_figure_begin(figures, "memory", WIDTH,
                                        HEIGHT + rh_plot_marks_room(plot->workload, set.last_event),
                                        "Memory that each allocator holds while the recording is "
                                        "replayed, above what the program has asked for");
    FILE *script = figure->script;
    rh_scale scale = rh_scale_bytes(largest_mapped(&set));
    rh_figure_event_axis(script, set.last_event);
    write_head(plot, figure, &set, "Memory held over time");
    fprintf(script, "bytes = %.0f\nset ylabel 'memory (%s)'\nset yrange [0:*]\n\n", scale.divisor,
            scale.unit);
    fprintf(script, "plot ");
    for (size_t i = 0; i < set.count; i++) {
        fprintf(script,
                "'%s.tsv' index %zu using ($1/events):($3/bytes) with linespoints lt %zu pn 10 "
                "title ",
                figure->name, i, i + 1);
        rh_figure_quoted(script, set.one[i].subject->spec, 0);
        fprintf(script, ", \\\n     ");
    }
    fprintf(script,
            "'%s.tsv' index 0 using ($1/events):($2/bytes) with lines lc rgb 'black' dt 1 lw 2.2 "
            "title 'asked for by the program'\n",
            figure->name);
    write_memory_data(figure->data, &set);
    rh_figure_end(figure);
    release(&set);
    return RH_OK;
}

/* The ends of the axis, of 1 + fragmentation; false when there is none to show: the start and the
 * end of a run, when next to nothing is live, would flatten everything else, so the outermost
 * values leave it. */
static bool
fragmentation_ends(const series_set *set, double *bottom, double *top)
{
    bool any = false;
    *bottom = 1;
    *top = 1.05;
    for (size_t i = 0; i < set->count; i++) {
        double *values = calloc(set->one[i].count, sizeof *values);
        if (!values)
            abort();
        for (size_t j = 0; j < set->one[i].count; j++)
            values[j] = fragmentation(&set->one[i].samples[j]);
        double low = 1 + rh_quantile(values, set->one[i].count, 0.03);
        double high = 1 + rh_quantile(values, set->one[i].count, 0.95);
        if (isfinite(high) && isfinite(low)) {
            *bottom = fmax(0.1, fmin(*bottom, low));
            *top = fmax(*top, high);
            any = true;
        }
        free(values);
    }
    double margin = pow(*top / *bottom, 0.05);
    *bottom /= margin;
    *top *= margin;
    return any;
}

static void
write_fragmentation_data(FILE *data, const series_set *set)
{
    fprintf(data, "# event\tfragmentation\n");
    for (size_t i = 0; i < set->count; i++) {
        begin_block(data, i, set->one[i].subject->spec);
        for (size_t j = 0; j < set->one[i].count; j++) {
            fprintf(data, "%.0f\t", (double)set->one[i].samples[j].event);
            rh_figure_number(data, fragmentation(&set->one[i].samples[j]));
            fputc('\n', data);
        }
    }
}

rh_status
rh_plot_fragmentation(const rh_plot *plot, rh_figures *figures, rh_error *error)
{
    series_set set;
    rh_status status = load(plot, &set, error);
    double bottom, top;
    if (status != RH_OK || !fragmentation_ends(&set, &bottom, &top)) {
        release(&set);
        return status;
    }
    rh_figure *figure =
        rh_figure_begin(figures, "fragmentation", WIDTH,
                        HEIGHT + rh_plot_marks_room(plot->workload, set.last_event),
                        "Fragmentation over time: memory held beyond what the program has asked "
                        "for, as a part of it (start and end, where little is live, leave the "
                        "axis)");
    FILE *script = figure->script;
    rh_figure_event_axis(script, set.last_event);
    write_head(plot, figure, &set, "Fragmentation over time: held ÷ asked for − 1");
    fprintf(script, "set ylabel 'fragmentation'\n");
    rh_figure_excess_axis(script, bottom, top, 480);
    fprintf(script, "\n");
    for (size_t i = 0; i < set.count; i++) {
        fprintf(script,
                "%s'%s.tsv' index %zu using ($1/events):(1+$2) with linespoints lt %zu pn 10 "
                "title ",
                i ? ", \\\n     " : "plot ", figure->name, i, i + 1);
        rh_figure_quoted(script, set.one[i].subject->spec, 0);
    }
    fputc('\n', script);
    write_fragmentation_data(figure->data, &set);
    rh_figure_end(figure);
    release(&set);
    return RH_OK;
}

/* Arenas: small panels above each other, one meaning each, the same clock below. */
typedef struct panel {
    size_t offset; /* of the counter */
    const char *heading;
} panel;

static const panel panels[] = {
    {offsetof(rh_counters, arenas_current), "held now"},
    {offsetof(rh_counters, arenas_allocated), "born, ever"},
    {offsetof(rh_counters, arenas_released), "released, ever"},
    {offsetof(rh_counters, arenas_reused), "used again, ever"},
};
enum { PANELS = sizeof panels / sizeof panels[0] };

static double
counter_at(const rh_sample *sample, size_t offset)
{
    uint64_t value;
    memcpy(&value, (const char *)&sample->counters + offset, sizeof value);
    return known(value);
}

static bool
any_counts(const series *one, size_t offset)
{
    bool any = false;
    for (size_t j = 0; j < one->count && !any; j++)
        any = isfinite(counter_at(&one->samples[j], offset));
    return any;
}

/* Keeps those that count arenas at all. */
static void
keep_arena_users(series_set *set)
{
    size_t kept = 0;
    for (size_t i = 0; i < set->count; i++) {
        if (any_counts(&set->one[i], panels[0].offset))
            set->one[kept++] = set->one[i];
        else
            free(set->one[i].samples);
    }
    set->count = kept;
}

/* The panels for which anybody has numbers. */
static size_t
panels_with_numbers(const series_set *set, size_t *which)
{
    size_t count = 0;
    for (size_t p = 0; p < PANELS; p++) {
        bool any = false;
        for (size_t i = 0; i < set->count && !any; i++)
            any = any_counts(&set->one[i], panels[p].offset);
        if (any)
            which[count++] = p;
    }
    return count;
}

static void
write_arenas_data(FILE *data, const series_set *set)
{
    fprintf(data, "# event\tarenas_current\tarenas_allocated\tarenas_released\tarenas_reused\n");
    for (size_t i = 0; i < set->count; i++) {
        begin_block(data, i, set->one[i].subject->spec);
        for (size_t j = 0; j < set->one[i].count; j++) {
            const rh_sample *sample = &set->one[i].samples[j];
            fprintf(data, "%.0f", (double)sample->event);
            for (size_t p = 0; p < PANELS; p++) {
                fputc('\t', data);
                rh_figure_number(data, counter_at(sample, panels[p].offset));
            }
            fputc('\n', data);
        }
    }
}

enum { LEGEND_CHARACTERS = 34 };

/* Where the panels end and their legend begins, as a part of the width. */
static double
legend_left(const series_set *set)
{
    return 0.97 - key_width(set, LEGEND_CHARACTERS) / WIDTH;
}

/* All in pixels. */
enum { PANEL_TOP = 78, PANEL_STEP = 190, PANEL_HEIGHT = 166, PANELS_BELOW = 60 };

#define PANELS_LEFT 0.09

/* Panel `p` in the place `row`, which is the last or not; `room` for the marks' names lies above
 * the first. */
static void
write_arena_panel(const rh_plot *plot, FILE *script, const char *name, const series_set *set,
                  size_t p, size_t row, size_t rows)
{
    double room = rh_plot_marks_room(plot->workload, set->last_event);
    double height = room + PANEL_TOP + PANEL_STEP * (double)rows + PANELS_BELOW - 24;
    double top = 1 - (room + PANEL_TOP + PANEL_STEP * (double)row) / height;
    fprintf(script, "\nset tmargin at screen %.4f\nset bmargin at screen %.4f\nset ylabel '%s'\n",
            top, top - PANEL_HEIGHT / height, panels[p].heading);
    if (row == 0)
        fprintf(script, "set key at screen 0.985,%.4f right top\nset format x ''\n", top);
    else
        fprintf(script, "unset key\n");
    if (row + 1 == rows) {
        fprintf(script, "set format x '%%g'\n");
        rh_figure_event_axis(script, set->last_event);
    }
    fprintf(script, "unset label\nunset arrow\n");
    rh_plot_marks(script, plot->workload, set->last_event, (legend_left(set) - PANELS_LEFT) * WIDTH,
                  row == 0);
    for (size_t i = 0; i < set->count; i++) {
        fprintf(script,
                "%s'%s.tsv' index %zu using ($1/events):%zu with linespoints lt %zu pn 8 title ",
                i ? ", \\\n     " : "plot ", name, i, p + 2, i + 1);
        rh_figure_quoted(script, set->one[i].subject->spec, LEGEND_CHARACTERS);
    }
    fputc('\n', script);
}

rh_status
rh_plot_arenas(const rh_plot *plot, rh_figures *figures, rh_error *error)
{
    series_set set;
    rh_status status = load(plot, &set, error);
    if (status == RH_OK)
        keep_arena_users(&set);
    if (status != RH_OK || set.count == 0)
        return status;
    size_t which[PANELS], rows = panels_with_numbers(&set, which);
    rh_figure *figure =
        rh_figure_begin(figures, "arenas", WIDTH,
                        rh_plot_marks_room(plot->workload, set.last_event) + PANEL_TOP +
                            PANEL_STEP * (unsigned)rows + PANELS_BELOW - 24,
                        "Arenas over time: how many are held, and how many were ever born, given "
                        "back, and used again after having been empty");
    FILE *script = figure->script;
    fprintf(script, "set multiplot title ");
    rh_figure_quoted(script, "Arenas over time", 0);
    fprintf(script, ".\"\\n\".");
    rh_figure_quoted(script, plot->workload->title, RH_TITLE_CHARACTERS);
    fputc('\n', script);
    fprintf(script, "set lmargin at screen %.2f\nset rmargin at screen %.3f\nset yrange [0:5<*]\n",
            PANELS_LEFT, legend_left(&set));
    rh_figure_event_axis(script, set.last_event);
    fprintf(script, "unset xlabel\n");
    for (size_t row = 0; row < rows; row++)
        write_arena_panel(plot, script, figure->name, &set, which[row], row, rows);
    fprintf(script, "unset multiplot\n");
    write_arenas_data(figure->data, &set);
    rh_figure_end(figure);
    release(&set);
    return RH_OK;
}
