/* Random requests over three domains, some of which may fail, with the contents of every block
 * watched. */
#ifndef REHEAP_TESTS_FAULT_ALLOC_WORKLOAD_H
#define REHEAP_TESTS_FAULT_ALLOC_WORKLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "alloc/pymem.h"
#include "base/random.h"

enum { WORKLOAD_BLOCKS = 600, WORKLOAD_DOMAINS = 3 };

struct live_block {
    unsigned char *address;
    size_t size;
    int domain;
    unsigned char mark;
};

struct workload {
    const PyMemAllocatorEx *domain; /* three */
    bool contents;                  /* blocks can be written */
    rh_random random;
    size_t count;
    uint64_t failures; /* requests that yielded NULL */
    struct live_block block[WORKLOAD_BLOCKS];
};

/* A block whose contents were lost ends the process with a message. */
void workload_run(struct workload *workload, unsigned operations);
void workload_verify(const struct workload *workload);
void workload_free_all(struct workload *workload);

#endif
