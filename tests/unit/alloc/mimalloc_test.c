/* How mimalloc's heaps are arranged, told by what its statistics count, and the text of these. */
#define _GNU_SOURCE
// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc/heap.h"
#include "alloc/mimalloc.h"

#define TEXT_BYTES 4096

static rh_heap *
open_heap(const char *spec)
{
    rh_heap *heap = NULL;
    rh_error error = {0};
    rh_status status = rh_heap_open(spec, &heap, &error);
    if (status == RH_CANNOT_RUN && strstr(error.message, "is not installed")) {
        print_message("SKIP: %s\n", error.message);
        skip();
    }
    if (status != RH_OK)
        fail_msg("%s", error.message);
    return heap;
}

static void *
make(rh_heap *heap, PyMemAllocatorDomain domain, size_t size)
{
    void *block = heap->domain[domain].malloc(heap->domain[domain].ctx, size);
    assert_non_null(block);
    return block;
}

static void
unmake(rh_heap *heap, PyMemAllocatorDomain domain, void *block)
{
    heap->domain[domain].free(heap->domain[domain].ctx, block);
}

static void
print(rh_heap *heap, char text[TEXT_BYTES])
{
    FILE *out = fmemopen(text, TEXT_BYTES, "w");
    assert_non_null(out);
    assert_true(rh_heap_print_stats(heap, out));
    fclose(out);
}

/* What the text says. */
struct told {
    uint64_t blocks, bytes, full_bytes, reserved_bytes, committed_bytes;
};

static struct told
ask(rh_heap *heap)
{
    char text[TEXT_BYTES] = "";
    struct told told;
    print(heap, text);
    assert_int_equal(sscanf(text,
                            "Small block threshold = 16384, in 73 size classes.\n"
                            "Medium block threshold = 131072\n"
                            "Large object max size = 16777216\n"
                            "    Allocated Blocks: %" SCNu64 "\n"
                            "    Allocated Bytes: %" SCNu64 "\n"
                            "    Allocated Bytes w/ Overhead: %" SCNu64 "\n"
                            "    Bytes Reserved: %" SCNu64 "\n"
                            "    Bytes Committed: %" SCNu64 "\n",
                            &told.blocks, &told.bytes, &told.full_bytes, &told.reserved_bytes,
                            &told.committed_bytes),
                     5);
    return told;
}

static uint64_t
reported(rh_heap *heap)
{
    rh_counters counters;
    rh_heap_snapshot(heap, &counters);
    return counters.reported_allocated_bytes;
}

enum { BLOCKS = 500, SIZE = 320 }; /* a size of its own class */

/* Whether blocks of a domain are in the text, and in what the heap reports. */
static void
verify_domain(rh_heap *heap, PyMemAllocatorDomain domain, bool in_text, bool is_reported)
{
    void *block[BLOCKS];
    struct told before = ask(heap);
    uint64_t reported_before = reported(heap);
    for (int i = 0; i < BLOCKS; i++)
        block[i] = make(heap, domain, SIZE);
    struct told after = ask(heap);
    assert_int_equal(after.blocks - before.blocks, in_text ? BLOCKS : 0);
    assert_int_equal(after.bytes - before.bytes, in_text ? BLOCKS * SIZE : 0);
    assert_true(after.full_bytes >= after.bytes);
    assert_true(after.reserved_bytes >= after.committed_bytes);
    assert_true(after.committed_bytes >= after.full_bytes);
    assert_int_equal(reported(heap) - reported_before, is_reported ? BLOCKS * SIZE : 0);
    for (int i = 0; i < BLOCKS; i++)
        unmake(heap, domain, block[i]);
    assert_int_equal(ask(heap).blocks, before.blocks);
}

