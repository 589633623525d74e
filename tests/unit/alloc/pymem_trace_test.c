/* tracemalloc of the process: hooked over the three domains, taken off again, asked by reports. */
#define _GNU_SOURCE
// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "alloc/object_lists.h"
#include "alloc/pymem.h"
#include "alloc/pymem_debug.h"
#include "alloc/pymem_trace.h"
#include "alloc/pyobject.h"

#ifdef __SANITIZE_ADDRESS__
/* Like CPython's, the map of arenas is never freed; that lies in a mapping, where nobody looks. */
const char *__lsan_default_suppressions(void);
const char *
__lsan_default_suppressions(void)
{
    return "leak:rh_arena_books_node";
}
#endif

static void
start(long frames)
{
    rh_error error = {0};
    if (rh_pymem_trace_start(frames, &error) != RH_OK)
        fail_msg("%s", error.message);
}

static size_t
traced(void)
{
    size_t bytes, peak;
    rh_pymem_trace_get_traced(&bytes, &peak);
    return bytes;
}

static bool
same(const PyMemAllocatorEx *a, const PyMemAllocatorEx *b)
{
    return a->ctx == b->ctx && a->malloc == b->malloc && a->calloc == b->calloc &&
           a->realloc == b->realloc && a->free == b->free;
}

static void
get_all(PyMemAllocatorEx allocators[3])
{
    for (int i = 0; i < 3; i++)
        PyMem_GetAllocator((PyMemAllocatorDomain)i, &allocators[i]);
}

static void
stop_restores_what_start_saved(void **state)
{
    (void)state;
    PyMemAllocatorEx before[3], during[3], after[3];
    get_all(before);
    start(3);
    start(7); /* nothing */
    assert_int_equal(rh_pymem_trace_frame_limit(), 3);
    get_all(during);
    /* A hook above is dropped by stop, as CPython does. */
    PyMemAllocatorEx above = before[2];
    PyMem_SetAllocator(PYMEM_DOMAIN_OBJ, &above);
    rh_pymem_trace_stop();
    rh_pymem_trace_stop();
    get_all(after);
    for (int i = 0; i < 3; i++) {
        assert_false(same(&before[i], &during[i]));
        assert_true(same(&before[i], &after[i]));
    }
    assert_int_equal(rh_pymem_trace_frame_limit(), 3);
}

/* Who saved the allocators while they were traced, and brings them back later, does not make a
 * circle. */
static void
an_old_wrapping_is_not_wrapped_again(void **state)
{
    (void)state;
    PyMemAllocatorEx before[3], during[3], after[3];
    get_all(before);
    start(1);
    get_all(during);
    rh_pymem_trace_stop();
    for (int i = 0; i < 3; i++)
        PyMem_SetAllocator((PyMemAllocatorDomain)i, &during[i]);
    void *untraced = PyObject_Malloc(10); /* passes on */
    assert_non_null(untraced);
    start(1);
    void *block = PyObject_Malloc(10);
    assert_int_equal(traced(), 10);
    PyObject_Free(block);
    PyObject_Free(untraced);
    assert_int_equal(traced(), 0);
    rh_pymem_trace_stop();
    get_all(after);
    for (int i = 0; i < 3; i++)
        assert_true(same(&before[i], &after[i]));
}

static void
every_domain_counts_once(void **state)
{
    (void)state;
    start(1);
    void *raw = PyMem_RawMalloc(100), *mem = PyMem_Calloc(10, 20), *object = PyObject_Malloc(9000);
    assert_int_equal(traced(), 9300);
    object = PyObject_Realloc(object, 20000);
    raw = PyMem_RawRealloc(raw, 0);
    assert_int_equal(traced(), 20200);
    assert_int_equal(PyTraceMalloc_Track(0, (uintptr_t)mem, 1), 0); /* domain 0 is theirs, too */
    assert_int_equal(PyTraceMalloc_Track(3, (uintptr_t)mem, 1000), 0);
    assert_int_equal(traced(), 21001);
    assert_null(PyMem_Malloc((size_t)PY_SSIZE_T_MAX + 1));
    PyObject_Free(object);
    PyMem_Free(mem);
    PyMem_RawFree(raw);
    assert_int_equal(traced(), 1000);
    assert_true(rh_pymem_trace_get_memory() > 0);
    rh_pymem_trace_clear();
    assert_int_equal(traced(), 0);
    rh_pymem_trace_stop();
    assert_int_equal(rh_pymem_trace_get_memory(), 0);
    assert_int_equal(PyTraceMalloc_Untrack(3, (uintptr_t)mem), -2);
}

