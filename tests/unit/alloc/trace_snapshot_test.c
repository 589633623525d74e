#define _GNU_SOURCE
// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc/peak_sizes.h"
#include "alloc/trace_report.h"
#include "alloc/trace_snapshot.h"
#include "base/random.h"

static rh_frame stack[2];

static size_t
two_frames(void *ctx, const void *caller, rh_frame *frames, size_t most)
{
    (void)ctx, (void)caller;
    memcpy(frames, stack, (most < 2 ? most : 2) * sizeof *frames);
    return 2;
}

static const rh_frame_provider provider = {NULL, two_frames, NULL};

static rh_tracer tracer;

static void
begin(long frames)
{
    rh_tracer_init(&tracer);
    rh_tracer_set_provider(&tracer, &provider);
    assert_int_equal(rh_tracer_start(&tracer, frames, NULL), RH_OK);
}

/* A block of `size` bytes from `file`:`line`, called from main.py:1. */
static void
make(uintptr_t address, size_t size, unsigned domain, const char *file, uint64_t line)
{
    stack[0] = (rh_frame){(uintptr_t)file, line};
    stack[1] = (rh_frame){(uintptr_t) "main.py", 1};
    assert_int_equal(rh_tracer_track(&tracer, domain, address, size), 0);
}

static rh_trace_snapshot
take(void)
{
    rh_trace_snapshot snapshot;
    rh_error error = {0};
    if (rh_trace_snapshot_take(&snapshot, &tracer, &error) != RH_OK)
        fail_msg("%s", error.message);
    return snapshot;
}

static rh_trace_groups
group(const rh_trace_snapshot *snapshot, rh_trace_key by)
{
    rh_trace_groups groups;
    rh_error error = {0};
    if (rh_trace_groups_make(&groups, snapshot, by, &error) != RH_OK)
        fail_msg("%s", error.message);
    return groups;
}

static const char a_py[] = "a.py", b_py[] = "b.py";

static void
make_five(void)
{
    make(16, 100, 0, a_py, 1);
    make(32, 100, 0, a_py, 2);
    make(48, 50, 0, b_py, 1);
    make(64, 50, 7, b_py, 1);
    make(80, 50, 7, a_py, 1);
}

static void
expect(const rh_trace_group *group, uint64_t number, uint64_t blocks, uint64_t bytes)
{
    assert_int_equal(group->number, number);
    assert_int_equal(group->blocks, blocks);
    assert_int_equal(group->bytes, bytes);
}

static void
blocks_are_grouped(void **state)
{
    (void)state;
    begin(2);
    make_five();
    rh_trace_snapshot snapshot = take();
    assert_int_equal(snapshot.count, 5);
    assert_int_equal(snapshot.figures.traced_bytes, 350);

    rh_trace_groups by_size = group(&snapshot, RH_BY_SIZE);
    assert_int_equal(by_size.count, 2);
    expect(&by_size.groups[0], 100, 2, 200);
    expect(&by_size.groups[1], 50, 3, 150);

    rh_trace_groups by_domain = group(&snapshot, RH_BY_DOMAIN);
    assert_int_equal(by_domain.count, 2);
    expect(&by_domain.groups[0], 0, 3, 250);
    expect(&by_domain.groups[1], 7, 2, 100);

    rh_trace_groups by_line = group(&snapshot, RH_BY_LINE);
    assert_int_equal(by_line.count, 3);
    expect(&by_line.groups[0], 0, 2, 150);
    assert_ptr_equal(by_line.groups[0].frame.place, a_py);
    assert_int_equal(by_line.groups[0].frame.line, 1);
    expect(&by_line.groups[1], 0, 2, 100); /* as many bytes as a.py:2, and more blocks */
    assert_ptr_equal(by_line.groups[1].frame.place, b_py);
    expect(&by_line.groups[2], 0, 1, 100);

    rh_trace_groups by_place = group(&snapshot, RH_BY_PLACE);
    assert_int_equal(by_place.count, 2);
    expect(&by_place.groups[0], 0, 3, 250);
    assert_int_equal(by_place.groups[0].frame.line, 0);

    rh_trace_groups by_traceback = group(&snapshot, RH_BY_TRACEBACK);
    assert_int_equal(by_traceback.count, 3);
    assert_int_equal(by_traceback.groups[0].traceback.count, 2);
    assert_string_equal((const char *)by_traceback.groups[0].traceback.frames[1].place, "main.py");

    rh_trace_groups_release(&by_size);
    rh_trace_groups_release(&by_domain);
    rh_trace_groups_release(&by_line);
    rh_trace_groups_release(&by_place);
    rh_trace_groups_release(&by_traceback);
    rh_trace_snapshot_release(&snapshot);
    rh_tracer_release(&tracer);
}