static void
each_arrangement_puts_domains_where_it_says(void **state)
{
    (void)state;
    static const struct {
        const char *spec;
        bool in_text[RH_DOMAINS]; /* on the thread's default heap; without a preset, on any */
        bool raw_is_reported;
    } expected[] = {
        {"mimalloc", {true, true, true}, true},
        {"mimalloc@3.13", {false, true, true}, false},
        {"mimalloc@3.14", {false, true, true}, false},
        {"mimalloc@3.15", {true, true, true}, true},
        {"mimalloc@3.13t", {false, false, false}, false},
        {"mimalloc@3.14t", {false, false, false}, false},
        {"mimalloc@3.15t", {true, false, false}, true},
        {"mimalloc@3.13,raw=mimalloc", {true, true, true}, true},
        {"mimalloc,heaps=state,raw=libc", {false, false, false}, false},
    };
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        rh_heap *heap = open_heap(expected[i].spec);
        for (int domain = 0; domain < RH_DOMAINS; domain++) {
            bool is_reported = domain != PYMEM_DOMAIN_RAW || expected[i].raw_is_reported;
            verify_domain(heap, (PyMemAllocatorDomain)domain, expected[i].in_text[domain],
                          is_reported);
        }
        rh_heap_close(heap);
    }
}

static void *
resize(rh_heap *heap, void *block, size_t size)
{
    const PyMemAllocatorEx *object = &heap->domain[PYMEM_DOMAIN_OBJ];
    return object->realloc(object->ctx, block, size);
}

/* A block of 320 bytes stays for 160 to 320. */
static void
free_threaded_objects_move_by_the_half(void **state)
{
    (void)state;
    rh_heap *heap = open_heap("mimalloc@3.13t");
    unsigned char *block = make(heap, PYMEM_DOMAIN_OBJ, SIZE);
    assert_int_equal(rh_heap_usable_size(heap, PYMEM_DOMAIN_OBJ, block), SIZE);
    memset(block, 7, SIZE);
    assert_ptr_equal(resize(heap, block, SIZE), block);
    assert_ptr_equal(resize(heap, block, SIZE / 2), block);
    unsigned char *moved = resize(heap, block, SIZE / 2 - 1);
    assert_ptr_not_equal(moved, block);
    for (int i = 0; i < SIZE / 2 - 1; i++)
        assert_int_equal(moved[i], 7);
    unsigned char *grown = resize(heap, moved, 1000);
    assert_ptr_not_equal(grown, moved);
    for (int i = 0; i < SIZE / 2 - 1; i++)
        assert_int_equal(grown[i], 7);
    unsigned char *least = resize(heap, grown, 0);
    assert_non_null(least);
    assert_ptr_not_equal(least, grown);
    assert_null(resize(heap, least, PTRDIFF_MAX));
    void *fresh = resize(heap, NULL, 10);
    assert_non_null(fresh);
    unmake(heap, PYMEM_DOMAIN_OBJ, fresh);
    unmake(heap, PYMEM_DOMAIN_OBJ, least);
    rh_heap_close(heap);
}

/* Blocks of one size from two heaps never lie in one page of 64 KiB. */
static void
collected_objects_have_heaps_of_their_own(void **state)
{
    (void)state;
    rh_heap *heap = open_heap("mimalloc@3.13t");
    static const rh_mimalloc_heap order[] = {RH_MIMALLOC_OBJECT, RH_MIMALLOC_GC, RH_MIMALLOC_GC_PRE,
                                             RH_MIMALLOC_OBJECT};
    uintptr_t page[4];
    void *block[4];
    uint64_t before = reported(heap);
    for (int i = 0; i < 4; i++) {
        assert_true(rh_mimalloc_use(heap, order[i]));
        block[i] = make(heap, PYMEM_DOMAIN_OBJ, 64);
        page[i] = (uintptr_t)block[i] >> 16;
    }
    assert_int_equal(page[0], page[3]);
    assert_int_not_equal(page[0], page[1]);
    assert_int_not_equal(page[0], page[2]);
    assert_int_not_equal(page[1], page[2]);
    assert_int_equal(reported(heap) - before, 4 * 64);
    assert_false(rh_mimalloc_use(heap, RH_MIMALLOC_MEM));
    for (int i = 0; i < 4; i++)
        unmake(heap, PYMEM_DOMAIN_OBJ, block[i]);
    rh_heap_close(heap);
    heap = open_heap("mimalloc@3.13");
    assert_false(rh_mimalloc_use(heap, RH_MIMALLOC_GC));
    rh_heap_close(heap);
    heap = open_heap("malloc");
    assert_false(rh_mimalloc_use(heap, RH_MIMALLOC_GC));
    rh_heap_close(heap);
}

struct visitor {
    rh_heap *heap;
    void *block[BLOCKS];
    uint64_t own_blocks; /* in the text, before and after the thread's own allocations */
    uint64_t own_blocks_after;
};

