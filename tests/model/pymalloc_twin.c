#include "tests/model/pymalloc_twin.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *
sure(void *memory)
{
    if (!memory)
        abort();
    return memory;
}

/* The smallest size that is not below `bytes`, among those that the words say; 0: there is none. */
static size_t
class_for(const twin *t, const char *words, size_t bytes)
{
    size_t align = t->config.alignment, number = 0;
    if (sscanf(words, "geometric:%zu", &number) == 1) {
        for (size_t from = align;; from *= 2)
            for (size_t part = 0; part < number; part++) {
                size_t least = (from * (number + part) + number - 1) / number;
                if (least + align > bytes && (least + align - 1) / align * align >= bytes)
                    return (least + align - 1) / align * align;
            }
    }
    if (strncmp(words, "linear", 6) == 0) {
        size_t step = words[6] ? (size_t)strtoull(words + 7, NULL, 10) : align;
        return (bytes + step - 1) / step * step;
    }
    for (const char *at = words; at; at = strchr(at, ':') ? strchr(at, ':') + 1 : NULL)
        if ((size_t)strtoull(at, NULL, 10) >= bytes)
            return (size_t)strtoull(at, NULL, 10);
    return 0;
}

/* Every request there can be is asked for its class: that tells them all. */
static void
tell_classes(twin *t, const char *words)
{
    size_t align = t->config.alignment;
    if (t->config.small_bytes == 0)
        for (size_t size = align; (size = class_for(t, words, size)); size++)
            t->config.small_bytes = size;
    size_t most = (t->config.small_bytes + align - 1) / align * align, last = 0;
    t->class_bytes = sure(calloc(most / align, sizeof *t->class_bytes));
    for (size_t bytes = align; bytes <= most; bytes += align) {
        size_t size = class_for(t, words, bytes);
        size = size && size < most ? size : most;
        if (size > last)
            t->class_bytes[t->classes++] = last = size;
    }
}

void
twin_open(twin *t, const rh_pymalloc_config *config, const PyObjectArenaAllocator *source,
          twin_fault fault)
{
    *t = (twin){.config = *config, .fault = fault, .source = *source};
    t->header_bytes = (48 + config->alignment - 1) / config->alignment * config->alignment;
    tell_classes(t, config->classes ? config->classes : "linear");
    t->ring = sure(calloc(t->classes, sizeof *t->ring));
}

static void
release(twin_arena *arena)
{
    for (unsigned i = 0; i < arena->cut; i++)
        free(arena->pool[i].list);
    free(arena->pool);
    free(arena->given_back);
    *arena = (twin_arena){0};
}

void
twin_close(twin *t)
{
    for (size_t i = 0; i < t->slots; i++)
        if (t->arena[i].alive)
            release(&t->arena[i]);
    for (size_t i = 0; i < t->classes; i++)
        free(t->ring[i].pool);
    free(t->ring);
    free(t->class_bytes);
    free(t->arena);
    free(t->unused);
    free(t->order);
}

static size_t
block_bytes(const twin *t, int size_class)
{
    return t->class_bytes[size_class];
}

static unsigned
capacity(const twin *t, int size_class)
{
    return (unsigned)((t->config.pool_bytes - t->header_bytes) / block_bytes(t, size_class));
}

/* ---- rings ---- */

static void
ring_insert(twin_ring *ring, size_t at, twin_pool *pool)
{
    if (ring->count == ring->capacity) {
        ring->capacity = ring->capacity * 2 + 8;
        ring->pool = sure(realloc(ring->pool, ring->capacity * sizeof *ring->pool));
    }
    memmove(ring->pool + at + 1, ring->pool + at, (ring->count - at) * sizeof *ring->pool);
    ring->pool[at] = pool;
    ring->count++;
}

static void
ring_remove(twin_ring *ring, const twin_pool *pool)
{
    size_t at = 0;
    while (ring->pool[at] != pool)
        at++;
    ring->count--;
    memmove(ring->pool + at, ring->pool + at + 1, (ring->count - at) * sizeof *ring->pool);
}

/* ---- arenas ---- */

static bool
new_arena(twin *t)
{
    void *memory = t->source.alloc(t->source.ctx, t->config.arena_bytes);
    if (!memory)
        return false;
    size_t pool_bytes = t->config.pool_bytes;
    unsigned pools = (unsigned)(t->config.arena_bytes / pool_bytes);
    if ((uintptr_t)memory % pool_bytes)
        pools--;
    if (pools == 0) { /* of no use */
        t->source.free(t->source.ctx, memory, t->config.arena_bytes);
        return false;
    }
    size_t slot = t->slots;
    if (t->unused_count) {
        slot = t->unused[--t->unused_count];
        t->slots_reused++;
    } else {
        t->slots++;
        t->arena = sure(realloc(t->arena, t->slots * sizeof *t->arena));
        t->unused = sure(realloc(t->unused, t->slots * sizeof *t->unused));
        t->order = sure(realloc(t->order, t->slots * sizeof *t->order));
    }
    t->arena[slot] = (twin_arena){.alive = true,
                                  .base = (uintptr_t)memory,
                                  .pools = pools,
                                  .free = pools,
                                  .stamp = ++t->stamp,
                                  .pool = sure(calloc(pools, sizeof(twin_pool))),
                                  .given_back = sure(calloc(pools, sizeof(unsigned)))};
    t->order[t->order_count++] = slot;
    t->allocated++;
    if (t->allocated - t->released > t->highwater)
        t->highwater = t->allocated - t->released;
    return true;
}

