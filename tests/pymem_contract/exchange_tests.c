/* Allocators exchanged: the domains' own, hooks over them, and the source of arenas. */
#include <stdlib.h>
#include <string.h>

#include "tests/pymem_contract/suite.h"

static bool
same(const PyMemAllocatorEx *a, const PyMemAllocatorEx *b)
{
    return a->ctx == b->ctx && a->malloc == b->malloc && a->calloc == b->calloc &&
           a->realloc == b->realloc && a->free == b->free;
}

static void
allocators_are_exchanged_by_value(void **state)
{
    (void)state;
    EACH_FAMILY(f)
    {
        PyMemAllocatorEx before, after;
        struct counting_hook hook;
        PyMem_GetAllocator(f->domain, &before);
        put_hook(&hook, f->domain);
        assert_true(same(&before, &hook.below));
        PyMem_GetAllocator(f->domain, &after);
        assert_ptr_equal(after.ctx, &hook);
        memset(&after, 0, sizeof after); /* a copy of ours: nothing happens */
        f->free(f->malloc(10));
        assert_int_equal(hook.mallocs, 1);
        take_hook(&hook);
        PyMem_GetAllocator(f->domain, &after);
        assert_true(same(&before, &after));
    }
}

static void
strange_domains_have_none(void **state)
{
    (void)state;
    static const int strange[] = {3, 4, 100, -1, -2147483647};
    for (size_t i = 0; i < sizeof strange / sizeof *strange; i++) {
        static const PyMemAllocatorEx none = {NULL, NULL, NULL, NULL, NULL};
        PyMemAllocatorEx allocator, before[FAMILIES], after;
        memset(&allocator, 0xff, sizeof allocator);
        PyMem_GetAllocator((PyMemAllocatorDomain)strange[i], &allocator);
        assert_true(same(&allocator, &none));
        EACH_FAMILY(f)
        PyMem_GetAllocator(f->domain, &before[f->domain]);
        PyMem_SetAllocator((PyMemAllocatorDomain)strange[i], &allocator);
        EACH_FAMILY(f)
        {
            PyMem_GetAllocator(f->domain, &after);
            assert_true(same(&before[f->domain], &after));
        }
    }
}

/* A hook sees its domain's calls with the caller's arguments, and no other domain's. */
static void
hooks_see_what_is_asked(void **state)
{
    (void)state;
    EACH_FAMILY(f)
    {
        struct counting_hook hook;
        put_hook(&hook, f->domain);
        void *block = f->malloc(123);
        assert_int_equal(hook.elsize, 123);
        void *array = f->calloc(7, 11);
        assert_int_equal(hook.nelem, 7);
        assert_int_equal(hook.elsize, 11);
        void *moved = f->realloc(block, 456);
        assert_ptr_equal(hook.block, block);
        assert_int_equal(hook.elsize, 456);
        f->free(moved);
        assert_ptr_equal(hook.block, moved);
        f->free(array);
        block = f->realloc(NULL, 5);
        assert_null(hook.block);
        assert_int_equal(hook.reallocs, 2);
        assert_int_equal(hook.mallocs, 1);
        f->free(block);
        f->free(NULL);
        assert_null(hook.block);
        assert_int_equal(hook.frees, 4);
        f->free(f->calloc(0, 9));
        assert_int_equal(hook.nelem, 0);
        assert_int_equal(hook.elsize, 9);
        size_t calls = hook_calls(&hook);
        EACH_FAMILY(other)
        if (other != f && (f->domain != PYMEM_DOMAIN_RAW))
            other->free(other->realloc(other->malloc(10), 20));
        assert_int_equal(hook_calls(&hook), calls);
        take_hook(&hook);
    }
}

