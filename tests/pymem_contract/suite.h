/* The contract suite over the documented functions: what they promise whatever PYTHONMALLOC says,
 * of whichever version, with the debug hooks and without, traced and untraced. The configuration
 * comes from the command line and is that of the whole process. */
#ifndef REHEAP_TESTS_PYMEM_CONTRACT_SUITE_H
#define REHEAP_TESTS_PYMEM_CONTRACT_SUITE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "alloc/pymem.h"
#include "base/random.h"

/* The functions of a domain. */
struct family {
    const char *name;
    PyMemAllocatorDomain domain;
    char letter; /* of its blocks under the debug hooks */
    void *(*malloc)(size_t);
    void *(*calloc)(size_t, size_t);
    void *(*realloc)(void *, size_t);
    void (*free)(void *);
};

enum { FAMILIES = 3 };

extern const struct family families[FAMILIES]; /* by domain */

#define EACH_FAMILY(f) for (const struct family *f = families; f < families + FAMILIES; f++)

/* What runs here. */
struct configuration {
    bool debug;    /* blocks are decorated */
    bool tracing;  /* and traced */
    bool pymalloc; /* MEM and OBJ are pymalloc's */
    bool mimalloc;
    size_t small_bytes, arena_bytes;
    size_t decoration; /* bytes of the debug hooks around a block: with a serial number in 3.7 */
};

extern struct configuration configuration;

/* A hook that counts, and passes on what it does not refuse. */
struct counting_hook {
    PyMemAllocatorEx below;
    PyMemAllocatorDomain domain;
    size_t mallocs, callocs, reallocs, frees;
    size_t nelem, elsize; /* of the last call */
    const void *block;
    size_t refuse; /* so many requests from now on yield NULL */
};

void put_hook(struct counting_hook *hook, PyMemAllocatorDomain domain);
void take_hook(struct counting_hook *hook);
size_t hook_calls(const struct counting_hook *hook);

/* Fills memory, and looks whether it is as it was filled. */
void fill(void *block, size_t size, uint64_t mark);
bool is_filled(const void *block, size_t size, uint64_t mark);

extern const struct CMUnitTest request_tests[], exchange_tests[], statistics_tests[],
    workload_tests[];
extern const size_t request_test_count, exchange_test_count, statistics_test_count,
    workload_test_count;

#endif
