/* What the table does rarely: beginning, growing, ending. */
#define _GNU_SOURCE
#include "traces/pointer_table.h"

#include <sys/mman.h>

enum { FIRST_BITS = 14 };

static bool
map_entries(rh_pointer_table *table, unsigned bits)
{
    size_t bytes = (sizeof *table->entries) << bits;
    void *entries = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (entries == MAP_FAILED)
        return false;
    madvise(entries, bytes, MADV_HUGEPAGE); /* fewer page walks where the kernel can */
    size_t count = (size_t)1 << bits;
    *table = (rh_pointer_table){
        .entries = entries, .mask = count - 1, .shift = 64 - bits, .full = count / 8 * 5};
    return true;
}

bool
rh_pointer_table_init(rh_pointer_table *table)
{
    *table = (rh_pointer_table){0};
    return map_entries(table, FIRST_BITS);
}

void
rh_pointer_table_release(rh_pointer_table *table)
{
    if (table->entries)
        munmap(table->entries, (table->mask + 1) * sizeof *table->entries);
    *table = (rh_pointer_table){0};
}

bool
rh_pointer_table_grow(rh_pointer_table *table)
{
    rh_pointer_table bigger;
    if (!map_entries(&bigger, 64 - table->shift + 1))
        return false;
    for (size_t i = 0; i <= table->mask; i++) {
        if (table->entries[i].key) {
            *rh_pointer_find(&bigger, table->entries[i].key) = table->entries[i];
            bigger.used++;
        }
    }
    rh_pointer_table_release(table);
    *table = bigger;
    return true;
}
