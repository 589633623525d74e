#include "replay/stretches.h"

#include <math.h>
#include <stdlib.h>

static void
halve(rh_stretches *stretches)
{
    for (size_t i = 0; i < RH_STRETCHES_MOST / 2; i++) {
        stretches->calls[i] = stretches->calls[2 * i] + stretches->calls[2 * i + 1];
        stretches->ticks[i] = stretches->ticks[2 * i] + stretches->ticks[2 * i + 1];
    }
    for (size_t i = RH_STRETCHES_MOST / 2; i < RH_STRETCHES_MOST; i++)
        stretches->calls[i] = stretches->ticks[i] = 0;
    stretches->batches_each *= 2;
}

void
rh_stretches_add(rh_stretches *stretches, uint64_t calls, uint64_t ticks)
{
    if (stretches->batches_each == 0)
        stretches->batches_each = 1;
    if (stretches->batches / stretches->batches_each == RH_STRETCHES_MOST)
        halve(stretches);
    uint64_t place = stretches->batches++ / stretches->batches_each;
    stretches->calls[place] += calls;
    stretches->ticks[place] += ticks;
}

rh_stretch *
rh_stretches_rows(const rh_stretches *stretches, double ticks_per_ns, size_t *count)
{
    uint64_t each = stretches->batches_each;
    *count = each ? (size_t)((stretches->batches + each - 1) / each) : 0;
    rh_stretch *rows = *count ? malloc(*count * sizeof *rows) : NULL;
    if (*count && !rows)
        abort();
    for (size_t i = 0; i < *count; i++)
        rows[i] =
            (rh_stretch){.calls = stretches->calls[i],
                         .busy_ns = (uint64_t)llround((double)stretches->ticks[i] / ticks_per_ns)};
    return rows;
}
