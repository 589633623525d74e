/* What the check of a part of a trace keeps of arenas, since it does not know which of them were
 * there before: their births and deaths in order, and between those the pages in which pooled
 * blocks lie. The check of the whole replays it.
 *
 * A page has to lie in one arena wholly, which is more than is asked of a block; where it does not,
 * the blocks themselves have to be looked at.
 */
#ifndef REHEAP_TRACES_ARENA_LOG_H
#define REHEAP_TRACES_ARENA_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "traces/arena_ranges.h"

enum { RH_ARENA_LOG_RECENT = 4096 };

typedef struct rh_arena_log {
    struct rh_arena_note {
        enum { RH_NOTE_BIRTH, RH_NOTE_DEATH, RH_NOTE_PAGE } what;
        rh_arena_range range;
    } * notes;
    size_t count, room;
    uint64_t recent[RH_ARENA_LOG_RECENT]; /* pages noted since the last death, and 1, by their low
                                             bits: they need not be noted again */
} rh_arena_log;

/* Each returns false when there is no memory or the log gets too long. Zeroed at first. */
bool rh_arena_log_birth(rh_arena_log *log, const rh_arena_range *arena);
bool rh_arena_log_death(rh_arena_log *log, const rh_arena_range *arena);
bool rh_arena_log_block(rh_arena_log *log, const rh_arena_range *block);

void rh_arena_log_release(rh_arena_log *log);

/* Does to `arenas` what the log says. False: something in it cannot be or is not clear, and they
 * are as they were. */
bool rh_arena_log_replay(const rh_arena_log *log, rh_arena_ranges *arenas);

#endif