static void
the_peak_is_kept_by_size(void **state)
{
    (void)state;
    rh_peak_sizes sizes = {.changes = 0};
    begin(1);
    tracer.peak_sizes = &sizes;
    make_five();
    rh_tracer_untrack(&tracer, 0, 16);
    make(32, 30, 0, a_py, 1); /* smaller than it was */
    make(96, 1, 0, a_py, 1);
    rh_trace_snapshot snapshot = take();
    rh_trace_groups peak;
    assert_int_equal(rh_trace_groups_make_peak(&peak, &snapshot, NULL), RH_OK);
    assert_int_equal(peak.count, 2);
    expect(&peak.groups[0], 100, 2, 200);
    expect(&peak.groups[1], 50, 3, 150);
    rh_trace_groups_release(&peak);
    rh_trace_snapshot_release(&snapshot);
    rh_tracer_reset_peak(&tracer);
    snapshot = take();
    assert_int_equal(rh_trace_groups_make_peak(&peak, &snapshot, NULL), RH_OK);
    assert_int_equal(peak.count, 3);
    expect(&peak.groups[0], 50, 3, 150);
    expect(&peak.groups[1], 30, 1, 30);
    expect(&peak.groups[2], 1, 1, 1);
    rh_trace_groups_release(&peak);
    rh_trace_snapshot_release(&snapshot);
    rh_tracer_release(&tracer); /* with what it kept */
    assert_int_equal(rh_peak_sizes_bytes(&sizes), 0);
}

static void
nothing_is_no_group(void **state)
{
    (void)state;
    begin(1);
    rh_trace_snapshot snapshot = take();
    for (int by = RH_BY_SIZE; by <= RH_BY_PLACE; by++) {
        rh_trace_groups groups = group(&snapshot, (rh_trace_key)by);
        assert_int_equal(groups.count, 0);
        rh_trace_changes changes;
        assert_int_equal(rh_trace_changes_make(&changes, &groups, &groups, NULL), RH_OK);
        assert_int_equal(changes.count, 0);
        rh_trace_groups_release(&groups);
    }
    rh_trace_snapshot_release(&snapshot);
    rh_tracer_release(&tracer);
}

/* A snapshot is of its moment, and tracebacks are the same where their frames are, although the
 * tracer has numbered them anew. */
static void
moments_are_compared(void **state)
{
    (void)state;
    begin(2);
    make_five();
    rh_trace_snapshot before = take();
    rh_tracer_clear(&tracer);
    make(16, 1000, 0, b_py, 9); /* new */
    make(32, 130, 0, a_py, 2);  /* 30 more */
    make(48, 50, 0, b_py, 1);   /* of two blocks one is left */
    rh_trace_snapshot now = take();
    assert_int_equal(before.count, 5);
    rh_trace_groups old_groups = group(&before, RH_BY_TRACEBACK);
    rh_trace_groups new_groups = group(&now, RH_BY_TRACEBACK);
    rh_trace_changes changes;
    assert_int_equal(rh_trace_changes_make(&changes, &old_groups, &new_groups, NULL), RH_OK);
    static const struct {
        const char *file;
        uint64_t line, blocks, bytes;
        int64_t blocks_added, bytes_added;
    } expected[] = {
        {b_py, 9, 1, 1000, 1, 1000},
        {a_py, 1, 0, 0, -2, -150},
        {b_py, 1, 1, 50, -1, -50},
        {a_py, 2, 1, 130, 0, 30},
    };
    assert_int_equal(changes.count, sizeof expected / sizeof *expected);
    for (size_t i = 0; i < changes.count; i++) {
        const rh_trace_change *change = &changes.changes[i];
        assert_ptr_equal(change->group.frame.place, expected[i].file);
        assert_int_equal(change->group.frame.line, expected[i].line);
        assert_int_equal(change->group.blocks, expected[i].blocks);
        assert_int_equal(change->group.bytes, expected[i].bytes);
        assert_int_equal(change->blocks_added, expected[i].blocks_added);
        assert_int_equal(change->bytes_added, expected[i].bytes_added);
    }
    rh_trace_changes_release(&changes);
    rh_trace_groups_release(&old_groups);
    rh_trace_groups_release(&new_groups);
    rh_trace_snapshot_release(&before);
    rh_trace_snapshot_release(&now);
    rh_tracer_release(&tracer);
}

