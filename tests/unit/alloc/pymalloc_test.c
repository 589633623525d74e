/* What pymalloc promises beside placement (tests/model compares that): which requests are whose,
 * what realloc moves, what happens without arenas, what the counters say, and what the check sees.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "alloc/arena.h"
#include "alloc/heap.h"
#include "alloc/pymalloc.h"
#include "alloc/pymalloc_pools.h"
#include "base/random.h"

static rh_heap *
open_heap(const char *spec)
{
    rh_heap *heap = NULL;
    rh_error error = {0};
    if (rh_heap_open(spec, &heap, &error) != RH_OK)
        fail_msg("%s: %s", spec, error.message);
    return heap;
}

static void
close_sound(rh_heap *heap)
{
    rh_error error = {0};
    if (rh_heap_check(heap, &error) != RH_OK)
        fail_msg("%s", error.message);
    rh_heap_close(heap);
}

static void *
give(rh_heap *heap, size_t size)
{
    const PyMemAllocatorEx *object = &heap->domain[PYMEM_DOMAIN_OBJ];
    void *block = object->malloc(object->ctx, size);
    assert_non_null(block);
    return block;
}

static void
take(rh_heap *heap, void *block)
{
    const PyMemAllocatorEx *object = &heap->domain[PYMEM_DOMAIN_OBJ];
    object->free(object->ctx, block);
}

static void *
resize(rh_heap *heap, void *block, size_t size)
{
    const PyMemAllocatorEx *object = &heap->domain[PYMEM_DOMAIN_OBJ];
    return object->realloc(object->ctx, block, size);
}

static rh_counters
count(rh_heap *heap)
{
    rh_counters counters;
    rh_heap_snapshot(heap, &counters);
    return counters;
}

/* ---- a RAW domain that remembers the calls that reach it ---- */

typedef struct raw_calls {
    PyMemAllocatorEx inner;
    unsigned mallocs, callocs, reallocs, frees;
    size_t nelem, elsize, size;
} raw_calls;

static void *
raw_malloc(void *ctx, size_t size)
{
    raw_calls *calls = ctx;
    calls->mallocs++;
    calls->size = size;
    return calls->inner.malloc(calls->inner.ctx, size);
}

static void *
raw_calloc(void *ctx, size_t nelem, size_t elsize)
{
    raw_calls *calls = ctx;
    calls->callocs++;
    calls->nelem = nelem;
    calls->elsize = elsize;
    return calls->inner.calloc(calls->inner.ctx, nelem, elsize);
}

static void *
raw_realloc(void *ctx, void *block, size_t size)
{
    raw_calls *calls = ctx;
    calls->reallocs++;
    calls->size = size;
    return calls->inner.realloc(calls->inner.ctx, block, size);
}

static void
raw_free(void *ctx, void *block)
{
    raw_calls *calls = ctx;
    calls->frees++;
    calls->inner.free(calls->inner.ctx, block);
}

static void
watch_raw(rh_heap *heap, raw_calls *calls)
{
    *calls = (raw_calls){.inner = heap->domain[PYMEM_DOMAIN_RAW]};
    heap->domain[PYMEM_DOMAIN_RAW] =
        (PyMemAllocatorEx){calls, raw_malloc, raw_calloc, raw_realloc, raw_free};
}

static const char *const all_kinds[] = {
    "pymalloc",
    "pymalloc,large=libc",
    "pymalloc@3.7",
    "pymalloc,metadata=side",
    "pymalloc,metadata=side,large=libc",
    "pymalloc,arena=64K,pool=8K,align=8,small=300",
    "pymalloc,source=virtual",
    "pymalloc,source=cached,cache=2,arena=64K",
    "pymalloc,source=malloc",
    "pymalloc,source=huge",
    "pymalloc,classes=geometric:2",
    "pymalloc,classes=16:32:48:64:96:128:512,metadata=side",
};
#define KINDS        (sizeof all_kinds / sizeof all_kinds[0])
#define LINEAR_KINDS (KINDS - 2) /* whose classes are the multiples of the alignment: the first */

static bool
is_virtual(const char *spec)
{
    return strstr(spec, "virtual") != NULL;
}

/* ---- whose request is it ---- */

static void
zero_and_large_go_to_raw(void **state)
{
    (void)state;
    for (size_t i = 0; i < KINDS; i++) {
        rh_heap *heap = open_heap(all_kinds[i]);
        size_t small = strstr(all_kinds[i], "small=300") ? 300 : 512;
        const PyMemAllocatorEx *object = &heap->domain[PYMEM_DOMAIN_OBJ];
        raw_calls calls;
        watch_raw(heap, &calls);
        void *in_pool[] = {give(heap, 1), give(heap, small), object->calloc(object->ctx, 1, small)};
        assert_int_equal(calls.mallocs + calls.callocs, 0);
        void *outside[] = {give(heap, 0), give(heap, small + 1), object->calloc(object->ctx, 7, 0),
                           object->calloc(object->ctx, 3, 200)};
        assert_int_equal(calls.mallocs, 2);
        assert_int_equal(calls.callocs, 2);
        assert_int_equal(calls.nelem, 3); /* the original factors */
        assert_int_equal(calls.elsize, 200);
        for (size_t j = 0; j < 4; j++)
            for (size_t k = j + 1; k < 4; k++)
                assert_ptr_not_equal(outside[j], outside[k]);
        for (size_t j = 0; j < 4; j++)
            take(heap, outside[j]);
        assert_int_equal(calls.frees, 4);
        for (size_t j = 0; j < 3; j++)
            take(heap, in_pool[j]);
        assert_int_equal(calls.frees, 4);
        object->free(object->ctx, NULL);
        close_sound(heap);
    }
}

