/* A trace file, opened: its description, and where its blocks are.
 *
 * The index at the end tells that. A file without one (its recorder was killed, the disk was full)
 * or with a damaged one is scanned: heads chain from block to block, and where the chain is broken
 * the next sound head is looked for byte by byte.
 */
#ifndef REHEAP_TRACES_BLOCK_TABLE_H
#define REHEAP_TRACES_BLOCK_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "traces/format.h"
#include "traces/reader.h"
#include "traces/trace_info.h"

typedef struct rh_block_entry {
    uint64_t offset, bytes;
    uint64_t first_event;
    uint32_t events;
    bool key;
} rh_block_entry;

typedef struct rh_block_table {
    char *path;
    int descriptor;
    uint64_t file_bytes;
    uint64_t blocks_offset; /* where the first block begins */
    uint64_t blocks_end;    /* where the last sound block ends */
    uint64_t tail_bytes;    /* after that, neither block nor index: a block cut off, or damage */
    uint32_t tail_events;   /* that the block cut off there had; 0: unknown */
    rh_index_state index;
    rh_trace_info info;
    rh_block_entry *block; /* ascending by offset; gaps between them are damage */
    size_t blocks, capacity;
} rh_block_table;

/* Opens `path`. RH_BAD_INPUT: not a trace, a later version, a damaged header. RH_SYSTEM: cannot be
 * read. On failure nothing is left to close. */
rh_status rh_block_table_open(rh_block_table *table, const char *path, rh_error *error);
void rh_block_table_close(rh_block_table *table);

/* Reads `size` bytes at `offset`; RH_BAD_INPUT when the file has no such bytes. */
rh_status rh_block_table_read(const rh_block_table *table, uint64_t offset, void *bytes,
                              size_t size, rh_error *error);

#endif
