/* What `reheap arenas` prints. */
#ifndef REHEAP_REPLAY_CMD_ARENAS_SHOW_H
#define REHEAP_REPLAY_CMD_ARENAS_SHOW_H

#include <stdbool.h>

#include "replay/results.h"
#include "replay/results_arenas.h"

typedef struct rh_arenas_view {
    const char *const *at; /* names of the points whose tables are shown */
    size_t at_count;
    unsigned under_percent;
    bool by[RH_PIN_BYS]; /* the tables that are shown */
    unsigned rows;       /* of a table, at most */
    bool lives;          /* every arena, too */
} rh_arenas_view;

/* Of every memory run: its arenas at the points, and what keeps those that are nearly empty. */
rh_status rh_arenas_show_tables(rh_results *results, const rh_arenas_view *view, rh_error *error);

/* One object of schema reheap.arenas/1. `lives`: with every arena. */
rh_status rh_arenas_show_json(rh_results *results, bool lives, rh_error *error);

#endif
