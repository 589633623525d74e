#include "alloc/pymalloc_check.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "alloc/arena_supply.h"
#include "alloc/pymalloc_statistics.h"

/* The blocks of a pool that are on its list or stack, by number. */
typedef struct free_blocks {
    uint64_t bits[RH_POOL_UNITS_MAX / 64];
    uint32_t count;
} free_blocks;

/* Everything a look at one pool needs. */
typedef struct pool_view {
    const rh_arenas *arenas;
    const rh_pool *pool;
    uintptr_t address;
    size_t size_class; /* SIZE_MAX when its header names none that there is */
    size_t block_bytes;
    uint32_t capacity, handed_out; /* blocks that fit, and that were ever used */
} pool_view;

static pool_view
view_of(const rh_pymalloc *pymalloc, const rh_pool *pool, uintptr_t address)
{
    pool_view view = {
        .arenas = &pymalloc->arenas, .pool = pool, .address = address, .size_class = SIZE_MAX};
    size_t distance = (size_t)((uintptr_t)pool->ring - (uintptr_t)pymalloc->bins);
    size_t size_class = distance / sizeof(rh_bin);
    if (distance % sizeof(rh_bin) == 0 && size_class < view.arenas->geometry.classes) {
        view.size_class = size_class;
        view.block_bytes = pymalloc->bins[size_class].block_bytes;
        view.capacity = pymalloc->bins[size_class].capacity;
        view.handed_out = view.capacity - pool->fresh;
    }
    return view;
}

/* The number of a block; UINT32_MAX when none that was ever used begins there. */
static uint32_t
block_number(const pool_view *view, uintptr_t block)
{
    const rh_pymalloc_geometry *geometry = &view->arenas->geometry;
    uintptr_t offset = block - view->address;
    if (offset < geometry->header_bytes ||
        offset >= geometry->header_bytes + view->handed_out * view->block_bytes ||
        (offset - geometry->header_bytes) % view->block_bytes != 0)
        return UINT32_MAX;
    return (uint32_t)((offset - geometry->header_bytes) / view->block_bytes);
}

static bool
is_free(const free_blocks *blocks, uint32_t number)
{
    return blocks->bits[number / 64] >> (number % 64) & 1;
}

/* Adds a free block. NULL, or what is wrong with it. */
static const char *
add_free(const pool_view *view, free_blocks *blocks, uintptr_t block)
{
    uint32_t number = block_number(view, block);
    if (number == UINT32_MAX)
        return "its free list leads to what is no block of it";
    if (is_free(blocks, number))
        return "a block is twice on its free list";
    blocks->bits[number / 64] |= (uint64_t)1 << (number % 64);
    blocks->count++;
    return NULL;
}

/* Follows a pool's list, or its stack; its numbers are sound. NULL when that is, else what is wrong
 * with it. */
static const char *
collect_free(const pool_view *view, free_blocks *blocks)
{
    const rh_pool *pool = view->pool;
    bool side = view->arenas->side;
    unsigned shift = view->arenas->geometry.class_shift;
    const char *wrong = NULL;
    memset(blocks->bits, 0, view->capacity / 8 + 8);
    blocks->count = 0;
    uintptr_t block = pool->free;
    for (uint32_t i = pool->available; i > pool->fresh && !wrong; i--) {
        const rh_side_pool *beside = (const rh_side_pool *)pool;
        if (side)
            block = rh_side_pool_top(beside, i, shift);
        if (i == pool->available && block != pool->free)
            return "the block to be given next is not the one on its stack";
        wrong = add_free(view, blocks, block);
        if (!side && !wrong)
            block = *(const uintptr_t *)block;
    }
    return wrong;
}

/* A pool's numbers, before anything is concluded from them. */
static const char *
check_header(const pool_view *view, uint32_t slot)
{
    const rh_pool *pool = view->pool;
    if (pool->arena != slot)
        return "its header names another arena";
    if (view->size_class == SIZE_MAX)
        return "its size class does not exist";
    if (pool->capacity != view->capacity || pool->available > pool->capacity ||
        (pool->available && pool->fresh >= pool->available))
        return "its numbers of blocks are impossible";
    return NULL;
}

