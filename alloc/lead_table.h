/* A table from addresses to a number: for the few blocks of a layer that do not begin where all
 * others do. Linear probing; an entry taken out leaves no gap, those behind it move up. */
#ifndef REHEAP_ALLOC_LEAD_TABLE_H
#define REHEAP_ALLOC_LEAD_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "alloc/side_memory.h"

typedef struct rh_lead {
    uintptr_t address; /* 0: nothing here */
    size_t bytes;
} rh_lead;

/* All zero is the empty table. */
typedef struct rh_lead_table {
    rh_side_memory memory;
    rh_lead *entries;
    size_t count, capacity; /* capacity: 0 or a power of two */
} rh_lead_table;

void rh_lead_table_release(rh_lead_table *table);

/* Makes room for one more; false when there is no memory. */
bool rh_lead_table_reserve(rh_lead_table *table);
/* Adds an address that is not in the table. Needs a reserved place. */
void rh_lead_table_add(rh_lead_table *table, uintptr_t address, size_t bytes);
/* 0 when the address is not in the table. */
size_t rh_lead_table_find(const rh_lead_table *table, uintptr_t address);
void rh_lead_table_remove(rh_lead_table *table, uintptr_t address);

#endif
