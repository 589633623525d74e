/* A server in its steady state, as an allocation profile describes it.
 *
 * The profile has for each size how often it is allocated and how many live. By Little's law the
 * mean lifetime is the second over the first; lifetimes are drawn exponentially around it, since a
 * profile tells no more than the mean. The live set is made first, so that the trace begins where
 * the profile was taken.
 */
#include <stdlib.h>

#include "traces/generate/agenda.h"
#include "traces/generate/alias.h"
#include "traces/generate/laws.h"
#include "traces/generate/models.h"
#include "traces/generate/profile.h"

static const rh_key keys[] = {
    {"file", RH_KEY_TEXT, 0, 0, false, "PATH", NULL, "a profile: lines SIZE, RATE, LIVE"},
    {"live", RH_KEY_SIZE, 1024, UINT64_C(1) << 44, false, NULL, "64M",
     "bytes alive in the steady state; the profile's numbers are scaled to that"},
    {0},
};

typedef struct server {
    rh_profile profile;
    double *life;     /* mean, in events, by size; 0: for ever */
    uint64_t *before; /* blocks alive at the start, by size */
    uint64_t start_blocks;
    rh_alias births;
    rh_agenda agenda;
} server;

/* Half of the events are births. */
static bool
work_out(rh_maker *maker, server *fleet, double scale)
{
    size_t count = fleet->profile.count;
    double *rates = malloc(count * sizeof *rates);
    fleet->life = malloc(count * sizeof *fleet->life);
    fleet->before = malloc(count * sizeof *fleet->before);
    bool good = rates && fleet->life && fleet->before;
    for (size_t i = 0; good && i < count; i++) {
        const rh_profile_size *one = &fleet->profile.sizes[i];
        double live = one->live * scale;
        rates[i] = one->rate;
        fleet->life[i] = one->rate > 0 ? 2 * live * fleet->profile.rate / one->rate : 0;
        if (live > UINT32_MAX / 4) {
            free(rates);
            return rh_maker_fail(maker, RH_USAGE,
                                 "there would be %.0f blocks of %llu bytes alive, more than %u; "
                                 "give a smaller live=",
                                 live, (unsigned long long)one->size, UINT32_MAX / 4);
        }
        fleet->before[i] = (uint64_t)live;
        fleet->before[i] += rh_draw_unit(&maker->random) < live - (double)(uint64_t)live;
        fleet->start_blocks += fleet->before[i];
    }
    good = good && rh_alias_init(&fleet->births, rates, (uint32_t)count);
    free(rates);
    return good || rh_maker_no_memory(maker);
}

static bool
be_born(rh_maker *maker, server *fleet, size_t which)
{
    uint32_t block;
    if (!rh_make_birth(maker, fleet->profile.sizes[which].size, &block))
        return false;
    if (fleet->life[which] <= 0)
        return true;
    uint64_t life = rh_life_law_draw(RH_LIVES_EXPONENTIAL, fleet->life[which], &maker->random);
    return rh_agenda_put(&fleet->agenda, maker->events + life, block) || rh_maker_no_memory(maker);
}

/* The live set, in an order by chance. What dies among it dies once all of it is there. */
static bool
start(rh_maker *maker, server *fleet)
{
    if (fleet->start_blocks > UINT32_MAX / 4 || fleet->start_blocks > maker->wanted)
        return rh_maker_fail(maker, RH_USAGE,
                             "the live set alone has %llu blocks, for %llu events; ask for more "
                             "--events or a smaller live=",
                             (unsigned long long)fleet->start_blocks,
                             (unsigned long long)maker->wanted);
    uint32_t *order = malloc((fleet->start_blocks + 1) * sizeof *order);
    if (!order)
        return rh_maker_no_memory(maker);
    uint64_t count = 0;
    for (size_t i = 0; i < fleet->profile.count; i++)
        for (uint64_t k = 0; k < fleet->before[i]; k++)
            order[count++] = (uint32_t)i;
    bool good = rh_make_mark(maker, "start");
    for (; good && count > 0; count--) {
        uint64_t place = rh_draw_below(&maker->random, count);
        uint32_t which = order[place];
        order[place] = order[count - 1];
        good = be_born(maker, fleet, which);
    }
    free(order);
    return good && rh_make_mark(maker, "steady");
}

static void
run(rh_maker *maker, const rh_model_call *call)
{
    server fleet = {.start_blocks = 0};
    const char *path = NULL;
    rh_settings_text(call->settings, "file", &path);
    if (rh_profile_read(path, &fleet.profile, &maker->error) != RH_OK)
        return;
    double scale = (double)rh_model_number(call, "live") / fleet.profile.live_bytes;
    bool good = rh_agenda_init(&fleet.agenda) || rh_maker_no_memory(maker);
    good = good && work_out(maker, &fleet, scale) && start(maker, &fleet);
    while (good) {
        uint32_t block;
        rh_agenda_advance(&fleet.agenda, maker->events);
        good = rh_agenda_take(&fleet.agenda, &block)
                   ? rh_make_death(maker, block)
                   : be_born(maker, &fleet, rh_alias_draw(&fleet.births, &maker->random));
    }
    rh_agenda_release(&fleet.agenda);
    rh_alias_release(&fleet.births);
    rh_profile_release(&fleet.profile);
    free(fleet.life);
    free(fleet.before);
}

const rh_model rh_model_profile = {
    "profile", "a server by its allocation profile: how often each size is asked for, and lives",
    keys, 10000000, run};
