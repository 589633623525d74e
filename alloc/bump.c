/* A pointer moves through a window of memory and starts over at its end.
 *
 * Nothing is remembered of a block, so free does nothing, realloc gives a new block without copying
 * the old one, blocks may overlap once the window has been used up, and calloc's memory is zero
 * only until then. That is the bargain: what is left is the least that an allocation can cost.
 *
 * The window is reserved whole and becomes memory step by step during the first lap, so that what
 * is mapped is what was given out, rounded up to a step.
 */
#define _GNU_SOURCE
#include "alloc/bump.h"

#include <sys/mman.h>

#include "base/host.h"

#define WINDOW_STANDARD    (UINT64_C(1) << 30)
#define WINDOW_STANDARD_AS "1G"
#define STEP_BYTES         ((size_t)4 << 20)

enum { ALIGNMENT = 16 };

typedef struct bump_heap {
    rh_heap heap;
    unsigned char *next;  /* what the next call gets */
    unsigned char *limit; /* memory ends here */
    unsigned char *base, *end;
    unsigned char *high; /* the furthest `next` of earlier laps */
    uint64_t mapped_bytes;
    size_t own_bytes; /* the mapping that holds this struct */
} bump_heap;

/* Room for `size` bytes at a multiple of ALIGNMENT; never nothing, so that addresses differ. */
static inline size_t
round_up(size_t size)
{
    return (size + (ALIGNMENT - 1) + (size == 0)) & ~(size_t)(ALIGNMENT - 1);
}

static inline size_t
left(const unsigned char *from, const unsigned char *to)
{
    return (size_t)(to - from);
}

/* Makes memory of the window up to `until` at least. */
static bool
extend(bump_heap *bump, const unsigned char *until)
{
    if (until <= bump->limit)
        return true;
    size_t wanted = left(bump->limit, until);
    size_t step = (wanted + STEP_BYTES - 1) / STEP_BYTES * STEP_BYTES;
    if (step > left(bump->limit, bump->end))
        step = left(bump->limit, bump->end);
    if (mprotect(bump->limit, step, PROT_READ | PROT_WRITE) != 0)
        return false;
    bump->limit += step;
    bump->mapped_bytes += step;
    return true;
}

/* Reached at the end of the memory made so far, at the end of the window, and for sizes that fit
 * nowhere. */
static __attribute__((noinline)) void *
malloc_beyond(bump_heap *bump, size_t size)
{
    if (size > left(bump->base, bump->end))
        return NULL;
    size_t rounded = round_up(size);
    if (rounded > left(bump->next, bump->end)) {
        if (bump->next > bump->high)
            bump->high = bump->next;
        bump->next = bump->base;
    }
    if (!extend(bump, bump->next + rounded))
        return NULL;
    void *block = bump->next;
    bump->next += rounded;
    return block;
}

static void *
bump_malloc(void *ctx, size_t size)
{
    bump_heap *bump = ctx;
    unsigned char *block = bump->next;
    /* Less than what is left, a multiple of ALIGNMENT: then it fits when rounded up, too. */
    if (__builtin_expect(size >= left(block, bump->limit), 0))
        return malloc_beyond(bump, size);
    bump->next = block + round_up(size);
    return block;
}

static void *
bump_calloc(void *ctx, size_t count, size_t size)
{
    size_t total;
    if (__builtin_mul_overflow(count, size, &total))
        return NULL;
    return bump_malloc(ctx, total);
}

static void *
bump_realloc(void *ctx, void *block, size_t size)
{
    (void)block;
    return bump_malloc(ctx, size);
}

static void
bump_free(void *ctx, void *block)
{
    (void)ctx, (void)block;
}

