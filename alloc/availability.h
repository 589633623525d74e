/* Whether this machine has what an allocator needs. */
#ifndef REHEAP_ALLOC_AVAILABILITY_H
#define REHEAP_ALLOC_AVAILABILITY_H

#include <stdbool.h>

#include "alloc/spec.h"

typedef struct rh_availability {
    bool installed;
    char version[64]; /* "" where only a process that runs on it could tell */
} rh_availability;

void rh_availability_of(const rh_allocator *allocator, rh_availability *availability);

#endif
