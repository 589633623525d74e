/* The rules of replaying, as the compiler applies them. */
#include "replay/program.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

enum { ROOM = 64 };
static rh_code codes[ROOM];
static rh_wide wides[ROOM];
static rh_program program;
static rh_compiler compiler;

static int
fresh(void **state)
{
    (void)state;
    program =
        (rh_program){.codes = codes, .wides = wides, .code_capacity = ROOM, .wide_capacity = ROOM};
    compiler = (rh_compiler){.has_domains = 1, .domain = PYMEM_DOMAIN_OBJ};
    return 0;
}

static void
compile(rh_event event)
{
    assert_int_equal(rh_compile(&compiler, &event, 1, &program), 1);
}

static void
expect_code(uint32_t at, unsigned code, uint32_t slot, uint64_t size)
{
    assert_true(at < program.code_count);
    assert_int_equal(RH_CODE_OF(codes[at]), code);
    assert_int_equal(RH_CODE_SLOT(codes[at]), slot);
    assert_int_equal(RH_CODE_SIZE(codes[at]), size);
}

static const rh_wide *
expect_wide(uint32_t at, rh_wide_kind kind)
{
    assert_true(at < program.code_count);
    assert_int_equal(RH_CODE_OF(codes[at]), RH_CODE_WIDE);
    const rh_wide *wide = &wides[RH_CODE_SIZE(codes[at])];
    assert_int_equal(wide->kind, kind);
    return wide;
}

static void
test_common_calls(void **state)
{
    (void)state;
    compile((rh_event){.operation = RH_MALLOC, .domain = PYMEM_DOMAIN_MEM, .slot = 3, .size = 40});
    compile((rh_event){.operation = RH_CALLOC,
                       .domain = PYMEM_DOMAIN_RAW,
                       .slot = 4,
                       .size = 9,
                       .count = 1,
                       .element = 9});
    compile((rh_event){.operation = RH_REALLOC, .domain = PYMEM_DOMAIN_MEM, .slot = 3, .size = 80});
    compile((rh_event){.operation = RH_FREE, .domain = PYMEM_DOMAIN_MEM, .slot = 3});
    assert_int_equal(program.code_count, 4);
    expect_code(0, RH_CODE_MALLOC + PYMEM_DOMAIN_MEM, 3, 40);
    expect_code(1, RH_CODE_CALLOC + PYMEM_DOMAIN_RAW, 4, 9);
    expect_code(2, RH_CODE_REALLOC + PYMEM_DOMAIN_MEM, 3, 80);
    expect_code(3, RH_CODE_FREE + PYMEM_DOMAIN_MEM, 3, 0);
    assert_int_equal(compiler.allocations, 2);
    assert_int_equal(compiler.reallocations, 1);
    assert_int_equal(compiler.frees, 1);
    assert_int_equal(compiler.calls, 4);
}

static void
test_libc_goes_to_raw(void **state)
{
    (void)state;
    compile((rh_event){.operation = RH_MALLOC, .domain = RH_DOMAIN_LIBC, .slot = 3, .size = 40});
    compile((rh_event){.operation = RH_ALIGNED,
                       .domain = RH_DOMAIN_LIBC,
                       .alignment_log2 = 6,
                       .slot = 4,
                       .size = 50});
    compile((rh_event){.operation = RH_FREE, .domain = RH_DOMAIN_LIBC, .slot = 3});
    assert_int_equal(program.code_count, 3);
    expect_code(0, RH_CODE_MALLOC + PYMEM_DOMAIN_RAW, 3, 40);
    assert_int_equal(program.wides[0].domain, PYMEM_DOMAIN_RAW);
    expect_code(2, RH_CODE_FREE + PYMEM_DOMAIN_RAW, 3, 0);
}

static void
test_what_is_not_issued(void **state)
{
    (void)state;
    compile((rh_event){
        .operation = RH_MALLOC, .flags = RH_EVENT_FAILED, .slot = RH_NO_SLOT, .size = 1});
    compile((rh_event){.operation = RH_REALLOC, .flags = RH_EVENT_FAILED, .slot = 1, .size = 1});
    compile((rh_event){.operation = RH_MALLOC, .flags = RH_EVENT_NESTED, .slot = 2, .size = 600});
    compile((rh_event){.operation = RH_FREE, .flags = RH_EVENT_NESTED, .slot = 2});
    compile((rh_event){.operation = RH_FREE, .flags = RH_EVENT_FOREIGN, .slot = RH_NO_SLOT});
    compile((rh_event){.operation = RH_ARENA_ALLOC, .slot = RH_NO_SLOT, .size = 1 << 20});
    compile((rh_event){.operation = RH_MARK, .slot = RH_NO_SLOT, .text = "phase"});
    assert_int_equal(program.code_count, 0);
    assert_int_equal(compiler.calls, 0);
    assert_int_equal(compiler.recorded_failures, 2);
    assert_int_equal(compiler.nested_events, 2);
    assert_int_equal(compiler.foreign_events, 1);
}

