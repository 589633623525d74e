/* The pin pass: a recording is played once more, and at some calls the blocks are noted that lie in
 * nearly empty arenas. How long each of them stays is known at the end, when the groups are
 * counted (pins.h).
 *
 * Memory: 16 bytes for each slot of the recording, and for each point 4 for each slot and 32 for
 * each block noted.
 */
#ifndef REHEAP_REPLAY_PIN_PASS_H
#define REHEAP_REPLAY_PIN_PASS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "replay/age.h"
#include "replay/memory.h"
#include "replay/pins.h"
#include "replay/results_arenas.h"

enum {
    RH_PIN_POINTS = 12,
    RH_PIN_UNDERS = 4,
    RH_PIN_PHASES = (1 << 14) + 1,
    RH_PIN_ROWS = 64, /* of a table */
    RH_PIN_TABLES = RH_PIN_POINTS * RH_PIN_UNDERS * RH_PIN_BYS,
    RH_PIN_ARENAS = 1 << 16 /* listed one by one */
};

/* What is asked for: plain data, in shared memory. */
typedef struct rh_pin_order {
    bool arenas_differ; /* from those of the pass before: which is which cannot be told */
    uint32_t point_count;
    struct {
        char name[RH_PIN_NAME];
        uint64_t event; /* calls before it; any order */
    } points[RH_PIN_POINTS];
    uint32_t under_count;
    unsigned unders[RH_PIN_UNDERS]; /* per cent, 1 to 101 */
    uint32_t birth_count;           /* phases of different names */
    char births[RH_PIN_BIRTHS][RH_PIN_NAME];
    uint32_t phase_count; /* in rising order */
    struct {
        uint64_t calls; /* before it began */
        uint32_t birth;
    } phases[RH_PIN_PHASES];
} rh_pin_order;

typedef struct rh_pin_findings {
    rh_pin_order order;
    uint32_t point_count, sum_count, table_count, pin_count, arena_count;
    rh_pin_point points[RH_PIN_POINTS];
    rh_pin_sum sums[RH_PIN_POINTS * RH_PIN_UNDERS];
    rh_pin_table tables[RH_PIN_TABLES];
    rh_pin_row pins[RH_PIN_TABLES * RH_PIN_ROWS];
    rh_pin_arena arenas[RH_PIN_ARENAS];
} rh_pin_findings;

typedef struct rh_pin_pass rh_pin_pass;

/* Looks on from now on, while the heap is aged and while `memory`, which has its heap, slots and
 * totals, is played; sets its watch. `findings` has its order and is the caller's. */
rh_status rh_pin_pass_begin(rh_memory *memory, uint64_t slots, rh_pin_findings *findings,
                            rh_pin_pass **pass, rh_error *error);
/* Before the first call: these blocks are there, and stay. They are the caller's. */
void rh_pin_pass_aged(rh_pin_pass *pass, const rh_aged_block *blocks, uint64_t count);
/* After the last call: counts. */
rh_status rh_pin_pass_end(rh_pin_pass *pass, rh_error *error);
void rh_pin_pass_close(rh_pin_pass *pass);

#endif
