// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#include "alloc/debug_stats.h"

#define ARENAS                                                                                     \
    "# arenas allocated total           =                   12\n"                                  \
    "# arenas reclaimed                 =                    3\n"                                  \
    "# arenas highwater mark            =                   10\n"                                  \
    "# arenas allocated current         =                    9\n"                                  \
    "9 arenas * 1048576 bytes/arena     =            9,437,184\n"                                  \
    "\n"
#define BYTES                                                                                      \
    "# bytes in allocated blocks        =            1,356,064\n"                                  \
    "# bytes in available blocks        =              286,240\n"                                  \
    "25 unused pools * 16384 bytes      =              409,600\n"                                  \
    "# bytes lost to pool headers       =                4,848\n"                                  \
    "# bytes lost to quantization       =                7,632\n"                                  \
    "# bytes lost to arena alignment    =               32,768\n"                                  \
    "Total                              =            9,437,184\n"
#define CLASSES                                                                                    \
    "Small block threshold = 512, in 32 size classes.\n\n"                                         \
    "class   size   num pools   blocks in use  avail blocks\n"                                     \
    "-----   ----   ---------   -------------  ------------\n"                                     \
    "    0     16           1              29           992\n"                                     \
    "   31    512           7           12345             4\n\n"
#define MAP                                                                                        \
    "\narena map counts\n"                                                                         \
    "# arena map mid nodes              =                    1\n"                                  \
    "# arena map bot nodes              =                    1\n\n"                                \
    "# bytes lost to arena map root     =                8,192\n"                                  \
    "# bytes lost to arena map mid      =                8,192\n"                                  \
    "# bytes lost to arena map bot      =                2,048\n"                                  \
    "Total                              =               18,432\n"

static void
reads_every_figure(void **state)
{
    (void)state;
    rh_debug_stats stats;
    assert_true(rh_debug_stats_parse(CLASSES ARENAS BYTES MAP, &stats));
    assert_int_equal(stats.arenas_allocated, 12);
    assert_int_equal(stats.arenas_released, 3);
    assert_int_equal(stats.arenas_highwater, 10);
    assert_int_equal(stats.arenas_current, 9);
    assert_int_equal(stats.arena_bytes, 1048576);
    assert_int_equal(stats.pools_in_use, 8);
    assert_int_equal(stats.live_blocks, 12374);
    assert_int_equal(stats.pools_free, 25);
    assert_int_equal(stats.pool_bytes, 16384);
    assert_int_equal(stats.allocated_bytes, 1356064);
    assert_int_equal(stats.available_bytes, 286240);
    assert_int_equal(stats.header_bytes, 4848);
    assert_int_equal(stats.quantization_bytes, 7632);
    assert_int_equal(stats.alignment_bytes, 32768);
    assert_int_equal(stats.total_bytes, 9437184);
    assert_int_equal(stats.map_bytes, 18432);
}

static void
the_map_is_not_needed(void **state)
{
    (void)state;
    rh_debug_stats stats;
    assert_true(rh_debug_stats_parse(CLASSES ARENAS BYTES, &stats));
    assert_int_equal(stats.map_bytes, 0);
}

static void
misses_what_is_missing(void **state)
{
    (void)state;
    rh_debug_stats stats;
    assert_false(rh_debug_stats_parse("", &stats));
    assert_false(rh_debug_stats_parse(CLASSES, &stats));
    assert_false(rh_debug_stats_parse(CLASSES ARENAS, &stats));
    assert_false(rh_debug_stats_parse(CLASSES BYTES, &stats));
    assert_false(rh_debug_stats_parse("Total =\n=\n\n=====", &stats));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_every_figure),
        cmocka_unit_test(the_map_is_not_needed),
        cmocka_unit_test(misses_what_is_missing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
