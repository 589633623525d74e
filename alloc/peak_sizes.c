#include "alloc/peak_sizes.h"

void
rh_peak_sizes_release(rh_peak_sizes *sizes)
{
    rh_trace_table_release(&sizes->counts);
    rh_trace_table_release(&sizes->at_peak);
    rh_side_memory_release(&sizes->journal);
    *sizes = (rh_peak_sizes){.changes = 0};
}

/* One block of `size` more, or fewer (`by` is the largest number). */
static bool
change(rh_trace_table *counts, uint64_t size, uint64_t by)
{
    uint64_t old;
    const rh_trace *known = rh_trace_table_find(counts, 0, (uintptr_t)size);
    rh_trace count = {(uintptr_t)size, (known ? known->size_bytes : 0) + by, 0, 1};
    return rh_trace_table_put(counts, &count, &old);
}

static bool
copy_table(rh_trace_table *copy, const rh_trace_table *table)
{
    uint64_t old;
    for (size_t i = 0; table->entries && i <= table->mask; i++)
        if (table->entries[i].traceback && !rh_trace_table_put(copy, &table->entries[i], &old))
            return false;
    return true;
}

/* The counts without what has changed since the maximum. */
static bool
undo(const rh_peak_sizes *sizes, rh_trace_table *counts)
{
    const uint64_t *journal = sizes->journal.base;
    if (!copy_table(counts, &sizes->counts))
        return false;
    for (size_t i = 0; i < sizes->changes; i++)
        if (!change(counts, journal[i] >> 1, journal[i] & 1 ? UINT64_MAX : 1))
            return false;
    return true;
}

static void
lose(rh_peak_sizes *sizes)
{
    rh_peak_sizes_release(sizes);
    sizes->lost = true;
}

static void
note(rh_peak_sizes *sizes, uint64_t size, bool birth)
{
    if (sizes->lost)
        return;
    if (!sizes->copied && sizes->changes == RH_PEAK_JOURNAL) {
        if (!undo(sizes, &sizes->at_peak)) {
            lose(sizes);
            return;
        }
        sizes->copied = true;
    }
    if (!sizes->copied) {
        if (!rh_side_memory_grow(&sizes->journal, RH_PEAK_JOURNAL * sizeof(uint64_t))) {
            lose(sizes);
            return;
        }
        ((uint64_t *)sizes->journal.base)[sizes->changes++] = size << 1 | birth;
    }
    if (!change(&sizes->counts, size, birth ? 1 : UINT64_MAX))
        lose(sizes);
}

void
rh_peak_sizes_born(rh_peak_sizes *sizes, uint64_t size)
{
    note(sizes, size, true);
}

void
rh_peak_sizes_died(rh_peak_sizes *sizes, uint64_t size)
{
    note(sizes, size, false);
}

void
rh_peak_sizes_now(rh_peak_sizes *sizes)
{
    sizes->changes = 0;
    if (sizes->copied) {
        rh_trace_table_release(&sizes->at_peak);
        sizes->copied = false;
    }
}

bool
rh_peak_sizes_get(const rh_peak_sizes *sizes, rh_trace_table *counts)
{
    if (sizes->lost)
        return false;
    return sizes->copied ? copy_table(counts, &sizes->at_peak) : undo(sizes, counts);
}

size_t
rh_peak_sizes_bytes(const rh_peak_sizes *sizes)
{
    return sizes->counts.memory.bytes + sizes->at_peak.memory.bytes + sizes->journal.bytes;
}
