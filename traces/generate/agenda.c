#include "traces/generate/agenda.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_ROOM = 1 << 10 };

bool
rh_agenda_init(rh_agenda *agenda)
{
    memset(agenda, 0, sizeof *agenda);
    agenda->entry = malloc(FIRST_ROOM * sizeof *agenda->entry);
    agenda->room = agenda->entry ? FIRST_ROOM : 0;
    agenda->used = 1;
    agenda->next = UINT64_MAX;
    return agenda->entry;
}

void
rh_agenda_release(rh_agenda *agenda)
{
    free(agenda->entry);
    agenda->entry = NULL;
}

/* An entry to fill; 0 when there is no memory. */
static uint32_t
take_spare(rh_agenda *agenda)
{
    uint32_t place = agenda->spare;
    if (place) {
        agenda->spare = agenda->entry[place].after;
        return place;
    }
    if (agenda->used == agenda->room) {
        if (agenda->room > UINT32_MAX / 2)
            return 0;
        uint32_t room = agenda->room * 2;
        rh_agenda_entry *entry = realloc(agenda->entry, room * sizeof *entry);
        if (!entry)
            return 0;
        agenda->entry = entry;
        agenda->room = room;
    }
    return agenda->used++;
}

static void
append(rh_agenda *agenda, uint32_t place, uint32_t *first, uint32_t *last)
{
    agenda->entry[place].after = 0;
    if (*first)
        agenda->entry[*last].after = place;
    else
        *first = place;
    *last = place;
}

static void
sort_in(rh_agenda *agenda, uint32_t place)
{
    uint64_t time = agenda->entry[place].time;
    if (time <= agenda->clock) {
        append(agenda, place, &agenda->due, &agenda->due_last);
        return;
    }
    unsigned wheel = (63 - (unsigned)__builtin_clzll(time ^ agenda->clock)) / 8;
    unsigned slot = (unsigned)(time >> 8 * wheel) & 0xff;
    uint64_t begins = time >> 8 * wheel << 8 * wheel;
    if (begins < agenda->next)
        agenda->next = begins;
    append(agenda, place, &agenda->first[wheel][slot], &agenda->last[wheel][slot]);
    agenda->filled[wheel][slot / 64] |= UINT64_C(1) << slot % 64;
}

bool
rh_agenda_put(rh_agenda *agenda, uint64_t time, uint32_t what)
{
    uint32_t place = take_spare(agenda);
    if (!place)
        return false;
    agenda->entry[place].time = time;
    agenda->entry[place].what = what;
    agenda->entries++;
    sort_in(agenda, place);
    return true;
}

/* The first filled slot of a wheel; RH_AGENDA_SLOTS when there is none. No slot at or before the
 * clock's is ever filled. */
static unsigned
first_filled(const rh_agenda *agenda, unsigned wheel)
{
    for (unsigned i = 0; i < RH_AGENDA_SLOTS / 64; i++)
        if (agenda->filled[wheel][i])
            return i * 64 + (unsigned)__builtin_ctzll(agenda->filled[wheel][i]);
    return RH_AGENDA_SLOTS;
}

/* The time at which the next filled slot begins: that of its entries when it is in the lowest
 * wheel. */
static uint64_t
next_slot(const rh_agenda *agenda, unsigned *wheel, unsigned *slot)
{
    for (*wheel = 0; *wheel < RH_AGENDA_WHEELS; ++*wheel) {
        *slot = first_filled(agenda, *wheel);
        if (*slot == RH_AGENDA_SLOTS)
            continue;
        unsigned shift = 8 * *wheel;
        uint64_t above = shift == 56 ? 0 : agenda->clock >> (shift + 8) << (shift + 8);
        return above | (uint64_t)*slot << shift;
    }
    return UINT64_MAX;
}

static void
empty_slot(rh_agenda *agenda, unsigned wheel, unsigned slot)
{
    uint32_t place = agenda->first[wheel][slot];
    agenda->first[wheel][slot] = 0;
    agenda->filled[wheel][slot / 64] &= ~(UINT64_C(1) << slot % 64);
    while (place) {
        uint32_t after = agenda->entry[place].after;
        sort_in(agenda, place);
        place = after;
    }
}

void
rh_agenda_advance(rh_agenda *agenda, uint64_t time)
{
    assert(time >= agenda->clock);
    while (agenda->next <= time && agenda->next != UINT64_MAX) {
        unsigned wheel, slot;
        agenda->clock = next_slot(agenda, &wheel, &slot);
        empty_slot(agenda, wheel, slot);
        agenda->next = next_slot(agenda, &wheel, &slot);
    }
    agenda->clock = time;
}

bool
rh_agenda_take(rh_agenda *agenda, uint32_t *what)
{
    uint32_t place = agenda->due;
    if (!place)
        return false;
    rh_agenda_entry *entry = &agenda->entry[place];
    *what = entry->what;
    agenda->due = entry->after;
    entry->after = agenda->spare;
    agenda->spare = place;
    agenda->entries--;
    return true;
}

uint64_t
rh_agenda_next(const rh_agenda *agenda)
{
    unsigned wheel, slot;
    uint64_t next = next_slot(agenda, &wheel, &slot);
    if (wheel == 0 || next == UINT64_MAX)
        return next;
    next = UINT64_MAX;
    for (uint32_t at = agenda->first[wheel][slot]; at; at = agenda->entry[at].after)
        if (agenda->entry[at].time < next)
            next = agenda->entry[at].time;
    return next;
}
