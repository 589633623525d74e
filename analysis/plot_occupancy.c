/* Three figures of how full arenas are: each arena over the event clock, how many are how full, and
 * what keeps those that are nearly empty. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/plot.h"
#include "analysis/plot_marks.h"
#include "base/size.h"
#include "replay/results_arenas.h"

/* Allocators that get a panel. */
enum { PANELS_MOST = 3 };

typedef struct arena_series {
    const rh_subject *subject;
    rh_arena_report report;
} arena_series;

typedef struct arena_set {
    arena_series one[PANELS_MOST];
    size_t count;
    double last_event;
} arena_set;

/* Without any there is nothing to draw: no program of large blocks alone needs an arena. */
static bool
held_any(const rh_arena_report *report)
{
    for (size_t i = 0; i < report->looks_count; i++)
        if (report->looks[i].arenas)
            return true;
    return false;
}

static void
load(const rh_plot *plot, arena_set *set)
{
    *set = (arena_set){.count = 0};
    for (size_t i = 0; i < plot->chosen_count && set->count < PANELS_MOST; i++) {
        arena_series next = {.subject = plot->chosen[i]};
        rh_subject_arenas(plot->summary, next.subject, &next.report);
        if (next.report.looks_count == 0 || !held_any(&next.report))
            continue;
        const rh_arena_census *last = &next.report.looks[next.report.looks_count - 1];
        set->last_event = fmax(set->last_event, (double)last->event);
        set->one[set->count++] = next;
    }
}

static const char *
cut_note(const rh_plot *plot, const arena_set *set, char *text, size_t capacity)
{
    text[0] = '\0';
    if (plot->workload->subject_count > set->count)
        snprintf(text, capacity, " (%zu of %zu allocators)", set->count,
                 plot->workload->subject_count);
    return text;
}

/* ---- panels above each other over the same clock ---- */

enum { WIDTH = 1100, PANEL_TOP = 70, PANEL_STEP = 262, PANEL_HEIGHT = 214, PANELS_BELOW = 34 };
#define LEFT 0.09
/* The part of a panel's height that is left free above the data, for its name. */
#define HEADROOM 0.13
#define RIGHT    0.85

static rh_figure *
begin_panels(const rh_plot *plot, const arena_set *set, rh_figures *figures, const char *name,
             const char *caption, const char *heading)
{
    char note[64], title[160];
    unsigned room = rh_plot_marks_room(plot->workload, set->last_event);
    rh_figure *figure = rh_figure_begin(
        figures, name, WIDTH, room + PANEL_TOP + PANEL_STEP * (unsigned)set->count + PANELS_BELOW,
        caption);
    snprintf(title, sizeof title, "%s%s", heading, cut_note(plot, set, note, sizeof note));
    fprintf(figure->script, "set multiplot title ");
    rh_figure_quoted(figure->script, title, 0);
    fprintf(figure->script, ".\"\\n\".");
    rh_figure_quoted(figure->script, plot->workload->title, RH_TITLE_CHARACTERS);
    fprintf(figure->script,
            "\nset lmargin at screen %.2f\nset rmargin at screen %.2f\nset border 3\nset style "
            "textbox opaque fillcolor rgb 'white' border lc rgb '#888888'\n",
            LEFT, RIGHT);
    return figure;
}

/* Sets the place of a panel, its name and its axis of events. */
static void
begin_panel(const rh_plot *plot, FILE *script, const arena_set *set, size_t row)
{
    double room = rh_plot_marks_room(plot->workload, set->last_event);
    double height = room + PANEL_TOP + PANEL_STEP * (double)set->count + PANELS_BELOW;
    double top = 1 - (room + PANEL_TOP + PANEL_STEP * (double)row) / height;
    fprintf(script, "\nset tmargin at screen %.4f\nset bmargin at screen %.4f\n", top,
            top - PANEL_HEIGHT / height);
    rh_figure_event_axis(script, set->last_event);
    if (row + 1 < set->count)
        fprintf(script, "unset xlabel\n");
    fprintf(script, "unset label\nunset arrow\nunset object\nset label 1 ");
    rh_figure_quoted(script, set->one[row].subject->spec, 48);
    fprintf(script, " at graph 0.99,0.94 right front boxed\n");
    rh_plot_marks(script, plot->workload, set->last_event, (RIGHT - LEFT) * WIDTH, row == 0);
}

