/* A small ordered set of numbers: for what is counted once, and seldom grows. */
#ifndef REHEAP_ALLOC_NUMBER_SET_H
#define REHEAP_ALLOC_NUMBER_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All zero is the empty set. */
typedef struct rh_number_set {
    uint64_t *numbers; /* ascending */
    size_t count, capacity;
} rh_number_set;

void rh_number_set_release(rh_number_set *set);
bool rh_number_set_has(const rh_number_set *set, uint64_t number);
/* False when there is no memory; adding what is there is no change. */
bool rh_number_set_add(rh_number_set *set, uint64_t number);

#endif
