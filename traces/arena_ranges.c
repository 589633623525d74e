#define _GNU_SOURCE /* tdestroy */
#include "traces/arena_ranges.h"

#include <search.h>
#include <stdlib.h>

/* In the tree ranges are equal when they share a byte. */
static int
by_place(const void *left, const void *right)
{
    const rh_arena_range *a = left, *b = right;
    if (a->start + (a->size - 1) < b->start)
        return -1;
    return b->start + (b->size - 1) < a->start;
}

static rh_arena_range *
touched(const rh_arena_ranges *arenas, const rh_arena_range *range)
{
    rh_arena_range **found = tfind(range, &arenas->tree, by_place);
    return found ? *found : NULL;
}

void
rh_arena_ranges_clear(rh_arena_ranges *arenas)
{
    tdestroy(arenas->tree, free);
    *arenas = (rh_arena_ranges){.tree = NULL};
}

rh_arena_verdict
rh_arena_ranges_add(rh_arena_ranges *arenas, const rh_arena_range *arena, rh_arena_range *other)
{
    if (arena->size == 0 || arena->start == 0 || arena->start + arena->size < arena->start)
        return RH_ARENA_NOWHERE;
    if (arenas->count >= RH_ARENAS_MAX)
        return RH_ARENA_TOO_MANY;
    rh_arena_range *added = malloc(sizeof *added);
    if (added)
        *added = *arena;
    rh_arena_range **found = added ? tsearch(added, &arenas->tree, by_place) : NULL;
    if (found && *found == added) {
        arenas->count++;
        return RH_ARENA_FINE;
    }
    free(added);
    if (!found)
        return RH_ARENA_NO_MEMORY;
    *other = **found;
    return RH_ARENA_OVERLAPS;
}

rh_arena_verdict
rh_arena_ranges_find(const rh_arena_ranges *arenas, const rh_arena_range *arena,
                     rh_arena_range *there)
{
    const rh_arena_range *found = touched(arenas, &(rh_arena_range){arena->start, 1});
    if (!found || found->start != arena->start)
        return RH_ARENA_UNKNOWN;
    *there = *found;
    return found->size == arena->size ? RH_ARENA_FINE : RH_ARENA_OTHER_SIZE;
}

void
rh_arena_ranges_remove(rh_arena_ranges *arenas, uint64_t start)
{
    rh_arena_range *found = touched(arenas, &(rh_arena_range){start, 1});
    tdelete(found, &arenas->tree, by_place);
    free(found);
    arenas->count--;
}

bool
rh_arena_ranges_touch(const rh_arena_ranges *arenas, const rh_arena_range *range)
{
    return touched(arenas, range) != NULL;
}

bool
rh_arena_ranges_hold(const rh_arena_ranges *arenas, const rh_arena_range *range)
{
    const rh_arena_range *found = touched(arenas, range);
    return found && found->start <= range->start &&
           range->start + range->size <= found->start + found->size;
}
