#include "traces/decoder.h"

bool
rh_decoder_init(rh_decoder *decoder, const rh_trace_info *info)
{
    static const uint64_t units[] = {
        [RH_TIMES_NONE] = 0, [RH_TIMES_COARSE] = RH_COARSE_NS, [RH_TIMES_EXACT] = 1};
    memset(decoder, 0, sizeof *decoder);
    decoder->threads = 1;
    decoder->time_unit = units[info->timestamps];
    decoder->has_addresses = info->addresses;
    bool list = rh_live_list_init(&decoder->live);
    return rh_birth_index_init(&decoder->births) && list;
}

void
rh_decoder_release(rh_decoder *decoder)
{
    rh_live_list_release(&decoder->live);
    rh_birth_index_release(&decoder->births);
}

static rh_action
action_of(unsigned operation, unsigned flags)
{
    bool kills = rh_kills(operation, flags), bears = rh_bears(operation, flags);
    if (operation == RH_SHAPE_THREAD)
        return RH_ACTION_THREAD;
    if (operation == RH_ARENA_ALLOC || operation == RH_ARENA_FREE)
        return RH_ACTION_ARENA;
    if (operation == RH_MARK || operation == RH_CHECKPOINT)
        return RH_ACTION_TEXT;
    if (kills)
        return bears ? RH_ACTION_RESIZE : RH_ACTION_DEATH;
    return bears ? RH_ACTION_BIRTH : RH_ACTION_NOTHING;
}

static void
understand(const rh_shape *shape, rh_token_meaning *meaning)
{
    *meaning = (rh_token_meaning){
        .action = action_of(shape->operation, shape->flags),
        .event = {.operation = shape->operation,
                  .domain = shape->domain,
                  .flags = shape->flags,
                  .alignment_log2 = shape->alignment_log2,
                  .slot = RH_NO_SLOT,
                  .size = shape->size},
    };
    rh_event *event = &meaning->event;
    if (shape->operation == RH_CALLOC) {
        event->count = shape->size;
        event->element = shape->element;
        if (__builtin_mul_overflow(event->count, event->element, &event->size))
            event->size = UINT64_MAX;
    }
    meaning->what = event->size | (uint64_t)shape->domain << RH_LIVE_SHIFT;
    if (shape->flags & RH_EVENT_NESTED)
        meaning->what |= RH_LIVE_NESTED;
}

static bool
fail(rh_decoder *decoder, const char *problem)
{
    decoder->problem = problem;
    return false;
}

static bool
define(rh_decoder *decoder, const rh_bytes *definitions)
{
    rh_cursor in = {definitions->data, definitions->data + definitions->size, false};
    while (in.at < in.end) {
        uint8_t token = rh_take_byte(&in);
        rh_shape shape;
        if (token == 0 || !rh_take_shape(&in, &shape))
            return fail(decoder, "a token is defined as nonsense");
        understand(&shape, &decoder->meaning[token]);
    }
    return true;
}

static rh_cursor
cursor_of(const rh_bytes *bytes)
{
    return (rh_cursor){bytes->data, bytes->data + bytes->size, false};
}

bool
rh_decoder_begin(rh_decoder *decoder, const rh_block_head *head, const rh_bytes *raw)
{
    decoder->problem = NULL;
    if (head->key) {
        memset(decoder->meaning, 0, sizeof decoder->meaning);
        decoder->meaning[0].action = RH_ACTION_SPELLED;
        decoder->live.gap = 0;
        decoder->time = 0;
        decoder->arena_address = 0;
        memset(decoder->address, 0, sizeof decoder->address);
    }
    decoder->thread = head->thread;
    decoder->token = raw[RH_STREAM_TOKENS].data;
    decoder->tokens_end = decoder->token + raw[RH_STREAM_TOKENS].size;
    decoder->steps = cursor_of(&raw[RH_STREAM_STEPS]);
    decoder->distances = cursor_of(&raw[RH_STREAM_DISTANCES]);
    decoder->rare = cursor_of(&raw[RH_STREAM_RARE]);
    decoder->texts = cursor_of(&raw[RH_STREAM_TEXTS]);
    decoder->times = cursor_of(&raw[RH_STREAM_TIMES]);
    decoder->addresses = cursor_of(&raw[RH_STREAM_ADDRESSES]);
    return define(decoder, &raw[RH_STREAM_DEFINITIONS]);
}

