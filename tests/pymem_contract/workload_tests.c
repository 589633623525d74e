/* Many requests: random ones over the three domains with each block's contents watched, and
 * threads. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "tests/pymem_contract/suite.h"

enum { BLOCKS = 3000, OPERATIONS = 60000 };

struct live_block {
    unsigned char *address;
    size_t size;
    const struct family *family;
    uint64_t mark;
};

struct workload {
    rh_random random;
    size_t count;
    struct live_block block[BLOCKS];
};

static size_t
draw_size(rh_random *random)
{
    uint64_t dice = rh_random_below(random, 300);
    if (dice == 0)
        return rh_random_below(random, 300000);
    if (dice < 10)
        return 0;
    if (dice < 30)
        return rh_random_below(random, 20000);
    return 1 + rh_random_below(random, dice < 220 ? 200 : 700);
}

static void
give(struct workload *workload)
{
    struct live_block *block = &workload->block[workload->count++];
    block->family = &families[rh_random_below(&workload->random, FAMILIES)];
    block->size = draw_size(&workload->random);
    block->mark = rh_random_next(&workload->random);
    if (rh_random_below(&workload->random, 4))
        block->address = block->family->malloc(block->size);
    else
        block->address = block->family->calloc(1, block->size);
    assert_non_null(block->address);
    fill(block->address, block->size, block->mark);
}

static void
resize(struct workload *workload)
{
    struct live_block *block =
        &workload->block[rh_random_below(&workload->random, workload->count)];
    size_t size = draw_size(&workload->random), kept = size < block->size ? size : block->size;
    block->address = block->family->realloc(block->address, size);
    assert_non_null(block->address);
    assert_true(is_filled(block->address, kept, block->mark));
    block->size = size;
    block->mark = rh_random_next(&workload->random);
    fill(block->address, block->size, block->mark);
}

static void
take(struct workload *workload)
{
    struct live_block *block =
        &workload->block[rh_random_below(&workload->random, workload->count)];
    assert_true(is_filled(block->address, block->size, block->mark));
    block->family->free(block->address);
    *block = workload->block[--workload->count];
}

static int
by_address(const void *a, const void *b)
{
    const struct live_block *const *left = a, *const *right = b;
    return ((*left)->address > (*right)->address) - ((*left)->address < (*right)->address);
}

static void
verify(const struct workload *workload)
{
    static const struct live_block *sorted[BLOCKS];
    for (size_t i = 0; i < workload->count; i++) {
        const struct live_block *block = &workload->block[i];
        assert_true(is_filled(block->address, block->size, block->mark));
        sorted[i] = block;
    }
    qsort(sorted, workload->count, sizeof *sorted, by_address);
    for (size_t i = 1; i < workload->count; i++) {
        size_t size = sorted[i - 1]->size ? sorted[i - 1]->size : 1;
        assert_true((uintptr_t)sorted[i]->address - (uintptr_t)sorted[i - 1]->address >= size);
    }
}

static void
blocks_keep_apart(void **state)
{
    (void)state;
    static struct workload workload;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        unsigned giving = 7;
        workload.random.state = seed;
        for (unsigned i = 1; i <= OPERATIONS; i++) {
            uint64_t dice = rh_random_below(&workload.random, 12);
            if (workload.count == 0 || (dice < giving && workload.count < BLOCKS))
                give(&workload);
            else if (dice < 10)
                take(&workload);
            else
                resize(&workload);
            if (i % 10000 == 0) {
                giving = giving == 7 ? 3 : 7;
                verify(&workload);
            }
        }
        while (workload.count)
            take(&workload);
    }
}

/* ---- threads ---- */

enum { THREADS = 4, PLACES = 256, ROUNDS = 8000 };

struct header {
    size_t size;
    uint64_t mark;
};

static _Atomic(struct header *) places[PLACES];
static atomic_uint damaged;

static void
finish(const struct family *f, struct header *header)
{
    if (!is_filled(header + 1, header->size, header->mark))
        atomic_fetch_add(&damaged, 1);
    f->free(header);
}

static void
exchange(const struct family *f, rh_random *random)
{
    size_t size = rh_random_below(random, 800);
    struct header *header = f->malloc(sizeof *header);
    struct header *grown = header ? f->realloc(header, sizeof *header + size) : NULL;
    if (!grown) {
        atomic_fetch_add(&damaged, 1);
        return;
    }
    *grown = (struct header){size, rh_random_next(random)};
    fill(grown + 1, size, grown->mark);
    struct header *old = atomic_exchange(&places[rh_random_below(random, PLACES)], grown);
    if (old)
        finish(f, old);
}

static void
take_places(const struct family *f)
{
    for (size_t i = 0; i < PLACES; i++) {
        struct header *left = atomic_exchange(&places[i], NULL);
        if (left)
            finish(f, left);
    }
}

struct argument {
    const struct family *family;
    uint64_t seed;
};

static void
run_threads(void *(*work)(void *), const struct family *f)
{
    pthread_t thread[THREADS];
    struct argument argument[THREADS];
    atomic_store(&damaged, 0);
    for (size_t i = 0; i < THREADS; i++) {
        argument[i] = (struct argument){f, i};
        assert_int_equal(pthread_create(&thread[i], NULL, work, &argument[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(thread[i], NULL), 0);
    take_places(f);
    assert_int_equal(atomic_load(&damaged), 0);
}

static void *
work_freely(void *argument)
{
    const struct argument *mine = argument;
    rh_random random = {mine->seed};
    for (int i = 0; i < ROUNDS; i++)
        exchange(mine->family, &random);
    return NULL;
}

/* Any thread may call RAW at any time, and free another one's blocks. */
static void
threads_share_raw(void **state)
{
    (void)state;
    run_threads(work_freely, &families[PYMEM_DOMAIN_RAW]);
}

static pthread_mutex_t interpreter_lock = PTHREAD_MUTEX_INITIALIZER;

static void *
work_in_turn(void *argument)
{
    const struct argument *mine = argument;
    rh_random random = {mine->seed};
    for (int i = 0; i < ROUNDS; i++) {
        pthread_mutex_lock(&interpreter_lock);
        exchange(mine->family, &random);
        pthread_mutex_unlock(&interpreter_lock);
        /* Outside the lock, as CPython's own threads do. */
        PyMem_RawFree(PyMem_RawMalloc(rh_random_below(&random, 1000)));
    }
    return NULL;
}

/* MEM and OBJ are one thread's at a time, whichever. */
static void
threads_take_turns(void **state)
{
    (void)state;
    run_threads(work_in_turn, &families[PYMEM_DOMAIN_MEM]);
    run_threads(work_in_turn, &families[PYMEM_DOMAIN_OBJ]);
}

const struct CMUnitTest workload_tests[] = {
    cmocka_unit_test(blocks_keep_apart),
    cmocka_unit_test(threads_share_raw),
    cmocka_unit_test(threads_take_turns),
};

const size_t workload_test_count = sizeof workload_tests / sizeof *workload_tests;
