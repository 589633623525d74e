/* What a heap can say of itself: one list, from which the struct, the printers, the store and the
 * tests are made.
 *
 * All values describe the heap at the moment of the snapshot; the unit is the end of the name. A
 * heap that cannot know a value leaves it RH_UNKNOWN, which prints as null and is never summed.
 *
 * The parts of the waterfall sum exactly to mapped_bytes for the project's own heaps:
 *
 *   block_bytes + header_bytes + page_header_bytes + page_tail_bytes + free_block_bytes +
 * free_page_bytes
 *     + free_arena_bytes + metadata_bytes + other_bytes = mapped_bytes
 *
 * A heap does not remember what was asked of it, only what it gave: block_bytes are the sizes of
 * its blocks in use. The replayer, which knows the requests, splits them into requested_bytes and
 * rounding_bytes.
 */
#ifndef REHEAP_ALLOC_COUNTERS_H
#define REHEAP_ALLOC_COUNTERS_H

#include <stdint.h>

#define RH_UNKNOWN UINT64_MAX

/* X(name, what it is) */
#define RH_COUNTERS(X)                                                                             \
    X(mapped_bytes, "writable private memory held: arenas, large space, the heap's own tables")    \
    X(block_bytes, "blocks in use, at the size they were given")                                   \
    X(header_bytes, "headers of blocks in use")                                                    \
    X(page_header_bytes, "headers of pages that hold a block")                                     \
    X(page_tail_bytes, "ends of such pages too short for a block")                                 \
    X(free_block_bytes, "free blocks in such pages, and free ranges between large blocks")         \
    X(free_page_bytes, "wholly free pages in arenas that hold a block; unaligned arena ends")      \
    X(free_arena_bytes, "arenas that hold no block, and those kept for reuse")                     \
    X(metadata_bytes, "tables outside arenas and pages")                                           \
    X(other_bytes, "the rest; 0 for the project's own heaps")                                      \
    X(live_blocks, "blocks in use")                                                                \
    X(free_list_hits, "by the layer `freelist`: objects served by a list")                         \
    X(free_list_misses, "objects of a size that has a list, when it was empty")                    \
    X(free_list_rejected, "blocks not kept because their list was full")                           \
    X(free_list_blocks, "blocks kept")                                                             \
    X(free_list_bytes, "their size: a part of free_block_bytes")                                   \
    X(arenas_allocated, "arenas obtained, ever")                                                   \
    X(arenas_released, "arenas given back, ever")                                                  \
    X(arenas_current, "arenas held")                                                               \
    X(arenas_highwater, "most arenas held at once")                                                \
    X(arena_bytes, "size of the arenas held")                                                      \
    X(arenas_reused, "times a kept arena without a block received one again")                      \
    X(arena_slots_reused, "times a new arena took the table entry of a released one")              \
    X(pools_in_use, "pages that hold a block")                                                     \
    X(pools_free, "pages that hold none, fresh ones included")                                     \
    X(pools_recycled, "times a wholly freed page was taken again")                                 \
    X(pools_reclassed, "times it was taken for another size class")                                \
    X(traced_bytes, "by the layer `trace`: what was requested of live blocks")                     \
    X(peak_traced_bytes, "the most of it so far")                                                  \
    X(traced_blocks, "live blocks that it knows")                                                  \
    X(trace_table_bytes, "its tables: a part of metadata_bytes")                                   \
    X(reported_allocated_bytes, "a foreign allocator's own figure of bytes in use")                \
    X(reported_mapped_bytes, "a foreign allocator's own figure of bytes held")                     \
    X(reported_metadata_bytes, "a foreign allocator's own figure of its tables")

typedef struct rh_counters {
#define RH_COUNTER_FIELD(name, what) uint64_t name;
    RH_COUNTERS(RH_COUNTER_FIELD)
#undef RH_COUNTER_FIELD
} rh_counters;

/* Sets every counter to RH_UNKNOWN. */
void rh_counters_clear(rh_counters *counters);

/* The sum of the waterfall's parts (unknown parts count as 0): equal to mapped_bytes for the
 * project's own heaps. */
uint64_t rh_counters_parts(const rh_counters *counters);

#endif
