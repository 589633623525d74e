#include "traces/lives.h"

#include <stdlib.h>

bool
rh_lives_init(rh_lives *lives)
{
    bool good = rh_pointer_table_init(&lives->blocks);
    good = rh_pointer_table_init(&lives->owed) && good;
    lives->recent = calloc(RH_RECENT_DEATHS, sizeof *lives->recent);
    return good && lives->recent;
}

void
rh_lives_release(rh_lives *lives)
{
    rh_pointer_table_release(&lives->blocks);
    rh_pointer_table_release(&lives->owed);
    free(lives->recent);
}

rh_pointer_entry *
rh_lives_beside(rh_lives *lives, uint64_t key, uint64_t *place)
{
    rh_pointer_entry *entry = NULL;
    for (uint64_t i = 1; i <= RH_OVERLAPS; i++) {
        *place = key | i << RH_OVERLAP_SHIFT;
        entry = rh_pointer_find(&lives->blocks, *place);
        if (!entry->key)
            break;
    }
    lives->undecided++;
    return entry;
}

rh_pointer_entry *
rh_lives_dying(rh_lives *lives, uint64_t key)
{
    for (uint64_t i = rh_lives_may_overlap(lives, key) ? RH_OVERLAPS : 0; i > 0; i--) {
        rh_pointer_entry *entry = rh_pointer_find(&lives->blocks, key | i << RH_OVERLAP_SHIFT);
        if (entry->key)
            return entry;
    }
    return rh_pointer_find(&lives->blocks, key);
}

static bool
died_recently(const rh_lives *lives, uint64_t key)
{
    const uint64_t *kept = rh_lives_recent(lives, key);
    return kept[0] == key || kept[1] == key;
}

void
rh_lives_end(rh_lives *lives, rh_pointer_entry *entry)
{
    uint64_t key = entry->key & ~((uint64_t)RH_OVERLAPS << RH_OVERLAP_SHIFT);
    if (key != entry->key) {
        lives->overlapping--;
        --*rh_lives_overlapping_at(lives, key);
    }
    rh_lives_keep_death(lives, key);
    rh_pointer_remove(&lives->blocks, entry);
}

bool
rh_lives_begin(rh_lives *lives, rh_pointer_entry *entry, uint64_t key, uint32_t handle)
{
    if ((key & ~RH_NESTED_KEY) >> RH_OVERLAP_SHIFT) {
        lives->overlapping++;
        ++*rh_lives_overlapping_at(lives, key);
    }
    return rh_pointer_add(&lives->blocks, entry, key, handle);
}

bool
rh_lives_owe(rh_lives *lives, uint64_t key, uint32_t thread)
{
    rh_pointer_entry *entry = rh_pointer_find(&lives->owed, key);
    if (entry->key || !died_recently(lives, key))
        return false;
    lives->undecided++;
    lives->owed_deaths++;
    return rh_pointer_add(&lives->owed, entry, key, thread);
}