/* Whether a pointer leads to a pool of an arena that was cut. */
static bool
is_pool(const rh_arenas *arenas, const rh_pool *pool)
{
    if (arenas->side) {
        for (uint32_t i = 0; i < arenas->count; i++) {
            uintptr_t first = (uintptr_t)arenas->slots[i].side, at = (uintptr_t)pool;
            if (first && at >= first && (at - first) % sizeof(rh_side_pool) == 0 &&
                (at - first) / sizeof(rh_side_pool) < arenas->slots[i].cut)
                return true;
        }
        return false;
    }
    uint32_t slot;
    uintptr_t address = (uintptr_t)pool;
    if (!rh_address_map_find(&arenas->map, address, arenas->geometry.arena_shift, &slot))
        return false;
    const rh_arena *arena = &arenas->slots[slot];
    return address >= arena->first_pool &&
           ((address - arena->first_pool) & (arenas->geometry.pool_bytes - 1)) == 0 &&
           (address - arena->first_pool) >> arenas->geometry.pool_shift < arena->cut;
}

/* In a ring, the pools on both sides point back, but for the first one's. They may only be looked
 * at when they lie where a pool or a ring's own entry does. */
static const char *
check_links(const rh_pymalloc *pymalloc, const rh_pool *pool)
{
    const rh_pool *ring = pool->ring;
    if (pool->available == 0)
        return NULL;
    bool is_first = ring->next == pool, is_last = pool->next == ring;
    if ((!is_last && !is_pool(&pymalloc->arenas, pool->next)) ||
        (!is_first && !is_pool(&pymalloc->arenas, pool->previous)))
        return "its neighbours in the ring are no pools";
    if ((!is_last && pool->next->previous != pool) || (!is_first && pool->previous->next != pool))
        return "its neighbours in the ring do not point back";
    if (!is_last && pool->next->ring != ring)
        return "its neighbour in the ring is of another class";
    return NULL;
}

/* A pool that was cut and could not get a class, for want of memory for its stack. */
static bool
is_blank(const rh_pool *pool, uint32_t slot)
{
    return !pool->ring && pool->arena == slot && pool->capacity == 0 && pool->available == 0;
}

static rh_status
bad_pool(const pool_view *view, const char *what, rh_error *error)
{
    return rh_fail(error, RH_DIFFERENT, "pool at 0x%" PRIxPTR " (blocks of %zu bytes): %s",
                   view->address, view->block_bytes, what);
}

/* The header of a pool, in which numbers may be some that it had before. NULL when it is sound,
 * else what is wrong with it. */
static const char *
check_outdated(const rh_pymalloc *pymalloc, const pool_view *view)
{
    const rh_arenas *arenas = &pymalloc->arenas;
    uint32_t slot = view->pool->arena;
    if (!arenas->side)
        rh_address_map_find(&arenas->map, view->address, arenas->geometry.arena_shift, &slot);
    const char *wrong = check_header(view, slot);
    return wrong ? wrong : check_links(pymalloc, view->pool);
}

/* The same of a pool that is the first of its ring. */
static const char *
check_first(const rh_pymalloc *pymalloc, const pool_view *view)
{
    const char *wrong = check_outdated(pymalloc, view);
    if (!wrong && view->pool->available == 0)
        wrong = "it is in the ring and full";
    if (!wrong && block_number(view, view->pool->free) == UINT32_MAX)
        wrong = "the block to be given next is none of it";
    return wrong;
}

/* Gets the headers their numbers and makes good what is put off for the parked pool, which changes
 * lists: only if the headers that it changes are sound. */
static rh_status
unpark(rh_pymalloc *pymalloc, rh_error *error)
{
    const rh_arenas *arenas = &pymalloc->arenas;
    for (uint32_t i = 0; i <= arenas->geometry.classes; i++) {
        const rh_pool *ring = i ? &pymalloc->bins[i - 1].ring : NULL;
        const rh_pool *pool = ring ? ring->next : pymalloc->parked;
        if (pool == ring)
            continue;
        pool_view view = view_of(pymalloc, pool, rh_arenas_pool_address(arenas, pool));
        const char *wrong = ring ? check_first(pymalloc, &view) : check_outdated(pymalloc, &view);
        if (wrong)
            return bad_pool(&view, wrong, error);
    }
    rh_pools_unpark(pymalloc);
    return RH_OK;
}

/* ---- the walk ---- */

