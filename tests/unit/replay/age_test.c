/* Ageing: the same calls for the same seed, within its bounds, out of the recording's own sizes. */
#include "replay/age.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/replay/events.h"

static void
test_spellings(void **state)
{
    (void)state;
    static const struct {
        const char *text, *whole;
        rh_age age;
    } right[] = {
        {"none", "none", {.aged = false}},
        {"0", "0,keep=10%,seed=1", {true, 0, 10, 1}},
        {"3", "3,keep=10%,seed=1", {true, 3, 10, 1}},
        {"1000,keep=25%", "1000,keep=25%,seed=1", {true, 1000, 25, 1}},
        {"2,seed=7,keep=0", "2,keep=0%,seed=7", {true, 2, 0, 7}},
        {"2,keep=100,seed=0", "2,keep=100%,seed=0", {true, 2, 100, 0}},
    };
    static const char *const wrong[] = {
        "",       "1001", "-1", "2,keep=101", "2,keep=", "2,seed=", "2,seed=-1",
        "keep=3", "2,",   "x",  "2,keep=%",   "2,3",     "1.5"};
    for (size_t i = 0; i < sizeof right / sizeof *right; i++) {
        rh_age age = {.churn = 77}, back = {.churn = 78};
        char text[96];
        assert_int_equal(rh_age_parse(right[i].text, &age, NULL), RH_OK);
        assert_true(rh_age_same(&age, &right[i].age));
        assert_string_equal(rh_age_text(&age, text, sizeof text), right[i].whole);
        assert_int_equal(rh_age_parse(text, &back, NULL), RH_OK);
        assert_true(rh_age_same(&age, &back));
    }
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        rh_age age = {.churn = 77};
        assert_int_equal(rh_age_parse(wrong[i], &age, NULL), RH_USAGE);
        assert_int_equal(age.churn, 77);
    }
}

static rh_age_size *
find(rh_test_events *events, bool has_domains, uint64_t seed, size_t *count)
{
    rh_source source = rh_test_events_source(events);
    rh_age_size *sizes;
    rh_error error;
    assert_int_equal(
        rh_age_sizes_find(&source, has_domains, PYMEM_DOMAIN_OBJ, seed, &sizes, count, &error),
        RH_OK);
    return sizes;
}

static void
test_births_are_what_is_drawn_from(void **state)
{
    (void)state;
    const rh_event made[] = {
        {.operation = RH_MALLOC, .domain = 1, .slot = 0, .size = 10},
        {.operation = RH_CALLOC, .domain = RH_DOMAIN_LIBC, .slot = 1, .size = 20},
        {.operation = RH_REALLOC, .domain = 2, .slot = 0, .size = 99}, /* of a living block */
        {.operation = RH_REALLOC, .domain = 2, .slot = 2, .size = 30, .flags = RH_EVENT_NULL},
        {.operation = RH_REALLOC, .domain = 2, .slot = 3, .size = 40, .flags = RH_EVENT_FOREIGN},
        {.operation = RH_MALLOC, .domain = 2, .slot = 4, .size = 99, .flags = RH_EVENT_NESTED},
        {.operation = RH_MALLOC,
         .domain = 2,
         .slot = RH_NO_SLOT,
         .size = 99,
         .flags = RH_EVENT_FAILED},
        {.operation = RH_FREE, .domain = 1, .slot = 0, .size = 99},
        {.operation = RH_ALIGNED, .domain = 0, .slot = 0, .size = 50},
    };
    static const rh_age_size expected[] = {{10, 1}, {20, 0}, {30, 2}, {40, 2}, {50, 0}};
    rh_test_events events = {0};
    for (size_t i = 0; i < sizeof made / sizeof *made; i++)
        rh_test_events_add(&events, made[i]);
    for (int has_domains = 0; has_domains < 2; has_domains++) {
        size_t count;
        rh_age_size *sizes = find(&events, has_domains, 1, &count);
        assert_int_equal(count, 5);
        for (size_t i = 0; i < count; i++) {
            assert_int_equal(sizes[i].size, expected[i].size);
            assert_int_equal(sizes[i].domain, has_domains ? expected[i].domain : PYMEM_DOMAIN_OBJ);
        }
        free(sizes);
    }
    rh_test_events_release(&events);
}

