#include "analysis/pareto.h"

#include <math.h>

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

/* Whether `a` comes before `b`: less memory, then less time, then its place. */
static bool
before(const rh_point *a, const rh_point *b)
{
    if (a->memory != b->memory)
        return a->memory < b->memory;
    double mine = rh_median(a->ns, a->ns_count), other = rh_median(b->ns, b->ns_count);
    return mine != other ? mine < other : a < b;
}

/* The known point that comes first after `last` (NULL: first of all); NULL when there is none. */
static const rh_point *
next_point(const rh_point *points, size_t count, const rh_point *last)
{
    const rh_point *next = NULL;
    for (size_t i = 0; i < count; i++) {
        const rh_point *point = &points[i];
        if (known(point) && (!last || before(last, point)) && (!next || before(point, next)))
            next = point;
    }
    return next;
}

void
rh_pareto_front(const rh_point *points, size_t count, bool *front)
{
    for (size_t i = 0; i < count; i++)
        front[i] = false;
    for (const rh_point *point = next_point(points, count, NULL); point;
         point = next_point(points, count, point)) {
        bool beaten = false;
        for (size_t j = 0; j < count && !beaten; j++)
            beaten = front[j] && rh_point_dominates(&points[j], point);
        front[point - points] = !beaten;
    }
}