static void *
aligned_alloc_bump(rh_heap *heap, PyMemAllocatorDomain domain, size_t alignment, size_t size)
{
    (void)domain;
    bump_heap *bump = (bump_heap *)heap;
    size_t window = left(bump->base, bump->end);
    if (size > window || alignment > window)
        return NULL;
    size_t wanted = round_up(size) + alignment - ALIGNMENT;
    uintptr_t block = (uintptr_t)bump_malloc(bump, wanted);
    return block ? (void *)((block + alignment - 1) & ~(uintptr_t)(alignment - 1)) : NULL;
}

static void
snapshot(rh_heap *heap, rh_counters *counters)
{
    const bump_heap *bump = (bump_heap *)heap;
    const unsigned char *high = bump->next > bump->high ? bump->next : bump->high;
    counters->mapped_bytes = bump->mapped_bytes;
    counters->block_bytes = left(bump->base, high);
    counters->header_bytes = 0;
    counters->page_header_bytes = 0;
    counters->page_tail_bytes = 0;
    counters->free_block_bytes = left(high, bump->limit);
    counters->free_page_bytes = 0;
    counters->free_arena_bytes = 0;
    counters->metadata_bytes = bump->own_bytes;
    counters->other_bytes = 0;
}

static rh_status
check(rh_heap *heap, rh_error *error)
{
    const bump_heap *bump = (bump_heap *)heap;
    if (bump->base > bump->next || bump->next > bump->limit || bump->limit > bump->end ||
        bump->high > bump->limit)
        return rh_fail(error, RH_DIFFERENT, "bump: base, next, limit and end are out of order");
    if ((uintptr_t)bump->next % ALIGNMENT != 0)
        return rh_fail(error, RH_DIFFERENT, "bump: the next block would not be aligned");
    if (bump->mapped_bytes != left(bump->base, bump->limit) + bump->own_bytes)
        return rh_fail(error, RH_DIFFERENT, "bump: mapped_bytes is not what is mapped");
    return RH_OK;
}

static void
close_bump(rh_heap *heap)
{
    bump_heap *bump = (bump_heap *)heap;
    munmap(bump->base, left(bump->base, bump->end));
    munmap(bump, bump->own_bytes);
}

static const rh_heap_operations operations = {
    .aligned_alloc = aligned_alloc_bump,
    .snapshot = snapshot,
    .check = check,
    .close = close_bump,
};

static rh_status
open_bump(const rh_spec_part *part, rh_heap **heap, rh_error *error)
{
    uint64_t window = WINDOW_STANDARD;
    rh_spec_number(part, "window", &window);
    size_t page = rh_host_page_bytes();
    window = (window + page - 1) / page * page;
    void *base = mmap(NULL, window, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED)
        return rh_fail(error, RH_CANNOT_RUN,
                       "no room for a window of %zu bytes; give a smaller one", (size_t)window);
    bump_heap *bump = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (bump == MAP_FAILED) {
        munmap(base, window);
        return rh_fail(error, RH_SYSTEM, "out of memory");
    }
    bump->next = bump->limit = bump->base = bump->high = base;
    bump->end = bump->base + window;
    bump->own_bytes = page;
    bump->mapped_bytes = page;
    bump->heap.operations = &operations;
    bump->heap.mapped_bytes = &bump->mapped_bytes;
    bump->heap.natural_alignment = ALIGNMENT;
    bump->heap.contents = RH_CONTENTS_LOST;
    for (int i = 0; i < RH_DOMAINS; i++)
        bump->heap.domain[i] =
            (PyMemAllocatorEx){bump, bump_malloc, bump_calloc, bump_realloc, bump_free};
    *heap = &bump->heap;
    return RH_OK;
}

static const rh_key keys[] = {
    {.name = "window",
     .kind = RH_KEY_SIZE,
     .min = 64 << 10,
     .max = UINT64_C(1) << 44,
     .standard = WINDOW_STANDARD_AS,
     .help = "memory to go through before starting over"},
    {.name = NULL},
};

const rh_allocator rh_bump_allocator = {
    .name = "bump",
    .summary = "never looks back: the speed limit, and the harness's own cost",
    .keys = keys,
    .many = true,
    .deterministic = true,
    .open = open_bump,
};