static void
raw_domain_serves_everything(void **state)
{
    (void)state;
    for (size_t i = 0; i < KINDS; i++) {
        rh_heap *heap = open_heap(all_kinds[i]);
        const PyMemAllocatorEx *raw = &heap->domain[PYMEM_DOMAIN_RAW];
        void *a = raw->malloc(raw->ctx, 0), *b = raw->calloc(raw->ctx, 0, 5);
        void *c = raw->realloc(raw->ctx, NULL, 0), *d = raw->malloc(raw->ctx, 100);
        assert_true(a && b && c && d && a != b && b != c && a != c);
        d = raw->realloc(raw->ctx, d, 0);
        assert_non_null(d);
        assert_int_equal(count(heap).arenas_allocated, 0);
        raw->free(raw->ctx, a);
        raw->free(raw->ctx, b);
        raw->free(raw->ctx, c);
        raw->free(raw->ctx, d);
        raw->free(raw->ctx, NULL);
        close_sound(heap);
    }
}

static void
impossible_sizes_fail(void **state)
{
    (void)state;
    for (size_t i = 0; i < KINDS; i++) {
        rh_heap *heap = open_heap(all_kinds[i]);
        for (int domain = 0; domain < RH_DOMAINS; domain++) {
            const PyMemAllocatorEx *a = &heap->domain[domain];
            /* The product of these overflows to 16. */
            assert_null(a->calloc(a->ctx, (SIZE_MAX >> 4) + 2, 16));
            assert_null(a->malloc(a->ctx, SIZE_MAX));
            void *block = a->malloc(a->ctx, 40);
            assert_null(a->realloc(a->ctx, block, SIZE_MAX - 100));
            a->free(a->ctx, block);
        }
        close_sound(heap);
    }
}

static void
calloc_clears(void **state)
{
    (void)state;
    rh_heap *heap = open_heap("pymalloc");
    const PyMemAllocatorEx *object = &heap->domain[PYMEM_DOMAIN_OBJ];
    for (size_t size = 1; size <= 600; size += 37) {
        char *block = give(heap, size);
        memset(block, 0x5a, size);
        take(heap, block);
        block = object->calloc(object->ctx, size, 1);
        for (size_t i = 0; i < size; i++)
            assert_int_equal(block[i], 0);
        take(heap, block);
    }
    close_sound(heap);
}

/* ---- realloc ---- */

static void
realloc_moves_at_three_quarters(void **state)
{
    (void)state;
    for (size_t i = 0; i < LINEAR_KINDS; i++) {
        rh_heap *heap = open_heap(all_kinds[i]);
        size_t step = strstr(all_kinds[i], "align=8") ? 8 : 16;
        for (size_t held = step; held <= 288; held += step) {
            void *block = give(heap, held);
            assert_ptr_equal(resize(heap, block, held * 3 / 4 + 1), block);
            assert_ptr_equal(resize(heap, block, held), block);
            void *moved = resize(heap, block, held * 3 / 4);
            assert_ptr_not_equal(moved, block);
            take(heap, moved);
            block = give(heap, held);
            moved = resize(heap, block, held + 1);
            assert_ptr_not_equal(moved, block);
            take(heap, moved);
        }
        close_sound(heap);
    }
}

static void
realloc_keeps_contents_and_sides(void **state)
{
    (void)state;
    rh_heap *heap = open_heap("pymalloc");
    raw_calls calls;
    watch_raw(heap, &calls);
    char *block = resize(heap, NULL, 100);
    memset(block, 0x11, 100);
    block = resize(heap, block, 500); /* pool to pool */
    memset(block + 100, 0x22, 400);
    assert_int_equal(calls.mallocs + calls.reallocs, 0);
    block = resize(heap, block, 5000); /* pool to raw, by malloc and free */
    assert_int_equal(calls.mallocs, 1);
    block = resize(heap, block, 16); /* raw stays raw */
    assert_int_equal(calls.reallocs, 1);
    assert_int_equal(count(heap).pools_in_use, 0);
    for (int i = 0; i < 16; i++)
        assert_int_equal(block[i], 0x11);
    block = resize(heap, block, 700);
    assert_int_equal(block[15], 0x11);
    take(heap, block);
    block = give(heap, 64);
    block = resize(heap, block, 0); /* and zero bytes are raw's */
    assert_non_null(block);
    assert_int_equal(calls.mallocs, 2);
    take(heap, block);
    assert_int_equal(calls.frees, 2);
    close_sound(heap);
}

static void
freed_blocks_come_back_last_in_first_out(void **state)
{
    (void)state;
    rh_heap *heap = open_heap("pymalloc");
    char *block[5], *again[7];
    for (int i = 0; i < 5; i++)
        block[i] = give(heap, 48);
    static const int freed[5] = {1, 3, 0, 2, 4}, expected[7] = {4, 2, 0, 3, 1, 5, 6};
    for (int i = 0; i < 5; i++)
        take(heap, block[freed[i]]);
    for (int i = 0; i < 7; i++) {
        again[i] = give(heap, 48);
        assert_ptr_equal(again[i], block[0] + expected[i] * 48);
    }
    assert_int_equal((uintptr_t)block[0] & 0x3fff, 0x30); /* a pool's first block */
    for (int i = 0; i < 7; i++)
        take(heap, again[i]);
    close_sound(heap);
}

/* ---- arenas that cannot be had ---- */

