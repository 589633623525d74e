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
        for (unsigned token = 1; token < RH_TOKENS; token++)
            decoder->meaning[token].action = RH_ACTION_UNDEFINED;
        decoder->meaning[0].action = RH_ACTION_SPELLED;
        decoder->live.gap = 0;
        decoder->time = 0;
        decoder->arena_address = 0;
        memset(decoder->address, 0, sizeof decoder->address);
    }
    decoder->thread = head->thread;
    decoder->tokens = cursor_of(&raw[RH_STREAM_TOKENS]);
    decoder->steps = cursor_of(&raw[RH_STREAM_STEPS]);
    decoder->distances = cursor_of(&raw[RH_STREAM_DISTANCES]);
    decoder->rare = cursor_of(&raw[RH_STREAM_RARE]);
    decoder->texts = cursor_of(&raw[RH_STREAM_TEXTS]);
    decoder->times = cursor_of(&raw[RH_STREAM_TIMES]);
    decoder->addresses = cursor_of(&raw[RH_STREAM_ADDRESSES]);
    return define(decoder, &raw[RH_STREAM_DEFINITIONS]);
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

/* What most events do not have: 1 when `*action` is now one for the list, 0 when there is no event
 * (a change of thread), -1 when it makes no sense. */
static __attribute__((noinline)) int
decode_rare(rh_decoder *decoder, rh_action *action, rh_event *event)
{
    if (*action == RH_ACTION_SPELLED) {
        rh_shape shape;
        rh_token_meaning meaning;
        if (!rh_take_shape(&decoder->rare, &shape)) {
            fail(decoder, "a spelled-out event is nonsense");
            return -1;
        }
        understand(&shape, &meaning);
        *action = meaning.action;
        *event = meaning.event;
        event->thread = decoder->thread;
    }
    switch (*action) {
    case RH_ACTION_THREAD:
        decoder->thread = (uint32_t)event->size;
        if (decoder->thread >= decoder->threads)
            decoder->threads = decoder->thread + 1;
        return 0;
    case RH_ACTION_ARENA:
        if (!decoder->has_addresses)
            take_arena(decoder, event);
        *action = RH_ACTION_NOTHING;
        return 1;
    case RH_ACTION_TEXT:
        *action = RH_ACTION_NOTHING;
        return take_text(decoder, event) ? 1 : -1;
    case RH_ACTION_UNDEFINED:
        fail(decoder, "a token has no meaning");
        return -1;
    default:
        return 1;
    }
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

/* What the loop below works on, in registers: the list, and the place in the two streams that every
 * event reads. */
typedef struct rh_hot {
    rh_live_list live;
    const uint8_t *token, *step;
} rh_hot;

static inline void
pick_up(rh_hot *hot, const rh_decoder *decoder)
{
    *hot = (rh_hot){decoder->live, decoder->tokens.at, decoder->steps.at};
}

static inline void
put_down(const rh_hot *hot, rh_decoder *decoder)
{
    decoder->live = hot->live;
    decoder->tokens.at = hot->token;
    decoder->steps.at = hot->step;
}

static __attribute__((noinline)) uint32_t
find_far(rh_decoder *decoder, const rh_live_list *live)
{
    uint64_t from = live->gap ? live->node[live->gap].birth : live->births;
    int64_t distance = rh_unzigzag(rh_take_varint(&decoder->distances));
    return rh_birth_index_find(&decoder->births, live, from + (uint64_t)distance);
}

/* The block that dies next, 0 when nothing valid is told. Four of five deaths are at the gap or
 * beside it, which is told apart without a branch. */
static inline uint32_t
find_dying(rh_decoder *decoder, rh_hot *hot)
{
    if (__builtin_expect(hot->step == decoder->steps.end, 0))
        return 0;
    unsigned code = *hot->step++;
    const rh_live_link *link = hot->live.link, *gap = &link[hot->live.gap];
    uint32_t beside = code & 1 ? gap->before : gap->after;
    uint32_t at = code ? beside : hot->live.gap;
    if (__builtin_expect(code <= 2, 1))
        return at;
    if (code == RH_STEP_FAR) {
        rh_live_list live = hot->live;
        return find_far(decoder, &live);
    }
    unsigned left = (code - 1) >> 1;
    if (code & 1)
        while (left--)
            at = link[at].before;
    else
        while (left--)
            at = link[at].after;
    return at;
}

static inline void
be_born(rh_decoder *decoder, rh_hot *hot, const rh_event *event)
{
    uint64_t what = event->size | (uint64_t)event->domain << RH_LIVE_SHIFT;
    if (event->flags & RH_EVENT_NESTED)
        what |= RH_LIVE_NESTED;
    rh_birth_index_born(&decoder->births, &hot->live, event->slot);
    rh_live_append(&hot->live, event->slot, what);
}

/* Does to the list what the event says. False: the block it is about is not alive. */
static inline bool
apply(rh_decoder *decoder, rh_hot *hot, rh_action action, rh_event *event)
{
    if (action == RH_ACTION_BIRTH) {
        event->slot = rh_live_take_slot(&hot->live);
        be_born(decoder, hot, event);
        return true;
    }
    if (__builtin_expect(action == RH_ACTION_NOTHING, 0))
        return true;
    uint32_t slot = find_dying(decoder, hot);
    if (__builtin_expect(slot == 0, 0))
        return fail(decoder, "a block dies that is not alive");
    const rh_live_node *node = &hot->live.node[slot];
    uint64_t size = rh_live_size(node);
    event->slot = slot;
    rh_live_unlink(&hot->live, slot);
    if (action == RH_ACTION_RESIZE) {
        event->old_size = size;
        be_born(decoder, hot, event);
        return true;
    }
    event->size = size;
    if (event->domain == RH_DOMAIN_AS_BORN)
        event->domain = (uint8_t)rh_live_domain(node);
    rh_live_give_slot(&hot->live, slot);
    return true;
}

static size_t
decode(rh_decoder *decoder, rh_event *events, size_t capacity)
{
    rh_event *event = events, *end = events + capacity;
    const uint8_t *tokens_end = decoder->tokens.end;
    rh_hot hot;
    pick_up(&hot, decoder);
    while (event < end && hot.token < tokens_end) {
        const rh_token_meaning *meaning = &decoder->meaning[*hot.token++];
        rh_action action = meaning->action;
        *event = meaning->event;
        event->thread = decoder->thread;
        if (__builtin_expect(action >= RH_ACTION_RARE, 0)) {
            int done = decode_rare(decoder, &action, event);
            if (done < 0)
                break;
            if (done == 0)
                continue;
        }
        if (!apply(decoder, &hot, action, event))
            break;
        event++;
    }
    put_down(&hot, decoder);
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
    if (!decoder->problem && decoder->tokens.at == decoder->tokens.end)
        end_block(decoder);
    return count;
}
