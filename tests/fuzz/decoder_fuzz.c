/* Any bytes as the streams of blocks, past checksums and zstd: they are refused, or decoded into
 * events that a replayer can follow, and the list of live blocks stays whole. A second decoder
 * takes them as words, where they have any, and comes to the same.
 *
 * A block of input: a byte (bit 0: key), then for each stream two bytes of length and its bytes.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/traces/follower.h"
#include "traces/decoder.h"
#include "traces/event.h"
#include "traces/format.h"
#include "traces/live_list.h"
#include "traces/trace_info.h"
#include "traces/wording.h"

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

static bool
word_for(const void *ctx, const rh_event *event, rh_word *word)
{
    (void)ctx;
    *word = (rh_word){.bits = event->operation, .tally = event->operation != RH_REALLOC};
    return event->operation != RH_CALLOC || event->count != 7;
}

static const rh_wording wording = {.word_for = word_for};

static bool
decode_words(rh_decoder *decoder, const rh_block_head *head, const rh_bytes *raw)
{
    if (!rh_decoder_begin(decoder, head, raw))
        return false;
    uint64_t room[BATCH];
    rh_event event;
    rh_words words = {.word = room, .capacity = BATCH};
    for (bool more = true; more && !decoder->problem;) {
        require(rh_live_list_reserve(&decoder->live, BATCH));
        bool all = rh_decoder_words(decoder, &words);
        require(words.events <= BATCH && RH_TALLY_OF(words.tally, 0) <= words.events);
        more = words.events != 0;
        if (!all && !decoder->problem) {
            require(rh_live_list_reserve(&decoder->live, 1));
            more |= rh_decoder_events(decoder, &event, 1) != 0;
        }
    }
    check_list(&decoder->live);
    return !decoder->problem;
}

static void
compare_decoders(const rh_decoder *left, const rh_decoder *right)
{
    require(left->live.blocks == right->live.blocks && left->live.bytes == right->live.bytes);
    require(left->live.births == right->live.births && left->live.gap == right->live.gap);
    require(left->live.used == right->live.used && left->thread == right->thread);
    require(left->time == right->time && left->threads == right->threads);
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
    rh_decoder decoder, speaker;
    follower replayer = {.taken = NULL};
    require(rh_decoder_init(&decoder, &info) && rh_decoder_init(&speaker, &info));
    rh_decoder_use_wording(&speaker, &wording);
    bool good = true;
    for (bool first = true; good && in.at < in.end; first = false) {
        rh_block_head head;
        rh_bytes raw[RH_STREAMS] = {{0}};
        take_block(&in, &head, raw);
        head.key |= first;
        good = decode_block(&decoder, &replayer, &head, raw);
        require(decode_words(&speaker, &head, raw) == good);
        if (good)
            compare_decoders(&decoder, &speaker);
        for (unsigned i = 0; i < RH_STREAMS; i++)
            rh_bytes_release(&raw[i]);
    }
    follower_release(&replayer);
    rh_decoder_release(&decoder);
    rh_decoder_release(&speaker);
    return 0;
}