/* Groups of many blocks against a count by another way: an array indexed by size. */
static void
sizes_are_counted(void **state)
{
    (void)state;
    enum { SIZES = 700, BLOCKS = 20000 };
    static uint64_t counts[SIZES];
    memset(counts, 0, sizeof counts);
    begin(1);
    rh_random random = {3};
    for (uintptr_t i = 0; i < BLOCKS; i++) {
        size_t size = rh_random_below(&random, SIZES);
        make(i * 32, size, 0, a_py, 1 + size % 3);
        counts[size]++;
        if (i % 4 == 3) {
            rh_tracer_untrack(&tracer, 0, i * 32);
            counts[size]--;
        }
    }
    rh_trace_snapshot snapshot = take();
    rh_trace_groups groups = group(&snapshot, RH_BY_SIZE);
    for (size_t i = 0; i < groups.count; i++) {
        const rh_trace_group *each = &groups.groups[i];
        assert_int_equal(each->blocks, counts[each->number]);
        assert_int_equal(each->bytes, counts[each->number] * each->number);
        counts[each->number] = 0;
        if (i > 0)
            assert_true(each->bytes <= groups.groups[i - 1].bytes);
    }
    for (size_t size = 0; size < SIZES; size++)
        assert_int_equal(counts[size], 0);
    rh_trace_groups_release(&groups);
    rh_trace_snapshot_release(&snapshot);
    rh_tracer_release(&tracer);
}

static char *
text_of(void (*write)(FILE *out))
{
    static char text[8192];
    memset(text, 0, sizeof text);
    FILE *out = fmemopen(text, sizeof text - 1, "w");
    write(out);
    fclose(out);
    return text;
}

static void
write_report(FILE *out)
{
    rh_trace_report_write(&tracer, out);
}

static void
write_by_traceback(FILE *out)
{
    rh_trace_snapshot snapshot = take();
    rh_trace_groups groups = group(&snapshot, RH_BY_TRACEBACK);
    rh_trace_report_groups(&groups, &snapshot, 1, out);
    rh_trace_groups_release(&groups);
    rh_trace_snapshot_release(&snapshot);
}

static void
reports_are_read(void **state)
{
    (void)state;
    begin(2);
    make_five();
    assert_string_equal(text_of(write_report),
                        "# traced blocks                    =                    5\n"
                        "# traced bytes                     =                  350\n"
                        "# peak of traced bytes             =                  350\n"
                        "# unlike tracebacks                =                    3\n"
                        "# bytes in the tables of traces    =               12,288\n"
                        "\n"
                        "           bytes       blocks      average  size\n"
                        "             200            2        100.0  100\n"
                        "             150            3         50.0  50\n"
                        "\n"
                        "           bytes       blocks      average  allocated at line\n"
                        "             150            2         75.0  a.py:1\n"
                        "             100            2         50.0  b.py:1\n"
                        "             100            1        100.0  a.py:2\n");
    assert_string_equal(
        text_of(write_by_traceback),
        "           bytes       blocks      average  allocated at (most recent call first)\n"
        "             150            2         75.0  \n"
        "  File \"a.py\", line 1\n"
        "  File \"main.py\", line 1\n"
        "             200            3         66.7  2 others\n");
    rh_tracer_release(&tracer);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_are_grouped),       cmocka_unit_test(nothing_is_no_group),
        cmocka_unit_test(the_peak_is_kept_by_size), cmocka_unit_test(moments_are_compared),
        cmocka_unit_test(sizes_are_counted),        cmocka_unit_test(reports_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
