/* PyMem_SetupDebugHooks: what it wraps, and that calling it again never harms. The process has one
 * set of hooks, so each test runs in a child of its own. */
#define _GNU_SOURCE
#include "alloc/pymem_debug.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- a hook of a program's own: passes on to what it was laid over ---- */

typedef struct own_hook {
    PyMemAllocatorEx below;
    unsigned mallocs, frees, depth, deepest;
    bool deaf;    /* small requests are served by itself */
    bool refuses; /* every request */
} own_hook;

static void
enter(own_hook *self)
{
    if (++self->depth > self->deepest)
        self->deepest = self->depth;
}

static void *
own_malloc(void *ctx, size_t size)
{
    own_hook *self = ctx;
    enter(self);
    self->mallocs++;
    void *block = self->refuses ? NULL
                  : self->deaf  ? malloc(size + 1)
                                : self->below.malloc(self->below.ctx, size);
    self->depth--;
    return block;
}

static void *
own_calloc(void *ctx, size_t count, size_t size)
{
    own_hook *self = ctx;
    return self->deaf ? calloc(count + 1, size + 1)
                      : self->below.calloc(self->below.ctx, count, size);
}

static void *
own_realloc(void *ctx, void *block, size_t size)
{
    own_hook *self = ctx;
    return self->deaf ? realloc(block, size + 1)
                      : self->below.realloc(self->below.ctx, block, size);
}

static void
own_free(void *ctx, void *block)
{
    own_hook *self = ctx;
    self->frees++;
    if (self->deaf)
        free(block);
    else
        self->below.free(self->below.ctx, block);
}

static void
lay_over(own_hook *hook, PyMemAllocatorDomain domain)
{
    PyMem_GetAllocator(domain, &hook->below);
    PyMemAllocatorEx functions = {hook, own_malloc, own_calloc, own_realloc, own_free};
    PyMem_SetAllocator(domain, &functions);
}

static PyMemAllocatorEx
current(int domain)
{
    PyMemAllocatorEx allocator;
    PyMem_GetAllocator((PyMemAllocatorDomain)domain, &allocator);
    return allocator;
}

static bool
is_same(const PyMemAllocatorEx *a, const PyMemAllocatorEx *b)
{
    return a->ctx == b->ctx && a->malloc == b->malloc && a->calloc == b->calloc &&
           a->realloc == b->realloc && a->free == b->free;
}

#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                        \
            _exit(1);                                                                              \
        }                                                                                          \
    } while (0)

/* ---- the children ---- */

static void
use_all(void)
{
    for (size_t size = 0; size < 2000; size += 333) {
        unsigned char *raw = PyMem_RawMalloc(size), *mem = PyMem_Malloc(size);
        unsigned char *object = PyObject_Calloc(size, 1);
        REQUIRE(raw && mem && object);
        REQUIRE(raw[-8] == 'r' && mem[-8] == 'm' && object[-8] == 'o');
        REQUIRE((uintptr_t)object % 16 == 0);
        if (size)
            REQUIRE(raw[0] == 0xCD && raw[size - 1] == 0xCD && object[size - 1] == 0);
        if (size > 512) /* handed on to RAW: decorated there as well */
            REQUIRE(mem[-24] == 'r' && object[-24] == 'r' && object[size + 8] == 0xFD);
        raw = PyMem_RawRealloc(raw, size + 10);
        mem = PyMem_Realloc(mem, size / 2);
        object = PyObject_Realloc(object, size * 2);
        REQUIRE(raw && mem && object);
        PyMem_RawFree(raw);
        PyMem_Free(mem);
        PyObject_Free(object);
        PyObject_Free(PyObject_Malloc(size));
    }
}

static void
blocks_are_decorated(void)
{
    PyMem_SetupDebugHooks();
    use_all();
}

static void
again_is_nothing(void)
{
    PyMem_SetupDebugHooks();
    PyMemAllocatorEx first[3] = {current(0), current(1), current(2)};
    void *kept = PyObject_Malloc(40);
    for (int i = 0; i < 5; i++)
        PyMem_SetupDebugHooks();
    for (int i = 0; i < 3; i++) {
        PyMemAllocatorEx now = current(i);
        REQUIRE(is_same(&now, &first[i]));
        REQUIRE(rh_pymem_under_debug_hooks(&now));
        REQUIRE(!rh_pymem_under_debug_hooks(rh_pymem_under_debug_hooks(&now)));
    }
    PyObject_Free(kept);
    use_all();
}

/* Where CPython's own hooks call each other without an end. */
static void
under_another_hook_they_stay(void)
{
    static own_hook own[3];
    PyMem_SetupDebugHooks();
    void *kept[] = {PyMem_RawMalloc(10), PyMem_Malloc(10), PyObject_Malloc(10)};
    for (int i = 0; i < 3; i++)
        lay_over(&own[i], (PyMemAllocatorDomain)i);
    PyMemAllocatorEx top = current(PYMEM_DOMAIN_OBJ);
    PyMem_SetupDebugHooks();
    PyMem_SetupDebugHooks();
    PyMemAllocatorEx now = current(PYMEM_DOMAIN_OBJ);
    REQUIRE(is_same(&now, &top)); /* the hooks are there already */
    use_all();
    PyMem_RawFree(kept[0]); /* of before */
    PyMem_Free(kept[1]);
    PyObject_Free(kept[2]);
    for (int i = 0; i < 3; i++) {
        REQUIRE(own[i].deepest == 1);
        REQUIRE(own[i].mallocs == own[i].frees || own[i].frees > own[i].mallocs);
    }
}

