/* Drawing one of many things, each with a probability of its own, in constant time: a table of as
 * many columns as there are things, each shared by at most two (Walker, 1977; Vose, 1991). */
#ifndef REHEAP_TRACES_GENERATE_ALIAS_H
#define REHEAP_TRACES_GENERATE_ALIAS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/random.h"

typedef struct rh_alias_column {
    uint32_t share; /* of 2^32 that is the column's own; the rest is the other's */
    uint32_t other;
} rh_alias_column;

typedef struct rh_alias {
    rh_alias_column *column;
    uint32_t count;
} rh_alias;

/* `weights` are 0 or more, one at least above; 1 to 2^31 of them. False: no memory. */
bool rh_alias_init(rh_alias *alias, const double *weights, uint32_t count);
void rh_alias_release(rh_alias *alias);

static inline uint32_t
rh_alias_draw(const rh_alias *alias, rh_random *random)
{
    uint64_t bits = rh_random_next(random);
    uint32_t place = (uint32_t)((bits >> 32) * alias->count >> 32);
    const rh_alias_column *column = &alias->column[place];
    return (uint32_t)bits <= column->share ? place : column->other;
}

#endif