typedef struct failing_source {
    PyObjectArenaAllocator inner;
    unsigned calls, fail_from, fail_until, births, deaths;
} failing_source;

static void *
failing_alloc(void *ctx, size_t size)
{
    failing_source *source = ctx;
    unsigned call = ++source->calls;
    if (call >= source->fail_from && call < source->fail_until)
        return NULL;
    source->births++;
    return source->inner.alloc(source->inner.ctx, size);
}

static void
failing_free(void *ctx, void *arena, size_t size)
{
    failing_source *source = ctx;
    source->deaths++;
    source->inner.free(source->inner.ctx, arena, size);
}

static void
without_an_arena_raw_serves(void **state)
{
    (void)state;
    for (unsigned failing = 1; failing <= 4; failing++) {
        rh_heap *heap = open_heap("pymalloc,arena=64K,pool=4K");
        failing_source source = {.fail_from = failing, .fail_until = failing + 3};
        assert_true(rh_heap_get_arenas(heap, &source.inner));
        PyObjectArenaAllocator arenas = {&source, failing_alloc, failing_free};
        assert_int_equal(rh_heap_set_arenas(heap, &arenas, NULL), RH_OK);
        raw_calls calls;
        watch_raw(heap, &calls);
        enum { BLOCKS = 16 * 7 * 6 }; /* six arenas of 16 pools of 7 */
        static void *block[BLOCKS];
        for (int i = 0; i < BLOCKS; i++)
            block[i] = give(heap, 500);
        /* Each failure sends one request to raw, the next one asks the source again. */
        assert_int_equal(calls.mallocs, 3);
        assert_int_equal(calls.size, 500);
        assert_int_equal(source.calls, 9);
        assert_int_equal(count(heap).arenas_allocated, 6);
        for (int i = 0; i < BLOCKS; i++)
            take(heap, block[i]);
        assert_int_equal(calls.frees, 3);
        assert_int_equal(source.deaths, 5); /* one is kept */
        rh_error error = {0};
        assert_int_equal(rh_heap_check(heap, &error), RH_OK);
        rh_heap_close(heap);
        assert_int_equal(source.births, source.deaths);
    }
}

static void *
no_arena(void *ctx, size_t size)
{
    (void)ctx;
    (void)size;
    return NULL;
}

static void
never_an_arena(void *ctx, void *arena, size_t size)
{
    (void)ctx;
    (void)size;
    assert_null(arena);
}

static void
a_source_with_nothing_still_serves(void **state)
{
    (void)state;
    rh_heap *heap = open_heap("pymalloc");
    const PyMemAllocatorEx *object = &heap->domain[PYMEM_DOMAIN_OBJ];
    PyObjectArenaAllocator none = {NULL, no_arena, never_an_arena};
    assert_int_equal(rh_heap_set_arenas(heap, &none, NULL), RH_OK);
    raw_calls calls;
    watch_raw(heap, &calls);
    char *block = object->calloc(object->ctx, 4, 10);
    assert_int_equal(calls.nelem, 4);
    assert_int_equal(calls.elsize, 10);
    block = resize(heap, block, 30);
    assert_int_equal(calls.reallocs, 1);
    take(heap, block);
    close_sound(heap);
}

/* Arenas that the first source gave go back through the second, and are found all the time. */
static void
the_source_may_change_at_any_time(void **state)
{
    (void)state;
    static const char *const specs[] = {
        "pymalloc,arena=64K,pool=4K", "pymalloc,arena=64K,pool=4K,metadata=side",
        "pymalloc,arena=64K,pool=4K,source=virtual", "pymalloc,arena=64K,pool=4K,source=cached",
        "pymalloc@3.8,arena=64K,source=malloc"};
    for (size_t s = 0; s < sizeof specs / sizeof specs[0]; s++) {
        rh_heap *heap = open_heap(specs[s]);
        enum { BLOCKS = 16 * 7 * 6 };
        static void *block[2 * BLOCKS];
        for (int i = 0; i < BLOCKS; i++)
            block[i] = give(heap, 500);
        uint64_t first = count(heap).arenas_allocated;
        failing_source source = {.fail_from = UINT32_MAX, .fail_until = UINT32_MAX};
        assert_true(rh_heap_get_arenas(heap, &source.inner));
        PyObjectArenaAllocator arenas = {&source, failing_alloc, failing_free};
        assert_int_equal(rh_heap_set_arenas(heap, &arenas, NULL), RH_OK);
        for (int i = BLOCKS; i < 2 * BLOCKS; i++)
            block[i] = give(heap, 500);
        assert_true(source.births > 0);
        assert_int_equal(count(heap).arenas_allocated, first + source.births);
        rh_error error = {0};
        for (int i = 0; i < 2 * BLOCKS; i++) {
            take(heap, block[i]);
            if (i % 97 == 0 && rh_heap_check(heap, &error) != RH_OK)
                fail_msg("%s: %s", specs[s], error.message);
        }
        rh_heap_close(heap);
        assert_int_equal(source.deaths, first + source.births);
    }
}

/* ---- memory that runs out: a sanitizer would need more than these tests leave ---- */

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
/* In a child that may hold little memory: takes blocks until there is none, gives them back, and
 * does it again. 0 when every call was served or refused in order, and the heap stayed sound. */
