/* Where pools with headers beside keep which of their blocks are free: a stack of 16-bit entries
 * for each pool, as large as its blocks are many.
 *
 * A stack has the order of CPython's list of free blocks, last in, first out; unlike the list it
 * does not lie in the blocks, its top is found without following it, and what is used of it lies
 * together. Stacks are cut from mappings; one given back is the next of its size (in cache lines)
 * to be taken. The mappings stay until the end.
 */
#ifndef REHEAP_ALLOC_POOL_STACKS_H
#define REHEAP_ALLOC_POOL_STACKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct rh_pool_stacks {
    uint16_t **vacant; /* by size in lines less one: the first of those given back */
    size_t lines_max;
    struct rh_stack_mapping *mappings;
    char *rest; /* of the mapping cut last */
    size_t rest_bytes;
    uint64_t bytes; /* held */
} rh_pool_stacks;

/* For stacks of up to `entries_max` entries. False when there is no memory. */
bool rh_pool_stacks_init(rh_pool_stacks *stacks, uint32_t entries_max);
void rh_pool_stacks_release(rh_pool_stacks *stacks);

/* A stack of `entries` (1 to entries_max) entries of any value; NULL when there is no memory. */
uint16_t *rh_pool_stacks_take(rh_pool_stacks *stacks, uint32_t entries);
/* Takes it back, with the number that it was taken with. */
void rh_pool_stacks_give(rh_pool_stacks *stacks, uint16_t *stack, uint32_t entries);

#endif
