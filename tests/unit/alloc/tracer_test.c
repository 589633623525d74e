// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#include <stdlib.h>
#include <string.h>

#include "alloc/tracer.h"

/* ------------------------------------------------------------------ an allocator beneath */

/* libc, with a way for its OBJ functions to fetch large blocks from a wrapped RAW, as pymalloc
 * does; and something to happen in the middle of a free. */
struct beneath {
    PyMemAllocatorEx raw; /* who serves large blocks; all NULL: libc */
    bool fails;
    void (*on_free)(void *block);
};

static struct beneath beneath;

static void *
beneath_malloc(void *ctx, size_t size)
{
    (void)ctx;
    if (beneath.fails)
        return NULL;
    return beneath.raw.malloc && size > 512 ? beneath.raw.malloc(beneath.raw.ctx, size)
                                            : malloc(size ? size : 1);
}

static void *
beneath_calloc(void *ctx, size_t nelem, size_t elsize)
{
    (void)ctx;
    return beneath.fails ? NULL : calloc(nelem ? nelem : 1, elsize ? elsize : 1);
}

static void *
beneath_realloc(void *ctx, void *block, size_t size)
{
    (void)ctx;
    if (beneath.fails)
        return NULL;
    return beneath.raw.realloc && size > 512 ? beneath.raw.realloc(beneath.raw.ctx, block, size)
                                             : realloc(block, size ? size : 1);
}

static void
beneath_free(void *ctx, void *block)
{
    (void)ctx;
    if (beneath.on_free)
        beneath.on_free(block);
    if (beneath.raw.free)
        beneath.raw.free(beneath.raw.ctx, block);
    else
        free(block);
}

static const PyMemAllocatorEx beneath_functions = {NULL, beneath_malloc, beneath_calloc,
                                                   beneath_realloc, beneath_free};

/* ------------------------------------------------------------------ frames of a made-up program */

static rh_frame stack[400];
static size_t depth;

static size_t
made_frames(void *ctx, const void *caller, rh_frame *frames, size_t most)
{
    (void)ctx;
    assert_non_null(caller);
    memcpy(frames, stack, (depth < most ? depth : most) * sizeof *frames);
    return depth;
}

static const rh_frame_provider made_up = {NULL, made_frames, NULL};

static void
stand_at(const char *file, size_t deep)
{
    depth = deep;
    for (size_t i = 0; i < deep && i < sizeof stack / sizeof *stack; i++)
        stack[i] = (rh_frame){(uintptr_t)file, i + 1};
}

/* ------------------------------------------------------------------ helpers */

static rh_tracer tracer;
static rh_traced traced;
static PyMemAllocatorEx outer;

static void
begin(long frames, const rh_frame_provider *provider)
{
    rh_error error = {0};
    beneath = (struct beneath){.fails = false};
    rh_tracer_init(&tracer);
    rh_tracer_set_provider(&tracer, provider);
    rh_tracer_wrap(&traced, &tracer, 0, &beneath_functions, &outer);
    assert_int_equal(rh_tracer_start(&tracer, frames, &error), RH_OK);
}

static void
end(void)
{
    rh_error error = {0};
    if (rh_tracer_check(&tracer, &error) != RH_OK)
        fail_msg("%s", error.message);
    rh_tracer_release(&tracer);
}

static void
expect(uint64_t traced_bytes, uint64_t peak_bytes, uint64_t blocks)
{
    rh_tracer_figures figures;
    rh_tracer_get_figures(&tracer, &figures);
    assert_int_equal(figures.traced_bytes, traced_bytes);
    assert_int_equal(figures.peak_bytes, peak_bytes);
    assert_int_equal(figures.blocks, blocks);
}

/* ------------------------------------------------------------------ tests */

static void
frames_have_a_range(void **state)
{
    (void)state;
    rh_error error = {0};
    rh_tracer_init(&tracer);
    const long bad[] = {0, -1, 65536, 1L << 40};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(rh_tracer_start(&tracer, bad[i], &error), RH_USAGE);
        assert_string_equal(error.message, "the number of frames must be in range [1; 65535]");
        assert_false(rh_tracer_is_tracing(&tracer));
    }
    assert_int_equal(rh_tracer_start(&tracer, 65535, &error), RH_OK);
    assert_int_equal(tracer.frames_most, 65535);
    assert_int_equal(rh_tracer_start(&tracer, 3, &error), RH_OK); /* traces already */
    assert_int_equal(tracer.frames_most, 65535);
    assert_int_equal(rh_tracer_start(&tracer, 0, &error), RH_USAGE);
    rh_tracer_release(&tracer);
}

