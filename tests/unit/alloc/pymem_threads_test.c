/* What threads may do at once: allocate in RAW while somebody exchanges its allocator, ask for
 * allocators for the first time, set up the debug hooks. Worth running under tsan. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <pthread.h>

#include <cmocka.h>

#include "alloc/pymem.h"
#include "alloc/pymem_config.h"

enum { THREADS = 4, ROUNDS = 20000, FORKS = 60 };

/* Allocators that would notice a context with another's functions: the context of each is its own
 * number, and it hands blocks to the one before it. */
typedef struct numbered {
    unsigned number;
    PyMemAllocatorEx under;
} numbered;

static numbered even = {0, {0}}, odd = {1, {0}};
static atomic_uint mixed;

#define NUMBERED(name, which)                                                                      \
    static void *name##_malloc(void *ctx, size_t size)                                             \
    {                                                                                              \
        const numbered *self = ctx;                                                                \
        mixed += self->number != (which);                                                          \
        return self->under.malloc(self->under.ctx, size);                                          \
    }                                                                                              \
    static void *name##_calloc(void *ctx, size_t nelem, size_t elsize)                             \
    {                                                                                              \
        const numbered *self = ctx;                                                                \
        mixed += self->number != (which);                                                          \
        return self->under.calloc(self->under.ctx, nelem, elsize);                                 \
    }                                                                                              \
    static void *name##_realloc(void *ctx, void *block, size_t size)                               \
    {                                                                                              \
        const numbered *self = ctx;                                                                \
        mixed += self->number != (which);                                                          \
        return self->under.realloc(self->under.ctx, block, size);                                  \
    }                                                                                              \
    static void name##_free(void *ctx, void *block)                                                \
    {                                                                                              \
        const numbered *self = ctx;                                                                \
        mixed += self->number != (which);                                                          \
        self->under.free(self->under.ctx, block);                                                  \
    }

NUMBERED(even, 0)
NUMBERED(odd, 1)

static atomic_uint wrong, finished;

static void *
allocate_raw(void *argument)
{
    unsigned char mark = (unsigned char)(uintptr_t)argument;
    for (size_t i = 0; i < ROUNDS; i++) {
        size_t size = i % 700;
        unsigned char *block = i % 3 ? PyMem_RawMalloc(size) : PyMem_RawCalloc(1, size);
        if (block && size) {
            memset(block, mark, size);
            block = PyMem_RawRealloc(block, size + 30);
            wrong += !block || block[0] != mark || block[size - 1] != mark;
        }
        PyMem_RawFree(block);
    }
    finished++;
    return NULL;
}

static void
start(pthread_t threads[THREADS], void *(*run)(void *))
{
    for (uintptr_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, run, (void *)(i + 1)), 0);
}

static void
join(const pthread_t threads[THREADS])
{
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
}

static void
raw_serves_threads_while_it_is_exchanged(void **state)
{
    (void)state;
    PyMem_GetAllocator(PYMEM_DOMAIN_RAW, &even.under);
    odd.under = even.under;
    PyMemAllocatorEx plain = even.under;
    PyMemAllocatorEx evens = {&even, even_malloc, even_calloc, even_realloc, even_free};
    PyMemAllocatorEx odds = {&odd, odd_malloc, odd_calloc, odd_realloc, odd_free};
    PyMemAllocatorEx *turns[] = {&evens, &odds, &plain, &odds};
    pthread_t threads[THREADS];
    start(threads, allocate_raw);
    unsigned exchanges = 0;
    while (atomic_load(&finished) < THREADS)
        PyMem_SetAllocator(PYMEM_DOMAIN_RAW, turns[exchanges++ % 4]);
    join(threads);
    PyMem_SetAllocator(PYMEM_DOMAIN_RAW, &plain);
    assert_true(exchanges > 4);
    assert_int_equal(mixed, 0);
    assert_int_equal(wrong, 0);
}

static PyMemAllocatorEx seen[THREADS][3];
static PyObjectArenaAllocator sources[THREADS];

static void *
ask_first(void *argument)
{
    uintptr_t me = (uintptr_t)argument - 1;
    for (int i = 0; i < 3; i++)
        PyMem_GetAllocator((PyMemAllocatorDomain)i, &seen[me][i]);
    PyObject_GetArenaAllocator(&sources[me]);
    return NULL;
}

/* The heap is opened once, whoever comes first. */
static void
all_see_the_same_heap(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    start(threads, ask_first);
    join(threads);
    for (int i = 0; i < THREADS; i++) {
        assert_memory_equal(&seen[i], &seen[0], sizeof seen[0]);
        assert_memory_equal(&sources[i], &sources[0], sizeof sources[0]);
        assert_non_null(sources[i].alloc);
    }
}

static void *
set_up_hooks(void *argument)
{
    (void)argument;
    PyMem_SetupDebugHooks();
    const char *name = rh_pymem_current_name();
    wrong += !name || strcmp(name, "pymalloc_debug") != 0;
    return NULL;
}

static void
hooks_are_set_up_once(void **state)
{
    (void)state;
    PyMemAllocatorEx before[3];
    for (int i = 0; i < 3; i++)
        PyMem_GetAllocator((PyMemAllocatorDomain)i, &before[i]);
    pthread_t threads[THREADS];
    start(threads, set_up_hooks);
    join(threads);
    assert_int_equal(wrong, 0);
    atomic_store(&finished, 0);
    start(threads, allocate_raw);
    join(threads);
    assert_int_equal(wrong, 0);
    for (int i = 0; i < 3; i++)
        PyMem_SetAllocator((PyMemAllocatorDomain)i, &before[i]);
}

static atomic_bool forking;

static void *
exchange_until_forked(void *argument)
{
    (void)argument;
    PyMemAllocatorEx raw;
    while (atomic_load(&forking)) {
        PyMem_GetAllocator(PYMEM_DOMAIN_RAW, &raw);
        PyMem_SetAllocator(PYMEM_DOMAIN_RAW, &raw);
    }
    return NULL;
}

/* A child forked in the middle of another thread's exchange is not stuck in it. */
static void
a_child_can_exchange(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    atomic_store(&forking, true);
    start(threads, exchange_until_forked);
    for (int i = 0; i < FORKS; i++) {
        pid_t child = fork();
        assert_int_not_equal(child, -1);
        if (child == 0) {
            alarm(20);
            PyMemAllocatorEx raw;
            PyMem_GetAllocator(PYMEM_DOMAIN_RAW, &raw);
            PyMem_SetAllocator(PYMEM_DOMAIN_RAW, &raw);
            PyMem_SetupDebugHooks();
            PyMem_RawFree(PyMem_RawMalloc(10));
            _exit(0);
        }
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    atomic_store(&forking, false);
    join(threads);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_see_the_same_heap), /* first: nothing is open yet */
        cmocka_unit_test(raw_serves_threads_while_it_is_exchanged),
        cmocka_unit_test(hooks_are_set_up_once),
        cmocka_unit_test(a_child_can_exchange),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
