/* Single requests: what is given, what is kept, what is refused. */
#include <string.h>

#include "tests/pymem_contract/suite.h"

static const size_t sizes[] = {1,   2,   7,    8,    9,     15,    16,    17,     24,     32,
                               48,  64,  100,  256,  487,   488,   489,   490,    511,    512,
                               513, 514, 1000, 4095, 16384, 40000, 65536, 131072, 300001, 1 << 20};

enum {
    SIZES = sizeof sizes / sizeof *sizes,
    IMPOSSIBLE_SHIFT = 47,
    CLEAN = 0xcd,
    FORBIDDEN = 0xfd
};

static void
blocks_are_aligned_and_usable(void **state)
{
    (void)state;
    EACH_FAMILY(f)
    {
        for (size_t i = 0; i < SIZES; i++) {
            void *block[] = {f->malloc(sizes[i]), f->calloc(1, sizes[i]), f->calloc(sizes[i], 1),
                             f->realloc(NULL, sizes[i])};
            uintptr_t mask = sizes[i] >= 16 ? 15 : 7;
            for (size_t j = 0; j < 4; j++) {
                assert_non_null(block[j]);
                assert_int_equal((uintptr_t)block[j] & mask, 0);
                fill(block[j], sizes[i], j);
            }
            for (size_t j = 0; j < 4; j++) {
                assert_true(is_filled(block[j], sizes[i], j));
                f->free(block[j]);
            }
        }
    }
}

static void
blocks_of_nothing_are_distinct(void **state)
{
    (void)state;
    EACH_FAMILY(f)
    {
        void *block[] = {
            f->malloc(0),           f->malloc(0),           f->calloc(0, 8),
            f->calloc(8, 0),        f->calloc(0, 0),        f->realloc(NULL, 0),
            f->calloc(0, SIZE_MAX), f->calloc(SIZE_MAX, 0), f->realloc(f->malloc(100), 0)};
        enum { BLOCKS = sizeof block / sizeof *block };
        for (size_t i = 0; i < BLOCKS; i++) {
            assert_non_null(block[i]);
            for (size_t j = 0; j < i; j++)
                assert_ptr_not_equal(block[i], block[j]);
        }
        for (size_t i = 0; i < BLOCKS; i++) {
            block[i] = f->realloc(block[i], 30);
            assert_non_null(block[i]);
            fill(block[i], 30, i);
        }
        for (size_t i = 0; i < BLOCKS; i++) {
            assert_true(is_filled(block[i], 30, i));
            f->free(block[i]);
        }
    }
}

static void
nothing_can_be_freed(void **state)
{
    (void)state;
    EACH_FAMILY(f)
    f->free(NULL);
}

/* Memory that was in use before is cleared too. */
static void
calloc_clears(void **state)
{
    (void)state;
    EACH_FAMILY(f)
    {
        for (size_t i = 0; i < SIZES; i++) {
            unsigned char *dirty = f->malloc(sizes[i]);
            memset(dirty, 0xee, sizes[i]);
            f->free(dirty);
            unsigned char *clear = f->calloc(sizes[i], 1);
            for (size_t j = 0; j < sizes[i]; j++)
                assert_int_equal(clear[j], 0);
            f->free(clear);
        }
    }
}

/* From every size to every other. */
static void
realloc_keeps_contents(void **state)
{
    (void)state;
    EACH_FAMILY(f)
    {
        for (size_t i = 0; i < SIZES; i++) {
            for (size_t j = 0; j < SIZES; j++) {
                size_t kept = sizes[i] < sizes[j] ? sizes[i] : sizes[j];
                void *block = f->malloc(sizes[i]);
                fill(block, sizes[i], i);
                block = f->realloc(block, sizes[j]);
                assert_non_null(block);
                assert_true(is_filled(block, kept, i));
                fill(block, sizes[j], j);
                assert_true(is_filled(block, sizes[j], j));
                f->free(block);
            }
        }
    }
}

/* Byte by byte up and down again, past every limit of a class. */
static void
realloc_creeps(void **state)
{
    (void)state;
    EACH_FAMILY(f)
    {
        unsigned char *block = f->malloc(0);
        for (size_t size = 1; size <= 700; size++) {
            block = f->realloc(block, size);
            block[size - 1] = (unsigned char)size;
            for (size_t i = 1; i <= size; i++)
                assert_int_equal(block[i - 1], (unsigned char)i);
        }
        for (size_t size = 700; size > 0; size--) {
            block = f->realloc(block, size);
            for (size_t i = 1; i <= size; i++)
                assert_int_equal(block[i - 1], (unsigned char)i);
        }
        f->free(block);
    }
}