static void
begin_block(FILE *data, size_t index, const char *spec)
{
    fprintf(data, "%s# index %zu: ", index ? "\n\n" : "", index);
    for (const char *c = spec; *c; c++)
        fputc((unsigned char)*c < ' ' ? '?' : *c, data);
    fputc('\n', data);
}

/* ---- each arena ---- */

enum { COLUMNS = 200, ROWS_MOST = 100 };

/* Places of arenas by time: each cell the mean of the arenas held there then. */
typedef struct heat_grid {
    uint64_t places, each; /* places in all; in a row of cells */
    size_t rows;
    double sum[ROWS_MOST][COLUMNS];
    uint32_t number[ROWS_MOST][COLUMNS];
} heat_grid;

/* The columns that show a look: those from it to the next. */
static void
columns_of(const rh_arena_report *report, size_t look, double last_event, size_t *first,
           size_t *end)
{
    double step = fmax(last_event, 1) / COLUMNS;
    double from = (double)report->looks[look].event;
    double to = look + 1 < report->looks_count ? (double)report->looks[look + 1].event : last_event;
    *first = (size_t)fmin(COLUMNS - 1, from / step);
    *end = (size_t)fmin(COLUMNS, ceil(to / step));
    if (*end <= *first)
        *end = *first + 1;
}

static void
fill_cells(heat_grid *grid, const rh_arena_report *report, const rh_arena_row *row, size_t first,
           size_t end)
{
    if (row->arena >= report->lives_count)
        return;
    const rh_arena_life *life = &report->lives[row->arena];
    if (life->size_bytes == 0 || life->slot >= grid->places)
        return;
    size_t line = life->slot / grid->each;
    for (size_t column = first; column < end && column < COLUMNS; column++) {
        grid->sum[line][column] += (double)row->block_bytes / (double)life->size_bytes;
        grid->number[line][column]++;
    }
}

/* Several looks may fall into one column: the first of them stands. */
static void
fill_grid(heat_grid *grid, const rh_arena_report *report, double last_event)
{
    for (size_t i = 0; i < report->lives_count; i++)
        if (report->lives[i].slot != UINT32_MAX && report->lives[i].slot >= grid->places)
            grid->places = report->lives[i].slot + UINT64_C(1);
    grid->places = grid->places ? grid->places : 1;
    grid->each = (grid->places + ROWS_MOST - 1) / ROWS_MOST;
    grid->each = grid->each ? grid->each : 1;
    grid->rows = (size_t)((grid->places + grid->each - 1) / grid->each);
    size_t row = 0, filled = 0;
    for (size_t look = 0; look < report->looks_count; look++) {
        size_t first, end;
        columns_of(report, look, last_event, &first, &end);
        first = first < filled ? filled : first;
        while (row < report->rows_count && report->rows[row].event < report->looks[look].event)
            row++;
        for (; row < report->rows_count && report->rows[row].event == report->looks[look].event;
             row++)
            fill_cells(grid, report, &report->rows[row], first, end);
        filled = end > filled ? end : filled;
    }
}

static void
write_grid(FILE *data, const heat_grid *grid)
{
    for (size_t line = 0; line < grid->rows; line++) {
        for (size_t column = 0; column < COLUMNS; column++) {
            uint32_t number = grid->number[line][column];
            fprintf(data, "%s", column ? "\t" : "");
            if (number)
                fprintf(data, "%.1f", 100 * grid->sum[line][column] / number);
            else
                fprintf(data, "-1");
        }
        fputc('\n', data);
    }
}

