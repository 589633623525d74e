/* Repeatable pseudo-random numbers: the same seed gives the same sequence everywhere (SplitMix64).
 */
#ifndef REHEAP_BASE_RANDOM_H
#define REHEAP_BASE_RANDOM_H

#include <stdint.h>

typedef struct rh_random {
    uint64_t state;
} rh_random;

static inline uint64_t
rh_random_next(rh_random *random)
{
    uint64_t z = random->state += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

/* A number in [0, bound); bound > 0 and below 2^32. */
static inline uint64_t
rh_random_below(rh_random *random, uint64_t bound)
{
    return ((rh_random_next(random) >> 32) * bound) >> 32;
}

#endif
