/* An address-ordered best-fit space with coalescing: the classical baseline (the `bestfit` heap),
 * and what serves the requests that pymalloc's pools do not (`large=space`).
 *
 * All bookkeeping lies outside the blocks, so that a block nobody touches never becomes resident,
 * and so that a space may be unbacked: its addresses are numbers, nothing is mapped, and every
 * decision and counter is the same. Deterministic: the same calls give the same offsets and the
 * same counters.
 */
#ifndef REHEAP_ALLOC_BESTFIT_H
#define REHEAP_ALLOC_BESTFIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "alloc/counters.h"
#include "alloc/heap.h"
#include "base/error.h"

typedef struct rh_bestfit rh_bestfit;

/* `unbacked`: addresses are numbers and must not be touched. */
rh_status rh_bestfit_open(bool unbacked, rh_bestfit **space, rh_error *error);
void rh_bestfit_close(rh_bestfit *space);

/* As the C library's, with an alignment (a power of two, 16 or more). A size of 0 yields a distinct
 * address. malloc's `zero` asks for zeroed memory. realloc of a live block; on failure (NULL) the
 * block stays. */
void *rh_bestfit_malloc(rh_bestfit *space, size_t alignment, size_t size, bool zero);
void *rh_bestfit_realloc(rh_bestfit *space, void *block, size_t size);
void rh_bestfit_free(rh_bestfit *space, void *block);
/* 0 for an address at which no block begins. */
size_t rh_bestfit_usable_size(const rh_bestfit *space, const void *block);

/* Adds this space's part to every counter of the waterfall, live_blocks and mapped_bytes, which the
 * caller has set to numbers before. */
void rh_bestfit_add_counters(const rh_bestfit *space, rh_counters *counters);
/* Points at the bytes mapped, always current. */
const uint64_t *rh_bestfit_mapped(const rh_bestfit *space);

bool rh_bestfit_walk(rh_bestfit *space, rh_region_visitor *visit, void *ctx);
rh_status rh_bestfit_check(const rh_bestfit *space, rh_error *error);
void rh_bestfit_trim(rh_bestfit *space);

#endif