static int
exhaust(const char *spec)
{
    rh_heap *heap;
    rh_error error = {0};
    struct rlimit limit = {(rlim_t)64 << 20, (rlim_t)64 << 20};
    if (setrlimit(RLIMIT_DATA, &limit) != 0 || rh_heap_open(spec, &heap, &error) != RH_OK)
        return 2;
    const PyMemAllocatorEx *object = &heap->domain[PYMEM_DOMAIN_OBJ];
    for (int round = 0; round < 3; round++) {
        void **last = NULL;
        size_t count = 0;
        for (;; count++) {
            void **block = object->malloc(object->ctx, 200 + count % 300);
            if (!block)
                break;
            *block = last;
            last = block;
        }
        if (count < 100000 || object->realloc(object->ctx, last, 5000) != NULL)
            return 3;
        while (last) {
            void **before = *last;
            object->free(object->ctx, last);
            last = before;
        }
        if (rh_heap_check(heap, &error) != RH_OK)
            return 4;
    }
    rh_heap_close(heap);
    return 0;
}

static void
exhausted_memory_is_survived(void **state)
{
    (void)state;
    for (size_t i = 0; i < KINDS; i++) {
        if (is_virtual(all_kinds[i]))
            continue; /* its addresses do not run out */
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0)
            _exit(exhaust(all_kinds[i]));
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
            fail_msg("%s: wait status %d", all_kinds[i], status);
    }
}
#endif

/* ---- memory that must not be touched ---- */

static void *
untouchable_alloc(void *ctx, size_t size)
{
    (void)ctx;
    void *arena = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return arena == MAP_FAILED ? NULL : arena;
}

static void
untouchable_free(void *ctx, void *arena, size_t size)
{
    (void)ctx;
    munmap(arena, size);
}

/* Works a heap with the same random operations for the same seed; checks the sum at every step. */
static void
work(rh_heap *heap, const char *spec, bool touching_calls, uint64_t seed, unsigned operations)
{
    enum { LIVE = 3000 };
    void **live = calloc(LIVE, sizeof *live);
    rh_random random = {seed};
    const PyMemAllocatorEx *object = &heap->domain[PYMEM_DOMAIN_OBJ];
    for (unsigned i = 0; i < operations; i++) {
        size_t at = rh_random_below(&random, LIVE), size = rh_random_below(&random, 700);
        uint64_t dice = rh_random_below(&random, 8);
        if (!live[at])
            live[at] = touching_calls && dice == 0 ? object->calloc(object->ctx, size, 1)
                                                   : object->malloc(object->ctx, size);
        else if (touching_calls && dice == 1)
            live[at] = object->realloc(object->ctx, live[at], size);
        else {
            object->free(object->ctx, live[at]);
            live[at] = NULL;
        }
        if (i % 16 == 0) {
            rh_counters counters = count(heap);
            if (rh_counters_parts(&counters) != counters.mapped_bytes ||
                counters.mapped_bytes != *heap->mapped_bytes)
                fail_msg("%s: the waterfall does not sum at operation %u", spec, i);
        }
    }
    for (size_t i = 0; i < LIVE; i++)
        object->free(object->ctx, live[i]);
    free(live);
}

static void
side_metadata_leaves_arenas_alone(void **state)
{
    (void)state;
    static const char *const specs[] = {"pymalloc,metadata=side", "pymalloc,source=virtual",
                                        "pymalloc@3.8,metadata=side,large=libc"};
    for (size_t i = 0; i < 3; i++) {
        rh_heap *heap = open_heap(specs[i]);
        PyObjectArenaAllocator arenas = {NULL, untouchable_alloc, untouchable_free};
        assert_int_equal(rh_heap_set_arenas(heap, &arenas, NULL), RH_OK);
        /* calloc and realloc have to touch, unless nothing is there. */
        work(heap, specs[i], is_virtual(specs[i]), 3, 60000);
        close_sound(heap);
    }
}

static void
the_waterfall_always_sums(void **state)
{
    (void)state;
    static const char *const more[] = {"pymalloc,keep=0,policy=lowest-address",
                                       "pymalloc,keep=4,policy=least-full,arena=64K,pool=4K",
                                       "pymalloc,policy=most-recent,pool=64K,metadata=side"};
    for (size_t i = 0; i < KINDS + 3; i++) {
        const char *spec = i < KINDS ? all_kinds[i] : more[i - KINDS];
        rh_heap *heap = open_heap(spec);
        work(heap, spec, true, 4, 60000);
        close_sound(heap);
    }
}

/* A virtual heap counts what the heap that it stands for holds. */
static void
virtual_counts_as_real(void **state)
{
    (void)state;
    static const char *const geometries[] = {
        "pymalloc", "pymalloc@3.7", "pymalloc,arena=256K,pool=64K,keep=3,policy=least-full",
        "pymalloc,classes=geometric:4"};
    for (size_t i = 0; i < sizeof geometries / sizeof geometries[0]; i++) {
        char spec[128];
        snprintf(spec, sizeof spec, "%s,source=virtual", geometries[i]);
        rh_heap *real = open_heap(geometries[i]), *stand_in = open_heap(spec);
        for (unsigned round = 0; round < 20; round++) {
            work(real, geometries[i], true, round, 3000);
            work(stand_in, spec, true, round, 3000);
            rh_counters a = count(real), b = count(stand_in);
            assert_memory_equal(&a, &b, sizeof a);
        }
        close_sound(real);
        close_sound(stand_in);
    }
}

/* The constants of CPython told as a table are CPython's: the same domains serve them. */
static void
a_table_that_says_linear_is_linear(void **state)
{
    (void)state;
    rh_heap *plain = open_heap("pymalloc"), *told = open_heap("pymalloc,classes=linear:16");
    assert_ptr_equal(plain->domain[PYMEM_DOMAIN_OBJ].malloc, told->domain[PYMEM_DOMAIN_OBJ].malloc);
    rh_counters a = count(plain), b = count(told);
    assert_memory_equal(&a, &b, sizeof a);
    rh_heap *other = open_heap("pymalloc,classes=geometric:4");
    assert_ptr_not_equal(plain->domain[PYMEM_DOMAIN_OBJ].malloc,
                         other->domain[PYMEM_DOMAIN_OBJ].malloc);
    close_sound(plain);
    close_sound(told);
    close_sound(other);
}

