/* The arenas of a pymalloc heap: a table of slots, pools cut from arenas and given back to them,
 * and arenas got from the source and released.
 *
 * An arena's pools are cut in ascending order of address; a pool given back is the next to be taken
 * (last in, first out) and only when none is left a fresh one is cut. Which arena a pool is taken
 * from is the order's business (arena_order.h). An arena without a pool in use is released, except
 * for those that are kept.
 *
 *                    --source gives-->           --last pool taken-->
 *   unused slot                       usable                          full
 *                    <--no pool used--           <--pool given back--
 *
 * Released slots are reused last in, first out. Headers of pools lie in the pools, or, with `side`,
 * beside them: those of arenas in the heap's own window in one array (pool_headers.h), those of any
 * other arena in a mapping of its own. Then nothing here touches the arenas.
 *
 * Invariants: an arena is in the order exactly when it has a free pool; free_pools counts the pools
 * given back and those not yet cut; idle_arenas counts those whose pools are all free.
 */
#ifndef REHEAP_ALLOC_PYMALLOC_ARENAS_H
#define REHEAP_ALLOC_PYMALLOC_ARENAS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "alloc/address_map.h"
#include "alloc/arena.h"
#include "alloc/arena_books.h"
#include "alloc/arena_map_census.h"
#include "alloc/arena_order.h"
#include "alloc/heap.h"
#include "alloc/pool_headers.h"
#include "alloc/pool_stacks.h"
#include "alloc/pymalloc_geometry.h"
#include "alloc/pymem.h"

typedef struct rh_arenas {
    /* What a pool that changes hands touches. */
    rh_arena *slots;
    uint64_t pools_recycled, idle_arenas, arenas_reused;
    uint64_t changes; /* births tried and deaths: the tables may have changed */
    uint32_t keep;
    bool side;
    rh_arena_order order;
    /* The rest. */
    uint32_t count, capacity; /* slots that were ever used, slots there are */
    uint32_t unused;          /* head of the released slots */
    uint64_t allocated, released, current, highwater, unaligned, slots_reused, pools_whole;
    PyObjectArenaAllocator source;
    void (*announce)(void *ctx); /* before the source is asked; NULL: nobody */
    void *announce_ctx;
    rh_arena_watch watch; /* its functions are NULL: nobody */
    rh_pymalloc_geometry geometry;
    rh_arena_map_census census;
    rh_arena_books books;
    bool has_run;              /* no window is known: what follows is kept */
    uintptr_t run, run_end;    /* addresses that all lie in arenas; empty when equal */
    rh_pool_headers headers;   /* side: of the arenas in the window */
    uint64_t own_header_bytes; /* side: of the others */
    rh_pool_stacks stacks;     /* side */
    rh_address_map map;
} rh_arenas;

/* False when there is no memory. */
bool rh_arenas_init(rh_arenas *arenas, const rh_pymalloc_geometry *geometry, rh_policy policy,
                    uint32_t keep, bool side, unsigned map_address_bits);
/* Where the first arenas will lie: 0 bytes when that is not known. Before there is an arena. */
void rh_arenas_set_window(rh_arenas *arenas, uintptr_t base, size_t bytes);
/* From now on, before there is an arena, nobody knows where arenas will lie: they are looked after
 * for addresses that lie together. */
void rh_arenas_unset_window(rh_arenas *arenas);
/* Gives every arena back to the source. */
void rh_arenas_release(rh_arenas *arenas);

/* Releases every arena without a pool in use, kept ones too. */
void rh_arenas_trim(rh_arenas *arenas);

/* Writable bytes of tables, beside arenas and what lies beside them. */
uint64_t rh_arenas_table_bytes(const rh_arenas *arenas);
/* Writable bytes of headers and stacks beside the pools; 0 when in-band. */
uint64_t rh_arenas_side_bytes(const rh_arenas *arenas);

/* The slots in use in ascending order of their bases, to be freed by the caller; NULL when there is
 * no memory. */
uint32_t *rh_arenas_by_address(const rh_arenas *arenas);

static inline rh_pool *
rh_arena_pool(const rh_arenas *arenas, const rh_arena *arena, uint32_t index)
{
    if (arenas->side)
        return &arena->side[index].pool;
    return (rh_pool *)(arena->first_pool + ((uintptr_t)index << arenas->geometry.pool_shift));
}

/* ---- pools that change hands: inline, for a program that asks for one block of a size and gives
 * it back, again and again, comes here each time ---- */

rh_pool *rh_arenas_take_slowly(rh_arenas *arenas);
void rh_arenas_release_arena(rh_arenas *arenas, uint32_t slot);

/* A pool without a block in use: its ring is the one it was in, or NULL. NULL when the source has
 * no arena to give. */
static inline rh_pool *
rh_arenas_take_pool(rh_arenas *arenas)
{
    uint32_t head = arenas->order.head; /* no arena in a heap */
    rh_pool *pool = head == RH_NO_ARENA ? NULL : arenas->slots[head].given_back;
    if (!pool)
        return rh_arenas_take_slowly(arenas);
    rh_arena *arena = &arenas->slots[head];
    if (arena->free_pools == arena->pools) {
        arenas->idle_arenas--;
        arenas->arenas_reused++;
    }
    rh_arena_order_list_taken(&arenas->order);
    arena->given_back = pool->next;
    arenas->pools_recycled++;
    return pool;
}

/* Whether an arena whose last pool comes back is kept: as CPython does when it is the last in the
 * order; with more to keep, also while fewer than that are idle. */
static inline bool
rh_arenas_keeps(const rh_arenas *arenas, uint32_t slot)
{
    if (arenas->keep == 0)
        return false;
    if (arenas->order.policy != RH_POLICY_MOST_FULL)
        return arenas->idle_arenas < arenas->keep;
    return rh_arena_order_is_last(&arenas->order, slot) || arenas->idle_arenas < arenas->keep - 1;
}

/* Takes a pool back; it has no block in use and is in no ring. */
static inline void
rh_arenas_give_pool(rh_arenas *arenas, rh_pool *pool)
{
    uint32_t slot = pool->arena;
    rh_arena *arena = &arenas->slots[slot];
    pool->next = arena->given_back;
    arena->given_back = pool;
    if (arena->free_pools + 1 == arena->pools) {
        if (!rh_arenas_keeps(arenas, slot)) {
            rh_arenas_release_arena(arenas, slot);
            return;
        }
        arenas->idle_arenas++;
    }
    rh_arena_order_given(&arenas->order, slot);
}

static inline uintptr_t
rh_arenas_pool_address(const rh_arenas *arenas, const rh_pool *pool)
{
    if (!arenas->side)
        return (uintptr_t)pool;
    const rh_arena *arena = &arenas->slots[pool->arena];
    uintptr_t index = (uintptr_t)((const rh_side_pool *)pool - arena->side);
    return arena->first_pool + (index << arenas->geometry.pool_shift);
}

#endif
