/* Single calls: zero sizes, alignment, clearing, contents, refusals. */
#include <string.h>

#include "tests/contract/contract.h"

static const size_t sizes[] = {1,      2,      7,      8,      9,       15,     16,    17,
                               24,     32,     48,     100,    256,     511,    512,   513,
                               1000,   4095,   4096,   4097,   9999,    16384,  32768, 65536,
                               100000, 131072, 200001, 524288, 1048577, 3000000};

enum { SIZES = sizeof sizes / sizeof *sizes };

static void
blocks_are_aligned(void **state)
{
    (void)state;
    rh_heap *heap = open_subject();
    size_t mask = heap->natural_alignment - 1;
    assert_true(heap->natural_alignment >= 8);
    assert_int_equal(heap->natural_alignment & mask, 0);
    for (int domain = 0; domain < RH_DOMAINS; domain++) {
        for (size_t i = 0; i < SIZES; i++) {
            void *block = heap_malloc(heap, domain, sizes[i]);
            void *cleared = heap_calloc(heap, domain, 1, sizes[i]);
            void *moved = heap_realloc(heap, domain, NULL, sizes[i]);
            if (the_subject()->forgetful && !block) /* larger than its window */
                continue;
            assert_non_null(block);
            assert_non_null(cleared);
            assert_non_null(moved);
            assert_int_equal(((uintptr_t)block | (uintptr_t)cleared | (uintptr_t)moved) & mask, 0);
            heap_free(heap, domain, block);
            heap_free(heap, domain, cleared);
            heap_free(heap, domain, moved);
        }
    }
    check_heap(heap);
    rh_heap_close(heap);
}

static void
blocks_of_nothing_are_distinct(void **state)
{
    (void)state;
    rh_heap *heap = open_subject();
    for (int domain = 0; domain < RH_DOMAINS; domain++) {
        void *block[] = {heap_malloc(heap, domain, 0), heap_malloc(heap, domain, 0),
                         heap_calloc(heap, domain, 0, 8), heap_calloc(heap, domain, 8, 0),
                         heap_realloc(heap, domain, NULL, 0)};
        enum { BLOCKS = sizeof block / sizeof *block };
        for (size_t i = 0; i < BLOCKS; i++) {
            assert_non_null(block[i]);
            for (size_t j = 0; j < i; j++)
                assert_ptr_not_equal(block[i], block[j]);
        }
        for (size_t i = 0; i < BLOCKS; i++)
            heap_free(heap, domain, block[i]);
    }
    check_heap(heap);
    rh_heap_close(heap);
}

/* realloc to 0 keeps a block that must be freed, of the smallest size. */
static void
realloc_to_nothing_keeps_a_block(void **state)
{
    (void)state;
    rh_heap *heap = open_subject();
    for (int domain = 0; domain < RH_DOMAINS; domain++) {
        for (size_t i = 0; i < SIZES; i++) {
            void *block = heap_malloc(heap, domain, sizes[i]);
            if (the_subject()->forgetful && !block)
                continue;
            block = heap_realloc(heap, domain, block, 0);
            assert_non_null(block);
            heap_free(heap, domain, block);
        }
    }
    check_heap(heap);
    rh_heap_close(heap);
}

static void
freeing_nothing_is_nothing(void **state)
{
    (void)state;
    rh_heap *heap = open_subject();
    for (int domain = 0; domain < RH_DOMAINS; domain++)
        heap_free(heap, domain, NULL);
    check_heap(heap);
    rh_heap_close(heap);
}

static void
assert_zero(const unsigned char *block, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (block[i])
            fail_msg("byte %zu of %zu is %u, not 0", i, size, block[i]);
}

static void
calloc_clears(void **state)
{
    (void)state;
    if (!has_contents())
        skip();
    rh_heap *heap = open_subject();
    for (int domain = 0; domain < RH_DOMAINS; domain++) {
        for (size_t i = 0; i < SIZES; i++) {
            unsigned char *block = heap_malloc(heap, domain, sizes[i]);
            memset(block, 0xA5, sizes[i]);
            heap_free(heap, domain, block);
            block = heap_calloc(heap, domain, 1, sizes[i]);
            assert_zero(block, sizes[i]);
            memset(block, 0xA5, sizes[i]);
            heap_free(heap, domain, block);
            block = heap_calloc(heap, domain, sizes[i], 3);
            assert_zero(block, sizes[i] * 3);
            heap_free(heap, domain, block);
        }
    }
    check_heap(heap);
    rh_heap_close(heap);
}

static void
calloc_refuses_overflow(void **state)
{
    (void)state;
    if (the_subject()->unguarded)
        skip();
    rh_heap *heap = open_subject();
    for (int domain = 0; domain < RH_DOMAINS; domain++) {
        assert_null(heap_calloc(heap, domain, SIZE_MAX / 2 + 1, 2));
        assert_null(heap_calloc(heap, domain, SIZE_MAX, SIZE_MAX));
        assert_null(heap_calloc(heap, domain, (size_t)1 << 32, (size_t)1 << 32));
        assert_null(heap_calloc(heap, domain, 16, SIZE_MAX / 16 + 2));
    }
    check_heap(heap);
    rh_heap_close(heap);
}

