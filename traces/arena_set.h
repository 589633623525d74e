/* The recorded allocator's living arenas, and whether an address lies in one of them. All are of
 * one size, so that an address can be in the arena that begins in its own stretch of that size or
 * in the one before; a small table finds both. */
#ifndef REHEAP_TRACES_ARENA_SET_H
#define REHEAP_TRACES_ARENA_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct rh_arena_set {
    uint64_t *bases; /* by stretch, open addressing; 0: free */
    size_t mask, used;
    unsigned size_log2;
    uint64_t last; /* base of the arena that held the last address found */
} rh_arena_set;

/* `arena_bytes`: a power of two. False when there is no memory. */
bool rh_arena_set_init(rh_arena_set *set, uint64_t arena_bytes);
void rh_arena_set_release(rh_arena_set *set);

/* False when there is no memory. An arena that is there already, or whose stretch is taken, changes
 * nothing. */
bool rh_arena_set_add(rh_arena_set *set, uint64_t base);
/* False when there is no such arena. */
bool rh_arena_set_remove(rh_arena_set *set, uint64_t base);
bool rh_arena_set_search(rh_arena_set *set, uint64_t address);

static inline bool
rh_arena_set_has(rh_arena_set *set, uint64_t address)
{
    return (address - set->last) >> set->size_log2 == 0 || rh_arena_set_search(set, address);
}

#endif