/* The block that dies next, 0 when nothing valid is told. */
static inline uint32_t
find_dying(rh_decoder *decoder)
{
    const rh_live_list *live = &decoder->live;
    unsigned code = rh_take_byte(&decoder->steps);
    uint32_t at = live->gap;
    if (__builtin_expect(code == RH_STEP_FAR, 0)) {
        uint64_t from = at ? live->node[at].birth : live->births;
        int64_t distance = rh_unzigzag(rh_take_varint(&decoder->distances));
        return rh_birth_index_find(&decoder->births, live, from + (uint64_t)distance);
    }
    if (code & 1) {
        at = live->node[at].before;
        for (code >>= 1; code; code--)
            at = live->node[at].before;
    } else {
        for (code >>= 1; code; code--)
            at = live->node[at].after;
    }
    return at;
}

static inline void
die(rh_decoder *decoder, uint32_t slot, const rh_live_node *node)
{
    if (__builtin_expect(rh_live_nested(node), 0)) {
        decoder->nested_blocks--;
        decoder->nested_bytes -= rh_live_size(node);
    }
    rh_live_unlink(&decoder->live, slot);
}

static inline void
be_born(rh_decoder *decoder, uint32_t slot, uint64_t what)
{
    if (__builtin_expect((what & RH_LIVE_NESTED) != 0, 0)) {
        decoder->nested_blocks++;
        decoder->nested_bytes += what & RH_SIZE_MAX;
    }
    rh_birth_index_born(&decoder->births, &decoder->live, slot);
    rh_live_append(&decoder->live, slot, what);
}

static bool
take_text(rh_decoder *decoder, rh_event *event)
{
    rh_cursor *texts = &decoder->texts;
    if (event->size >= (uint64_t)(texts->end - texts->at) || texts->at[event->size] != '\0')
        return fail(decoder, "a text ends outside of its stream");
    event->text = (const char *)texts->at;
    texts->at += event->size + 1;
    return true;
}

static void
take_arena(rh_decoder *decoder, rh_event *event)
{
    int64_t difference = rh_address_difference(rh_take_varint(&decoder->addresses));
    event->address = decoder->arena_address += (uint64_t)difference;
}

/* What most events do not have: 1 when the event is done, 0 when there is none (a change of
 * thread), -1 when it makes no sense. */
static int
decode_rare(rh_decoder *decoder, rh_token_meaning const **meaning, rh_event *event)
{
    if ((*meaning)->action == RH_ACTION_SPELLED) {
        rh_shape shape;
        if (!rh_take_shape(&decoder->rare, &shape)) {
            fail(decoder, "a spelled-out event is nonsense");
            return -1;
        }
        understand(&shape, &decoder->spelled);
        *meaning = &decoder->spelled;
        *event = decoder->spelled.event;
        event->thread = decoder->thread;
    }
    switch ((*meaning)->action) {
    case RH_ACTION_THREAD:
        decoder->thread = (uint32_t)(*meaning)->event.size;
        if (decoder->thread >= decoder->threads)
            decoder->threads = decoder->thread + 1;
        return 0;
    case RH_ACTION_ARENA:
        if (!decoder->has_addresses)
            take_arena(decoder, event);
        return 1;
    case RH_ACTION_TEXT:
        return take_text(decoder, event) ? 1 : -1;
    case RH_ACTION_UNDEFINED:
        fail(decoder, "a token has no meaning");
        return -1;
    default:
        return 1;
    }
}

