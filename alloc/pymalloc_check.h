/* Walks over a pymalloc heap, and the check of everything that must hold in it.
 *
 * The check trusts nothing that a program could have overwritten (headers and links in arenas): it
 * follows a pointer only after it has seen that it leads to a place of the right kind.
 */
#ifndef REHEAP_ALLOC_PYMALLOC_CHECK_H
#define REHEAP_ALLOC_PYMALLOC_CHECK_H

#include "alloc/pymalloc_pools.h"

/* Arenas ascending by address, each with its pools that were ever used, each of these with its
 * blocks; then the large space. False when the visitor ended it or there is no memory. */
bool rh_pymalloc_walk(rh_pymalloc *pymalloc, rh_region_visitor *visit, void *ctx);

/* The same of arenas and pools alone. */
bool rh_pymalloc_walk_pages(rh_pymalloc *pymalloc, rh_region_visitor *visit, void *ctx);

/* RH_DIFFERENT, with the broken invariant and where. */
rh_status rh_pymalloc_check(rh_pymalloc *pymalloc, rh_error *error);

#endif
