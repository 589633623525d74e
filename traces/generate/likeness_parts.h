/* The inside of a likeness, for the two halves that fit and make. */
#ifndef REHEAP_TRACES_GENERATE_LIKENESS_PARTS_H
#define REHEAP_TRACES_GENERATE_LIKENESS_PARTS_H

#include "traces/generate/life_table.h"
#include "traces/generate/likeness.h"

typedef struct rh_likeness_window {
    uint64_t first_birth, first_anchor; /* they go up to the next window's */
} rh_likeness_window;

/* When a large block is born. */
typedef struct rh_likeness_anchor {
    uint64_t call, birth;
} rh_likeness_anchor;

typedef struct rh_likeness_mark {
    uint64_t call; /* before which it stands */
    char *text;
    uint64_t size;
    uint32_t thread;
} rh_likeness_mark;

struct rh_likeness {
    rh_trace_info info;
    uint64_t window_calls;
    uint64_t slot_calls; /* places are rounded down to slots of a window */
    uint64_t calls;
    rh_life_table lives;
    uint32_t *birth; /* lives, in the order of birth */
    uint64_t births, births_room;
    rh_likeness_window *window;
    uint64_t windows, windows_room;
    rh_likeness_anchor *anchor;
    uint64_t anchors, anchors_room;
    rh_likeness_mark *mark;
    uint64_t marks, marks_room;
};

static inline uint64_t
rh_likeness_births_end(const rh_likeness *likeness, uint64_t window)
{
    return window + 1 < likeness->windows ? likeness->window[window + 1].first_birth
                                          : likeness->births;
}

static inline uint64_t
rh_likeness_anchors_end(const rh_likeness *likeness, uint64_t window)
{
    return window + 1 < likeness->windows ? likeness->window[window + 1].first_anchor
                                          : likeness->anchors;
}

#endif
