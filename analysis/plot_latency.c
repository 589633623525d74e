/* Tails of latency: for every duration the share of calls that take at least that long, on
 * logarithmic axes, so that one call in a million is as visible as one in ten. Durations near the
 * probe's own cost say nothing and are shaded; the control, an allocator that does next to nothing,
 * is what the machine and the probe do to any. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/plot.h"

typedef struct tails {
    const rh_subject *subject;
    rh_bucket *buckets;
    size_t count;
    double calls;
} tails;

/* Appends a subject's to the set, if it has any. */
static rh_status
load_one(const rh_plot *plot, const rh_subject *subject, const char *operation, bool response,
         tails *set, size_t *count, rh_error *error)
{
    tails next = {.subject = subject};
    rh_status status = rh_subject_buckets(plot->summary, subject, operation, response,
                                          &next.buckets, &next.count, error);
    if (status != RH_OK)
        return status;
    for (size_t j = 0; j < next.count; j++)
        next.calls += (double)next.buckets[j].count;
    if (next.count > 0)
        set[(*count)++] = next;
    return RH_OK;
}

/* Of those chosen, and last of the control, where there is one. */
static rh_status
load(const rh_plot *plot, const char *operation, bool response, tails *set, size_t *count,
     rh_error *error)
{
    rh_status status = RH_OK;
    *count = 0;
    for (size_t i = 0; i < plot->chosen_count && status == RH_OK; i++)
        status = load_one(plot, plot->chosen[i], operation, response, set, count, error);
    const rh_subject *control = &plot->workload->control;
    if (status == RH_OK && *count > 0 && control->run_count > 0)
        status = load_one(plot, control, operation, response, set, count, error);
    return status;
}

static bool
is_control(const rh_plot *plot, const tails *of)
{
    return of->subject == &plot->workload->control;
}

/* Logarithmic axes know no zero: what is under a nanosecond stands at one. */
static void
write_data(FILE *data, const tails *set, size_t count)
{
    fprintf(data, "# ns\tshare_at_least\n");
    for (size_t i = 0; i < count; i++) {
        fprintf(data, "%s# index %zu: ", i ? "\n\n" : "", i);
        rh_figure_quoted(data, set[i].subject->spec, 0);
        fputc('\n', data);
        double left = set[i].calls;
        for (size_t j = 0; j < set[i].count; j++) {
            const rh_bucket *bucket = &set[i].buckets[j];
            fprintf(data, "%.0f\t%.6g\n", fmax(1, (double)bucket->lower_ns), left / set[i].calls);
            left -= (double)bucket->count;
            if (j + 1 == set[i].count)
                fprintf(data, "%.0f\t%.6g\n", fmax(1, (double)bucket->upper_ns),
                        (double)bucket->count / set[i].calls);
        }
    }
}

/* Twice the largest cost of the probe among the runs: nothing below can be read. 0: not known. */
static double
blind_below_ns(const rh_plot *plot)
{
    double blind = 0;
    for (size_t i = 0; i < plot->chosen_count; i++) {
        double cost = rh_subject_median(plot->chosen[i], "probe_ns");
        blind = isfinite(cost) ? fmax(blind, 2 * cost) : blind;
    }
    return blind;
}

static void
write_axes(const rh_plot *plot, FILE *script, bool response, const tails *set, size_t count)
{
    double least = INFINITY, longest = 10, rarest = 1;
    for (size_t i = 0; i < count; i++) {
        least = fmin(least, fmax(1, (double)set[i].buckets[0].lower_ns));
        longest = fmax(longest, (double)set[i].buckets[set[i].count - 1].upper_ns);
        rarest = fmin(rarest, 1 / set[i].calls);
    }
    double blind = blind_below_ns(plot);
    double left = pow(10, floor(log10(fmin(least, blind > 1 ? blind / 2 : least))));
    double right = pow(10, ceil(log10(longest)));
    fprintf(script,
            "set logscale xy\nset xrange [%.6g:%.6g]\nset yrange [%.3g:1.4]\nset mxtics 10\n"
            "set xtics ('1 ns' 1, '10 ns' 10, '100 ns' 100, '1 µs' 1e3, '10 µs' 1e4, "
            "'100 µs' 1e5, '1 ms' 1e6, '10 ms' 1e7, '100 ms' 1e8, '1 s' 1e9)\n"
            "set ytics ('all' 1, '1 in 10' 0.1, '1 in 100' 1e-2, '1 in 1,000' 1e-3, "
            "'1 in 10,000' 1e-4, '1 in 100,000' 1e-5, '1 in 1,000,000' 1e-6, "
            "'1 in 10 million' 1e-7, '1 in 100 million' 1e-8)\n"
            "set xlabel '%s'\nset ylabel 'calls that take at least as long'\n",
            left * 0.9, right * 1.1, pow(10, floor(log10(rarest))),
            response ? "from when a call was due to its end" : "time of one call");
    if (blind > left)
        fprintf(script,
                "set object 1 rectangle from first %.6g,graph 0 to first %.6g,graph 1 behind "
                "fc rgb '#E8E8E8' fs solid noborder\n"
                "set label 1 'too short to tell: under twice the probe''s own cost' at first "
                "%.6g,graph 0.02 left rotate by 90 offset 1,0 tc rgb '#555555'\n",
                left * 0.9, blind, left * 0.9);
}

static rh_status
one_operation(const rh_plot *plot, const char *operation, bool response, rh_figures *figures,
              rh_error *error)
{
    tails set[RH_PLOT_CURVES + 1];
    size_t count;
    rh_status status = load(plot, operation, response, set, &count, error);
    if (status == RH_OK && count > 0) {
        char name[64], caption[160], heading[64];
        const char *from = response ? " from when it was due" : "";
        snprintf(name, sizeof name, "%s-%s", response ? "response" : "latency", operation);
        snprintf(caption, sizeof caption,
                 "How long %s takes%s: the share of calls that take at least as long as the time "
                 "below, both axes logarithmic",
                 operation, from);
        snprintf(heading, sizeof heading, "How long %s takes%s", operation, from);
        rh_figure *figure = rh_figure_begin(figures, name, 1100, 600, caption);
        rh_figure_title(figure, heading, plot->workload->title);
        write_axes(plot, figure->script, response, set, count);
        for (size_t i = 0; i < count; i++) {
            fprintf(figure->script, "%s'%s.tsv' index %zu using 1:2 with ",
                    i ? ", \\\n     " : "\nplot ", figure->name, i);
            if (is_control(plot, &set[i])) {
                fputs("lines lw 1.5 dt 2 lc rgb '#555555' title 'bump (control)'", figure->script);
                continue;
            }
            fprintf(figure->script, "linespoints lt %zu pn 9 title ", i + 1);
            rh_figure_quoted(figure->script, set[i].subject->spec, 0);
        }
        fputc('\n', figure->script);
        write_data(figure->data, set, count);
        rh_figure_end(figure);
    }
    for (size_t i = 0; i < count; i++)
        free(set[i].buckets);
    return status;
}

rh_status
rh_plot_latency(const rh_plot *plot, rh_figures *figures, rh_error *error)
{
    static const char *const operations[] = {"malloc", "calloc", "realloc", "free"};
    rh_status status = RH_OK;
    for (int response = 0; response < 2; response++)
        for (size_t i = 0; status == RH_OK && i < sizeof operations / sizeof operations[0]; i++)
            status = one_operation(plot, operations[i], response, figures, error);
    return status;
}
