/* What the model test does not see: a system that refuses memory, and what a walk shows. */
#define _GNU_SOURCE
// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "alloc/bestfit.h"

static rh_bestfit *
open_space(void)
{
    rh_bestfit *space = NULL;
    rh_error error = {0};
    if (rh_bestfit_open(false, &space, &error) != RH_OK)
        fail_msg("%s", error.message);
    return space;
}

static void
verify(const rh_bestfit *space)
{
    rh_error error = {0};
    if (rh_bestfit_check(space, &error) != RH_OK)
        fail_msg("%s", error.message);
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
/* Writable private memory of this process, what RLIMIT_DATA counts. */
static uint64_t
data_bytes(void)
{
    uint64_t kilobytes = 0;
    char line[256];
    FILE *file = fopen("/proc/self/status", "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file))
        if (sscanf(line, "VmData: %lu", &kilobytes) == 1)
            break;
    fclose(file);
    return kilobytes * 1024;
}

static void
limit_data(uint64_t bytes)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_DATA, &limit), 0);
    limit.rlim_cur = bytes;
    assert_int_equal(setrlimit(RLIMIT_DATA, &limit), 0);
}

/* Blocks of `size` until there is no more; how many. */
static size_t
fill(rh_bestfit *space, void **block, size_t limit, size_t size)
{
    size_t count = 0;
    while (count < limit && (block[count] = rh_bestfit_malloc(space, 16, size, false)) != NULL) {
        memset(block[count], (int)count, size);
        count++;
    }
    return count;
}

static void
survives_a_full_system(void **state)
{
    (void)state;
    enum { LIMIT = 100000 };
    static void *block[LIMIT];
    static const size_t sizes[] = {100, 3000, 70000, 900000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        limit_data(RLIM_INFINITY);
        rh_bestfit *space = open_space();
        limit_data(data_bytes() + (4 << 20));
        size_t count = fill(space, block, LIMIT, sizes[i]);
        assert_in_range(count, 1, LIMIT - 1);
        verify(space);
        assert_null(rh_bestfit_realloc(space, block[0], 8 << 20));
        assert_null(rh_bestfit_malloc(space, 4096, 8 << 20, true));
        verify(space);
        for (size_t at = 0; at < count; at++) {
            assert_int_equal(((unsigned char *)block[at])[sizes[i] - 1], (unsigned char)at);
            rh_bestfit_free(space, block[at]);
        }
        verify(space);
        size_t again = fill(space, block, LIMIT, sizes[i]);
        assert_in_range(again, count - count / 100, count); /* but for what the tables took since */
        limit_data(RLIM_INFINITY);
        void *large = rh_bestfit_malloc(space, 16, 8 << 20, true);
        assert_non_null(large);
        rh_bestfit_close(space);
    }
}

/* Several spaces find room where addresses are short, and are told when there is none at all. */
static void
shares_short_addresses(void **state)
{
    (void)state;
    struct rlimit limit, unlimited;
    assert_int_equal(getrlimit(RLIMIT_AS, &unlimited), 0);
    limit = unlimited;
    limit.rlim_cur = 6ull << 30;
    assert_int_equal(setrlimit(RLIMIT_AS, &limit), 0);
    rh_bestfit *space[3];
    for (int i = 0; i < 3; i++) {
        space[i] = open_space();
        void *block = rh_bestfit_malloc(space[i], 4096, 20 << 20, true);
        assert_non_null(block);
        assert_null(rh_bestfit_malloc(space[i], 16, 6ull << 30, false));
        verify(space[i]);
    }
    limit.rlim_cur = 1 << 20;
    assert_int_equal(setrlimit(RLIMIT_AS, &limit), 0);
    rh_bestfit *none = NULL;
    rh_error error = {0};
    assert_int_equal(rh_bestfit_open(false, &none, &error), RH_SYSTEM);
    assert_null(none);
    assert_int_equal(setrlimit(RLIMIT_AS, &unlimited), 0);
    for (int i = 0; i < 3; i++)
        rh_bestfit_close(space[i]);
}
#endif

typedef struct regions {
    size_t arenas, used, free;
    uint64_t arena_bytes, block_bytes;
} regions;

static bool
visit(void *ctx, const rh_region *region)
{
    regions *seen = ctx;
    if (region->kind == RH_REGION_ARENA) {
        seen->arenas++;
        seen->arena_bytes += region->size_bytes;
    } else {
        seen->used += region->used;
        seen->free += !region->used;
        seen->block_bytes += region->size_bytes;
    }
    return true;
}

static void
a_walk_shows_everything(void **state)
{
    (void)state;
    rh_bestfit *space = open_space();
    regions seen = {.arenas = 0};
    assert_true(rh_bestfit_walk(space, visit, &seen));
    assert_int_equal(seen.arenas, 0);
    void *small = rh_bestfit_malloc(space, 16, 1000, false);
    void *large = rh_bestfit_malloc(space, 16, 3 << 20, false);
    void *last = rh_bestfit_malloc(space, 16, 1000, false);
    rh_bestfit_free(space, large); /* leaves a hole between two arenas */
    assert_true(rh_bestfit_walk(space, visit, &seen));
    assert_int_equal(seen.arenas, 2);
    assert_int_equal(seen.used, 2);
    assert_int_equal(seen.arena_bytes, seen.block_bytes);
    rh_counters counters;
    memset(&counters, 0, sizeof counters);
    rh_bestfit_add_counters(space, &counters);
    assert_int_equal(seen.arena_bytes, counters.mapped_bytes - counters.metadata_bytes);
    rh_bestfit_free(space, small);
    rh_bestfit_free(space, last);
    verify(space);
    rh_bestfit_close(space);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
        cmocka_unit_test(survives_a_full_system),
        cmocka_unit_test(shares_short_addresses),
#endif
        cmocka_unit_test(a_walk_shows_everything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
