/* From a birth number to the slot of the live block that has it.
 *
 * Most deaths are told by steps and never ask. For the others the last RH_RECENT_BIRTHS births have
 * an entry each in a ring, cleared at death; what outlives its entry moves into a hash table, which
 * thus sees only the few blocks that grow old. Entries of the table are not removed at death: they
 * are recognised by their node's number and dropped when the table is next rebuilt, so memory stays
 * proportional to the live set.
 */
#ifndef REHEAP_TRACES_BIRTH_INDEX_H
#define REHEAP_TRACES_BIRTH_INDEX_H

#include <stdbool.h>
#include <stdint.h>

#include "traces/live_list.h"

enum { RH_RECENT_BIRTHS = 1 << 15 };

typedef struct rh_birth_index {
    uint32_t *recent; /* slot by the low bits of the birth number; 0: dead */
    uint32_t *old;    /* slots, open addressing by birth number; 0: free */
    uint64_t *old_birth;
    uint32_t old_places, old_used; /* places: a power of two */
    bool exhausted;                /* there was no memory: lookups may miss */
} rh_birth_index;

bool rh_birth_index_init(rh_birth_index *index); /* false: no memory */
void rh_birth_index_release(rh_birth_index *index);
void rh_birth_index_clear(rh_birth_index *index);

void rh_birth_index_keep(rh_birth_index *index, const rh_live_list *live, uint64_t birth,
                         uint32_t slot);

/* Notes that `slot` is about to be appended to `live`. */
static inline void
rh_birth_index_born(rh_birth_index *index, const rh_live_list *live, uint32_t slot)
{
    uint64_t birth = live->births;
    uint32_t *place = &index->recent[birth & (RH_RECENT_BIRTHS - 1)];
    if (__builtin_expect(*place != 0, 0))
        rh_birth_index_keep(index, live, birth - RH_RECENT_BIRTHS, *place);
    *place = slot;
}

static inline void
rh_birth_index_died(rh_birth_index *index, const rh_live_list *live, uint64_t birth)
{
    if (live->births - birth <= RH_RECENT_BIRTHS)
        index->recent[birth & (RH_RECENT_BIRTHS - 1)] = 0;
}

/* Makes an empty index of everything alive. */
void rh_birth_index_fill(rh_birth_index *index, const rh_live_list *live);

/* The slot of live block number `birth`; 0 when there is none. */
uint32_t rh_birth_index_find(const rh_birth_index *index, const rh_live_list *live, uint64_t birth);

#endif
