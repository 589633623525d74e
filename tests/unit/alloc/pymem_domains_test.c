/* The twelve functions, and the exchange of the allocators behind them. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "alloc/c_library.h"
#include "alloc/pymem.h"
#include "alloc/pymem_domains.h"

typedef struct family {
    const char *name;
    PyMemAllocatorDomain domain;
    void *(*malloc)(size_t);
    void *(*calloc)(size_t, size_t);
    void *(*realloc)(void *, size_t);
    void (*free)(void *);
} family;

static const family families[] = {
    {"raw", PYMEM_DOMAIN_RAW, PyMem_RawMalloc, PyMem_RawCalloc, PyMem_RawRealloc, PyMem_RawFree},
    {"mem", PYMEM_DOMAIN_MEM, PyMem_Malloc, PyMem_Calloc, PyMem_Realloc, PyMem_Free},
    {"obj", PYMEM_DOMAIN_OBJ, PyObject_Malloc, PyObject_Calloc, PyObject_Realloc, PyObject_Free},
};

#define EACH_FAMILY(f)                                                                             \
    for (const family *f = families; f < families + sizeof families / sizeof families[0]; f++)

#define WITHOUT_MEMORY "PYMEM_DOMAINS_TEST_WITHOUT_MEMORY"

/* ---- before main, by whoever comes first ---- */

static void *early[3];

__attribute__((constructor(101))) static void
allocate_early(void)
{
    if (getenv(WITHOUT_MEMORY)) /* a test that wants nothing opened */
        return;
    early[0] = PyMem_RawMalloc(100);
    early[1] = PyMem_Malloc(100);
    early[2] = PyObject_Malloc(100);
}

static void
they_work_before_main(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_non_null(early[i]);
        early[i] = families[i].realloc(early[i], 1000);
        memset(early[i], i, 1000);
        families[i].free(early[i]);
    }
}

/* ---- a hook that notes what it sees ---- */

typedef struct hook {
    PyMemAllocatorEx under;
    int mallocs, callocs, reallocs, frees;
    size_t nelem, elsize;
    const void *block;
} hook;

static void *
hook_malloc(void *ctx, size_t size)
{
    hook *h = ctx;
    h->mallocs++;
    h->elsize = size;
    return h->under.malloc(h->under.ctx, size);
}

static void *
hook_calloc(void *ctx, size_t nelem, size_t elsize)
{
    hook *h = ctx;
    h->callocs++;
    h->nelem = nelem;
    h->elsize = elsize;
    return h->under.calloc(h->under.ctx, nelem, elsize);
}

static void *
hook_realloc(void *ctx, void *block, size_t size)
{
    hook *h = ctx;
    h->reallocs++;
    h->block = block;
    h->elsize = size;
    return h->under.realloc(h->under.ctx, block, size);
}

static void
hook_free(void *ctx, void *block)
{
    hook *h = ctx;
    h->frees++;
    h->block = block;
    h->under.free(h->under.ctx, block);
}

static void
put_hook(hook *h, PyMemAllocatorDomain domain)
{
    *h = (hook){0};
    PyMem_GetAllocator(domain, &h->under);
    PyMemAllocatorEx mine = {h, hook_malloc, hook_calloc, hook_realloc, hook_free};
    PyMem_SetAllocator(domain, &mine);
}

static void
take_hook(hook *h, PyMemAllocatorDomain domain)
{
    PyMem_SetAllocator(domain, &h->under);
}

/* ---- what a caller may ask ---- */

static void
a_size_that_no_allocator_may_see_is_refused(void **state)
{
    (void)state;
    EACH_FAMILY(f)
    {
        hook h;
        void *block = f->malloc(10);
        memcpy(block, "untouched", 10);
        put_hook(&h, f->domain);
        assert_null(f->malloc((size_t)PY_SSIZE_T_MAX + 1));
        assert_null(f->malloc(SIZE_MAX));
        assert_null(f->calloc((size_t)PY_SSIZE_T_MAX / 8 + 1, 8));
        assert_null(f->calloc(8, (size_t)PY_SSIZE_T_MAX / 8 + 1));
        assert_null(f->calloc(2, SIZE_MAX / 2 + 2));
        assert_null(f->realloc(block, (size_t)PY_SSIZE_T_MAX + 1));
        assert_null(f->realloc(NULL, SIZE_MAX));
        assert_int_equal(h.mallocs + h.callocs + h.reallocs + h.frees, 0);
        take_hook(&h, f->domain);
        assert_string_equal(block, "untouched");
        f->free(block);
    }
}

