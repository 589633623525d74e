/* What a heap says of itself: counters, walks, texts; and where its arenas come from. */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>

#include "alloc/counters.h"
#include "tests/contract/contract.h"

static void
verify_counters(rh_heap *heap)
{
    rh_counters counters;
    rh_heap_snapshot(heap, &counters);
    if (heap->mapped_bytes)
        assert_int_equal(counters.mapped_bytes, *heap->mapped_bytes);
    if (counters.mapped_bytes != RH_UNKNOWN)
        assert_int_equal(rh_counters_parts(&counters), counters.mapped_bytes);
    if (counters.arenas_current != RH_UNKNOWN) {
        assert_int_equal(counters.arenas_allocated - counters.arenas_released,
                         counters.arenas_current);
        assert_true(counters.arenas_highwater >= counters.arenas_current);
    }
}

static void
counters_add_up(void **state)
{
    (void)state;
    rh_heap *heap = open_subject();
    verify_counters(heap);
    struct workload *workload = workload_new(heap, 7);
    for (int round = 0; round < 100; round++) {
        workload_run(workload, 100);
        verify_counters(heap);
    }
    workload_free_all(workload);
    verify_counters(heap);
    rh_heap_trim(heap);
    verify_counters(heap);
    workload_delete(workload);
    rh_heap_close(heap);
}

static void
live_blocks_are_counted(void **state)
{
    (void)state;
    rh_heap *heap = open_subject();
    struct workload *workload = workload_new(heap, 8);
    rh_counters counters;
    for (int round = 0; round < 10; round++) {
        workload_run(workload, 500);
        rh_heap_snapshot(heap, &counters);
        if (counters.live_blocks != RH_UNKNOWN && !the_subject()->shared)
            assert_int_equal(counters.live_blocks, workload->live);
    }
    workload_free_all(workload);
    rh_heap_snapshot(heap, &counters);
    if (counters.live_blocks != RH_UNKNOWN) {
        assert_int_equal(counters.live_blocks, 0);
        assert_int_equal(counters.block_bytes, 0);
    }
    workload_delete(workload);
    rh_heap_close(heap);
}

/* What each block is said to add to the counter adds up to it. */
static void
block_bytes_are_those_of_the_blocks(void **state)
{
    (void)state;
    if (the_subject()->forgetful)
        skip();
    rh_heap *heap = open_subject();
    struct workload *workload = workload_new(heap, 12);
    for (int round = 0; round < 10; round++) {
        workload_run(workload, 500);
        rh_counters counters;
        rh_heap_snapshot(heap, &counters);
        if (counters.block_bytes == RH_UNKNOWN || counters.live_blocks == RH_UNKNOWN)
            break;
        uint64_t bytes = 0, blocks = 0;
        for (size_t i = 0; i < workload->live; i++) {
            const struct block *block = &workload->block[i];
            size_t adds =
                rh_heap_block_bytes(heap, (PyMemAllocatorDomain)block->domain, block->address);
            bytes += adds;
            blocks += adds != 0;
        }
        assert_int_equal(bytes, counters.block_bytes);
        assert_true(blocks <= counters.live_blocks); /* one of nothing may add nothing */
    }
    workload_free_all(workload);
    workload_delete(workload);
    rh_heap_close(heap);
}

/* What a foreign allocator says of itself follows what is done to it. Some count free blocks in a
 * thread's cache as in use, so that a part of the blocks may have been counted before. */
static void
reported_figures_follow(void **state)
{
    (void)state;
    enum { BLOCKS = 50000, SIZE = 200, ASKED = BLOCKS * SIZE };
    static void *block[BLOCKS];
    rh_counters before, full, after;
    rh_heap *heap = open_subject();
    heap_free(heap, PYMEM_DOMAIN_OBJ, heap_malloc(heap, PYMEM_DOMAIN_OBJ, SIZE));
    rh_heap_snapshot(heap, &before);
    for (size_t i = 0; i < BLOCKS; i++)
        block[i] = heap_malloc(heap, PYMEM_DOMAIN_OBJ, SIZE);
    rh_heap_snapshot(heap, &full);
    for (size_t i = 0; i < BLOCKS; i++)
        heap_free(heap, PYMEM_DOMAIN_OBJ, block[i]);
    rh_heap_snapshot(heap, &after);
    if (full.reported_allocated_bytes != RH_UNKNOWN) {
        uint64_t grown = full.reported_allocated_bytes - before.reported_allocated_bytes;
        if (grown < ASKED * 3 / 4 || grown > ASKED * 3 / 2)
            fail_msg("%d bytes asked for, %lu more reported", ASKED, grown);
        assert_true(after.reported_allocated_bytes < before.reported_allocated_bytes + ASKED / 2);
    }
    if (full.reported_mapped_bytes != RH_UNKNOWN) {
        assert_true(full.reported_mapped_bytes >= ASKED);
        if (full.reported_allocated_bytes != RH_UNKNOWN)
            assert_true(full.reported_mapped_bytes >= full.reported_allocated_bytes);
    }
    rh_heap_close(heap);
}

