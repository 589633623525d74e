/* Programs that are hard on allocators: little of what they hold lies close together. */
#include <stdlib.h>

#include "traces/generate/laws.h"
#include "traces/generate/models.h"

/* ---- pinning: almost everything goes, and what stays holds the pages ---- */

static const rh_key pinning_keys[] = {
    {"objects", RH_KEY_COUNT, 1, UINT32_MAX / 4, false, NULL, "1000000", "allocated in a round"},
    {"one-in", RH_KEY_COUNT, 1, UINT32_MAX, false, NULL, "100", "of so many, one stays"},
    {"stays", RH_KEY_CHOICE, 0, 0, false, "random|spaced", "random",
     "which: each by chance, or every one-in-th"},
    {"min", RH_KEY_SIZE, 1, UINT64_C(1) << 40, false, NULL, "64", "the smallest"},
    {"max", RH_KEY_SIZE, 1, UINT64_C(1) << 40, false, NULL, "64",
     "the largest; every size between is as likely"},
    {0},
};

typedef struct pinning {
    rh_size_law sizes;
    uint64_t objects, one_in;
    bool spaced;
    uint32_t *block;
    uint64_t survivors; /* of the round before: they lie first */
} pinning;

/* Those that stay move to the front of the array. */
static bool
free_most(rh_maker *maker, pinning *all)
{
    all->survivors = 0;
    for (uint64_t i = 0; i < all->objects; i++) {
        bool stays = all->spaced ? (i + 1) % all->one_in == 0
                                 : rh_draw_below(&maker->random, all->one_in) == 0;
        if (stays)
            all->block[all->survivors++] = all->block[i];
        else if (!rh_make_death(maker, all->block[i]))
            return false;
    }
    return true;
}

static bool
pinning_round(rh_maker *maker, pinning *all)
{
    for (uint64_t i = 0; i < all->survivors; i++)
        if (!rh_make_death(maker, all->block[i]))
            return false;
    if (!rh_make_mark(maker, "allocate"))
        return false;
    for (uint64_t i = 0; i < all->objects; i++)
        if (!rh_make_birth(maker, rh_size_law_draw(&all->sizes, &maker->random), &all->block[i]))
            return false;
    return rh_make_mark(maker, "free") && free_most(maker, all) && rh_make_mark(maker, "pinned");
}

static void
run_pinning(rh_maker *maker, const rh_model_call *call)
{
    pinning all = {.sizes = {.kind = RH_SIZES_UNIFORM,
                             .least = rh_model_number(call, "min"),
                             .most = rh_model_number(call, "max")},
                   .objects = rh_model_number(call, "objects"),
                   .one_in = rh_model_number(call, "one-in"),
                   .spaced = rh_model_number(call, "stays") == 1};
    if (all.sizes.least > all.sizes.most) {
        rh_maker_fail(maker, RH_USAGE, "min=%llu is above max=%llu",
                      (unsigned long long)all.sizes.least, (unsigned long long)all.sizes.most);
        return;
    }
    all.block = malloc(all.objects * sizeof *all.block);
    if (!all.block)
        rh_maker_no_memory(maker);
    for (uint64_t round = 0; rh_maker_goes_on(maker, round); round++)
        if (!pinning_round(maker, &all))
            break;
    free(all.block);
}

const rh_model rh_model_pinning = {
    "pinning", "many objects, of which all but a few are freed: those few hold the pages",
    pinning_keys, 0, run_pinning};

/* ---- Robson ---- */

/* Robson's program ("Bounds for some functions concerning dynamic storage allocation", 1974) makes
 * any allocator that does not move blocks take about ½·log₂(largest ÷ smallest) times what is
 * alive. It goes in rounds of doubling size: before round i it frees all but what covers one chosen
 * address in every 2^i, so that no gap takes a block of the round. His program sees addresses; a
 * trace cannot, so that this one supposes the blocks to lie one after another in the order of their
 * births, as first fit would place them. */