/* ---- sources ---- */

/* What a cache keeps is held, and counted as wholly free arenas; the heap's own text knows nothing
 * of it. */
static void
a_cache_is_in_the_waterfall(void **state)
{
    (void)state;
    static const char *const specs[] = {
        "pymalloc@3.8,arena=64K,pool=4K,source=cached,cache=3",
        "pymalloc@3.8,arena=64K,pool=4K,source=virtual,cache=3",
        "pymalloc@3.8,arena=64K,pool=4K,source=malloc,cache=3,metadata=side",
        "pymalloc@3.8,arena=2M,pool=4K,source=huge,cache=3",
    };
    for (size_t s = 0; s < sizeof specs / sizeof specs[0]; s++) {
        rh_heap *heap = open_heap(specs[s]);
        uint64_t arena_bytes = s == 3 ? 2 << 20 : 65536;
        static void *block[60000];
        size_t blocks = 0;
        while (count(heap).arenas_current < 5)
            block[blocks++] = give(heap, 512);
        assert_int_equal(count(heap).free_arena_bytes, 0);
        while (blocks)
            take(heap, block[--blocks]);
        rh_counters counters = count(heap);
        assert_int_equal(counters.arenas_released, 5);
        assert_int_equal(counters.arena_bytes, 0);
        assert_int_equal(counters.free_arena_bytes, 3 * arena_bytes);
        assert_int_equal(rh_counters_parts(&counters), counters.mapped_bytes);
        assert_int_equal(counters.mapped_bytes, *heap->mapped_bytes);
        take(heap, give(heap, 512)); /* out of the cache, and back */
        assert_int_equal(count(heap).free_arena_bytes, 3 * arena_bytes);
        rh_heap_trim(heap);
        counters = count(heap);
        assert_int_equal(counters.free_arena_bytes, 0);
        assert_int_equal(counters.mapped_bytes, *heap->mapped_bytes);
        close_sound(heap);
    }
}

/* A cached heap places every block where the plain one does. */
static void
a_cache_changes_no_address(void **state)
{
    (void)state;
    rh_heap *plain = open_heap("pymalloc@3.8,source=virtual");
    rh_heap *cached = open_heap("pymalloc@3.8,source=virtual,cache=2");
    static void *ours[40000], *theirs[40000];
    rh_random random = {3};
    for (unsigned round = 0; round < 6; round++) {
        size_t blocks = 5000 + rh_random_below(&random, 35000);
        for (size_t i = 0; i < blocks; i++) {
            size_t bytes = 1 + rh_random_below(&random, 512);
            ours[i] = give(plain, bytes);
            theirs[i] = give(cached, bytes);
            assert_ptr_equal(ours[i], theirs[i]);
        }
        for (size_t i = 0; i < blocks; i++) {
            take(plain, ours[i]);
            take(cached, theirs[i]);
        }
    }
    assert_true(count(plain).arenas_released > 20);
    assert_int_equal(count(plain).arenas_released, count(cached).arenas_released);
    close_sound(plain);
    close_sound(cached);
}

static void
malloc_arenas_lose_a_pool(void **state)
{
    (void)state;
#ifdef __SANITIZE_THREAD__
    skip(); /* its malloc aligns large blocks to pages, and there are pools that begin at one */
#endif
    rh_heap *heap = open_heap("pymalloc,source=malloc,arena=4M");
    void *block = give(heap, 100);
    rh_counters counters = count(heap);
    assert_int_equal(counters.pools_in_use + counters.pools_free, 255);
    take(heap, block);
    close_sound(heap);
}

