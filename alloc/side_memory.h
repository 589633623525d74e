/* A table's own memory: a private mapping that grows, and may move when it does. What the tables of
 * a heap hold is then known to the byte, and never comes from a malloc under test. */
#ifndef REHEAP_ALLOC_SIDE_MEMORY_H
#define REHEAP_ALLOC_SIDE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

typedef struct rh_side_memory {
    void *base; /* NULL while empty; at the start of a page */
    size_t bytes;
} rh_side_memory;

/* Makes it `bytes` large at least; what is new is zero, what was there stays. It grows by a quarter
 * or more, so that growing step by step costs little in all. False, changing nothing, when the
 * system has no memory. */
bool rh_side_memory_grow(rh_side_memory *memory, size_t bytes);

/* For memory that is accessed all over: fewer and larger pages where the system has them to give.
 */
void rh_side_memory_prefer_huge_pages(const rh_side_memory *memory);

void rh_side_memory_release(rh_side_memory *memory);

#endif
