/* Records lie one behind the other in units of 16 bytes, and a record's number is its first unit:
 *
 *   | hash, 8 bytes | count, 4 | total, 4 | frame | frame | ...
 *
 * An open-addressing table of numbers, at most half full, finds them again by hash. */
#include "alloc/traceback.h"

#include <stdio.h>
#include <string.h>

#include <xxhash.h>

typedef struct record {
    uint64_t hash;
    uint32_t count, total;
} record;

_Static_assert(sizeof(record) == sizeof(rh_frame), "a record is counted in units of its frames");

enum { UNIT = sizeof(record), FIRST_RECORD = RH_TRACEBACK_UNKNOWN + 1, FIRST_SLOTS = 1024 };

static record *
record_at(const rh_tracebacks *tracebacks, uint32_t number)
{
    return (record *)tracebacks->records.base + number;
}

static size_t
slot_count(const rh_tracebacks *tracebacks)
{
    size_t count = tracebacks->slots.bytes / sizeof(uint32_t);
    while (count & (count - 1))
        count &= count - 1; /* the largest power of two */
    return count;
}

void
rh_tracebacks_release(rh_tracebacks *tracebacks)
{
    rh_side_memory_release(&tracebacks->records);
    rh_side_memory_release(&tracebacks->slots);
    *tracebacks = (rh_tracebacks){.next = 0};
}

/* Puts every number into a table twice as large. */
static bool
grow_slots(rh_tracebacks *tracebacks)
{
    size_t count = slot_count(tracebacks);
    count = count ? count * 2 : FIRST_SLOTS;
    rh_side_memory bigger = {.base = NULL};
    if (!rh_side_memory_grow(&bigger, count * sizeof(uint32_t)))
        return false;
    uint32_t *slots = bigger.base, number = FIRST_RECORD;
    for (uint32_t i = 0; i < tracebacks->count; i++) {
        const record *here = record_at(tracebacks, number);
        size_t at = (size_t)here->hash & (count - 1);
        while (slots[at])
            at = (at + 1) & (count - 1);
        slots[at] = number;
        number += 1 + here->count;
    }
    rh_side_memory_release(&tracebacks->slots);
    tracebacks->slots = bigger;
    return true;
}

static bool
is_same(const record *here, uint64_t hash, const rh_frame *frames, size_t count, uint32_t total)
{
    return here->hash == hash && here->count == count && here->total == total &&
           memcmp(here + 1, frames, count * sizeof *frames) == 0;
}

uint32_t
rh_tracebacks_intern(rh_tracebacks *tracebacks, const rh_frame *frames, size_t count, size_t total)
{
    uint32_t kept_total = total < RH_FRAMES_MOST ? (uint32_t)total : RH_FRAMES_MOST;
    uint64_t hash = XXH3_64bits_withSeed(frames, count * sizeof *frames, kept_total);
    if (tracebacks->count >= slot_count(tracebacks) / 2 && !grow_slots(tracebacks))
        return 0;
    uint32_t *slots = tracebacks->slots.base;
    size_t mask = slot_count(tracebacks) - 1, at = (size_t)hash & mask;
    for (; slots[at]; at = (at + 1) & mask)
        if (is_same(record_at(tracebacks, slots[at]), hash, frames, count, kept_total))
            return slots[at];
    uint64_t number = tracebacks->next ? tracebacks->next : FIRST_RECORD;
    uint64_t next = number + 1 + count;
    if (next > UINT32_MAX || !rh_side_memory_grow(&tracebacks->records, (size_t)next * UNIT))
        return 0;
    record *made = record_at(tracebacks, (uint32_t)number);
    *made = (record){hash, (uint32_t)count, kept_total};
    memcpy(made + 1, frames, count * sizeof *frames);
    slots[at] = (uint32_t)number;
    tracebacks->next = (uint32_t)next;
    tracebacks->count++;
    return (uint32_t)number;
}

rh_traceback
rh_tracebacks_get(const rh_tracebacks *tracebacks, uint32_t number)
{
    static const rh_frame unknown = {0, 0};
    if (number < FIRST_RECORD)
        return (rh_traceback){1, 1, &unknown};
    const record *here = record_at(tracebacks, number);
    return (rh_traceback){here->count, here->total, (const rh_frame *)(here + 1)};
}

bool
rh_tracebacks_copy(rh_tracebacks *copy, const rh_tracebacks *tracebacks)
{
    size_t bytes = (size_t)tracebacks->next * UNIT;
    if (bytes && !rh_side_memory_grow(&copy->records, bytes))
        return false;
    if (bytes)
        memcpy(copy->records.base, tracebacks->records.base, bytes);
    copy->next = tracebacks->next;
    copy->count = tracebacks->count; /* without slots: a copy is only read */
    return true;
}

size_t
rh_tracebacks_bytes(const rh_tracebacks *tracebacks)
{
    return tracebacks->records.bytes + tracebacks->slots.bytes;
}

char *
rh_frame_name(const rh_frame_provider *provider, const rh_frame *frame, char *text, size_t capacity)
{
    if (!frame->place || !provider)
        snprintf(text, capacity, "<unknown>");
    else if (provider->name)
        provider->name(provider->ctx, frame->place, text, capacity);
    else
        snprintf(text, capacity, "%s", (const char *)frame->place);
    return text;
}