static void
the_variable_is_read_as_cpython_does(void **state)
{
    (void)state;
    static const char *const refused[] = {"x", "-1", "3 ", "1.5", "99999999999", "0x10"};
    rh_error error = {0};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        assert_int_equal(rh_pymem_trace_configure(refused[i], &error), RH_USAGE);
        assert_string_equal(error.message,
                            "Fatal Python error: config_init_tracemalloc: PYTHONTRACEMALLOC: "
                            "invalid number of frames\nPython runtime state: preinitialized\n");
    }
    assert_int_equal(rh_pymem_trace_configure("70000", &error), RH_USAGE);
    assert_string_equal(error.message,
                        "Fatal Python error: init_interp_main: can't initialize tracemalloc\n"
                        "Python runtime state: core initialized\n"
                        "ValueError: the number of frames must be in range [1; 65535]\n");
    static const char *const nothing[] = {NULL, "", "0", "-0"};
    for (size_t i = 0; i < sizeof nothing / sizeof *nothing; i++) {
        assert_int_equal(rh_pymem_trace_configure(nothing[i], &error), RH_OK);
        assert_false(rh_pymem_trace_is_tracing());
    }
    assert_int_equal(rh_pymem_trace_configure(" +25", &error), RH_OK);
    assert_true(rh_pymem_trace_is_tracing());
    assert_int_equal(rh_pymem_trace_frame_limit(), 25);
    rh_pymem_trace_stop();
}

/* ------------------------------------------------------------------ tracebacks */

static size_t
two_lines(void *ctx, const void *caller, rh_frame *frames, size_t most)
{
    (void)ctx, (void)caller;
    for (size_t i = 0; i < 2 && i < most; i++)
        frames[i] = (rh_frame){(uintptr_t) "ovf.py", 4 + i};
    return 2;
}

static const rh_frame_provider interpreter = {NULL, two_lines, NULL};

static const char *
initialized(void *ctx)
{
    (void)ctx;
    return "initialized";
}

/* The child's stderr: what `body` left there until it died. */
static char *
last_words(void (*body)(void))
{
    static char text[4096];
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        struct rlimit none = {0, 0};
        setrlimit(RLIMIT_CORE, &none);
        signal(SIGABRT, SIG_DFL);
        dup2(ends[1], STDERR_FILENO);
        body();
        _exit(0);
    }
    close(ends[1]);
    size_t length = 0;
    ssize_t got;
    while (length < sizeof text - 1 &&
           (got = read(ends[0], text + length, sizeof text - 1 - length)) > 0)
        length += (size_t)got;
    text[length] = '\0';
    close(ends[0]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
    return text;
}

static void
overrun_a_traced_block(void)
{
    rh_error error = {0};
    rh_pymem_set_runtime_state(initialized, NULL);
    PyMem_SetupDebugHooks();
    rh_pymem_trace_set_provider(&interpreter);
    rh_pymem_trace_start(25, &error);
    char *block = PyMem_Malloc(16);
    block[16] = 'x';
    PyMem_Free(block);
}

static void
overrun_a_block_from_before(void)
{
    rh_error error = {0};
    PyMem_SetupDebugHooks();
    char *block = PyMem_Malloc(16);
    rh_pymem_trace_start(25, &error);
    block[16] = 'x';
    PyMem_Free(block);
}

static void
overrun_after_the_stop(void)
{
    rh_error error = {0};
    PyMem_SetupDebugHooks();
    rh_pymem_trace_start(25, &error);
    char *block = PyMem_Malloc(16);
    rh_pymem_trace_stop();
    block[16] = 'x';
    PyMem_Free(block);
}

/* What a libpython 3.11 printed in the same place. */
static void
reports_tell_where_a_block_came_from(void **state)
{
    (void)state;
    const char *text = last_words(overrun_a_traced_block);
    assert_non_null(strstr(text, "    Data at p: cd cd cd cd cd cd cd cd cd cd cd cd cd cd cd cd\n"
                                 "\n"
                                 "Memory block allocated at (most recent call first):\n"
                                 "  File \"ovf.py\", line 4\n"
                                 "  File \"ovf.py\", line 5\n"
                                 "\n"
                                 "Fatal Python error: _PyMem_DebugRawFree: bad trailing pad byte\n"
                                 "Python runtime state: initialized\n"));
    text = last_words(overrun_a_block_from_before);
    assert_non_null(strstr(text, "cd cd\n\nFatal Python error"));
    text = last_words(overrun_after_the_stop);
    assert_non_null(strstr(text, "Enable tracemalloc to get the memory block allocation "
                                 "traceback\n\nFatal Python error"));
}