static void
the_same_calls_give_the_same_counters(void **state)
{
    (void)state;
    if (!the_subject()->deterministic)
        skip();
    rh_counters counters[2];
    for (int i = 0; i < 2; i++) {
        rh_heap *heap = open_subject();
        struct workload *workload = workload_new(heap, 9);
        workload_run(workload, 8000);
        rh_heap_snapshot(heap, &counters[i]);
        workload_delete(workload);
        rh_heap_close(heap);
    }
#define ASSERT_SAME(name, what) assert_int_equal(counters[0].name, counters[1].name);
    RH_COUNTERS(ASSERT_SAME)
#undef ASSERT_SAME
}

/* A walk: what was last seen of each kind. */
struct seen {
    rh_region arena, page;
    uintptr_t last_end;
    uint64_t arenas, pages, used_blocks, limit;
};

static void
assert_inside(const rh_region *region, const rh_region *parent)
{
    assert_true(region->address >= parent->address);
    assert_true(region->address + region->size_bytes <= parent->address + parent->size_bytes);
}

static bool
visit(void *ctx, const rh_region *region)
{
    struct seen *seen = ctx;
    if (region->kind == RH_REGION_ARENA) {
        seen->arena = *region;
        seen->page = (rh_region){.size_bytes = 0};
        seen->last_end = region->address;
        seen->arenas++;
    } else if (region->kind == RH_REGION_PAGE) {
        assert_inside(region, &seen->arena);
        assert_true(region->used <= region->capacity);
        seen->page = *region;
        seen->last_end = region->address;
        seen->pages++;
    } else {
        assert_inside(region, seen->page.size_bytes ? &seen->page : &seen->arena);
        assert_true(region->address >= seen->last_end);
        assert_true(region->used <= 1);
        seen->last_end = region->address + region->size_bytes;
        seen->used_blocks += region->used;
    }
    return --seen->limit > 0;
}

static void
walks_are_orderly(void **state)
{
    (void)state;
    rh_heap *heap = open_subject();
    struct workload *workload = workload_new(heap, 10);
    workload_run(workload, 5000);
    struct seen whole = {.limit = UINT64_MAX}, cut = {.limit = 5};
    if (rh_heap_walk(heap, visit, &whole)) {
        rh_counters counters;
        rh_heap_snapshot(heap, &counters);
        assert_true(whole.arenas > 0);
        assert_true(whole.used_blocks <= counters.live_blocks);
        assert_true(whole.used_blocks > 0);
        assert_false(rh_heap_walk(heap, visit, &cut)); /* the visitor ended it */
        assert_int_equal(cut.limit, 0);
    }
    workload_delete(workload);
    rh_heap_close(heap);
}

static void
statistics_are_printed(void **state)
{
    (void)state;
    rh_heap *heap = open_subject();
    void *block = heap_malloc(heap, PYMEM_DOMAIN_OBJ, 100);
    static char text[65536];
    memset(text, 0, sizeof text);
    FILE *out = fmemopen(text, sizeof text - 1, "w");
    bool printed = rh_heap_print_stats(heap, out);
    fclose(out);
    assert_int_equal(printed, text[0] != '\0');
    heap_free(heap, PYMEM_DOMAIN_OBJ, block);
    rh_heap_close(heap);
}

/* What runs can be asked for its version, where it tells one at all. */
static void
the_version_is_known(void **state)
{
    (void)state;
    rh_heap *heap = open_subject();
    rh_spec spec;
    rh_error error = {0};
    char version[64] = "";
    assert_int_equal(rh_spec_parse(the_subject()->spec, &spec, &error), RH_OK);
    if (spec.allocator->version) {
        spec.allocator->version(&spec.base, version, sizeof version);
        assert_int_not_equal(version[0], '\0');
        assert_string_not_equal(version, "unknown");
    }
    rh_spec_release(&spec);
    rh_heap_close(heap);
}

