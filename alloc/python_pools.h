/* The pools of a real CPython's arena, read out of the arena itself.
 *
 * A pool in use begins with a header that has been the same from 3.7 to 3.11: how many of its
 * blocks are in use, three pointers, the number of its arena, its size class. A pool that was never
 * used is zero, as the kernel gave it, and one that was given back keeps its header with no block
 * in use. */
#ifndef REHEAP_ALLOC_PYTHON_POOLS_H
#define REHEAP_ALLOC_PYTHON_POOLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "alloc/heap.h"

/* The size of the blocks of the pool that begins at `pool` and has one in use. */
size_t rh_python_pool_block_bytes(const void *pool);

/* Shows an arena, and those of its pools that hold a block, to `visit`. `pool_bytes`: a power of
 * two. The arena came from the kernel, nobody else wrote into it, and the process does not use it
 * meanwhile. False: the visitor ended it, or what stands there is no arena of CPython's. */
bool rh_python_arena_show(uintptr_t arena, size_t size_bytes, size_t pool_bytes,
                          rh_region_visitor *visit, void *ctx);

#endif
