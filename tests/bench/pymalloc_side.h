/* One allocator of `./dev bench pymalloc`, in a process of its own: it opens the library or heap,
 * reads orders on standard input, carries them out and answers each on standard output.
 *
 * So every allocator has the same loop at the same place, caches and translations to itself for as
 * long as it runs, and a new place for its library in every new process: what a call of two
 * nanoseconds takes depends on where code lies, and one placement is one sample.
 */
#ifndef REHEAP_TESTS_BENCH_PYMALLOC_SIDE_H
#define REHEAP_TESTS_BENCH_PYMALLOC_SIDE_H

#include <stdbool.h>
#include <stdint.h>

typedef struct side_load {
    char name[32];
    uint32_t size;  /* fixed, single, beside */
    uint32_t batch; /* blocks at once */
    bool beside;
    uint32_t live; /* random */
} side_load;

enum { UNTOUCHED, WRITTEN, READ, TOUCHES };

/* Runs so many operations of a load; the sizes and slots of a random one follow from the seed, and
 * its working set is there from the first order to the one that ends it. */
typedef struct side_order {
    side_load load;
    int touch, place; /* of the loop, see pymalloc_side.c */
    bool ends;
    uint64_t operations, seed; /* 0 operations: only sets up or ends */
} side_order;

typedef struct side_answer {
    double ns;       /* of an operation: a malloc and a free */
    uint64_t blocks; /* live after it; of a load that keeps none, of the last batch */
    uint64_t places; /* a digest of where they lie, from the first arena on */
} side_answer;

#define SIDE_PLACES     4
#define SIDE_LIVE_MAX   1000000
#define SIDE_OPERATIONS (1u << 20) /* most of one order of a random load */

/* Serves orders until input ends. `what` is the path of a library that has PyMem_GetAllocator, "="
 * and the spec of a heap, or "" for functions that do nothing. Returns an exit code. */
int side_serve(const char *what, bool own_arenas);

#endif
