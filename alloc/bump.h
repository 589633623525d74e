/* `bump`: gives the next bytes and never looks back. The speed limit of any allocator, and, in a
 * replay, the cost of the harness itself. */
#ifndef REHEAP_ALLOC_BUMP_H
#define REHEAP_ALLOC_BUMP_H

#include "alloc/spec.h"

extern const rh_allocator rh_bump_allocator;

#endif
