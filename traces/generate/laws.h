/* How sizes and lifetimes are distributed.
 *
 * Drawn with additions, multiplications and divisions alone, which give the same result on every
 * machine; a mathematical library's logarithm need not.
 */
#ifndef REHEAP_TRACES_GENERATE_LAWS_H
#define REHEAP_TRACES_GENERATE_LAWS_H

#include <stdint.h>

#include "base/error.h"
#include "base/random.h"
#include "base/settings.h"

/* A number in [0, bound), for any bound above 0. */
static inline uint64_t
rh_draw_below(rh_random *random, uint64_t bound)
{
    __extension__ typedef unsigned __int128 wide;
    return (uint64_t)((wide)rh_random_next(random) * bound >> 64);
}

/* A number in (0, 1]. */
static inline double
rh_draw_unit(rh_random *random)
{
    return (double)((rh_random_next(random) >> 11) + 1) * 0x1p-53;
}

/* The natural logarithm of x > 0, to some 12 digits. */
double rh_natural_logarithm(double x);

/* Exponentially distributed with mean 1. */
double rh_draw_exponential(rh_random *random);

/* ---- sizes ---- */

typedef enum rh_size_law_kind {
    RH_SIZES_EXPONENTIAL,
    RH_SIZES_UNIFORM,
    RH_SIZES_POWERS /* of two, each as likely */
} rh_size_law_kind;

typedef struct rh_size_law {
    rh_size_law_kind kind;
    uint64_t least, most; /* inclusive */
    double mean;          /* exponential: before what is above `most` is drawn again */
} rh_size_law;

/* The keys that a model with such sizes has in its table, and how they are read. */
/* clang-format off */
#define RH_SIZE_LAW_KEYS                                                                           \
    {"sizes", RH_KEY_CHOICE, 0, 0, false, "exponential|uniform|powers", "exponential",             \
     "how sizes are distributed between min and max; powers: of two"},                             \
    {"min", RH_KEY_SIZE, 1, UINT64_C(1) << 40, false, NULL, "16", "the smallest block"},           \
    {"max", RH_KEY_SIZE, 1, UINT64_C(1) << 40, false, NULL, "4K", "the largest"},                  \
    {"mean", RH_KEY_SIZE, 1, UINT64_C(1) << 40, false, NULL, "128", "of exponential sizes"}
/* clang-format on */

/* RH_USAGE: the keys contradict one another. */
rh_status rh_size_law_read(const rh_settings *settings, const rh_key *keys, rh_size_law *law,
                           rh_error *error);
uint64_t rh_size_law_draw(const rh_size_law *law, rh_random *random);

/* ---- lifetimes ---- */

typedef enum rh_life_law {
    RH_LIVES_EXPONENTIAL,
    RH_LIVES_UNIFORM, /* up to twice the mean */
    RH_LIVES_BIMODAL, /* nine of ten live for a tenth of the mean, the tenth for nine times it;
                         exponentially distributed around these */
    RH_LIVES_FIXED
} rh_life_law;

#define RH_LIFE_LAW_CHOICES "exponential|uniform|bimodal|fixed"

/* At least 1. */
uint64_t rh_life_law_draw(rh_life_law law, double mean, rh_random *random);

#endif
