/* Places names beside points so that no two names overlap and none covers a point. */
#ifndef REHEAP_ANALYSIS_LABELS_H
#define REHEAP_ANALYSIS_LABELS_H

#include <stdbool.h>
#include <stddef.h>

/* All in pixels, y upwards, inside a drawing area of `width` by `height`. */
typedef struct rh_label {
    double x, y;          /* the point */
    double x_low, x_high; /* its bar, kept clear as well; both x when it has none */
    double width, height; /* of its text; 0: a point without a name, only kept clear */
    double left, bottom;  /* result: the text's lower left corner */
    bool far;             /* result: not next to its point, so that a line should lead there */
} rh_label;

/* Greedy, in the order given: right, left, above, below, the corners, then ever wider circles. A
 * name for which all that fails stays at the right. Deterministic. */
void rh_labels_place(rh_label *labels, size_t count, double width, double height);

#endif
