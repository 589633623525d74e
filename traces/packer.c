#include "traces/packer.h"

/* Up to this level zstd chooses no window above RH_WINDOW_LOG_MAX. */
enum { HIGHEST_WITHIN_WINDOW = 19 };

static ZSTD_CCtx *
new_context(int level)
{
    ZSTD_CCtx *context = ZSTD_createCCtx();
    if (!context)
        return NULL;
    ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, level);
    ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, 0);
    if (level > HIGHEST_WITHIN_WINDOW)
        ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, RH_WINDOW_LOG_MAX);
    return context;
}

bool
rh_packer_init(rh_packer *packer, int level)
{
    bool good = true;
    for (unsigned i = 0; i < RH_STREAMS; i++) {
        packer->context[i] = new_context(level);
        good = good && packer->context[i];
    }
    return good;
}

void
rh_packer_release(rh_packer *packer)
{
    for (unsigned i = 0; i < RH_STREAMS; i++)
        ZSTD_freeCCtx(packer->context[i]);
    *packer = (rh_packer){0};
}

const char *
rh_packer_pack(rh_packer *packer, rh_stream stream, bool restart, const rh_bytes *raw,
               rh_bytes *packed)
{
    static const char *const no_memory = "out of memory";
    ZSTD_CCtx *context = packer->context[stream];
    if (restart)
        ZSTD_CCtx_reset(context, ZSTD_reset_session_only);
    if (raw->size == 0)
        return NULL;
    /* Streams of a snapshot are whole in their block. */
    ZSTD_EndDirective end = stream < RH_STREAMS_CONTINUED ? ZSTD_e_flush : ZSTD_e_end;
    ZSTD_inBuffer in = {raw->data, raw->size, 0};
    size_t left = ZSTD_compressBound(raw->size);
    while (left) {
        if (!rh_bytes_reserve(packed, left))
            return no_memory;
        ZSTD_outBuffer out = {packed->data, packed->capacity, packed->size};
        left = ZSTD_compressStream2(context, &out, &in, end);
        if (ZSTD_isError(left))
            return ZSTD_getErrorName(left);
        packed->size = out.pos;
    }
    return NULL;
}
