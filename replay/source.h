/* Where events come from: a reader, or a test. */
#ifndef REHEAP_REPLAY_SOURCE_H
#define REHEAP_REPLAY_SOURCE_H

#include "base/error.h"
#include "traces/reader.h"

typedef struct rh_source {
    void *ctx;
    rh_status (*next)(void *ctx, rh_batch *batch, rh_error *error);
    /* The same in words, see rh_reader_next_words; NULL: there are only events. Once `speak` was
     * called `next_words` may be, and `next` no more. */
    void (*speak)(void *ctx, const rh_wording *wording);
    rh_status (*next_words)(void *ctx, rh_words *words, rh_batch *batch, rh_error *error);
    /* Back to the start, as if nothing had been called; NULL: it can be read but once. */
    rh_status (*again)(void *ctx, rh_error *error);
} rh_source;

#endif