/* What MEM and OBJ pass on reaches RAW's hooks: zero bytes and large blocks, of pymalloc. */
static void
what_is_passed_on_is_seen_in_raw(void **state)
{
    (void)state;
    if (!configuration.pymalloc)
        skip();
    for (int i = PYMEM_DOMAIN_MEM; i <= PYMEM_DOMAIN_OBJ; i++) {
        const struct family *f = &families[i];
        size_t large = configuration.small_bytes + 1;
        f->free(f->malloc(20)); /* tables are there now */
        struct counting_hook hook;
        put_hook(&hook, PYMEM_DOMAIN_RAW);
        f->free(f->malloc(20));
        assert_int_equal(hook_calls(&hook), 0);
        f->free(f->malloc(large));
        assert_int_equal(hook_calls(&hook), 2);
        f->free(f->realloc(f->calloc(3, large), 2 * large));
        assert_int_equal(hook_calls(&hook), 5);
        void *nothing = f->malloc(0); /* the debug hooks make something of it */
        assert_int_equal(hook_calls(&hook), configuration.debug ? 5 : 6);
        f->free(nothing);
        take_hook(&hook);
    }
}

/* A hook that refuses is a failure: NULL, and what was there stays. */
static void
refusals_are_failures(void **state)
{
    (void)state;
    EACH_FAMILY(f)
    {
        for (size_t size = 0; size < 1200; size += 97) {
            void *block = f->malloc(size);
            fill(block, size, size);
            struct counting_hook hook;
            put_hook(&hook, f->domain);
            hook.refuse = 4;
            assert_null(f->malloc(size));
            assert_null(f->calloc(1, size));
            assert_null(f->realloc(block, 2 * size));
            assert_null(f->realloc(NULL, size));
            block = f->realloc(block, size + 500);
            assert_non_null(block);
            assert_true(is_filled(block, size, size));
            take_hook(&hook);
            f->free(block);
        }
    }
}

static void
debug_hooks_are_set_up_once(void **state)
{
    (void)state;
    if (!configuration.debug)
        skip();
    EACH_FAMILY(f)
    {
        PyMemAllocatorEx before, after;
        PyMem_GetAllocator(f->domain, &before);
        PyMem_SetupDebugHooks();
        PyMem_GetAllocator(f->domain, &after);
        /* Tracing hides them: then there may be two, and a block has room for both. */
        if (!configuration.tracing)
            assert_true(same(&before, &after));
        PyMem_SetAllocator(f->domain, &before);
    }
}

/* ---- arenas ---- */

enum { ARENAS = 64 };

struct arena_source {
    PyObjectArenaAllocator below;
    size_t given, taken, refuse;
    void *held[ARENAS];
    size_t held_count;
};

static void *
source_alloc(void *ctx, size_t size)
{
    struct arena_source *source = ctx;
    assert_int_equal(size, configuration.arena_bytes);
    if (source->refuse || source->held_count == ARENAS)
        return NULL;
    void *arena = source->below.alloc(source->below.ctx, size);
    if (arena)
        source->held[source->held_count++] = arena;
    source->given += arena != NULL;
    return arena;
}

static void
source_free(void *ctx, void *arena, size_t size)
{
    struct arena_source *source = ctx;
    assert_int_equal(size, configuration.arena_bytes);
    for (size_t i = 0; i < source->held_count; i++)
        if (source->held[i] == arena)
            source->held[i] = source->held[--source->held_count];
    source->taken++;
    source->below.free(source->below.ctx, arena, size);
}

static void
put_source(struct arena_source *source)
{
    memset(source, 0, sizeof *source);
    PyObject_GetArenaAllocator(&source->below);
    PyObjectArenaAllocator mine = {source, source_alloc, source_free};
    PyObject_SetArenaAllocator(&mine);
}

static bool
lies_in(const struct arena_source *source, const void *block)
{
    for (size_t i = 0; i < source->held_count; i++)
        if ((uintptr_t)block - (uintptr_t)source->held[i] < configuration.arena_bytes)
            return true;
    return false;
}

/* Enough small blocks for several arenas, and what became of them. */
enum { SMALL_BLOCKS = 8000, SMALL_BYTES = 400 };