/* What takes the place of the hooks, instead of lying over them, is wrapped. */
static void
another_allocator_is_wrapped(void)
{
    static own_hook own = {.deaf = true};
    PyMem_SetupDebugHooks();
    lay_over(&own, PYMEM_DOMAIN_MEM);
    PyMem_SetupDebugHooks();
    PyMemAllocatorEx now = current(PYMEM_DOMAIN_MEM);
    REQUIRE(rh_pymem_under_debug_hooks(&now)->ctx == &own);
    unsigned char *p = PyMem_Malloc(5);
    REQUIRE(p[-8] == 'm' && p[-24 + 15] == 5 && p[5] == 0xFD);
    PyMem_Free(p);
    REQUIRE(own.deepest == 1);
    own.deaf = false; /* now it passes on to the earlier hook */
    p = PyMem_Malloc(5);
    REQUIRE(p[-8] == 'm' && p[-24] == 'm');
    PyMem_Free(p);
    REQUIRE(own.deepest == 1);
}

/* A hook that refuses everything just now tells by its free that there are hooks below it. */
static void
under_one_that_refuses_they_stay(void)
{
    static own_hook own;
    PyMem_SetupDebugHooks();
    void *kept = PyMem_Malloc(10);
    lay_over(&own, PYMEM_DOMAIN_MEM);
    own.refuses = true;
    PyMem_SetupDebugHooks();
    own.refuses = false;
    PyMem_Free(kept);
    REQUIRE(own.frees == 2);
    use_all();
}

/* A hook that once lay below the debug hooks lies above them later. */
static void
a_hook_that_changes_sides_is_asked_again(void)
{
    static own_hook own;
    PyMemAllocatorEx plain = current(PYMEM_DOMAIN_MEM);
    lay_over(&own, PYMEM_DOMAIN_MEM);
    PyMem_SetupDebugHooks();
    PyMem_SetAllocator(PYMEM_DOMAIN_MEM, &plain);
    PyMem_SetupDebugHooks();
    void *kept = PyMem_Malloc(10);
    lay_over(&own, PYMEM_DOMAIN_MEM);
    PyMem_SetupDebugHooks();
    REQUIRE(current(PYMEM_DOMAIN_MEM).ctx == &own);
    PyMem_Free(kept);
    use_all();
}

static void
put_back_they_are_taken_up_again(void)
{
    PyMemAllocatorEx plain = current(PYMEM_DOMAIN_OBJ);
    PyMem_SetupDebugHooks();
    PyMemAllocatorEx hooked = current(PYMEM_DOMAIN_OBJ);
    PyMem_SetAllocator(PYMEM_DOMAIN_OBJ, &plain);
    PyMem_SetupDebugHooks();
    PyMemAllocatorEx now = current(PYMEM_DOMAIN_OBJ);
    REQUIRE(is_same(&now, &hooked));
    use_all();
}

static bool
say_no(void *ctx)
{
    (void)ctx;
    return false;
}

static void
lock_rule(void)
{
    PyMem_SetupDebugHooks();
    rh_pymem_set_lock_check(say_no, NULL, rh_pymem_no_thread_state);
    PyMem_RawFree(PyMem_RawMalloc(1));
    PyObject_Malloc(1);
}

/* ---- running them ---- */

static int
run_child(void (*body)(void), char *text, size_t capacity)
{
    FILE *file = tmpfile();
    assert_non_null(file);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        dup2(fileno(file), STDERR_FILENO);
        body();
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    rewind(file);
    text[fread(text, 1, capacity - 1, file)] = '\0';
    fclose(file);
    return status;
}

static void
run(void (*body)(void))
{
    static char text[8192];
    int status = run_child(body, text, sizeof text);
    if (status != 0)
        fail_msg("status %d: %s", status, text);
}

#define CHILD(name)                                                                                \
    static void test_##name(void **state)                                                          \
    {                                                                                              \
        (void)state;                                                                               \
        run(name);                                                                                 \
    }

CHILD(blocks_are_decorated)
CHILD(again_is_nothing)
CHILD(under_another_hook_they_stay)
CHILD(another_allocator_is_wrapped)
CHILD(under_one_that_refuses_they_stay)
CHILD(a_hook_that_changes_sides_is_asked_again)
CHILD(put_back_they_are_taken_up_again)

static void
the_lock_rule_ends_the_process(void **state)
{
    (void)state;
    static char text[8192];
    int status = run_child(lock_rule, text, sizeof text);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
    assert_string_equal(
        text, "Fatal Python error: _PyMem_DebugMalloc: Python memory allocator called without an "
              "active thread state. Are you trying to call it inside of a Py_BEGIN_ALLOW_THREADS "
              "block?\nPython runtime state: unknown\n\n");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blocks_are_decorated),
        cmocka_unit_test(test_again_is_nothing),
        cmocka_unit_test(test_under_another_hook_they_stay),
        cmocka_unit_test(test_another_allocator_is_wrapped),
        cmocka_unit_test(test_under_one_that_refuses_they_stay),
        cmocka_unit_test(test_a_hook_that_changes_sides_is_asked_again),
        cmocka_unit_test(test_put_back_they_are_taken_up_again),
        cmocka_unit_test(the_lock_rule_ends_the_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
