/* The source of arenas of the process's pymalloc, as PyObject_SetArenaAllocator exchanges it. Each
 * test runs in a process of its own. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "alloc/heap.h"
#include "alloc/pymem.h"
#include "alloc/pymem_domains.h"
#include "tests/apart.h"

#define MIB  ((size_t)1 << 20)
#define POOL ((size_t)16384)

/* A source that notes what is asked of it. */
typedef struct source {
    PyObjectArenaAllocator under; /* NULL: mmap */
    size_t shift;                 /* arenas begin this much behind a multiple of their size */
    unsigned refuse_from;         /* the first request that is refused, counted from 1; 0: none */
    unsigned allocs, frees, refused;
    size_t size;
    void *last_given, *last_freed;
} source;

static void *
source_alloc(void *ctx, size_t size)
{
    source *s = ctx;
    s->allocs++;
    s->size = size;
    if (s->refuse_from && s->allocs >= s->refuse_from) {
        s->refused++;
        return NULL;
    }
    if (s->under.alloc)
        return s->last_given = s->under.alloc(s->under.ctx, size);
    char *span = mmap(NULL, 3 * size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    uintptr_t base = ((uintptr_t)span + size - 1) & ~(size - 1);
    return s->last_given = (void *)(base + s->shift);
}

static void
source_free(void *ctx, void *arena, size_t size)
{
    source *s = ctx;
    s->frees++;
    s->size = size;
    s->last_freed = arena;
    if (s->under.free)
        s->under.free(s->under.ctx, arena, size);
    else
        munmap(arena, size);
}

static void
put(source *s)
{
    PyObjectArenaAllocator mine = {s, source_alloc, source_free};
    PyObject_SetArenaAllocator(&mine);
}

static bool
is_sound(void)
{
    rh_error error;
    if (rh_heap_check(rh_domains_heap(), &error) == RH_OK)
        return true;
    fprintf(stderr, "%s\n", error.message);
    return false;
}

static bool
lies_in(const void *block, const void *arena)
{
    return (uintptr_t)block - (uintptr_t)arena < MIB;
}

enum { HALF_KIB_ARENA = 64 * 31 }; /* blocks of 512 bytes in an aligned arena */

/* Fills `count` blocks of 512 bytes; false when one cannot be had. */
static bool
fill(void **blocks, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!(blocks[i] = PyObject_Malloc(512)))
            return false;
    return true;
}

static void
empty(void **blocks, size_t count)
{
    for (size_t i = 0; i < count; i++)
        PyObject_Free(blocks[i]);
}

static void *blocks[8 * HALF_KIB_ARENA];

/* ---- */

static int
read_and_wrap(const void *nothing)
{
    (void)nothing;
    PyObjectArenaAllocator standard, found;
    PyObject_GetArenaAllocator(&standard);
    EXPECT(standard.alloc && standard.free);
    source wrapper = {.under = standard};
    put(&wrapper);
    PyObject_GetArenaAllocator(&found);
    EXPECT(found.ctx == &wrapper && found.alloc == source_alloc && found.free == source_free);
    EXPECT(fill(blocks, 3 * HALF_KIB_ARENA) && is_sound());
    EXPECT(wrapper.allocs == 3 && wrapper.size == MIB);
    empty(blocks, 3 * HALF_KIB_ARENA);
    EXPECT(wrapper.frees == 2 && is_sound()); /* one stays */
    /* Whoever else takes memory from it, as CPython's interpreter does for its stack. */
    char *chunk = wrapper.under.alloc(wrapper.under.ctx, 16384);
    EXPECT(chunk);
    chunk[16383] = 1;
    wrapper.under.free(wrapper.under.ctx, chunk, 16384);
    wrapper.under.free(wrapper.under.ctx, NULL, 16384);
    return 0;
}

static int
exchange_while_in_use(const void *nothing)
{
    (void)nothing;
    source first = {.allocs = 0}, second = {.allocs = 0};
    put(&first);
    EXPECT(fill(blocks, 2 * HALF_KIB_ARENA));
    EXPECT(first.allocs == 2);
    void *last_of_first = first.last_given;
    put(&second);
    EXPECT(is_sound());
    EXPECT(PyObject_GetArenaAllocator != NULL && fill(blocks + 2 * HALF_KIB_ARENA, HALF_KIB_ARENA));
    EXPECT(first.allocs == 2 && second.allocs == 1);
    for (size_t i = 0; i < 3 * HALF_KIB_ARENA; i++)
        memset(blocks[i], (int)i, 512);
    /* The arenas of the old source go back through the new one. */
    empty(blocks, 2 * HALF_KIB_ARENA);
    EXPECT(first.frees == 0 && second.frees >= 1);
    EXPECT(second.last_freed == last_of_first || second.frees == 2);
    EXPECT(is_sound());
    empty(blocks + 2 * HALF_KIB_ARENA, HALF_KIB_ARENA);
    EXPECT(is_sound());
    return 0;
}

static int
exchange_after_the_standard(const void *nothing)
{
    (void)nothing;
    EXPECT(fill(blocks, 2 * HALF_KIB_ARENA));
    PyObjectArenaAllocator standard;
    PyObject_GetArenaAllocator(&standard);
    source wrapper = {.under = standard};
    put(&wrapper);
    empty(blocks, 2 * HALF_KIB_ARENA);
    EXPECT(wrapper.allocs == 0 && wrapper.frees == 1);
    EXPECT(fill(blocks, 2 * HALF_KIB_ARENA) && wrapper.allocs == 1);
    PyObject_SetArenaAllocator(&standard);
    empty(blocks, 2 * HALF_KIB_ARENA);
    EXPECT(wrapper.frees == 1 && is_sound());
    return 0;
}

