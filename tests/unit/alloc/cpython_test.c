/* The real pymalloc of the machine's libpython: what is read out of it agrees with what is known of
 * it. */
// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#include <stdio.h>
#include <string.h>

#include "alloc/counters.h"
#include "alloc/heap.h"

static rh_heap *
open_cpython(void)
{
    rh_heap *heap = NULL;
    rh_error error = {0};
    if (rh_heap_open("cpython", &heap, &error) == RH_OK)
        return heap;
    if (!strstr(error.message, "is not installed"))
        fail_msg("%s", error.message);
    printf("SKIP: %s\n", error.message);
    skip();
    return NULL;
}

static void *
take(rh_heap *heap, PyMemAllocatorDomain domain, size_t size)
{
    return heap->domain[domain].malloc(heap->domain[domain].ctx, size);
}

static void
give(rh_heap *heap, PyMemAllocatorDomain domain, void *block)
{
    heap->domain[domain].free(heap->domain[domain].ctx, block);
}

static void
usable_sizes_are_those_of_the_classes(void **state)
{
    (void)state;
    rh_heap *heap = open_cpython();
    for (size_t size = 1; size <= 512; size++) {
        void *block = take(heap, PYMEM_DOMAIN_OBJ, size);
        size_t usable = rh_heap_usable_size(heap, PYMEM_DOMAIN_OBJ, block);
        assert_int_equal(usable, (size + 15) / 16 * 16);
        give(heap, PYMEM_DOMAIN_OBJ, block);
    }
    void *large = take(heap, PYMEM_DOMAIN_MEM, 513), *raw = take(heap, PYMEM_DOMAIN_RAW, 20);
    assert_true(rh_heap_usable_size(heap, PYMEM_DOMAIN_MEM, large) >= 513);
    assert_true(rh_heap_usable_size(heap, PYMEM_DOMAIN_RAW, raw) >= 20);
    give(heap, PYMEM_DOMAIN_MEM, large);
    give(heap, PYMEM_DOMAIN_RAW, raw);
    rh_heap_close(heap);
}

/* A pool of 16 KiB holds 255 blocks of 64. */
static void
pools_are_counted(void **state)
{
    (void)state;
    enum { A_POOL = 255, BLOCKS = 3 * A_POOL };
    static void *block[BLOCKS + 1];
    rh_counters counters;
    rh_heap *heap = open_cpython();
    rh_heap_snapshot(heap, &counters);
    assert_int_equal(counters.arenas_current, 0);
    assert_int_equal(counters.pools_in_use, 0);
    for (size_t i = 0; i < BLOCKS; i++)
        block[i] = take(heap, PYMEM_DOMAIN_OBJ, 64);
    rh_heap_snapshot(heap, &counters);
    assert_int_equal(counters.arenas_current, 1);
    assert_int_equal(counters.arena_bytes, 1 << 20);
    assert_int_equal(counters.pools_in_use, 3);
    assert_int_equal(counters.free_block_bytes, 0);
    assert_int_equal(counters.page_header_bytes, 3 * 48);
    assert_int_equal(counters.page_tail_bytes, 3 * 16);
    assert_int_equal(counters.reported_allocated_bytes, BLOCKS * 64);
    block[BLOCKS] = take(heap, PYMEM_DOMAIN_OBJ, 64);
    rh_heap_snapshot(heap, &counters);
    assert_int_equal(counters.pools_in_use, 4);
    assert_int_equal(counters.free_block_bytes, (A_POOL - 1) * 64);
    for (size_t i = 0; i <= BLOCKS; i++)
        give(heap, PYMEM_DOMAIN_OBJ, block[i]);
    rh_heap_snapshot(heap, &counters);
    assert_int_equal(counters.pools_in_use, 0);
    rh_heap_close(heap);
}

/* ---- what its arenas hold ---- */

enum { ARENAS_MOST = 64, ARENA_NUMBER_OFFSET = 32 };

typedef struct arena_list {
    struct {
        uintptr_t address;
        uint32_t slot;
    } arena[ARENAS_MOST];
    size_t count, born, died;
} arena_list;

static void
note_birth(void *ctx, uint32_t slot, uintptr_t address, size_t size_bytes)
{
    arena_list *list = ctx;
    assert_int_equal(size_bytes, 1 << 20);
    assert_true(list->count < ARENAS_MOST);
    list->arena[list->count].address = address;
    list->arena[list->count++].slot = slot;
    list->born++;
}

