/* The contract suite: what every heap must do, whatever allocator is behind it. The spec under test
 * and its traits come from the command line. */
#ifndef REHEAP_TESTS_CONTRACT_CONTRACT_H
#define REHEAP_TESTS_CONTRACT_CONTRACT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "alloc/heap.h"
#include "alloc/pymem.h"
#include "alloc/spec.h"
#include "base/random.h"

struct subject {
    const char *spec;
    const rh_allocator *allocator;
    bool layered;
    bool many, deterministic, threads; /* as in rh_allocator; a plug-in says it itself */
    bool is_virtual; /* addresses are numbers: nothing may be read or written there */
    bool forgetful;  /* contents may be lost, blocks may overlap */
    bool unguarded;  /* sizes that overflow are the caller's to refuse */
    bool shared;     /* blocks may lie with the C library: not counted, not closed */
};

const struct subject *the_subject(void);

/* May blocks be written and read back? */
bool has_contents(void);

rh_heap *open_subject(void);

/* Fails the test with the message of a broken invariant. */
void check_heap(rh_heap *heap);

void *heap_malloc(rh_heap *heap, int domain, size_t size);
void *heap_calloc(rh_heap *heap, int domain, size_t count, size_t size);
void *heap_realloc(rh_heap *heap, int domain, void *block, size_t size);
void heap_free(rh_heap *heap, int domain, void *block);

/* A set of live blocks under random operations, each block filled with a pattern of its own. */
#define BLOCKS_MAX 1500

struct block {
    unsigned char *address;
    size_t size;
    int domain;
    unsigned char mark;
};

struct workload {
    rh_heap *heap;
    rh_random random;
    size_t live;
    struct block block[BLOCKS_MAX];
};

struct workload *workload_new(rh_heap *heap, uint64_t seed);
void workload_run(struct workload *workload, unsigned operations);
void workload_free_all(struct workload *workload);
/* Every pattern is still there, and no two blocks overlap. */
void workload_verify(const struct workload *workload);
/* Leaves the blocks to the heap, if its close gives them back; frees them if not. */
void workload_delete(struct workload *workload);

extern const struct CMUnitTest basic_contract[], random_contract[], statistics_contract[],
    thread_contract[];
extern const size_t basic_contract_count, random_contract_count, statistics_contract_count,
    thread_contract_count;

#endif
