#define _GNU_SOURCE
#include "alloc/mimalloc_segments.h"

#include <string.h>
#include <sys/mman.h>

enum {
    SEGMENT_SHIFT = 25,
    SLICE_SHIFT = 16,
    SLICES = 1 << (SEGMENT_SHIFT - SLICE_SHIFT),
    SEGMENTS_MOST = 4096,
    SMALL_BLOCK_BYTES = 16 << 10,
    MEDIUM_BLOCK_BYTES = 128 << 10,
    LARGE_BLOCK_BYTES = 1 << (SEGMENT_SHIFT - 1), /* above it: a segment for each block */
    MEDIUM_PAGE_SLICES = 8
};

#define SEGMENT_BYTES (UINT64_C(1) << SEGMENT_SHIFT)
#define SLICE_BYTES   (UINT64_C(1) << SLICE_SHIFT)

/* A slice, as the blocks tell that were seen in it. */
typedef struct slice {
    uint32_t block_bytes; /* of the page that it was in last; 0: in none yet */
    uint32_t live;        /* the first of a page: its blocks */
    uint16_t first;       /* slice of that page */
    uint16_t slices;      /* the first of a page: how many it has */
} slice;

/* A page, as a walk met it. */
typedef struct page {
    uint32_t block_bytes, used, capacity;
    uint32_t slices; /* 0: none begins here */
} page;

typedef struct segment {
    uintptr_t address;
    uint64_t blocks; /* that were noted and live */
    uint32_t slot;
    bool met; /* by the walk that goes on */
} segment;

typedef struct noting_domain {
    rh_mimalloc_segments *segments;
    PyMemAllocatorEx plain;
} noting_domain;

struct rh_mimalloc_segments {
    rh_segment_questions ask;
    rh_arena_watch watch;
    bool watched; /* ever */
    noting_domain domain[RH_DOMAINS];
    uint64_t born, died, highwater, slots_reused, pools_recycled, pools_reclassed;
    uint32_t count, slots, vacant_count;
    segment held[SEGMENTS_MOST];         /* by address */
    uint32_t vacant[SEGMENTS_MOST];      /* slots, a stack */
    slice slices[SEGMENTS_MOST][SLICES]; /* by slot */
    page pages[SEGMENTS_MOST][SLICES];
};

