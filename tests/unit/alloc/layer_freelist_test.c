// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#include <stdio.h>
#include <string.h>

#include "alloc/block_table.h"
#include "alloc/counters.h"
#include "alloc/heap.h"
#include "base/random.h"

static rh_heap *
open_heap(const char *spec)
{
    rh_heap *heap = NULL;
    rh_error error = {0};
    if (rh_heap_open(spec, &heap, &error) != RH_OK)
        fail_msg("%s", error.message);
    return heap;
}

static void *
make(rh_heap *heap, size_t size)
{
    const PyMemAllocatorEx *object = &heap->domain[PYMEM_DOMAIN_OBJ];
    return object->malloc(object->ctx, size);
}

static void
unmake(rh_heap *heap, void *block)
{
    const PyMemAllocatorEx *object = &heap->domain[PYMEM_DOMAIN_OBJ];
    object->free(object->ctx, block);
}

static rh_counters
counters_of(rh_heap *heap)
{
    rh_counters counters;
    rh_heap_snapshot(heap, &counters);
    return counters;
}

static void
assert_sound(rh_heap *heap)
{
    rh_error error = {0};
    if (rh_heap_check(heap, &error) != RH_OK)
        fail_msg("%s", error.message);
}

/* 24 and 30 bytes round up to the same. */
static void
the_last_freed_comes_back_first(void **state)
{
    (void)state;
    rh_heap *heap = open_heap("pymalloc+freelist");
    void *first = make(heap, 24), *second = make(heap, 30), *other = make(heap, 40);
    unmake(heap, first);
    unmake(heap, second);
    unmake(heap, other);
    assert_sound(heap);
    assert_ptr_equal(make(heap, 17), second);
    assert_ptr_equal(make(heap, 32), first);
    void *third = make(heap, 32);
    assert_ptr_not_equal(third, other);
    rh_counters counters = counters_of(heap);
    assert_int_equal(counters.free_list_hits, 2);
    assert_int_equal(counters.free_list_misses, 4);
    assert_int_equal(counters.free_list_rejected, 0);
    assert_int_equal(counters.free_list_blocks, 1);
    assert_int_equal(counters.free_list_bytes, 48);
    assert_int_equal(counters.live_blocks, 3);
    assert_int_equal(counters.block_bytes, 96);
    rh_heap_close(heap);
}

static void
a_full_list_passes_on(void **state)
{
    (void)state;
    rh_heap *heap = open_heap("pymalloc+freelist,max=2");
    void *block[4];
    for (int i = 0; i < 4; i++)
        block[i] = make(heap, 100);
    for (int i = 0; i < 4; i++)
        unmake(heap, block[i]);
    rh_counters counters = counters_of(heap);
    assert_int_equal(counters.free_list_rejected, 2);
    assert_int_equal(counters.free_list_blocks, 2);
    assert_ptr_equal(make(heap, 100), block[1]);
    assert_ptr_equal(make(heap, 100), block[0]);
    assert_ptr_equal(make(heap, 100), block[3]); /* from pymalloc's own list */
    rh_heap_close(heap);
}

/* No list for other domains, for nothing, for what is large, and for what has an alignment. */
static void
other_blocks_pass_by(void **state)
{
    (void)state;
    rh_heap *heap = open_heap("pymalloc+freelist,small=128");
    const PyMemAllocatorEx *mem = &heap->domain[PYMEM_DOMAIN_MEM];
    mem->free(mem->ctx, mem->malloc(mem->ctx, 32));
    unmake(heap, make(heap, 0));
    unmake(heap, make(heap, 129));
    unmake(heap, rh_heap_aligned_alloc(heap, PYMEM_DOMAIN_OBJ, 64, 64));
    unmake(heap, NULL);
    rh_counters counters = counters_of(heap);
    assert_int_equal(counters.free_list_hits, 0);
    assert_int_equal(counters.free_list_misses, 0);
    assert_int_equal(counters.free_list_rejected, 0);
    assert_int_equal(counters.free_list_blocks, 0);
    assert_sound(heap);
    rh_heap_close(heap);
}

