#define _GNU_SOURCE
#include "alloc/pymalloc_domains.h"

#include <malloc.h>
#include <stdlib.h>

#include "alloc/c_library.h"
#include "alloc/pymalloc_paths.h"

#define SPACE_ALIGNMENT 16
#define RH_HOT          __attribute__((aligned(64))) /* begins with a cache line */

/* ---- RAW from the heap's own space ---- */

static void *
space_malloc(void *ctx, size_t size)
{
    rh_pymalloc *pymalloc = ctx;
    void *block = rh_bestfit_malloc(pymalloc->space, SPACE_ALIGNMENT, size ? size : 1, false);
    rh_pymalloc_settle_space(pymalloc);
    return block;
}

static void *
space_calloc(void *ctx, size_t nelem, size_t elsize)
{
    rh_pymalloc *pymalloc = ctx;
    size_t size;
    if (__builtin_mul_overflow(nelem, elsize, &size))
        return NULL;
    void *block = rh_bestfit_malloc(pymalloc->space, SPACE_ALIGNMENT, size ? size : 1, true);
    rh_pymalloc_settle_space(pymalloc);
    return block;
}

static void *
space_realloc(void *ctx, void *block, size_t size)
{
    rh_pymalloc *pymalloc = ctx;
    if (!block)
        return space_malloc(ctx, size);
    void *moved = rh_bestfit_realloc(pymalloc->space, block, size ? size : 1);
    rh_pymalloc_settle_space(pymalloc);
    return moved;
}

static void
space_free(void *ctx, void *block)
{
    rh_pymalloc *pymalloc = ctx;
    if (!block)
        return;
    rh_bestfit_free(pymalloc->space, block);
    rh_pymalloc_settle_space(pymalloc);
}

/* ---- MEM and OBJ ---- */

static __attribute__((noinline)) void *
raw_malloc(rh_pymalloc *pymalloc, size_t size)
{
    const PyMemAllocatorEx *raw = pymalloc->raw;
    return raw->malloc(raw->ctx, size);
}

static __attribute__((noinline)) void *
raw_calloc(rh_pymalloc *pymalloc, size_t nelem, size_t elsize)
{
    const PyMemAllocatorEx *raw = pymalloc->raw;
    return raw->calloc(raw->ctx, nelem, elsize);
}

static __attribute__((noinline)) void *
raw_realloc(rh_pymalloc *pymalloc, void *block, size_t size)
{
    const PyMemAllocatorEx *raw = pymalloc->raw;
    return raw->realloc(raw->ctx, block, size);
}

static __attribute__((noinline)) void
raw_free(rh_pymalloc *pymalloc, void *block)
{
    const PyMemAllocatorEx *raw = pymalloc->raw;
    if (block) /* a hook on RAW never hears of NULL from here */
        raw->free(raw->ctx, block);
}

/* When no pool can be had, the arena source having failed, the request goes where large ones go. */
static __attribute__((noinline)) void *
refill_or_raw(rh_pymalloc *pymalloc, size_t size)
{
    void *block = rh_pools_refill(pymalloc, rh_class_of(&pymalloc->arenas.geometry, size));
    return block ? block : raw_malloc(pymalloc, size);
}

/* Malloc of any size; and of small ones while full pools are not foreseen. */
RH_PATH void *
any_malloc_anyhow(rh_pymalloc *pymalloc, size_t size, const rh_pymalloc_geometry *geometry,
                  bool side)
{
    void *block;
    if (!rh_path_is_small(geometry, size))
        return raw_malloc(pymalloc, size);
    if (RH_LIKELY(
            rh_path_take_anyhow(pymalloc, rh_class_of(geometry, size), geometry, side, &block)))
        return block;
    return refill_or_raw(pymalloc, size);
}

/* `anyhow` is the above, out of line. */
RH_PATH void *
any_malloc(rh_pymalloc *pymalloc, size_t size, const rh_pymalloc_geometry *geometry, bool side,
           void *(*anyhow)(rh_pymalloc *, size_t))
{
    void *block;
    if (RH_UNLIKELY(!rh_path_is_near_small(pymalloc, size)))
        return anyhow(pymalloc, size);
    if (RH_UNLIKELY(!rh_path_take(pymalloc, rh_class_of(geometry, size), geometry, side, &block)))
        return refill_or_raw(pymalloc, size);
    return block;
}

RH_PATH void *
any_calloc(rh_pymalloc *pymalloc, size_t nelem, size_t elsize, const rh_pymalloc_geometry *geometry,
           bool side)
{
    size_t size;
    if (__builtin_mul_overflow(nelem, elsize, &size) || !rh_path_is_small(geometry, size))
        return raw_calloc(pymalloc, nelem, elsize);
    size_t size_class = rh_class_of(geometry, size);
    void *block;
    if (RH_UNLIKELY(side ? !rh_path_take(pymalloc, size_class, geometry, side, &block)
                         : !rh_path_take_anyhow(pymalloc, size_class, geometry, side, &block))) {
        block = rh_pools_refill(pymalloc, size_class);
        if (!block)
            return raw_calloc(pymalloc, nelem, elsize);
    }
    if (!side || !pymalloc->is_virtual)
        memset(block, 0, size);
    return block;
}

