/* The arena sources by themselves: what each gives, keeps and gives back, and that a heap which is
 * given one from outside works with it. */
#define _GNU_SOURCE
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "alloc/arena_sources.h"

#define MIB ((size_t)1 << 20)

static bool
is_mapped(const void *address, size_t bytes)
{
    return msync((void *)(uintptr_t)address, bytes, MS_ASYNC) == 0;
}

/* ---- the cache ---- */

/* A source that counts, whose arenas are numbers. */
typedef struct counting_source {
    unsigned given, taken;
    uintptr_t last_taken;
} counting_source;

static void *
counting_alloc(void *ctx, size_t size)
{
    counting_source *source = ctx;
    return (void *)(MIB * ++source->given + size);
}

static void
counting_free(void *ctx, void *arena, size_t size)
{
    counting_source *source = ctx;
    (void)size;
    source->taken += arena != NULL;
    source->last_taken = (uintptr_t)arena;
}

static void
a_cache_keeps_as_many_as_told(void **state)
{
    (void)state;
    counting_source counting = {0};
    PyObjectArenaAllocator under = {&counting, counting_alloc, counting_free};
    rh_arena_cache cache;
    rh_arena_cache_init(&cache, &under, MIB, 3);
    PyObjectArenaAllocator source = rh_arena_cache_source(&cache);
    void *arena[5];
    for (int i = 0; i < 5; i++)
        arena[i] = source.alloc(source.ctx, MIB);
    for (int i = 0; i < 5; i++)
        source.free(source.ctx, arena[i], MIB);
    assert_int_equal(counting.taken, 2); /* the oldest went when the last ones came */
    assert_int_equal(counting.last_taken, (uintptr_t)arena[1]);
    assert_int_equal(rh_arena_cache_kept_bytes(&cache), 3 * MIB);
    /* The last one kept is the first to go; others come from underneath. */
    assert_ptr_equal(source.alloc(source.ctx, MIB), arena[4]);
    assert_ptr_equal(source.alloc(source.ctx, MIB), arena[3]);
    assert_int_equal(counting.given, 5);
    /* What is no arena passes through. */
    void *chunk = source.alloc(source.ctx, 16384);
    assert_int_equal(counting.given, 6);
    source.free(source.ctx, chunk, 16384);
    assert_int_equal(counting.taken, 3);
    source.free(source.ctx, NULL, MIB);
    assert_int_equal(cache.count, 1);
    assert_int_equal(cache.hits, 2);
    rh_arena_cache_trim(&cache);
    assert_int_equal(counting.taken, 4);
    assert_int_equal(rh_arena_cache_kept_bytes(&cache), 0);
    source.free(source.ctx, arena[3], MIB);
    rh_arena_cache_release(&cache);
    assert_int_equal(counting.taken, 5);
}

static void
a_cache_of_none_passes_on(void **state)
{
    (void)state;
    counting_source counting = {0};
    PyObjectArenaAllocator under = {&counting, counting_alloc, counting_free};
    rh_arena_cache cache;
    rh_arena_cache_init(&cache, &under, MIB, 0);
    PyObjectArenaAllocator source = rh_arena_cache_source(&cache);
    source.free(source.ctx, source.alloc(source.ctx, MIB), MIB);
    assert_int_equal(counting.given, 1);
    assert_int_equal(counting.taken, 1);
    rh_arena_cache_release(&cache);
}

/* ---- huge pages ---- */

/* Whether the mapping that begins at `address` has a flag of /proc/self/smaps. */
static bool
has_flag(const void *address, const char *flag)
{
    char line[512], wanted[32];
    snprintf(wanted, sizeof wanted, "%lx-", (unsigned long)(uintptr_t)address);
    FILE *file = fopen("/proc/self/smaps", "r");
    assert_non_null(file);
    bool inside = false, found = false;
    while (fgets(line, sizeof line, file)) {
        unsigned long from, to;
        if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
            inside = from <= (uintptr_t)address && (uintptr_t)address < to;
        if (inside && strncmp(line, "VmFlags:", 8) == 0)
            found = strstr(line, flag) != NULL;
    }
    fclose(file);
    return found;
}

