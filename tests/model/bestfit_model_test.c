/* The bestfit space and its naive twin get the same random operations and must give the same
 * offsets and the same sums, backed and unbacked; where there is memory, contents must stay. */
// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#include <stdlib.h>
#include <string.h>

#include "alloc/bestfit.h"
#include "alloc/counters.h"
#include "base/random.h"
#include "tests/model/bestfit_twin.h"

enum { LIVE = 1500 };

struct entry {
    unsigned char *block;
    uint64_t offset;
    size_t size;
    unsigned char mark;
};

struct both {
    rh_bestfit *space;
    bestfit_twin *twin;
    bool backed;
    uintptr_t base;
    rh_random random;
    size_t live, limit;
    struct entry entry[LIVE];
};

static struct both *
begin(bool unbacked, uint64_t seed)
{
    struct both *both = test_calloc(1, sizeof *both);
    rh_error error = {0};
    if (rh_bestfit_open(unbacked, &both->space, &error) != RH_OK)
        fail_msg("%s", error.message);
    both->twin = twin_open(UINT64_C(1) << 40);
    both->backed = !unbacked;
    both->random.state = seed;
    /* The first block lies at the start of the span. */
    void *first = rh_bestfit_malloc(both->space, 16, 1, false);
    both->base = (uintptr_t)first;
    rh_bestfit_free(both->space, first);
    twin_free(both->twin, twin_malloc(both->twin, 16, 1));
    return both;
}

static void
end(struct both *both)
{
    rh_bestfit_close(both->space);
    twin_close(both->twin);
    test_free(both);
}

/* Small ones mostly, some of pages, a few of megabytes. */
static size_t
draw_size(rh_random *random)
{
    switch (rh_random_below(random, 100)) {
    case 0:
        return rh_random_below(random, 3 << 20);
    case 1:
    case 2:
    case 3:
        return rh_random_below(random, 200000);
    default:
        return rh_random_below(random, 64) < 40 ? rh_random_below(random, 600)
                                                : rh_random_below(random, 6000);
    }
}

static void
mark(struct both *both, struct entry *entry)
{
    if (!both->backed)
        return;
    entry->mark = (unsigned char)rh_random_next(&both->random);
    memset(entry->block, entry->mark, entry->size);
}

static void
check_marks(const struct both *both, const struct entry *entry, size_t size)
{
    if (!both->backed)
        return;
    for (size_t i = 0; i < size; i++)
        if (entry->block[i] != entry->mark)
            fail_msg("byte %zu of a block of %zu was changed", i, entry->size);
}

static void
same_place(const struct both *both, const struct entry *entry)
{
    assert_non_null(entry->block);
    if ((uintptr_t)entry->block - both->base != entry->offset)
        fail_msg("%zu bytes: at %zu, the twin has %zu", entry->size,
                 (size_t)((uintptr_t)entry->block - both->base), (size_t)entry->offset);
}

static void
do_malloc(struct both *both)
{
    struct entry *entry = &both->entry[both->live++];
    bool zero = rh_random_below(&both->random, 4) == 0;
    size_t alignment = 16;
    if (rh_random_below(&both->random, 8) == 0)
        alignment = (size_t)16 << rh_random_below(&both->random, 18);
    entry->size = draw_size(&both->random);
    entry->block = rh_bestfit_malloc(both->space, alignment, entry->size, zero);
    entry->offset = twin_malloc(both->twin, alignment, entry->size);
    same_place(both, entry);
    assert_int_equal((uintptr_t)entry->block % alignment, 0);
    if (zero && both->backed)
        for (size_t i = 0; i < entry->size; i++)
            assert_int_equal(entry->block[i], 0);
    mark(both, entry);
}

static void
do_realloc(struct both *both)
{
    struct entry *entry = &both->entry[rh_random_below(&both->random, both->live)];
    size_t old = entry->size;
    entry->size = draw_size(&both->random);
    entry->block = rh_bestfit_realloc(both->space, entry->block, entry->size);
    entry->offset = twin_realloc(both->twin, entry->offset, entry->size);
    same_place(both, entry);
    check_marks(both, entry, old < entry->size ? old : entry->size);
    mark(both, entry);
}

static void
do_free(struct both *both)
{
    size_t which = rh_random_below(&both->random, both->live);
    struct entry *entry = &both->entry[which];
    check_marks(both, entry, entry->size);
    assert_true(rh_bestfit_usable_size(both->space, entry->block) >= entry->size);
    rh_bestfit_free(both->space, entry->block);
    twin_free(both->twin, entry->offset);
    *entry = both->entry[--both->live];
}

static void
compare(struct both *both)
{
    rh_error error = {0};
    if (rh_bestfit_check(both->space, &error) != RH_OK)
        fail_msg("%s", error.message);
    rh_counters counters;
    memset(&counters, 0, sizeof counters);
    rh_bestfit_add_counters(both->space, &counters);
    assert_int_equal(counters.live_blocks, both->live);
    assert_int_equal(counters.block_bytes, twin_used_bytes(both->twin));
    assert_int_equal(counters.free_block_bytes, twin_free_bytes(both->twin));
    assert_int_equal(counters.mapped_bytes, rh_counters_parts(&counters));
    assert_int_equal(counters.mapped_bytes, *rh_bestfit_mapped(both->space));
}