static bool
walk_blocks(const pool_view *view, rh_region_visitor *visit, void *ctx)
{
    free_blocks blocks;
    if (collect_free(view, &blocks))
        return false;
    for (uint32_t i = 0; i < view->capacity; i++) {
        rh_region region = {
            .kind = RH_REGION_BLOCK,
            .address = view->address + view->arenas->geometry.header_bytes + i * view->block_bytes,
            .size_bytes = view->block_bytes,
            .used = i < view->handed_out && !is_free(&blocks, i),
        };
        if (!visit(ctx, &region))
            return false;
    }
    return true;
}

static bool
walk_arena(const rh_pymalloc *pymalloc, uint32_t slot, bool blocks, rh_region_visitor *visit,
           void *ctx)
{
    const rh_arenas *arenas = &pymalloc->arenas;
    const rh_arena *arena = &arenas->slots[slot];
    const rh_pymalloc_geometry *geometry = &arenas->geometry;
    rh_region region = {.kind = RH_REGION_ARENA,
                        .address = arena->base,
                        .size_bytes = geometry->arena_bytes,
                        .used = arena->pools - arena->free_pools,
                        .capacity = arena->pools};
    if (!visit(ctx, &region))
        return false;
    for (uint32_t i = 0; i < arena->cut; i++) {
        const rh_pool *pool = rh_arena_pool(arenas, arena, i);
        pool_view view = view_of(pymalloc, pool, rh_arenas_pool_address(arenas, pool));
        if (!is_blank(pool, slot) && check_header(&view, slot))
            return false;
        region = (rh_region){.kind = RH_REGION_PAGE,
                             .address = view.address,
                             .size_bytes = geometry->pool_bytes,
                             .block_bytes = view.block_bytes,
                             .used = rh_pool_used(pool),
                             .capacity = view.capacity};
        if (!visit(ctx, &region))
            return false;
        if (blocks && region.used && !walk_blocks(&view, visit, ctx))
            return false;
    }
    return true;
}

static bool
walk_arenas(rh_pymalloc *pymalloc, bool blocks, rh_region_visitor *visit, void *ctx)
{
    if (unpark(pymalloc, NULL) != RH_OK)
        return false;
    const rh_arenas *arenas = &pymalloc->arenas;
    uint32_t *slots = rh_arenas_by_address(arenas);
    if (!slots)
        return false;
    bool going = true;
    for (uint64_t i = 0; going && i < arenas->current; i++)
        going = walk_arena(pymalloc, slots[i], blocks, visit, ctx);
    free(slots);
    return going;
}

bool
rh_pymalloc_walk(rh_pymalloc *pymalloc, rh_region_visitor *visit, void *ctx)
{
    return walk_arenas(pymalloc, true, visit, ctx) &&
           (!pymalloc->space || rh_bestfit_walk(pymalloc->space, visit, ctx));
}

bool
rh_pymalloc_walk_pages(rh_pymalloc *pymalloc, rh_region_visitor *visit, void *ctx)
{
    return walk_arenas(pymalloc, false, visit, ctx);
}

/* ---- the check ---- */

/* What the arenas' pools add up to, to be compared with what the heap counts. */
typedef struct sums {
    uint64_t arenas, idle_arenas, unaligned, pools_whole;
    uint64_t *in_use, *partly; /* by class: pools in use, of these with a free block */
} sums;

static rh_status
check_pool(const rh_pymalloc *pymalloc, uint32_t slot, uint32_t index, free_blocks *blocks,
           sums *sum, rh_error *error)
{
    const rh_arenas *arenas = &pymalloc->arenas;
    const rh_arena *arena = &arenas->slots[slot];
    const rh_pool *pool = rh_arena_pool(arenas, arena, index);
    uintptr_t address = arena->first_pool + ((uintptr_t)index << arenas->geometry.pool_shift);
    pool_view view = view_of(pymalloc, pool, address);
    if (arenas->side && rh_arenas_pool_address(arenas, pool) != address)
        return bad_pool(&view, "its header beside names another address", error);
    if (is_blank(pool, slot))
        return RH_OK;
    const char *wrong = check_header(&view, slot);
    if (!wrong)
        wrong = collect_free(&view, blocks);
    if (!wrong && blocks->count + rh_pool_used(pool) != view.handed_out)
        wrong = "blocks in use and blocks on its list are not all that were ever used";
    if (!wrong && rh_pool_used(pool))
        wrong = check_links(pymalloc, pool);
    if (wrong)
        return bad_pool(&view, wrong, error);
    if (rh_pool_used(pool)) {
        sum->in_use[view.size_class]++;
        sum->partly[view.size_class] += pool->available != 0;
    }
    return RH_OK;
}

