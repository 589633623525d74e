/* Several threads on one heap, where its allocator allows it: each makes blocks, resizes its own
 * and puts them into places that all share, and frees what others have put there. */
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "tests/contract/contract.h"

enum { THREADS = 4, PLACES = 512, ROUNDS = 20000 };

/* What lies at the start of each block. */
struct header {
    size_t size;
    int domain;
    unsigned char mark;
};

static _Atomic(struct header *) places[PLACES];

struct worker {
    pthread_t thread;
    rh_heap *heap;
    rh_random random;
    unsigned damaged, refused;
};

static void
finish(struct worker *worker, struct header *header)
{
    const unsigned char *body = (const unsigned char *)(header + 1);
    for (size_t i = sizeof *header; i < header->size; i++)
        worker->damaged += *body++ != header->mark;
    heap_free(worker->heap, header->domain, header);
}

static struct header *
make(struct worker *worker)
{
    size_t size = sizeof(struct header) + rh_random_below(&worker->random, 700);
    int domain = (int)rh_random_below(&worker->random, RH_DOMAINS);
    struct header *header = heap_malloc(worker->heap, domain, sizeof *header);
    if (header)
        header = heap_realloc(worker->heap, domain, header, size);
    if (!header) {
        worker->refused++;
        return NULL;
    }
    *header = (struct header){size, domain, (unsigned char)rh_random_next(&worker->random)};
    memset(header + 1, header->mark, size - sizeof *header);
    return header;
}

static void *
work(void *argument)
{
    struct worker *worker = argument;
    for (int round = 0; round < ROUNDS; round++) {
        struct header *made = make(worker);
        size_t place = rh_random_below(&worker->random, PLACES);
        struct header *found = atomic_exchange(&places[place], made);
        if (found)
            finish(worker, found);
    }
    return NULL;
}

static void
threads_share_a_heap(void **state)
{
    (void)state;
    if (!the_subject()->threads || the_subject()->layered)
        skip();
    rh_heap *heap = open_subject();
    struct worker worker[THREADS];
    for (int i = 0; i < THREADS; i++) {
        worker[i] = (struct worker){.heap = heap, .random = {(uint64_t)i}};
        assert_int_equal(pthread_create(&worker[i].thread, NULL, work, &worker[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(worker[i].thread, NULL), 0);
    for (size_t place = 0; place < PLACES; place++) {
        struct header *left = atomic_exchange(&places[place], NULL);
        if (left)
            finish(&worker[0], left);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(worker[i].damaged, 0);
        assert_int_equal(worker[i].refused, 0);
    }
    check_heap(heap);
    rh_heap_close(heap);
}

const struct CMUnitTest thread_contract[] = {
    cmocka_unit_test(threads_share_a_heap),
};

const size_t thread_contract_count = sizeof thread_contract / sizeof *thread_contract;
