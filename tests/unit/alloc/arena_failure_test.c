/* An arena that cannot be had is no failed allocation: whichever request for one fails, the calls
 * that wanted it are served by RAW, contents stay, and afterwards the heap is sound, its counters
 * and its statistics tell the same, and every arena and every RAW block goes back. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "alloc/debug_stats.h"
#include "alloc/heap.h"
#include "base/random.h"

enum { BLOCKS = 700, ARENAS_MAX = 256 };

typedef struct block {
    unsigned char *at; /* NULL: none */
    size_t size;
    unsigned char mark;
} block;

/* A source that fails at some of its calls, and knows its arenas. */
typedef struct source {
    PyObjectArenaAllocator inner;
    unsigned calls, fail_from, fail_count, live;
    struct {
        uintptr_t base;
        size_t size;
    } arena[ARENAS_MAX];
} source;

typedef struct session {
    rh_heap *heap;
    source arenas;
    PyMemAllocatorEx raw; /* what the heap's RAW domain was */
    uint64_t raw_live, raw_calls;
    rh_random random;
    block blocks[BLOCKS];
} session;

static void *
give_arena(void *ctx, size_t size)
{
    source *arenas = ctx;
    unsigned call = ++arenas->calls;
    if (call >= arenas->fail_from && call - arenas->fail_from < arenas->fail_count)
        return NULL;
    void *arena = arenas->inner.alloc(arenas->inner.ctx, size);
    assert_non_null(arena);
    assert_true(arenas->live < ARENAS_MAX);
    arenas->arena[arenas->live].base = (uintptr_t)arena;
    arenas->arena[arenas->live++].size = size;
    return arena;
}

static void
take_arena(void *ctx, void *arena, size_t size)
{
    source *arenas = ctx;
    unsigned i = 0;
    while (i < arenas->live && arenas->arena[i].base != (uintptr_t)arena)
        i++;
    assert_true(i < arenas->live && arenas->arena[i].size == size);
    arenas->arena[i] = arenas->arena[--arenas->live];
    arenas->inner.free(arenas->inner.ctx, arena, size);
}

static bool
in_arena(const session *s, const void *at)
{
    for (unsigned i = 0; i < s->arenas.live; i++)
        if ((uintptr_t)at - s->arenas.arena[i].base < s->arenas.arena[i].size)
            return true;
    return false;
}

/* ---- RAW, counted as sys.getallocatedblocks counts it ---- */

static void *
raw_malloc(void *ctx, size_t size)
{
    session *s = ctx;
    s->raw_live++;
    s->raw_calls++;
    return s->raw.malloc(s->raw.ctx, size);
}

static void *
raw_calloc(void *ctx, size_t count, size_t size)
{
    session *s = ctx;
    s->raw_live++;
    s->raw_calls++;
    return s->raw.calloc(s->raw.ctx, count, size);
}

static void *
raw_realloc(void *ctx, void *at, size_t size)
{
    session *s = ctx;
    s->raw_calls++;
    return s->raw.realloc(s->raw.ctx, at, size);
}

static void
raw_free(void *ctx, void *at)
{
    session *s = ctx;
    s->raw_live -= at != NULL;
    s->raw.free(s->raw.ctx, at);
}

/* ---- operations ---- */

static void
fill(session *s, block *b)
{
    b->mark = (unsigned char)rh_random_next(&s->random);
    memset(b->at, b->mark, b->size);
}

static void
check_contents(const block *b, size_t bytes)
{
    size_t i = 0;
    while (i < bytes && b->at[i] == b->mark)
        i++;
    assert_int_equal(i, bytes);
}

static void
give(session *s, block *b, bool clear)
{
    const PyMemAllocatorEx *object = &s->heap->domain[PYMEM_DOMAIN_OBJ];
    b->size = 1 + rh_random_below(&s->random, 512);
    b->at = clear ? object->calloc(object->ctx, 1, b->size) : object->malloc(object->ctx, b->size);
    assert_non_null(b->at);
    size_t zeros = 0;
    while (clear && zeros < b->size && b->at[zeros] == 0)
        zeros++;
    assert_int_equal(zeros, clear ? b->size : 0);
    fill(s, b);
}

static void
resize(session *s, block *b)
{
    const PyMemAllocatorEx *object = &s->heap->domain[PYMEM_DOMAIN_OBJ];
    size_t size = 1 + rh_random_below(&s->random, 512), before = b->size;
    bool outside = !in_arena(s, b->at);
    b->at = object->realloc(object->ctx, b->at, size);
    assert_non_null(b->at);
    b->size = size;
    check_contents(b, size < before ? size : before);
    if (outside) /* never comes into a pool */
        assert_false(in_arena(s, b->at));
    fill(s, b);
}

static void
take(session *s, block *b)
{
    const PyMemAllocatorEx *object = &s->heap->domain[PYMEM_DOMAIN_OBJ];
    check_contents(b, b->size);
    object->free(object->ctx, b->at);
    b->at = NULL;
}

