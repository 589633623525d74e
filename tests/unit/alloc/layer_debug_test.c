/* The layer over real heaps: two decorations of large objects, counters, aligned blocks, the check,
 * composition with other layers, and the end of a process. */
#define _GNU_SOURCE
#include "alloc/layer_debug.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "alloc/counters.h"
#include "alloc/heap.h"
#include "alloc/layer_count.h"
#include "base/random.h"

static rh_heap *
open_heap(const char *spec)
{
    rh_heap *heap = NULL;
    rh_error error = {.status = RH_OK};
    if (rh_heap_open(spec, &heap, &error) != RH_OK)
        fail_msg("%s", error.message);
    return heap;
}

static unsigned char *
take(rh_heap *heap, int domain, size_t size)
{
    unsigned char *p = heap->domain[domain].malloc(heap->domain[domain].ctx, size);
    assert_non_null(p);
    return p;
}

static unsigned char *
resize(rh_heap *heap, int domain, void *p, size_t size)
{
    return heap->domain[domain].realloc(heap->domain[domain].ctx, p, size);
}

static void
give(rh_heap *heap, int domain, void *p)
{
    heap->domain[domain].free(heap->domain[domain].ctx, p);
}

static void
assert_sound(rh_heap *heap)
{
    rh_error error = {.status = RH_OK};
    if (rh_heap_check(heap, &error) != RH_OK)
        fail_msg("%s", error.message);
}

static void
assert_found(rh_heap *heap, const char *words)
{
    rh_error error = {.status = RH_OK};
    assert_int_equal(rh_heap_check(heap, &error), RH_DIFFERENT);
    if (!strstr(error.message, words))
        fail_msg("no \"%s\" in \"%s\"", words, error.message);
}

static rh_counters
counters_of(rh_heap *heap)
{
    rh_counters counters;
    rh_heap_snapshot(heap, &counters);
    if (counters.mapped_bytes != RH_UNKNOWN)
        assert_int_equal(rh_counters_parts(&counters), counters.mapped_bytes);
    return counters;
}

static void
large_objects_are_decorated_twice(void **state)
{
    (void)state;
    static const char *const specs[] = {"pymalloc+debug", "pymalloc,large=libc+debug",
                                        "pymalloc,metadata=side+debug", "pymalloc+count+debug"};
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
        rh_heap *heap = open_heap(specs[i]);
        for (int domain = PYMEM_DOMAIN_MEM; domain <= PYMEM_DOMAIN_OBJ; domain++) {
            unsigned char *small = take(heap, domain, 488), *large = take(heap, domain, 489);
            assert_int_equal(small[-8], domain == PYMEM_DOMAIN_MEM ? 'm' : 'o');
            assert_int_equal(large[-8], small[-8]);
            assert_int_equal(large[-24], 'r');
            assert_int_equal(rh_debug_requested(large), 489);
            assert_int_equal(rh_debug_requested(large - 16), 489 + 24);
            for (int at = 0; at < 16; at++)
                assert_int_equal(large[489 + at], 0xFD);
            assert_int_equal(rh_heap_usable_size(heap, (PyMemAllocatorDomain)domain, large), 489);
            large = resize(heap, domain, large, 30); /* once outside pools, never in one */
            assert_int_equal(large[-24], 'r');
            give(heap, domain, large);
            give(heap, domain, small);
        }
        unsigned char *nothing = take(heap, PYMEM_DOMAIN_OBJ, 0); /* 24 bytes: in a pool */
        rh_counters counters = counters_of(heap);
        assert_int_equal(counters.pools_in_use, 1);
        give(heap, PYMEM_DOMAIN_OBJ, nothing);
        assert_sound(heap);
        rh_heap_close(heap);
    }
}

