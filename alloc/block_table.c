#include "alloc/block_table.h"

/* 4 KiB: a page. */
#define FIRST_BITS 8u

static size_t
mask_of(const rh_block_table *table)
{
    return ((size_t)1 << table->bits) - 1;
}

/* Multiplying spreads the low bits, which alignment leaves empty, over the high ones. */
static size_t
home_of(const rh_block_table *table, uintptr_t block)
{
    return (size_t)((block * UINT64_C(0x9E3779B97F4A7C15)) >> (64 - table->bits));
}

/* Where `block` is, or the empty place where it would be. The table has entries. */
static size_t
place_of(const rh_block_table *table, uintptr_t block)
{
    size_t place = home_of(table, block), mask = mask_of(table);
    while (table->entry[place].block && table->entry[place].block != block)
        place = (place + 1) & mask;
    return place;
}

static bool
grow(rh_block_table *table)
{
    rh_block_table larger = {.bits = table->bits ? table->bits + 1 : FIRST_BITS,
                             .count = table->count};
    if (!rh_side_memory_grow(&larger.memory, sizeof *larger.entry << larger.bits))
        return false;
    larger.entry = larger.memory.base;
    for (size_t i = 0; table->bits && i <= mask_of(table); i++)
        if (table->entry[i].block)
            larger.entry[place_of(&larger, table->entry[i].block)] = table->entry[i];
    rh_side_memory_release(&table->memory);
    *table = larger;
    return true;
}

bool
rh_block_table_set(rh_block_table *table, const void *block, uint64_t number)
{
    if ((table->bits == 0 || 2 * (table->count + 1) > mask_of(table) + 1) && !grow(table))
        return false;
    rh_block_entry *entry = &table->entry[place_of(table, (uintptr_t)block)];
    table->count += entry->block == 0;
    *entry = (rh_block_entry){(uintptr_t)block, number};
    return true;
}

bool
rh_block_table_get(const rh_block_table *table, const void *block, uint64_t *number)
{
    if (table->count == 0)
        return false;
    const rh_block_entry *entry = &table->entry[place_of(table, (uintptr_t)block)];
    if (!entry->block)
        return false;
    *number = entry->number;
    return true;
}

/* Entries behind the gap move into it unless that is before their home. */
bool
rh_block_table_remove(rh_block_table *table, const void *block)
{
    if (table->count == 0)
        return false;
    size_t mask = mask_of(table), gap = place_of(table, (uintptr_t)block);
    if (!table->entry[gap].block)
        return false;
    for (size_t at = (gap + 1) & mask; table->entry[at].block; at = (at + 1) & mask) {
        size_t home = home_of(table, table->entry[at].block);
        if (((at - home) & mask) >= ((at - gap) & mask)) {
            table->entry[gap] = table->entry[at];
            gap = at;
        }
    }
    table->entry[gap] = (rh_block_entry){0, 0};
    table->count--;
    return true;
}

size_t
rh_block_table_bytes(const rh_block_table *table)
{
    return table->memory.bytes;
}

bool
rh_block_table_check(const rh_block_table *table)
{
    size_t found = 0;
    for (size_t i = 0; table->bits && i <= mask_of(table); i++) {
        if (!table->entry[i].block)
            continue;
        found++;
        if (place_of(table, table->entry[i].block) != i)
            return false;
    }
    return found == table->count;
}

void
rh_block_table_release(rh_block_table *table)
{
    rh_side_memory_release(&table->memory);
    *table = (rh_block_table){.bits = 0};
}
