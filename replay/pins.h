/* Pins: the blocks that keep nearly empty arenas alive, and what each group of them costs.
 *
 * At one moment, let S be the arenas that hold a block and are less than so full. A table divides
 * the blocks in S into groups: by size, by lifetime and so on. For a group g
 *
 *     arenas        those of S with a block of g
 *     alone_arenas  those of S with blocks of g only: g alone keeps them
 *     pinned_bytes  sum over arenas with a block of g of arena_bytes / groups in that arena
 *     apart_bytes   bytes of alone_arenas - bytes of the arenas that a perfect packing of the
 * blocks in them needs, and at least 0
 *
 * pinned_bytes is the Shapley value of the game in which an arena is kept by any of its groups: an
 * arena is charged to its groups in equal parts, since each of them would keep it without the
 * others, and the sum over the groups is the size of S. apart_bytes is what would have been given
 * back at that moment had g lived in arenas of its own and everything else where it lives. Of a
 * table, all_apart_bytes = bytes of S - sum over g of the bytes of the arenas that a perfect
 * packing of g in S needs, at least 0: each group in arenas of its own.
 *
 * Groups by "lifetime from" overlap: blocks that stay so long or longer, against all others.
 *
 * Cost: linear in the blocks and arenas, for each table.
 */
#ifndef REHEAP_REPLAY_PINS_H
#define REHEAP_REPLAY_PINS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "replay/results_arenas.h"

/* A block that was in use. */
typedef struct rh_survivor {
    uint64_t born, died;   /* calls; died RH_UNKNOWN: never */
    uint32_t arena;        /* in the list */
    uint16_t size;         /* in the list */
    uint8_t domain, birth; /* birth: in the list of phases */
} rh_survivor;

typedef struct rh_pinned_arena {
    uint32_t number;                                   /* in the list of lives; UINT32_MAX: none */
    uint64_t address, size_bytes, blocks, block_bytes; /* of all its blocks in use */
} rh_pinned_arena;

typedef struct rh_pin_size {
    uint64_t block_bytes, page_bytes, capacity;
} rh_pin_size;

typedef struct rh_pin_view {
    const rh_pinned_arena *arenas;
    size_t arena_count;
    const rh_pin_size *sizes;
    size_t size_count;      /* at most RH_PIN_SIZES */
    rh_survivor *survivors; /* in ascending order of arenas */
    size_t survivor_count;
    const char *const *births; /* names of phases */
    size_t birth_count;        /* at most RH_PIN_BIRTHS */
} rh_pin_view;

enum { RH_PIN_SIZES = 4096, RH_PIN_BIRTHS = 64 };

/* The bucket of a stay. */
int rh_pin_lifetime(const rh_survivor *survivor);

/* S and its perfect packing. False: no memory. */
bool rh_pins_sum(const rh_pin_view *view, unsigned under_percent, rh_pin_sum *sum);

/* Fills at most `capacity` rows and the table's numbers; which point it is, and in rows how full
 * arenas were to be, is left to the caller. False: no memory. */
bool rh_pins_table(const rh_pin_view *view, unsigned under_percent, rh_pin_by by,
                   rh_pin_table *table, rh_pin_row *rows, size_t capacity, size_t *row_count);

/* What keeps one arena, but for the point; `first` is the first of its survivors in the view.
 * False: no memory. */
bool rh_pins_arena(const rh_pin_view *view, const rh_survivor *first, rh_pin_arena *pinned);

#endif