static void
return_codes_and_figures(void **state)
{
    (void)state;
    rh_tracer_init(&tracer);
    assert_int_equal(rh_tracer_track(&tracer, 0, 16, 5), -2);
    assert_int_equal(rh_tracer_untrack(&tracer, 0, 16), -2);
    rh_error error = {0};
    rh_tracer_start(&tracer, 1, &error);
    assert_int_equal(rh_tracer_untrack(&tracer, 7, 16), 0); /* unknown domain, unknown block */
    assert_int_equal(rh_tracer_track(&tracer, 0, 16, 5), 0);
    assert_int_equal(rh_tracer_track(&tracer, 7, 16, 50), 0);
    expect(55, 55, 2);
    assert_int_equal(rh_tracer_track(&tracer, 0, 16, 3), 0); /* replaced */
    expect(53, 55, 2);
    assert_int_equal(rh_tracer_track(&tracer, 0, 0, 0), 0); /* both zero: accepted */
    expect(53, 55, 3);
    assert_int_equal(rh_tracer_untrack(&tracer, 1, 16), 0); /* another domain's */
    assert_int_equal(rh_tracer_untrack(&tracer, 7, 16), 0);
    expect(3, 55, 2);
    rh_tracer_reset_peak(&tracer);
    expect(3, 3, 2);
    rh_tracer_clear(&tracer);
    expect(0, 0, 0);
    assert_int_equal(rh_tracer_track(&tracer, 4294967295u, UINTPTR_MAX, 9), 0);
    expect(9, 9, 1);
    rh_tracer_stop(&tracer);
    expect(0, 0, 0);
    assert_int_equal(rh_tracer_track(&tracer, 0, 16, 5), -2);
    rh_tracer_release(&tracer);
}

static void
wrapped_calls_are_traced(void **state)
{
    (void)state;
    begin(1, NULL);
    void *block = outer.malloc(outer.ctx, 10);
    void *zeros = outer.calloc(outer.ctx, 3, 7);
    expect(31, 31, 2);
    block = outer.realloc(outer.ctx, block, 1000);
    expect(1021, 1021, 2);
    void *fresh = outer.realloc(outer.ctx, NULL, 100);
    expect(1121, 1121, 3);
    beneath.fails = true;
    assert_null(outer.realloc(outer.ctx, block, 5000));
    assert_null(outer.malloc(outer.ctx, 1));
    assert_null(outer.calloc(outer.ctx, 1, 1));
    expect(1121, 1121, 3); /* the failed realloc left the old */
    beneath.fails = false;
    outer.free(outer.ctx, NULL);
    outer.free(outer.ctx, block);
    outer.free(outer.ctx, zeros);
    expect(100, 1121, 1);
    outer.free(outer.ctx, fresh);
    expect(0, 1121, 0);
    end();
}

static void
blocks_from_before_are_unknown(void **state)
{
    (void)state;
    begin(1, NULL);
    rh_tracer_stop(&tracer);
    void *old = outer.malloc(outer.ctx, 10), *older = outer.malloc(outer.ctx, 10);
    rh_tracer_start(&tracer, 1, NULL);
    outer.free(outer.ctx, old);
    expect(0, 0, 0);
    older = outer.realloc(outer.ctx, older, 300); /* known from now on */
    expect(300, 300, 1);
    outer.free(outer.ctx, older);
    expect(0, 300, 0);
    end();
}

static void *
libc_malloc(void *ctx, size_t size)
{
    (void)ctx;
    return malloc(size);
}

static void *
libc_realloc(void *ctx, void *block, size_t size)
{
    (void)ctx;
    return realloc(block, size);
}

static void
libc_free(void *ctx, void *block)
{
    (void)ctx;
    free(block);
}

/* A large block of OBJ comes from RAW, which is wrapped as well. */
static void
a_nested_call_counts_once(void **state)
{
    (void)state;
    begin(1, NULL);
    rh_traced raw_traced;
    const PyMemAllocatorEx libc = {NULL, libc_malloc, beneath_calloc, libc_realloc, libc_free};
    rh_tracer_wrap(&raw_traced, &tracer, 0, &libc, &beneath.raw);
    void *block = outer.malloc(outer.ctx, 4000);
    expect(4000, 4000, 1);
    block = outer.realloc(outer.ctx, block, 6000);
    expect(6000, 6000, 1);
    void *raw = beneath.raw.malloc(beneath.raw.ctx, 500); /* RAW by itself is traced */
    expect(6500, 6500, 2);
    outer.free(outer.ctx, block);
    expect(500, 6500, 1);
    beneath.raw.free(beneath.raw.ctx, raw);
    expect(0, 6500, 0);
    end();
}

