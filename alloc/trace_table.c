#include "alloc/trace_table.h"

enum { FIRST_BITS = 7 };

/* Addresses of blocks differ in their middle bits; the product spreads them over the high ones. */
static inline size_t
home_of(const rh_trace_table *table, uint32_t domain, uintptr_t address)
{
    uint64_t key = address ^ ((uint64_t)domain << 48 | domain);
    return (size_t)((key * UINT64_C(0x9E3779B97F4A7C15)) >> table->shift);
}

/* The entry of the key, or the free one where it would go. */
static inline rh_trace *
place_of(const rh_trace_table *table, uint32_t domain, uintptr_t address)
{
    size_t at = home_of(table, domain, address);
    rh_trace *entry = &table->entries[at];
    while (entry->traceback && (entry->address != address || entry->domain != domain)) {
        at = (at + 1) & table->mask;
        entry = &table->entries[at];
    }
    return entry;
}

void
rh_trace_table_release(rh_trace_table *table)
{
    rh_side_memory_release(&table->memory);
    *table = (rh_trace_table){.entries = NULL};
}

static __attribute__((noinline)) bool
grow(rh_trace_table *table)
{
    unsigned bits = table->entries ? 64 - table->shift + 1 : FIRST_BITS;
    size_t count = (size_t)1 << bits;
    rh_trace_table bigger = {.memory = {.base = NULL}};
    if (!rh_side_memory_grow(&bigger.memory, count * sizeof *bigger.entries))
        return false;
    rh_side_memory_prefer_huge_pages(&bigger.memory);
    bigger.entries = bigger.memory.base;
    bigger.mask = count - 1;
    bigger.shift = 64 - bits;
    bigger.full = count / 8 * 5;
    bigger.used = table->used;
    bigger.kept = table->kept;
    for (size_t i = 0; table->entries && i <= table->mask; i++) {
        const rh_trace *entry = &table->entries[i];
        if (entry->traceback)
            *place_of(&bigger, entry->domain, entry->address) = *entry;
    }
    rh_trace_table_release(table);
    *table = bigger;
    return true;
}

bool
rh_trace_table_put(rh_trace_table *table, const rh_trace *trace, uint64_t *old_bytes)
{
    *old_bytes = 0;
    if (table->used > 0) {
        rh_trace *entry = place_of(table, trace->domain, trace->address);
        if (entry->traceback) {
            *old_bytes = entry->size_bytes;
            *entry = *trace;
            return true;
        }
        if (table->used < table->full) {
            *entry = *trace;
            table->used++;
            return true;
        }
    }
    if (table->used >= table->full && !grow(table))
        return false;
    *place_of(table, trace->domain, trace->address) = *trace;
    table->used++;
    return true;
}

const rh_trace *
rh_trace_table_find(const rh_trace_table *table, uint32_t domain, uintptr_t address)
{
    if (!table->entries)
        return NULL;
    const rh_trace *entry = place_of(table, domain, address);
    return entry->traceback ? entry : NULL;
}

static void
close_hole(rh_trace_table *table, size_t hole)
{
    rh_trace *entries = table->entries;
    size_t at = (hole + 1) & table->mask;
    for (; entries[at].traceback; at = (at + 1) & table->mask) {
        size_t home = home_of(table, entries[at].domain, entries[at].address);
        /* It may move back only if its home is not behind the hole. */
        if (((at - home) & table->mask) >= ((at - hole) & table->mask)) {
            entries[hole] = entries[at];
            hole = at;
        }
    }
    entries[hole].traceback = 0;
}

bool
rh_trace_table_take(rh_trace_table *table, uint32_t domain, uintptr_t address, bool keep,
                    rh_trace *trace)
{
    if (!table->entries)
        return false;
    rh_trace *entry = place_of(table, domain, address);
    if (!entry->traceback)
        return false;
    *trace = *entry;
    close_hole(table, (size_t)(entry - table->entries));
    table->used -= !keep;
    table->kept += keep;
    return true;
}

void
rh_trace_table_unkeep(rh_trace_table *table)
{
    table->used--;
    table->kept--;
}

void
rh_trace_table_copy(const rh_trace_table *table, rh_trace *traces)
{
    for (size_t i = 0; table->entries && i <= table->mask; i++)
        if (table->entries[i].traceback)
            *traces++ = table->entries[i];
}
