/* pymalloc against its naive twin (pymalloc_drive.h), for every preset, for geometries that no
 * CPython has, and for drawn ones; then the twin is broken, one rule at a time, and the comparison
 * must notice. That it also notices when pymalloc is broken, pymalloc_sabotage_test shows. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "alloc/pymalloc.h"
#include "tests/model/pymalloc_drive.h"
#include "tests/model/pymalloc_twin.h"

#define OPERATIONS 1000000

/* The plan for a preset; NULL: the standard one. */
static model_plan
plan_of(const char *version)
{
    model_plan plan = {.name = version, .seed = 1, .live_max = 16384, .check_every = 62500};
    rh_error error = {0};
    assert_int_equal(rh_pymalloc_config_init(&plan.config, version, &error), RH_OK);
    return plan;
}

static void
every_preset_agrees(void **state)
{
    (void)state;
    for (unsigned i = 0; rh_pymalloc_allocator.presets[i]; i++) {
        model_plan plan = plan_of(rh_pymalloc_allocator.presets[i]);
        model_place_metadata(&plan.config, i);
        plan.fail_every = i % 2 ? 5 : 0;
        plan.operations = OPERATIONS;
        assert_int_equal(model_run(&plan, NULL), MODEL_AGREES);
    }
}

typedef struct odd_geometry {
    uint64_t arena_bytes, pool_bytes, alignment, small_bytes;
    uint32_t keep;
    const char *classes;
} odd_geometry;

static const odd_geometry geometries[] = {
    {65536, 4096, 8, 256, 1, NULL},
    {4096, 4096, 16, 512, 0, "geometric:4"},
    {16384, 1024, 16, 384, 2, "linear:48"},
    {1 << 20, 65536, 32, 1024, 1, NULL},
    {262144, 16384, 64, 500, 5, "64:192:320:512"},
    {1 << 20, 1 << 20, 16, 2000, 3, "geometric:2"},
    {8192, 4096, 8, 2000, 1, "geometric:7"},
    {4 << 20, 16384, 16, 512, 1000, NULL},
    {1 << 20, 16384, 16, 0, 1, "16:32:48:64:96:128:192:256:384:512"},
};

static void
odd_geometries_agree(void **state)
{
    (void)state;
    for (unsigned i = 0; i < sizeof geometries / sizeof geometries[0]; i++)
        for (rh_policy policy = RH_POLICY_MOST_FULL; policy <= RH_POLICY_LEAST_FULL; policy++) {
            const odd_geometry *odd = &geometries[i];
            model_plan plan = plan_of(NULL);
            plan.config = (rh_pymalloc_config){.arena_bytes = odd->arena_bytes,
                                               .pool_bytes = odd->pool_bytes,
                                               .alignment = odd->alignment,
                                               .small_bytes = odd->small_bytes,
                                               .keep = odd->keep,
                                               .classes = odd->classes,
                                               .policy = policy};
            char name[64];
            snprintf(name, sizeof name, "geometry %u, policy %d", i, (int)policy);
            model_place_metadata(&plan.config, i + policy);
            plan.name = name;
            plan.fail_every = (i + policy) % 3 ? 0 : 4;
            plan.operations = OPERATIONS / 8;
            assert_int_equal(model_run(&plan, NULL), MODEL_AGREES);
        }
}

/* Geometries, class tables and policies that nobody chose. */
static void
drawn_geometries_agree(void **state)
{
    (void)state;
    enum { DRAWN = 300, USED_AT_LEAST = 150 };
    unsigned used = 0;
    for (uint64_t seed = 1; seed <= DRAWN; seed++) {
        char classes[512], name[32];
        model_plan plan;
        model_draw(seed, &plan, classes, sizeof classes);
        snprintf(name, sizeof name, "seed %" PRIu64, seed);
        plan.name = name;
        plan.operations = 4096;
        plan.quiet = true;
        model_result result = model_run(&plan, NULL);
        if (result == MODEL_DIFFERS) { /* again, aloud */
            plan.quiet = false;
            model_run(&plan, NULL);
            fail_msg("seed %" PRIu64 " differs", seed);
        }
        used += result == MODEL_AGREES;
    }
    assert_true(used >= USED_AT_LEAST);
}

/* The Nth arena is refused, for every N: the requests that wanted it go to RAW, the next one asks
 * again, and addresses and counters stay those of the twin. */
static void
any_arena_may_fail(void **state)
{
    (void)state;
    for (rh_policy policy = RH_POLICY_MOST_FULL; policy <= RH_POLICY_LEAST_FULL; policy++) {
        uint64_t asked = 1;
        for (uint64_t failing = 1; failing <= asked; failing++) {
            model_plan plan = plan_of(NULL);
            plan.name = "an arena fails";
            plan.config = (rh_pymalloc_config){.arena_bytes = 8192,
                                               .pool_bytes = 4096,
                                               .alignment = 16,
                                               .small_bytes = 512,
                                               .keep = policy % 2,
                                               .policy = policy};
            model_place_metadata(&plan.config, (unsigned)policy);
            plan.fail_at = failing;
            plan.watch = true;
            plan.live_max = 512;
            plan.check_every = 509;
            plan.operations = 4096;
            assert_int_equal(model_run(&plan, &asked), MODEL_AGREES);
        }
        assert_true(asked > 20);
    }
}

/* A comparison that cannot fail shows nothing: each rule of the twin is broken once. */
static void
every_broken_rule_is_noticed(void **state)
{
    (void)state;
    for (twin_fault fault = TWIN_SOUND + 1; fault < TWIN_FAULTS; fault++) {
        model_plan plan = plan_of("3.9");
        model_place_metadata(&plan.config, 0);
        plan.fault = fault;
        plan.quiet = true;
        plan.operations = OPERATIONS / 4;
        if (model_run(&plan, NULL) != MODEL_DIFFERS)
            fail_msg("nobody noticed broken rule %d", (int)fault);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_preset_agrees),          cmocka_unit_test(odd_geometries_agree),
        cmocka_unit_test(drawn_geometries_agree),       cmocka_unit_test(any_arena_may_fail),
        cmocka_unit_test(every_broken_rule_is_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
