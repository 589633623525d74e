#include "traces/birth_index.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_PLACES = 1 << 15, PLACES_A_LIVE_BLOCK = 4 };

bool
rh_birth_index_init(rh_birth_index *index)
{
    *index = (rh_birth_index){.recent = calloc(FIRST_PLACES, sizeof *index->recent),
                              .places = FIRST_PLACES};
    return index->recent != NULL;
}

void
rh_birth_index_release(rh_birth_index *index)
{
    free(index->recent);
    free(index->old);
    *index = (rh_birth_index){0};
}

void
rh_birth_index_restart(rh_birth_index *index, uint64_t births)
{
    index->recent_from = births;
    index->old_count = 0;
    index->old_until = 0;
}

/* The first birth that the ring has an entry for. */
static uint64_t
ring_start(const rh_birth_index *index, const rh_live_list *live)
{
    uint64_t start = live->births > index->places ? live->births - index->places : 0;
    return start > index->recent_from ? start : index->recent_from;
}

static bool
widen(rh_birth_index *index, const rh_live_list *live)
{
    uint64_t places = index->places;
    while (places < live->blocks * PLACES_A_LIVE_BLOCK)
        places *= 2;
    if (places == index->places)
        return true;
    uint32_t *recent = calloc(places, sizeof *recent);
    if (!recent)
        return false;
    uint64_t start = ring_start(index, live);
    for (uint64_t birth = start; birth < live->births; birth++)
        recent[birth & (places - 1)] = index->recent[birth & (index->places - 1)];
    free(index->recent);
    index->recent = recent;
    index->places = places;
    index->recent_from = start;
    return true;
}

/* Copies out the list up to where the ring begins. */
static bool
list_old(rh_birth_index *index, const rh_live_list *live)
{
    uint64_t until = ring_start(index, live);
    struct rh_old_birth *old = realloc(index->old, (live->blocks + 1) * sizeof *old);
    if (!old)
        return false;
    index->old = old;
    index->old_count = 0;
    for (uint32_t at = live->link[0].after; at && live->node[at].birth < until;
         at = live->link[at].after)
        old[index->old_count++] = (struct rh_old_birth){live->node[at].birth, at};
    index->old_until = until;
    return widen(index, live);
}

static uint32_t
alive(const rh_live_list *live, uint32_t slot, uint64_t birth)
{
    return live->node[slot].birth == birth ? slot : 0;
}

static uint32_t
find_old(const rh_birth_index *index, const rh_live_list *live, uint64_t birth)
{
    size_t low = 0, high = index->old_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (index->old[middle].birth < birth)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == index->old_count || index->old[low].birth != birth)
        return 0;
    return alive(live, index->old[low].slot, birth);
}

uint32_t
rh_birth_index_find(rh_birth_index *index, const rh_live_list *live, uint64_t birth)
{
    if (birth >= live->births)
        return 0;
    if (birth >= ring_start(index, live))
        return alive(live, index->recent[birth & (index->places - 1)], birth);
    if (birth >= index->old_until && !list_old(index, live)) {
        index->exhausted = true;
        return 0;
    }
    return find_old(index, live, birth);
}