/* Arenas of a foreign source end in the standard one, as with CPython's munmap. */
static int
standard_takes_foreign_arenas(const void *nothing)
{
    (void)nothing;
    PyObjectArenaAllocator standard;
    PyObject_GetArenaAllocator(&standard);
    source mine = {.allocs = 0};
    put(&mine);
    EXPECT(fill(blocks, 2 * HALF_KIB_ARENA));
    PyObject_SetArenaAllocator(&standard);
    empty(blocks, 2 * HALF_KIB_ARENA);
    EXPECT(mine.frees == 0 && is_sound());
    EXPECT(fill(blocks, 4 * HALF_KIB_ARENA) && is_sound());
    empty(blocks, 4 * HALF_KIB_ARENA);
    return 0;
}

/* ---- failure ---- */

static size_t raw_mallocs, raw_callocs;
static PyMemAllocatorEx raw_under;

static void *
raw_malloc(void *ctx, size_t size)
{
    (void)ctx;
    raw_mallocs++;
    return raw_under.malloc(raw_under.ctx, size);
}

static void *
raw_calloc(void *ctx, size_t nelem, size_t elsize)
{
    (void)ctx;
    raw_callocs += nelem * elsize == 128;
    return raw_under.calloc(raw_under.ctx, nelem, elsize);
}

/* No arena is no failure: the request goes to RAW, and the next one asks again. */
static int
no_arena(const void *nothing)
{
    (void)nothing;
    PyMem_GetAllocator(PYMEM_DOMAIN_RAW, &raw_under);
    PyMemAllocatorEx raw = raw_under;
    raw.malloc = raw_malloc;
    raw.calloc = raw_calloc;
    PyMem_SetAllocator(PYMEM_DOMAIN_RAW, &raw);
    source s = {.refuse_from = 1};
    put(&s);
    unsigned char *small = PyObject_Malloc(100), *cleared = PyMem_Calloc(16, 8);
    EXPECT(small && cleared && raw_mallocs == 1 && raw_callocs == 1);
    EXPECT(s.refused == 2);
    for (int i = 0; i < 128; i++)
        EXPECT(cleared[i] == 0);
    memset(small, 7, 100);
    /* Once outside the pools, always outside. */
    s.refuse_from = 0;
    void *in_pool = PyObject_Malloc(100);
    EXPECT(s.allocs == 3 && lies_in(in_pool, s.last_given));
    small = PyObject_Realloc(small, 20);
    EXPECT(small && !lies_in(small, s.last_given) && small[19] == 7);
    PyObject_Free(small);
    PyMem_Free(cleared);
    PyObject_Free(in_pool);
    EXPECT(is_sound());
    return 0;
}

static int
no_second_arena(const void *nothing)
{
    (void)nothing;
    source s = {.refuse_from = 2};
    put(&s);
    EXPECT(fill(blocks, HALF_KIB_ARENA + 5));
    EXPECT(s.refused == 5 && is_sound());
    for (size_t i = 0; i < HALF_KIB_ARENA + 5; i++)
        EXPECT(lies_in(blocks[i], s.last_given) == (i < HALF_KIB_ARENA));
    /* A pool that comes free serves again. */
    for (int i = 0; i < 31; i++)
        PyObject_Free(blocks[i]);
    void *again = PyObject_Malloc(512);
    EXPECT(lies_in(again, s.last_given) && s.refused == 5);
    empty(blocks + 31, HALF_KIB_ARENA + 5 - 31);
    PyObject_Free(again);
    EXPECT(is_sound());
    return 0;
}

/* ---- places ---- */

/* An arena that does not begin at a multiple of the pool size loses a pool. */
static int
unaligned(const void *nothing)
{
    (void)nothing;
    source s = {.shift = 4096};
    put(&s);
    EXPECT(fill(blocks, 63 * 31));
    EXPECT(s.allocs == 1);
    for (int i = 0; i < 63 * 31; i++)
        EXPECT(lies_in(blocks[i], s.last_given) && (uintptr_t)blocks[i] % POOL >= 48);
    EXPECT(PyObject_Malloc(512) && s.allocs == 2);
    EXPECT(is_sound());
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    EXPECT(_PyObject_DebugMallocStats(out) == 1);
    fclose(out);
    EXPECT(strstr(text, "# bytes lost to arena alignment    =               32,768\n"));
    free(text);
    return 0;
}

#define TEST(name)                                                                                 \
    static void name##_apart(void **state)                                                         \
    {                                                                                              \
        (void)state;                                                                               \
        apart(name, NULL);                                                                         \
    }
TEST(read_and_wrap)
TEST(exchange_while_in_use)
TEST(exchange_after_the_standard)
TEST(standard_takes_foreign_arenas)
TEST(no_arena)
TEST(no_second_arena)
TEST(unaligned)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(read_and_wrap_apart),
        cmocka_unit_test(exchange_while_in_use_apart),
        cmocka_unit_test(exchange_after_the_standard_apart),
        cmocka_unit_test(standard_takes_foreign_arenas_apart),
        cmocka_unit_test(no_arena_apart),
        cmocka_unit_test(no_second_arena_apart),
        cmocka_unit_test(unaligned_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
