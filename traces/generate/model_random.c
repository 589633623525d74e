/* A program in its steady state: blocks come and go at random, and so many live on average.
 *
 * A birth puts its death on the agenda; whatever is due goes first. Half of all events are births,
 * so by Little's law a mean lifetime of twice as many events as there shall be blocks keeps them.
 */
#include "traces/generate/agenda.h"
#include "traces/generate/laws.h"
#include "traces/generate/models.h"

static const rh_key keys[] = {
    {"live", RH_KEY_COUNT, 1, UINT32_MAX / 4, false, NULL, "10000",
     "blocks alive at once, on average, once it has warmed up"},
    {"lifetimes", RH_KEY_CHOICE, 0, 0, false, RH_LIFE_LAW_CHOICES, "exponential",
     "how lifetimes are distributed; bimodal: nine of ten live shortly, one long"},
    RH_SIZE_LAW_KEYS,
    {0},
};

static void
run(rh_maker *maker, const rh_model_call *call)
{
    rh_size_law sizes;
    rh_agenda agenda;
    rh_life_law lives = (rh_life_law)rh_model_number(call, "lifetimes");
    double mean = 2.0 * (double)rh_model_number(call, "live");
    if (rh_size_law_read(call->settings, call->keys, &sizes, &maker->error) != RH_OK)
        return;
    bool good = rh_agenda_init(&agenda) || rh_maker_no_memory(maker);
    while (good) {
        uint32_t block;
        rh_agenda_advance(&agenda, maker->events);
        if (rh_agenda_take(&agenda, &block)) {
            good = rh_make_death(maker, block);
        } else {
            good = rh_make_birth(maker, rh_size_law_draw(&sizes, &maker->random), &block);
            if (good)
                good = rh_agenda_put(&agenda,
                                     maker->events + rh_life_law_draw(lives, mean, &maker->random),
                                     block) ||
                       rh_maker_no_memory(maker);
        }
    }
    rh_agenda_release(&agenda);
}

const rh_model rh_model_random = {
    "random", "a steady state: sizes and lifetimes drawn at random, so many blocks alive", keys,
    1000000, run};