static void
write_heat_panel(const rh_plot *plot, rh_figure *figure, const arena_set *set, size_t row)
{
    FILE *script = figure->script;
    heat_grid *grid = calloc(1, sizeof *grid);
    if (!grid)
        abort();
    fill_grid(grid, &set->one[row].report, set->last_event);
    begin_panel(plot, script, set, row);
    if (row == 1)
        fprintf(script, "unset colorbox\n"); /* the first stands for all */
    if (grid->each > 1)
        fprintf(script, "set ylabel 'place of the arena (%" PRIu64 " a line)'\n", grid->each);
    else
        fprintf(script, "set ylabel 'place of the arena'\n");
    fprintf(script, "set yrange [-0.5:%.2f]\n",
            fmax((double)(grid->rows * grid->each), 1) / (1 - HEADROOM) - 0.5);
    double step = fmax(set->last_event, 1) / COLUMNS;
    fprintf(script,
            "plot '%s.tsv' index %zu matrix using (($1+0.5)*%.9g/events):(($2+0.5)*%" PRIu64
            "-0.5):($3<0?NaN:$3) with image notitle\n",
            figure->name, row, step, grid->each);
    begin_block(figure->data, row, set->one[row].subject->spec);
    write_grid(figure->data, grid);
    free(grid);
}

rh_status
rh_plot_occupancy(const rh_plot *plot, rh_figures *figures, rh_error *error)
{
    (void)error;
    arena_set set;
    load(plot, &set);
    if (set.count == 0)
        return RH_OK;
    rh_figure *figure = begin_panels(
        plot, &set, figures, "occupancy",
        "How full each arena is over time: orange ones are nearly empty and yet held, white is "
        "not held",
        "How full each arena is");
    /* From orange to violet: told apart with any kind of colour vision; no step of it is white,
     * which is where no arena is. */
    fprintf(figure->script,
            "set palette defined (0 '#B35806', 10 '#E08214', 25 '#FDB863', 50 '#DDD6E8', 75 "
            "'#9A8EC0', 100 '#4B2A7B')\n"
            "set cbrange [0:100]\nset cbtics ('0' 0, '10' 10, '25' 25, '50' 50, '75' 75, '100' "
            "100)\nset cblabel 'in use (%%)'\nunset grid\nset colorbox user origin screen "
            "0.875,screen 0.25 size screen 0.018,screen 0.5\n");
    for (size_t i = 0; i < set.count; i++)
        write_heat_panel(plot, figure, &set, i);
    fprintf(figure->script, "unset multiplot\n");
    rh_figure_end(figure);
    return RH_OK;
}

/* ---- how many are how full ---- */

static void
write_bands(FILE *data, const rh_arena_report *report)
{
    for (size_t i = 0; i < report->looks_count; i++) {
        const rh_arena_census *look = &report->looks[i];
        uint64_t held = look->empty_arenas;
        fprintf(data, "%" PRIu64 "\t%" PRIu64, look->event, held);
        fprintf(data, "\t%" PRIu64, held + look->under_10_arenas);
        fprintf(data, "\t%" PRIu64, held + look->under_25_arenas);
        fprintf(data, "\t%" PRIu64, held + look->under_50_arenas);
        fprintf(data, "\t%" PRIu64 "\t", look->arenas);
        rh_figure_number(data,
                         look->packed_arenas > UINT64_MAX / 16 ? NAN : (double)look->packed_arenas);
        fputc('\n', data);
    }
}

/* Bands lie on one another, from the fullest at the back to the empty ones in front. */
static void
write_band_panel(const rh_plot *plot, rh_figure *figure, const arena_set *set, size_t row)
{
    static const struct {
        unsigned column;
        const char *colour, *name;
    } bands[] = {{6, "#7B6BA8", "from 50 %"},
                 {5, "#CFC6DF", "25 to 50 %"},
                 {4, "#FDB863", "10 to 25 %"},
                 {3, "#C8650C", "below 10 %"},
                 {2, "#777777", "no block"}};
    FILE *script = figure->script;
    begin_panel(plot, script, set, row);
    fprintf(script,
            "set ylabel 'arenas held'\nset yrange [0:4<*]\nset offsets 0,0,graph %.2f,0\n%s\n",
            HEADROOM / (1 - HEADROOM),
            row ? "unset key" : "set key at screen 0.852,graph 1 left top Left reverse");
    for (size_t i = 0; i < sizeof bands / sizeof bands[0]; i++)
        fprintf(
            script,
            "%s'%s.tsv' index %zu using ($1/events):%u with filledcurves x1 fs solid noborder lc "
            "rgb '%s' title "
            "'%s'",
            i ? ", \\\n     " : "plot ", figure->name, row, bands[i].column, bands[i].colour,
            bands[i].name);
    fprintf(script,
            ", \\\n     '%s.tsv' index %zu using ($1/events):7 with lines lc rgb 'black' dt 1 lw 2 "
            "title 'if packed'\n",
            figure->name, row);
    begin_block(figure->data, row, set->one[row].subject->spec);
    write_bands(figure->data, &set->one[row].report);
}

