/* Want of memory in the heaps: the Nth request fails, for N = 1, 2, 3, … until everything succeeds;
 * each time the heap is sound afterwards, nobody's contents are lost, nothing leaks, and with
 * memory there again all goes on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "alloc/heap.h"
#include "base/error.h"
#include "base/random.h"
#include "tests/fault/alloc/gate.h"

/* Not malloc: it refuses a process whose malloc is not the C library's own. */
static const char *const specs[] = {
    "pymalloc",
    "pymalloc@3.9",
    "pymalloc,metadata=side",
    "pymalloc,large=libc",
    "pymalloc,source=virtual,metadata=side",
    "pymalloc,arena=64K,pool=4K,policy=lowest-address,keep=3",
    "pymalloc,classes=geometric:4",
    "bestfit",
    "bestfit,source=virtual",
    "bump",
    "bump,window=1M",
    "bestfit+count",
    "pymalloc+fault,nth=1000000",
    "pymalloc+count+fault,nth=1000000+count",
    "pymalloc+trace",
    "bestfit+trace",
    "bump+trace",
};

enum { SPECS = sizeof specs / sizeof *specs, NTH_MAX = 100000 };

static bool
has_contents(const char *spec)
{
    return !strstr(spec, "virtual") && !strstr(spec, "bump");
}

static void
require_sound(rh_heap *heap, const char *spec, const char *when, uint64_t nth)
{
    rh_error error = {0};
    if (rh_heap_check(heap, &error) != RH_OK)
        fail_msg("%s, %s, failing request %lu: %s", spec, when, nth, error.message);
}

/* ---- opening and closing ---- */

static void
require_nothing_left(const char *spec, struct gate_account before, uint64_t nth)
{
    struct gate_account after = gate_account();
    if (after.blocks != before.blocks || after.mapped_bytes != before.mapped_bytes)
        fail_msg("%s, failing request %lu: %ld blocks and %ld mapped bytes are left over", spec,
                 nth, after.blocks - before.blocks, after.mapped_bytes - before.mapped_bytes);
}

static void
open_until_it_succeeds(const char *spec, bool lasting)
{
    rh_heap *heap;
    rh_error error = {0};
    assert_int_equal(rh_heap_open(spec, &heap, &error), RH_OK); /* what is made once is there */
    rh_heap_close(heap);
    for (uint64_t nth = 1; nth < NTH_MAX; nth++) {
        struct gate_account before = gate_account();
        error = (rh_error){0};
        gate_arm(GATE_ALL, nth, lasting);
        rh_status status = rh_heap_open(spec, &heap, &error);
        bool failed = gate_disarm();
        if (status == RH_OK) {
            require_sound(heap, spec, "opened", nth);
            rh_heap_close(heap);
        } else {
            if ((status != RH_SYSTEM && status != RH_CANNOT_RUN) || !error.message[0])
                fail_msg("%s, failing request %lu: status %d, \"%s\"", spec, nth, status,
                         error.message);
        }
        require_nothing_left(spec, before, nth);
        if (!failed)
            return;
    }
    fail_msg("%s never opens", spec);
}

static void
heaps_open_or_fail_cleanly(void **state)
{
    (void)state;
    for (size_t i = 0; i < SPECS; i++) {
        open_until_it_succeeds(specs[i], false);
        open_until_it_succeeds(specs[i], true);
    }
}

/* ---- a workload ---- */

enum { BLOCKS = 600, OPERATIONS = 1500 };

struct live_block {
    unsigned char *address;
    size_t size;
    int domain;
    unsigned char mark;
};

struct workload {
    rh_heap *heap;
    bool contents;
    rh_random random;
    size_t count;
    uint64_t failures;
    struct live_block block[BLOCKS];
};

static size_t
draw_size(rh_random *random)
{
    uint64_t dice = rh_random_below(random, 40);
    if (dice == 0)
        return 0;
    if (dice == 1)
        return rh_random_below(random, 200000);
    return 1 + rh_random_below(random, dice < 10 ? 3000 : 512);
}

static void
mark(struct workload *workload, struct live_block *block)
{
    block->mark = (unsigned char)rh_random_next(&workload->random);
    if (workload->contents)
        memset(block->address, block->mark, block->size);
}

static void
require_mark(const struct workload *workload, const struct live_block *block, size_t size)
{
    for (size_t i = 0; workload->contents && i < size; i++)
        assert_int_equal(block->address[i], block->mark);
}

static void
give(struct workload *workload)
{
    int domain = (int)rh_random_below(&workload->random, RH_DOMAINS);
    size_t size = draw_size(&workload->random);
    const PyMemAllocatorEx *allocator = &workload->heap->domain[domain];
    bool clear = rh_random_below(&workload->random, 3) == 0;
    void *given = clear ? allocator->calloc(allocator->ctx, 1, size)
                        : allocator->malloc(allocator->ctx, size);
    workload->failures += given == NULL;
    if (!given)
        return;
    struct live_block *block = &workload->block[workload->count++];
    *block = (struct live_block){given, size, domain, 0};
    if (clear)
        require_mark(workload, block, size);
    mark(workload, block);
}

static void
resize(struct workload *workload)
{
    struct live_block *block =
        &workload->block[rh_random_below(&workload->random, workload->count)];
    const PyMemAllocatorEx *allocator = &workload->heap->domain[block->domain];
    size_t size = draw_size(&workload->random);
    void *moved = allocator->realloc(allocator->ctx, block->address, size);
    workload->failures += moved == NULL;
    if (!moved) {
        require_mark(workload, block, block->size);
        return;
    }
    block->address = moved;
    require_mark(workload, block, size < block->size ? size : block->size);
    block->size = size;
    mark(workload, block);
}

