/* Which blocks are traced: a table from (domain, address) to size and traceback.
 *
 * Open addressing with linear probing, at most five eighths full. A removal shifts the entries
 * behind it back (Knuth, The Art of Computer Programming, vol. 3, section 6.4, algorithm R), so
 * that churn leaves no tombstones and the table's size follows from how many entries there were at
 * most, whatever their addresses.
 *
 * An entry may be taken out with its room kept: a block that is about to be resized is not in the
 * table while its address may already be somebody else's, and yet is certain to get in again.
 */
#ifndef REHEAP_ALLOC_TRACE_TABLE_H
#define REHEAP_ALLOC_TRACE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "alloc/side_memory.h"

typedef struct rh_trace {
    uintptr_t address;
    uint64_t size_bytes; /* as requested */
    uint32_t domain;
    uint32_t traceback; /* 0 only in the table: a free entry */
} rh_trace;

/* All zero is the empty table. */
typedef struct rh_trace_table {
    rh_side_memory memory;
    rh_trace *entries; /* NULL while nothing was ever put */
    size_t mask;       /* entries - 1; a power of two of them */
    unsigned shift;
    size_t used; /* entries, and rooms kept */
    size_t kept; /* rooms kept */
    size_t full; /* the table grows beyond so many */
} rh_trace_table;

void rh_trace_table_release(rh_trace_table *table);

/* Enters `trace`, or replaces the one of its domain and address, whose size is then in *old_bytes
 * (else 0). False, changing nothing, when there is no memory. */
bool rh_trace_table_put(rh_trace_table *table, const rh_trace *trace, uint64_t *old_bytes);

/* NULL when there is none; moves with the next change. */
const rh_trace *rh_trace_table_find(const rh_trace_table *table, uint32_t domain,
                                    uintptr_t address);

/* Takes a trace out into *trace; false when there is none. With `keep` its room stays reserved for
 * a later put, which calls rh_trace_table_unkeep first and then does not fail. */
bool rh_trace_table_take(rh_trace_table *table, uint32_t domain, uintptr_t address, bool keep,
                         rh_trace *trace);
void rh_trace_table_unkeep(rh_trace_table *table);

/* Writes every trace, in no order, to an array of rh_trace_table_count. */
void rh_trace_table_copy(const rh_trace_table *table, rh_trace *traces);

static inline size_t
rh_trace_table_count(const rh_trace_table *table)
{
    return table->used - table->kept;
}

#endif
