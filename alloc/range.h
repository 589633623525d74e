/* A space cut into ranges: the records of a bestfit space, kept apart from the memory they
 * describe.
 *
 * Every byte of the space belongs to exactly one range; each range knows its neighbours in address
 * order, so that coalescing is two looks. A record is named by its number (0: none), because the
 * table of records may move when it grows.
 */
#ifndef REHEAP_ALLOC_RANGE_H
#define REHEAP_ALLOC_RANGE_H

#include <stdbool.h>
#include <stdint.h>

#include "alloc/side_memory.h"

typedef uint32_t rh_range_number; /* 0: none */

typedef enum rh_range_state {
    RH_RANGE_SPARE, /* the record is not in use */
    RH_RANGE_USED,  /* a block */
    RH_RANGE_FREE,  /* memory without a block */
    RH_RANGE_HOLE   /* addresses without memory */
} rh_range_state;

#define RH_RANGE_GRANULE    16u /* offsets and sizes are multiples of it */
#define RH_RANGE_STATE_MASK 3u
#define RH_RANGE_CLEAN      4u /* free memory that nobody has written since it was zero */
#define RH_RANGE_FLAGS      (uint64_t)(RH_RANGE_GRANULE - 1)

typedef struct rh_range {
    uint64_t offset;               /* bytes from the start of the space */
    uint64_t size_and_flags;       /* bytes, with state and cleanness in the low bits */
    rh_range_number before, after; /* neighbours in address order; spare records: after only */
    rh_range_number left, right;   /* in the index of its state */
} rh_range;

typedef struct rh_ranges {
    rh_range *range; /* [0] is no range */
    rh_range_number count, capacity, spare;
    uint32_t spares; /* records on the list `spare` */
    rh_side_memory memory;
} rh_ranges;

static inline uint64_t
rh_range_size(const rh_range *range)
{
    return range->size_and_flags & ~RH_RANGE_FLAGS;
}

static inline rh_range_state
rh_range_get_state(const rh_range *range)
{
    return (rh_range_state)(range->size_and_flags & RH_RANGE_STATE_MASK);
}

static inline bool
rh_range_is_clean(const rh_range *range)
{
    return (range->size_and_flags & RH_RANGE_CLEAN) != 0;
}

static inline void
rh_range_set(rh_range *range, uint64_t size, rh_range_state state, bool clean)
{
    range->size_and_flags = size | (uint64_t)state | (clean ? RH_RANGE_CLEAN : 0);
}

/* Makes sure that `records` more can be taken without failing. */
bool rh_ranges_reserve(rh_ranges *ranges, uint32_t records);

/* Cuts the range at `size` bytes: what follows becomes a new range of the same state, whose number
 * is returned. Needs a reserved record. */
rh_range_number rh_ranges_split(rh_ranges *ranges, rh_range_number first, uint64_t size);

/* Joins a range and its successor into the first, which is clean if both were; the second's record
 * becomes spare. */
void rh_ranges_join(rh_ranges *ranges, rh_range_number first);

/* Takes a record for a range that covers all of a new space. Needs a reserved record. */
rh_range_number rh_ranges_begin(rh_ranges *ranges, uint64_t size, rh_range_state state);

void rh_ranges_release(rh_ranges *ranges);

#endif