rh_mimalloc_segments *
rh_mimalloc_segments_open(rh_segment_questions questions)
{
    rh_mimalloc_segments *segments = mmap(NULL, sizeof *segments, PROT_READ | PROT_WRITE,
                                          MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (segments == MAP_FAILED)
        return NULL;
    segments->ask = questions;
    return segments;
}

void
rh_mimalloc_segments_close(rh_mimalloc_segments *segments)
{
    if (segments)
        munmap(segments, sizeof *segments);
}

void
rh_mimalloc_segments_watch(rh_mimalloc_segments *segments, const rh_arena_watch *watch)
{
    segments->watch = watch ? *watch : (rh_arena_watch){.ctx = NULL};
    segments->watched |= watch != NULL;
}

/* ---- segments by address ---- */

/* The library looks for a block's segment below its address, as a block may end with one. */
static uintptr_t
segment_of(const void *address)
{
    return ((uintptr_t)address - 1) & ~(uintptr_t)(SEGMENT_BYTES - 1);
}

static uint32_t
slice_of(uintptr_t segment_address, const void *address)
{
    uintptr_t number = ((uintptr_t)address - segment_address) >> SLICE_SHIFT;
    return number < SLICES ? (uint32_t)number : SLICES - 1;
}

/* The place of the first one at `address` or above. */
static uint32_t
place_of(const rh_mimalloc_segments *segments, uintptr_t address)
{
    uint32_t low = 0, high = segments->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (segments->held[middle].address < address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static segment *
find(rh_mimalloc_segments *segments, uintptr_t address)
{
    segment *at = &segments->held[place_of(segments, address)];
    return at < &segments->held[segments->count] && at->address == address ? at : NULL;
}

static uint32_t
take_slot(rh_mimalloc_segments *segments)
{
    if (segments->vacant_count == 0)
        return segments->slots++;
    segments->slots_reused++;
    return segments->vacant[--segments->vacant_count];
}

/* NULL: there is no room for another. */
static segment *
enter(rh_mimalloc_segments *segments, uintptr_t address)
{
    segment *at = &segments->held[place_of(segments, address)];
    segment *end = &segments->held[segments->count];
    if (at < end && at->address == address)
        return at;
    if (segments->count == SEGMENTS_MOST)
        return NULL;
    memmove(at + 1, at, (size_t)(end - at) * sizeof *at);
    *at = (segment){.address = address, .slot = take_slot(segments)};
    memset(segments->slices[at->slot], 0, sizeof segments->slices[at->slot]);
    memset(segments->pages[at->slot], 0, sizeof segments->pages[at->slot]);
    segments->born++;
    if (++segments->count > segments->highwater)
        segments->highwater = segments->count;
    if (segments->watch.born)
        segments->watch.born(segments->watch.ctx, at->slot, address, SEGMENT_BYTES);
    return at;
}

static void
leave(rh_mimalloc_segments *segments, segment *at)
{
    segment *end = &segments->held[segments->count];
    segments->vacant[segments->vacant_count++] = at->slot;
    segments->died++;
    if (segments->watch.died)
        segments->watch.died(segments->watch.ctx, at->slot, at->address);
    memmove(at, at + 1, (size_t)(end - (at + 1)) * sizeof *at);
    segments->count--;
}

/* ---- what calls tell ---- */

void
rh_mimalloc_segments_settle(rh_mimalloc_segments *segments)
{
    for (uint32_t i = segments->count; i-- > 0;) {
        segment *at = &segments->held[i];
        if (!at->blocks && !segments->ask.is_in_heap_region((void *)(at->address + SLICE_BYTES)))
            leave(segments, at);
    }
}

static uint16_t
slices_of_page(size_t block_bytes)
{
    if (block_bytes <= SMALL_BLOCK_BYTES)
        return 1;
    if (block_bytes <= MEDIUM_BLOCK_BYTES)
        return MEDIUM_PAGE_SLICES;
    return (uint16_t)((block_bytes + SLICE_BYTES - 1) >> SLICE_SHIFT);
}

/* The page that a slice was in last; NULL when that was none, or another has taken its start. */
static slice *
page_at(slice *slices, uint32_t number)
{
    uint32_t first = slices[number].first;
    bool whole = slices[number].block_bytes && slices[first].first == first &&
                 number < first + slices[first].slices;
    return whole ? &slices[first] : NULL;
}

/* A page without blocks becomes one of these. Its first block lies in its first slice. */
static void
take_page(slice *slices, uint32_t first, size_t block_bytes)
{
    uint32_t count = slices_of_page(block_bytes);
    if (count > SLICES - first)
        count = SLICES - first;
    for (uint32_t i = first; i < first + count; i++)
        slices[i] = (slice){.block_bytes = (uint32_t)block_bytes, .first = (uint16_t)first};
    slices[first].slices = (uint16_t)count;
}

static void
note_in_slice(rh_mimalloc_segments *segments, slice *slices, uint32_t number, size_t block_bytes)
{
    slice *at = page_at(slices, number);
    if (!at || !at->live) {
        uint32_t before = slices[number].block_bytes;
        segments->pools_recycled += before != 0;
        segments->pools_reclassed += before != 0 && before != block_bytes;
        if (!at || before != block_bytes) {
            take_page(slices, number, block_bytes);
            at = &slices[number];
        }
    }
    at->live++;
}

void
rh_mimalloc_segments_note(rh_mimalloc_segments *segments, const void *block)
{
    rh_mimalloc_segments_settle(segments);
    if (!block)
        return;
    uintptr_t address = segment_of(block);
    size_t block_bytes = segments->ask.usable_size(block);
    segment *at = block_bytes > LARGE_BLOCK_BYTES ? NULL : enter(segments, address);
    if (!at)
        return;
    at->blocks++;
    note_in_slice(segments, segments->slices[at->slot], slice_of(address, block), block_bytes);
}

/* The block is gone: nothing is read of it. */
static void
note_death(rh_mimalloc_segments *segments, const void *block)
{
    uintptr_t address = segment_of(block);
    segment *at = block ? find(segments, address) : NULL;
    if (at && at->blocks) {
        at->blocks--;
        slice *in = page_at(segments->slices[at->slot], slice_of(address, block));
        if (in && in->live)
            in->live--;
    }
    rh_mimalloc_segments_settle(segments);
}

static void *
noting_malloc(void *ctx, size_t size)
{
    const noting_domain *domain = ctx;
    void *block = domain->plain.malloc(domain->plain.ctx, size);
    rh_mimalloc_segments_note(domain->segments, block);
    return block;
}

static void *
noting_calloc(void *ctx, size_t count, size_t size)
{
    const noting_domain *domain = ctx;
    void *block = domain->plain.calloc(domain->plain.ctx, count, size);
    rh_mimalloc_segments_note(domain->segments, block);
    return block;
}

static void *
noting_realloc(void *ctx, void *block, size_t size)
{
    const noting_domain *domain = ctx;
    void *resized = domain->plain.realloc(domain->plain.ctx, block, size);
    if (!resized || resized == block)
        return resized;
    rh_mimalloc_segments_note(domain->segments, resized);
    if (block)
        note_death(domain->segments, block);
    return resized;
}

static void
noting_free(void *ctx, void *block)
{
    const noting_domain *domain = ctx;
    domain->plain.free(domain->plain.ctx, block);
    note_death(domain->segments, block);
}

void
rh_mimalloc_segments_wrap(rh_mimalloc_segments *segments, PyMemAllocatorDomain which,
                          PyMemAllocatorEx *domain)
{
    noting_domain *noting = &segments->domain[which];
    *noting = (noting_domain){segments, *domain};
    *domain = (PyMemAllocatorEx){noting, noting_malloc, noting_calloc, noting_realloc, noting_free};
}

/* ---- the walk ---- */

void
rh_mimalloc_segments_begin(rh_mimalloc_segments *segments)
{
    for (uint32_t i = 0; i < segments->count; i++) {
        segments->held[i].met = false;
        memset(segments->pages[segments->held[i].slot], 0, sizeof segments->pages[0]);
    }
}

bool
rh_mimalloc_segments_fill(rh_mimalloc_segments *segments, const rh_region *region)
{
    if (region->block_bytes > LARGE_BLOCK_BYTES)
        return true;
    uintptr_t address = region->address & ~(uintptr_t)(SEGMENT_BYTES - 1);
    uint32_t first = slice_of(address, (const void *)region->address);
    segment *at = enter(segments, address);
    if (!at)
        return false;
    at->met = true;
    segments->pages[at->slot][first] = (page){.block_bytes = (uint32_t)region->block_bytes,
                                              .used = region->used,
                                              .capacity = region->capacity,
                                              .slices = slices_of_page(region->block_bytes)};
    return true;
}

void
rh_mimalloc_segments_except(rh_mimalloc_segments *segments, const void *block)
{
    uintptr_t address = segment_of(block);
    const segment *at = find(segments, address);
    uint32_t i = slice_of(address, block);
    while (at && i > 0 && !segments->pages[at->slot][i].slices)
        i--; /* to where its page begins */
    if (at && segments->pages[at->slot][i].used)
        segments->pages[at->slot][i].used--;
}

static bool
show_segment(const segment *at, const page *pages, rh_region_visitor *visit, void *ctx)
{
    rh_region arena = {.kind = RH_REGION_ARENA,
                       .address = at->address,
                       .size_bytes = SEGMENT_BYTES,
                       .capacity = SLICES - 1}; /* the first has the library's own tables */
    for (uint32_t i = 0; i < SLICES; i++)
        arena.used += pages[i].used > 0;
    bool on = visit(ctx, &arena);
    for (uint32_t i = 0; i < SLICES && on; i++) {
        rh_region region = {.kind = RH_REGION_PAGE,
                            .address = at->address + i * SLICE_BYTES,
                            .size_bytes = pages[i].slices * SLICE_BYTES,
                            .block_bytes = pages[i].block_bytes,
                            .used = pages[i].used,
                            .capacity = pages[i].capacity};
        on = pages[i].used == 0 || visit(ctx, &region);
    }
    return on;
}

bool
rh_mimalloc_segments_show(rh_mimalloc_segments *segments, rh_region_visitor *visit, void *ctx)
{
    for (uint32_t i = segments->count; i-- > 0;)
        if (!segments->held[i].met)
            leave(segments, &segments->held[i]);
    bool on = true;
    for (uint32_t i = 0; i < segments->count && on; i++)
        on = show_segment(&segments->held[i], segments->pages[segments->held[i].slot], visit, ctx);
    return on;
}

void
rh_mimalloc_segments_count(const rh_mimalloc_segments *segments, rh_counters *counters)
{
    if (!segments->watched)
        return;
    counters->arenas_allocated = segments->born;
    counters->arenas_released = segments->died;
    counters->arenas_current = segments->count;
    counters->arenas_highwater = segments->highwater;
    counters->arena_bytes = segments->count * SEGMENT_BYTES;
    counters->arena_slots_reused = segments->slots_reused;
    counters->pools_recycled = segments->pools_recycled;
    counters->pools_reclassed = segments->pools_reclassed;
}