static void *
visit(void *argument)
{
    struct visitor *visitor = argument;
    visitor->own_blocks = ask(visitor->heap).blocks;
    for (int i = 0; i < BLOCKS; i++) {
        visitor->block[i] = make(visitor->heap, PYMEM_DOMAIN_OBJ, SIZE);
        memset(visitor->block[i], 0x5A, SIZE);
    }
    visitor->own_blocks_after = ask(visitor->heap).blocks;
    return NULL;
}

/* The text is of the thread that asks. What a thread that has ended leaves stays valid, and another
 * frees it. */
static void
threads_have_heaps_of_their_own(void **state)
{
    (void)state;
    static const char *const specs[] = {"mimalloc", "mimalloc@3.13", "mimalloc@3.15t"};
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
        struct visitor visitor = {.heap = open_heap(specs[i])};
        pthread_t thread;
        uint64_t before = ask(visitor.heap).blocks;
        assert_int_equal(pthread_create(&thread, NULL, visit, &visitor), 0);
        assert_int_equal(pthread_join(thread, NULL), 0);
        assert_int_equal(visitor.own_blocks, 0);
        assert_int_equal(visitor.own_blocks_after, strchr(specs[i], 't') ? 0 : BLOCKS);
        assert_int_equal(ask(visitor.heap).blocks, before);
        for (int j = 0; j < BLOCKS; j++) {
            const unsigned char *block = visitor.block[j];
            for (int at = 0; at < SIZE; at++)
                assert_int_equal(block[at], 0x5A);
            unmake(visitor.heap, PYMEM_DOMAIN_OBJ, visitor.block[j]);
        }
        rh_heap_close(visitor.heap);
    }
}

/* ---- the real one ---- */

/* Digits become one 0, so that lines are compared by their words. */
static void
blot_numbers(const char *from, char *to)
{
    for (; *from; from++) {
        if (*from < '0' || *from > '9')
            *to++ = *from;
        else if (from[1] < '0' || from[1] > '9')
            *to++ = '0';
    }
    *to = '\0';
}

/* The eight lines that a Python prints when it ends; false when it is none, or without mimalloc. */
static bool
ask_python(const char *python, char text[TEXT_BYTES])
{
    char command[4400];
    snprintf(command, sizeof command, "PYTHONMALLOC=mimalloc PYTHONMALLOCSTATS=1 '%s' -c pass 2>&1",
             python);
    FILE *out = popen(command, "r");
    assert_non_null(out);
    size_t length = fread(text, 1, TEXT_BYTES - 1, out);
    text[length] = '\0';
    pclose(out);
    return strstr(text, "Allocated Blocks") != NULL;
}

static void
the_text_is_cpythons(void **state)
{
    (void)state;
    const char *folder = getenv("REHEAP_PYTHONS");
    static const char *const versions[] = {"3.13.0", "3.14.0", "3.13t", "3.14t"};
    char path[4200], theirs[TEXT_BYTES], ours[TEXT_BYTES] = "", wanted[TEXT_BYTES];
    int compared = 0;
    rh_heap *heap = open_heap("mimalloc@3.13");
    void *block = make(heap, PYMEM_DOMAIN_OBJ, 100);
    print(heap, ours);
    for (size_t i = 0; folder && i < sizeof versions / sizeof *versions; i++) {
        snprintf(path, sizeof path, "%s/%s/bin/python3", folder, versions[i]);
        if (!ask_python(path, theirs))
            continue;
        blot_numbers(theirs, wanted);
        char blotted[TEXT_BYTES];
        blot_numbers(ours, blotted);
        assert_string_equal(blotted, wanted);
        size_t thresholds = (size_t)(strstr(theirs, "    Allocated Blocks") - theirs);
        assert_memory_equal(ours, theirs, thresholds);
        compared++;
    }
    unmake(heap, PYMEM_DOMAIN_OBJ, block);
    rh_heap_close(heap);
    if (!compared) {
        print_message("SKIP: REHEAP_PYTHONS has no interpreter with mimalloc\n");
        skip();
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_arrangement_puts_domains_where_it_says),
        cmocka_unit_test(free_threaded_objects_move_by_the_half),
        cmocka_unit_test(collected_objects_have_heaps_of_their_own),
        cmocka_unit_test(threads_have_heaps_of_their_own),
        cmocka_unit_test(the_text_is_cpythons),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
