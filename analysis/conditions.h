/* How a recording was replayed, where that is not the ordinary way: what a title has to say beside
 * the recording, so that a figure of an aged heap is not taken for one of a fresh heap. */
#ifndef REHEAP_ANALYSIS_CONDITIONS_H
#define REHEAP_ANALYSIS_CONDITIONS_H

enum { RH_CONDITIONS = 5, RH_CONDITION_BYTES = 48, RH_CONDITIONS_TEXT = 320 };

/* Zeroed: the ordinary way. */
typedef struct rh_conditions {
    char value[RH_CONDITIONS][RH_CONDITION_BYTES];
} rh_conditions;

/* Adds those that `provenance` (JSON of a run, may be NULL or no JSON) tells. A pass that knows
 * nothing of a condition, as memory does of the pace, leaves what another told. */
void rh_conditions_add(rh_conditions *conditions, const char *provenance);

/* As options of replay, "--touch read --age 3,keep=10%,seed=1"; "" in the ordinary way. */
const char *rh_conditions_text(const rh_conditions *conditions, char text[RH_CONDITIONS_TEXT]);

#endif
