#include "alloc/lead_table.h"

#define CAPACITY_LEAST 256 /* entries: a page */

static size_t
home_of(const rh_lead_table *table, uintptr_t address)
{
    uint64_t mixed = (uint64_t)(address >> 4) * UINT64_C(0x9E3779B97F4A7C15);
    return (size_t)(mixed >> 32) & (table->capacity - 1);
}

/* Where the address stands or would stand. */
static size_t
place_of(const rh_lead_table *table, uintptr_t address)
{
    size_t at = home_of(table, address);
    while (table->entries[at].address && table->entries[at].address != address)
        at = (at + 1) & (table->capacity - 1);
    return at;
}

void
rh_lead_table_release(rh_lead_table *table)
{
    rh_side_memory_release(&table->memory);
    *table = (rh_lead_table){.count = 0};
}

void
rh_lead_table_add(rh_lead_table *table, uintptr_t address, size_t bytes)
{
    table->entries[place_of(table, address)] = (rh_lead){address, bytes};
    table->count++;
}

bool
rh_lead_table_reserve(rh_lead_table *table)
{
    if (table->count < table->capacity / 2)
        return true;
    rh_lead_table larger = {.capacity = table->capacity ? table->capacity * 2 : CAPACITY_LEAST};
    if (!rh_side_memory_grow(&larger.memory, larger.capacity * sizeof *larger.entries))
        return false;
    larger.entries = larger.memory.base;
    for (size_t i = 0; i < table->capacity; i++)
        if (table->entries[i].address)
            rh_lead_table_add(&larger, table->entries[i].address, table->entries[i].bytes);
    rh_lead_table_release(table);
    *table = larger;
    return true;
}

size_t
rh_lead_table_find(const rh_lead_table *table, uintptr_t address)
{
    if (table->count == 0)
        return 0;
    return table->entries[place_of(table, address)].bytes;
}

void
rh_lead_table_remove(rh_lead_table *table, uintptr_t address)
{
    size_t mask = table->capacity - 1, gap = place_of(table, address);
    for (size_t at = (gap + 1) & mask; table->entries[at].address; at = (at + 1) & mask) {
        size_t home = home_of(table, table->entries[at].address);
        if (((at - home) & mask) >= ((at - gap) & mask)) { /* the gap is on its way */
            table->entries[gap] = table->entries[at];
            gap = at;
        }
    }
    table->entries[gap] = (rh_lead){0, 0};
    table->count--;
}
