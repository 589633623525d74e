/* The live set as a key block tells it: birth numbers, sizes and domains, oldest first. */
#ifndef REHEAP_TRACES_SNAPSHOT_H
#define REHEAP_TRACES_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "traces/format.h"
#include "traces/live_list.h"

typedef struct rh_snapshot {
    uint64_t *birth, *what; /* as in rh_live_node */
    size_t count;
} rh_snapshot;

/* Makes room for `count` blocks; false: no memory. To be released in either case. */
bool rh_snapshot_init(rh_snapshot *snapshot, size_t count);
void rh_snapshot_release(rh_snapshot *snapshot);

/* Reads the snapshot out of the unpacked streams of the block that `head` begins; `count` is the
 * head's. False: they make no sense. */
bool rh_snapshot_read(rh_snapshot *snapshot, const rh_block_head *head, const rh_bytes *raw);

/* How many of the oldest blocks are the same in both: all, when neither has more. */
size_t rh_snapshot_compare(const rh_snapshot *snapshot, const rh_live_list *live);

#endif
