/* Arena by pool: a heat map of memory and one of speed, each value in its cell, the cell of
 * CPython's own constants outlined. */
#define _GNU_SOURCE
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/grid.h"
#include "analysis/plot.h"
#include "base/size.h"

enum { AXIS_MAX = 64 };

typedef struct size_axis {
    uint64_t size[AXIS_MAX];
    size_t count;
} size_axis;

typedef struct size_grid {
    char *rest; /* the spec without arena and pool */
    size_axis arenas, pools;
    const rh_subject *cell[AXIS_MAX][AXIS_MAX]; /* by column and row; NULL where none was tried */
} size_grid;

static const char *const keys[] = {"arena", "pool"};

static void
add_to_axis(size_axis *axis, uint64_t size)
{
    size_t at = 0;
    while (at < axis->count && axis->size[at] < size)
        at++;
    if (axis->count == AXIS_MAX || (at < axis->count && axis->size[at] == size))
        return;
    memmove(axis->size + at + 1, axis->size + at, (axis->count - at) * sizeof axis->size[0]);
    axis->size[at] = size;
    axis->count++;
}

static size_t
place_on(const size_axis *axis, uint64_t size)
{
    size_t at = 0;
    while (at < axis->count && axis->size[at] != size)
        at++;
    return at;
}

/* Calls `use` for every allocator of the grid: those that have both settings and otherwise equal
 * the first such one. */
static void
each_of_grid(const rh_workload *workload, size_grid *grid,
             void (*use)(size_grid *grid, const rh_subject *subject, uint64_t arena, uint64_t pool))
{
    for (size_t i = 0; i < workload->subject_count; i++) {
        const rh_subject *subject = &workload->subjects[i];
        uint64_t arena, pool;
        if (!rh_spec_size_of(subject->spec, "arena", &arena) ||
            !rh_spec_size_of(subject->spec, "pool", &pool))
            continue;
        char *rest = rh_spec_without(subject->spec, keys, 2);
        if (!grid->rest && !(grid->rest = strdup(rest)))
            abort();
        if (strcmp(grid->rest, rest) == 0)
            use(grid, subject, arena, pool);
        free(rest);
    }
}

static void
note_sizes(size_grid *grid, const rh_subject *subject, uint64_t arena, uint64_t pool)
{
    (void)subject;
    add_to_axis(&grid->arenas, arena);
    add_to_axis(&grid->pools, pool);
}

static void
put_cell(size_grid *grid, const rh_subject *subject, uint64_t arena, uint64_t pool)
{
    size_t column = place_on(&grid->arenas, arena), row = place_on(&grid->pools, pool);
    if (column < grid->arenas.count && row < grid->pools.count)
        grid->cell[column][row] = subject;
}

static bool
find_grid(const rh_workload *workload, size_grid *grid)
{
    each_of_grid(workload, grid, note_sizes);
    if (grid->arenas.count < 2 || grid->pools.count < 2)
        return false;
    each_of_grid(workload, grid, put_cell);
    return true;
}

static double
cell_value(const size_grid *grid, const char *metric, size_t column, size_t row)
{
    const rh_subject *subject = grid->cell[column][row];
    return subject ? rh_subject_median(subject, metric) : NAN;
}

/* Rows of the table: column, row, value, arena, pool. */
static void
write_data(FILE *data, const size_grid *grid, const char *metric)
{
    fprintf(data, "# column\trow\t%s\tarena\tpool\n", metric);
    for (size_t row = 0; row < grid->pools.count; row++) {
        for (size_t column = 0; column < grid->arenas.count; column++) {
            char arena[RH_SIZE_TEXT], pool[RH_SIZE_TEXT];
            fprintf(data, "%zu\t%zu\t", column, row);
            rh_figure_number(data, cell_value(grid, metric, column, row));
            fprintf(data, "\t%s\t%s\n",
                    rh_size_exact(grid->arenas.size[column], arena, sizeof arena),
                    rh_size_exact(grid->pools.size[row], pool, sizeof pool));
        }
    }
}