static void
note_death(void *ctx, uint32_t slot, uintptr_t address)
{
    arena_list *list = ctx;
    size_t i = 0;
    while (i < list->count && list->arena[i].address != address)
        i++;
    assert_true(i < list->count && list->arena[i].slot == slot);
    list->arena[i] = list->arena[--list->count];
    list->died++;
}

typedef struct seen_pools {
    const arena_list *arenas;
    uint32_t slot; /* of the arena whose pools come now */
    uint64_t arena_count, pools, blocks, block_bytes, pools_of_arenas;
} seen_pools;

static bool
see(void *ctx, const rh_region *region)
{
    seen_pools *seen = ctx;
    if (region->kind == RH_REGION_ARENA) {
        size_t i = 0;
        while (i < seen->arenas->count && seen->arenas->arena[i].address != region->address)
            i++;
        assert_true(i < seen->arenas->count);
        seen->slot = seen->arenas->arena[i].slot;
        seen->arena_count++;
        seen->pools_of_arenas += region->used;
        assert_true(region->used <= region->capacity && region->capacity >= 63);
        return true;
    }
    /* The library's own number of the arena stands in each pool. */
    uint32_t number;
    memcpy(&number, (const char *)region->address + ARENA_NUMBER_OFFSET, sizeof number);
    assert_int_equal(number, seen->slot);
    seen->pools++;
    seen->blocks += region->used;
    seen->block_bytes += (uint64_t)region->used * region->block_bytes;
    return true;
}

static void
compare_with_its_text(rh_heap *heap, const arena_list *arenas, uint64_t blocks)
{
    seen_pools seen = {.arenas = arenas};
    rh_counters counters;
    assert_true(rh_heap_walk_pages(heap, see, &seen));
    rh_heap_snapshot(heap, &counters);
    assert_int_equal(seen.arena_count, counters.arenas_current);
    assert_int_equal(seen.arena_count, arenas->count);
    assert_int_equal(seen.pools, counters.pools_in_use);
    assert_int_equal(seen.pools, seen.pools_of_arenas);
    assert_int_equal(seen.blocks, blocks);
    assert_int_equal(seen.block_bytes, counters.reported_allocated_bytes);
}

/* Blocks come, most of them go, others come: arenas and pools, and whose they are, are those that
 * the library tells of. */
static void
arenas_hold_what_the_library_says(void **state)
{
    (void)state;
    enum { BLOCKS = 120000 };
    static void *block[BLOCKS];
    static arena_list arenas;
    rh_heap *heap = open_cpython();
    const rh_arena_watch watch = {.ctx = &arenas, .born = note_birth, .died = note_death};
    assert_true(rh_heap_watch_arenas(heap, &watch));
    compare_with_its_text(heap, &arenas, 0);
    for (int round = 0; round < 3; round++) {
        size_t live = 0;
        for (size_t i = 0; i < BLOCKS; i++)
            if (!block[i])
                block[i] = take(heap, PYMEM_DOMAIN_OBJ, 1 + (i * 7 + (size_t)round * 13) % 512);
        compare_with_its_text(heap, &arenas, BLOCKS);
        for (size_t i = 0; i < BLOCKS; i++) {
            bool stays = i % 20000 < 3000 && i % 50 == 0;
            if (!stays)
                give(heap, PYMEM_DOMAIN_OBJ, block[i]);
            block[i] = stays ? block[i] : NULL;
            live += stays;
        }
        compare_with_its_text(heap, &arenas, live);
    }
    assert_true(arenas.born > 40 && arenas.died > 10);
    for (size_t i = 0; i < BLOCKS; i++)
        if (block[i])
            give(heap, PYMEM_DOMAIN_OBJ, block[i]);
    compare_with_its_text(heap, &arenas, 0);
    rh_heap_watch_arenas(heap, NULL);
    rh_heap_close(heap);
}

static void
there_is_one_at_a_time(void **state)
{
    (void)state;
    rh_error error = {0};
    for (int round = 0; round < 3; round++) {
        rh_heap *heap = open_cpython(), *second;
        give(heap, PYMEM_DOMAIN_OBJ, take(heap, PYMEM_DOMAIN_OBJ, 64));
        assert_int_equal(rh_heap_open("cpython", &second, &error), RH_CANNOT_RUN);
        assert_non_null(strstr(error.message, "one to a process"));
        rh_heap_close(heap);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(usable_sizes_are_those_of_the_classes),
        cmocka_unit_test(pools_are_counted),
        cmocka_unit_test(arenas_hold_what_the_library_says),
        cmocka_unit_test(there_is_one_at_a_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
