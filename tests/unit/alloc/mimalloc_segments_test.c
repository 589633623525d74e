/* mimalloc's segments as arenas, against what the test knows of its own blocks: where each lies,
 * and which pages it must be in. Nothing of the library's is asked but through the heap. */
// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#include <stdlib.h>
#include <string.h>

#include "alloc/heap.h"
#include "alloc/pymem.h"
#include "base/error.h"
#include "base/random.h"

enum { BLOCKS = 3000, ARENAS_MOST = 256, PAGES_MOST = 1 << 16, SLICES = 512 };

#define ARENA_BYTES (UINT64_C(32) << 20)
#define SLICE_BYTES (UINT64_C(64) << 10)
#define HUGE_BYTES  (UINT64_C(16) << 20)

typedef struct live_block {
    char *address;
    size_t size;
    PyMemAllocatorDomain domain;
    bool aligned; /* it may begin within a block of the library's */
} live_block;

/* What was seen of an arena that is held. */
typedef struct known_arena {
    uintptr_t address;
    uint32_t slot;
    uint32_t in[SLICES]; /* the size of the blocks of the last page that a slice was in; 0: none */
    bool used[SLICES];   /* a page begins here that held a block when it was last looked at */
} known_arena;

typedef struct model {
    rh_heap *heap;
    live_block block[BLOCKS];
    known_arena arena[ARENAS_MOST];
    size_t arenas, highwater;
    uint64_t born, died, recycled, reclassed;
    bool silent; /* nothing may be told now */
    rh_region page[PAGES_MOST];
    size_t pages, shown_arenas;
    uintptr_t last_arena;
} model;

static known_arena *
arena_at(model *m, uintptr_t address)
{
    for (size_t i = 0; i < m->arenas; i++)
        if (m->arena[i].address == (address & ~(ARENA_BYTES - 1)))
            return &m->arena[i];
    return NULL;
}

static void
note_birth(void *ctx, uint32_t slot, uintptr_t address, size_t size_bytes)
{
    model *m = ctx;
    assert_false(m->silent);
    assert_int_equal(size_bytes, ARENA_BYTES);
    assert_int_equal(address % ARENA_BYTES, 0);
    assert_null(arena_at(m, address));
    for (size_t i = 0; i < m->arenas; i++)
        assert_int_not_equal(m->arena[i].slot, slot);
    assert_true(slot <= m->highwater); /* a new one only when all are taken */
    assert_true(m->arenas < ARENAS_MOST);
    m->arena[m->arenas++] = (known_arena){.address = address, .slot = slot};
    if (m->arenas > m->highwater)
        m->highwater = m->arenas;
    m->born++;
}

static void
note_death(void *ctx, uint32_t slot, uintptr_t address)
{
    model *m = ctx;
    assert_false(m->silent);
    known_arena *arena = arena_at(m, address);
    assert_non_null(arena);
    assert_int_equal(arena->slot, slot);
    for (size_t i = 0; i < BLOCKS; i++) /* nothing of ours is in it */
        assert_true(!m->block[i].address || m->block[i].size > HUGE_BYTES ||
                    (uintptr_t)m->block[i].address / ARENA_BYTES != address / ARENA_BYTES);
    *arena = m->arena[--m->arenas];
    m->died++;
}

static bool
see(void *ctx, const rh_region *region)
{
    model *m = ctx;
    if (region->kind == RH_REGION_ARENA) {
        assert_true(region->address > m->last_arena);
        assert_int_equal(region->size_bytes, ARENA_BYTES);
        assert_non_null(arena_at(m, region->address));
        m->last_arena = region->address;
        m->shown_arenas++;
        return true;
    }
    assert_int_equal(region->kind, RH_REGION_PAGE);
    assert_true(m->pages < PAGES_MOST);
    assert_int_equal(region->address & ~(ARENA_BYTES - 1), m->last_arena);
    assert_int_equal(region->address % SLICE_BYTES, 0);
    assert_true(region->address > m->last_arena);
    assert_true(region->address + region->size_bytes <= m->last_arena + ARENA_BYTES);
    if (m->pages > 0)
        assert_true(m->page[m->pages - 1].address + m->page[m->pages - 1].size_bytes <=
                    region->address);
    assert_in_range(region->used, 1, region->capacity);
    assert_true(region->capacity * region->block_bytes <= region->size_bytes);
    assert_true((region->capacity + 1) * region->block_bytes + 512 > region->size_bytes);
    m->page[m->pages++] = *region;
    return true;
}