static void
test_null_and_foreign_pointers(void **state)
{
    (void)state;
    compile((rh_event){.operation = RH_FREE,
                       .flags = RH_EVENT_NULL,
                       .domain = PYMEM_DOMAIN_MEM,
                       .slot = RH_NO_SLOT});
    compile((rh_event){.operation = RH_REALLOC,
                       .flags = RH_EVENT_NULL,
                       .domain = PYMEM_DOMAIN_MEM,
                       .slot = 1,
                       .size = 50});
    compile((rh_event){.operation = RH_REALLOC,
                       .flags = RH_EVENT_FOREIGN,
                       .domain = PYMEM_DOMAIN_OBJ,
                       .slot = 2,
                       .size = 60});
    expect_code(0, RH_CODE_FREE_NULL, 0, PYMEM_DOMAIN_MEM);
    expect_code(1, RH_CODE_NEW + PYMEM_DOMAIN_MEM, 1, 50);
    expect_code(2, RH_CODE_MALLOC + PYMEM_DOMAIN_OBJ, 2, 60);
    assert_int_equal(compiler.null_frees, 1);
    assert_int_equal(compiler.allocations, 2);
    assert_int_equal(compiler.foreign_events, 1);
    assert_int_equal(compiler.calls, 3);
}

static void
test_what_is_wide(void **state)
{
    (void)state;
    compile((rh_event){.operation = RH_MALLOC, .slot = 1, .size = UINT64_C(1) << 32});
    compile((rh_event){.operation = RH_MALLOC, .slot = RH_CODE_SLOTS, .size = 1});
    compile((rh_event){.operation = RH_FREE, .slot = RH_CODE_SLOTS});
    compile(
        (rh_event){.operation = RH_CALLOC, .slot = 2, .size = 7 * 256, .count = 7, .element = 256});
    compile((rh_event){.operation = RH_ALIGNED, .slot = 3, .size = 64, .alignment_log2 = 12});
    compile((rh_event){.operation = RH_REALLOC, .slot = 3, .size = 0});
    assert_true(expect_wide(0, RH_WIDE_MALLOC)->size == UINT64_C(1) << 32);
    assert_int_equal(expect_wide(1, RH_WIDE_MALLOC)->slot, RH_CODE_SLOTS);
    assert_int_equal(expect_wide(2, RH_WIDE_FREE)->slot, RH_CODE_SLOTS);
    const rh_wide *calloc_wide = expect_wide(3, RH_WIDE_CALLOC);
    assert_int_equal(calloc_wide->count, 7);
    assert_int_equal(calloc_wide->element, 256);
    assert_int_equal(expect_wide(4, RH_WIDE_ALIGNED)->alignment_log2, 12);
    assert_int_equal(expect_wide(5, RH_WIDE_REALLOC)->size, 0);
    /* The largest that fit. */
    compile((rh_event){.operation = RH_MALLOC, .slot = RH_CODE_SLOTS - 1, .size = UINT32_MAX});
    expect_code(6, RH_CODE_MALLOC, RH_CODE_SLOTS - 1, UINT32_MAX);
}

static void
test_callocs_of_elements(void **state)
{
    (void)state;
    compile((rh_event){.operation = RH_CALLOC, .slot = 2, .size = 56, .count = 7, .element = 8});
    compile((rh_event){.operation = RH_CALLOC, .slot = 3, .size = 0, .count = 0, .element = 255});
    compile((rh_event){.operation = RH_CALLOC,
                       .slot = 4,
                       .size = RH_CODE_COUNTS,
                       .count = RH_CODE_COUNTS,
                       .element = 1});
    expect_code(0, RH_CODE_ELEMENTS, 2, RH_CODE_ELEMENT(7, 8));
    expect_code(1, RH_CODE_ELEMENTS, 3, RH_CODE_ELEMENT(0, 255));
    assert_int_equal(RH_CODE_COUNT_OF(RH_CODE_SIZE(codes[0])), 7);
    assert_int_equal(RH_CODE_BYTES_OF(RH_CODE_SIZE(codes[0])), 8);
    assert_int_equal(expect_wide(2, RH_WIDE_CALLOC)->count, RH_CODE_COUNTS);
}

