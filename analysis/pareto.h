/* Which of several allocators are worth having: those that no other beats in both memory and time.
 *
 * Memory is taken as exact, time with its noise: two whose times cannot be told apart are equally
 * fast. "Cannot be told apart" is not transitive (a chain of neighbours each as fast as the next
 * can end twice as fast), so a point is held only against those on the front: it joins when it is
 * surely faster than every one of them that needs less memory. Going along the front towards more
 * memory, every step is then a gain in speed that was really seen, and of equally fast ones the
 * smallest stands there.
 */
#ifndef REHEAP_ANALYSIS_PARETO_H
#define REHEAP_ANALYSIS_PARETO_H

#include <stdbool.h>
#include <stddef.h>

#include "analysis/statistics.h"

typedef struct rh_point {
    double memory;    /* less is better; NAN: unknown, never on the front */
    const double *ns; /* times, one a repetition; pairs with the other points' by place */
    size_t ns_count;
} rh_point;

/* Ratio of the times of `a` over those of `b`. */
rh_ratio rh_point_time(const rh_point *a, const rh_point *b);

/* True when `a` needs no more memory and no more time than `b`, and less of one of them. With too
 * few repetitions for a verdict the medians decide. */
bool rh_point_dominates(const rh_point *a, const rh_point *b);

/* Sets front[i] for every point that no point of the front dominates. */
void rh_pareto_front(const rh_point *points, size_t count, bool *front);

#endif