static void
counters_tell_what_the_decoration_costs(void **state)
{
    (void)state;
    rh_heap *plain = open_heap("pymalloc"), *heap = open_heap("pymalloc+debug");
    take(plain, PYMEM_DOMAIN_OBJ, 40 + 24);
    take(plain, PYMEM_DOMAIN_RAW, 1000 + 24);
    take(plain, PYMEM_DOMAIN_MEM, 3000 + 48);
    take(heap, PYMEM_DOMAIN_OBJ, 40);
    take(heap, PYMEM_DOMAIN_RAW, 1000);
    take(heap, PYMEM_DOMAIN_MEM, 3000);
    rh_counters below = counters_of(plain), counters = counters_of(heap);
    uint64_t decorations = 24 + 24 + 48;
    assert_int_equal(counters.header_bytes, below.header_bytes + decorations);
    assert_int_equal(counters.block_bytes, below.block_bytes - decorations);
    assert_int_equal(counters.mapped_bytes, below.mapped_bytes);
    assert_int_equal(counters.live_blocks, 3);
    rh_heap_close(plain);
    rh_heap_close(heap);
    heap = open_heap("pymalloc,large=libc+debug,serial=on"); /* the C library's are in no counter */
    unsigned char *object = take(heap, PYMEM_DOMAIN_OBJ, 40);
    unsigned char *raw = take(heap, PYMEM_DOMAIN_RAW, 1000);
    unsigned char *mem = take(heap, PYMEM_DOMAIN_MEM, 3000);
    assert_int_equal(counters_of(heap).header_bytes, 32);
    give(heap, PYMEM_DOMAIN_OBJ, object);
    give(heap, PYMEM_DOMAIN_RAW, raw);
    give(heap, PYMEM_DOMAIN_MEM, mem);
    assert_int_equal(counters_of(heap).header_bytes, 0);
    rh_heap_close(heap);
}

typedef struct figures {
    uint64_t decorations, bytes;
} figures;

static void
take_figure(void *ctx, const char *name, uint64_t value)
{
    figures *found = ctx;
    if (strcmp(name, "debug_decorations") == 0)
        found->decorations = value;
    if (strcmp(name, "debug_decoration_bytes") == 0)
        found->bytes = value;
}

static void
figures_count_every_decoration(void **state)
{
    (void)state;
    rh_heap *heap = open_heap("pymalloc,large=libc+debug");
    void *small = take(heap, PYMEM_DOMAIN_OBJ, 40), *large = take(heap, PYMEM_DOMAIN_OBJ, 4000);
    void *aligned = rh_heap_aligned_alloc(heap, PYMEM_DOMAIN_MEM, 64, 10);
    figures found = {0, 0};
    rh_heap_figures(heap, take_figure, &found);
    assert_int_equal(found.decorations, 4);
    assert_int_equal(found.bytes, 3 * 24 + 64 + 8);
    give(heap, PYMEM_DOMAIN_OBJ, small);
    give(heap, PYMEM_DOMAIN_OBJ, large);
    give(heap, PYMEM_DOMAIN_MEM, aligned);
    rh_heap_figures(heap, take_figure, &found);
    assert_int_equal(found.decorations, 0);
    assert_int_equal(found.bytes, 0);
    rh_heap_close(heap);
}

/* The same calls, with and without memory behind the addresses. */
static void
virtual_heaps_count_alike(void **state)
{
    (void)state;
    static const char *const specs[][2] = {
        {"pymalloc+debug", "pymalloc,source=virtual+debug"},
        {"pymalloc@3.7+debug,python=3.7", "pymalloc@3.7,source=virtual+debug,python=3.7"},
        {"bestfit+debug", "bestfit,source=virtual+debug"}};
    enum { SLOTS = 2000, CALLS = 40000 };
    static void *block[2][SLOTS];
    static int domain[SLOTS];
    for (size_t which = 0; which < sizeof specs / sizeof *specs; which++) {
        rh_heap *heap[2] = {open_heap(specs[which][0]), open_heap(specs[which][1])};
        rh_random random = {which};
        memset(block, 0, sizeof block);
        for (int call = 0; call < CALLS; call++) {
            size_t slot = rh_random_below(&random, SLOTS), dice = rh_random_below(&random, 10);
            size_t size = rh_random_below(&random, dice == 0 ? 60000 : 700);
            if (!block[0][slot])
                domain[slot] = (int)rh_random_below(&random, RH_DOMAINS);
            for (int i = 0; i < 2; i++) {
                const PyMemAllocatorEx *allocator = &heap[i]->domain[domain[slot]];
                void **place = &block[i][slot];
                if (!*place && dice == 1)
                    *place = rh_heap_aligned_alloc(heap[i], (PyMemAllocatorDomain)domain[slot], 256,
                                                   size);
                else if (!*place || dice < 5)
                    *place = allocator->realloc(allocator->ctx, *place, size);
                else {
                    allocator->free(allocator->ctx, *place);
                    *place = NULL;
                }
            }
            assert_int_equal(!block[0][slot], !block[1][slot]);
        }
        rh_counters counters[2] = {counters_of(heap[0]), counters_of(heap[1])};
        assert_memory_equal(&counters[0], &counters[1], sizeof counters[0]);
        assert_true(counters[0].header_bytes > 0);
        assert_sound(heap[0]);
        rh_heap_close(heap[0]);
        rh_heap_close(heap[1]);
    }
}

