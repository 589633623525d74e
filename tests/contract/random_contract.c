/* Many calls: random operations on a set of live blocks, each with a pattern of its own. */
#include <stdlib.h>
#include <string.h>

#include "tests/contract/contract.h"

/* The workload itself is kept where no allocator under test can reach it. */
static struct workload storage[2];
static bool taken[2];

struct workload *
workload_new(rh_heap *heap, uint64_t seed)
{
    int which = taken[0] ? 1 : 0;
    assert_false(taken[which]);
    taken[which] = true;
    storage[which] = (struct workload){.heap = heap, .random = {seed}};
    return &storage[which];
}

void
workload_delete(struct workload *workload)
{
    if (the_subject()->shared || !the_subject()->many)
        workload_free_all(workload);
    taken[workload - storage] = false;
}

/* Object sizes mostly, buffers sometimes, now and then nothing or a lot. */
static size_t
draw_size(rh_random *random)
{
    uint64_t dice = rh_random_below(random, 200);
    if (dice == 0)
        return 0;
    if (dice == 1)
        return rh_random_below(random, 400000);
    if (dice < 20)
        return rh_random_below(random, 20000);
    return 1 + rh_random_below(random, dice < 150 ? 200 : 700);
}

static void
fill(struct workload *workload, struct block *block)
{
    block->mark = (unsigned char)rh_random_next(&workload->random);
    if (has_contents())
        memset(block->address, block->mark, block->size);
}

static void
verify_mark(const struct block *block, size_t size)
{
    for (size_t i = 0; has_contents() && i < size; i++)
        if (block->address[i] != block->mark)
            fail_msg("byte %zu of a block of %zu was overwritten", i, block->size);
}

static void
give(struct workload *workload)
{
    struct block *block = &workload->block[workload->live];
    block->size = draw_size(&workload->random);
    block->domain = (int)rh_random_below(&workload->random, RH_DOMAINS);
    if (rh_random_below(&workload->random, 5) == 0)
        block->address = heap_calloc(workload->heap, block->domain, 1, block->size);
    else
        block->address = heap_malloc(workload->heap, block->domain, block->size);
    assert_non_null(block->address);
    workload->live++;
    fill(workload, block);
}

static void
resize(struct workload *workload)
{
    struct block *block = &workload->block[rh_random_below(&workload->random, workload->live)];
    size_t old = block->size;
    block->size = draw_size(&workload->random);
    block->address = heap_realloc(workload->heap, block->domain, block->address, block->size);
    assert_non_null(block->address);
    verify_mark(block, old < block->size ? old : block->size);
    fill(workload, block);
}

static void
take(struct workload *workload)
{
    struct block *block = &workload->block[rh_random_below(&workload->random, workload->live)];
    verify_mark(block, block->size);
    heap_free(workload->heap, block->domain, block->address);
    *block = workload->block[--workload->live];
}

void
workload_run(struct workload *workload, unsigned operations)
{
    bool growing = true;
    for (unsigned i = 0; i < operations; i++) {
        uint64_t dice = rh_random_below(&workload->random, 10);
        if (workload->live == 0 || (dice < (growing ? 6u : 3u) && workload->live < BLOCKS_MAX))
            give(workload);
        else if (dice < 8)
            take(workload);
        else
            resize(workload);
        if (workload->live == BLOCKS_MAX)
            growing = false;
        else if (workload->live < BLOCKS_MAX / 20)
            growing = true;
    }
}

void
workload_free_all(struct workload *workload)
{
    while (workload->live)
        take(workload);
}

static int
by_address(const void *a, const void *b)
{
    const struct block *const *left = a, *const *right = b;
    return ((*left)->address > (*right)->address) - ((*left)->address < (*right)->address);
}

void
workload_verify(const struct workload *workload)
{
    static const struct block *sorted[BLOCKS_MAX];
    for (size_t i = 0; i < workload->live; i++) {
        verify_mark(&workload->block[i], workload->block[i].size);
        sorted[i] = &workload->block[i];
    }
    if (the_subject()->forgetful)
        return;
    qsort(sorted, workload->live, sizeof *sorted, by_address);
    for (size_t i = 1; i < workload->live; i++) {
        size_t size = sorted[i - 1]->size ? sorted[i - 1]->size : 1;
        if ((uintptr_t)sorted[i]->address - (uintptr_t)sorted[i - 1]->address < size)
            fail_msg("blocks of %zu and %zu bytes overlap", size, sorted[i]->size);
    }
}

static void
blocks_keep_apart(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        rh_heap *heap = open_subject();
        struct workload *workload = workload_new(heap, seed);
        for (int round = 0; round < 12; round++) {
            workload_run(workload, 1000);
            workload_verify(workload);
            check_heap(heap);
        }
        workload_free_all(workload);
        check_heap(heap);
        workload_delete(workload);
        rh_heap_close(heap);
    }
}

static void
trimming_keeps_blocks(void **state)
{
    (void)state;
    rh_heap *heap = open_subject();
    struct workload *workload = workload_new(heap, 4);
    for (int round = 0; round < 5; round++) {
        workload_run(workload, 2000);
        rh_heap_trim(heap);
        workload_verify(workload);
        check_heap(heap);
    }
    workload_free_all(workload);
    rh_heap_trim(heap);
    check_heap(heap);
    workload_run(workload, 1000);
    workload_verify(workload);
    workload_free_all(workload);
    workload_delete(workload);
    rh_heap_close(heap);
}

static void
instances_are_independent(void **state)
{
    (void)state;
    if (!the_subject()->many)
        skip();
    rh_heap *first_heap = open_subject(), *second_heap = open_subject();
    struct workload *first = workload_new(first_heap, 5), *second = workload_new(second_heap, 6);
    for (int round = 0; round < 20; round++) {
        workload_run(first, 300);
        workload_run(second, 200);
    }
    workload_verify(first);
    workload_verify(second);
    check_heap(first_heap);
    workload_delete(first);
    rh_heap_close(first_heap); /* with its blocks */
    workload_verify(second);
    workload_run(second, 2000);
    workload_verify(second);
    check_heap(second_heap);
    workload_free_all(second);
    workload_delete(second);
    rh_heap_close(second_heap);
}

const struct CMUnitTest random_contract[] = {
    cmocka_unit_test(blocks_keep_apart),
    cmocka_unit_test(trimming_keeps_blocks),
    cmocka_unit_test(instances_are_independent),
};

const size_t random_contract_count = sizeof random_contract / sizeof *random_contract;
