#include "alloc/range_table.h"

enum { FIRST_SLOTS_BITS = 10 };

static uint32_t
home(const rh_range_table *table, uint64_t offset)
{
    return (uint32_t)(offset / RH_RANGE_GRANULE * 0x9E3779B97F4A7C15u >> table->shift);
}

static void
put(rh_range_table *table, const rh_ranges *ranges, rh_range_number number)
{
    uint32_t at = home(table, ranges->range[number].offset);
    while (table->slot[at])
        at = (at + 1) & table->mask;
    table->slot[at] = number;
}

bool
rh_range_table_reserve(rh_range_table *table, const rh_ranges *ranges)
{
    if (table->slot && table->count < table->mask / 2)
        return true;
    unsigned bits = table->slot ? 64 - table->shift + 1 : FIRST_SLOTS_BITS;
    rh_range_table larger = {.count = table->count};
    if (bits > 31 || !rh_side_memory_grow(&larger.memory, sizeof *larger.slot << bits))
        return false;
    larger.slot = larger.memory.base;
    larger.shift = 64 - bits;
    larger.mask = (UINT32_C(1) << bits) - 1;
    for (uint32_t i = 0; table->slot && i <= table->mask; i++)
        if (table->slot[i])
            put(&larger, ranges, table->slot[i]);
    rh_side_memory_release(&table->memory);
    *table = larger;
    return true;
}

void
rh_range_table_add(rh_range_table *table, const rh_ranges *ranges, rh_range_number number)
{
    put(table, ranges, number);
    table->count++;
}

static uint32_t
find_slot(const rh_range_table *table, const rh_ranges *ranges, uint64_t offset)
{
    uint32_t at = home(table, offset);
    while (table->slot[at] && ranges->range[table->slot[at]].offset != offset)
        at = (at + 1) & table->mask;
    return at;
}

rh_range_number
rh_range_table_find(const rh_range_table *table, const rh_ranges *ranges, uint64_t offset)
{
    return table->slot ? table->slot[find_slot(table, ranges, offset)] : 0;
}

rh_range_number
rh_range_table_remove(rh_range_table *table, const rh_ranges *ranges, uint64_t offset)
{
    if (!table->slot)
        return 0;
    uint32_t gap = find_slot(table, ranges, offset);
    rh_range_number found = table->slot[gap];
    if (!found)
        return 0;
    /* Whoever would no longer be found across the gap moves into it. */
    for (uint32_t at = (gap + 1) & table->mask; table->slot[at]; at = (at + 1) & table->mask) {
        uint32_t wants = home(table, ranges->range[table->slot[at]].offset);
        if (((at - wants) & table->mask) >= ((at - gap) & table->mask)) {
            table->slot[gap] = table->slot[at];
            gap = at;
        }
    }
    table->slot[gap] = 0;
    table->count--;
    return found;
}

void
rh_range_table_release(rh_range_table *table)
{
    rh_side_memory_release(&table->memory);
    *table = (rh_range_table){.count = 0};
}