/* Does to the list what the event says. False: the block it is about is not alive. */
static inline bool
apply(rh_decoder *decoder, const rh_token_meaning *meaning, rh_event *event)
{
    rh_live_list *live = &decoder->live;
    if (meaning->action == RH_ACTION_BIRTH) {
        uint32_t slot = rh_live_take_slot(live);
        event->slot = slot;
        be_born(decoder, slot, meaning->what);
        return true;
    }
    if (meaning->action != RH_ACTION_DEATH && meaning->action != RH_ACTION_RESIZE)
        return true;
    uint32_t slot = find_dying(decoder);
    if (slot == 0)
        return fail(decoder, "a block dies that is not alive");
    const rh_live_node *node = &live->node[slot];
    event->slot = slot;
    die(decoder, slot, node);
    if (meaning->action == RH_ACTION_RESIZE) {
        event->old_size = rh_live_size(node);
        be_born(decoder, slot, meaning->what);
        return true;
    }
    event->size = rh_live_size(node);
    if (event->domain == RH_DOMAIN_AS_BORN)
        event->domain = (uint8_t)rh_live_domain(node);
    rh_live_give_slot(live, slot);
    return true;
}

static bool
take_addresses(rh_decoder *decoder, rh_event *events, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        rh_event *event = &events[i];
        if (event->operation == RH_ARENA_ALLOC || event->operation == RH_ARENA_FREE) {
            take_arena(decoder, event);
        } else if (rh_bears(event->operation, event->flags)) {
            uint64_t *last = &decoder->address[rh_address_class(event->size)];
            int64_t difference = rh_address_difference(rh_take_varint(&decoder->addresses));
            event->address = *last += (uint64_t)difference;
        }
    }
    return !decoder->addresses.failed || fail(decoder, "addresses are missing");
}

static bool
take_times(rh_decoder *decoder, rh_event *events, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        decoder->time += (uint64_t)rh_unzigzag(rh_take_varint(&decoder->times));
        events[i].time_ns = decoder->time * decoder->time_unit;
    }
    return !decoder->times.failed || fail(decoder, "times are missing");
}

static bool
at_end(const rh_cursor *cursor)
{
    return cursor->at == cursor->end && !cursor->failed;
}

/* Every stream must end with the block. */
static bool
end_block(rh_decoder *decoder)
{
    if (at_end(&decoder->steps) && at_end(&decoder->distances) && at_end(&decoder->rare) &&
        at_end(&decoder->texts) && at_end(&decoder->times) && at_end(&decoder->addresses))
        return true;
    return fail(decoder, "a stream is longer or shorter than the events need");
}

static size_t
decode(rh_decoder *decoder, rh_event *events, size_t capacity)
{
    rh_event *event = events, *end = events + capacity;
    while (event < end && decoder->token < decoder->tokens_end) {
        const rh_token_meaning *meaning = &decoder->meaning[*decoder->token++];
        *event = meaning->event;
        event->thread = decoder->thread;
        if (__builtin_expect(
                meaning->action > RH_ACTION_NOTHING || meaning->action == RH_ACTION_UNDEFINED, 0)) {
            int done = decode_rare(decoder, &meaning, event);
            if (done < 0)
                break;
            if (done == 0)
                continue;
        }
        if (!apply(decoder, meaning, event))
            break;
        event++;
    }
    return (size_t)(event - events);
}

size_t
rh_decoder_events(rh_decoder *decoder, rh_event *events, size_t capacity)
{
    size_t count = decode(decoder, events, capacity);
    /* The list has changed by these events: they are delivered even if a column fails them. */
    if (decoder->has_addresses)
        take_addresses(decoder, events, count);
    if (decoder->time_unit)
        take_times(decoder, events, count);
    if (!decoder->problem && decoder->token == decoder->tokens_end)
        end_block(decoder);
    return count;
}