static void
reused_memory_is_cleared_for_calloc(void **state)
{
    (void)state;
    static const char *const specs[] = {"pymalloc+freelist", "malloc+freelist"};
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
        rh_heap *heap = open_heap(specs[i]);
        const PyMemAllocatorEx *object = &heap->domain[PYMEM_DOMAIN_OBJ];
        unsigned char *block = make(heap, 64);
        memset(block, 0xFF, 64);
        unmake(heap, block);
        assert_ptr_equal(object->calloc(object->ctx, 5, 12), block);
        for (int at = 0; at < 60; at++)
            assert_int_equal(block[at], 0);
        assert_null(object->calloc(object->ctx, SIZE_MAX / 2, 4));
        unmake(heap, block);
        rh_heap_close(heap);
    }
}

/* A block that realloc has moved into another size is kept for that one. */
static void
realloc_changes_the_list(void **state)
{
    (void)state;
    rh_heap *heap = open_heap("pymalloc+freelist");
    const PyMemAllocatorEx *object = &heap->domain[PYMEM_DOMAIN_OBJ];
    void *block = make(heap, 48);
    assert_ptr_equal(object->realloc(object->ctx, block, 40), block);
    void *larger = object->realloc(object->ctx, block, 300);
    unmake(heap, larger);
    assert_ptr_equal(make(heap, 290), larger);
    assert_int_equal(counters_of(heap).free_list_hits, 1);
    /* What was large stays in the large space, and is small all the same. */
    void *shrunk = object->realloc(object->ctx, make(heap, 5000), 64);
    unmake(heap, shrunk);
    assert_sound(heap);
    assert_ptr_equal(make(heap, 64), shrunk);
    rh_heap_close(heap);
}

static void
trimming_gives_back_what_is_kept(void **state)
{
    (void)state;
    rh_heap *heap = open_heap("bestfit+freelist");
    for (int i = 1; i <= 32; i++)
        unmake(heap, make(heap, (size_t)i * 16));
    assert_int_equal(counters_of(heap).free_list_blocks, 32);
    rh_heap_trim(heap);
    rh_counters counters = counters_of(heap);
    assert_int_equal(counters.free_list_blocks, 0);
    assert_int_equal(counters.free_list_bytes, 0);
    assert_int_equal(counters.live_blocks, 0);
    assert_int_equal(rh_counters_parts(&counters), counters.mapped_bytes);
    assert_int_equal(counters.mapped_bytes, *heap->mapped_bytes);
    assert_sound(heap);
    rh_heap_close(heap);
}

static void
freeing_twice_is_found_by_a_check(void **state)
{
    (void)state;
    rh_heap *heap = open_heap("pymalloc+freelist");
    void *block = make(heap, 24);
    unmake(heap, block);
    unmake(heap, block);
    rh_error error = {0};
    assert_int_equal(rh_heap_check(heap, &error), RH_DIFFERENT);
    assert_non_null(strstr(error.message, "freed twice"));
    make(heap, 24), make(heap, 24); /* the same one: taken off again */
    assert_sound(heap);
    rh_heap_close(heap);
}

/* The Nth call that reaches the heap below fails, N = 1, 2, 3 ... until none does. */
static void
failures_below_leave_the_lists_sound(void **state)
{
    (void)state;
    unsigned failing = 0;
    for (bool complete = false; !complete; failing++) {
        char spec[80];
        snprintf(spec, sizeof spec, "pymalloc+fault,nth=%u+freelist,max=4", failing + 1);
        rh_heap *heap = open_heap(spec);
        const PyMemAllocatorEx *object = &heap->domain[PYMEM_DOMAIN_OBJ];
        void *block[60] = {NULL};
        complete = true;
        for (size_t i = 0; i < 60; i++) {
            block[i] = i % 3 ? make(heap, i * 12) : object->calloc(object->ctx, i, 7);
            complete &= block[i] != NULL;
            if (i % 4 == 3 && block[i - 2]) {
                void *resized = object->realloc(object->ctx, block[i - 2], 20 * i);
                complete &= resized != NULL;
                block[i - 2] = resized ? resized : block[i - 2];
            }
            if (i % 2) {
                unmake(heap, block[i / 2]);
                block[i / 2] = NULL;
            }
            assert_sound(heap);
        }
        for (size_t i = 0; i < 60; i++)
            unmake(heap, block[i]);
        assert_int_equal(counters_of(heap).live_blocks, 0);
        assert_sound(heap);
        rh_heap_close(heap);
        assert_true(failing < 200);
    }
    assert_true(failing > 20);
}

