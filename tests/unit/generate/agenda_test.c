// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "traces/generate/agenda.h"

/* What an agenda should do, done slowly: a list in the order of putting, searched for the earliest.
 */
typedef struct note {
    uint64_t time, put;
    uint32_t what;
    bool there;
} note;

enum { NOTES = 3000 };

/* What becomes due comes by the time, and where times are the same, in the order of putting. What
 * is put too late is due behind what is due already, so its time counts as the clock's. */
static const note *
earliest(const note *notes, size_t count, uint64_t until)
{
    const note *best = NULL;
    for (size_t i = 0; i < count; i++)
        if (notes[i].there && notes[i].time <= until && (!best || notes[i].time < best->time))
            best = &notes[i];
    return best;
}

static void
comes_in_the_order_of_time(void **state)
{
    (void)state;
    static const uint64_t spans[] = {3, 300, 70000, UINT64_C(1) << 33, UINT64_C(1) << 60};
    for (size_t span = 0; span < sizeof spans / sizeof *spans; span++) {
        rh_random random = {span};
        rh_agenda agenda;
        static note notes[NOTES];
        memset(notes, 0, sizeof notes);
        assert_true(rh_agenda_init(&agenda));
        uint64_t clock = 0, left = 0;
        for (uint32_t i = 0; i < NOTES; i++) {
            notes[i] = (note){clock + rh_random_next(&random) % spans[span], i, i, true};
            assert_true(rh_agenda_put(&agenda, notes[i].time, i));
            left++;
            if (rh_random_below(&random, 3) == 0)
                continue;
            clock += rh_random_next(&random) % (spans[span] / 100 + 2);
            rh_agenda_advance(&agenda, clock);
            uint32_t what;
            const note *expected;
            while ((expected = earliest(notes, i + 1, clock))) {
                assert_true(rh_agenda_take(&agenda, &what));
                assert_int_equal(what, expected->what);
                notes[what].there = false;
                left--;
            }
            assert_false(rh_agenda_take(&agenda, &what));
            expected = earliest(notes, i + 1, UINT64_MAX);
            assert_int_equal(rh_agenda_next(&agenda), expected ? expected->time : UINT64_MAX);
            assert_int_equal(agenda.entries, left);
        }
        rh_agenda_release(&agenda);
    }
}

static void
the_past_is_due_now(void **state)
{
    (void)state;
    rh_agenda agenda;
    uint32_t what;
    assert_true(rh_agenda_init(&agenda));
    rh_agenda_advance(&agenda, 1000);
    assert_true(rh_agenda_put(&agenda, 1000, 1));
    assert_true(rh_agenda_put(&agenda, 0, 2));
    assert_true(rh_agenda_put(&agenda, 1001, 3));
    assert_true(rh_agenda_take(&agenda, &what) && what == 1);
    assert_true(rh_agenda_take(&agenda, &what) && what == 2);
    assert_false(rh_agenda_take(&agenda, &what));
    assert_int_equal(rh_agenda_next(&agenda), 1001);
    rh_agenda_advance(&agenda, UINT64_MAX - 1);
    assert_true(rh_agenda_take(&agenda, &what) && what == 3);
    assert_int_equal(rh_agenda_next(&agenda), UINT64_MAX);
    rh_agenda_release(&agenda);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comes_in_the_order_of_time),
        cmocka_unit_test(the_past_is_due_now),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