rh_status
rh_plot_bands(const rh_plot *plot, rh_figures *figures, rh_error *error)
{
    (void)error;
    arena_set set;
    load(plot, &set);
    if (set.count == 0)
        return RH_OK;
    rh_figure *figure =
        begin_panels(plot, &set, figures, "occupancy-bands",
                     "How many arenas are how full over time, and how many a perfect packing of "
                     "the same blocks would need",
                     "Arenas held, by how much of them is in use");
    fprintf(figure->data, "# event\tno block\tand under 10 %%\tand under 25 %%\tand under 50 "
                          "%%\tall\tpacked\n");
    for (size_t i = 0; i < set.count; i++)
        write_band_panel(plot, figure, &set, i);
    fprintf(figure->script, "unset multiplot\n");
    rh_figure_end(figure);
    return RH_OK;
}

/* ---- what keeps them ---- */

enum { BARS_MOST = 8, PIN_PANELS = 3, UNDER = 25 };

typedef struct pin_view {
    const rh_subject *subject;
    rh_arena_report report;
    uint32_t point;
    const rh_pin_sum *sum;
} pin_view;

static const rh_pin_sum *
find_sum(const rh_arena_report *report, uint32_t point)
{
    for (size_t i = 0; i < report->sums_count; i++)
        if (report->sums[i].point == point && report->sums[i].under_percent == UNDER)
            return &report->sums[i];
    return NULL;
}

/* The first allocator that was looked into, at its worst moment. */
static bool
find_pins(const rh_plot *plot, pin_view *view)
{
    for (size_t i = 0; i < plot->chosen_count; i++) {
        view->subject = plot->chosen[i];
        rh_subject_arenas(plot->summary, view->subject, &view->report);
        for (uint32_t p = 0; p < view->report.points_count; p++) {
            view->point = p;
            view->sum = find_sum(&view->report, p);
            if (strcmp(view->report.points[p].name, "worst") == 0 && view->sum && view->sum->arenas)
                return true;
        }
    }
    return false;
}

static const rh_pin_row *
rows_by(const pin_view *view, rh_pin_by by, size_t *count)
{
    for (size_t i = 0; i < view->report.tables_count; i++) {
        const rh_pin_table *table = &view->report.tables[i];
        if (table->point == view->point && table->under_percent == UNDER && table->by == (int)by)
            return rh_arena_report_pins(&view->report, table, count);
    }
    *count = 0;
    return NULL;
}

static void
write_row_name(FILE *out, const rh_pin_row *row)
{
    char text[RH_PIN_NAME + 32];
    if (row->by == RH_PIN_SIZE)
        snprintf(text, sizeof text, "%" PRIu64 " bytes", row->block_size_bytes);
    else if (row->by == RH_PIN_LIFETIME)
        rh_lifetime_short(row->lifetime, text, sizeof text);
    else
        snprintf(text, sizeof text, "%s", row->birth);
    rh_figure_quoted_tic(out, text, 24);
}

typedef struct pin_panel {
    rh_pin_by by;
    const char *name;
    double left; /* as a part of the width */
} pin_panel;

static const pin_panel pin_panels[PIN_PANELS] = {
    {RH_PIN_SIZE, "by size of block", 0.10},
    {RH_PIN_LIFETIME, "by calls they stay, at most", 0.40},
    {RH_PIN_BIRTH, "by phase they came in", 0.785},
};

/* The most rows of a panel. */
static size_t
most_bars(const pin_view *view)
{
    size_t most = 1, count;
    for (size_t i = 0; i < PIN_PANELS; i++) {
        rows_by(view, pin_panels[i].by, &count);
        most = count > most ? count : most;
    }
    return most < BARS_MOST ? most : BARS_MOST;
}