/* The live set grows to a limit, shrinks to nothing, and again with other limits. */
static void
run(bool unbacked, uint64_t seed, unsigned steps)
{
    struct both *both = begin(unbacked, seed);
    bool growing = true;
    both->limit = LIVE;
    for (unsigned i = 0; i < steps; i++) {
        uint64_t dice = rh_random_below(&both->random, 10);
        if (both->live == 0 || (both->live < LIVE && dice < (growing ? 6u : 3u)))
            do_malloc(both);
        else if (dice < 8)
            do_free(both);
        else
            do_realloc(both);
        if (both->live >= both->limit)
            growing = false;
        if (both->live == 0) {
            growing = true;
            both->limit = 1 + rh_random_below(&both->random, LIVE);
        }
        if (i % 97 == 0)
            compare(both);
        if (i % 1009 == 0) {
            rh_bestfit_trim(both->space);
            twin_trim(both->twin);
            compare(both);
        }
    }
    while (both->live)
        do_free(both);
    rh_bestfit_trim(both->space);
    twin_trim(both->twin);
    compare(both);
    assert_int_equal(twin_free_bytes(both->twin), 0); /* wholly free: given back */
    end(both);
}

static void
agrees_with_memory(void **state)
{
    (void)state;
    run(false, 1, 12000);
}

static void
agrees_without_memory(void **state)
{
    (void)state;
    for (uint64_t seed = 2; seed < 5; seed++)
        run(true, seed, 12000);
}

static void
refuses_what_cannot_be(void **state)
{
    (void)state;
    struct both *both = begin(false, 1);
    assert_null(rh_bestfit_malloc(both->space, 16, SIZE_MAX, false));
    assert_null(rh_bestfit_malloc(both->space, 16, PTRDIFF_MAX, true));
    assert_null(rh_bestfit_malloc(both->space, (size_t)1 << 62, 1, false));
    void *block = rh_bestfit_malloc(both->space, 16, 100, true);
    assert_null(rh_bestfit_realloc(both->space, block, SIZE_MAX));
    assert_null(rh_bestfit_realloc(both->space, block, PTRDIFF_MAX));
    assert_int_equal(rh_bestfit_usable_size(both->space, block), 112);
    rh_bestfit_free(both->space, NULL);
    rh_bestfit_free(both->space, block);
    compare(both);
    end(both);
}

static void
sizes_of_nothing_differ(void **state)
{
    (void)state;
    struct both *both = begin(false, 1);
    void *a = rh_bestfit_malloc(both->space, 16, 0, false);
    void *b = rh_bestfit_realloc(both->space, NULL, 0);
    assert_non_null(a);
    assert_non_null(b);
    assert_ptr_not_equal(a, b);
    assert_ptr_equal(rh_bestfit_realloc(both->space, a, 0), a);
    rh_bestfit_free(both->space, a);
    rh_bestfit_free(both->space, b);
    compare(both);
    end(both);
}

/* A fresh page needs no clearing, a used one does. */
static void
zeroes_what_was_used(void **state)
{
    (void)state;
    struct both *both = begin(false, 1);
    for (size_t size = 1000; size < 4000000; size *= 5) {
        unsigned char *block = rh_bestfit_malloc(both->space, 16, size, false);
        memset(block, 0xAA, size);
        rh_bestfit_free(both->space, block);
        block = rh_bestfit_malloc(both->space, 16, size, true);
        for (size_t i = 0; i < size; i++)
            assert_int_equal(block[i], 0);
        rh_bestfit_free(both->space, block);
    }
    end(both);
}

/* Fresh memory before a used block is no longer fresh once they are joined. */
static void
zeroes_what_was_used_in_part(void **state)
{
    (void)state;
    struct both *both = begin(false, 1);
    /* The first one takes the memory that begin() has used, the second begins a fresh step. */
    void *pins[] = {rh_bestfit_malloc(both->space, 16, 65536, false),
                    rh_bestfit_malloc(both->space, 16, 16, false)};
    unsigned char *block = rh_bestfit_malloc(both->space, 4096, 4096, false);
    assert_int_equal((uintptr_t)block - both->base, 65536 + 4096);
    memset(block, 0xAA, 4096);
    rh_bestfit_free(both->space, block);
    block = rh_bestfit_malloc(both->space, 16, 8000, true);
    assert_int_equal((uintptr_t)block - both->base, 65536 + 16);
    for (size_t i = 0; i < 8000; i++)
        assert_int_equal(block[i], 0);
    rh_bestfit_free(both->space, block);
    rh_bestfit_free(both->space, pins[0]);
    rh_bestfit_free(both->space, pins[1]);
    end(both);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_memory),     cmocka_unit_test(agrees_without_memory),
        cmocka_unit_test(refuses_what_cannot_be), cmocka_unit_test(sizes_of_nothing_differ),
        cmocka_unit_test(zeroes_what_was_used),   cmocka_unit_test(zeroes_what_was_used_in_part),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