static __attribute__((noinline)) void *
allocate_here(void)
{
    void *block = PyMem_Malloc(77);
    __asm__ volatile("" : : "r"(block)); /* not a tail call: this function stays on the stack */
    return block;
}

static void
native_frames_lead_to_the_caller(void **state)
{
    (void)state;
    rh_frame frames[16];
    size_t total;
    rh_pymem_trace_set_provider(rh_pymem_trace_native_frames());
    start(16);
    void *block = allocate_here();
    size_t count = rh_pymem_trace_get_traceback(0, (uintptr_t)block, frames, 16, &total);
    assert_true(count >= 3);
    assert_true(total >= count);
    /* PyMem_Malloc passes on in a tail call, but for a sanitizer's. */
    size_t newest = 0;
    while (newest < 2 && frames[newest].place - (uintptr_t)allocate_here > 1000)
        newest++;
    assert_true(frames[newest].place > (uintptr_t)allocate_here);
    assert_true(frames[newest].place < (uintptr_t)allocate_here + 1000);
    char name[512];
    rh_frame_name(rh_pymem_trace_native_frames(), &frames[newest], name, sizeof name);
    assert_non_null(strstr(name, "pymem_trace_test("));
    PyMem_Free(block);
    rh_pymem_trace_stop();
    rh_pymem_trace_set_provider(NULL);
}

static void
a_reused_object_is_from_elsewhere(void **state)
{
    (void)state;
    rh_frame frame;
    size_t total;
    start(1);
    void *object = PyObject_Malloc(48);
    rh_pymem_trace_get_traceback(0, (uintptr_t)object, &frame, 1, &total);
    assert_int_equal(frame.place, 0);
    rh_pymem_trace_stop();
    rh_pymem_trace_set_provider(&interpreter);
    start(1);
    PyTraceMalloc_Track(0, (uintptr_t)object, 48);
    rh_pymem_trace_renew(object);
    assert_int_equal(rh_pymem_trace_get_traceback(0, (uintptr_t)object, &frame, 1, &total), 1);
    assert_int_equal(total, 2);
    assert_int_equal(frame.line, 4);
    assert_int_equal(traced(), 48);
    PyObject_Free(object);
    rh_pymem_trace_stop();
    rh_pymem_trace_set_provider(NULL);
}

static uint64_t line_now;

static size_t
one_line(void *ctx, const void *caller, rh_frame *frames, size_t most)
{
    (void)ctx, (void)caller, (void)most;
    frames[0] = (rh_frame){(uintptr_t) "objects.py", line_now};
    return 1;
}

static const rh_frame_provider one_liner = {NULL, one_line, NULL};

static uint64_t
line_of(const void *block)
{
    rh_frame frame = {0, 0};
    size_t total;
    rh_pymem_trace_get_traceback(0, (uintptr_t)block, &frame, 1, &total);
    return frame.line;
}

/* An object out of a free list is no event for the allocator, and yet it is a new one. */
static void
objects_from_free_lists_are_from_where_they_are_reused(void **state)
{
    (void)state;
    static PyTypeObject plain = {.tp_name = "plain", .tp_basicsize = 48};
    static PyTypeObject collected = {
        .tp_name = "collected", .tp_basicsize = 40, .tp_flags = Py_TPFLAGS_HAVE_GC};
    static rh_object_lists lists;
    rh_object_lists_init(&lists, 11);
    assert_true(rh_object_lists_enter(&lists, &plain, RH_FREE_FLOAT, 0));
    assert_true(rh_object_lists_enter(&lists, &collected, RH_FREE_LIST, 0));
    rh_pymem_trace_set_provider(&one_liner);
    start(1);
    PyTypeObject *const types[] = {&plain, &collected};
    for (int i = 0; i < 2; i++) {
        size_t header = i ? RH_GC_HEADER_BYTES : 0;
        line_now = 10;
        PyObject *object = rh_object_new(&lists, types[i]);
        assert_int_equal(line_of((char *)object - header), 10);
        size_t before = traced();
        rh_object_delete(&lists, object);
        assert_int_equal(traced(), before); /* kept */
        line_now = 20;
        assert_ptr_equal(rh_object_new(&lists, types[i]), object);
        assert_int_equal(line_of((char *)object - header), 20);
        assert_int_equal(traced(), before);
        rh_object_delete(&lists, object);
    }
    rh_object_lists_finish(&lists);
    assert_int_equal(traced(), 0);
    rh_pymem_trace_stop();
    rh_pymem_trace_set_provider(NULL);
}

