#include "traces/arena_set.h"

#include <stdlib.h>

enum { FIRST_SLOTS = 64 };

/* No address lies in an arena that begins here. */
#define NOWHERE (UINT64_MAX / 2)

bool
rh_arena_set_init(rh_arena_set *set, uint64_t arena_bytes)
{
    *set = (rh_arena_set){.mask = FIRST_SLOTS - 1, .last = NOWHERE};
    while ((arena_bytes >> set->size_log2) > 1)
        set->size_log2++;
    set->bases = calloc(FIRST_SLOTS, sizeof *set->bases);
    return set->bases != NULL;
}

void
rh_arena_set_release(rh_arena_set *set)
{
    free(set->bases);
    *set = (rh_arena_set){0};
}

/* The slot of the arena that begins in `stretch`, or the free one where it would be. */
static size_t
find(const rh_arena_set *set, uint64_t stretch)
{
    size_t at = (size_t)((stretch * UINT64_C(0x9E3779B97F4A7C15)) >> 32) & set->mask;
    while (set->bases[at] && set->bases[at] >> set->size_log2 != stretch)
        at = (at + 1) & set->mask;
    return at;
}

static bool
grow(rh_arena_set *set)
{
    rh_arena_set bigger = *set;
    bigger.mask = set->mask * 2 + 1;
    bigger.bases = calloc(bigger.mask + 1, sizeof *bigger.bases);
    if (!bigger.bases)
        return false;
    for (size_t i = 0; i <= set->mask; i++) {
        if (set->bases[i])
            bigger.bases[find(&bigger, set->bases[i] >> set->size_log2)] = set->bases[i];
    }
    free(set->bases);
    *set = bigger;
    return true;
}

bool
rh_arena_set_add(rh_arena_set *set, uint64_t base)
{
    size_t at = find(set, base >> set->size_log2);
    if (set->bases[at] || base == 0)
        return true;
    set->bases[at] = base;
    return ++set->used * 2 <= set->mask + 1 || grow(set);
}

bool
rh_arena_set_remove(rh_arena_set *set, uint64_t base)
{
    size_t hole = find(set, base >> set->size_log2);
    if (set->bases[hole] != base || base == 0)
        return false;
    set->last = NOWHERE;
    set->bases[hole] = 0;
    set->used--;
    /* Those behind it may have been put off by it: each finds its place anew. */
    for (size_t at = (hole + 1) & set->mask; set->bases[at]; at = (at + 1) & set->mask) {
        uint64_t moved = set->bases[at];
        set->bases[at] = 0;
        set->bases[find(set, moved >> set->size_log2)] = moved;
    }
    return true;
}

bool
rh_arena_set_search(rh_arena_set *set, uint64_t address)
{
    uint64_t stretch = address >> set->size_log2;
    for (uint64_t back = 0; back < 2; back++) {
        uint64_t base = set->bases[find(set, stretch - back)];
        if (base && (address - base) >> set->size_log2 == 0) {
            set->last = base;
            return true;
        }
    }
    return false;
}
