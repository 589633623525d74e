/* From the offset of a block to its range: open addressing, linear probes, at most half full. */
#ifndef REHEAP_ALLOC_RANGE_TABLE_H
#define REHEAP_ALLOC_RANGE_TABLE_H

#include "alloc/range.h"

typedef struct rh_range_table {
    rh_range_number *slot;
    unsigned shift; /* 64 - log2 of the slots */
    uint32_t mask, count;
    rh_side_memory memory;
} rh_range_table;

/* Makes sure that one more can be added without failing. */
bool rh_range_table_reserve(rh_range_table *table, const rh_ranges *ranges);

/* Needs a reserved slot. */
void rh_range_table_add(rh_range_table *table, const rh_ranges *ranges, rh_range_number number);

/* The range that begins at `offset`; 0 when none in the table does. */
rh_range_number rh_range_table_find(const rh_range_table *table, const rh_ranges *ranges,
                                    uint64_t offset);

/* The same, and takes it out. */
rh_range_number rh_range_table_remove(rh_range_table *table, const rh_ranges *ranges,
                                      uint64_t offset);

void rh_range_table_release(rh_range_table *table);

#endif