static void
tracebacks_are_newest_first_and_cut(void **state)
{
    (void)state;
    rh_frame frames[8];
    size_t total;
    begin(3, &made_up);
    stand_at("first.py", 2);
    void *two = outer.malloc(outer.ctx, 1);
    stand_at("second.py", 300);
    void *many = outer.malloc(outer.ctx, 1), *again = outer.malloc(outer.ctx, 1);
    stand_at("third.py", 0);
    void *none = outer.malloc(outer.ctx, 1);
    assert_int_equal(rh_tracer_get_traceback(&tracer, 0, (uintptr_t)two, frames, 8, &total), 2);
    assert_int_equal(total, 2);
    assert_string_equal((const char *)frames[0].place, "first.py");
    assert_int_equal(frames[0].line, 1);
    assert_int_equal(frames[1].line, 2);
    assert_int_equal(rh_tracer_get_traceback(&tracer, 0, (uintptr_t)many, frames, 8, &total), 3);
    assert_int_equal(total, 300);
    assert_int_equal(rh_tracer_get_traceback(&tracer, 0, (uintptr_t)none, frames, 8, &total), 1);
    assert_int_equal(total, 1);
    assert_int_equal(frames[0].place, 0);
    assert_int_equal(frames[0].line, 0);
    char text[32];
    assert_string_equal(rh_frame_name(&made_up, &frames[0], text, sizeof text), "<unknown>");
    assert_int_equal(rh_tracer_get_traceback(&tracer, 0, 1, frames, 8, &total), 0);
    rh_tracer_figures figures;
    rh_tracer_get_figures(&tracer, &figures);
    assert_int_equal(figures.tracebacks, 2); /* interned; the unknown one is none */
    stand_at("fourth.py", 1);
    assert_int_equal(rh_tracer_renew(&tracer, 0, (uintptr_t)two), 0);
    assert_int_equal(rh_tracer_get_traceback(&tracer, 0, (uintptr_t)two, frames, 8, &total), 1);
    assert_string_equal((const char *)frames[0].place, "fourth.py");
    assert_int_equal(rh_tracer_renew(&tracer, 0, 1), -1);
    outer.free(outer.ctx, two);
    outer.free(outer.ctx, many);
    outer.free(outer.ctx, again);
    outer.free(outer.ctx, none);
    end();
}

static void
a_deep_stack_saturates(void **state)
{
    (void)state;
    rh_frame frames[1];
    size_t total;
    begin(1, &made_up);
    stand_at("deep.py", 100000);
    assert_int_equal(rh_tracer_track(&tracer, 0, 1, 1), 0);
    assert_int_equal(rh_tracer_get_traceback(&tracer, 0, 1, frames, 1, &total), 1);
    assert_int_equal(total, 65535);
    end();
    begin(300, &made_up); /* more than fit on the stack of a call */
    stand_at("deep.py", 400);
    assert_int_equal(rh_tracer_track(&tracer, 0, 1, 1), 0);
    assert_int_equal(rh_tracer_get_traceback(&tracer, 0, 1, frames, 1, &total), 300);
    assert_int_equal(total, 400);
    end();
}

static size_t frames_in_the_middle;

static void
look(void *block)
{
    rh_frame frames[4];
    size_t total;
    frames_in_the_middle = rh_tracer_get_traceback(&tracer, 0, (uintptr_t)block, frames, 4, &total);
    expect(0, 10, 0);
}

/* The debug hooks beneath find a block damaged while it is freed, and ask where it came from. */
static void
a_block_is_known_while_it_is_freed(void **state)
{
    (void)state;
    begin(4, &made_up);
    stand_at("a.py", 3);
    void *block = outer.malloc(outer.ctx, 10);
    beneath.on_free = look;
    outer.free(outer.ctx, block);
    assert_int_equal(frames_in_the_middle, 3);
    end();
}

static void
reuse(void *block)
{
    assert_int_equal(rh_tracer_track(&tracer, 0, (uintptr_t)block, 77), 0);
}

/* Whoever gets the address before free has returned keeps its trace. */
static void
an_address_reused_during_free_keeps_its_trace(void **state)
{
    (void)state;
    begin(1, NULL);
    void *block = outer.malloc(outer.ctx, 10);
    beneath.on_free = reuse;
    outer.free(outer.ctx, block);
    expect(77, 77, 1);
    end();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_have_a_range),
        cmocka_unit_test(return_codes_and_figures),
        cmocka_unit_test(wrapped_calls_are_traced),
        cmocka_unit_test(blocks_from_before_are_unknown),
        cmocka_unit_test(a_nested_call_counts_once),
        cmocka_unit_test(tracebacks_are_newest_first_and_cut),
        cmocka_unit_test(a_deep_stack_saturates),
        cmocka_unit_test(a_block_is_known_while_it_is_freed),
        cmocka_unit_test(an_address_reused_during_free_keeps_its_trace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