static void
test_domain_of_a_trace_without(void **state)
{
    (void)state;
    compiler.has_domains = 0;
    compile((rh_event){.operation = RH_MALLOC, .slot = 1, .size = 5});
    expect_code(0, RH_CODE_MALLOC + PYMEM_DOMAIN_OBJ, 1, 5);
    compiler.domain = PYMEM_DOMAIN_RAW;
    compile((rh_event){.operation = RH_MALLOC, .slot = 2, .size = 5});
    expect_code(1, RH_CODE_MALLOC + PYMEM_DOMAIN_RAW, 2, 5);
}

static void
test_samples(void **state)
{
    (void)state;
    compiler.sample_every = compiler.next_sample = 3;
    compiler.has_times = 1;
    for (uint32_t i = 0; i < 7; i++)
        compile((rh_event){.operation = RH_MALLOC, .slot = i, .size = 1, .time_ns = i * 10 + 1});
    assert_int_equal(program.code_count, 9);
    const rh_wide *first = expect_wide(3, RH_WIDE_SAMPLE), *second = expect_wide(7, RH_WIDE_SAMPLE);
    assert_int_equal(first->size, 3);
    assert_int_equal(first->count, 21);
    assert_int_equal(second->size, 6);
    assert_int_equal(second->count, 51);
}

static void
test_full_program_leaves_the_rest(void **state)
{
    (void)state;
    rh_event events[ROOM];
    for (uint32_t i = 0; i < ROOM; i++)
        events[i] =
            (rh_event){.operation = RH_CALLOC, .slot = i, .size = 600, .count = 2, .element = 300};
    program.wide_capacity = 10;
    size_t done = rh_compile(&compiler, events, ROOM, &program);
    assert_int_equal(done, 9);
    assert_int_equal(program.wide_count, 9);
    program.code_count = program.wide_count = 0;
    assert_int_equal(rh_compile(&compiler, events + done, ROOM - done, &program), 9);
    assert_int_equal(compiler.calls, 18);
}

static void
expect_time(uint32_t at, uint64_t time_ns)
{
    assert_true(at < program.code_count);
    assert_int_equal(RH_CODE_OF(codes[at]), RH_CODE_TIME);
    assert_int_equal(RH_CODE_AT(codes[at]), time_ns);
}

static void
test_times(void **state)
{
    (void)state;
    const rh_event events[] = {
        {.operation = RH_MALLOC, .slot = 0, .size = 8, .time_ns = 0},
        {.operation = RH_MALLOC, .slot = 1, .size = 8, .time_ns = 1000},
        {.operation = RH_MALLOC, .slot = 2, .size = 8, .time_ns = 1000},
        {.operation = RH_MALLOC, .slot = 3, .size = 8, .time_ns = 0}, /* not known: as before */
        {.operation = RH_MALLOC, .slot = 4, .size = 8, .time_ns = UINT64_C(1) << 57},
        {.operation = RH_FREE, .slot = 0, .time_ns = 900, .thread = 1}, /* another thread's clock */
        {.operation = RH_FREE, .slot = 1, .time_ns = UINT64_MAX},
    };
    const size_t count = sizeof events / sizeof *events;
    compiler.has_times = compiler.times = 1;
    assert_int_equal(rh_compile(&compiler, events, count, &program), count);
    assert_int_equal(program.code_count, 7 + 5);
    expect_time(0, 1);
    expect_code(1, RH_CODE_MALLOC, 0, 8);
    expect_time(2, 1000);
    expect_code(3, RH_CODE_MALLOC, 1, 8);
    expect_code(4, RH_CODE_MALLOC, 2, 8);
    expect_code(5, RH_CODE_MALLOC, 3, 8);
    expect_time(6, UINT64_C(1) << 57);
    expect_code(7, RH_CODE_MALLOC, 4, 8);
    expect_time(8, 900);
    expect_code(9, RH_CODE_FREE, 0, 0);
    expect_time(10, RH_CODE_AT_MOST);
    expect_code(11, RH_CODE_FREE, 1, 0);
    assert_int_equal(compiler.calls, 7);
    assert_int_equal(compiler.first_time_ns, 1);
    assert_int_equal(compiler.largest_time_ns, RH_CODE_AT_MOST);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_common_calls, fresh),
        cmocka_unit_test_setup(test_libc_goes_to_raw, fresh),
        cmocka_unit_test_setup(test_what_is_not_issued, fresh),
        cmocka_unit_test_setup(test_null_and_foreign_pointers, fresh),
        cmocka_unit_test_setup(test_what_is_wide, fresh),
        cmocka_unit_test_setup(test_callocs_of_elements, fresh),
        cmocka_unit_test_setup(test_domain_of_a_trace_without, fresh),
        cmocka_unit_test_setup(test_samples, fresh),
        cmocka_unit_test_setup(test_times, fresh),
        cmocka_unit_test_setup(test_full_program_leaves_the_rest, fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