/* ---- aligned blocks ---- */

static void
aligned_blocks_are_guarded_too(void **state)
{
    (void)state;
    static const char *const specs[] = {"pymalloc+debug",       "pymalloc,large=libc+debug",
                                        "pymalloc+count+debug", "malloc+debug",
                                        "bestfit+debug",        "pymalloc+debug+debug",
                                        "pymalloc+trace+debug", "pymalloc+debug+trace"};
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
        rh_heap *heap = open_heap(specs[i]);
        unsigned char *block[RH_DOMAINS][12];
        for (int domain = 0; domain < RH_DOMAINS; domain++) {
            for (unsigned shift = 5; shift < 17; shift++) {
                size_t size = shift * 37;
                unsigned char *p = rh_heap_aligned_alloc(heap, (PyMemAllocatorDomain)domain,
                                                         (size_t)1 << shift, size);
                assert_non_null(p);
                assert_int_equal((uintptr_t)p % ((size_t)1 << shift), 0);
                assert_int_equal(p[-8], "rmo"[domain]);
                assert_int_equal(p[0], 0xCD);
                assert_int_equal(p[size], 0xFD);
                assert_int_equal(rh_heap_usable_size(heap, (PyMemAllocatorDomain)domain, p), size);
                memset(p, (int)shift, size);
                block[domain][shift - 5] = p;
            }
        }
        assert_sound(heap);
        for (int domain = 0; domain < RH_DOMAINS; domain++) {
            for (unsigned shift = 5; shift < 17; shift++) {
                size_t size = shift * 37, grown = shift % 2 ? size * 20 : size / 3;
                unsigned char *p = resize(heap, domain, block[domain][shift - 5], grown);
                assert_non_null(p);
                for (size_t at = 0; at < grown; at++)
                    assert_int_equal(p[at], at < size ? shift : 0xCD);
                assert_int_equal(p[grown], 0xFD);
                assert_sound(heap);
                give(heap, domain, p);
            }
        }
        assert_sound(heap);
        rh_counters counters = counters_of(heap);
        if (counters.live_blocks != RH_UNKNOWN)
            assert_int_equal(counters.live_blocks, 0);
        rh_heap_close(heap);
    }
}

/* ---- the check ---- */

/* One byte around a live block is another: found, told, and sound again when it is put back. */
static void
change(rh_heap *heap, unsigned char *p, ptrdiff_t at, const char *words)
{
    unsigned char kept = p[at];
    p[at] ^= 0x41;
    assert_found(heap, words);
    p[at] = kept;
    assert_sound(heap);
}

