#include "analysis/labels.h"

#include <math.h>

enum { RINGS = 24, DIRECTIONS = 16 };

#define CLEAR     9.0 /* pixels around a point that names keep out of */
#define RING_STEP 8.0
#define PI        3.14159265358979323846

typedef struct box {
    double left, bottom, right, top;
} box;

static bool
overlap(box a, box b)
{
    return a.left < b.right && b.left < a.right && a.bottom < b.top && b.bottom < a.top;
}

static box
text_box(const rh_label *label)
{
    return (box){label->left, label->bottom, label->left + label->width,
                 label->bottom + label->height};
}

/* Whether label `mine` at its present place is inside the area and clear of all points and of the
 * names placed so far. */
static bool
fits(const rh_label *labels, size_t count, size_t mine, double width, double height)
{
    box text = text_box(&labels[mine]);
    if (text.left < 0 || text.bottom < 0 || text.right > width || text.top > height)
        return false;
    for (size_t i = 0; i < count; i++) {
        box point = {labels[i].x - CLEAR + 2, labels[i].y - CLEAR + 2, labels[i].x + CLEAR - 2,
                     labels[i].y + CLEAR - 2};
        box bar = {labels[i].x_low, labels[i].y - 4, labels[i].x_high, labels[i].y + 4};
        if (overlap(text, point) || overlap(text, bar))
            return false;
        if (i < mine && labels[i].width > 0 && overlap(text, text_box(&labels[i])))
            return false;
    }
    return true;
}

/* Moves the text so that its box touches the circle of `radius` around the point in direction
 * `angle`. */
static void
move(rh_label *label, double radius, double angle)
{
    double along = cos(angle), up = sin(angle);
    double pull_x = along > 0.3 ? 0 : along < -0.3 ? -label->width : -label->width / 2;
    double pull_y = up > 0.7 ? 0 : up < -0.7 ? -label->height : -label->height / 2;
    label->left = label->x + radius * along + pull_x;
    label->bottom = label->y + radius * up + pull_y;
}

static void
place(rh_label *labels, size_t count, size_t mine, double width, double height)
{
    rh_label *label = &labels[mine];
    for (int ring = 0; ring < RINGS; ring++) {
        for (int turn = 0; turn < DIRECTIONS; turn++) {
            /* Right, left, then up and down, then between. */
            static const int order[DIRECTIONS] = {0, 8, 4, 12, 2, 6, 10, 14,
                                                  1, 7, 9, 15, 3, 5, 11, 13};
            move(label, CLEAR + ring * RING_STEP, 2 * PI * order[turn] / DIRECTIONS);
            if (fits(labels, count, mine, width, height)) {
                label->far = ring > 1;
                return;
            }
        }
    }
    label->far = false;
    move(label, CLEAR, 0);
}

void
rh_labels_place(rh_label *labels, size_t count, double width, double height)
{
    for (size_t i = 0; i < count; i++) {
        labels[i].far = false;
        if (labels[i].width > 0)
            place(labels, count, i, width, height);
    }
}
