/* Every call on a heap whose allocator can do nothing but give blocks and close. */
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

static _Alignas(16) unsigned char memory[64];
static int closed;

static void *
only_malloc(void *ctx, size_t size)
{
    assert_ptr_equal(ctx, memory);
    return size <= sizeof memory ? memory : NULL;
}

static void
only_close(rh_heap *heap)
{
    (void)heap;
    closed++;
}

static const rh_heap_operations operations = {.close = only_close};

static rh_heap
bare_heap(void)
{
    rh_heap heap = {.operations = &operations, .natural_alignment = 16};
    for (int i = 0; i < RH_DOMAINS; i++)
        heap.domain[i] = (PyMemAllocatorEx){.ctx = memory, .malloc = only_malloc};
    return heap;
}

static void
what_is_missing_is_answered(void **state)
{
    (void)state;
    rh_heap heap = bare_heap();
    PyObjectArenaAllocator arenas = {.ctx = NULL};
    rh_error error = {0};
    assert_int_equal(rh_heap_usable_size(&heap, PYMEM_DOMAIN_OBJ, memory), 0);
    assert_false(rh_heap_get_arenas(&heap, &arenas));
    assert_int_equal(rh_heap_set_arenas(&heap, &arenas, &error), RH_USAGE);
    assert_non_null(strstr(error.message, "no arenas"));
    assert_false(rh_heap_print_stats(&heap, NULL));
    assert_false(rh_heap_walk(&heap, NULL, NULL));
    assert_int_equal(rh_heap_check(&heap, &error), RH_OK);
    rh_heap_trim(&heap);
}

static void
counters_start_unknown(void **state)
{
    (void)state;
    rh_heap heap = bare_heap();
    rh_counters counters;
    memset(&counters, 0, sizeof counters);
    rh_heap_snapshot(&heap, &counters);
#define ASSERT_UNKNOWN(name, what) assert_int_equal(counters.name, RH_UNKNOWN);
    RH_COUNTERS(ASSERT_UNKNOWN)
#undef ASSERT_UNKNOWN
    assert_int_equal(rh_counters_parts(&counters), 0);
}

static void
natural_alignment_needs_no_call(void **state)
{
    (void)state;
    rh_heap heap = bare_heap();
    for (size_t alignment = 1; alignment <= 16; alignment *= 2)
        assert_ptr_equal(rh_heap_aligned_alloc(&heap, PYMEM_DOMAIN_MEM, alignment, 8), memory);
    assert_null(rh_heap_aligned_alloc(&heap, PYMEM_DOMAIN_MEM, 32, 8));
    assert_null(rh_heap_aligned_alloc(&heap, PYMEM_DOMAIN_MEM, 0, 8));
    assert_null(rh_heap_aligned_alloc(&heap, PYMEM_DOMAIN_MEM, 12, 8));
}

static void
closing_nothing_is_nothing(void **state)
{
    (void)state;
    rh_heap heap = bare_heap();
    closed = 0;
    rh_heap_close(NULL);
    assert_int_equal(closed, 0);
    rh_heap_close(&heap);
    assert_int_equal(closed, 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_missing_is_answered),
        cmocka_unit_test(counters_start_unknown),
        cmocka_unit_test(natural_alignment_needs_no_call),
        cmocka_unit_test(closing_nothing_is_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