/* Free of what may be in an arena anywhere, or no pool's, or NULL; and of any block while full
 * pools are not foreseen. */
RH_PATH void
any_free_anywhere(rh_pymalloc *pymalloc, void *block, const rh_pymalloc_geometry *geometry,
                  bool side)
{
    rh_pool *pool = rh_path_pool_of(pymalloc, block, geometry, side);
    if (RH_LIKELY(pool))
        rh_path_give_anyhow(pymalloc, pool, block, geometry, side);
    else
        raw_free(pymalloc, block);
}

/* `anywhere` is the above, out of line. */
RH_PATH void
any_free(rh_pymalloc *pymalloc, void *block, const rh_pymalloc_geometry *geometry, bool side,
         void (*anywhere)(rh_pymalloc *, void *))
{
    if (RH_UNLIKELY(!rh_path_is_near(pymalloc, block))) {
        anywhere(pymalloc, block);
        return;
    }
    rh_pool *pool = rh_path_window_pool(pymalloc, block, geometry, side);
    rh_path_give(pymalloc, pool, block, geometry, side);
}

/* A block in a pool stays where it is while more than three quarters of it are used; otherwise the
 * new one is taken before the old one is given up. A block outside pools never comes into one. */
RH_PATH void *
any_realloc(rh_pymalloc *pymalloc, void *block, size_t size, const rh_pymalloc_geometry *geometry,
            bool side)
{
    if (!block)
        return any_malloc_anyhow(pymalloc, size, geometry, side);
    rh_pool *pool = rh_path_pool_of(pymalloc, block, geometry, side);
    if (!pool)
        return raw_realloc(pymalloc, block, size);
    size_t held = rh_pool_bin(pool)->block_bytes;
    if (size <= held && 4 * size > 3 * held)
        return block;
    void *moved = any_malloc_anyhow(pymalloc, size, geometry, side);
    if (!moved)
        return NULL;
    if (!side || !pymalloc->is_virtual)
        memcpy(moved, block, size < held ? size : held);
    if (side)
        rh_path_give(pymalloc, pool, block, geometry, side);
    else
        rh_path_give_anyhow(pymalloc, pool, block, geometry, side);
    return moved;
}

/* The four functions for one geometry. `geometry` may use `pymalloc`. Where those of two geometries
 * come out the same, the comment in the code keeps a compiler from making one a jump to the other,
 * which would cost as much as a tenth of it. */