/* Of more births than are kept each is as likely: sizes are numbered, and the mean of the sample is
 * near that of all (its standard error is a thousandth of the range). */
static void
test_a_sample_of_many(void **state)
{
    (void)state;
    enum { BIRTHS = 4 * RH_AGE_SIZES_MOST };
    rh_test_events events = {0};
    for (uint32_t i = 0; i < BIRTHS; i++)
        rh_test_events_add(&events, (rh_event){.operation = RH_MALLOC, .slot = 0, .size = i});
    size_t count, other_count;
    rh_age_size *sizes = find(&events, true, 5, &count),
                *same = find(&events, true, 5, &other_count);
    assert_int_equal(count, RH_AGE_SIZES_MOST);
    assert_int_equal(other_count, count);
    assert_memory_equal(sizes, same, count * sizeof *sizes);
    rh_age_size *other = find(&events, true, 6, &other_count);
    assert_memory_not_equal(sizes, other, count * sizeof *sizes);
    unsigned char *seen = calloc(BIRTHS, 1);
    assert_non_null(seen);
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(seen[sizes[i].size]++, 0);
        sum += (double)sizes[i].size;
    }
    double mean = sum / (double)count / BIRTHS;
    assert_true(mean > 0.49 && mean < 0.51);
    free(seen);
    free(sizes);
    free(same);
    free(other);
    rh_test_events_release(&events);
}

/* A heap that folds its calls into a number, and knows what is asked of it. */
typedef struct fold_heap {
    rh_heap heap;
    uint64_t calls, fold, bytes, most_bytes, blocks, most_blocks, sizes_unknown;
    struct fold_domain {
        struct fold_heap *fold;
        uint64_t domain;
    } domain[RH_DOMAINS];
} fold_heap;

static void
fold_in(fold_heap *fold, uint64_t word)
{
    fold->fold = (fold->fold ^ word) * 0x9E3779B97F4A7C15u;
    fold->fold ^= fold->fold >> 31;
}

static void *
fold_malloc(void *ctx, size_t size)
{
    const struct fold_domain *domain = ctx;
    fold_heap *fold = domain->fold;
    uint64_t *block = malloc(2 * sizeof *block + size);
    assert_non_null(block);
    fold->calls++;
    fold_in(fold, size << 2 | domain->domain);
    fold->sizes_unknown += size != 16 && size != 100 && size != 3000;
    block[0] = size;
    block[1] = fold->calls; /* which one it is */
    fold->bytes += size;
    fold->blocks++;
    fold->most_bytes = fold->bytes > fold->most_bytes ? fold->bytes : fold->most_bytes;
    fold->most_blocks = fold->blocks > fold->most_blocks ? fold->blocks : fold->most_blocks;
    return block + 2;
}

static void
fold_free(void *ctx, void *place)
{
    const struct fold_domain *domain = ctx;
    fold_heap *fold = domain->fold;
    uint64_t *block = (uint64_t *)place - 2;
    fold->calls++;
    fold_in(fold, block[1] << 2 | domain->domain);
    fold->bytes -= block[0];
    fold->blocks--;
    free(block);
}

/* A block may be used for some bytes beyond its end. */
static size_t
fold_usable(rh_heap *heap, PyMemAllocatorDomain domain, const void *place)
{
    (void)heap, (void)domain;
    return ((const uint64_t *)place)[-2] + 6;
}

enum { MOST_BLOCKS = 500, MOST_BYTES = 100000 };
static const rh_age_size sizes[] = {{16, 2}, {16, 2}, {16, 1}, {100, 2}, {3000, 0}};