static void
huge_arenas_are_aligned(void **state)
{
    (void)state;
    rh_arena_huge huge;
    rh_arena_huge_init(&huge);
    huge.set_aside = false;
    PyObjectArenaAllocator source = rh_arena_huge_source(&huge);
    for (size_t bytes = RH_HUGE_PAGE_BYTES; bytes <= 8 * MIB; bytes *= 2) {
        char *arena = source.alloc(source.ctx, bytes);
        assert_non_null(arena);
        assert_int_equal((uintptr_t)arena % RH_HUGE_PAGE_BYTES, 0);
        if (access("/sys/kernel/mm/transparent_hugepage/enabled", F_OK) == 0)
            assert_true(has_flag(arena, " hg"));
        memset(arena, 1, bytes);
        source.free(source.ctx, arena, bytes);
        assert_false(is_mapped(arena, 4096));
    }
    char *chunk = source.alloc(source.ctx, 16384);
    chunk[16383] = 1;
    source.free(source.ctx, chunk, 16384);
    assert_false(is_mapped(chunk, 16384));
    source.free(source.ctx, NULL, 2 * MIB);
    assert_null(source.alloc(source.ctx, SIZE_MAX / 2));
    assert_null(source.alloc(source.ctx, 0));
}

/* Pages set aside are tried, and where they do not suffice nobody notices. */
static void
without_pages_set_aside_it_falls_back(void **state)
{
    (void)state;
    rh_arena_huge huge;
    rh_arena_huge_init(&huge);
    bool any = huge.set_aside;
    huge.set_aside = true;
    PyObjectArenaAllocator source = rh_arena_huge_source(&huge);
    char *arena[64];
    for (int i = 0; i < 64; i++) {
        arena[i] = source.alloc(source.ctx, 2 * MIB);
        assert_non_null(arena[i]);
        assert_int_equal((uintptr_t)arena[i] % RH_HUGE_PAGE_BYTES, 0);
        arena[i][0] = arena[i][2 * MIB - 1] = 1;
    }
    for (int i = 0; i < 64; i++)
        source.free(source.ctx, arena[i], 2 * MIB);
    if (!any) {
        assert_int_equal(huge.from_aside, 0);
        print_message("SKIP: no huge pages are set aside here; only the fallback was seen\n");
    }
}

/* ---- malloc ---- */

static void
malloc_gives_arenas(void **state)
{
    (void)state;
    const PyObjectArenaAllocator *source = &rh_arena_malloc_source;
    char *arena = source->alloc(source->ctx, MIB);
    assert_non_null(arena);
    arena[0] = arena[MIB - 1] = 1;
    source->free(source->ctx, arena, MIB);
    source->free(source->ctx, NULL, MIB);
}

/* ---- recorded places ---- */

static void
expect_arena(rh_arena_recorded *recorded, uint64_t address, bool freed, bool failed)
{
    rh_recorded_arena arena = {freed, failed, address, MIB};
    assert_true(rh_arena_recorded_expect(recorded, &arena));
}

static void
a_recording_is_compared(void **state)
{
    (void)state;
    rh_arena_recorded recorded;
    rh_arena_recorded_init(&recorded, false);
    PyObjectArenaAllocator source = rh_arena_recorded_source(&recorded);
    recorded.event = 7;
    expect_arena(&recorded, 0x7f0000000000, false, false);
    assert_ptr_equal(source.alloc(source.ctx, MIB), (void *)0x7f0000000000);
    rh_arena_recorded_settle(&recorded);
    expect_arena(&recorded, 0, false, true);
    assert_null(source.alloc(source.ctx, MIB));
    expect_arena(&recorded, 0x7f0000000000, true, false);
    source.free(source.ctx, (void *)0x7f0000000000, MIB);
    rh_arena_recorded_settle(&recorded);
    assert_int_equal(recorded.compared, 3);
    assert_int_equal(recorded.different, 0);
    /* More than was recorded, another size, another arena, less. */
    void *first = source.alloc(source.ctx, MIB), *second = source.alloc(source.ctx, MIB);
    assert_true(first && second && first != second);
    assert_non_null(strstr(recorded.difference, "event 7: pymalloc asks for an arena, the"));
    expect_arena(&recorded, 0x7f0000000000, false, false);
    source.alloc(source.ctx, 2 * MIB);
    expect_arena(&recorded, 0x7f0000000000, true, false);
    source.free(source.ctx, first, MIB);
    source.free(source.ctx, second, MIB);
    expect_arena(&recorded, 0x7f0000400000, false, false);
    rh_arena_recorded_settle(&recorded);
    assert_int_equal(recorded.different, 6);
    rh_arena_recorded_release(&recorded);
}

