/* No name overlaps another or a point, as long as there is room; all stay inside. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "analysis/labels.h"
#include "base/random.h"

#define WIDTH  1000.0
#define HEIGHT 500.0

static bool
apart(const rh_label *a, const rh_label *b)
{
    return a->left >= b->left + b->width || b->left >= a->left + a->width ||
           a->bottom >= b->bottom + b->height || b->bottom >= a->bottom + a->height;
}

static bool
covers(const rh_label *text, const rh_label *point)
{
    return point->x > text->left && point->x < text->left + text->width &&
           point->y > text->bottom && point->y < text->bottom + text->height;
}

static void
names_keep_apart(void **state)
{
    (void)state;
    rh_random random = {.state = 5};
    for (int round = 0; round < 300; round++) {
        rh_label labels[10];
        for (int i = 0; i < 10; i++)
            /* Crowded into a ninth of the area. */
            labels[i] = (rh_label){.x = 300 + (double)rh_random_below(&random, 330),
                                   .y = 200 + (double)rh_random_below(&random, 160),
                                   .width = i == 9 ? 0 : 60 + (double)rh_random_below(&random, 120),
                                   .height = 18};
        rh_labels_place(labels, 10, WIDTH, HEIGHT);
        for (int i = 0; i < 9; i++) {
            assert_true(labels[i].left >= 0 && labels[i].left + labels[i].width <= WIDTH);
            assert_true(labels[i].bottom >= 0 && labels[i].bottom + 18 <= HEIGHT);
            for (int j = 0; j < 10; j++) {
                assert_false(covers(&labels[i], &labels[j]));
                assert_true(j >= i || apart(&labels[i], &labels[j]));
            }
        }
    }
}

static void
a_lonely_name_stands_at_the_right(void **state)
{
    (void)state;
    rh_label label = {.x = 500, .y = 250, .width = 80, .height = 18};
    rh_labels_place(&label, 1, WIDTH, HEIGHT);
    assert_true(label.left > 500 && label.left < 520 && !label.far);
    label = (rh_label){.x = 990, .y = 250, .width = 80, .height = 18};
    rh_labels_place(&label, 1, WIDTH, HEIGHT);
    assert_true(label.left + 80 < 990);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_keep_apart),
        cmocka_unit_test(a_lonely_name_stands_at_the_right),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