static uint64_t
age_once(rh_age age, fold_heap *fold, rh_age_totals *totals)
{
    static rh_aged_block blocks[MOST_BLOCKS];
    const rh_age_plan plan = {.age = age,
                              .most_blocks = MOST_BLOCKS,
                              .most_bytes = MOST_BYTES,
                              .sizes = sizes,
                              .size_count = sizeof sizes / sizeof *sizes,
                              .touch = RH_TOUCH_READ};
    static const rh_heap_operations operations = {.usable_size = fold_usable};
    *fold = (fold_heap){.heap = {.operations = &operations}};
    for (unsigned d = 0; d < RH_DOMAINS; d++) {
        fold->domain[d].fold = fold;
        fold->domain[d].domain = d;
        fold->heap.domain[d] =
            (PyMemAllocatorEx){.ctx = &fold->domain[d], .malloc = fold_malloc, .free = fold_free};
    }
    rh_age_heap(&plan, &fold->heap, blocks, totals);
    assert_int_equal(totals->calls, fold->calls);
    assert_int_equal(totals->blocks, fold->blocks);
    assert_int_equal(totals->bytes, fold->bytes);
    assert_int_equal(totals->usable_bytes, fold->bytes + 6 * fold->blocks);
    assert_int_equal(totals->failed_allocations, 0);
    assert_int_equal(fold->sizes_unknown, 0);
    assert_true(fold->most_blocks <= MOST_BLOCKS && fold->most_bytes <= MOST_BYTES);
    assert_true(fold->most_bytes > MOST_BYTES / 2);
    for (uint64_t i = 0; i < totals->blocks; i++)
        free((uint64_t *)blocks[i].block - 2);
    return fold->fold;
}

static void
test_the_same_seed_is_the_same_calls(void **state)
{
    (void)state;
    rh_age_totals totals;
    fold_heap fold;
    const rh_age age = {true, 3, 10, 1}, other = {true, 3, 10, 2};
    uint64_t first = age_once(age, &fold, &totals);
    assert_true(first == age_once(age, &fold, &totals));
    assert_true(first != age_once(other, &fold, &totals));
}

static void
test_as_much_is_kept_as_was_said(void **state)
{
    (void)state;
    static const unsigned keeps[] = {0, 10, 50, 100};
    rh_age_totals all, totals;
    fold_heap fold;
    age_once((rh_age){true, 2, 100, 1}, &fold, &all);
    assert_true(all.blocks > 20);
    for (size_t i = 0; i < sizeof keeps / sizeof *keeps; i++) {
        age_once((rh_age){true, 2, keeps[i], 1}, &fold, &totals);
        assert_int_equal(totals.blocks, all.blocks * keeps[i] / 100);
        /* What was done before is the same: only the rest was freed. */
        assert_int_equal(totals.calls, all.calls + all.blocks - totals.blocks);
    }
    age_once((rh_age){true, 0, 100, 1}, &fold, &totals);
    assert_int_equal(totals.calls, totals.blocks); /* filled, nothing exchanged */
    age_once((rh_age){true, 50, 100, 1}, &fold, &all);
    assert_true(all.calls > 50 * totals.calls);
}

static void
test_nothing_to_draw_from(void **state)
{
    (void)state;
    const rh_age_plan plan = {.age = {true, 2, 10, 1}, .most_blocks = 5, .most_bytes = 5};
    rh_age_totals totals = {.calls = 9};
    rh_heap heap = {0};
    rh_age_heap(&plan, &heap, NULL, &totals);
    assert_int_equal(totals.calls, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spellings),
        cmocka_unit_test(test_births_are_what_is_drawn_from),
        cmocka_unit_test(test_a_sample_of_many),
        cmocka_unit_test(test_the_same_seed_is_the_same_calls),
        cmocka_unit_test(test_as_much_is_kept_as_was_said),
        cmocka_unit_test(test_nothing_to_draw_from),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
