/* The house's arena sources, set by a C program through PyObject_SetArenaAllocator. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "alloc/arena_sources.h"
#include "alloc/pymem.h"

#define ARENA_BYTES ((size_t)1 << 20)

enum { BLOCKS = 10000 }; /* of 512 bytes: six arenas */

static void *block[BLOCKS];

static void
fill(void)
{
    for (int i = 0; i < BLOCKS; i++) {
        assert_non_null(block[i] = PyObject_Malloc(512));
        memset(block[i], i, 512);
    }
}

static void
empty(void)
{
    for (int i = 0; i < BLOCKS; i++) {
        assert_int_equal(*(unsigned char *)block[i], (unsigned char)i);
        PyObject_Free(block[i]);
    }
}

/* A cache over the standard source: arenas are kept when objects go, and used again. */
static void
a_cache_over_the_standard_source(void **state)
{
    (void)state;
    PyObjectArenaAllocator standard, cached, found;
    PyObject_GetArenaAllocator(&standard);
    rh_arena_cache cache;
    rh_arena_cache_init(&cache, &standard, ARENA_BYTES, 3);
    cached = rh_arena_cache_source(&cache);
    PyObject_SetArenaAllocator(&cached);
    PyObject_GetArenaAllocator(&found);
    assert_ptr_equal(found.ctx, &cache);
    fill();
    assert_int_equal(cache.hits, 0);
    empty();
    assert_int_equal(cache.count, 3);
    fill();
    assert_int_equal(cache.hits, 3);
    assert_int_equal(cache.count, 0);
    empty();
    /* What pymalloc still has came from the standard source: that may have it back. */
    PyObject_SetArenaAllocator(&standard);
    rh_arena_cache_release(&cache);
    fill();
    empty();
}

/* A source that places them elsewhere, while arenas of the standard one stay in use. */
static void
arenas_where_a_recording_had_them(void **state)
{
    (void)state;
    PyObjectArenaAllocator standard;
    PyObject_GetArenaAllocator(&standard);
    fill();
    static rh_arena_recorded recorded;
    rh_arena_recorded_init(&recorded, true);
    for (uint64_t i = 0; i < 20; i++) {
        const rh_recorded_arena arena = {.address = 0x7e2000000000 + i * 3 * ARENA_BYTES + 4096,
                                         .size = ARENA_BYTES};
        assert_true(rh_arena_recorded_expect(&recorded, &arena));
    }
    rh_error error = {0};
    if (rh_arena_recorded_reserve(&recorded, UINT64_C(1) << 38, &error) != RH_OK)
        fail_msg("%s", error.message);
    PyObjectArenaAllocator placed = rh_arena_recorded_source(&recorded);
    PyObject_SetArenaAllocator(&placed);
    static void *there[BLOCKS];
    int inside = 0;
    for (int i = 0; i < BLOCKS; i++) {
        there[i] = PyObject_Malloc(512);
        uintptr_t at = (uintptr_t)there[i] - recorded.shift - 0x7e2000000000;
        if (at >= 20 * 3 * ARENA_BYTES)
            continue;
        /* In an arena, behind the pool that its place costs and a header. */
        uintptr_t offset = at % (3 * ARENA_BYTES);
        assert_true(offset >= 16384 && offset < 16384 + 63 * 16384);
        assert_int_equal((offset % 16384 - 48) % 512, 0);
        inside++;
    }
    assert_true(inside > BLOCKS - 2100); /* the rest filled up an arena of the old source */
    for (int i = 0; i < BLOCKS; i++)
        PyObject_Free(there[i]);
    assert_true(recorded.live_count <= 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cache_over_the_standard_source),
        cmocka_unit_test(arenas_where_a_recording_had_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