static void
recorded_places_get_memory(void **state)
{
    (void)state;
    rh_error error = {0};
    rh_arena_recorded recorded;
    rh_arena_recorded_init(&recorded, true);
    PyObjectArenaAllocator source = rh_arena_recorded_source(&recorded);
    static const uint64_t places[] = {0x7e0000100000, 0x7e0000900000, 0x7e0000104000 + 2 * MIB};
    for (int i = 0; i < 3; i++)
        expect_arena(&recorded, places[i], false, false);
    expect_arena(&recorded, 0, false, true);
    expect_arena(&recorded, places[0], false, false); /* while the first one is there */
    expect_arena(&recorded, places[1], false, false);
    if (rh_arena_recorded_reserve(&recorded, UINT64_C(1) << 34, &error) != RH_OK)
        fail_msg("%s", error.message);
    assert_int_equal(recorded.shift % (UINT64_C(1) << 34), 0);
    char *arena[3];
    for (int i = 0; i < 3; i++) {
        arena[i] = source.alloc(source.ctx, MIB);
        assert_int_equal((uintptr_t)arena[i], places[i] + recorded.shift);
        memset(arena[i], i + 1, MIB);
    }
    assert_null(source.alloc(source.ctx, MIB)); /* as recorded */
    char *elsewhere = source.alloc(source.ctx, MIB);
    assert_int_equal(recorded.elsewhere, 1);
    memset(elsewhere, 9, MIB);
    assert_int_equal(arena[0][MIB - 1], 1);
    source.free(source.ctx, arena[1], MIB);
    assert_ptr_equal(source.alloc(source.ctx, MIB), arena[1]);
    assert_int_equal(arena[1][5], 0); /* fresh */
    source.free(source.ctx, elsewhere, MIB);
    assert_false(is_mapped(elsewhere, 4096));
    assert_non_null(elsewhere = source.alloc(source.ctx, MIB)); /* the recording is over */
    source.free(source.ctx, elsewhere, MIB);
    for (int i = 0; i < 3; i++)
        source.free(source.ctx, arena[i], MIB);
    assert_int_equal(recorded.live_count, 0);
    /* A second one cannot lie there: it is moved. */
    rh_arena_recorded other;
    rh_arena_recorded_init(&other, true);
    expect_arena(&other, places[0] + recorded.shift, false, false);
    assert_int_equal(rh_arena_recorded_reserve(&other, UINT64_C(1) << 34, &error), RH_OK);
    assert_int_not_equal(other.shift, 0);
    rh_arena_recorded_release(&other);
    rh_arena_recorded_release(&recorded);
}

static void
impossible_places_are_refused(void **state)
{
    (void)state;
    static const uint64_t bad[] = {0, 0x7e0000000010, UINT64_C(1) << 47, UINT64_MAX - 4095};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        rh_arena_recorded recorded;
        rh_arena_recorded_init(&recorded, true);
        expect_arena(&recorded, bad[i], false, false);
        rh_error error = {0};
        assert_int_equal(rh_arena_recorded_reserve(&recorded, UINT64_C(1) << 34, &error), RH_USAGE);
        assert_non_null(strstr(error.message, "cannot be at"));
        rh_arena_recorded_release(&recorded);
    }
    rh_arena_recorded empty;
    rh_arena_recorded_init(&empty, true);
    assert_int_equal(rh_arena_recorded_reserve(&empty, UINT64_C(1) << 34, NULL), RH_USAGE);
    rh_arena_recorded_release(&empty);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cache_keeps_as_many_as_told),
        cmocka_unit_test(a_cache_of_none_passes_on),
        cmocka_unit_test(huge_arenas_are_aligned),
        cmocka_unit_test(without_pages_set_aside_it_falls_back),
        cmocka_unit_test(malloc_gives_arenas),
        cmocka_unit_test(a_recording_is_compared),
        cmocka_unit_test(recorded_places_get_memory),
        cmocka_unit_test(impossible_places_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
