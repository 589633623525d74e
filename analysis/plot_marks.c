#include "analysis/plot_marks.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/figure.h"

/* In pixels: between two lines, between two names, of a letter, and of the gap below a name. */
enum { LINES_APART = 3, NAMES_APART = 17, LETTER = 8, GAP = 14 };
enum { NAME_LETTERS = 22, COUNT_LETTERS = 7, MANY_LINES = 40 };

static bool
shown(const rh_mark *mark, double last_event)
{
    return (double)mark->event <= last_event;
}

static size_t
letters(const char *text)
{
    size_t count = 0;
    for (const char *c = text; *c; c++)
        count += ((unsigned char)*c & 0xC0) != 0x80;
    return count;
}

unsigned
rh_plot_marks_room(const rh_workload *workload, double last_event)
{
    size_t longest = 0;
    bool any = false;
    for (size_t i = 0; i < workload->mark_count; i++) {
        if (!shown(&workload->marks[i], last_event))
            continue;
        size_t length = letters(workload->marks[i].text);
        length = length < NAME_LETTERS ? length : NAME_LETTERS;
        longest = length > longest ? length : longest;
        any = true;
    }
    size_t counts = workload->mark_count > MANY_LINES / 2 ? COUNT_LETTERS : 0;
    return any ? (unsigned)(GAP + LETTER * (longest + counts)) : 0;
}

const char *
rh_plot_phase_at(const rh_workload *workload, double event)
{
    const char *phase = NULL;
    for (size_t i = 0; i < workload->mark_count; i++) {
        if ((double)workload->marks[i].event <= event)
            phase = workload->marks[i].text;
    }
    return phase;
}

/* The next mark from `i` on that gets a line of its own; the number of marks: none. */
static size_t
next_line(const rh_workload *workload, size_t i, double from, double last_event)
{
    while (i < workload->mark_count &&
           ((double)workload->marks[i].event < from || !shown(&workload->marks[i], last_event)))
        i++;
    return i;
}

static size_t
count_lines(const rh_workload *workload, double last_event, double apart)
{
    size_t count = 0;
    double from = 0;
    for (size_t i = 0; (i = next_line(workload, i, from, last_event)) < workload->mark_count;) {
        from = (double)workload->marks[i].event + LINES_APART * apart;
        count++;
    }
    return count;
}

static void
write_lines(FILE *script, const rh_workload *workload, double last_event, double apart,
            const char *colour)
{
    double from = 0;
    for (size_t i = 0; (i = next_line(workload, i, from, last_event)) < workload->mark_count;) {
        double at = (double)workload->marks[i].event;
        from = at + LINES_APART * apart;
        fprintf(script,
                "set arrow from first %.0f/events,graph 0 to first %.0f/events,graph 1 nohead back "
                "lc rgb '%s' lw 0.8 dt 1\n",
                at, at, colour);
    }
}

static void
write_name(FILE *script, const rh_mark *mark, size_t more)
{
    fprintf(script, "set label ");
    rh_figure_quoted(script, *mark->text ? mark->text : "(unnamed)", NAME_LETTERS);
    if (more)
        fprintf(script, ".' (+%zu)'", more);
    fprintf(script,
            " at first %.0f/events,graph 1 left rotate by 90 offset 0,0.4 tc rgb '#444444'\n",
            (double)mark->event);
}

/* Until the next mark, or the end. */
static double
phase_length(const rh_workload *workload, size_t i, double last_event)
{
    const rh_mark *marks = workload->marks;
    double end = i + 1 < workload->mark_count ? (double)marks[i + 1].event : last_event;
    return fmin(end, last_event) - (double)marks[i].event;
}

typedef struct phase {
    double length;
    size_t mark;
} phase;

static int
longest_first(const void *left, const void *right)
{
    const phase *a = left, *b = right;
    if (a->length != b->length)
        return a->length > b->length ? -1 : 1;
    return (a->mark > b->mark) - (a->mark < b->mark);
}

/* Room goes to the longest phases first: chosen[i] is set for the marks that are named. */
static void
choose_names(const rh_workload *workload, double last_event, double apart, bool *chosen)
{
    size_t count = 0, taken_count = 0;
    phase *order = calloc(workload->mark_count + 1, sizeof *order);
    double *taken = calloc(workload->mark_count + 1, sizeof *taken);
    if (!order || !taken)
        abort();
    for (size_t i = 0; i < workload->mark_count; i++) {
        if (shown(&workload->marks[i], last_event))
            order[count++] = (phase){phase_length(workload, i, last_event), i};
    }
    qsort(order, count, sizeof *order, longest_first);
    for (size_t i = 0; i < count; i++) {
        double at = (double)workload->marks[order[i].mark].event;
        bool room = true;
        for (size_t j = 0; room && j < taken_count; j++)
            room = fabs(taken[j] - at) >= NAMES_APART * apart;
        if (!room)
            continue;
        taken[taken_count++] = at;
        chosen[order[i].mark] = true;
    }
    free(order);
    free(taken);
}

static void
write_names(FILE *script, const rh_workload *workload, double last_event, double apart)
{
    bool *chosen = calloc(workload->mark_count + 1, sizeof *chosen);
    if (!chosen)
        abort();
    choose_names(workload, last_event, apart, chosen);
    for (size_t i = 0, next; i < workload->mark_count; i = next) {
        next = i + 1;
        while (next < workload->mark_count && !chosen[next] &&
               shown(&workload->marks[next], last_event))
            next++;
        if (chosen[i])
            write_name(script, &workload->marks[i], next - i - 1);
    }
    free(chosen);
}

void
rh_plot_marks(FILE *script, const rh_workload *workload, double last_event, double width,
              bool named)
{
    last_event = fmax(last_event, 1);
    double apart = last_event / fmax(width, 1); /* events a pixel */
    size_t lines = count_lines(workload, last_event, apart);
    write_lines(script, workload, last_event, apart, lines > MANY_LINES ? "#CCCCCC" : "#999999");
    if (named)
        write_names(script, workload, last_event, apart);
}