static void
sizes_that_nobody_has_are_refused(void **state)
{
    (void)state;
    static const size_t huge[] = {PTRDIFF_MAX, PTRDIFF_MAX - 15, PTRDIFF_MAX - 4096,
                                  PTRDIFF_MAX / 2, (size_t)1 << 50};
    rh_heap *heap = open_subject();
    for (int domain = 0; domain < RH_DOMAINS; domain++) {
        for (size_t i = 0; i < sizeof huge / sizeof *huge; i++) {
            assert_null(heap_malloc(heap, domain, huge[i]));
            assert_null(heap_calloc(heap, domain, 1, huge[i]));
            unsigned char *block = heap_malloc(heap, domain, 100);
            if (has_contents())
                memset(block, 0x5A, 100);
            assert_null(heap_realloc(heap, domain, block, huge[i]));
            for (size_t at = 0; has_contents() && at < 100; at++)
                assert_int_equal(block[at], 0x5A);
            heap_free(heap, domain, block);
        }
    }
    check_heap(heap);
    rh_heap_close(heap);
}

/* From every size to every other. */
static void
realloc_keeps_contents(void **state)
{
    (void)state;
    if (!has_contents())
        skip();
    rh_heap *heap = open_subject();
    for (int domain = 0; domain < RH_DOMAINS; domain++) {
        for (size_t from = 0; from < SIZES; from++) {
            for (size_t to = 0; to < SIZES; to++) {
                unsigned char *block = heap_malloc(heap, domain, sizes[from]);
                memset(block, 'a' + (int)from, sizes[from]);
                block = heap_realloc(heap, domain, block, sizes[to]);
                assert_non_null(block);
                size_t kept = sizes[from] < sizes[to] ? sizes[from] : sizes[to];
                for (size_t at = 0; at < kept; at += at < 64 || kept - at < 64 ? 1 : 61)
                    if (block[at] != 'a' + (int)from)
                        fail_msg("%zu to %zu bytes: byte %zu was lost", sizes[from], sizes[to], at);
                heap_free(heap, domain, block);
            }
        }
    }
    check_heap(heap);
    rh_heap_close(heap);
}

/* A heap either aligns to whatever it is asked for, or never beyond its natural alignment. */
static void
aligned_blocks_are_aligned(void **state)
{
    (void)state;
    rh_heap *heap = open_subject();
    for (int domain = 0; domain < RH_DOMAINS; domain++) {
        void *probe = rh_heap_aligned_alloc(heap, (PyMemAllocatorDomain)domain, 4096, 100);
        bool able = probe != NULL;
        heap_free(heap, domain, probe);
        for (size_t alignment = 8; alignment <= 65536; alignment *= 2) {
            for (size_t i = 0; i < SIZES; i += 3) {
                if (the_subject()->forgetful && sizes[i] > 500000)
                    continue;
                void *block =
                    rh_heap_aligned_alloc(heap, (PyMemAllocatorDomain)domain, alignment, sizes[i]);
                assert_int_equal(block != NULL, able || alignment <= heap->natural_alignment);
                if ((uintptr_t)block % alignment != 0)
                    fail_msg("%zu bytes at a multiple of %zu: got %p", sizes[i], alignment, block);
                if (block && has_contents())
                    memset(block, 1, sizes[i]);
                heap_free(heap, domain, block);
            }
        }
        assert_null(rh_heap_aligned_alloc(heap, (PyMemAllocatorDomain)domain, 0, 1));
        assert_null(rh_heap_aligned_alloc(heap, (PyMemAllocatorDomain)domain, 48, 1));
    }
    check_heap(heap);
    rh_heap_close(heap);
}

static void
usable_size_is_usable(void **state)
{
    (void)state;
    rh_heap *heap = open_subject();
    for (int domain = 0; domain < RH_DOMAINS; domain++) {
        for (size_t i = 0; i < SIZES; i++) {
            void *block = heap_malloc(heap, domain, sizes[i]);
            if (the_subject()->forgetful && !block)
                continue;
            size_t usable = rh_heap_usable_size(heap, (PyMemAllocatorDomain)domain, block);
            if (usable) {
                assert_true(usable >= sizes[i]);
                if (has_contents())
                    memset(block, 0xFF, usable);
            }
            heap_free(heap, domain, block);
        }
        assert_int_equal(rh_heap_usable_size(heap, (PyMemAllocatorDomain)domain, NULL), 0);
    }
    check_heap(heap);
    rh_heap_close(heap);
}

const struct CMUnitTest basic_contract[] = {
    cmocka_unit_test(blocks_are_aligned),
    cmocka_unit_test(blocks_of_nothing_are_distinct),
    cmocka_unit_test(realloc_to_nothing_keeps_a_block),
    cmocka_unit_test(freeing_nothing_is_nothing),
    cmocka_unit_test(calloc_clears),
    cmocka_unit_test(calloc_refuses_overflow),
    cmocka_unit_test(sizes_that_nobody_has_are_refused),
    cmocka_unit_test(realloc_keeps_contents),
    cmocka_unit_test(aligned_blocks_are_aligned),
    cmocka_unit_test(usable_size_is_usable),
};

const size_t basic_contract_count = sizeof basic_contract / sizeof *basic_contract;
