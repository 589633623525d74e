// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#include "alloc/heap.h"
#include "alloc/layer_count.h"

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
take(rh_heap *heap, PyMemAllocatorDomain domain, size_t size)
{
    return heap->domain[domain].malloc(heap->domain[domain].ctx, size);
}

static void *
resize(rh_heap *heap, PyMemAllocatorDomain domain, void *block, size_t size)
{
    return heap->domain[domain].realloc(heap->domain[domain].ctx, block, size);
}

static void *
clear(rh_heap *heap, PyMemAllocatorDomain domain, size_t count, size_t size)
{
    return heap->domain[domain].calloc(heap->domain[domain].ctx, count, size);
}

static void
give(rh_heap *heap, PyMemAllocatorDomain domain, void *block)
{
    heap->domain[domain].free(heap->domain[domain].ctx, block);
}

static void
count_counts_every_call(void **state)
{
    (void)state;
    rh_heap *heap = open_heap("bestfit+count");
    void *block = take(heap, PYMEM_DOMAIN_MEM, 10);
    block = resize(heap, PYMEM_DOMAIN_MEM, block, 20);
    assert_null(resize(heap, PYMEM_DOMAIN_MEM, block, PTRDIFF_MAX));
    give(heap, PYMEM_DOMAIN_MEM, block);
    give(heap, PYMEM_DOMAIN_MEM, NULL);
    give(heap, PYMEM_DOMAIN_OBJ, clear(heap, PYMEM_DOMAIN_OBJ, 2, 3));
    give(heap, PYMEM_DOMAIN_RAW, rh_heap_aligned_alloc(heap, PYMEM_DOMAIN_RAW, 64, 3));
    const rh_call_counts *mem = rh_count_layer_calls(heap, PYMEM_DOMAIN_MEM);
    const rh_call_counts *object = rh_count_layer_calls(heap, PYMEM_DOMAIN_OBJ);
    const rh_call_counts *raw = rh_count_layer_calls(heap, PYMEM_DOMAIN_RAW);
    assert_int_equal(mem->mallocs, 1);
    assert_int_equal(mem->callocs, 0);
    assert_int_equal(mem->reallocs, 2);
    assert_int_equal(mem->frees, 2);
    assert_int_equal(mem->failures, 1);
    assert_int_equal(object->callocs, 1);
    assert_int_equal(object->frees, 1);
    assert_int_equal(raw->aligned_allocs, 1);
    assert_int_equal(raw->frees, 1);
    rh_heap_close(heap);
}

static void
only_count_counts(void **state)
{
    (void)state;
    rh_heap *heap = open_heap("bestfit");
    assert_null(rh_count_layer_calls(heap, PYMEM_DOMAIN_MEM));
    rh_heap_close(heap);
    heap = open_heap("bestfit+count+fault,nth=1000");
    assert_null(rh_count_layer_calls(heap, PYMEM_DOMAIN_MEM)); /* not the outermost */
    rh_heap_close(heap);
}

static void
fault_fails_once(void **state)
{
    (void)state;
    rh_heap *heap = open_heap("bestfit+fault,nth=3");
    void *first = take(heap, PYMEM_DOMAIN_RAW, 10), *second = clear(heap, PYMEM_DOMAIN_OBJ, 1, 10);
    assert_non_null(first);
    assert_non_null(second);
    assert_null(resize(heap, PYMEM_DOMAIN_RAW, first, 4000));
    assert_int_equal(rh_heap_usable_size(heap, PYMEM_DOMAIN_RAW, first), 16);
    first = resize(heap, PYMEM_DOMAIN_RAW, first, 4000);
    assert_non_null(first);
    give(heap, PYMEM_DOMAIN_RAW, first);
    give(heap, PYMEM_DOMAIN_OBJ, second);
    rh_heap_close(heap);
}

static void
fault_reaches_every_function(void **state)
{
    (void)state;
    rh_heap *heap = open_heap("bestfit+fault");
    assert_null(take(heap, PYMEM_DOMAIN_OBJ, 1));
    rh_heap_close(heap);
    heap = open_heap("bestfit+fault");
    assert_null(clear(heap, PYMEM_DOMAIN_OBJ, 1, 1));
    rh_heap_close(heap);
    heap = open_heap("bestfit+fault,nth=1");
    assert_null(rh_heap_aligned_alloc(heap, PYMEM_DOMAIN_OBJ, 4096, 1));
    rh_heap_close(heap);
}

/* The counter outside sees the failure that the layer inside made. */
static void
layers_stack(void **state)
{
    (void)state;
    rh_heap *heap = open_heap("malloc+fault,nth=2+count");
    give(heap, PYMEM_DOMAIN_OBJ, take(heap, PYMEM_DOMAIN_OBJ, 1));
    assert_null(take(heap, PYMEM_DOMAIN_OBJ, 1));
    assert_int_equal(rh_count_layer_calls(heap, PYMEM_DOMAIN_OBJ)->mallocs, 2);
    assert_int_equal(rh_count_layer_calls(heap, PYMEM_DOMAIN_OBJ)->failures, 1);
    rh_heap_close(heap);
}

static void
layers_pass_arenas_on(void **state)
{
    (void)state;
    PyObjectArenaAllocator arenas;
    rh_error error = {0};
    rh_heap *heap = open_heap("pymalloc+count");
    assert_true(rh_heap_get_arenas(heap, &arenas));
    assert_int_equal(rh_heap_set_arenas(heap, &arenas, &error), RH_OK);
    rh_heap_close(heap);
    heap = open_heap("bestfit+count");
    assert_false(rh_heap_get_arenas(heap, &arenas));
    assert_int_equal(rh_heap_set_arenas(heap, &arenas, &error), RH_USAGE);
    rh_heap_close(heap);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(count_counts_every_call),
        cmocka_unit_test(only_count_counts),
        cmocka_unit_test(fault_fails_once),
        cmocka_unit_test(fault_reaches_every_function),
        cmocka_unit_test(layers_stack),
        cmocka_unit_test(layers_pass_arenas_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