static rh_region *
page_of(model *m, uintptr_t address)
{
    size_t low = 0, high = m->pages;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (m->page[middle].address <= address)
            low = middle + 1;
        else
            high = middle;
    }
    rh_region *page = low ? &m->page[low - 1] : NULL;
    return page && address < page->address + page->size_bytes ? page : NULL;
}

/* A page has a block that had none when it was looked at last. */
static void
count_taken(model *m, known_arena *arena, const rh_region *page)
{
    size_t first = (page->address - arena->address) / SLICE_BYTES;
    uint32_t before = arena->in[first];
    m->recycled += before != 0;
    m->reclassed += before != 0 && before != page->block_bytes;
    for (size_t i = first; i < first + page->size_bytes / SLICE_BYTES; i++)
        arena->in[i] = (uint32_t)page->block_bytes;
}

static void
count_pages(model *m)
{
    static bool used[ARENAS_MOST][SLICES];
    memset(used, 0, sizeof used);
    for (size_t i = 0; i < m->pages; i++) {
        known_arena *arena = arena_at(m, m->page[i].address);
        size_t first = (m->page[i].address - arena->address) / SLICE_BYTES;
        used[arena - m->arena][first] = true;
        if (!arena->used[first])
            count_taken(m, arena, &m->page[i]);
    }
    for (size_t i = 0; i < m->arenas; i++)
        memcpy(m->arena[i].used, used[i], sizeof used[i]);
}

/* Each page has as many blocks in use as the test has in it, of their size; there are no others. */
static void
compare(model *m)
{
    m->pages = m->shown_arenas = 0;
    m->last_arena = 0;
    assert_true(rh_heap_walk_pages(m->heap, see, m));
    assert_int_equal(m->shown_arenas, m->arenas);
    count_pages(m);
    for (size_t i = 0; i < BLOCKS; i++) {
        const live_block *block = &m->block[i];
        if (!block->address || block->size > HUGE_BYTES)
            continue;
        rh_region *page = page_of(m, (uintptr_t)block->address);
        assert_non_null(page);
        size_t usable = rh_heap_usable_size(m->heap, block->domain, block->address);
        assert_true(block->aligned ? usable <= page->block_bytes : usable == page->block_bytes);
        assert_true(page->used > 0);
        page->used--;
    }
    for (size_t i = 0; i < m->pages; i++)
        assert_int_equal(m->page[i].used, 0);
}

static void
compare_counters(model *m)
{
    rh_counters counters;
    rh_heap_snapshot(m->heap, &counters);
    assert_int_equal(counters.arenas_allocated, m->born);
    assert_int_equal(counters.arenas_released, m->died);
    assert_int_equal(counters.arenas_current, m->arenas);
    assert_int_equal(counters.arenas_highwater, m->highwater);
    assert_int_equal(counters.arena_bytes, m->arenas * ARENA_BYTES);
    assert_int_equal(counters.pools_recycled, m->recycled);
    assert_int_equal(counters.pools_reclassed, m->reclassed);
}

