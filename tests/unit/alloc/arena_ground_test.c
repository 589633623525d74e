/* Where arenas come from: aligned, apart, reused last in first out, clean when they come again; and
 * a virtual ground that decides the same. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "alloc/arena_ground.h"
#include "base/random.h"

#define MIB ((size_t)1 << 20)

static void
arenas_are_aligned_and_clean(void **state)
{
    (void)state;
    static const size_t sizes[] = {4096, 65536, MIB, 16 * MIB};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        size_t bytes = sizes[i];
        rh_arena_ground ground;
        rh_arena_ground_init(&ground, bytes, false);
        PyObjectArenaAllocator source = rh_arena_ground_source(&ground);
        char *a = source.alloc(source.ctx, bytes), *b = source.alloc(source.ctx, bytes);
        assert_true(a && b);
        assert_int_equal((uintptr_t)a % bytes, 0);
        assert_true((size_t)(b > a ? b - a : a - b) >= bytes);
        memset(a, 1, bytes);
        memset(b, 2, bytes);
        source.free(source.ctx, a, bytes);
        source.free(source.ctx, b, bytes);
        source.free(source.ctx, NULL, bytes);
        assert_ptr_equal(source.alloc(source.ctx, bytes), b);
        assert_ptr_equal(source.alloc(source.ctx, bytes), a);
        assert_int_equal(a[0] + a[bytes - 1] + b[0] + b[bytes - 1], 0);
        rh_arena_ground_release(&ground);
    }
}

/* A program that was given the ground where it expects CPython's source takes other things from it
 * too, and returns what it got elsewhere. */
static void
it_serves_what_is_not_an_arena(void **state)
{
    (void)state;
    rh_arena_ground ground;
    rh_arena_ground_init(&ground, MIB, false);
    PyObjectArenaAllocator source = rh_arena_ground_source(&ground);
    char *arena = source.alloc(source.ctx, MIB), *chunk = source.alloc(source.ctx, 16384);
    assert_true(arena && chunk);
    chunk[0] = chunk[16383] = 1;
    char *foreign = mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(foreign, MAP_FAILED);
    source.free(source.ctx, chunk, 16384);
    source.free(source.ctx, foreign, MIB);
    assert_int_equal(msync(foreign, MIB, MS_ASYNC), -1); /* nothing is mapped there */
    source.free(source.ctx, arena, MIB);
    assert_ptr_equal(source.alloc(source.ctx, MIB), arena);
    rh_arena_ground_release(&ground);
    rh_arena_ground_init(&ground, MIB, true);
    source = rh_arena_ground_source(&ground);
    assert_null(source.alloc(source.ctx, 16384));
    rh_arena_ground_release(&ground);
}

static void
a_virtual_ground_decides_the_same(void **state)
{
    (void)state;
    rh_arena_ground real, numbers;
    rh_arena_ground_init(&real, MIB, false);
    rh_arena_ground_init(&numbers, MIB, true);
    PyObjectArenaAllocator a = rh_arena_ground_source(&real);
    PyObjectArenaAllocator b = rh_arena_ground_source(&numbers);
    enum { HELD = 50 };
    char *held_a[HELD] = {0}, *held_b[HELD] = {0};
    rh_random random = {1};
    ptrdiff_t shift = 0;
    for (int i = 0; i < 2000; i++) {
        size_t at = rh_random_below(&random, HELD);
        if (held_a[at]) {
            a.free(a.ctx, held_a[at], MIB);
            b.free(b.ctx, held_b[at], MIB);
            held_a[at] = NULL;
            continue;
        }
        held_a[at] = a.alloc(a.ctx, MIB);
        held_b[at] = b.alloc(b.ctx, MIB);
        ptrdiff_t now = (ptrdiff_t)((uintptr_t)held_a[at] - (uintptr_t)held_b[at]);
        if (i == 0)
            shift = now;
        assert_int_equal(now, shift);
        assert_int_equal(rh_arena_ground_bytes(&real), rh_arena_ground_bytes(&numbers));
    }
    rh_arena_ground_release(&real);
    rh_arena_ground_release(&numbers);
}

static void
windows_follow_one_another(void **state)
{
    (void)state;
    rh_arena_ground ground;
    size_t gib = (size_t)1 << 30;
    rh_arena_ground_init(&ground, gib, true);
    PyObjectArenaAllocator source = rh_arena_ground_source(&ground);
    uintptr_t last = 0;
    for (int i = 0; i < 200; i++) {
        uintptr_t arena = (uintptr_t)source.alloc(source.ctx, gib);
        assert_true(arena >= last + gib || last == 0);
        last = arena;
    }
    assert_int_equal(ground.window_count, 4);
    rh_arena_ground_release(&ground);
}

/* A sanitizer reserves more address space than this test leaves. */
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
/* A process that may not reserve much gets by with less, and hears of the end by NULL. */
static int
with_little_address_space(void)
{
    struct rlimit limit = {(rlim_t)2 << 30, (rlim_t)2 << 30};
    if (setrlimit(RLIMIT_AS, &limit) != 0)
        return 2;
    rh_arena_ground ground;
    rh_arena_ground_init(&ground, MIB, false);
    PyObjectArenaAllocator source = rh_arena_ground_source(&ground);
    size_t got = 0;
    for (char *arena; got < 4096 && (arena = source.alloc(source.ctx, MIB)) != NULL; got++)
        arena[0] = 1;
    rh_arena_ground_release(&ground);
    return got > 256 && got < 2048 ? 0 : 1;
}

static void
little_address_space_is_enough(void **state)
{
    (void)state;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(with_little_address_space());
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}
#endif

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arenas_are_aligned_and_clean),
        cmocka_unit_test(it_serves_what_is_not_an_arena),
        cmocka_unit_test(a_virtual_ground_decides_the_same),
        cmocka_unit_test(windows_follow_one_another),
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
        cmocka_unit_test(little_address_space_is_enough),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
