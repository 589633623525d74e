#include "replay/locality.h"

#include <stdbool.h>
#include <string.h>

#define PAGE_SHIFT 12
#define LINE_SHIFT 6
#define HASH       UINT64_C(0x9E3779B97F4A7C15)
#define TABLE_BITS 12
_Static_assert(1 << TABLE_BITS == RH_LOCALITY_TABLE, "the table has so many places");

void
rh_locality_begin(rh_locality *locality)
{
    memset(locality, 0, sizeof *locality);
    locality->pages.round = locality->lines.round = 1;
}

/* False: it was in the set. */
static bool
add(rh_address_set *set, uint64_t key)
{
    uint32_t place = (uint32_t)(key * HASH >> (64 - TABLE_BITS));
    uint64_t wanted = key * RH_LOCALITY_ROUNDS | set->round;
    while (set->place[place] % RH_LOCALITY_ROUNDS == set->round) {
        if (set->place[place] == wanted)
            return false;
        place = (place + 1) % RH_LOCALITY_TABLE;
    }
    set->place[place] = wanted;
    set->count++;
    return true;
}

static uint32_t
empty(rh_address_set *set)
{
    uint32_t count = set->count;
    set->count = 0;
    if (++set->round == RH_LOCALITY_ROUNDS) { /* old ones must not look like new ones */
        memset(set->place, 0, sizeof set->place);
        set->round = 1;
    }
    return count;
}

/* The page of a line that was named has been, too. */
void
rh_locality_name(rh_locality *locality, const void *block)
{
    if (add(&locality->lines, (uintptr_t)block >> LINE_SHIFT))
        add(&locality->pages, (uintptr_t)block >> PAGE_SHIFT);
}

void
rh_locality_count(rh_locality *locality)
{
    if (++locality->events < RH_LOCALITY_WINDOW)
        return;
    locality->events = 0;
    locality->windows++;
    locality->pages_sum += empty(&locality->pages);
    locality->lines_sum += empty(&locality->lines);
}
