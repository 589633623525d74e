#include "traces/unpacker.h"

void
rh_unpacker_init(rh_unpacker *unpacker)
{
    *unpacker = (rh_unpacker){0};
}

void
rh_unpacker_release(rh_unpacker *unpacker)
{
    for (unsigned i = 0; i < RH_STREAMS; i++)
        ZSTD_freeDCtx(unpacker->context[i]);
    *unpacker = (rh_unpacker){0};
}

void
rh_unpacker_restart(rh_unpacker *unpacker)
{
    for (unsigned i = 0; i < RH_STREAMS; i++)
        if (unpacker->context[i])
            ZSTD_DCtx_reset(unpacker->context[i], ZSTD_reset_session_only);
}

/* Most traces have few of the streams: a context is made when its stream first comes. */
static ZSTD_DCtx *
context_of(rh_unpacker *unpacker, rh_stream stream)
{
    ZSTD_DCtx **context = &unpacker->context[stream];
    if (!*context) {
        *context = ZSTD_createDCtx();
        if (*context)
            ZSTD_DCtx_setParameter(*context, ZSTD_d_windowLogMax, RH_WINDOW_LOG_MAX);
    }
    return *context;
}

const char *
rh_unpacker_unpack(rh_unpacker *unpacker, rh_stream stream, const uint8_t *packed,
                   size_t packed_size, size_t raw_size, rh_bytes *raw)
{
    raw->size = 0;
    if (raw_size == 0)
        return packed_size == 0 ? NULL : "an empty stream has data";
    ZSTD_DCtx *context = context_of(unpacker, stream);
    if (!context || !rh_bytes_reserve(raw, raw_size))
        return "there is not enough memory for it";
    ZSTD_inBuffer in = {packed, packed_size, 0};
    ZSTD_outBuffer out = {raw->data, raw_size, 0};
    while (in.pos < in.size || out.pos < out.size) {
        size_t consumed = in.pos, produced = out.pos;
        size_t result = ZSTD_decompressStream(context, &out, &in);
        if (ZSTD_isError(result))
            return ZSTD_getErrorName(result);
        if (in.pos == consumed && out.pos == produced)
            return "its compressed data ends early or goes on too long";
    }
    raw->size = raw_size;
    return NULL;
}