/* Larger than PY_SSIZE_T_MAX: no allocator hears of it, the old block is as it was. */
static void
refused_sizes_reach_nobody(void **state)
{
    (void)state;
    static const size_t refused[] = {(size_t)PY_SSIZE_T_MAX + 1, SIZE_MAX - 15, SIZE_MAX};
    static const size_t pairs[][2] = {{SIZE_MAX, 2},
                                      {2, SIZE_MAX},
                                      {(size_t)1 << 32, (size_t)1 << 32},
                                      {(size_t)1 << 32, (size_t)1 << 31},
                                      {(size_t)PY_SSIZE_T_MAX / 3 + 1, 3},
                                      {SIZE_MAX, SIZE_MAX}};
    EACH_FAMILY(f)
    {
        struct counting_hook hook;
        void *block = f->malloc(77);
        fill(block, 77, 1);
        put_hook(&hook, f->domain);
        for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
            assert_null(f->malloc(refused[i]));
            assert_null(f->realloc(block, refused[i]));
            assert_null(f->realloc(NULL, refused[i]));
            assert_null(f->calloc(1, refused[i]));
            assert_null(f->calloc(refused[i], 1));
        }
        for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
            assert_null(f->calloc(pairs[i][0], pairs[i][1]));
        assert_int_equal(hook_calls(&hook), 0);
        take_hook(&hook);
        assert_true(is_filled(block, 77, 1));
        f->free(block);
    }
}

/* What nobody has: NULL, and the old block is as it was. */
static void
impossible_sizes_fail(void **state)
{
    (void)state;
    static const size_t impossible[] = {(size_t)1 << IMPOSSIBLE_SHIFT, (size_t)1 << 62,
                                        (size_t)PY_SSIZE_T_MAX - 32,   (size_t)PY_SSIZE_T_MAX - 24,
                                        (size_t)PY_SSIZE_T_MAX - 23,   (size_t)PY_SSIZE_T_MAX};
    static const size_t held[] = {0, 1, 100, 129, 500, 5000};
    EACH_FAMILY(f)
    {
        for (size_t i = 0; i < sizeof impossible / sizeof *impossible; i++) {
            assert_null(f->malloc(impossible[i]));
            assert_null(f->calloc(1, impossible[i]));
            assert_null(f->calloc(impossible[i], 1));
            assert_null(f->realloc(NULL, impossible[i]));
            for (size_t j = 0; j < sizeof held / sizeof *held; j++) {
                void *block = f->malloc(held[j]);
                fill(block, held[j], j);
                assert_null(f->realloc(block, impossible[i]));
                assert_true(is_filled(block, held[j], j));
                block = f->realloc(block, held[j] + 1);
                assert_true(is_filled(block, held[j], j));
                f->free(block);
            }
        }
    }
}

struct pair {
    double a, b;
};

static void
macros_count_elements(void **state)
{
    (void)state;
    struct pair *pairs = PyMem_New(struct pair, 20);
    assert_non_null(pairs);
    fill(pairs, 20 * sizeof *pairs, 3);
    PyMem_Resize(pairs, struct pair, 200);
    assert_non_null(pairs);
    assert_true(is_filled(pairs, 20 * sizeof *pairs, 3));
    PyMem_Del(pairs);
    pairs = PyMem_NEW(struct pair, 0);
    assert_non_null(pairs);
    struct pair *kept = pairs;
    PyMem_RESIZE(pairs, struct pair, (size_t)PY_SSIZE_T_MAX / sizeof(struct pair) + 1);
    assert_null(pairs); /* overwritten, while the block lives on */
    PyMem_FREE(kept);
    assert_null(PyMem_New(struct pair, (size_t)PY_SSIZE_T_MAX / sizeof(struct pair) + 1));
    assert_null(PyMem_New(struct pair, SIZE_MAX));
    void *object = PyObject_MALLOC(10);
    object = PyObject_REALLOC(object, 20);
    PyObject_FREE(object);
    PyMem_DEL(PyMem_REALLOC(PyMem_MALLOC(3), 5));
}

/* What stands around a block, to the byte. */
static void
debug_hooks_decorate(void **state)
{
    (void)state;
    if (!configuration.debug)
        skip();
    EACH_FAMILY(f)
    {
        for (size_t i = 0; i < SIZES; i++) {
            unsigned char *block = f->malloc(sizes[i]);
            for (size_t j = 0; j < 8; j++)
                assert_int_equal(block[(ptrdiff_t)j - 16],
                                 (unsigned char)(sizes[i] >> (8 * (7 - j))));
            assert_int_equal(block[-8], f->letter);
            for (int j = -7; j < 0; j++)
                assert_int_equal(block[j], FORBIDDEN);
            for (size_t j = 0; j < sizes[i]; j++)
                assert_int_equal(block[j], CLEAN);
            for (size_t j = 0; j < 8; j++)
                assert_int_equal(block[sizes[i] + j], FORBIDDEN);
            memset(block, 'x', sizes[i]);
            block = f->realloc(block, sizes[i] + 100);
            for (size_t j = 0; j < 100; j++)
                assert_int_equal(block[sizes[i] + j], CLEAN);
            f->free(block);
        }
    }
}

const struct CMUnitTest request_tests[] = {
    cmocka_unit_test(blocks_are_aligned_and_usable),
    cmocka_unit_test(blocks_of_nothing_are_distinct),
    cmocka_unit_test(nothing_can_be_freed),
    cmocka_unit_test(calloc_clears),
    cmocka_unit_test(realloc_keeps_contents),
    cmocka_unit_test(realloc_creeps),
    cmocka_unit_test(refused_sizes_reach_nobody),
    cmocka_unit_test(impossible_sizes_fail),
    cmocka_unit_test(macros_count_elements),
    cmocka_unit_test(debug_hooks_decorate),
};

const size_t request_test_count = sizeof request_tests / sizeof *request_tests;
