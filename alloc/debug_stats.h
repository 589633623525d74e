/* Reading CPython's statistics of its small-object allocator, as _PyObject_DebugMallocStats prints
 * them. */
#ifndef REHEAP_ALLOC_DEBUG_STATS_H
#define REHEAP_ALLOC_DEBUG_STATS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct rh_debug_stats {
    uint64_t arenas_allocated, arenas_released, arenas_highwater, arenas_current;
    uint64_t arena_bytes; /* of one arena */
    uint64_t pools_in_use, pools_free, pool_bytes /* of one pool */, live_blocks;
    uint64_t allocated_bytes, available_bytes, header_bytes, quantization_bytes, alignment_bytes;
    uint64_t map_bytes; /* the arena map; 0 where there is none */
    uint64_t total_bytes;
} rh_debug_stats;

/* False when the text lacks one of the lines that every version prints. */
bool rh_debug_stats_parse(const char *text, rh_debug_stats *stats);

#endif
