/* Which block lives at an address: the collector's only question, asked once or twice an event.
 *
 * Open addressing with linear probing; a death shifts the entries behind it back instead of leaving
 * a tombstone, so that the table is at every moment what it would be had the dead never been there
 * (Knuth, The Art of Computer Programming, vol. 3, section 6.4, algorithm R). The address is spread
 * by a multiplication and its cache line is asked for some records ahead.
 */
#ifndef REHEAP_TRACES_POINTER_TABLE_H
#define REHEAP_TRACES_POINTER_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct rh_pointer_entry {
    uint64_t key; /* 0: free */
    uint32_t handle;
    uint32_t note; /* the caller's, who sets it before an addition */
} rh_pointer_entry;

typedef struct rh_pointer_table {
    rh_pointer_entry *entries;
    size_t mask; /* entries - 1; a power of two of them */
    unsigned shift;
    size_t used, full; /* at most five eighths are used: probes stay short */
} rh_pointer_table;

/* False when there is no memory. */
bool rh_pointer_table_init(rh_pointer_table *table);
void rh_pointer_table_release(rh_pointer_table *table);

/* Doubles the table; false when there is no memory. */
bool rh_pointer_table_grow(rh_pointer_table *table);

static inline size_t
rh_pointer_home(const rh_pointer_table *table, uint64_t key)
{
    return (size_t)((key * UINT64_C(0x9E3779B97F4A7C15)) >> table->shift);
}

static inline void
rh_pointer_prefetch(const rh_pointer_table *table, uint64_t key)
{
    __builtin_prefetch(&table->entries[rh_pointer_home(table, key)], 1);
}

/* The entry of `key` (not 0), or the free one where it would go. */
static inline rh_pointer_entry *
rh_pointer_find(const rh_pointer_table *table, uint64_t key)
{
    size_t at = rh_pointer_home(table, key);
    while (table->entries[at].key != key && table->entries[at].key != 0)
        at = (at + 1) & table->mask;
    return &table->entries[at];
}

/* Fills a free entry that rh_pointer_find returned; it may move with the next call. False when
 * there is no memory. */
static inline bool
rh_pointer_add(rh_pointer_table *table, rh_pointer_entry *entry, uint64_t key, uint32_t handle)
{
    entry->key = key;
    entry->handle = handle;
    return ++table->used < table->full || rh_pointer_table_grow(table);
}

/* Takes an entry out that rh_pointer_find returned. */
static inline void
rh_pointer_remove(rh_pointer_table *table, rh_pointer_entry *entry)
{
    size_t hole = (size_t)(entry - table->entries);
    for (size_t at = (hole + 1) & table->mask; table->entries[at].key != 0;
         at = (at + 1) & table->mask) {
        size_t home = rh_pointer_home(table, table->entries[at].key);
        /* It may move back only if its home is not behind the hole. */
        if (((at - home) & table->mask) >= ((at - hole) & table->mask)) {
            table->entries[hole] = table->entries[at];
            hole = at;
        }
    }
    table->entries[hole].key = 0;
    table->used--;
}

#endif