/* ------------------------------------------------------------------ threads */

enum { THREADS = 4, ROUNDS = 20000 };

static void *
use_raw(void *argument)
{
    void *blocks[16] = {NULL};
    unsigned number = (unsigned)(uintptr_t)argument;
    for (unsigned i = 0; i < ROUNDS; i++) {
        number = number * 1103515245 + 12345;
        void **chosen = &blocks[number >> 8 & 15];
        switch (number >> 20 & 3) {
        case 0:
            PyMem_RawFree(*chosen);
            *chosen = NULL;
            break;
        case 1:
            *chosen = PyMem_RawRealloc(*chosen, number >> 16 & 1023);
            break;
        default:
            PyMem_RawFree(*chosen);
            *chosen = PyMem_RawMalloc(number >> 16 & 1023);
            PyTraceMalloc_Track(1, number & 255, 10);
            break;
        }
        PyTraceMalloc_Untrack(1, number >> 12 & 255);
    }
    for (int i = 0; i < 16; i++)
        PyMem_RawFree(blocks[i]);
    return NULL;
}

static void
run_threads(void *(*body)(void *), bool restart)
{
    pthread_t threads[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, body, (void *)(i + 1)), 0);
    for (int i = 0; i < 40; i++) {
        rh_trace_snapshot snapshot;
        if (rh_pymem_trace_snapshot(&snapshot, NULL) == RH_OK)
            rh_trace_snapshot_release(&snapshot);
        if (restart && i % 4 == 0) {
            rh_pymem_trace_stop();
            start(2);
        }
        if (i % 4 == 2)
            rh_pymem_trace_reset_peak();
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

/* No trace is lost and none is left over, although addresses go from thread to thread. */
static void
threads_share_the_table(void **state)
{
    (void)state;
    start(2);
    run_threads(use_raw, false);
    for (uintptr_t i = 0; i < 256; i++)
        PyTraceMalloc_Untrack(1, i);
    rh_trace_snapshot snapshot;
    assert_int_equal(rh_pymem_trace_snapshot(&snapshot, NULL), RH_OK);
    assert_int_equal(snapshot.count, 0);
    rh_trace_snapshot_release(&snapshot);
    assert_int_equal(traced(), 0);
    rh_pymem_trace_stop();
}

static void
tracing_comes_and_goes_under_threads(void **state)
{
    (void)state;
    rh_pymem_trace_set_provider(&interpreter);
    start(2);
    run_threads(use_raw, true);
    rh_pymem_trace_stop();
    rh_pymem_trace_set_provider(NULL);
}

static atomic_bool enough;

static void *
use_raw_until_told(void *argument)
{
    while (!atomic_load(&enough))
        use_raw(argument);
    return NULL;
}

/* A child has one thread, whatever the others were in the middle of. */
static void
a_child_can_allocate(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    start(1);
    atomic_store(&enough, false);
    for (uintptr_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, use_raw_until_told, (void *)(i + 1)), 0);
    for (int i = 0; i < 50; i++) {
        pid_t child = fork();
        if (child == 0) {
            alarm(20); /* instead of waiting for ever */
            void *block = PyMem_RawMalloc(10);
            _exit(PyTraceMalloc_Track(0, (uintptr_t)block, 10));
        }
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
    }
    atomic_store(&enough, true);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    rh_pymem_trace_stop();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stop_restores_what_start_saved),
        cmocka_unit_test(an_old_wrapping_is_not_wrapped_again),
        cmocka_unit_test(every_domain_counts_once),
        cmocka_unit_test(the_variable_is_read_as_cpython_does),
        cmocka_unit_test(reports_tell_where_a_block_came_from),
        cmocka_unit_test(native_frames_lead_to_the_caller),
        cmocka_unit_test(a_reused_object_is_from_elsewhere),
        cmocka_unit_test(objects_from_free_lists_are_from_where_they_are_reused),
        cmocka_unit_test(threads_share_the_table),
        cmocka_unit_test(tracing_comes_and_goes_under_threads),
        cmocka_unit_test(a_child_can_allocate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