static void
keys_have_ranges(void **state)
{
    (void)state;
    static const char *const bad[] = {"pymalloc+freelist,max=0",    "pymalloc+freelist,max=2M",
                                      "pymalloc+freelist,small=4",  "pymalloc+freelist,small=1M",
                                      "pymalloc+freelist,grain=24", "pymalloc+freelist,grain=4"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        rh_heap *heap;
        assert_int_equal(rh_heap_open(bad[i], &heap, NULL), RH_USAGE);
    }
}

/* Two layers' figures are summed. */
static void
layers_add_up(void **state)
{
    (void)state;
    rh_heap *heap = open_heap("pymalloc+freelist+count+freelist,max=1");
    void *block[3];
    for (int i = 0; i < 3; i++)
        block[i] = make(heap, 64);
    for (int i = 0; i < 3; i++)
        unmake(heap, block[i]);
    rh_counters counters = counters_of(heap);
    assert_int_equal(counters.free_list_misses, 6);
    assert_int_equal(counters.free_list_rejected, 2); /* by the outer one */
    assert_int_equal(counters.free_list_blocks, 3);
    assert_int_equal(counters.live_blocks, 0);
    rh_heap_close(heap);
}

/* ---- the table of odd blocks ---- */

static void
the_table_finds_what_it_was_given(void **state)
{
    (void)state;
    enum { BLOCKS = 4096 };
    static uint64_t number[BLOCKS]; /* by address / 16; 0: not in */
    rh_block_table table = {.bits = 0};
    rh_random random = {12};
    size_t count = 0;
    assert_false(rh_block_table_remove(&table, &table));
    for (int i = 0; i < 60000; i++) {
        size_t which = rh_random_below(&random, BLOCKS - 1) + 1;
        const void *block = (const void *)(which * 16);
        uint64_t found = 0;
        assert_int_equal(rh_block_table_get(&table, block, &found), number[which] != 0);
        assert_int_equal(found, number[which]);
        if (rh_random_below(&random, 20000) < (unsigned)i / 3) {
            assert_int_equal(rh_block_table_remove(&table, block), number[which] != 0);
            count -= number[which] != 0;
            number[which] = 0;
        } else {
            assert_true(rh_block_table_set(&table, block, (uint64_t)i + 1));
            count += number[which] == 0;
            number[which] = (uint64_t)i + 1;
        }
        assert_int_equal(table.count, count);
        if (i % 1000 == 0)
            assert_true(rh_block_table_check(&table));
    }
    assert_true(rh_block_table_bytes(&table) >= count * sizeof(rh_block_entry));
    table.count++;
    assert_false(rh_block_table_check(&table));
    rh_block_table_release(&table);
    assert_int_equal(rh_block_table_bytes(&table), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_freed_comes_back_first),
        cmocka_unit_test(a_full_list_passes_on),
        cmocka_unit_test(other_blocks_pass_by),
        cmocka_unit_test(reused_memory_is_cleared_for_calloc),
        cmocka_unit_test(realloc_changes_the_list),
        cmocka_unit_test(trimming_gives_back_what_is_kept),
        cmocka_unit_test(freeing_twice_is_found_by_a_check),
        cmocka_unit_test(failures_below_leave_the_lists_sound),
        cmocka_unit_test(keys_have_ranges),
        cmocka_unit_test(layers_add_up),
        cmocka_unit_test(the_table_finds_what_it_was_given),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