static const rh_key robson_keys[] = {
    {"live", RH_KEY_SIZE, 1024, UINT64_C(1) << 36, false, NULL, "4M",
     "bytes alive at most; the largest block at least"},
    {"smallest", RH_KEY_SIZE, 1, UINT64_C(1) << 30, true, NULL, "16", "the blocks it begins with"},
    {"largest", RH_KEY_SIZE, 1, UINT64_C(1) << 36, true, NULL, "64K", "the blocks it ends with"},
    {0},
};

typedef struct placed {
    uint64_t place, length; /* in smallest blocks */
    uint32_t block;
} placed;

typedef struct robson {
    uint64_t live, rounds, smallest; /* live in smallest blocks */
    placed *placed;
    uint64_t count, room, alive, end; /* end: the first place that was never used */
    uint64_t offset;                  /* the chosen address in every 2^round */
} robson;

/* Whether a block covers a place that is `offset` modulo `length`. */
static bool
covers(const placed *one, uint64_t offset, uint64_t length)
{
    uint64_t to_next = (offset + length - one->place % length) % length;
    return to_next < one->length;
}

/* What would stay wastes this much: room for a block of the round each, less what it has itself. */
static uint64_t
waste(const robson *all, uint64_t offset, uint64_t length)
{
    uint64_t sum = 0;
    for (uint64_t i = 0; i < all->count; i++)
        if (covers(&all->placed[i], offset, length) && all->placed[i].length < length)
            sum += length - all->placed[i].length;
    return sum;
}

static bool
free_uncovering(rh_maker *maker, robson *all, uint64_t length)
{
    uint64_t kept = 0;
    for (uint64_t i = 0; i < all->count; i++) {
        if (covers(&all->placed[i], all->offset, length)) {
            all->placed[kept++] = all->placed[i];
            continue;
        }
        all->alive -= all->placed[i].length;
        if (!rh_make_death(maker, all->placed[i].block))
            return false;
    }
    all->count = kept;
    return true;
}

static bool
fill_up(rh_maker *maker, robson *all, uint64_t length)
{
    while (all->alive + length <= all->live) {
        placed *one = &all->placed[all->count];
        *one = (placed){.place = all->end, .length = length};
        if (!rh_make_birth(maker, length * all->smallest, &one->block))
            return false;
        all->count++;
        all->end += length;
        all->alive += length;
    }
    return true;
}

static bool
robson_program(rh_maker *maker, robson *all)
{
    for (uint64_t i = 0; i < all->count; i++)
        if (!rh_make_death(maker, all->placed[i].block))
            return false;
    all->count = all->alive = all->end = all->offset = 0;
    if (!rh_make_mark(maker, "robson") || !fill_up(maker, all, 1))
        return false;
    for (uint64_t round = 1; round <= all->rounds; round++) {
        uint64_t length = UINT64_C(1) << round, other = all->offset + length / 2;
        if (waste(all, other, length) > waste(all, all->offset, length))
            all->offset = other;
        if (!free_uncovering(maker, all, length) || !fill_up(maker, all, length))
            return false;
    }
    return true;
}

static void
run_robson(rh_maker *maker, const rh_model_call *call)
{
    robson all = {.smallest = rh_model_number(call, "smallest")};
    uint64_t live = rh_model_number(call, "live"), largest = rh_model_number(call, "largest");
    if (all.smallest > largest || largest > live) {
        rh_maker_fail(maker, RH_USAGE, "smallest=%llu, largest=%llu and live=%llu do not ascend",
                      (unsigned long long)all.smallest, (unsigned long long)largest,
                      (unsigned long long)live);
        return;
    }
    all.live = live / all.smallest;
    while (all.smallest << all.rounds < largest)
        all.rounds++;
    all.room = all.live + 1;
    all.placed = malloc(all.room * sizeof *all.placed);
    if (!all.placed)
        rh_maker_no_memory(maker);
    for (uint64_t round = 0; rh_maker_goes_on(maker, round); round++)
        if (!robson_program(maker, &all))
            break;
    free(all.placed);
}

const rh_model rh_model_robson = {
    "robson", "Robson's adversary: sizes double while what stays breaks every gap", robson_keys, 0,
    run_robson};
