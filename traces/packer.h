/* The compressors of a trace's streams. A stream is one zstd frame from key block to key block,
 * flushed at the end of each block: what follows may refer to what went before, and the bytes of a
 * block suffice, after its predecessors', to get it back.
 */
#ifndef REHEAP_TRACES_PACKER_H
#define REHEAP_TRACES_PACKER_H

#include <stdbool.h>
#include <zstd.h>

#include "traces/format.h"

typedef struct rh_packer {
    ZSTD_CCtx *context[RH_STREAMS];
} rh_packer;

/* False: no memory. `level` is one of zstd's. */
bool rh_packer_init(rh_packer *packer, int level);
void rh_packer_release(rh_packer *packer);

/* Appends `raw`, compressed, to `packed`. `restart` begins a new frame first. NULL, or what failed.
 */
const char *rh_packer_pack(rh_packer *packer, rh_stream stream, bool restart, const rh_bytes *raw,
                           rh_bytes *packed);

#endif