static void *
nothing_malloc(void *ctx, size_t size)
{
    *(size_t *)ctx = size;
    return NULL;
}

static void *
nothing_calloc(void *ctx, size_t nelem, size_t elsize)
{
    *(size_t *)ctx = nelem * elsize;
    return NULL;
}

static void *
nothing_realloc(void *ctx, void *block, size_t size)
{
    (void)block;
    *(size_t *)ctx = size;
    return NULL;
}

static void
nothing_free(void *ctx, void *block)
{
    *(size_t *)ctx = (size_t)(uintptr_t)block;
}

/* The largest request is the allocator's to refuse. */
static void
the_largest_size_reaches_the_allocator(void **state)
{
    (void)state;
    EACH_FAMILY(f)
    {
        size_t seen = 0;
        PyMemAllocatorEx nothing = {&seen, nothing_malloc, nothing_calloc, nothing_realloc,
                                    nothing_free};
        PyMemAllocatorEx before;
        PyMem_GetAllocator(f->domain, &before);
        PyMem_SetAllocator(f->domain, &nothing);
        size_t most = (size_t)PY_SSIZE_T_MAX;
        assert_null(f->malloc(most));
        assert_int_equal(seen, most);
        seen = 0;
        assert_null(f->calloc(1, most));
        assert_int_equal(seen, most);
        seen = 1;
        assert_null(f->calloc(SIZE_MAX, 0));
        assert_int_equal(seen, 0);
        assert_null(f->realloc(NULL, most));
        assert_int_equal(seen, most);
        f->free((void *)1);
        assert_int_equal(seen, 1);
        PyMem_SetAllocator(f->domain, &before);
    }
}

static void
zero_bytes_are_a_block_of_their_own(void **state)
{
    (void)state;
    EACH_FAMILY(f)
    {
        void *blocks[] = {f->malloc(0),    f->malloc(0),        f->calloc(0, 0), f->calloc(0, 8),
                          f->calloc(8, 0), f->realloc(NULL, 0), f->malloc(40),   f->malloc(4000)};
        enum { COUNT = sizeof blocks / sizeof blocks[0] };
        blocks[COUNT - 2] = f->realloc(blocks[COUNT - 2], 0);
        blocks[COUNT - 1] = f->realloc(blocks[COUNT - 1], 0);
        for (int i = 0; i < COUNT; i++) {
            assert_non_null(blocks[i]);
            for (int j = 0; j < i; j++)
                assert_ptr_not_equal(blocks[i], blocks[j]);
        }
        for (int i = 0; i < COUNT; i++)
            f->free(blocks[i]);
        f->free(NULL);
    }
}

static void
blocks_keep_what_is_in_them(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 16, 17, 512, 513, 5000, 200000, 600, 300, 20};
    EACH_FAMILY(f)
    {
        unsigned char *block = f->calloc(3, 5);
        size_t size = 15;
        for (size_t i = 0; i < size; i++)
            assert_int_equal(block[i], 0);
        for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
            memset(block, (int)s + 1, size);
            block = f->realloc(block, sizes[s]);
            assert_non_null(block);
            size_t kept = size < sizes[s] ? size : sizes[s];
            for (size_t i = 0; i < kept; i++)
                assert_int_equal(block[i], s + 1);
            size = sizes[s];
        }
        f->free(block);
    }
}

/* ---- exchange ---- */

static void
a_hook_sees_each_call_as_it_was_made(void **state)
{
    (void)state;
    EACH_FAMILY(f)
    {
        hook h;
        put_hook(&h, f->domain);
        void *block = f->realloc(NULL, 24); /* a realloc, not a malloc */
        assert_int_equal(h.reallocs, 1);
        assert_int_equal(h.mallocs, 0);
        f->free(block);
        assert_ptr_equal(h.block, block);
        f->free(NULL);
        assert_int_equal(h.frees, 2);
        assert_null(h.block);
        block = f->calloc(3, 7);
        assert_int_equal(h.nelem, 3);
        assert_int_equal(h.elsize, 7);
        f->free(block);
        block = f->malloc(0);
        assert_int_equal(h.elsize, 0);
        f->free(block);
        take_hook(&h, f->domain);
    }
}

