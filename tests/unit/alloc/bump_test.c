// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#include <string.h>

#include "alloc/counters.h"
#include "alloc/heap.h"

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
take(rh_heap *heap, size_t size)
{
    return heap->domain[PYMEM_DOMAIN_OBJ].malloc(heap->domain[PYMEM_DOMAIN_OBJ].ctx, size);
}

static void
verify(rh_heap *heap)
{
    rh_error error = {0};
    rh_counters counters;
    if (rh_heap_check(heap, &error) != RH_OK)
        fail_msg("%s", error.message);
    rh_heap_snapshot(heap, &counters);
    assert_int_equal(counters.mapped_bytes, *heap->mapped_bytes);
    assert_int_equal(rh_counters_parts(&counters), counters.mapped_bytes);
}

static void
blocks_follow_each_other(void **state)
{
    (void)state;
    rh_heap *heap = open_heap("bump");
    char *first = take(heap, 0);
    assert_ptr_equal(take(heap, 1), first + 16);
    assert_ptr_equal(take(heap, 16), first + 32);
    assert_ptr_equal(take(heap, 17), first + 48);
    assert_ptr_equal(take(heap, 5000000), first + 80);
    memset(first, 1, 5000080); /* all of it is memory */
    verify(heap);
    rh_heap_close(heap);
}

static void
starts_over_at_the_end(void **state)
{
    (void)state;
    rh_heap *heap = open_heap("bump,window=64K");
    char *first = take(heap, 65536 - 16);
    memset(first, 1, 65536 - 16);
    assert_ptr_equal(take(heap, 16), first + 65536 - 16);
    assert_ptr_equal(take(heap, 1), first);
    assert_ptr_equal(take(heap, 65536), first);
    assert_null(take(heap, 65537));
    assert_null(take(heap, SIZE_MAX));
    assert_null(take(heap, SIZE_MAX - 15));
    verify(heap);
    rh_counters counters;
    rh_heap_snapshot(heap, &counters);
    assert_int_equal(counters.block_bytes, 65536);
    rh_heap_close(heap);
}

static void
aligns(void **state)
{
    (void)state;
    rh_heap *heap = open_heap("bump,window=1M");
    for (size_t alignment = 16; alignment <= 65536; alignment *= 2) {
        take(heap, 1);
        uintptr_t block =
            (uintptr_t)rh_heap_aligned_alloc(heap, PYMEM_DOMAIN_RAW, alignment, alignment + 1);
        assert_int_not_equal(block, 0);
        assert_int_equal(block % alignment, 0);
    }
    assert_null(rh_heap_aligned_alloc(heap, PYMEM_DOMAIN_RAW, 48, 1));
    assert_null(rh_heap_aligned_alloc(heap, PYMEM_DOMAIN_RAW, 4 << 20, 1));
    verify(heap);
    rh_heap_close(heap);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_follow_each_other),
        cmocka_unit_test(starts_over_at_the_end),
        cmocka_unit_test(aligns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