static void
damage_is_found_without_a_free(void **state)
{
    (void)state;
    static const char *const specs[] = {
        "pymalloc+debug",       "bestfit+debug",           "pymalloc,metadata=side+debug,serial=on",
        "pymalloc+debug+count", "pymalloc+freelist+debug", "pymalloc,large=libc+debug"};
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
        rh_heap *heap = open_heap(specs[i]);
        for (int round = 0; round < 300; round++) /* neighbours, some of them freed */
            give(heap, PYMEM_DOMAIN_OBJ, take(heap, PYMEM_DOMAIN_OBJ, (size_t)round));
        unsigned char *kept[300];
        for (int round = 0; round < 300; round++)
            kept[round] = take(heap, round % 3, (size_t)round * 3 % 480);
        bool libc = strstr(specs[i], "libc") != NULL;
        for (int domain = libc ? 1 : 0; domain < RH_DOMAINS; domain++) {
            size_t size = 33;
            unsigned char *p = take(heap, domain, size);
            assert_sound(heap);
            change(heap, p, (ptrdiff_t)size, "bad trailing pad byte");
            change(heap, p, (ptrdiff_t)size + 7, "bad trailing pad byte");
            change(heap, p, -1, "bad leading pad byte");
            change(heap, p, -7, "bad leading pad byte");
            change(heap, p, -8, "debug: block at 0x");
            change(heap, p, -16, "larger than the block");
            give(heap, domain, p);
        }
        if (!libc && strncmp(specs[i], "pymalloc", 8) == 0) {
            unsigned char *large = take(heap, PYMEM_DOMAIN_OBJ, 5000);
            change(heap, large, 5000, "API 'o'"); /* the inner of two decorations */
            change(heap, large, -1, "API 'o'");
            change(heap, large, -20, "bad leading pad byte");
        }
        unsigned char *aligned = rh_heap_aligned_alloc(heap, PYMEM_DOMAIN_MEM, 512, 100);
        change(heap, aligned, 100, "bad trailing pad byte");
        give(heap, PYMEM_DOMAIN_MEM, aligned);
        for (int round = 0; round < 300; round++)
            give(heap, round % 3, kept[round]);
        assert_sound(heap);
        rh_heap_close(heap);
    }
}

/* ---- failures ---- */

/* The Nth request below the hooks fails: what is alive is as it was, in every byte. */
static void
failures_below_change_nothing(void **state)
{
    (void)state;
    enum { BLOCKS = 40 };
    for (unsigned nth = 1; nth < 130; nth++) {
        char spec[64];
        snprintf(spec, sizeof spec, "pymalloc+fault,nth=%u+debug", nth);
        rh_heap *heap = open_heap(spec);
        unsigned char *block[BLOCKS] = {NULL};
        size_t size[BLOCKS] = {0};
        unsigned failed = 0;
        for (unsigned call = 0; call < 3 * BLOCKS; call++) {
            unsigned which = call % BLOCKS, domain = which % RH_DOMAINS;
            size_t wanted = (call * 71) % 900;
            unsigned char *now = resize(heap, (int)domain, block[which], wanted);
            failed += !now;
            if (now) {
                size_t kept = block[which] && size[which] < wanted ? size[which] : wanted;
                if (!block[which])
                    kept = 0;
                for (size_t at = 0; at < wanted; at++)
                    assert_int_equal(now[at], at < kept ? which : 0xCD);
                memset(now, (int)which, wanted);
                block[which] = now;
                size[which] = wanted;
            } else if (block[which]) {
                for (size_t at = 0; at < size[which]; at++)
                    assert_int_equal(block[which][at], which);
            }
            assert_sound(heap);
        }
        assert_int_equal(failed, 1);
        for (unsigned which = 0; which < BLOCKS; which++)
            give(heap, (int)(which % RH_DOMAINS), block[which]);
        assert_int_equal(counters_of(heap).live_blocks, 0);
        rh_heap_close(heap);
    }
}

/* ---- composition ---- */

static void
counting_sees_the_calls_of_its_side(void **state)
{
    (void)state;
    rh_heap *heap = open_heap("pymalloc+debug+count");
    for (int i = 0; i < 10; i++)
        give(heap, PYMEM_DOMAIN_OBJ, take(heap, PYMEM_DOMAIN_OBJ, 5000));
    assert_int_equal(rh_count_layer_calls(heap, PYMEM_DOMAIN_OBJ)->mallocs, 10);
    assert_int_equal(rh_count_layer_calls(heap, PYMEM_DOMAIN_OBJ)->frees, 10);
    assert_int_equal(rh_count_layer_calls(heap, PYMEM_DOMAIN_RAW)->mallocs, 0);
    assert_null(rh_debug_layer_settings(heap));
    rh_heap_close(heap);
    heap = open_heap("pymalloc+count+debug");
    assert_non_null(rh_debug_layer_settings(heap));
    assert_null(rh_count_layer_calls(heap, PYMEM_DOMAIN_OBJ));
    rh_heap_close(heap);
}