/* Mostly small, some of each kind of page, now and then one of a segment of its own. */
static size_t
draw_size(rh_random *random)
{
    uint64_t kind = rh_random_below(random, 1000);
    if (kind < 500)
        return rh_random_below(random, 1025);
    if (kind < 800)
        return rh_random_below(random, 8 << 10);
    if (kind < 900)
        return rh_random_below(random, 128 << 10);
    if (kind < 998)
        return rh_random_below(random, 4 << 20);
    return (16 << 20) + rh_random_below(random, 32 << 20);
}

static void
step(model *m, rh_random *random, unsigned fill_percent)
{
    static const PyMemAllocatorDomain served[] = {PYMEM_DOMAIN_MEM, PYMEM_DOMAIN_OBJ};
    bool make = rh_random_below(random, 100) < fill_percent;
    size_t place = rh_random_below(random, BLOCKS);
    for (size_t i = 0; !make && !m->block[place].address && i < BLOCKS; i++)
        place = (place + 1) % BLOCKS;
    live_block *block = &m->block[place];
    const PyMemAllocatorEx *domain = &m->heap->domain[block->domain];
    size_t size = draw_size(random);
    if (block->address && make && rh_random_below(random, 4) == 0) {
        block->address = domain->realloc(domain->ctx, block->address, size);
        block->size = size;
    } else if (block->address && !make) {
        char *address = block->address;
        block->address = NULL;
        domain->free(domain->ctx, address);
    } else if (!block->address && make) {
        block->domain = served[rh_random_below(random, 2)];
        domain = &m->heap->domain[block->domain];
        block->size = size;
        block->address = rh_random_below(random, 8) ? domain->malloc(domain->ctx, size)
                                                    : domain->calloc(domain->ctx, 1, size);
        assert_non_null(block->address);
    }
}

static rh_heap *
open_heap(const char *spec)
{
    rh_heap *heap = NULL;
    rh_error error = {0};
    rh_status status = rh_heap_open(spec, &heap, &error);
    if (status == RH_CANNOT_RUN && strstr(error.message, "is not installed")) {
        print_message("SKIP: %s\n", error.message);
        skip();
    }
    if (status != RH_OK)
        fail_msg("%s", error.message);
    return heap;
}

static void
empty(model *m)
{
    for (size_t i = 0; i < BLOCKS; i++) {
        const PyMemAllocatorEx *domain = &m->heap->domain[m->block[i].domain];
        char *address = m->block[i].address;
        m->block[i].address = NULL;
        if (address)
            domain->free(domain->ctx, address);
    }
}

/* After each call: a walk, which must find nothing that the notes of calls had not told. */
static void
play(const char *spec, uint64_t seed, int calls)
{
    model *m = calloc(1, sizeof *m);
    rh_random random = {seed};
    assert_non_null(m);
    m->heap = open_heap(spec);
    const rh_arena_watch watch = {.ctx = m, .born = note_birth, .died = note_death};
    assert_true(rh_heap_watch_arenas(m->heap, &watch));
    for (int i = 0; i < calls; i++) {
        step(m, &random, i / (calls / 6) % 2 ? 2 : 90);
        m->silent = true;
        compare(m);
        m->silent = false;
    }
    compare_counters(m);
    empty(m);
    compare(m);
    rh_heap_trim(m->heap);
    compare(m);
    assert_int_equal(m->pages, 0);
    assert_true(m->born > 3 && m->died > 0 && m->recycled > 50 && m->reclassed > 10);
    rh_heap_watch_arenas(m->heap, NULL);
    rh_heap_close(m->heap);
    free(m);
}

static void
arenas_hold_what_the_test_put_there(void **state)
{
    (void)state;
    play("mimalloc@3.13t", 1, 6000);
    play("mimalloc", 2, 5000);
    play("mimalloc@3.13", 3, 5000);
}

