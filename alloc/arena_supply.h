/* The arena source that a pymalloc heap is opened with: which one, and what is kept between it and
 * the heap.
 *
 *   heap ── cache (keeps up to `cache` arenas) ── ground, malloc, huge pages or recorded places
 *
 * Without a cache the heap has the source itself. A heap whose source is exchanged keeps its
 * supply, for the new source may pass on to it.
 */
#ifndef REHEAP_ALLOC_ARENA_SUPPLY_H
#define REHEAP_ALLOC_ARENA_SUPPLY_H

#include <stddef.h>
#include <stdint.h>

#include "alloc/arena_cache.h"
#include "alloc/arena_ground.h"
#include "alloc/arena_huge.h"
#include "alloc/arena_recorded.h"
#include "alloc/pymem.h"
#include "base/error.h"

typedef enum rh_arena_source_kind {
    RH_SOURCE_MMAP,    /* arena_ground.h */
    RH_SOURCE_VIRTUAL, /* the same, of numbers */
    RH_SOURCE_CACHED,  /* mmap; a spec then has a cache of RH_ARENA_CACHE_STANDARD if not told */
    RH_SOURCE_MALLOC,  /* arena_malloc.h */
    RH_SOURCE_HUGE,    /* arena_huge.h */
    RH_SOURCE_RECORDED /* arena_recorded.h */
} rh_arena_source_kind;

#define RH_ARENA_CACHE_STANDARD 16
#define RH_ARENA_CACHE_MAX      65536
#define RH_ARENA_PLACES_MAX     1000000 /* addresses in a file */

typedef struct rh_arena_supply {
    rh_arena_ground ground;
    rh_arena_huge huge;
    rh_arena_recorded *recorded; /* NULL when the source is another */
    rh_arena_cache cache;
    PyObjectArenaAllocator source;
} rh_arena_supply;

/* Opens a supply of arenas of `arena_bytes`, of which `cache` are kept when they are given back.
 * RH_SOURCE_RECORDED reads the file `places`: a line for each arena in the order of their births,
 * its address ("0x7f2a40000000") or the word "failed". RH_USAGE or RH_BAD_INPUT name the file and
 * the line. The struct stays where it is until it is released. */
rh_status rh_arena_supply_init(rh_arena_supply *supply, rh_arena_source_kind kind,
                               size_t arena_bytes, size_t cache, const char *places,
                               rh_error *error);
void rh_arena_supply_release(rh_arena_supply *supply);

/* Where the source's arenas will lie, when that is one window and known beforehand: its base, and
 * its size in *bytes. Else 0, with *bytes 0. */
uintptr_t rh_arena_supply_window(rh_arena_supply *supply, size_t *bytes);

/* Gives back what the cache keeps. */
void rh_arena_supply_trim(rh_arena_supply *supply);

/* The ith arena that lies in the supply unused: given back, and kept in the cache or a place of the
 * ground's. 0 when there are not so many. */
uintptr_t rh_arena_supply_unused(const rh_arena_supply *supply, size_t i);

/* Bytes of arenas that the cache keeps, and of the supply's own tables. */
uint64_t rh_arena_supply_kept_bytes(const rh_arena_supply *supply);
uint64_t rh_arena_supply_table_bytes(const rh_arena_supply *supply);

#endif
