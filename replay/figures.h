/* The figures that a heap has beside its counters (layers, plug-ins), kept by name. */
#ifndef REHEAP_REPLAY_FIGURES_H
#define REHEAP_REPLAY_FIGURES_H

#include <stddef.h>
#include <stdint.h>

#define RH_FIGURES_MAX 96
#define RH_FIGURE_NAME 64

/* Plain data, so that it may lie in shared memory. */
typedef struct rh_figures {
    uint32_t count;
    struct {
        char name[RH_FIGURE_NAME];
        uint64_t value;
    } figure[RH_FIGURES_MAX];
} rh_figures;

/* An rh_figure_taker: `ctx` is an rh_figures. Names become lower-case letters, digits and _; a name
 * that is there already (two layers of a kind) gets _2, _3 and so on behind it. What does not fit
 * is dropped. */
void rh_figures_take(void *ctx, const char *name, uint64_t value);

#endif
