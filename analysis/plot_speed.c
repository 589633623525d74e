/* Speed against memory: every allocator a point, the best towards the lower left. The stepped line
 * joins those that no other beats in both. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/labels.h"
#include "analysis/plot.h"

/* The drawing area is fixed, so that names can be placed in pixels before gnuplot draws. */
enum { WIDTH = 1100, HEIGHT = 640 };
#define AREA_LEFT     0.09
#define AREA_RIGHT    0.97
#define AREA_BOTTOM   0.165
#define AREA_TOP      0.87
#define CHAR_WIDTH    8.6 /* a generous average of the font at its size */
#define TEXT_HEIGHT   18.0
#define NAMED_AT_MOST 10

typedef struct dot {
    const rh_subject *subject;
    double ns, low_ns, high_ns, memory;
    bool front, named;
} dot;

typedef struct area {
    double left, right, bottom, top; /* time in ns; memory as height_of gives it */
} area;

static size_t
characters(const char *text)
{
    size_t count = 0;
    for (; *text; text++)
        count += ((unsigned char)*text & 0xC0) != 0x80;
    return count;
}

/* Where a memory lies on its axis: fragmentation on a logarithmic one of 1 + itself. */
static double
height_of(double memory, const rh_quantity *quantity)
{
    return quantity->kind == RH_QUANTITY_EXCESS ? log(1 + memory) : memory;
}

static size_t
collect(const rh_plot *plot, const rh_quantity *quantity, dot *dots)
{
    size_t count = 0;
    const rh_workload *workload = plot->workload;
    for (size_t i = 0; i < workload->subject_count; i++) {
        const rh_subject *subject = &workload->subjects[i];
        rh_values times = rh_subject_values(subject, rh_workload_speed(workload));
        dot next = {.subject = subject,
                    .ns = rh_median(times.value, times.count),
                    .low_ns = rh_quantile(times.value, times.count, 0),
                    .high_ns = rh_quantile(times.value, times.count, 1),
                    .memory = rh_subject_median(subject, quantity->name),
                    .front = plot->front[i]};
        rh_values_release(&times);
        if (isfinite(next.ns) && isfinite(next.memory))
            dots[count++] = next;
    }
    for (size_t i = 0; i < count; i++)
        dots[i].named = count <= NAMED_AT_MOST || dots[i].front ||
                        strcmp(dots[i].subject->spec, "pymalloc") == 0;
    return count;
}

static area
area_of(const dot *dots, size_t count, const rh_quantity *quantity)
{
    area a = {INFINITY, -INFINITY, INFINITY, -INFINITY};
    for (size_t i = 0; i < count; i++) {
        a.left = fmin(a.left, dots[i].low_ns);
        a.right = fmax(a.right, dots[i].high_ns);
        a.bottom = fmin(a.bottom, height_of(dots[i].memory, quantity));
        a.top = fmax(a.top, height_of(dots[i].memory, quantity));
    }
    double wide = fmax(a.right - a.left, a.right * 0.02), high = a.top - a.bottom;
    high = fmax(high, quantity->kind == RH_QUANTITY_EXCESS ? 0.01 : fmax(a.top * 0.02, 1024));
    a = (area){fmax(0, a.left - wide * 0.08), a.right + wide * 0.14, a.bottom - high * 0.12,
               a.top + high * 0.12};
    return a;
}

static void
write_names(FILE *script, const dot *dots, size_t count, area a, const rh_quantity *quantity)
{
    double width = (AREA_RIGHT - AREA_LEFT) * WIDTH, height = (AREA_TOP - AREA_BOTTOM) * HEIGHT;
    double last_x = 0;
    rh_label *labels = calloc(count, sizeof *labels);
    if (!labels)
        abort();
    for (size_t i = 0; i < count; i++) {
        labels[i].x = (dots[i].ns - a.left) / (a.right - a.left) * width;
        labels[i].y =
            (height_of(dots[i].memory, quantity) - a.bottom) / (a.top - a.bottom) * height;
        labels[i].x_low = (dots[i].low_ns - a.left) / (a.right - a.left) * width;
        labels[i].x_high = (dots[i].high_ns - a.left) / (a.right - a.left) * width;
        /* The stepped line comes to a point of the front from the one before. */
        if (dots[i].front && last_x > labels[i].x_high)
            labels[i].x_high = last_x;
        if (dots[i].front)
            last_x = labels[i].x;
        if (dots[i].named) {
            labels[i].width = (double)characters(dots[i].subject->spec) * CHAR_WIDTH;
            labels[i].height = TEXT_HEIGHT;
        }
    }
    rh_labels_place(labels, count, width, height);
    for (size_t i = 0; i < count; i++) {
        if (!dots[i].named)
            continue;
        double x = (labels[i].left + labels[i].width / 2) / width;
        double y = (labels[i].bottom + labels[i].height / 2) / height;
        fprintf(script, "set label ");
        rh_figure_quoted(script, dots[i].subject->spec, 0);
        fprintf(script, " at graph %.4f,%.4f center\n", x, y);
        if (!labels[i].far)
            continue;
        /* A line from the nearest edge of the name. */
        double from_x = fmin(fmax(labels[i].x, labels[i].left), labels[i].left + labels[i].width);
        double from_y =
            fmin(fmax(labels[i].y, labels[i].bottom), labels[i].bottom + labels[i].height);
        fprintf(script,
                "set arrow from graph %.4f,%.4f to graph %.4f,%.4f nohead lc rgb '#888888' dt 1 "
                "lw 0.8\n",
                from_x / width, from_y / height, labels[i].x / width, labels[i].y / height);
    }
    free(labels);
}

