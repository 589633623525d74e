/* What a comparison shows: tables for people, one JSON object for programs. */
#ifndef REHEAP_ANALYSIS_COMPARE_H
#define REHEAP_ANALYSIS_COMPARE_H

#include <jansson.h>

#include "analysis/summary.h"
#include "base/output.h"

/* The tables of one workload, each NULL when the results have nothing for it. The caller frees
 * them. */
typedef struct rh_comparison {
    rh_table *speed, *latency, *response, *memory, *arenas, *system;
} rh_comparison;

rh_comparison rh_compare_tables(const rh_workload *workload, const rh_subject *baseline);
void rh_comparison_release(rh_comparison *tables);

/* How an allocator in the one file relates to itself in the other. `reference`: the spec of one
 * that did not change in between; NULL: none. */
rh_relation rh_relation_between(const rh_workload *before, const rh_workload *after,
                                const char *spec, const char *reference);

/* One row for every number that an allocator has in both. */
rh_table *rh_compare_two(const rh_workload *before, const rh_workload *after,
                         const char *reference);

/* The same as JSON: {"spec", …, "numbers": {NAME: {"median", "runs", "ratio", "low", "high",
 * "verdict", "more_runs", "varies"}}}; unknown values are null. */
json_t *rh_compare_json(const rh_workload *workload, const rh_subject *baseline);
json_t *rh_compare_two_json(const rh_workload *before, const rh_workload *after,
                            const char *reference);

/* "faster", "slower", "less", "more", "fewer", "same" (any difference is below what counts), "not
 * distinguishable", or "unknown". */
const char *rh_verdict_word(const rh_quantity *quantity, const rh_ratio *ratio);

/* The same for tables, with how many repetitions more would likely decide. Returns `text`. */
char *rh_verdict_text(const rh_quantity *quantity, const rh_ratio *ratio, char *text,
                      size_t capacity);

/* A value with its unit, as the tables show it: "12.3", "1.50 MiB", "12.3 %", "-" when unknown.
 * Returns `text`. */
char *rh_quantity_text(const rh_quantity *quantity, double value, char *text, size_t capacity);

/* A JSON number, or null when the value is not finite. */
json_t *rh_json_number(double value);

#endif
