/* From a birth number to the slot of the live block that has it.
 *
 * Most deaths are told by steps and never ask, so births must cost next to nothing: the last ones
 * have an entry each in a ring, one store and no more. The ring has room for a multiple of the live
 * set. When a block is asked for that was born before those, all blocks that live are put into a
 * hash table, which is good until one is asked for that was born later and has left the ring
 * meanwhile: a whole ring of births lies between two such listings. Entries of the dead stay in
 * both and are recognised by their node's number.
 */
#ifndef REHEAP_TRACES_BIRTH_INDEX_H
#define REHEAP_TRACES_BIRTH_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "traces/live_list.h"

typedef struct rh_birth_index {
    uint32_t *recent;     /* slot by the low bits of the birth number */
    uint64_t places;      /* in it: a power of two */
    uint64_t recent_from; /* births before this one are not in the ring */
    uint32_t *old;        /* slots, by a hash of the birth number; 0: none */
    uint64_t old_places;  /* a power of two */
    uint64_t old_until;   /* blocks alive and born before this one are in `old` */
    bool exhausted;       /* there was no memory: lookups may miss */
} rh_birth_index;

bool rh_birth_index_init(rh_birth_index *index); /* false: no memory */
void rh_birth_index_release(rh_birth_index *index);

/* Forgets everything: the live set is about to be replaced, and births go on from `births`. */
void rh_birth_index_restart(rh_birth_index *index, uint64_t births);

/* Notes that `slot` is about to be appended to `live`. */
static inline void
rh_birth_index_born(rh_birth_index *index, const rh_live_list *live, uint32_t slot)
{
    index->recent[live->births & (index->places - 1)] = slot;
}

/* The slot of live block number `birth`; 0 when there is none. */
uint32_t rh_birth_index_find(rh_birth_index *index, const rh_live_list *live, uint64_t birth);

#endif