/* Fills up, works, and gives back in waves. */
static void
work(session *s)
{
    for (unsigned wave = 0; wave < 3; wave++) {
        for (unsigned i = 0; i < BLOCKS; i++)
            if (!s->blocks[i].at)
                give(s, &s->blocks[i], i % 3 == 0);
        for (unsigned i = 0; i < BLOCKS; i++)
            if (rh_random_below(&s->random, 3) == 0)
                resize(s, &s->blocks[i]);
        for (unsigned i = 0; i < BLOCKS; i++)
            if (wave == 1 || rh_random_below(&s->random, 3))
                take(s, &s->blocks[i]);
    }
}

/* ---- what must be right afterwards ---- */

static void
check_statistics(session *s)
{
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    assert_non_null(stream);
    assert_true(rh_heap_print_stats(s->heap, stream));
    fclose(stream);
    rh_debug_stats stats;
    assert_true(rh_debug_stats_parse(text, &stats));
    free(text);
    rh_counters counters;
    rh_heap_snapshot(s->heap, &counters);
    assert_int_equal(stats.arenas_allocated, counters.arenas_allocated);
    assert_int_equal(stats.arenas_released, counters.arenas_released);
    assert_int_equal(stats.arenas_current, s->arenas.live);
    assert_int_equal(stats.arenas_highwater, counters.arenas_highwater);
    assert_int_equal(stats.pools_in_use, counters.pools_in_use);
    assert_int_equal(stats.total_bytes, counters.arena_bytes);
    uint64_t live = 0, inside = 0;
    for (unsigned i = 0; i < BLOCKS; i++) {
        live += s->blocks[i].at != NULL;
        inside += s->blocks[i].at && in_arena(s, s->blocks[i].at);
    }
    assert_int_equal(stats.live_blocks, inside);
    assert_int_equal(stats.live_blocks + s->raw_live, live);
}

/* Runs the work with `count` requests refused from the one numbered `failing` on; tells how many
 * there were. */
static unsigned
run(const char *spec, unsigned failing, unsigned count)
{
    static session s;
    rh_error error = {0};
    s = (session){.random = {42}, .arenas = {.fail_from = failing, .fail_count = count}};
    if (rh_heap_open(spec, &s.heap, &error) != RH_OK)
        fail_msg("%s", error.message);
    assert_true(rh_heap_get_arenas(s.heap, &s.arenas.inner));
    const PyObjectArenaAllocator arenas = {&s.arenas, give_arena, take_arena};
    assert_int_equal(rh_heap_set_arenas(s.heap, &arenas, &error), RH_OK);
    s.raw = s.heap->domain[PYMEM_DOMAIN_RAW];
    s.heap->domain[PYMEM_DOMAIN_RAW] =
        (PyMemAllocatorEx){&s, raw_malloc, raw_calloc, raw_realloc, raw_free};
    work(&s);
    check_statistics(&s);
    if (rh_heap_check(s.heap, &error) != RH_OK)
        fail_msg("%s, request %u: %s", spec, failing, error.message);
    if (s.arenas.calls >= failing)
        assert_true(s.raw_calls > 0);
    for (unsigned i = 0; i < BLOCKS; i++)
        if (s.blocks[i].at)
            take(&s, &s.blocks[i]);
    check_statistics(&s);
    assert_int_equal(s.raw_live, 0);
    if (rh_heap_check(s.heap, &error) != RH_OK)
        fail_msg("%s, request %u: %s", spec, failing, error.message);
    rh_heap_close(s.heap);
    assert_int_equal(s.arenas.live, 0);
    return s.arenas.calls;
}

static void
any_request_for_an_arena_may_fail(void **state)
{
    (void)state;
    static const char *const specs[] = {
        "pymalloc@3.8,arena=16K,pool=4K",
        "pymalloc,arena=16K,pool=4K",
        "pymalloc,arena=16K,pool=4K,metadata=side,large=libc",
        "pymalloc,arena=16K,pool=4K,policy=lowest-address",
        "pymalloc,arena=16K,pool=4K,policy=least-full,keep=2,metadata=side",
        "pymalloc,arena=16K,pool=4K,source=cached,cache=2,classes=geometric:2",
        "pymalloc,arena=16K,pool=4K,source=malloc,policy=most-recent",
        "pymalloc@3.9,arena=2M,pool=1M,source=huge",
    };
    for (size_t i = 0; i < sizeof specs / sizeof specs[0]; i++) {
        unsigned failing = 0, calls;
        do { /* one, three in a row, all from there on */
            calls = run(specs[i], ++failing, 1);
            run(specs[i], failing, 3);
            run(specs[i], failing, UINT32_MAX);
        } while (calls >= failing);
        assert_true(failing > 5);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_request_for_an_arena_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
