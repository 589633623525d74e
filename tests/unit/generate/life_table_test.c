// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#include <stdlib.h>

#include "base/random.h"
#include "traces/generate/life_table.h"

/* Each distance's bin gives a distance back that is exact when small, else within a sixteenth; bins
 * are below the slots, and do not go down. */
static void
distances_come_back(void **state)
{
    (void)state;
    rh_random random = {1};
    uint64_t last = 0;
    for (unsigned shift = 0; shift < 62; shift++) {
        for (int i = 0; i < 1000; i++) {
            uint64_t calls =
                (UINT64_C(1) << shift) + rh_random_next(&random) % (UINT64_C(1) << shift);
            uint64_t bin = rh_when_distance(calls), back = rh_when_draw(bin, &random);
            assert_true(bin < RH_WHEN_EXACT);
            assert_int_equal(rh_when_distance(back), bin);
            assert_true(back / 17 * 16 <= calls && calls / 17 * 16 <= back);
            if (calls < 1 << 25)
                assert_int_equal(rh_when_draw(rh_when_exactly(calls), &random), calls);
            if (calls < 32)
                assert_int_equal(back, calls);
        }
        uint64_t bin = rh_when_distance(UINT64_C(1) << shift);
        assert_true(bin > last || shift == 0);
        last = bin;
    }
}

enum { STEPS_MOST = 40, LIVES = 2000 };

/* A life as a list of events, to compare with. */
typedef struct plain_life {
    rh_event event[STEPS_MOST + 1];
    uint64_t when[STEPS_MOST + 1];
    unsigned steps;
} plain_life;

static void
draw_life(rh_random *random, plain_life *plain)
{
    uint64_t element = rh_random_below(random, 3) ? rh_random_next(random) % 1000 : 0;
    plain->event[0] = (rh_event){.operation = rh_random_below(random, 2) ? RH_CALLOC : RH_MALLOC,
                                 .domain = (uint8_t)rh_random_below(random, 3),
                                 .thread = (uint32_t)rh_random_below(random, 300),
                                 .size = rh_random_next(random) >> rh_random_below(random, 60)};
    if (plain->event[0].operation == RH_CALLOC) {
        plain->event[0].count = 7;
        plain->event[0].element = element;
        plain->event[0].size = 7 * element;
    }
    plain->steps = rh_random_below(random, 10) ? (unsigned)rh_random_below(random, 3)
                                               : (unsigned)rh_random_below(random, STEPS_MOST);
    for (unsigned i = 1; i <= plain->steps; i++) {
        plain->event[i] = (rh_event){.operation = i == plain->steps ? RH_FREE : RH_REALLOC,
                                     .domain = plain->event[0].domain,
                                     .thread = (uint32_t)rh_random_below(random, 300),
                                     .size = i == plain->steps ? 0 : rh_random_next(random) >> 8};
        plain->when[i] = rh_random_below(random, 2)
                             ? rh_when_place(rh_random_below(random, 100000))
                             : rh_when_distance(rh_random_below(random, 5000) + 1);
    }
}

static void
write_life(const plain_life *plain, rh_life *life)
{
    rh_life_begin(life, &plain->event[0]);
    for (unsigned i = 1; i <= plain->steps; i++)
        assert_true(rh_life_step(life, plain->when[i], &plain->event[i]));
}

static void
same_event(const rh_event *a, const rh_event *b)
{
    assert_int_equal(a->operation, b->operation);
    assert_int_equal(a->domain, b->domain);
    assert_int_equal(a->flags, b->flags);
    assert_int_equal(a->thread, b->thread);
    assert_int_equal(a->size, b->size);
    if (a->operation == RH_CALLOC) {
        assert_int_equal(a->count, b->count);
        assert_int_equal(a->element, b->element);
    }
}

static void
compare_life(const rh_life_table *table, uint32_t number, const plain_life *plain)
{
    rh_event event;
    uint64_t at, when;
    bool placed = false;
    rh_life_read_birth(table, number, &event, &at);
    same_event(&event, &plain->event[0]);
    for (unsigned i = 1; i <= plain->steps; i++) {
        assert_true(rh_life_read_when(table, number, &at, &when));
        assert_int_equal(when, plain->when[i]);
        rh_life_read_step(table, &at, &event);
        same_event(&event, &plain->event[i]);
        placed |= when >= RH_WHEN_PLACES;
    }
    assert_false(rh_life_read_when(table, number, &at, &when));
    assert_int_equal(table->entry[number].steps, plain->steps);
    assert_int_equal(table->entry[number].lasting, plain->steps == 0 || placed);
}

static void
lives_come_back(void **state)
{
    (void)state;
    rh_random random = {2};
    rh_life_table table;
    plain_life *plain = calloc(LIVES, sizeof *plain);
    uint32_t number[LIVES], again;
    assert_non_null(plain);
    assert_true(rh_life_table_init(&table));
    for (int i = 0; i < LIVES; i++) {
        rh_life life;
        draw_life(&random, &plain[i]);
        write_life(&plain[i], &life);
        assert_true(rh_life_table_add(&table, &life, plain[i].steps > 0, &number[i]));
        rh_life_release(&life);
    }
    for (int i = 0; i < LIVES; i++) {
        rh_life life;
        compare_life(&table, number[i], &plain[i]);
        write_life(&plain[i], &life);
        assert_true(rh_life_table_add(&table, &life, plain[i].steps > 0, &again));
        assert_int_equal(again, number[i]); /* each life once */
        rh_life_release(&life);
    }
    assert_true(table.count <= LIVES && table.count > LIVES / 2);
    rh_life_table_release(&table);
    free(plain);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(distances_come_back),
        cmocka_unit_test(lives_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