/* 1, 2 or 5 times a power of ten, so that a narrow panel has three or four tics. */
static double
tic_step(double largest)
{
    double power = pow(10, floor(log10(largest / 4)));
    double least = largest / 4 / power;
    return power * (least <= 1 ? 1 : least <= 2 ? 2 : least <= 5 ? 5 : 10);
}

static void
write_pin_panel(rh_figure *figure, const pin_view *view, size_t number)
{
    const pin_panel *panel = &pin_panels[number];
    const double width = 0.19;
    FILE *script = figure->script;
    size_t count;
    const rh_pin_row *rows = rows_by(view, panel->by, &count);
    count = count > BARS_MOST ? BARS_MOST : count;
    fprintf(script,
            "\nset lmargin at screen %.3f\nset rmargin at screen %.3f\nset label 1 '%s' at graph "
            "0.5,graph 1 center offset 0,0.7\nset ytics (",
            panel->left, panel->left + width, panel->name);
    fprintf(figure->data, "%s# index %zu: %s\n# place\tpinned_bytes\tapart_bytes\tblocks\n",
            number ? "\n\n" : "", number, panel->name);
    for (size_t i = 0; i < count; i++) {
        fprintf(script, "%s", i ? ", " : "");
        write_row_name(script, &rows[i]);
        fprintf(script, " %zu", i);
        fprintf(figure->data, "%zu\t%.0f\t%" PRIu64 "\t%" PRIu64 "\n", i, rows[i].pinned_bytes,
                rows[i].apart_bytes, rows[i].blocks);
    }
    fprintf(script, ") scale 0\n%s", number ? "unset key\n" : "");
    fprintf(script,
            "plot '%s.tsv' index %zu using ($2/bytes):1:(0):($2/bytes):($1-0.38):($1+0.38) with "
            "boxxyerror fs solid noborder lc rgb '#FDB863' title 'keeps (its share)', \\\n"
            "     '' index %zu using ($3/bytes):1:(0):($3/bytes):($1-0.2):($1+0.2) with boxxyerror "
            "fs solid noborder lc rgb '#7B6BA8' title 'released, had it lived apart'\n",
            figure->name, number, number);
}

rh_status
rh_plot_pins(const rh_plot *plot, rh_figures *figures, rh_error *error)
{
    (void)error;
    pin_view view;
    if (!find_pins(plot, &view))
        return RH_OK;
    char arenas[RH_SIZE_TEXT], event[RH_SIZE_TEXT], heading[200];
    uint64_t at = view.report.points[view.point].census.event;
    size_t bars = most_bars(&view);
    double height = 190 + 34 * (double)bars;
    rh_figure *figure = rh_figure_begin(
        figures, "pins", WIDTH, (unsigned)height,
        "What keeps nearly empty arenas alive, when most arenas are held beyond need");
    FILE *script = figure->script;
    rh_scale scale = rh_scale_bytes((double)view.sum->arena_bytes);
    snprintf(heading, sizeof heading,
             "What keeps the %s arenas under %d %% in use: %.60s, event %s",
             rh_count_grouped(view.sum->arenas, arenas, sizeof arenas), UNDER, view.subject->spec,
             rh_count_grouped(at, event, sizeof event));
    fprintf(script, "set multiplot title ");
    rh_figure_quoted(script, heading, 0);
    fprintf(script, ".\"\\n\".");
    rh_figure_quoted(script, plot->workload->title, RH_TITLE_CHARACTERS);
    double largest = fmax((double)view.sum->arena_bytes / scale.divisor, 1e-3);
    fprintf(script,
            "\nbytes = %.1f\nset tmargin at screen %.4f\nset bmargin at screen %.4f\nset xlabel "
            "'arenas (%s)'\nset xrange [0:%.6g]\nset xtics 0,%.6g\nset yrange [%zu-0.5:-0.5]\nset "
            "border 1\nunset grid\nset grid x\n",
            scale.divisor, 1 - 118 / height, 60 / height, scale.unit, largest, tic_step(largest),
            bars);
    fprintf(script, "set key at screen 0.5,screen %.4f center top horizontal\n", 1 - 50 / height);
    for (size_t i = 0; i < PIN_PANELS; i++)
        write_pin_panel(figure, &view, i);
    fprintf(script, "unset multiplot\n");
    rh_figure_end(figure);
    return RH_OK;
}