/* Zero bytes, what is larger than the threshold, and the death of both. */
static void
a_hook_on_raw_sees_what_pymalloc_passes_on(void **state)
{
    (void)state;
    for (int i = 1; i < 3; i++) {
        const family *f = &families[i];
        hook h;
        put_hook(&h, PYMEM_DOMAIN_RAW);
        void *small = f->malloc(512), *large = f->malloc(513), *none = f->malloc(0);
        assert_int_equal(h.mallocs, 2);
        void *cleared = f->calloc(300, 2);
        assert_int_equal(h.callocs, 1);
        assert_int_equal(h.nelem, 300);
        assert_int_equal(h.elsize, 2);
        large = f->realloc(large, 16); /* stays outside the pools */
        assert_int_equal(h.reallocs, 1);
        assert_int_equal(h.mallocs, 2);
        f->free(small);
        assert_int_equal(h.frees, 0);
        f->free(large);
        f->free(none);
        f->free(cleared);
        assert_int_equal(h.frees, 3);
        take_hook(&h, PYMEM_DOMAIN_RAW);
    }
}

static void
the_defaults_are_malloc_and_pymalloc(void **state)
{
    (void)state;
    PyMemAllocatorEx raw, mem, object, pymalloc;
    PyMem_GetAllocator(PYMEM_DOMAIN_RAW, &raw);
    PyMem_GetAllocator(PYMEM_DOMAIN_MEM, &mem);
    PyMem_GetAllocator(PYMEM_DOMAIN_OBJ, &object);
    assert_memory_equal(&raw, &rh_c_library, sizeof raw);
    assert_true(rh_domains_pymalloc(&pymalloc));
    assert_memory_equal(&mem, &pymalloc, sizeof mem);
    assert_memory_equal(&object, &pymalloc, sizeof object);
}

static void
a_domain_that_there_is_not(void **state)
{
    (void)state;
    PyMemAllocatorEx before[3], after, nothing = {NULL, NULL, NULL, NULL, NULL};
    for (int i = 0; i < 3; i++)
        PyMem_GetAllocator((PyMemAllocatorDomain)i, &before[i]);
    static const int unknown[] = {3, 77, -1};
    for (int i = 0; i < 3; i++) {
        memset(&after, 0xAA, sizeof after);
        PyMem_GetAllocator((PyMemAllocatorDomain)unknown[i], &after);
        assert_memory_equal(&after, &nothing, sizeof after);
        PyMem_SetAllocator((PyMemAllocatorDomain)unknown[i], &nothing);
    }
    for (int i = 0; i < 3; i++) {
        PyMem_GetAllocator((PyMemAllocatorDomain)i, &after);
        assert_memory_equal(&after, &before[i], sizeof after);
    }
}

/* More unlike allocators than have a place from the start. */
static void
any_number_of_allocators(void **state)
{
    (void)state;
    PyMemAllocatorEx before, after;
    PyMem_GetAllocator(PYMEM_DOMAIN_MEM, &before);
    static size_t seen[200];
    for (int round = 0; round < 2; round++)
        for (size_t i = 0; i < 200; i++) {
            PyMemAllocatorEx mine = {&seen[i], nothing_malloc, nothing_calloc, nothing_realloc,
                                     nothing_free};
            PyMem_SetAllocator(PYMEM_DOMAIN_MEM, &mine);
            assert_null(PyMem_Malloc(i + 1));
            assert_int_equal(seen[i], i + 1);
            PyMem_GetAllocator(PYMEM_DOMAIN_MEM, &after);
            assert_memory_equal(&after, &mine, sizeof after);
            seen[i] = 0;
        }
    PyMem_SetAllocator(PYMEM_DOMAIN_MEM, &before);
}

/* ---- macros ---- */

typedef struct triple {
    double a, b, c;
} triple;