static bool
is_better(const twin *t, const twin_arena *a, const twin_arena *b)
{
    switch (t->config.policy) {
    case RH_POLICY_LOWEST_ADDRESS:
        return a->base < b->base;
    case RH_POLICY_MOST_RECENT:
        return a->stamp > b->stamp;
    case RH_POLICY_LEAST_FULL:
        return a->free > b->free || (a->free == b->free && a->base < b->base);
    default:
        return false; /* the order itself decides */
    }
}

/* Where in `order` the arena stands that a pool is taken from. */
static size_t
choose(const twin *t)
{
    size_t best = 0;
    for (size_t i = 1; i < t->order_count; i++)
        if (is_better(t, &t->arena[t->order[i]], &t->arena[t->order[best]]))
            best = i;
    return best;
}

static void
order_remove(twin *t, size_t at)
{
    t->order_count--;
    memmove(t->order + at, t->order + at + 1, (t->order_count - at) * sizeof *t->order);
}

static twin_pool *
take_pool(twin *t)
{
    bool fresh = t->order_count == 0;
    if (fresh && !new_arena(t))
        return NULL;
    size_t at = choose(t);
    twin_arena *arena = &t->arena[t->order[at]];
    if (arena->free == arena->pools && !fresh)
        t->reused++;
    if (--arena->free == 0)
        order_remove(t, at);
    if (arena->given_back_count) {
        unsigned last = --arena->given_back_count, index = arena->given_back[last];
        if (t->fault == TWIN_POOLS_FIFO) {
            index = arena->given_back[0];
            memmove(arena->given_back, arena->given_back + 1, last * sizeof *arena->given_back);
        }
        t->recycled++;
        return &arena->pool[index];
    }
    size_t pool_bytes = t->config.pool_bytes;
    unsigned index = arena->cut++;
    arena->pool[index] = (twin_pool){
        .size_class = -1,
        .base = (arena->base + pool_bytes - 1) / pool_bytes * pool_bytes + index * pool_bytes};
    return &arena->pool[index];
}

static bool
is_kept(const twin *t, const twin_arena *arena, bool last)
{
    uint64_t keep = t->config.keep + (t->fault == TWIN_KEEP_ONE_MORE), idle = 0;
    for (size_t i = 0; i < t->slots; i++)
        if (&t->arena[i] != arena && t->arena[i].alive)
            idle += t->arena[i].free == t->arena[i].pools;
    if (keep == 0)
        return false;
    if (t->config.policy != RH_POLICY_MOST_FULL)
        return idle < keep;
    return last || idle < keep - 1;
}

static void
release_slot(twin *t, size_t slot)
{
    t->source.free(t->source.ctx, (void *)t->arena[slot].base, t->config.arena_bytes);
    release(&t->arena[slot]);
    t->unused[t->unused_count++] = slot;
    t->released++;
}

void
twin_trim(twin *t)
{
    for (size_t slot = 0; slot < t->slots; slot++) {
        if (!t->arena[slot].alive || t->arena[slot].free != t->arena[slot].pools)
            continue;
        for (size_t at = 0; at < t->order_count; at++)
            if (t->order[at] == slot)
                order_remove(t, at);
        release_slot(t, slot);
    }
}

static void
give_pool(twin *t, size_t slot, unsigned index)
{
    twin_arena *arena = &t->arena[slot];
    arena->given_back[arena->given_back_count++] = index;
    arena->stamp = ++t->stamp;
    size_t at = t->order_count;
    for (size_t i = 0; i < t->order_count; i++)
        if (t->order[i] == slot)
            at = i;
    bool listed = at < t->order_count;
    bool last = listed ? at + 1 == t->order_count : t->order_count == 0;
    arena->free++;
    if (arena->free == arena->pools && !is_kept(t, arena, last)) {
        if (listed)
            order_remove(t, at);
        release_slot(t, slot);
        return;
    }
    if (!listed) {
        memmove(t->order + 1, t->order, t->order_count++ * sizeof *t->order);
        t->order[0] = slot;
        return;
    }
    while (t->fault != TWIN_STAY_IN_ORDER && at + 1 < t->order_count &&
           t->arena[t->order[at + 1]].free < arena->free) {
        t->order[at] = t->order[at + 1];
        t->order[++at] = slot;
    }
}

/* ---- blocks ---- */

