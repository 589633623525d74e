/* Headers of pools that lie beside them: one array for a window of addresses, so that the header of
 * a block's pool is found by a subtraction and a shift.
 *
 * The array has room for every pool of the window. Its address space is reserved at once, and made
 * usable as far as arenas were laid out, which lie together: one far from the others has to keep
 * its headers elsewhere. So 64 pools of 16 KiB have their headers on one page, and a million small
 * blocks theirs in the processor's second cache.
 */
#ifndef REHEAP_ALLOC_POOL_HEADERS_H
#define REHEAP_ALLOC_POOL_HEADERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "alloc/arena.h"

typedef struct rh_pool_headers {
    rh_side_pool *first; /* NULL: there is no window */
    uintptr_t window_base;
    size_t window_bytes; /* 0: there is none */
    unsigned pool_shift;
    size_t made_from, made_bytes, reserved_bytes; /* made usable: made_bytes from made_from */
} rh_pool_headers;

/* For the window of `bytes` (0: there is none) at `base`, cut into pools of 1 << pool_shift bytes.
 * Without address space for it there is no window. */
void rh_pool_headers_init(rh_pool_headers *headers, uintptr_t base, size_t bytes,
                          unsigned pool_shift);
void rh_pool_headers_release(rh_pool_headers *headers);

/* Whether the window has `address`. */
static inline bool
rh_pool_headers_has(const rh_pool_headers *headers, uintptr_t address)
{
    return address - headers->window_base < headers->window_bytes;
}

/* The headers of `count` pools, of which the first lies at `address` in the window; NULL when there
 * is no memory, or when they are too far from those there are. What is there for the first time is
 * zero. */
rh_side_pool *rh_pool_headers_of(rh_pool_headers *headers, uintptr_t address, size_t count);

#endif
