#include "traces/ring_view.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "traces/recorder/ring_room.h"
#include "traces/recorder/short_record.h"

enum {
    UNPACKED_BYTES = 16 << 10,
    WORD = sizeof(uint64_t),
    LONGEST_TEXT = UNPACKED_BYTES / 2 /* a longer one is a stray write */
};

bool
rh_ring_view_begin(rh_ring_view *view, rh_ring *ring, const unsigned char *memory, uint64_t bytes,
                   bool short_records)
{
    *view = (rh_ring_view){
        .ring = ring, .records = memory, .mask = bytes - 1, .memory = memory, .bytes = bytes};
    if (!short_records)
        return true;
    view->unpacked = malloc(UNPACKED_BYTES);
    view->records = (unsigned char *)view->unpacked;
    view->mask = UNPACKED_BYTES - 1;
    return view->unpacked != NULL;
}

void
rh_ring_view_end(rh_ring_view *view)
{
    free(view->unpacked);
    view->unpacked = NULL;
}

/* How far the ring has been read, in its own bytes. */
static uint64_t
read_so_far(const rh_ring_view *view)
{
    return view->unpacked ? view->read : view->at;
}

bool
rh_ring_view_wants_more(const rh_ring_view *view)
{
    return view->unpacked && !view->answered &&
           atomic_load_explicit(&view->ring->wanted, memory_order_relaxed) != 0;
}

void
rh_ring_view_offer(rh_ring_view *view, const unsigned char *memory, uint32_t number)
{
    view->answered = true;
    view->large = memory;
    atomic_store(&view->ring->large, memory ? number + 1 : (uint32_t)RH_LARGE_NONE);
}

/* The writer moves when all is read, before it writes more: so what has not been read yet lies in
 * one of the two. */
static void
move_with_writer(rh_ring_view *view)
{
    if (view->large && atomic_load_explicit(&view->ring->moved_at, memory_order_relaxed) != 0) {
        view->memory = view->large;
        view->bytes = RH_LARGE_RING_BYTES;
    }
}

void
rh_ring_view_look(rh_ring_view *view)
{
    const uint64_t unit = view->unpacked ? WORD : sizeof(rh_record), read = read_so_far(view);
    uint64_t seen = atomic_load_explicit(&view->ring->cursor, memory_order_acquire);
    move_with_writer(view);
    /* A stray write may have hit the cursor; a ring never holds more than itself. */
    if (seen - read > view->bytes || seen % unit)
        seen = read;
    view->seen = seen;
    if (!view->unpacked)
        view->end = seen;
}

static uint64_t
word_at(const rh_ring_view *view, uint64_t at)
{
    uint64_t word;
    memcpy(&word, view->memory + (at & (view->bytes - 1)), sizeof word);
    return word;
}

static rh_record
long_record(const rh_ring_view *view, uint64_t at)
{
    return (rh_record){word_at(view, at), word_at(view, at + WORD)};
}

static void
put(rh_ring_view *view, rh_record record)
{
    view->unpacked[(view->end & view->mask) / sizeof record] = record;
    view->end += sizeof record;
}

static uint64_t
bytes_of_text(const rh_record *record)
{
    uint64_t length = record->amount & RH_AMOUNT_SIZE_MASK;
    return (length + sizeof *record - 1) / sizeof *record * sizeof *record;
}

/* A record as it is, behind the word that says so. False: not yet. */
static bool
unpack_long(rh_ring_view *view, bool last)
{
    const uint64_t at = view->read + WORD, left = view->seen - view->read;
    if (left < WORD + sizeof(rh_record))
        return false;
    rh_record record = long_record(view, at);
    const unsigned kind = (unsigned)(record.what >> RH_RECORD_KIND_SHIFT & 0xff);
    uint64_t text = 0;
    if (kind == RH_RECORD_MARK) {
        /* Whoever takes it wants all of it. */
        const uint64_t room = view->mask + 1 - (view->end - view->at);
        text = bytes_of_text(&record);
        if (text > LONGEST_TEXT) {
            view->read += WORD + sizeof record;
            return true;
        }
        if (room < text + sizeof record || (left < WORD + sizeof record + text && !last))
            return false;
    }
    if (kind != RH_RECORD_CHECKPOINT && kind != RH_RECORD_PLACE)
        put(view, record);
    view->read += WORD + sizeof record;
    for (; text > 0 && view->seen - view->read >= sizeof record; text -= sizeof record) {
        put(view, long_record(view, view->read));
        view->read += sizeof record;
    }
    if (text > 0)
        view->read = view->seen;
    return true;
}

/* A new place of the thread's; also whose ring it is from here on. */
static bool
unpack_place(rh_ring_view *view, uint64_t word)
{
    if (view->seen - view->read < 2 * WORD)
        return false;
    view->thread = rh_short_thread(word) << RH_AMOUNT_THREAD_SHIFT;
    put(view, (rh_record){(uint64_t)RH_RECORD_PLACE << RH_RECORD_KIND_SHIFT,
                          word_at(view, view->read + WORD)});
    view->read += 2 * WORD;
    return true;
}

static bool
unpack_other(rh_ring_view *view, uint64_t word, bool last)
{
    switch (rh_short_kind(word)) {
    case RH_SHORT_LONG:
        return unpack_long(view, last);
    case RH_RECORD_PLACE:
        return unpack_place(view, word);
    case RH_SHORT_CALLOC:
    case RH_SHORT_CALLOC_ONE:
    case RH_SHORT_CALLOC_BYTES:
    case RH_RECORD_REALLOC_FROM:
    case RH_RECORD_REALLOC:
    case RH_RECORD_REALLOC_NULL:
    case RH_RECORD_GONE:
        put(view, rh_short_unpack(word, view->thread));
        break;
    default: /* what a stray write could leave */
        break;
    }
    view->read += WORD;
    return true;
}

void
rh_ring_view_unpack(rh_ring_view *view, bool last)
{
    const uint64_t full = view->at + view->mask + 1;
    while (view->read < view->seen && view->end < full) {
        const uint64_t word = word_at(view, view->read);
        const unsigned kind = rh_short_kind(word);
        if (kind == RH_RECORD_MALLOC || kind == RH_RECORD_FREE) {
            put(view, rh_short_unpack(word, view->thread));
            view->read += WORD;
        } else if (!unpack_other(view, word, last)) {
            break;
        }
    }
    if (view->read - view->given_back >= view->bytes / 8)
        rh_ring_view_give_back(view);
}

uint64_t
rh_ring_view_waiting(const rh_ring_view *view)
{
    uint64_t records = (view->end - view->at) / sizeof(rh_record);
    return view->unpacked ? records + (view->seen - view->read) / WORD : records;
}

void
rh_ring_view_give_back(rh_ring_view *view)
{
    const uint64_t read = read_so_far(view);
    if (read == view->given_back)
        return;
    view->given_back = read;
    rh_ring_room_give(view->ring, read);
}

void
rh_ring_view_recycle(rh_ring_view *view)
{
    uint32_t left = 2;
    if (atomic_load_explicit(&view->ring->owner, memory_order_acquire) == left &&
        atomic_load_explicit(&view->ring->cursor, memory_order_acquire) == read_so_far(view) &&
        view->at == view->end)
        atomic_compare_exchange_strong(&view->ring->owner, &left, 0);
}