static void
write_tics(FILE *script, char which, const size_axis *axis)
{
    fprintf(script, "set %ctics (", which);
    for (size_t i = 0; i < axis->count; i++) {
        char size[RH_SIZE_TEXT];
        fprintf(script, "%s'%s' %zu", i ? ", " : "",
                rh_size_exact(axis->size[i], size, sizeof size), i);
    }
    fprintf(script, ") scale 0\n");
}

/* The cell of the recorded CPython's own constants, if the map has it. */
static void
write_outline(FILE *script, const rh_workload *workload, const size_grid *grid)
{
    size_t column = place_on(&grid->arenas, workload->arena_bytes);
    size_t row = place_on(&grid->pools, workload->pool_bytes);
    if (column == grid->arenas.count || row == grid->pools.count)
        return;
    fprintf(script,
            "set object 1 rectangle from first %zu-0.47,%zu-0.47 to first %zu+0.47,%zu+0.47 "
            "front fs empty border lc rgb 'black' lw 3\n"
            "set label 1 'outlined: CPython''s own' at graph 1,1.035 right\n",
            column, row, column, row);
}

typedef struct heat_map {
    const char *name, *caption, *heading, *metric, *unit;
    double scale; /* what a value is multiplied by for showing */
} heat_map;

static void
write_map(const rh_plot *plot, const size_grid *grid, const heat_map *map, rh_figures *figures)
{
    bool any = false;
    for (size_t row = 0; row < grid->pools.count; row++) {
        for (size_t column = 0; column < grid->arenas.count; column++)
            any |= isfinite(cell_value(grid, map->metric, column, row));
    }
    if (!any)
        return;
    rh_figure *figure = rh_figure_begin(figures, map->name, 1000,
                                        260 + 60 * (unsigned)grid->pools.count, map->caption);
    FILE *script = figure->script;
    rh_figure_title(figure, map->heading, plot->workload->title);
    fprintf(script, "set tmargin 5.5\nset title offset 0,0.8\nset xlabel 'arena'\nset ylabel "
                    "'pool'\nunset grid\n"
                    "set border 0\nunset key\n");
    write_tics(script, 'x', &grid->arenas);
    write_tics(script, 'y', &grid->pools);
    fprintf(script, "set xrange [-0.5:%zu-0.5]\nset yrange [-0.5:%zu-0.5]\n", grid->arenas.count,
            grid->pools.count);
    /* One hue from light to middling: dark text reads on all of it, and lightness alone tells. */
    fprintf(script,
            "set palette defined (0 '#F7FBFF', 0.5 '#B5D4E9', 1 '#63A8D3')\n"
            "set cblabel '%s'\n",
            map->unit);
    write_outline(script, plot->workload, grid);
    fprintf(script,
            "\nplot '%s.tsv' using 1:2:($3*%g) with image pixels notitle, \\\n"
            "     '' using 1:2:(valid(3) && $3==$3 ? sprintf('%%.3g',$3*%g) : '') with labels "
            "notitle\n",
            figure->name, map->scale, map->scale);
    write_data(figure->data, grid, map->metric);
    rh_figure_end(figure);
}

rh_status
rh_plot_grid(const rh_plot *plot, rh_figures *figures, rh_error *error)
{
    const heat_map maps[] = {
        {"grid-memory",
         "Mean fragmentation by arena and pool size: the lighter, the less memory is held beyond "
         "what the program asked for",
         "Memory by arena and pool size (lighter is less)", "fragmentation_mean",
         "mean fragmentation (%)", 100},
        {"grid-speed", "Time of one call by arena and pool size: the lighter, the faster",
         "Speed by arena and pool size (lighter is faster)", rh_workload_speed(plot->workload),
         "time of one call (ns)", 1},
    };
    (void)error;
    size_grid *found = calloc(1, sizeof *found);
    if (!found)
        abort();
    if (find_grid(plot->workload, found)) {
        for (size_t i = 0; i < sizeof maps / sizeof maps[0]; i++)
            write_map(plot, found, &maps[i], figures);
    }
    free(found->rest);
    free(found);
    return RH_OK;
}
