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
        cmocka_unit_test(there_is_one_at_a_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