#ifndef __SANITIZE_THREAD__ /* which has these addresses for itself */
static void
write_places(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void
recorded_places_are_kept(void **state)
{
    (void)state;
    char path[512], spec[640];
    const char *folder = getenv("TEST_TMPDIR");
    snprintf(path, sizeof path, "%s/places", folder ? folder : "/tmp");
    snprintf(spec, sizeof spec, "pymalloc,source=recorded,places=%s", path);
    write_places(path, "0x7e1000304000\n0x7e1000000000\nfailed\n7e1000104000\n");
    rh_heap *heap = open_heap(spec);
    char *first = give(heap, 512);
    uintptr_t shift = (uintptr_t)first - (0x7e1000304000 + 48);
    assert_int_equal(shift % (UINT64_C(1) << 38), 0);
    static char *block[8000];
    unsigned blocks = 0, raw = 0;
    while (count(heap).arenas_allocated < 3) {
        block[blocks] = give(heap, 512);
        memset(block[blocks], 1, 512);
        uintptr_t at = (uintptr_t)block[blocks++] - shift;
        raw += at < 0x7e1000000000 || at >= 0x7e1000404000;
    }
    assert_int_equal(blocks, 64 * 31 + 64 * 31 + 1);
    assert_int_equal(raw, 1); /* where the recorded source failed */
    assert_int_equal((uintptr_t)block[blocks - 1] - shift, 0x7e1000104000 + 48);
    while (blocks)
        take(heap, block[--blocks]);
    take(heap, first);
    close_sound(heap);
    static const struct {
        const char *text, *why;
    } bad[] = {{"", "no arena was recorded"},
               {"0x7e1000304000\nwhere\n", "line 2"},
               {"-1\n", "line 1"},
               {"0x7e1000304001\n", "cannot be at"},
               {"0xffffffffffffffffffff\n", "line 1"}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        write_places(path, bad[i].text);
        rh_error error = {0};
        assert_true(rh_heap_open(spec, &heap, &error) != RH_OK);
        if (!strstr(error.message, bad[i].why) || !strstr(error.message, "places"))
            fail_msg("%s", error.message);
    }
    remove(path);
    rh_error error = {0};
    assert_int_equal(rh_heap_open(spec, &heap, &error), RH_BAD_INPUT);
}
#endif

/* ---- counters and statistics ---- */

static void
arena_reuse_is_counted(void **state)
{
    (void)state;
    rh_heap *heap = open_heap("pymalloc@3.9,arena=8K,pool=4K");
    void *block[24];
    for (int i = 0; i < 24; i++) /* seven to a pool: two arenas, one pool left */
        block[i] = give(heap, 512);
    rh_counters counters = count(heap);
    assert_int_equal(counters.arenas_current, 2);
    assert_int_equal(counters.pools_in_use, 4);
    for (int i = 0; i < 24; i++)
        take(heap, block[i]);
    counters = count(heap);
    assert_int_equal(counters.arenas_released, 1);
    assert_int_equal(counters.arenas_reused, 0);
    assert_int_equal(counters.free_arena_bytes, 8192);
    assert_int_equal(counters.pools_recycled, 0);
    void *first = give(heap, 16);
    counters = count(heap);
    assert_int_equal(counters.arenas_reused, 1);
    assert_int_equal(counters.pools_recycled, 1);
    assert_int_equal(counters.pools_reclassed, 1);
    for (int i = 0; i < 12; i++)
        block[i] = give(heap, 512);
    counters = count(heap);
    assert_int_equal(counters.arenas_allocated, 3);
    assert_int_equal(counters.arena_slots_reused, 1);
    assert_int_equal(counters.pools_recycled, 2);
    assert_int_equal(counters.pools_reclassed, 1);
    for (int i = 0; i < 12; i++)
        take(heap, block[i]);
    take(heap, first);
    rh_heap_trim(heap);
    assert_int_equal(count(heap).arenas_current, 0);
    take(heap, give(heap, 16));
    close_sound(heap);
}

static void
print_stats(rh_heap *heap, char *text, size_t capacity)
{
    FILE *out = fmemopen(text, capacity, "w");
    assert_non_null(out);
    assert_true(rh_heap_print_stats(heap, out));
    fclose(out);
}

static void
statistics_read_as_cpythons(void **state)
{
    (void)state;
    static const char *const head = "Small block threshold = 512, in 32 size classes.\n\n"
                                    "class   size   num pools   blocks in use  avail blocks\n"
                                    "-----   ----   ---------   -------------  ------------\n"
                                    "    2     48           1               1            83\n\n";
    static const char *const root = "# bytes lost to arena map root     =";
    for (int i = 0; rh_pymalloc_allocator.presets[i]; i++) {
        char spec[32];
        snprintf(spec, sizeof spec, "pymalloc@%s", rh_pymalloc_allocator.presets[i]);
        rh_heap *heap = open_heap(spec);
        void *block = give(heap, 40);
        static char text[8192];
        print_stats(heap, text, sizeof text);
        if (i < 3) {
            assert_memory_equal(text, head, strlen(head));
            assert_null(strstr(text, root));
        } else {
            assert_non_null(strstr(text, "\n\narena map counts\n# arena map mid nodes"));
            const char *bytes = i == 3 ? "                8,192\n" : "              262,144\n";
            assert_memory_equal(strstr(text, root) + strlen(root), bytes, strlen(bytes));
        }
        take(heap, block);
        close_sound(heap);
    }
}

static void
usable_sizes_and_alignments(void **state)
{
    (void)state;
    for (size_t i = 0; i < LINEAR_KINDS; i++) {
        rh_heap *heap = open_heap(all_kinds[i]);
        void *small = give(heap, 100), *large = give(heap, 3000);
        size_t usable = rh_heap_usable_size(heap, PYMEM_DOMAIN_OBJ, small);
        assert_in_range(usable, 100, 112);
        assert_in_range(rh_heap_usable_size(heap, PYMEM_DOMAIN_OBJ, large), 3000, 4200);
        take(heap, small);
        take(heap, large);
        for (size_t alignment = 1; alignment <= 65536; alignment *= 2)
            for (int domain = 0; domain < RH_DOMAINS; domain++) {
                const PyMemAllocatorEx *a = &heap->domain[domain];
                void *block =
                    rh_heap_aligned_alloc(heap, (PyMemAllocatorDomain)domain, alignment, 48);
                assert_non_null(block);
                assert_int_equal((uintptr_t)block % alignment, 0);
                a->free(a->ctx, block);
            }
        close_sound(heap);
    }
}

/* ---- specs ---- */

static void
expect_refusal(const char *spec, const char *because)
{
    rh_heap *heap;
    rh_error error = {0};
    if (rh_heap_open(spec, &heap, &error) != RH_USAGE)
        fail_msg("%s was not refused", spec);
    if (!strstr(error.message, because))
        fail_msg("%s: \"%s\" does not say \"%s\"", spec, error.message, because);
}

static void
bad_combinations_are_refused(void **state)
{
    (void)state;
    expect_refusal("pymalloc,arena=64K,pool=128K", "larger than arena=64K");
    expect_refusal("pymalloc,small=9000", "allowed are 1 to 8160");
    expect_refusal("pymalloc,pool=1K", "allowed are 1 to 480");
    expect_refusal("pymalloc,pool=1M,align=8", "places for a block");
    expect_refusal("pymalloc,pool=1K,align=1K,small=16", "does not fit");
    expect_refusal("pymalloc,source=virtual,metadata=in-band", "metadata=side");
    expect_refusal("pymalloc,source=virtual,large=libc", "large=space");
    expect_refusal("pymalloc,source=huge,arena=1M", "arena=2M or more");
    expect_refusal("pymalloc,source=recorded", "places=FILE");
    expect_refusal("pymalloc,places=/nowhere", "go together");
    expect_refusal("pymalloc,classes=16:32,small=100", "less than small=100");
    expect_refusal("pymalloc,classes=16:32:9008", "allowed are 1 to 8160");
    expect_refusal("pymalloc,classes=8:32", "not a multiple of align=16");
    expect_refusal("pymalloc,classes=square", "allowed: linear[:STEP]");
    expect_refusal("pymalloc@3.6", "3.7");
    rh_pymalloc_config config;
    rh_error error = {0};
    assert_int_equal(rh_pymalloc_config_init(&config, "3.6.15", &error), RH_USAGE);
    assert_int_equal(rh_pymalloc_config_init(&config, "3.1", &error), RH_USAGE);
    assert_int_equal(rh_pymalloc_config_init(&config, "3.13.0rc1", &error), RH_OK);
    assert_int_equal(config.pool_bytes, 16384);
    config.arena_bytes = 12345;
    rh_heap *heap;
    assert_int_equal(rh_pymalloc_open(&config, &heap, &error), RH_USAGE);
}

static void
extreme_geometries_open(void **state)
{
    (void)state;
    static const char *const specs[] = {
        "pymalloc,arena=4K,pool=1K,small=480",
        "pymalloc,arena=1G,pool=1M,small=32K",
        "pymalloc,arena=1G,pool=1K,small=8",
        "pymalloc,arena=1M,pool=1M,small=512K,align=1K",
        "pymalloc,align=8,pool=512K,small=200K",
        "pymalloc,align=1K,pool=64K,small=16K",
        "pymalloc,pool=1M,small=512000,classes=geometric:1",
        "pymalloc,classes=16",
        "pymalloc,align=8,pool=512K,small=200K,classes=geometric:64,metadata=side",
    };
    for (size_t i = 0; i < sizeof specs / sizeof specs[0]; i++) {
        if (i == 3) {
            expect_refusal(specs[i], "allowed are 1 to");
            continue;
        }
        rh_heap *heap = open_heap(specs[i]);
        work(heap, specs[i], true, i, 20000);
        close_sound(heap);
    }
}

/* ---- arenas that lie together ---- */

typedef struct hand {
    char *next;
    void *back[64]; /* given back, last in first out */
    int backs;
} hand;

static void *
hand_out(void *ctx, size_t size)
{
    hand *from = ctx;
    if (from->backs)
        return from->back[--from->backs];
    from->next += size;
    return from->next - size;
}

static void
hand_back(void *ctx, void *arena, size_t size)
{
    hand *to = ctx;
    memset(arena, 0xff, size);
    to->back[to->backs++] = arena;
}

static void
arenas_of_anybody_may_lie_together(void **state)
{
    enum { ARENA = 1 << 20, ARENAS = 40, BLOCKS = ARENAS * 1900 };
    (void)state;
    static char *blocks[BLOCKS];
    for (int i = 0; i < 4; i++) {
        char *ground = mmap(NULL, (ARENAS + 2) * ARENA, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        hand own = {.next = ground + (i & 1 ? 4096 : 0)};
        rh_heap *heap = open_heap(i & 2 ? "pymalloc,metadata=side,large=libc" : "pymalloc");
        const rh_pymalloc *inside = (rh_pymalloc *)((char *)heap - offsetof(rh_pymalloc, heap));
        PyObjectArenaAllocator source = {&own, hand_out, hand_back};
        assert_int_equal(rh_heap_set_arenas(heap, &source, NULL), RH_OK);
        for (int j = 0; j < BLOCKS; j++)
            blocks[j] = give(heap, 512);
        assert_true(inside->window_bytes > (ARENAS - 4) * ARENA);
        for (int pass = 0; pass < 3;
             pass++) { /* arenas go from the middle, the start, and anywhere */
            for (int j = pass == 0 ? BLOCKS / 3 : 0; j < BLOCKS; j += pass == 2 ? 7 : 1) {
                if (pass == 0 && j == BLOCKS / 2)
                    break;
                take(heap, blocks[j]);
                blocks[j] = NULL;
            }
            rh_error error = {0};
            assert_int_equal(rh_heap_check(heap, &error), RH_OK);
            assert_true(inside->window_bytes > 0 || pass == 1);
            char *large = give(heap, 5000);
            take(heap, large);
            for (int j = 0; j < BLOCKS; j++)
                if (!blocks[j])
                    blocks[j] = give(heap, 512);
        }
        for (int j = 0; j < BLOCKS; j++)
            take(heap, blocks[j]);
        close_sound(heap);
        munmap(ground, (ARENAS + 2) * ARENA);
    }
}

/* ---- how free finds full pools ---- */

/* A malloc for each free, of blocks drawn at random from so many. */
static void
exchange_blocks(rh_heap *heap, char **blocks, uint32_t count, rh_random *random)
{
    for (uint32_t i = 0; i < 200000; i++) {
        uint32_t slot = (uint32_t)rh_random_below(random, count);
        take(heap, blocks[slot]);
        blocks[slot] = give(heap, 16 + rh_random_below(random, 497));
    }
}

static void
full_pools_are_noticed(void **state)
{
    enum { BLOCKS = 10000, BATCH = 100 };
    (void)state;
    for (int side = 0; side < 2; side++) {
        rh_heap *heap = open_heap(side ? "pymalloc,metadata=side" : "pymalloc");
        const rh_pymalloc *inside = (rh_pymalloc *)((char *)heap - offsetof(rh_pymalloc, heap));
        static char *blocks[BLOCKS];
        rh_random random = {1};
        assert_int_equal(inside->near_bytes, inside->window_bytes);
        for (int i = 0; i < BLOCKS; i++)
            blocks[i] = give(heap, 16 + rh_random_below(&random, 497));
        exchange_blocks(heap, blocks, BLOCKS, &random);
        assert_int_equal(inside->near_bytes, 0); /* restless */
        for (int round = 0; round < 10000; round++) {
            for (int i = 0; i < BATCH; i++) {
                take(heap, blocks[i]);
                blocks[i] = give(heap, 64);
            }
        }
        assert_int_equal(inside->near_bytes, inside->window_bytes);
        for (int i = 0; i < BLOCKS; i++)
            take(heap, blocks[i]);
        close_sound(heap);
    }
}

/* ---- the check ---- */

static void
expect_damage(rh_heap *heap, const char *what)
{
    rh_error error = {0};
    if (rh_heap_check(heap, &error) != RH_DIFFERENT)
        fail_msg("damage was not noticed: %s", what);
    if (!strstr(error.message, what))
        fail_msg("\"%s\" does not say \"%s\"", error.message, what);
}

/* An overrun into free blocks and into the next pool's header, put right again afterwards. The pool
 * is the second in its ring, so that all of its header has a meaning. */
static void
the_check_sees_overruns(void **state)
{
    enum { POOL = 510, BLOCKS = 2 * POOL };
    (void)state;
    rh_heap *heap = open_heap("pymalloc");
    char *block[BLOCKS];
    for (int i = 0; i < BLOCKS; i++)
        block[i] = give(heap, 32);
    for (int i = POOL - 1; i > 3; i--)
        take(heap, block[i]);
    take(heap, block[2]);
    take(heap, block[1]);
    take(heap, block[POOL]);
    char saved[48];
    memcpy(saved, block[1], 8);
    memset(block[1], 0x41, 8); /* a link to nowhere */
    expect_damage(heap, "no block of it");
    memcpy(block[1], &block[1], 8); /* to itself */
    expect_damage(heap, "twice");
    char *inside = block[1] + 8;
    memcpy(block[1], &inside, 8); /* between blocks */
    expect_damage(heap, "no block of it");
    memcpy(block[1], saved, 8);
    char *header = block[0] - 48;
    for (size_t word = 0; word < 48; word += 8) {
        memcpy(saved, header + word, 8);
        memset(header + word, 0x7f, 8);
        rh_error error = {0};
        assert_int_equal(rh_heap_check(heap, &error), RH_DIFFERENT);
        memcpy(header + word, saved, 8);
    }
    for (int i = POOL + 1; i < BLOCKS; i++)
        take(heap, block[i]);
    for (int i = 0; i < 4; i += 3)
        take(heap, block[i]);
    /* The pool is empty now, and may be waiting for its class to need it again; nobody is before it
     * in the ring. */
    for (size_t word = 0; word < 48; word += 8) {
        if (word == offsetof(rh_pool, previous))
            continue;
        take(heap, give(heap, 32));
        memcpy(saved, header + word, 8);
        memset(header + word, 0x7f, 8);
        rh_error error = {0};
        assert_int_equal(rh_heap_check(heap, &error), RH_DIFFERENT);
        memcpy(header + word, saved, 8);
    }
    close_sound(heap);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zero_and_large_go_to_raw),
        cmocka_unit_test(raw_domain_serves_everything),
        cmocka_unit_test(impossible_sizes_fail),
        cmocka_unit_test(calloc_clears),
        cmocka_unit_test(realloc_moves_at_three_quarters),
        cmocka_unit_test(realloc_keeps_contents_and_sides),
        cmocka_unit_test(freed_blocks_come_back_last_in_first_out),
        cmocka_unit_test(without_an_arena_raw_serves),
        cmocka_unit_test(a_source_with_nothing_still_serves),
        cmocka_unit_test(the_source_may_change_at_any_time),
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
        cmocka_unit_test(exhausted_memory_is_survived),
#endif
        cmocka_unit_test(side_metadata_leaves_arenas_alone),
        cmocka_unit_test(the_waterfall_always_sums),
        cmocka_unit_test(virtual_counts_as_real),
        cmocka_unit_test(a_table_that_says_linear_is_linear),
        cmocka_unit_test(a_cache_is_in_the_waterfall),
        cmocka_unit_test(a_cache_changes_no_address),
        cmocka_unit_test(malloc_arenas_lose_a_pool),
#ifndef __SANITIZE_THREAD__
        cmocka_unit_test(recorded_places_are_kept),
#endif
        cmocka_unit_test(arena_reuse_is_counted),
        cmocka_unit_test(statistics_read_as_cpythons),
        cmocka_unit_test(usable_sizes_and_alignments),
        cmocka_unit_test(bad_combinations_are_refused),
        cmocka_unit_test(extreme_geometries_open),
        cmocka_unit_test(arenas_of_anybody_may_lie_together),
        cmocka_unit_test(full_pools_are_noticed),
        cmocka_unit_test(the_check_sees_overruns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