uintptr_t
twin_malloc(twin *t, size_t size)
{
    if (size == 0 || size > t->config.small_bytes)
        return 0;
    int size_class = 0;
    while (t->class_bytes[size_class] < size)
        size_class++;
    twin_ring *ring = &t->ring[size_class];
    if (ring->count == 0) {
        twin_pool *pool = take_pool(t);
        if (!pool)
            return 0;
        if (pool->size_class != size_class || t->fault == TWIN_FORGET_LIST) {
            t->reclassed += pool->size_class >= 0 && pool->size_class != size_class;
            pool->size_class = size_class;
            pool->listed = 0;
            pool->fresh = capacity(t, size_class);
            free(pool->list);
            pool->list = sure(calloc(pool->fresh, sizeof *pool->list));
        }
        ring_insert(ring, 0, pool);
    }
    twin_pool *pool = ring->pool[0];
    unsigned number =
        pool->listed ? pool->list[--pool->listed] : capacity(t, size_class) - pool->fresh--;
    pool->used++;
    if (pool->used == capacity(t, size_class))
        ring_remove(ring, pool);
    return pool->base + t->header_bytes + number * block_bytes(t, size_class);
}

static twin_pool *
pool_of(const twin *t, uintptr_t block, size_t *slot, unsigned *index)
{
    for (*slot = 0; *slot < t->slots; ++*slot) {
        const twin_arena *arena = &t->arena[*slot];
        if (!arena->alive || block < arena->base || block - arena->base >= t->config.arena_bytes)
            continue;
        for (*index = 0; *index < arena->cut; ++*index)
            if (block / t->config.pool_bytes * t->config.pool_bytes == arena->pool[*index].base)
                return &arena->pool[*index];
    }
    abort();
}

void
twin_free(twin *t, uintptr_t block)
{
    size_t slot;
    unsigned index;
    twin_pool *pool = pool_of(t, block, &slot, &index);
    twin_ring *ring = &t->ring[pool->size_class];
    size_t offset = block - pool->base - t->header_bytes;
    uint16_t number = (uint16_t)(offset / block_bytes(t, pool->size_class));
    if (pool->used == capacity(t, pool->size_class))
        ring_insert(ring, t->fault == TWIN_RELINK_LAST ? ring->count : 0, pool);
    if (t->fault == TWIN_FREE_LIST_FIFO) {
        memmove(pool->list + 1, pool->list, pool->listed++ * sizeof *pool->list);
        pool->list[0] = number;
    } else {
        pool->list[pool->listed++] = number;
    }
    if (--pool->used == 0) {
        ring_remove(ring, pool);
        give_pool(t, slot, index);
    }
}

uintptr_t
twin_realloc(twin *t, uintptr_t block, size_t size, bool *moved)
{
    size_t slot;
    unsigned index;
    size_t held = block_bytes(t, pool_of(t, block, &slot, &index)->size_class);
    *moved = size > held || 4 * size + (t->fault == TWIN_SHRINK_IN_PLACE) <= 3 * held;
    if (!*moved)
        return block;
    if (t->fault == TWIN_FREE_BEFORE_TAKE)
        twin_free(t, block);
    uintptr_t other = twin_malloc(t, size);
    if (t->fault != TWIN_FREE_BEFORE_TAKE)
        twin_free(t, block);
    return other;
}

/* ---- totals ---- */

static void
count_pool(const twin *t, const twin_pool *pool, rh_counters *counters)
{
    if (pool->used == 0)
        return;
    size_t bytes = block_bytes(t, pool->size_class);
    unsigned blocks = capacity(t, pool->size_class);
    counters->pools_in_use++;
    counters->live_blocks += pool->used;
    counters->block_bytes += pool->used * bytes;
    counters->free_block_bytes += (blocks - pool->used) * bytes;
    counters->page_header_bytes += t->header_bytes;
    counters->page_tail_bytes += t->config.pool_bytes - t->header_bytes - blocks * bytes;
}

static void
count_arena(const twin *t, const twin_arena *arena, rh_counters *counters)
{
    counters->arenas_current++;
    counters->arena_bytes += t->config.arena_bytes;
    counters->pools_free += arena->free;
    if (arena->free == arena->pools)
        counters->free_arena_bytes += t->config.arena_bytes;
    else
        counters->free_page_bytes +=
            t->config.arena_bytes - (arena->pools - arena->free) * t->config.pool_bytes;
    for (unsigned i = 0; i < arena->cut; i++)
        count_pool(t, &arena->pool[i], counters);
}

void
twin_count(const twin *t, rh_counters *counters)
{
    counters->arenas_allocated = t->allocated;
    counters->arenas_released = t->released;
    counters->arenas_highwater = t->highwater;
    counters->arenas_reused = t->reused;
    counters->arena_slots_reused = t->slots_reused;
    counters->pools_recycled = t->recycled;
    counters->pools_reclassed = t->reclassed;
    counters->arenas_current = counters->arena_bytes = counters->pools_in_use = 0;
    counters->pools_free = counters->live_blocks = counters->block_bytes = 0;
    counters->free_block_bytes = counters->page_header_bytes = counters->page_tail_bytes = 0;
    counters->free_page_bytes = counters->free_arena_bytes = 0;
    for (size_t i = 0; i < t->slots; i++)
        if (t->arena[i].alive)
            count_arena(t, &t->arena[i], counters);
}
