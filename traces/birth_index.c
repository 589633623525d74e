#include "traces/birth_index.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_PLACES = 1 << 10 };

static uint32_t
place_of(uint64_t birth, uint32_t places)
{
    return (uint32_t)(birth * 0x9E3779B97F4A7C15u >> 32) & (places - 1);
}

bool
rh_birth_index_init(rh_birth_index *index)
{
    *index = (rh_birth_index){.recent = calloc(RH_RECENT_BIRTHS, sizeof *index->recent)};
    return index->recent != NULL;
}

void
rh_birth_index_release(rh_birth_index *index)
{
    free(index->recent);
    free(index->old);
    free(index->old_birth);
    *index = (rh_birth_index){0};
}

void
rh_birth_index_clear(rh_birth_index *index)
{
    memset(index->recent, 0, RH_RECENT_BIRTHS * sizeof *index->recent);
    if (index->old)
        memset(index->old, 0, index->old_places * sizeof *index->old);
    index->old_used = 0;
    index->exhausted = false;
}

static void
insert(rh_birth_index *index, uint64_t birth, uint32_t slot)
{
    uint32_t at = place_of(birth, index->old_places);
    while (index->old[at])
        at = (at + 1) & (index->old_places - 1);
    index->old[at] = slot;
    index->old_birth[at] = birth;
    index->old_used++;
}

/* A new table without the dead, at most a third full. */
static bool
rebuild(rh_birth_index *index, const rh_live_list *live)
{
    rh_birth_index fresh = *index;
    uint32_t alive = 0;
    for (uint32_t i = 0; i < index->old_places; i++)
        alive += index->old[i] && live->node[index->old[i]].birth == index->old_birth[i];
    fresh.old_places = FIRST_PLACES;
    while (fresh.old_places / 3 <= alive) {
        if (fresh.old_places > UINT32_MAX / 2)
            return false;
        fresh.old_places *= 2;
    }
    fresh.old_used = 0;
    fresh.old = calloc(fresh.old_places, sizeof *fresh.old);
    fresh.old_birth = malloc(fresh.old_places * sizeof *fresh.old_birth);
    if (!fresh.old || !fresh.old_birth) {
        free(fresh.old);
        free(fresh.old_birth);
        return false;
    }
    for (uint32_t i = 0; i < index->old_places; i++)
        if (index->old[i] && live->node[index->old[i]].birth == index->old_birth[i])
            insert(&fresh, index->old_birth[i], index->old[i]);
    free(index->old);
    free(index->old_birth);
    *index = fresh;
    return true;
}

void
rh_birth_index_keep(rh_birth_index *index, const rh_live_list *live, uint64_t birth, uint32_t slot)
{
    /* Half full at most, a third after a rebuild: each rebuild is paid for by a sixth of the
     * table's entries. */
    if (index->old_used >= index->old_places / 2 && !rebuild(index, live)) {
        index->exhausted = true;
        return;
    }
    insert(index, birth, slot);
}

void
rh_birth_index_fill(rh_birth_index *index, const rh_live_list *live)
{
    for (uint32_t at = live->node[0].after; at; at = live->node[at].after) {
        uint64_t birth = live->node[at].birth;
        if (live->births - birth <= RH_RECENT_BIRTHS)
            index->recent[birth & (RH_RECENT_BIRTHS - 1)] = at;
        else
            rh_birth_index_keep(index, live, birth, at);
    }
}

uint32_t
rh_birth_index_find(const rh_birth_index *index, const rh_live_list *live, uint64_t birth)
{
    if (birth >= live->births)
        return 0;
    if (live->births - birth <= RH_RECENT_BIRTHS)
        return index->recent[birth & (RH_RECENT_BIRTHS - 1)];
    if (!index->old_places)
        return 0;
    for (uint32_t at = place_of(birth, index->old_places); index->old[at];
         at = (at + 1) & (index->old_places - 1))
        if (index->old_birth[at] == birth)
            return live->node[index->old[at]].birth == birth ? index->old[at] : 0;
    return 0;
}