#define DOMAIN_FUNCTIONS(name, geometry, side)                                                     \
    static                                                                                         \
        __attribute__((noinline)) void *name##_malloc_anyhow(rh_pymalloc *pymalloc, size_t size)   \
    {                                                                                              \
        return any_malloc_anyhow(pymalloc, size, geometry, side);                                  \
    }                                                                                              \
    RH_HOT static void *name##_malloc(void *ctx, size_t size)                                      \
    {                                                                                              \
        rh_pymalloc *pymalloc = ctx;                                                               \
        __asm__("# " #name);                                                                       \
        return any_malloc(pymalloc, size, geometry, side, name##_malloc_anyhow);                   \
    }                                                                                              \
    static void *name##_calloc(void *ctx, size_t nelem, size_t elsize)                             \
    {                                                                                              \
        rh_pymalloc *pymalloc = ctx;                                                               \
        return any_calloc(pymalloc, nelem, elsize, geometry, side);                                \
    }                                                                                              \
    static void *name##_realloc(void *ctx, void *block, size_t size)                               \
    {                                                                                              \
        rh_pymalloc *pymalloc = ctx;                                                               \
        return any_realloc(pymalloc, block, size, geometry, side);                                 \
    }                                                                                              \
    static __attribute__((noinline)) void name##_free_anywhere(rh_pymalloc *pymalloc, void *block) \
    {                                                                                              \
        any_free_anywhere(pymalloc, block, geometry, side);                                        \
    }                                                                                              \
    RH_HOT static void name##_free(void *ctx, void *block)                                         \
    {                                                                                              \
        rh_pymalloc *pymalloc = ctx;                                                               \
        any_free(pymalloc, block, geometry, side, name##_free_anywhere);                           \
    }

#define CPYTHON_GEOMETRY(arena, pool)                                                              \
    {                                                                                              \
        .arena_bytes = (size_t)1 << (arena), .pool_bytes = (size_t)1 << (pool), .alignment = 16,   \
        .small_bytes = 512, .arena_shift = (arena), .pool_shift = (pool), .class_shift = 4,        \
        .header_bytes = RH_POOL_HEADER_BYTES, .classes = 32,                                       \
        .pools = (uint32_t)1 << ((arena) - (pool)),                                                \
    }

/* Until 3.9, and since 3.10. */
static const rh_pymalloc_geometry old_geometry = CPYTHON_GEOMETRY(18, 12);
static const rh_pymalloc_geometry new_geometry = CPYTHON_GEOMETRY(20, 14);

DOMAIN_FUNCTIONS(old_inband, &old_geometry, false)
DOMAIN_FUNCTIONS(new_inband, &new_geometry, false)
DOMAIN_FUNCTIONS(odd_inband, &pymalloc->arenas.geometry, false)
DOMAIN_FUNCTIONS(old_side, &old_geometry, true)
DOMAIN_FUNCTIONS(new_side, &new_geometry, true)
DOMAIN_FUNCTIONS(odd_side, &pymalloc->arenas.geometry, true)

#define DOMAIN(ctx, name)                                                                          \
    {                                                                                              \
        (ctx), name##_malloc, name##_calloc, name##_realloc, name##_free                           \
    }

static bool
same_geometry(const rh_pymalloc_geometry *a, const rh_pymalloc_geometry *b)
{
    return a->arena_bytes == b->arena_bytes && a->pool_bytes == b->pool_bytes &&
           a->alignment == b->alignment && a->small_bytes == b->small_bytes &&
           a->classes == b->classes;
}

/* MEM and OBJ. */
static PyMemAllocatorEx
pools_of(rh_pymalloc *pymalloc)
{
    const PyMemAllocatorEx odd[] = {DOMAIN(pymalloc, odd_inband), DOMAIN(pymalloc, odd_side)};
    const PyMemAllocatorEx old[] = {DOMAIN(pymalloc, old_inband), DOMAIN(pymalloc, old_side)};
    const PyMemAllocatorEx new[] = {DOMAIN(pymalloc, new_inband), DOMAIN(pymalloc, new_side)};
    const rh_arenas *arenas = &pymalloc->arenas;
    if (same_geometry(&arenas->geometry, &new_geometry))
        return new[arenas->side];
    if (same_geometry(&arenas->geometry, &old_geometry))
        return old[arenas->side];
    return odd[arenas->side];
}

void
rh_pymalloc_set_domains(rh_pymalloc *pymalloc)
{
    PyMemAllocatorEx pools = pools_of(pymalloc);
    PyMemAllocatorEx *domain = pymalloc->heap.domain;
    domain[PYMEM_DOMAIN_RAW] =
        pymalloc->space ? (PyMemAllocatorEx)DOMAIN(pymalloc, space) : rh_c_library;
    domain[PYMEM_DOMAIN_MEM] = domain[PYMEM_DOMAIN_OBJ] = pools;
    pymalloc->raw = &domain[PYMEM_DOMAIN_RAW];
}

void *
rh_pymalloc_aligned_alloc(rh_pymalloc *pymalloc, PyMemAllocatorDomain domain, size_t alignment,
                          size_t size)
{
    const PyMemAllocatorEx *plain = &pymalloc->heap.domain[domain];
    if (alignment <= pymalloc->heap.natural_alignment)
        return plain->malloc(plain->ctx, size);
    if (pymalloc->space) {
        void *block = rh_bestfit_malloc(pymalloc->space, alignment, size ? size : 1, false);
        rh_pymalloc_settle_space(pymalloc);
        return block;
    }
    void *block;
    return posix_memalign(&block, alignment < sizeof block ? sizeof block : alignment,
                          size ? size : 1) == 0
               ? block
               : NULL;
}

size_t
rh_pymalloc_usable_size(rh_pymalloc *pymalloc, PyMemAllocatorDomain domain, const void *block)
{
    const rh_arenas *arenas = &pymalloc->arenas;
    const rh_pool *pool = NULL;
    if (domain != PYMEM_DOMAIN_RAW)
        pool = rh_path_pool_of(pymalloc, block, &arenas->geometry, arenas->side);
    if (pool)
        return rh_pool_bin(pool)->block_bytes;
    if (pymalloc->space)
        return rh_bestfit_usable_size(pymalloc->space, block);
    if (domain != PYMEM_DOMAIN_RAW && pymalloc->raw != &pymalloc->heap.domain[PYMEM_DOMAIN_RAW])
        return 0; /* somebody else's, who may have given out another address */
    return malloc_usable_size((void *)(uintptr_t)block);
}

size_t
rh_pymalloc_block_bytes(rh_pymalloc *pymalloc, PyMemAllocatorDomain domain, const void *block)
{
    const rh_arenas *arenas = &pymalloc->arenas;
    bool in_pool = domain != PYMEM_DOMAIN_RAW &&
                   rh_path_pool_of(pymalloc, block, &arenas->geometry, arenas->side) != NULL;
    return in_pool || pymalloc->space ? rh_pymalloc_usable_size(pymalloc, domain, block) : 0;
}
