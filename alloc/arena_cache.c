#include "alloc/arena_cache.h"

#include <stdbool.h>
#include <stdlib.h>

void
rh_arena_cache_init(rh_arena_cache *cache, const PyObjectArenaAllocator *under, size_t arena_bytes,
                    size_t keep)
{
    *cache = (rh_arena_cache){.under = *under, .arena_bytes = arena_bytes, .keep = keep};
}

static void *
take_oldest(rh_arena_cache *cache)
{
    size_t oldest = (cache->newest + cache->capacity - (cache->count - 1)) % cache->capacity;
    cache->count--;
    return cache->kept[oldest];
}

void
rh_arena_cache_trim(rh_arena_cache *cache)
{
    while (cache->count)
        cache->under.free(cache->under.ctx, take_oldest(cache), cache->arena_bytes);
}

void
rh_arena_cache_release(rh_arena_cache *cache)
{
    rh_arena_cache_trim(cache);
    free(cache->kept);
    cache->kept = NULL;
    cache->capacity = 0;
}

/* The ring is made when it is needed first; false when there is no memory: then nothing is kept. */
static bool
has_ring(rh_arena_cache *cache)
{
    if (cache->capacity)
        return true;
    cache->kept = malloc(cache->keep * sizeof *cache->kept);
    cache->capacity = cache->kept ? cache->keep : 0;
    return cache->kept != NULL;
}

static void *
give_arena(void *ctx, size_t size)
{
    rh_arena_cache *cache = ctx;
    if (size != cache->arena_bytes || cache->count == 0)
        return cache->under.alloc(cache->under.ctx, size);
    cache->hits++;
    void *arena = cache->kept[cache->newest];
    cache->newest = (cache->newest + cache->capacity - 1) % cache->capacity;
    cache->count--;
    return arena;
}

static void
take_arena_back(void *ctx, void *arena, size_t size)
{
    rh_arena_cache *cache = ctx;
    if (!arena || size != cache->arena_bytes || cache->keep == 0 || !has_ring(cache)) {
        cache->under.free(cache->under.ctx, arena, size);
        return;
    }
    if (cache->count == cache->keep)
        cache->under.free(cache->under.ctx, take_oldest(cache), size);
    cache->newest = (cache->newest + 1) % cache->capacity;
    cache->kept[cache->newest] = arena;
    cache->count++;
}

PyObjectArenaAllocator
rh_arena_cache_source(rh_arena_cache *cache)
{
    return (PyObjectArenaAllocator){cache, give_arena, take_arena_back};
}