/* The pools given back to an arena: free, cut, each once. */
static rh_status
check_given_back(const rh_arenas *arenas, uint32_t slot, rh_error *error)
{
    const rh_arena *arena = &arenas->slots[slot];
    uint32_t count = 0;
    for (const rh_pool *pool = arena->given_back; pool; pool = pool->next) {
        if (!is_pool(arenas, pool) || pool->arena != slot || rh_pool_used(pool) != 0)
            return rh_fail(error, RH_DIFFERENT,
                           "arena at 0x%" PRIxPTR ": its list of free pools leads to what is none",
                           arena->base);
        if (++count > arena->cut)
            return rh_fail(error, RH_DIFFERENT,
                           "arena at 0x%" PRIxPTR ": its list of free pools is circular",
                           arena->base);
    }
    if (count + (arena->pools - arena->cut) != arena->free_pools)
        return rh_fail(error, RH_DIFFERENT,
                       "arena at 0x%" PRIxPTR ": %" PRIu32 " pools given back and %" PRIu32
                       " never used, but %" PRIu32 " counted as free",
                       arena->base, count, arena->pools - arena->cut, arena->free_pools);
    return RH_OK;
}

static rh_status
check_arena(const rh_pymalloc *pymalloc, uint32_t slot, free_blocks *blocks, sums *sum,
            rh_error *error)
{
    const rh_arenas *arenas = &pymalloc->arenas;
    const rh_arena *arena = &arenas->slots[slot];
    uint32_t first, last;
    unsigned shift = arenas->geometry.arena_shift;
    if (!rh_address_map_find(&arenas->map, arena->base, shift, &first) || first != slot ||
        !rh_address_map_find(&arenas->map, arena->base + arenas->geometry.arena_bytes - 1, shift,
                             &last) ||
        last != slot)
        return rh_fail(error, RH_DIFFERENT,
                       "arena at 0x%" PRIxPTR ": the address map does not know it", arena->base);
    rh_status status = check_given_back(arenas, slot, error);
    for (uint32_t i = 0; status == RH_OK && i < arena->cut; i++)
        status = check_pool(pymalloc, slot, i, blocks, sum, error);
    sum->arenas++;
    sum->idle_arenas += arena->free_pools == arena->pools;
    sum->unaligned += arena->first_pool != arena->base;
    sum->pools_whole += arena->pools;
    return status;
}

static rh_status
compare(const char *what, uint64_t counted, uint64_t noted, rh_error *error)
{
    if (counted == noted)
        return RH_OK;
    return rh_fail(error, RH_DIFFERENT, "%s: %" PRIu64 " found, %" PRIu64 " noted", what, counted,
                   noted);
}

static rh_status
compare_sums(const rh_arenas *arenas, const sums *sum, rh_error *error)
{
    const struct {
        const char *what;
        uint64_t counted, noted;
    } pairs[] = {
        {"arenas held", sum->arenas, arenas->current},
        {"arenas allocated less released", arenas->allocated - arenas->released, arenas->current},
        {"arenas without a block", sum->idle_arenas, arenas->idle_arenas},
        {"unaligned arenas", sum->unaligned, arenas->unaligned},
        {"pools", sum->pools_whole, arenas->pools_whole},
    };
    rh_status status = RH_OK;
    for (size_t i = 0; status == RH_OK && i < sizeof pairs / sizeof pairs[0]; i++)
        status = compare(pairs[i].what, pairs[i].counted, pairs[i].noted, error);
    return status;
}

/* Every partly used pool is in its class's ring, once: as many are there as were found. The links
 * themselves were checked with the pools. */
static rh_status
check_ring(const rh_pymalloc *pymalloc, uint32_t size_class, const sums *sum, rh_error *error)
{
    const rh_bin *bin = &pymalloc->bins[size_class];
    uint64_t partly = 0, steps = 0;
    for (const rh_pool *pool = bin->ring.next; pool != &bin->ring; pool = pool->next) {
        if (++steps > bin->pools_in_use || !is_pool(&pymalloc->arenas, pool) ||
            pool->available == 0)
            return rh_fail(error, RH_DIFFERENT, "size class %" PRIu32 ": its ring is broken",
                           size_class);
        partly += pool->available != 0;
    }
    rh_status status =
        compare("partly used pools of a class in its ring", partly, sum->partly[size_class], error);
    return status != RH_OK ? status
                           : compare("pools in use of a class", sum->in_use[size_class],
                                     bin->pools_in_use, error);
}