/* A source of arenas that counts what it gives and fails at one request. */
struct source {
    PyObjectArenaAllocator under;
    uint64_t requests, failing, held, held_bytes;
};

static void *
source_alloc(void *ctx, size_t size)
{
    struct source *source = ctx;
    if (++source->requests == source->failing)
        return NULL;
    void *arena = source->under.alloc(source->under.ctx, size);
    if (arena) {
        source->held++;
        source->held_bytes += size;
    }
    return arena;
}

static void
source_free(void *ctx, void *arena, size_t size)
{
    struct source *source = ctx;
    source->under.free(source->under.ctx, arena, size);
    source->held--;
    source->held_bytes -= size;
}

/* With the Nth arena refused, blocks are either served otherwise or refused, and nothing breaks. */
static void
run_without_arena(uint64_t failing)
{
    rh_heap *heap = open_subject();
    struct source source = {.failing = failing};
    assert_true(rh_heap_get_arenas(heap, &source.under));
    PyObjectArenaAllocator counting = {&source, source_alloc, source_free};
    rh_error error = {0};
    if (rh_heap_set_arenas(heap, &counting, &error) != RH_OK)
        fail_msg("%s", error.message);
    static unsigned char *block[70000];
    enum { BLOCKS = sizeof block / sizeof *block, SIZE = 200 };
    for (size_t i = 0; i < BLOCKS; i++) {
        block[i] = heap_malloc(heap, PYMEM_DOMAIN_OBJ, SIZE);
        if (block[i] && has_contents())
            memset(block[i], (int)i, SIZE);
    }
    assert_true(source.requests >= failing);
    check_heap(heap);
    /* Now it has arenas, another source is refused, or takes them over. */
    struct source second = {.under = counting};
    PyObjectArenaAllocator around = {&second, source_alloc, source_free};
    rh_status changed = rh_heap_set_arenas(heap, &around, &error);
    assert_true(changed == RH_OK || changed == RH_USAGE);
    uint64_t held = source.held;
    for (size_t i = 0; i < BLOCKS; i++) {
        for (size_t at = 0; block[i] && has_contents() && at < SIZE; at++)
            assert_int_equal(block[i][at], (unsigned char)i);
        heap_free(heap, PYMEM_DOMAIN_OBJ, block[i]);
    }
    check_heap(heap);
    rh_heap_close(heap);
    if (changed == RH_OK)
        assert_int_equal(second.held + held, 0); /* those that it did not give */
    assert_int_equal(source.held, 0);
    assert_int_equal(source.held_bytes, 0);
}

static void
arenas_may_be_refused(void **state)
{
    (void)state;
    rh_heap *heap = open_subject();
    PyObjectArenaAllocator arenas;
    bool has = rh_heap_get_arenas(heap, &arenas);
    if (!has)
        assert_int_equal(rh_heap_set_arenas(heap, &arenas, NULL), RH_USAGE);
    rh_heap_close(heap);
    for (uint64_t failing = 1; has && failing <= 3; failing++)
        run_without_arena(failing);
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
static uint64_t
address_space_pages(void)
{
    uint64_t pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%lu", &pages), 1);
    fclose(file);
    return pages;
}

static void
closing_gives_everything_back(void **state)
{
    (void)state;
    if (!the_subject()->many || the_subject()->shared)
        skip();
    uint64_t before = 0;
    for (int round = 0; round < 5; round++) {
        rh_heap *heap = open_subject();
        struct workload *workload = workload_new(heap, 11);
        workload_run(workload, 5000);
        workload_delete(workload);
        rh_heap_close(heap); /* with its blocks */
        if (round == 1)
            before = address_space_pages();
    }
    assert_int_equal(address_space_pages(), before);
}
#endif

const struct CMUnitTest statistics_contract[] = {
    cmocka_unit_test(counters_add_up),
    cmocka_unit_test(live_blocks_are_counted),
    cmocka_unit_test(block_bytes_are_those_of_the_blocks),
    cmocka_unit_test(reported_figures_follow),
    cmocka_unit_test(the_same_calls_give_the_same_counters),
    cmocka_unit_test(walks_are_orderly),
    cmocka_unit_test(statistics_are_printed),
    cmocka_unit_test(the_version_is_known),
    cmocka_unit_test(arenas_may_be_refused),
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    cmocka_unit_test(closing_gives_everything_back),
#endif
};

const size_t statistics_contract_count = sizeof statistics_contract / sizeof *statistics_contract;
