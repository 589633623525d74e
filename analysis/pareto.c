#include "analysis/pareto.h"

#include <math.h>
#include <stdlib.h>

rh_ratio
rh_point_time(const rh_point *a, const rh_point *b)
{
    size_t pairs = a->ns_count < b->ns_count ? a->ns_count : b->ns_count;
    rh_ratio ratio = rh_ratio_paired(a->ns, b->ns, pairs);
    if (ratio.verdict == RH_VERDICT_UNKNOWN)
        ratio = rh_ratio_exact(rh_median(a->ns, a->ns_count), rh_median(b->ns, b->ns_count));
    return ratio;
}

static bool
known(const rh_point *point)
{
    return isfinite(point->memory) && isfinite(rh_median(point->ns, point->ns_count));
}

bool
rh_point_dominates(const rh_point *a, const rh_point *b)
{
    if (!known(a) || !known(b) || a->memory > b->memory)
        return false;
    rh_verdict time = rh_point_time(a, b).verdict;
    if (time == RH_VERDICT_MORE || time == RH_VERDICT_UNKNOWN)
        return false;
    return a->memory < b->memory || time == RH_VERDICT_LESS;
}

typedef struct ranked {
    double memory, ns;
    size_t place;
} ranked;

/* Less memory first, then less time, then the place. */
static int
compare_ranked(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    if (x->memory != y->memory)
        return x->memory < y->memory ? -1 : 1;
    if (x->ns != y->ns)
        return x->ns < y->ns ? -1 : 1;
    return (x->place > y->place) - (x->place < y->place);
}

void
rh_pareto_front(const rh_point *points, size_t count, bool *front)
{
    ranked *order = calloc(count + 1, sizeof *order);
    size_t *members = calloc(count + 1, sizeof *members), member_count = 0, known_count = 0;
    if (!order || !members)
        abort();
    for (size_t i = 0; i < count; i++) {
        front[i] = false;
        if (known(&points[i]))
            order[known_count++] =
                (ranked){points[i].memory, rh_median(points[i].ns, points[i].ns_count), i};
    }
    qsort(order, known_count, sizeof *order, compare_ranked);
    for (size_t i = 0; i < known_count; i++) {
        size_t place = order[i].place;
        bool beaten = false;
        for (size_t j = 0; j < member_count && !beaten; j++)
            beaten = rh_point_dominates(&points[members[j]], &points[place]);
        if (!beaten)
            members[member_count++] = place;
        front[place] = !beaten;
    }
    free(order);
    free(members);
}
