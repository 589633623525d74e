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

/* A token's meaning in the wording. */
static void
put_in_word(const rh_wording *wording, const rh_token_meaning *meaning, rh_token_word *token)
{
    rh_event event = meaning->event;
    uint64_t what = event.size | (uint64_t)event.domain << RH_LIVE_SHIFT;
    if (event.flags & RH_EVENT_NESTED)
        what |= RH_LIVE_NESTED;
    *token = (rh_token_word){.action = meaning->action, .what = what, .size = event.size};
    if (meaning->action >= RH_ACTION_RARE)
        return;
    if (meaning->action != RH_ACTION_NOTHING)
        event.slot = 0;
    bool as_born = meaning->action == RH_ACTION_DEATH && event.domain == RH_DOMAIN_AS_BORN;
    rh_word word = {0};
    for (unsigned domain = 0; domain < RH_EVENT_DOMAINS; domain++) {
        if (as_born)
            event.domain = (uint8_t)domain;
        if (as_born || domain == 0)
            if (!wording->word_for(wording->ctx, &event, &word))
                token->action = RH_ACTION_UNDEFINED;
        token->bits[domain] = word.bits;
    }
    token->tally = word.tally;
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
        if (decoder->wording)
            put_in_word(decoder->wording, &decoder->meaning[token], &decoder->word[token]);
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
            decoder->meaning[token].action = decoder->word[token].action = RH_ACTION_UNDEFINED;
        decoder->meaning[0].action = decoder->word[0].action = RH_ACTION_SPELLED;
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

static void
change_thread(rh_decoder *decoder, uint64_t thread)
{
    decoder->thread = (uint32_t)thread;
    if (decoder->thread >= decoder->threads)
        decoder->threads = decoder->thread + 1;
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
        change_thread(decoder, event->size);
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

/* The block at `code` steps from the gap. Four of five are at it or beside it, which is told apart
 * without a branch. */
static inline uint32_t
walk(const rh_live_link *link, uint32_t from, unsigned code)
{
    const rh_live_link *gap = &link[from];
    uint32_t beside = code & 1 ? gap->before : gap->after;
    uint32_t at = code ? beside : from;
    if (__builtin_expect(code <= 2, 1))
        return at;
    unsigned left = (code - 1) >> 1;
    if (code & 1)
        while (left--)
            at = link[at].before;
    else
        while (left--)
            at = link[at].after;
    return at;
}

/* The block that dies next, 0 when nothing valid is told. */
static inline uint32_t
find_dying(rh_decoder *decoder, rh_hot *hot)
{
    if (__builtin_expect(hot->step == decoder->steps.end, 0))
        return 0;
    unsigned code = *hot->step++;
    if (code == RH_STEP_FAR) {
        rh_live_list live = hot->live;
        return find_far(decoder, &live);
    }
    return walk(hot->live.link, hot->live.gap, code);
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

/* The bytes of a short shape, and how many: 0 when it is not one of a malloc or realloc in three to
 * five bytes, of which none is 0 throughout. */
static inline uint64_t
short_shape(const rh_cursor *rare, unsigned *bytes)
{
    uint64_t key;
    *bytes = 0;
    if (rare->end - rare->at < (ptrdiff_t)sizeof key)
        return 0;
    memcpy(&key, rare->at, sizeof key);
    if ((key & 0xCF) != RH_MALLOC && (key & 0xCF) != RH_REALLOC)
        return 0;
    unsigned length = key & 0x800000 ? key & 0x80000000 ? 5 : 4 : 3;
    if (key >> (8 * length - 1) & 1)
        return 0;
    *bytes = length;
    return (key & ((UINT64_C(1) << 8 * length) - 1)) | (uint64_t)length << 56;
}

static inline size_t
spelled_place(uint64_t key)
{
    return key * 0x9E3779B97F4A7C15u >> 55;
}

/* The word of a spelled-out shape; most were met before. NULL: it is nonsense. */
static const rh_token_word *
spell(rh_decoder *decoder, rh_cursor *rare, rh_token_word *said)
{
    unsigned bytes;
    uint64_t key = short_shape(rare, &bytes);
    size_t place = spelled_place(key);
    if (bytes && decoder->spelled_key[place] == key) {
        rare->at += bytes;
        return &decoder->spelled[place];
    }
    rh_shape shape;
    rh_token_meaning meaning;
    if (!rh_take_shape(rare, &shape))
        return NULL;
    understand(&shape, &meaning);
    put_in_word(decoder->wording, &meaning, said);
    if (bytes) {
        decoder->spelled_key[place] = key;
        decoder->spelled[place] = *said;
    }
    return said;
}

static void
skip_times(rh_decoder *decoder, rh_words *words)
{
    for (uint32_t i = 0; i < words->events; i++)
        decoder->time += (uint64_t)rh_unzigzag(rh_take_varint(&decoder->times));
    words->time_ns = decoder->time * decoder->time_unit;
    if (decoder->times.failed)
        fail(decoder, "times are missing");
}

/* What the loop over common events works on, in registers: no function is called while they are. */
typedef struct rh_talk {
    rh_live_link *link;
    rh_live_node *node;
    uint32_t *vacant; /* above the slot to be taken next */
    uint32_t *recent; /* where the next birth goes in the index */
    uint64_t births, bytes;
    uint32_t gap;
} rh_talk;

static inline rh_talk
begin_talk(const rh_decoder *decoder)
{
    const rh_live_list *live = &decoder->live;
    const rh_birth_index *births = &decoder->births;
    return (rh_talk){.link = live->link,
                     .node = live->node,
                     .vacant = live->vacant + live->vacancies,
                     .recent = births->recent + (live->births & (births->places - 1)),
                     .births = live->births,
                     .bytes = live->bytes,
                     .gap = live->gap};
}

static inline void
end_talk(rh_decoder *decoder, const rh_talk *talk, uint64_t deaths)
{
    rh_live_list *live = &decoder->live;
    live->blocks += talk->births - live->births - deaths;
    live->vacancies = (uint32_t)(talk->vacant - live->vacant);
    live->births = talk->births;
    live->bytes = talk->bytes;
    live->gap = talk->gap;
    rh_live_count_used(live);
}

static inline void
talk_append(rh_talk *talk, uint32_t slot, const rh_token_word *token)
{
    uint32_t youngest = talk->link[0].before;
    talk->link[slot] = (rh_live_link){youngest, 0};
    talk->link[youngest].after = slot;
    talk->link[0].before = slot;
    talk->node[slot] = (rh_live_node){talk->births++, token->what};
    *talk->recent++ = slot;
    talk->bytes += token->size;
}

static inline void
talk_unlink(rh_talk *talk, uint32_t slot)
{
    rh_live_link gone = talk->link[slot];
    talk->link[gone.before].after = gone.after;
    talk->link[gone.after].before = gone.before;
    talk->gap = gone.after;
    talk->bytes -= rh_live_size(&talk->node[slot]);
}

/* The word of a birth that is spelled out next and was met before; NULL: speak_one looks closer. A
 * recording of many sizes spells a quarter of its events, and leaving the loop below for each took
 * 2 ns an event. */
static inline const rh_token_word *
recall_birth(rh_decoder *decoder)
{
    unsigned bytes;
    uint64_t key = short_shape(&decoder->rare, &bytes);
    size_t place = spelled_place(key);
    if (bytes == 0 || decoder->spelled_key[place] != key ||
        decoder->spelled[place].action != RH_ACTION_BIRTH)
        return NULL;
    decoder->rare.at += bytes;
    return &decoder->spelled[place];
}

/* Births and deaths as words, from the decoder's place to `end` or to a token that is neither, or a
 * death told by its number. There is room for all of them, and as many steps if any. */
static __attribute__((noinline)) void
speak_common(rh_decoder *decoder, const uint8_t *end, rh_words *words)
{
    static const uint8_t no_step = RH_STEP_FAR;
    const uint8_t *at = decoder->tokens.at, *first = at;
    const uint8_t *step = decoder->steps.at, *first_step = step;
    if (step == decoder->steps.end)
        step = first_step = &no_step;
    const rh_token_word *table = decoder->word;
    uint64_t *word = words->word;
    rh_tally tally = words->tally;
    rh_talk talk = begin_talk(decoder);
    for (; at < end; at++) {
        const rh_token_word *token = &table[*at];
        if (__builtin_expect(token->action == RH_ACTION_SPELLED, 0))
            if (!(token = recall_birth(decoder)))
                break;
        uint64_t bits;
        uint32_t slot;
        if (token->action == RH_ACTION_BIRTH) {
            slot = *--talk.vacant;
            bits = token->bits[0];
            talk_append(&talk, slot, token);
        } else {
            unsigned code = *step;
            if (__builtin_expect(token->action != RH_ACTION_DEATH || code == RH_STEP_FAR, 0))
                break;
            slot = walk(talk.link, talk.gap, code);
            rh_live_node *node = &talk.node[slot];
            if (__builtin_expect(slot == 0 || rh_live_size(node) > RH_WORD_SIZE_MAX, 0))
                break;
            step++;
            bits = token->bits[rh_live_domain(node)] | node->what << RH_WORD_SIZE_SHIFT;
            talk_unlink(&talk, slot);
            node->birth = RH_LIVE_NONE;
            *talk.vacant++ = slot;
        }
        word[(uint16_t)tally] = bits | (uint64_t)slot << RH_WORD_SLOT_SHIFT;
        tally += token->tally;
    }
    words->tally = tally;
    words->events += (uint32_t)(at - first);
    decoder->tokens.at = at;
    end_talk(decoder, &talk, (uint64_t)(step - first_step));
    decoder->steps.at += step - first_step;
}

/* How many tokens there is room for at once: in the caller's room, in the ring of births before it
 * starts over, and with as many steps. */
static size_t
common_room(const rh_decoder *decoder, size_t room)
{
    const rh_birth_index *births = &decoder->births;
    size_t left = (size_t)(decoder->tokens.end - decoder->tokens.at);
    size_t steps = (size_t)(decoder->steps.end - decoder->steps.at);
    uint64_t ring = births->places - (decoder->live.births & (births->places - 1));
    room = room < left ? room : left;
    room = steps && steps < room ? steps : room;
    return ring < room ? (size_t)ring : room;
}

/* Does to the list what the token says, and makes the word's bits. False: it is about a block that
 * is not alive. */
static bool
speak_of(rh_decoder *decoder, const rh_token_word *token, uint64_t *bits)
{
    rh_hot hot;
    uint32_t slot = 0;
    rh_cursor distances = decoder->distances;
    pick_up(&hot, decoder);
    *bits = token->bits[0];
    if (token->action == RH_ACTION_BIRTH) {
        slot = rh_live_take_slot(&hot.live);
    } else if (token->action != RH_ACTION_NOTHING) {
        slot = find_dying(decoder, &hot);
        bool dies = token->action == RH_ACTION_DEATH;
        if (!slot || (dies && rh_live_size(&hot.live.node[slot]) > RH_WORD_SIZE_MAX)) {
            decoder->distances = distances;
            return false;
        }
        rh_live_unlink(&hot.live, slot);
    }
    if (token->action == RH_ACTION_DEATH) {
        const rh_live_node *node = &hot.live.node[slot];
        *bits = token->bits[rh_live_domain(node)] | node->what << RH_WORD_SIZE_SHIFT;
        rh_live_give_slot(&hot.live, slot);
    } else if (slot) {
        rh_birth_index_born(&decoder->births, &hot.live, slot);
        rh_live_append(&hot.live, slot, token->what);
    }
    put_down(&hot, decoder);
    *bits |= (uint64_t)slot << RH_WORD_SLOT_SHIFT;
    return true;
}

/* One token of any kind. False when an event is needed for it or it makes no sense: then nothing
 * was consumed, and decoding it as an event goes on or tells. */
static __attribute__((noinline)) bool
speak_one(rh_decoder *decoder, rh_words *words)
{
    uint8_t byte = *decoder->tokens.at;
    const rh_token_meaning *meaning = &decoder->meaning[byte];
    const rh_token_word *token = &decoder->word[byte];
    rh_cursor rare = decoder->rare;
    rh_token_word said;
    if (meaning->action == RH_ACTION_THREAD) {
        change_thread(decoder, meaning->event.size);
        decoder->tokens.at++;
        return true;
    }
    if (meaning->action == RH_ACTION_SPELLED)
        token = spell(decoder, &rare, &said);
    uint64_t bits;
    if (!token || token->action >= RH_ACTION_RARE || !speak_of(decoder, token, &bits))
        return false;
    decoder->rare = rare;
    decoder->tokens.at++;
    words->word[(uint16_t)words->tally] = bits;
    words->tally += token->tally;
    words->events++;
    return true;
}

bool
rh_decoder_words(rh_decoder *decoder, rh_words *words)
{
    words->events = 0;
    words->tally = words->time_ns = 0;
    if (decoder->has_addresses || decoder->live.stocked > RH_WORD_SLOTS)
        return false;
    bool all = true;
    while (all && words->events < words->capacity && decoder->tokens.at < decoder->tokens.end) {
        size_t room = common_room(decoder, words->capacity - words->events);
        const uint8_t *end = decoder->tokens.at + room;
        speak_common(decoder, end, words);
        all = decoder->tokens.at == end || speak_one(decoder, words);
    }
    if (decoder->time_unit)
        skip_times(decoder, words);
    if (!decoder->problem && decoder->tokens.at == decoder->tokens.end)
        end_block(decoder);
    return all;
}

void
rh_decoder_use_wording(rh_decoder *decoder, const rh_wording *wording)
{
    decoder->wording = wording;
    memset(decoder->spelled_key, 0, sizeof decoder->spelled_key);
}
