/* Any bytes as the streams of blocks, past checksums and zstd: they are refused, or decoded into
 * events that a replayer can follow, and the list of live blocks stays whole.
 *
 * A block of input: a byte (bit 0: key), then for each stream two bytes of length and its bytes.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/traces/follower.h"
#include "traces/decoder.h"
#include "traces/format.h"
#include "traces/live_list.h"
#include "traces/trace_info.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { BATCH = 64 };

static void
require(int condition)
{
    if (!condition)
        abort();
}

/* Forward and backward the list says the same, in the order of births. */
static void
check_list(const rh_live_list *live)
{
    uint64_t blocks = 0, bytes = 0, next_birth = 0;
    uint32_t previous = 0;
    for (uint32_t at = live->link[0].after; at; at = live->link[at].after) {
        require(at < live->used && live->link[at].before == previous);
        require(live->node[at].birth >= next_birth && live->node[at].birth < live->births);
        next_birth = live->node[at].birth + 1;
        bytes += rh_live_size(&live->node[at]);
        previous = at;
        require(++blocks <= live->blocks);
    }
    require(live->link[0].before == previous && blocks == live->blocks && bytes == live->bytes);
}

/* Takes one block's streams out of the input; each lies in memory of its own, so that reading past
 * its end is seen. */
static void
take_block(rh_cursor *in, rh_block_head *head, rh_bytes *raw)
{
    *head = (rh_block_head){.key = rh_take_byte(in) & 1};
    for (unsigned i = 0; i < RH_STREAMS_CONTINUED; i++) {
        size_t length = rh_take_byte(in);
        length |= (size_t)rh_take_byte(in) << 8;
        size_t left = (size_t)(in->end - in->at);
        length = length < left ? length : left;
        raw[i] = (rh_bytes){malloc(length ? length : 1), length, length};
        if (length)
            memcpy(raw[i].data, in->at, length);
        in->at += length;
    }
}

static bool
decode_block(rh_decoder *decoder, follower *replayer, const rh_block_head *head,
             const rh_bytes *raw)
{
    if (!rh_decoder_begin(decoder, head, raw))
        return false;
    rh_event events[BATCH];
    size_t count;
    do {
        require(rh_live_list_reserve(&decoder->live, BATCH));
        count = rh_decoder_events(decoder, events, BATCH);
        require(follower_follow(replayer, events, count, decoder->live.used));
    } while (count == BATCH && !decoder->problem);
    check_list(&decoder->live);
    return !decoder->problem;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rh_cursor in = {data, data + size, false};
    uint8_t how = rh_take_byte(&in);
    rh_trace_info info;
    rh_trace_info_init(&info);
    info.timestamps = (rh_timestamps)(how % 3);
    info.addresses = (how & 4) != 0;
    rh_decoder decoder;
    follower replayer = {.taken = NULL};
    require(rh_decoder_init(&decoder, &info));
    bool good = true;
    for (bool first = true; good && in.at < in.end; first = false) {
        rh_block_head head;
        rh_bytes raw[RH_STREAMS] = {{0}};
        take_block(&in, &head, raw);
        head.key |= first;
        good = decode_block(&decoder, &replayer, &head, raw);
        for (unsigned i = 0; i < RH_STREAMS; i++)
            rh_bytes_release(&raw[i]);
    }
    follower_release(&replayer);
    rh_decoder_release(&decoder);
    return 0;
}
