/* From the address of a block to a small number: for layers that must know of a block what the heap
 * below cannot tell.
 *
 * Open addressing with linear probes, at most half full; removing closes the gap, so that there are
 * no tombstones and probes stay short however long the table lives. It lies on mappings of its own,
 * whose size depends on how many blocks there were at most, never on where they are: counters that
 * include it are the same in every run. Addresses are numbers to it: nothing is read there.
 */
#ifndef REHEAP_ALLOC_BLOCK_TABLE_H
#define REHEAP_ALLOC_BLOCK_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "alloc/side_memory.h"

typedef struct rh_block_entry {
    uintptr_t block; /* 0: empty */
    uint64_t number;
} rh_block_entry;

/* All zero is an empty table. */
typedef struct rh_block_table {
    rh_block_entry *entry;
    size_t count;
    unsigned bits; /* logarithm of the entries; 0 while there are none */
    rh_side_memory memory;
} rh_block_table;

/* Sets the number of `block`, which is not NULL. False, changing nothing, when there is no memory.
 */
bool rh_block_table_set(rh_block_table *table, const void *block, uint64_t number);

/* False, leaving the number alone, when the block is not in the table. */
bool rh_block_table_get(const rh_block_table *table, const void *block, uint64_t *number);

/* Takes a block out; false when it was not in. */
bool rh_block_table_remove(rh_block_table *table, const void *block);

/* Bytes held. */
size_t rh_block_table_bytes(const rh_block_table *table);

/* Every entry can be found and the count is right. */
bool rh_block_table_check(const rh_block_table *table);

void rh_block_table_release(rh_block_table *table);

#endif
