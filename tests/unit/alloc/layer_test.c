// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#include <string.h>

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

/* Which of `calls` calls for 10 bytes fail, the first of them the highest bit. */
static uint64_t
failures(const char *spec, int calls)
{
    rh_heap *heap = open_heap(spec);
    uint64_t pattern = 0;
    for (int i = 0; i < calls; i++) {
        void *block = take(heap, PYMEM_DOMAIN_OBJ, 10);
        pattern = pattern << 1 | !block;
        give(heap, PYMEM_DOMAIN_OBJ, block);
    }
    rh_heap_close(heap);
    return pattern;
}

static void
fault_follows_its_rules(void **state)
{
    (void)state;
    assert_int_equal(failures("bestfit+fault", 8), 0x80);
    assert_int_equal(failures("bestfit+fault,every=3", 8), 0x24);
    assert_int_equal(failures("bestfit+fault,every=1", 8), 0xFF);
    assert_int_equal(failures("bestfit+fault,every=3,nth=4", 8), 0x34);
    assert_int_equal(failures("bestfit+fault,odds=1", 8), 0xFF);
    assert_int_equal(failures("bestfit+fault,from=10,nth=2", 8), 0x40);
    assert_int_equal(failures("bestfit+fault,from=11,every=1", 8), 0);
    assert_int_equal(failures("bestfit+fault,domain=obj,nth=2", 8), 0x40);
    assert_int_equal(failures("bestfit+fault,domain=mem,every=1", 8), 0);
}

/* The dice fall the same every time, and elsewhere with another seed; about as often as said. */
static void
fault_by_chance_is_repeatable(void **state)
{
    (void)state;
    uint64_t first = failures("bestfit+fault,odds=4", 64);
    assert_true(first == failures("bestfit+fault,odds=4,seed=1", 64));
    assert_true(first != failures("bestfit+fault,odds=4,seed=2", 64));
    int failed = __builtin_popcountll(first);
    assert_true(failed > 5 && failed < 32);
}

/* The size of a calloc is the product, which is large when it overflows. */
static void
fault_multiplies(void **state)
{
    (void)state;
    rh_heap *heap = open_heap("bestfit+fault,from=1K,nth=3");
    give(heap, PYMEM_DOMAIN_RAW, clear(heap, PYMEM_DOMAIN_RAW, 4, 256));
    give(heap, PYMEM_DOMAIN_RAW, clear(heap, PYMEM_DOMAIN_RAW, 4, 255)); /* does not count */
    assert_null(clear(heap, PYMEM_DOMAIN_RAW, SIZE_MAX, 2)); /* counts; the heap's own */
    assert_null(rh_heap_aligned_alloc(heap, PYMEM_DOMAIN_RAW, 4096, 1024));
    void *block = rh_heap_aligned_alloc(heap, PYMEM_DOMAIN_RAW, 4096, 1024);
    assert_non_null(block);
    give(heap, PYMEM_DOMAIN_RAW, block);
    rh_heap_close(heap);
}

/* Looks for one figure. */
typedef struct wanted_figure {
    const char *name;
    uint64_t value;
    int found;
} wanted_figure;

static void
find_figure(void *ctx, const char *name, uint64_t value)
{
    wanted_figure *wanted = ctx;
    if (strcmp(name, wanted->name) == 0) {
        wanted->value = value;
        wanted->found++;
    }
}

static uint64_t
figure(rh_heap *heap, const char *name)
{
    wanted_figure wanted = {.name = name};
    rh_heap_figures(heap, find_figure, &wanted);
    assert_int_equal(wanted.found, 1);
    return wanted.value;
}

/* Each layer tells its own, whichever lies outside. */
static void
figures_of_all_layers_are_told(void **state)
{
    (void)state;
    static const char *const specs[] = {"malloc+count+fault,every=2", "malloc+fault,every=2+count"};
    for (int outer_counts = 0; outer_counts < 2; outer_counts++) {
        rh_heap *heap = open_heap(specs[outer_counts]);
        for (int i = 0; i < 7; i++)
            give(heap, PYMEM_DOMAIN_MEM, take(heap, PYMEM_DOMAIN_MEM, 1));
        assert_int_equal(figure(heap, "fault_calls"), 7);
        assert_int_equal(figure(heap, "fault_failures"), 3);
        assert_int_equal(figure(heap, "count_mem_mallocs"), outer_counts ? 7 : 4);
        assert_int_equal(figure(heap, "count_mem_failures"), outer_counts ? 3 : 0);
        assert_int_equal(figure(heap, "count_obj_mallocs"), 0);
        rh_heap_close(heap);
    }
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
        cmocka_unit_test(fault_follows_its_rules),
        cmocka_unit_test(fault_by_chance_is_repeatable),
        cmocka_unit_test(fault_multiplies),
        cmocka_unit_test(figures_of_all_layers_are_told),
        cmocka_unit_test(layers_stack),
        cmocka_unit_test(layers_pass_arenas_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
