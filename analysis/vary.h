/* Which candidates a tuning tries: every combination of the values given for each key. */
#ifndef REHEAP_ANALYSIS_VARY_H
#define REHEAP_ANALYSIS_VARY_H

#include <stddef.h>

#include "base/error.h"

#define RH_VARY_VALUES_MAX     64
#define RH_VARY_KEYS_MAX       8
#define RH_VARY_CANDIDATES_MAX 4096

typedef struct rh_vary {
    char *key;
    char *value[RH_VARY_VALUES_MAX];
    size_t count;
} rh_vary;

/* Reads "KEY=a:b" (from a, doubling, up to b: sizes or counts) or "KEY=a,b,c" (any words). A comma
 * decides: with one, colons belong to the words, as in "classes=linear:32,16:32:64". RH_USAGE says
 * what is wrong with it. */
rh_status rh_vary_parse(const char *text, rh_vary *vary, rh_error *error);
void rh_vary_release(rh_vary *vary);

/* All combinations put into `base`, the last key changing fastest; an array of `*count` specs, each
 * and itself to be freed. RH_USAGE: a key given twice or already in `base`, or more than
 * RH_VARY_CANDIDATES_MAX combinations. */
rh_status rh_vary_expand(const char *base, const rh_vary *varies, size_t vary_count, char ***specs,
                         size_t *count, rh_error *error);

#endif
