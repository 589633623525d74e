/* An arena source that keeps what is given back: up to `keep` arenas stay mapped for the next
 * request, the last one given back first; for what is above, the oldest goes back to the source
 * underneath. So the order of reuse is that of a source which reuses last in, first out, as the
 * ground does: a cache over it changes no address. It trades memory held for the system calls and
 * page faults of arenas that come and go.
 *
 * Only arenas of one size are kept; other requests pass through, for a source that stands in a
 * program is asked for other things too.
 */
#ifndef REHEAP_ALLOC_ARENA_CACHE_H
#define REHEAP_ALLOC_ARENA_CACHE_H

#include <stddef.h>
#include <stdint.h>

#include "alloc/pymem.h"

typedef struct rh_arena_cache {
    PyObjectArenaAllocator under;
    size_t arena_bytes, keep;
    void **kept; /* a ring of `keep` places: a stack whose oldest entry can be taken, too */
    size_t count, newest; /* how many, and where the last one is */
    size_t capacity;      /* places there are: `keep`, or 0 before the first */
    uint64_t hits;        /* requests that were served from it */
} rh_arena_cache;

/* `under` is copied. With `keep` 0 everything passes through. */
void rh_arena_cache_init(rh_arena_cache *cache, const PyObjectArenaAllocator *under,
                         size_t arena_bytes, size_t keep);
/* Gives back what is kept, and the table. */
void rh_arena_cache_release(rh_arena_cache *cache);

/* The cache as an arena source; the caller's struct stays where it is as long as that is in use. */
PyObjectArenaAllocator rh_arena_cache_source(rh_arena_cache *cache);

/* Gives back what is kept. */
void rh_arena_cache_trim(rh_arena_cache *cache);

/* The ith arena kept, the last one given back being 0; i is less than cache->count. */
static inline uintptr_t
rh_arena_cache_at(const rh_arena_cache *cache, size_t i)
{
    return (uintptr_t)cache->kept[(cache->newest + cache->capacity - i) % cache->capacity];
}

/* Bytes of the arenas kept, and of the table. */
static inline uint64_t
rh_arena_cache_kept_bytes(const rh_arena_cache *cache)
{
    return cache->count * cache->arena_bytes;
}

static inline uint64_t
rh_arena_cache_table_bytes(const rh_arena_cache *cache)
{
    return cache->capacity * sizeof *cache->kept;
}

#endif