static void *small_blocks[SMALL_BLOCKS];

static size_t
take_small_blocks(const struct arena_source *source)
{
    size_t inside = 0;
    for (size_t i = 0; i < SMALL_BLOCKS; i++) {
        small_blocks[i] = PyObject_Malloc(SMALL_BYTES);
        assert_non_null(small_blocks[i]);
        fill(small_blocks[i], SMALL_BYTES, i);
        inside += lies_in(source, small_blocks[i]);
    }
    return inside;
}

static void
free_small_blocks(void)
{
    for (size_t i = 0; i < SMALL_BLOCKS; i++) {
        assert_true(is_filled(small_blocks[i], SMALL_BYTES, i));
        PyObject_Free(small_blocks[i]);
    }
}

static void
arenas_come_from_their_source(void **state)
{
    (void)state;
    if (!configuration.pymalloc)
        skip();
    static struct arena_source source;
    put_source(&source);
    size_t inside = take_small_blocks(&source);
    assert_true(source.given >= SMALL_BLOCKS * SMALL_BYTES / configuration.arena_bytes - 1);
    assert_true(inside > SMALL_BLOCKS / 2);
    free_small_blocks();
    assert_true(source.taken > 0);
    PyObject_SetArenaAllocator(&source.below);
    PyObjectArenaAllocator now;
    PyObject_GetArenaAllocator(&now);
    assert_ptr_equal(now.ctx, source.below.ctx);
    assert_true(now.alloc == source.below.alloc && now.free == source.below.free);
}

/* A new source gets the old one's arenas back. */
static void
arenas_go_back_to_the_source_of_the_day(void **state)
{
    (void)state;
    if (!configuration.pymalloc)
        skip();
    static struct arena_source first, second;
    put_source(&first);
    take_small_blocks(&first);
    size_t given = first.given, taken = first.taken;
    PyObject_SetArenaAllocator(&first.below);
    put_source(&second);
    free_small_blocks();
    assert_int_equal(first.given, given);
    assert_int_equal(first.taken, taken);
    assert_true(second.taken > 0);
    PyObject_SetArenaAllocator(&second.below);
}

/* No arena is no failure: RAW serves in its place, and the source is asked again. */
static void
arenas_that_fail_are_no_failure(void **state)
{
    (void)state;
    if (!configuration.pymalloc)
        skip();
    static struct arena_source source;
    static void *early[SMALL_BLOCKS];
    put_source(&source);
    source.refuse = 1;
    for (size_t i = 0; i < SMALL_BLOCKS; i++) {
        early[i] = PyMem_Malloc(SMALL_BYTES);
        assert_non_null(early[i]);
        fill(early[i], SMALL_BYTES, i + 1);
    }
    assert_int_equal(source.given, 0);
    source.refuse = 0;
    take_small_blocks(&source);
    assert_true(source.given > 0);
    for (size_t i = 0; i < SMALL_BLOCKS; i++) {
        assert_true(is_filled(early[i], SMALL_BYTES, i + 1));
        PyMem_Free(early[i]);
    }
    free_small_blocks();
    PyObject_SetArenaAllocator(&source.below);
}

const struct CMUnitTest exchange_tests[] = {
    cmocka_unit_test(allocators_are_exchanged_by_value),
    cmocka_unit_test(strange_domains_have_none),
    cmocka_unit_test(hooks_see_what_is_asked),
    cmocka_unit_test(what_is_passed_on_is_seen_in_raw),
    cmocka_unit_test(refusals_are_failures),
    cmocka_unit_test(debug_hooks_are_set_up_once),
    cmocka_unit_test(arenas_come_from_their_source),
    cmocka_unit_test(arenas_go_back_to_the_source_of_the_day),
    cmocka_unit_test(arenas_that_fail_are_no_failure),
};

const size_t exchange_test_count = sizeof exchange_tests / sizeof *exchange_tests;