static rh_status
check_totals(rh_pymalloc *pymalloc, rh_error *error)
{
    rh_counters counters;
    rh_pymalloc_snapshot(pymalloc, &counters);
    rh_status status = compare("parts of the waterfall", rh_counters_parts(&counters),
                               counters.mapped_bytes, error);
    return status != RH_OK
               ? status
               : compare("mapped bytes", counters.mapped_bytes, pymalloc->mapped_bytes, error);
}

/* What does not change while the heap lives. */
static rh_status
check_tables(const rh_pymalloc *pymalloc, rh_error *error)
{
    const rh_pymalloc_geometry *geometry = &pymalloc->arenas.geometry;
    const char *wrong = rh_pymalloc_geometry_check(geometry);
    for (uint32_t i = 0; i < geometry->classes && !wrong; i++)
        if (pymalloc->bins[i].block_bytes != rh_class_bytes(geometry, i) ||
            pymalloc->bins[i].capacity != rh_class_capacity(geometry, i))
            wrong = "a size class has other blocks than its table says";
    return wrong ? rh_fail(error, RH_DIFFERENT, "%s", wrong) : RH_OK;
}

/* Slots are in use or on the list of unused ones; usable arenas are in the order; nothing that the
 * supply holds for later is in use. */
static rh_status
check_slots(const rh_pymalloc *pymalloc, rh_error *error)
{
    const rh_arenas *arenas = &pymalloc->arenas;
    uint64_t usable = 0, unused = 0;
    for (uint32_t i = 0; i < arenas->count; i++)
        usable += arenas->slots[i].base != 0 && arenas->slots[i].free_pools > 0;
    const char *wrong = rh_arena_order_check(&arenas->order, usable);
    for (uint32_t i = arenas->unused; !wrong && i != RH_NO_ARENA; i = arenas->slots[i].next)
        if (i >= arenas->count || arenas->slots[i].base || ++unused > arenas->count)
            wrong = "the list of unused slots for arenas is broken";
    if (!wrong && unused + arenas->current != arenas->count)
        wrong = "a slot for an arena is neither in use nor listed as unused";
    uintptr_t spare;
    for (size_t i = 0; !wrong && (spare = rh_arena_supply_unused(&pymalloc->supply, i)); i++)
        if (rh_address_map_has(&arenas->map, spare, arenas->geometry.arena_shift))
            wrong = "an arena that was given back is in use";
    return wrong ? rh_fail(error, RH_DIFFERENT, "%s", wrong) : RH_OK;
}

static rh_status
check_with(rh_pymalloc *pymalloc, free_blocks *blocks, sums *sum, rh_error *error)
{
    const rh_arenas *arenas = &pymalloc->arenas;
    rh_status status = check_tables(pymalloc, error);
    if (status == RH_OK)
        status = check_slots(pymalloc, error);
    for (uint32_t i = 0; status == RH_OK && i < arenas->count; i++)
        if (arenas->slots[i].base)
            status = check_arena(pymalloc, i, blocks, sum, error);
    if (status == RH_OK)
        status = compare_sums(arenas, sum, error);
    for (uint32_t i = 0; status == RH_OK && i < arenas->geometry.classes; i++)
        status = check_ring(pymalloc, i, sum, error);
    if (status == RH_OK)
        status = check_totals(pymalloc, error);
    if (status == RH_OK && pymalloc->space)
        status = rh_bestfit_check(pymalloc->space, error);
    return status;
}

rh_status
rh_pymalloc_check(rh_pymalloc *pymalloc, rh_error *error)
{
    if (unpark(pymalloc, error) != RH_OK)
        return RH_DIFFERENT;
    size_t classes = pymalloc->arenas.geometry.classes;
    uint64_t *numbers = calloc(2 * classes, sizeof *numbers);
    free_blocks *blocks = malloc(sizeof *blocks);
    sums sum = {.in_use = numbers, .partly = numbers + (numbers ? classes : 0)};
    rh_status status = numbers && blocks
                           ? check_with(pymalloc, blocks, &sum, error)
                           : rh_fail(error, RH_SYSTEM, "no memory to check the heap with");
    free(blocks);
    free(numbers);
    return status;
}