static void
take(struct workload *workload, size_t at)
{
    struct live_block block = workload->block[at];
    require_mark(workload, &block, block.size);
    workload->block[at] = workload->block[--workload->count];
    const PyMemAllocatorEx *allocator = &workload->heap->domain[block.domain];
    allocator->free(allocator->ctx, block.address);
}

static void
work(struct workload *workload, unsigned operations)
{
    for (unsigned i = 0; i < operations; i++) {
        uint64_t dice = rh_random_below(&workload->random, 10);
        if (workload->count == 0 || (dice < 5 && workload->count < BLOCKS))
            give(workload);
        else if (dice < 8)
            take(workload, rh_random_below(&workload->random, workload->count));
        else
            resize(workload);
    }
}

static void
verify(const struct workload *workload)
{
    for (size_t i = 0; i < workload->count; i++)
        require_mark(workload, &workload->block[i], workload->block[i].size);
}

static void
take_all(struct workload *workload)
{
    while (workload->count)
        take(workload, workload->count - 1);
}

/* One run of it with the Nth request failing; whether one failed. */
static bool
work_with_failure(const char *spec, enum gate_requests kinds, uint64_t nth, bool lasting)
{
    static struct workload workload;
    rh_error error = {0};
    workload = (struct workload){.contents = has_contents(spec), .random = {nth % 3}};
    struct gate_account before = gate_account();
    if (rh_heap_open(spec, &workload.heap, &error) != RH_OK)
        fail_msg("%s", error.message);
    gate_arm(kinds, nth, lasting);
    work(&workload, OPERATIONS);
    bool failed = gate_disarm();
    require_sound(workload.heap, spec, "after the failure", nth);
    verify(&workload);
    uint64_t failures = workload.failures;
    assert_true(failed || failures == 0 || strstr(spec, "bump")); /* a window has an end */
    work(&workload, OPERATIONS / 10);
    if (!strstr(spec, "bump"))
        assert_int_equal(workload.failures, failures); /* there is memory again */
    take_all(&workload);
    require_sound(workload.heap, spec, "emptied", nth);
    rh_heap_close(workload.heap);
    require_nothing_left(spec, before, nth);
    return failed;
}

/* The last of a workload's requests come thousands later: one after the other at first, then at
 * growing distances. */
static uint64_t
next_nth(uint64_t nth)
{
    return nth < 60 ? nth + 1 : nth + nth / 13;
}

static void
work_until_it_succeeds(enum gate_requests kinds, bool lasting)
{
    for (size_t i = 0; i < SPECS; i++) {
        uint64_t nth = 1;
        while (work_with_failure(specs[i], kinds, nth, lasting) && nth < NTH_MAX)
            nth = next_nth(nth);
        assert_true(nth < NTH_MAX);
    }
}

static void
heaps_survive_a_failure_of_malloc(void **state)
{
    (void)state;
    work_until_it_succeeds(GATE_MALLOC, false);
}

static void
heaps_survive_a_failure_of_mmap(void **state)
{
    (void)state;
    work_until_it_succeeds(GATE_MMAP, false);
}

static void
heaps_survive_lasting_want(void **state)
{
    (void)state;
    work_until_it_succeeds(GATE_ALL, true);
}

/* ---- arenas ---- */

struct arena_source {
    PyObjectArenaAllocator below;
    uint64_t requests, nth;
    bool lasting;
    int64_t held;
};

static void *
source_alloc(void *ctx, size_t size)
{
    struct arena_source *source = ctx;
    uint64_t number = ++source->requests;
    if (number == source->nth || (source->lasting && number > source->nth))
        return NULL;
    void *arena = source->below.alloc(source->below.ctx, size);
    source->held += arena != NULL;
    return arena;
}

static void
source_free(void *ctx, void *arena, size_t size)
{
    struct arena_source *source = ctx;
    source->held--;
    source->below.free(source->below.ctx, arena, size);
}

/* An arena that does not come is no failure: what is asked for comes from elsewhere. */
static bool
work_without_arena(const char *spec, uint64_t nth, bool lasting)
{
    static struct workload workload;
    struct arena_source source = {.nth = nth, .lasting = lasting};
    rh_error error = {0};
    workload = (struct workload){.contents = has_contents(spec), .random = {nth}};
    if (rh_heap_open(spec, &workload.heap, &error) != RH_OK)
        fail_msg("%s", error.message);
    if (!rh_heap_get_arenas(workload.heap, &source.below)) {
        rh_heap_close(workload.heap);
        return false;
    }
    PyObjectArenaAllocator arenas = {&source, source_alloc, source_free};
    assert_int_equal(rh_heap_set_arenas(workload.heap, &arenas, &error), RH_OK);
    work(&workload, OPERATIONS * 4);
    assert_int_equal(workload.failures, 0);
    require_sound(workload.heap, spec, "without an arena", nth);
    verify(&workload);
    take_all(&workload);
    require_sound(workload.heap, spec, "emptied", nth);
    rh_heap_close(workload.heap);
    assert_int_equal(source.held, 0);
    return source.requests >= nth;
}

static void
arenas_that_fail_are_no_failure(void **state)
{
    (void)state;
    for (size_t i = 0; i < SPECS; i++)
        for (int lasting = 0; lasting < 2; lasting++)
            for (uint64_t nth = 1; work_without_arena(specs[i], nth, lasting); nth++)
                assert_true(nth < NTH_MAX);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heaps_open_or_fail_cleanly),
        cmocka_unit_test(heaps_survive_a_failure_of_malloc),
        cmocka_unit_test(heaps_survive_a_failure_of_mmap),
        cmocka_unit_test(heaps_survive_lasting_want),
        cmocka_unit_test(arenas_that_fail_are_no_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
