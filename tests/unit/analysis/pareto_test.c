/* The front: against a naive one where times are exact, and its rule where they are not. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "analysis/pareto.h"
#include "base/random.h"

enum { POINTS = 24, RUNS = 3 };

static void
naive_front_where_times_are_clear(void **state)
{
    (void)state;
    rh_random random = {.state = 3};
    for (int round = 0; round < 200; round++) {
        double ns[POINTS][RUNS];
        rh_point points[POINTS];
        for (int i = 0; i < POINTS; i++) {
            /* Steps of a fifth: always told apart, or exactly equal. */
            double time = pow(1.2, (double)rh_random_below(&random, 12));
            for (int r = 0; r < RUNS; r++)
                ns[i][r] = time;
            points[i] =
                (rh_point){.memory = (double)rh_random_below(&random, 15), .ns = ns[i], RUNS};
        }
        bool front[POINTS];
        rh_pareto_front(points, POINTS, front);
        for (int i = 0; i < POINTS; i++) {
            bool beaten = false;
            for (int j = 0; j < POINTS; j++) {
                bool no_worse = points[j].memory <= points[i].memory && ns[j][0] <= ns[i][0];
                bool better = points[j].memory < points[i].memory || ns[j][0] < ns[i][0];
                beaten |= no_worse && better;
            }
            assert_int_equal(front[i], !beaten);
        }
    }
}

static void
faster_by_noise_is_not_faster(void **state)
{
    (void)state;
    double small_ns[] = {10.2, 9.9, 10.1}, large_ns[] = {10.0, 10.0, 9.9}, fast_ns[] = {7, 7.1, 7};
    rh_point points[] = {{100, small_ns, 3}, {200, large_ns, 3}, {300, fast_ns, 3}};
    bool front[3];
    rh_pareto_front(points, 3, front);
    assert_true(front[0]);
    assert_false(front[1]);
    assert_true(front[2]);
}

/* Each is about as fast as its neighbour, the ends are not: the far end stays on the front. */
static void
a_chain_of_equals_keeps_its_ends(void **state)
{
    (void)state;
    double ns[20][3];
    rh_point points[20];
    for (int i = 0; i < 20; i++) {
        double time = 20 * pow(0.98, i);
        ns[i][0] = time * 1.01;
        ns[i][1] = time;
        ns[i][2] = time * 0.99;
        double turned = ns[i][i % 3];
        ns[i][i % 3] = ns[i][0];
        ns[i][0] = turned;
        points[i] = (rh_point){.memory = i, .ns = ns[i], .ns_count = 3};
    }
    assert_int_equal(rh_point_time(&points[1], &points[0]).verdict, RH_VERDICT_SAME);
    assert_int_equal(rh_point_time(&points[19], &points[0]).verdict, RH_VERDICT_LESS);
    bool front[20];
    rh_pareto_front(points, 20, front);
    int members = 0;
    const rh_point *last = NULL;
    for (int i = 0; i < 20; i++) {
        if (!front[i])
            continue;
        if (last)
            assert_int_equal(rh_point_time(&points[i], last).verdict, RH_VERDICT_LESS);
        last = &points[i];
        members++;
    }
    assert_true(front[0]);
    assert_in_range(members, 3, 15);
}

static void
unknown_is_never_on_it(void **state)
{
    (void)state;
    double ns[] = {1, 1, 1};
    rh_point points[] = {{NAN, ns, 3}, {5, NULL, 0}, {7, ns, 3}};
    bool front[3];
    rh_pareto_front(points, 3, front);
    assert_false(front[0]);
    assert_false(front[1]);
    assert_true(front[2]);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(naive_front_where_times_are_clear),
        cmocka_unit_test(faster_by_noise_is_not_faster),
        cmocka_unit_test(a_chain_of_equals_keeps_its_ends),
        cmocka_unit_test(unknown_is_never_on_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
