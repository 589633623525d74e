/* The three shapes that programs' memory has over time, as Wilson, Johnstone, Neely and Boles
 * ("Dynamic Storage Allocation: A Survey and Critical Review", 1995) found them: ramps (data pile
 * up to the end), peaks (a structure is built, used and thrown away, again and again) and plateaus
 * (it is built early and stays).
 *
 * A curve says how many lasting blocks there shall be after so many events. Between the steps that
 * follow it blocks of the moment come and go.
 */
#include <stdlib.h>

#include "traces/generate/agenda.h"
#include "traces/generate/laws.h"
#include "traces/generate/models.h"

/* clang-format off */
#define COMMON_KEYS                                                                                \
    {"live", RH_KEY_COUNT, 1, UINT32_MAX / 4, false, NULL, "50000",                                \
     "lasting blocks alive at the top"},                                                           \
    {"brief", RH_KEY_COUNT, 1, UINT32_MAX / 4, false, NULL, "64",                                  \
     "mean lifetime of the others, in events"},                                                    \
    {"order", RH_KEY_CHOICE, 0, 0, false, "random|oldest|newest", "random",                        \
     "which lasting blocks go first"},                                                             \
    RH_SIZE_LAW_KEYS
/* clang-format on */

static const rh_key plain_keys[] = {COMMON_KEYS, {0}};
static const rh_key peaks_keys[] = {
    COMMON_KEYS,
    {"peaks", RH_KEY_COUNT, 1, 1000000, false, NULL, "8", "how many"},
    {"stay", RH_KEY_COUNT, 0, 100, false, NULL, "5",
     "per cent of the lasting blocks that outlive a peak"},
    {0},
};

typedef enum death_order { GO_RANDOM, GO_OLDEST, GO_NEWEST } death_order;

/* The lasting blocks, oldest first; a ring when the oldest go. */
typedef struct lasting {
    uint32_t *block;
    uint64_t first, count, room;
} lasting;

typedef struct curve {
    rh_size_law sizes;
    double brief;
    death_order order;
    uint64_t live, peaks;
    double stay; /* share */
    double (*level)(const struct curve *shape, double at);
    rh_agenda agenda;
    lasting lasting;
} curve;

/* ---- the curves: lasting blocks wanted, as a share of the top, at a share of the way ---- */

static double
ramp_level(const curve *shape, double at)
{
    (void)shape;
    return at;
}

/* Up in seven tenths of its time, a tenth on top, down in two. */
static double
peaks_level(const curve *shape, double at)
{
    double along = at * (double)shape->peaks;
    along -= (double)(uint64_t)along;
    double height = along < 0.7 ? along / 0.7 : along < 0.8 ? 1 : (1 - along) / 0.2;
    return shape->stay + (1 - shape->stay) * height;
}

static double
plateau_level(const curve *shape, double at)
{
    (void)shape;
    return at < 0.1 ? at / 0.1 : at < 0.95 ? 1 : (1 - at) / 0.05;
}

/* ---- the run ---- */

static bool
be_born(rh_maker *maker, curve *shape)
{
    lasting *all = &shape->lasting;
    uint64_t place = (all->first + all->count) % all->room;
    if (!rh_make_birth(maker, rh_size_law_draw(&shape->sizes, &maker->random), &all->block[place]))
        return false;
    all->count++;
    return true;
}

static bool
die(rh_maker *maker, curve *shape)
{
    lasting *all = &shape->lasting;
    uint64_t newest = (all->first + all->count - 1) % all->room, place = newest;
    if (shape->order == GO_RANDOM)
        place = (all->first + rh_draw_below(&maker->random, all->count)) % all->room;
    else if (shape->order == GO_OLDEST)
        place = all->first;
    uint32_t block = all->block[place];
    if (shape->order == GO_OLDEST)
        all->first = (all->first + 1) % all->room;
    else
        all->block[place] = all->block[newest];
    all->count--;
    return rh_make_death(maker, block);
}

static bool
be_brief(rh_maker *maker, curve *shape)
{
    uint32_t block;
    if (!rh_make_birth(maker, rh_size_law_draw(&shape->sizes, &maker->random), &block))
        return false;
    uint64_t life = rh_life_law_draw(RH_LIVES_EXPONENTIAL, shape->brief, &maker->random);
    return rh_agenda_put(&shape->agenda, maker->events + life, block) || rh_maker_no_memory(maker);
}

static bool
step(rh_maker *maker, curve *shape)
{
    uint32_t block;
    double share = shape->level(shape, (double)maker->events / (double)maker->wanted);
    uint64_t target = (uint64_t)(share * (double)shape->live);
    rh_agenda_advance(&shape->agenda, maker->events);
    if (rh_agenda_take(&shape->agenda, &block))
        return rh_make_death(maker, block);
    if (shape->lasting.count < target)
        return be_born(maker, shape);
    if (shape->lasting.count > target)
        return die(maker, shape);
    return be_brief(maker, shape);
}

static void
follow(rh_maker *maker, const rh_model_call *call, curve *shape)
{
    shape->live = rh_model_number(call, "live");
    shape->brief = (double)rh_model_number(call, "brief");
    shape->order = (death_order)rh_model_number(call, "order");
    if (rh_size_law_read(call->settings, call->keys, &shape->sizes, &maker->error) != RH_OK)
        return;
    if (maker->wanted / 4 / shape->peaks < shape->live) {
        rh_maker_fail(
            maker, RH_USAGE,
            "%llu events are too few to have %llu blocks alive%s; it takes four for each, "
            "%llu",
            (unsigned long long)maker->wanted, (unsigned long long)shape->live,
            shape->peaks > 1 ? " at every peak" : "",
            (unsigned long long)(shape->live * shape->peaks * 4));
        return;
    }
    shape->lasting.room = shape->live + 1;
    shape->lasting.block = malloc(shape->lasting.room * sizeof *shape->lasting.block);
    bool good = rh_agenda_init(&shape->agenda) && shape->lasting.block;
    if (!good)
        rh_maker_no_memory(maker);
    while (good)
        good = step(maker, shape);
    rh_agenda_release(&shape->agenda);
    free(shape->lasting.block);
}

static void
run_ramp(rh_maker *maker, const rh_model_call *call)
{
    curve shape = {.level = ramp_level, .peaks = 1};
    follow(maker, call, &shape);
}

static void
run_peaks(rh_maker *maker, const rh_model_call *call)
{
    curve shape = {.level = peaks_level,
                   .peaks = rh_model_number(call, "peaks"),
                   .stay = (double)rh_model_number(call, "stay") / 100};
    follow(maker, call, &shape);
}

static void
run_plateau(rh_maker *maker, const rh_model_call *call)
{
    curve shape = {.level = plateau_level, .peaks = 1};
    follow(maker, call, &shape);
}

const rh_model rh_model_ramp = {"ramp", "data pile up to the end, among blocks that live shortly",
                                plain_keys, 1000000, run_ramp};
const rh_model rh_model_peaks = {"peaks", "a structure is built and thrown away, again and again",
                                 peaks_keys, 2000000, run_peaks};
const rh_model rh_model_plateau = {"plateau", "data are built early, stay, and go at the end",
                                   plain_keys, 1000000, run_plateau};