/* Blocks at multiples of up to a MiB, some of them beyond the first slice of their page. */
static void
aligned_blocks_are_noted(void **state)
{
    (void)state;
    model *m = calloc(1, sizeof *m);
    rh_random random = {6};
    assert_non_null(m);
    m->heap = open_heap("mimalloc@3.13t");
    const rh_arena_watch watch = {.ctx = m, .born = note_birth, .died = note_death};
    assert_true(rh_heap_watch_arenas(m->heap, &watch));
    for (int i = 0; i < 3000; i++) {
        live_block *block = &m->block[rh_random_below(&random, BLOCKS / 10)];
        const PyMemAllocatorEx *domain = &m->heap->domain[PYMEM_DOMAIN_OBJ];
        char *address = block->address;
        block->address = NULL;
        domain->free(domain->ctx, address);
        size_t alignment = (size_t)16 << rh_random_below(&random, 17);
        block->aligned = true;
        block->domain = PYMEM_DOMAIN_OBJ;
        block->size = 1 + rh_random_below(&random, 200000);
        block->address = rh_heap_aligned_alloc(m->heap, PYMEM_DOMAIN_OBJ, alignment, block->size);
        assert_non_null(block->address);
        assert_int_equal((uintptr_t)block->address % alignment, 0);
        m->silent = true;
        compare(m);
        m->silent = false;
    }
    empty(m);
    compare(m);
    rh_heap_watch_arenas(m->heap, NULL);
    rh_heap_close(m->heap);
    free(m);
}

/* A layer that had copied the domains follows them. */
static void
layers_are_noted_too(void **state)
{
    (void)state;
    play("mimalloc@3.14t+count", 4, 5000);
}

/* Nobody watches: the walk alone has it all. */
static void
a_walk_needs_no_watch(void **state)
{
    (void)state;
    model *m = calloc(1, sizeof *m);
    rh_random random = {5};
    assert_non_null(m);
    m->heap = open_heap("mimalloc@3.13t");
    for (int i = 0; i < 4000; i++)
        step(m, &random, 60);
    for (size_t i = 0; i < BLOCKS; i++) {
        const live_block *block = &m->block[i];
        uintptr_t address = (uintptr_t)block->address & ~(ARENA_BYTES - 1);
        if (block->address && block->size <= HUGE_BYTES && !arena_at(m, address))
            m->arena[m->arenas++] = (known_arena){.address = address};
    }
    compare(m);
    rh_counters counters;
    rh_heap_snapshot(m->heap, &counters);
    assert_true(counters.arenas_allocated == RH_UNKNOWN && counters.pools_recycled == RH_UNKNOWN);
    empty(m);
    rh_heap_close(m->heap);
    free(m);
}

/* Each page holds a block less than before for the decorations; all is told as without them. */
static void
debug_and_trace_follow(void **state)
{
    (void)state;
    static const char *const specs[] = {"mimalloc@3.13t+debug", "mimalloc@3.13t+trace",
                                        "mimalloc@3.13t+debug+trace+count"};
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
        model *m = calloc(1, sizeof *m);
        assert_non_null(m);
        m->heap = open_heap(specs[i]);
        const rh_arena_watch watch = {.ctx = m, .born = note_birth, .died = note_death};
        assert_true(rh_heap_watch_arenas(m->heap, &watch));
        const PyMemAllocatorEx *domain = &m->heap->domain[PYMEM_DOMAIN_OBJ];
        for (size_t b = 0; b < BLOCKS; b++) {
            m->block[b].domain = PYMEM_DOMAIN_OBJ;
            m->block[b].address = domain->malloc(domain->ctx, 40000);
            assert_non_null(arena_at(m, (uintptr_t)m->block[b].address));
        }
        assert_true(m->born >= 4);
        empty(m);
        assert_true(m->died > 0);
        rh_heap_watch_arenas(m->heap, NULL);
        rh_heap_close(m->heap);
        free(m);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arenas_hold_what_the_test_put_there),
        cmocka_unit_test(aligned_blocks_are_noted),
        cmocka_unit_test(layers_are_noted_too),
        cmocka_unit_test(a_walk_needs_no_watch),
        cmocka_unit_test(debug_and_trace_follow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