static void
arrays_of_a_type(void **state)
{
    (void)state;
    triple *some = PyMem_New(triple, 10);
    assert_non_null(some);
    some[9].c = 1.5;
    PyMem_Resize(some, triple, 1000);
    assert_true(some && some[9].c == 1.5);
    assert_null(PyMem_New(triple, (size_t)PY_SSIZE_T_MAX / sizeof(triple) + 1));
    triple *kept = some;
    PyMem_Resize(some, triple, (size_t)PY_SSIZE_T_MAX / sizeof(triple) + 1);
    assert_null(some); /* always overwritten */
    assert_true(kept[9].c == 1.5);
    PyMem_Del(kept);
    char *text = PyMem_NEW(char, 0);
    assert_non_null(text);
    PyMem_RESIZE(text, char, 3);
    PyMem_DEL(text);
    PyMem_FREE(PyMem_REALLOC(PyMem_MALLOC(3), 9));
    PyObject_FREE(PyObject_REALLOC(PyObject_MALLOC(3), 9));
}

/* A sanitizer needs more address space than this test leaves. */
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
static int
open_without_memory(void)
{
    struct rlimit limit, little;
    if (getrlimit(RLIMIT_AS, &limit) != 0)
        return 1;
    little = limit;
    little.rlim_cur = (rlim_t)1 << 20;
    if (setrlimit(RLIMIT_AS, &little) != 0)
        return 2;
    /* No heap: RAW gives what it has. */
    PyMemAllocatorEx copy, pymalloc;
    PyMem_GetAllocator(PYMEM_DOMAIN_OBJ, &copy);
    if (rh_domains_pymalloc(&pymalloc))
        return 3;
    void *block = PyObject_Malloc(100), *cleared = PyMem_Calloc(3, 10);
    block = PyObject_Realloc(block, 50);
    PyObject_Free(NULL);
    PyObjectArenaAllocator arenas;
    PyObject_GetArenaAllocator(&arenas);
    if (arenas.alloc)
        return 4;
    if (setrlimit(RLIMIT_AS, &limit) != 0)
        return 5;
    /* The next call opens it; the functions from before are as good, and so are the blocks. */
    void *later = copy.malloc(copy.ctx, 100);
    if (!later || !rh_domains_pymalloc(&pymalloc) || !rh_domains_is_pymalloc(&copy))
        return 6;
    void *next = PyObject_Malloc(100);
    if ((uintptr_t)next - (uintptr_t)later > 16384)
        return 7;
    PyObject_Free(later);
    copy.free(copy.ctx, next);
    PyObject_Free(block);
    PyMem_Free(cleared);
    return 0;
}

/* A fresh process: in this one the heap is open. */
static void
want_of_memory_at_the_opening_is_no_crash(void **state)
{
    (void)state;
    fflush(NULL);
    pid_t child = fork();
    assert_int_not_equal(child, -1);
    if (child == 0) {
        setenv(WITHOUT_MEMORY, "1", 1);
        execl("/proc/self/exe", "pymem_domains_test", (char *)NULL);
        _exit(127);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}
#define TESTS_OF_THE_LIMIT cmocka_unit_test(want_of_memory_at_the_opening_is_no_crash),
#else
static int
open_without_memory(void)
{
    return 0;
}
#define TESTS_OF_THE_LIMIT
#endif

int
main(void)
{
    if (getenv(WITHOUT_MEMORY))
        return open_without_memory();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(they_work_before_main),
        cmocka_unit_test(a_size_that_no_allocator_may_see_is_refused),
        cmocka_unit_test(the_largest_size_reaches_the_allocator),
        cmocka_unit_test(zero_bytes_are_a_block_of_their_own),
        cmocka_unit_test(blocks_keep_what_is_in_them),
        cmocka_unit_test(a_hook_sees_each_call_as_it_was_made),
        cmocka_unit_test(a_hook_on_raw_sees_what_pymalloc_passes_on),
        cmocka_unit_test(the_defaults_are_malloc_and_pymalloc),
        cmocka_unit_test(a_domain_that_there_is_not),
        cmocka_unit_test(any_number_of_allocators),
        cmocka_unit_test(arrays_of_a_type),
        TESTS_OF_THE_LIMIT};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
