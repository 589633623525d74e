/* Whose address is this? The one module that answers it for arenas.
 *
 * Addresses of 48 bits are cut into leaves of 64 GiB, and a leaf into slots of the size of an
 * arena. An arena that begins at a multiple of its size fills one slot; any other covers the end of
 * the slot in which it begins and the start of the next one. So two lengths a slot tell everything:
 *
 *        slot k                   slot k+1
 *   |..........[ arena A: begin ]|[ end of A ]....[ arena B ...
 *               <---- high ---->  <-- low -->
 *
 * An address at offset x of its slot lies in an arena when x < low (then it is low_arena) or
 * x + high >= the slot's size (then it is high_arena): two dependent loads and no search.
 *
 * A leaf is reserved as pages that only read as zero; those that get an arena are made writable,
 * and only these count as memory held. Leaves stay until the map is released.
 */
#ifndef REHEAP_ALLOC_ADDRESS_MAP_H
#define REHEAP_ALLOC_ADDRESS_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "alloc/number_set.h"

#define RH_MAP_ADDRESS_BITS 48
#define RH_MAP_LEAF_BITS    36
#define RH_MAP_LEAVES       ((size_t)1 << (RH_MAP_ADDRESS_BITS - RH_MAP_LEAF_BITS))

typedef struct rh_map_slot {
    uint32_t low, high; /* bytes covered at the slot's start and end */
    uint32_t low_arena, high_arena;
} rh_map_slot;

typedef struct rh_address_map {
    rh_map_slot *leaf[RH_MAP_LEAVES]; /* never NULL: `nothing` where no arena was */
    rh_map_slot *nothing;
    unsigned shift; /* logarithm of the arena's size */
    size_t leaf_bytes;
    rh_number_set writable; /* pages of leaves that hold an arena's slot: leaf, then page */
} rh_address_map;

/* False when there is no memory. `shift`: 12 to 30. */
bool rh_address_map_init(rh_address_map *map, unsigned shift);
void rh_address_map_release(rh_address_map *map);

/* Enters the arena at `base`, of the map's size; false when there is no memory, when it overlaps
 * another or exceeds the addresses that the map knows. */
bool rh_address_map_enter(rh_address_map *map, uintptr_t base, uint32_t arena);
void rh_address_map_remove(rh_address_map *map, uintptr_t base);

/* Writable bytes held. */
uint64_t rh_address_map_bytes(const rh_address_map *map);

/* `shift` is the map's own: a constant where the caller knows it. */
static inline const rh_map_slot *
rh_address_map_slot(const rh_address_map *map, uintptr_t address, unsigned shift)
{
    const rh_map_slot *leaf = map->leaf[(address >> RH_MAP_LEAF_BITS) & (RH_MAP_LEAVES - 1)];
    return &leaf[(address & (((uintptr_t)1 << RH_MAP_LEAF_BITS) - 1)) >> shift];
}

static inline bool
rh_address_map_has(const rh_address_map *map, uintptr_t address, unsigned shift)
{
    const rh_map_slot *slot = rh_address_map_slot(map, address, shift);
    uint32_t size = (uint32_t)1 << shift;
    uint32_t offset = (uint32_t)address & (size - 1);
    return offset + slot->high >= size || offset < slot->low;
}

/* As has, and tells which arena. */
static inline bool
rh_address_map_find(const rh_address_map *map, uintptr_t address, unsigned shift, uint32_t *arena)
{
    const rh_map_slot *slot = rh_address_map_slot(map, address, shift);
    uint32_t size = (uint32_t)1 << shift;
    uint32_t offset = (uint32_t)address & (size - 1);
    bool high = offset + slot->high >= size;
    *arena = high ? slot->high_arena : slot->low_arena;
    return high || offset < slot->low;
}

#endif