static void
statistics_have_the_number_of_calls(void **state)
{
    (void)state;
    rh_heap *heap = open_heap("pymalloc@3.7+debug,python=3.7");
    for (int i = 0; i < 1234; i++)
        take(heap, PYMEM_DOMAIN_OBJ, 10);
    give(heap, PYMEM_DOMAIN_OBJ, resize(heap, PYMEM_DOMAIN_OBJ, NULL, 600)); /* two calls */
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);
    assert_true(rh_heap_print_stats(heap, out));
    fclose(out);
    const char *line = "\n\n# times object malloc called       =                1,236\n"
                       "# arenas allocated total           =";
    if (!strstr(text, line))
        fail_msg("%s", text);
    free(text);
    rh_heap_close(heap);
}

/* ---- threads ---- */

typedef struct worker {
    pthread_t thread;
    rh_heap *heap;
    unsigned number, wrong;
} worker;

static void *
work(void *argument)
{
    enum { BLOCKS = 50, ROUNDS = 4000 };
    worker *self = argument;
    unsigned char *block[BLOCKS] = {NULL};
    size_t size[BLOCKS] = {0};
    rh_random random = {self->number};
    for (int round = 0; round < ROUNDS; round++) {
        size_t at = rh_random_below(&random, BLOCKS), wanted = rh_random_below(&random, 300);
        PyMemAllocatorDomain domain = (PyMemAllocatorDomain)(at % RH_DOMAINS);
        if (!block[at] && round % 5 == 0) {
            block[at] = rh_heap_aligned_alloc(self->heap, domain, 128, wanted);
        } else if (rh_random_below(&random, 3)) {
            block[at] = resize(self->heap, (int)domain, block[at], wanted);
        } else {
            give(self->heap, (int)domain, block[at]);
            block[at] = NULL;
            continue;
        }
        self->wrong += !block[at] || block[at][wanted] != 0xFD;
        size[at] = wanted;
    }
    for (size_t at = 0; at < BLOCKS; at++) {
        self->wrong += block[at] && rh_debug_requested(block[at]) != size[at];
        give(self->heap, (int)(at % RH_DOMAINS), block[at]);
    }
    return NULL;
}

static void
threads_share_the_hooks(void **state)
{
    (void)state;
    enum { WORKERS = 4 };
    rh_heap *heap = open_heap("malloc+debug");
    worker workers[WORKERS];
    for (unsigned i = 0; i < WORKERS; i++) {
        workers[i] = (worker){.heap = heap, .number = i};
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    for (unsigned i = 0; i < WORKERS; i++) {
        assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
        assert_int_equal(workers[i].wrong, 0);
    }
    figures found = {1, 1};
    rh_heap_figures(heap, take_figure, &found);
    assert_int_equal(found.decorations, 0);
    assert_int_equal(found.bytes, 0);
    rh_heap_close(heap);
}

/* ---- the end ---- */

static void
damage_ends_the_process(void **state)
{
    (void)state;
    static const char *const specs[] = {"pymalloc+debug", "malloc+debug", "bestfit+debug+count"};
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
        FILE *file = tmpfile();
        fflush(NULL);
        pid_t child = fork();
        if (child == 0) {
            dup2(fileno(file), STDERR_FILENO);
            rh_heap *heap = open_heap(specs[i]);
            unsigned char *p = take(heap, PYMEM_DOMAIN_OBJ, 16);
            p[16] = 'x';
            give(heap, PYMEM_DOMAIN_OBJ, p);
            _exit(0);
        }
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
        assert_int_equal(WTERMSIG(status), SIGABRT);
        char text[4096];
        rewind(file);
        text[fread(text, 1, sizeof text - 1, file)] = '\0';
        fclose(file);
        assert_non_null(strstr(text, "        at tail+0: 0x78 *** OUCH\n"));
        assert_non_null(
            strstr(text, "Fatal Python error: _PyMem_DebugRawFree: bad trailing pad byte\n"));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(large_objects_are_decorated_twice),
        cmocka_unit_test(counters_tell_what_the_decoration_costs),
        cmocka_unit_test(figures_count_every_decoration),
        cmocka_unit_test(virtual_heaps_count_alike),
        cmocka_unit_test(aligned_blocks_are_guarded_too),
        cmocka_unit_test(damage_is_found_without_a_free),
        cmocka_unit_test(failures_below_change_nothing),
        cmocka_unit_test(counting_sees_the_calls_of_its_side),
        cmocka_unit_test(statistics_have_the_number_of_calls),
        cmocka_unit_test(threads_share_the_hooks),
        cmocka_unit_test(damage_ends_the_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
