/* The decompressors of a trace's streams: the other side of packer.h. */
#ifndef REHEAP_TRACES_UNPACKER_H
#define REHEAP_TRACES_UNPACKER_H

#include <stddef.h>
#include <zstd.h>

#include "traces/format.h"

typedef struct rh_unpacker {
    ZSTD_DCtx *context[RH_STREAMS];
} rh_unpacker;

void rh_unpacker_init(rh_unpacker *unpacker);
void rh_unpacker_release(rh_unpacker *unpacker);

/* Forgets what went before: a key block follows. */
void rh_unpacker_restart(rh_unpacker *unpacker);

/* Unpacks exactly `raw_size` bytes, which the caller has found acceptable, out of all of `packed`
 * into `raw`, replacing what it held. NULL, or what is wrong. */
const char *rh_unpacker_unpack(rh_unpacker *unpacker, rh_stream stream, const uint8_t *packed,
                               size_t packed_size, size_t raw_size, rh_bytes *raw);

#endif
