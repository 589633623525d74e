/* Drives pymalloc beside its naive twin: the same random operations, arenas from the same hand,
 * which refuses at times. Every address, every arena's coming and going and every counter must be
 * the same, the heap sound, and a walk must meet the blocks that are live. */
#ifndef REHEAP_TESTS_PYMALLOC_DRIVE_H
#define REHEAP_TESTS_PYMALLOC_DRIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "alloc/pymalloc.h"
#include "tests/model/pymalloc_twin.h"

typedef struct model_plan {
    const char *name;
    rh_pymalloc_config config;
    twin_fault fault;             /* of the twin */
    uint64_t fail_every, fail_at; /* arenas that the hand refuses; 0: none */
    uint64_t seed, operations;
    size_t live_max;      /* blocks */
    uint64_t check_every; /* operations from one whole check to the next */
    bool watch;           /* counters after each operation, half of the time */
    bool quiet;           /* a difference is expected: say nothing of it */
} model_plan;

typedef enum model_result { MODEL_AGREES, MODEL_DIFFERS, MODEL_REFUSED } model_result;

/* Runs a plan; tells the first difference on stderr. *asked (may be NULL): the requests for arenas.
 */
model_result model_run(const model_plan *plan, uint64_t *asked);

/* One of three: headers in-band, beside, or beside with nothing behind the addresses. */
void model_place_metadata(rh_pymalloc_config *config, unsigned which);

/* A plan with a geometry, classes and policy drawn by `seed`, without a number of operations; what
 * it draws may not fit together, and is then refused. `text` holds its classes. */
void model_draw(uint64_t seed, model_plan *plan, char *text, size_t capacity);

#endif