static int
by_memory(const void *a, const void *b)
{
    const dot *x = a, *y = b;
    if (x->memory != y->memory)
        return x->memory < y->memory ? -1 : 1;
    return strcmp(x->subject->spec, y->subject->spec);
}

static void
write_data(FILE *data, const dot *dots, size_t count, const char *speed,
           const rh_quantity *quantity)
{
    fprintf(data, "# index 0: all\n# %s\tlowest\thighest\t%s\ton_front\tspec\n", speed,
            quantity->name);
    for (size_t i = 0; i < count; i++) {
        fprintf(data, "%.6g\t%.6g\t%.6g\t%.6g\t%d\t", dots[i].ns, dots[i].low_ns, dots[i].high_ns,
                dots[i].memory, dots[i].front);
        rh_figure_quoted(data, dots[i].subject->spec, 0);
        fputc('\n', data);
    }
    fprintf(data, "\n\n# index 1: the front\n# %s\t%s\n", speed, quantity->name);
    for (size_t i = 0; i < count; i++) {
        if (dots[i].front)
            fprintf(data, "%.6g\t%.6g\n", dots[i].ns, dots[i].memory);
    }
}

static void
write_script(const rh_plot *plot, const rh_figure *figure, const dot *dots, size_t count,
             const rh_quantity *quantity)
{
    FILE *script = figure->script;
    bool excess = quantity->kind == RH_QUANTITY_EXCESS;
    rh_scale scale = rh_scale_bytes(dots[count - 1].memory);
    area a = area_of(dots, count, quantity);
    rh_figure_title(figure, "Speed against memory (lower left is better)", plot->workload->title);
    fprintf(script,
            "set lmargin at screen %.2f\nset rmargin at screen %.2f\nset bmargin at screen %.2f\n"
            "set tmargin at screen %.2f\n",
            AREA_LEFT, AREA_RIGHT, AREA_BOTTOM, AREA_TOP);
    fprintf(script, "set xrange [%.6g:%.6g]\n", a.left, a.right);
    if (excess) {
        rh_figure_excess_axis(script, exp(a.bottom), exp(a.top), (AREA_TOP - AREA_BOTTOM) * HEIGHT);
        fprintf(script, "height(memory) = 1 + memory\nset ylabel 'mean fragmentation'\n");
    } else {
        fprintf(script,
                "set yrange [%.6g:%.6g]\nheight(memory) = memory / %.0f\n"
                "set ylabel 'memory held at the peak (%s)'\n",
                a.bottom / scale.divisor, a.top / scale.divisor, scale.divisor, scale.unit);
    }
    fprintf(script, "set xlabel 'time of one call (ns, median; bars: lowest to highest run)'\n");
    fprintf(script, "set key at screen 0.53,0.012 center bottom horizontal width 2\n");
    write_names(script, dots, count, a, quantity);
    fprintf(
        script,
        "\nplot '%s.tsv' index 1 using 1:(height($2)) with fsteps lc rgb '#888888' dt (6,4) "
        "lw 1.4 notitle, \\\n"
        "     '' index 0 using 1:(height($4)):2:3 with xerrorbars pt 0 lw 1 dt 1 lc rgb '#888888' "
        "notitle, \\\n"
        "     '' index 0 using 1:($5==1?height($4):NaN) with points pt 7 ps 1.5 lc rgb '#0072B2' "
        "title "
        "'no other is better in both', \\\n"
        "     '' index 0 using 1:($5==0?height($4):NaN) with points pt 6 ps 1.4 lw 1.5 lc rgb "
        "'#D55E00' "
        "title 'another is at least as good in both'\n",
        figure->name);
}

rh_status
rh_plot_speed(const rh_plot *plot, rh_figures *figures, rh_error *error)
{
    (void)error;
    const rh_quantity *quantity = rh_plot_memory_quantity(plot->workload);
    dot *dots = calloc(plot->workload->subject_count + 1, sizeof *dots);
    if (!dots)
        abort();
    size_t count = collect(plot, quantity, dots);
    if (count > 0) {
        qsort(dots, count, sizeof *dots, by_memory);
        rh_figure *figure =
            rh_figure_begin(figures, "speed-memory", WIDTH, HEIGHT,
                            "Speed against memory: each allocator a point; the stepped line joins "
                            "those that no other beats in both");
        write_script(plot, figure, dots, count, quantity);
        write_data(figure->data, dots, count, rh_workload_speed(plot->workload), quantity);
        rh_figure_end(figure);
    }
    free(dots);
    return RH_OK;
}
