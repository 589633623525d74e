#include "traces/arena_log.h"

#include <stdlib.h>
#include <string.h>

enum { PAGE_BITS = 12, NOTES_MAX = 1 << 19 };

static bool
put(rh_arena_log *log, struct rh_arena_note note)
{
    if (log->count == log->room) {
        size_t room = log->room ? log->room * 2 : 64;
        struct rh_arena_note *notes =
            room <= NOTES_MAX ? realloc(log->notes, room * sizeof *notes) : NULL;
        if (!notes)
            return false;
        log->notes = notes;
        log->room = room;
    }
    log->notes[log->count++] = note;
    return true;
}

bool
rh_arena_log_birth(rh_arena_log *log, const rh_arena_range *arena)
{
    return put(log, (struct rh_arena_note){RH_NOTE_BIRTH, *arena});
}

bool
rh_arena_log_death(rh_arena_log *log, const rh_arena_range *arena)
{
    memset(log->recent, 0, sizeof log->recent);
    return put(log, (struct rh_arena_note){RH_NOTE_DEATH, *arena});
}

bool
rh_arena_log_block(rh_arena_log *log, const rh_arena_range *block)
{
    uint64_t page = block->start >> PAGE_BITS;
    uint64_t last = (block->start + (block->size ? block->size - 1 : 0)) >> PAGE_BITS;
    for (; page <= last; page++) {
        uint64_t *recent = &log->recent[page % RH_ARENA_LOG_RECENT];
        if (*recent == page + 1)
            continue;
        *recent = page + 1;
        rh_arena_range range = {page << PAGE_BITS, 1 << PAGE_BITS};
        if (!put(log, (struct rh_arena_note){RH_NOTE_PAGE, range}))
            return false;
    }
    return true;
}

void
rh_arena_log_release(rh_arena_log *log)
{
    free(log->notes);
    log->notes = NULL;
    log->count = log->room = 0;
}

static bool
apply(rh_arena_ranges *arenas, const struct rh_arena_note *note)
{
    rh_arena_range other;
    switch (note->what) {
    case RH_NOTE_BIRTH:
        return rh_arena_ranges_add(arenas, &note->range, &other) == RH_ARENA_FINE;
    case RH_NOTE_DEATH:
        if (rh_arena_ranges_find(arenas, &note->range, &other) != RH_ARENA_FINE)
            return false;
        rh_arena_ranges_remove(arenas, note->range.start);
        return true;
    default:
        return rh_arena_ranges_hold(arenas, &note->range);
    }
}

static void
revoke(rh_arena_ranges *arenas, const struct rh_arena_note *note)
{
    rh_arena_range other;
    if (note->what == RH_NOTE_BIRTH)
        rh_arena_ranges_remove(arenas, note->range.start);
    else if (note->what == RH_NOTE_DEATH)
        rh_arena_ranges_add(arenas, &note->range, &other);
}

bool
rh_arena_log_replay(const rh_arena_log *log, rh_arena_ranges *arenas)
{
    for (size_t i = 0; i < log->count; i++) {
        if (apply(arenas, &log->notes[i]))
            continue;
        while (i-- > 0)
            revoke(arenas, &log->notes[i]);
        return false;
    }
    return true;
}
