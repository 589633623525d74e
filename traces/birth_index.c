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

/* Neighbours are spread, and a file cannot easily make numbers meet. */
static uint64_t
place_of(const rh_birth_index *index, uint64_t birth)
{
    birth = (birth ^ birth >> 31) * 0x9E3779B97F4A7C15u;
    birth = (birth ^ birth >> 32) * 0xD6E8FEB86659FD93u;
    return (birth ^ birth >> 29) & (index->old_places - 1);
}

static bool
make_old(rh_birth_index *index, uint64_t blocks)
{
    uint64_t places = FIRST_PLACES;
    while (places < blocks * 2)
        places *= 2;
    if (places <= index->old_places && places * 4 >= index->old_places) {
        memset(index->old, 0, index->old_places * sizeof *index->old);
        return true;
    }
    uint32_t *old = calloc(places, sizeof *old);
    if (!old)
        return false;
    free(index->old);
    index->old = old;
    index->old_places = places;
    return true;
}

/* Lists all that live. */
static bool
list_old(rh_birth_index *index, const rh_live_list *live)
{
    if (!make_old(index, live->blocks))
        return false;
    for (uint32_t at = live->link[0].after; at; at = live->link[at].after) {
        uint64_t place = place_of(index, live->node[at].birth);
        while (index->old[place])
            place = (place + 1) & (index->old_places - 1);
        index->old[place] = at;
    }
    index->old_until = live->births;
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
    uint64_t place = place_of(index, birth);
    for (uint32_t slot; (slot = index->old[place]); place = (place + 1) & (index->old_places - 1))
        if (live->node[slot].birth == birth)
            return slot;
    return 0;
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
