/* What CPython's own map of arenas would have cost: its statistics print it, so the text cannot be
 * reproduced without it.
 *
 * Since 3.10 CPython finds an arena by a radix tree of three levels over the address's bits. Nodes
 * are made when an arena first needs them and never given back, so their numbers are a property of
 * the addresses that arenas ever had. This heap has a map of another shape (address_map.h) and only
 * counts those nodes.
 */
#ifndef REHEAP_ALLOC_ARENA_MAP_CENSUS_H
#define REHEAP_ALLOC_ARENA_MAP_CENSUS_H

#include <stdbool.h>
#include <stdint.h>

#include "alloc/arena_books.h"
#include "alloc/number_set.h"

typedef struct rh_arena_map_census {
    unsigned address_bits; /* told apart by the map; 0: the version has no map */
    unsigned arena_shift, middle_bits, bottom_bits, root_bits;
    rh_number_set middle, bottom; /* the nodes that exist, by the address bits above them */
} rh_arena_map_census;

void rh_arena_map_census_init(rh_arena_map_census *census, unsigned address_bits,
                              unsigned arena_shift);
void rh_arena_map_census_release(rh_arena_map_census *census);

/* Counts the nodes for an arena at `base`, and enters the new ones into the books. False when there
 * is no memory; the nodes made up to then stay. */
bool rh_arena_map_census_enter(rh_arena_map_census *census, uintptr_t base, rh_arena_books *books);

uint64_t rh_arena_map_census_root_bytes(const rh_arena_map_census *census);
uint64_t rh_arena_map_census_middle_bytes(const rh_arena_map_census *census);
uint64_t rh_arena_map_census_bottom_bytes(const rh_arena_map_census *census);

#endif
