#include "traces/generate/laws.h"

#include <string.h>

#define LN_2 0.693147180559945309

/* x = m·2^e with m in [√½, √2); ln m is twice the inverse hyperbolic tangent of (m−1)/(m+1), whose
 * series converges fast there. */
double
rh_natural_logarithm(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    int exponent = (int)(bits >> 52) - 1023;
    bits = (bits & ((UINT64_C(1) << 52) - 1)) | UINT64_C(1023) << 52;
    double m;
    memcpy(&m, &bits, sizeof m);
    if (m > 1.41421356237309515) {
        m /= 2;
        exponent++;
    }
    double z = (m - 1) / (m + 1), square = z * z, power = z, sum = 0;
    for (int i = 1; i <= 15; i += 2) {
        sum += power / i;
        power *= square;
    }
    return 2 * sum + exponent * LN_2;
}

double
rh_draw_exponential(rh_random *random)
{
    return -rh_natural_logarithm(rh_draw_unit(random));
}

rh_status
rh_size_law_read(const rh_settings *settings, const rh_key *keys, rh_size_law *law, rh_error *error)
{
    law->kind = (rh_size_law_kind)rh_settings_value(settings, keys, "sizes");
    law->least = rh_settings_value(settings, keys, "min");
    law->most = rh_settings_value(settings, keys, "max");
    uint64_t mean = rh_settings_value(settings, keys, "mean");
    law->mean = (double)mean;
    if (law->least > law->most)
        return rh_fail(error, RH_USAGE, "min=%llu is above max=%llu",
                       (unsigned long long)law->least, (unsigned long long)law->most);
    bool fits = law->least == law->most || (mean > law->least && mean < law->most);
    if (law->kind == RH_SIZES_EXPONENTIAL && !fits)
        return rh_fail(error, RH_USAGE,
                       "mean=%llu is not between min=%llu and max=%llu; give a mean that is",
                       (unsigned long long)mean, (unsigned long long)law->least,
                       (unsigned long long)law->most);
    unsigned first = law->least > 1 ? 64 - (unsigned)__builtin_clzll(law->least - 1) : 0;
    if (law->kind == RH_SIZES_POWERS && UINT64_C(1) << first > law->most)
        return rh_fail(error, RH_USAGE, "there is no power of two from min=%llu to max=%llu",
                       (unsigned long long)law->least, (unsigned long long)law->most);
    return RH_OK;
}

static uint64_t
draw_power(const rh_size_law *law, rh_random *random)
{
    unsigned first = law->least > 1 ? 64 - (unsigned)__builtin_clzll(law->least - 1) : 0;
    unsigned last = 63 - (unsigned)__builtin_clzll(law->most);
    return UINT64_C(1) << (first + rh_draw_below(random, last - first + 1));
}

uint64_t
rh_size_law_draw(const rh_size_law *law, rh_random *random)
{
    enum { TRIES = 64 };
    uint64_t span = law->most - law->least;
    if (law->kind == RH_SIZES_POWERS)
        return draw_power(law, random);
    if (law->kind == RH_SIZES_EXPONENTIAL && span > 0) {
        double mean = law->mean - (double)law->least;
        for (int i = 0; i < TRIES; i++) {
            double above = rh_draw_exponential(random) * mean;
            if (above < (double)span + 1)
                return law->least + (uint64_t)above;
        }
    }
    return law->least + rh_draw_below(random, span + 1);
}

uint64_t
rh_life_law_draw(rh_life_law law, double mean, rh_random *random)
{
    double life = mean;
    switch (law) {
    case RH_LIVES_EXPONENTIAL:
        life = mean * rh_draw_exponential(random);
        break;
    case RH_LIVES_UNIFORM:
        life = 2 * mean * rh_draw_unit(random);
        break;
    case RH_LIVES_BIMODAL:
        life = mean * (rh_draw_below(random, 10) ? 1.0 / 9 : 9) * rh_draw_exponential(random);
        break;
    case RH_LIVES_FIXED:
        break;
    }
    return life < 1 ? 1 : (uint64_t)(life + 0.5);
}
