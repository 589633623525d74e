/* Strict orders: what came last goes first, or what came first; and arrays that grow. */
#include <stdlib.h>

#include "traces/generate/laws.h"
#include "traces/generate/models.h"

static const rh_key order_keys[] = {
    {"live", RH_KEY_COUNT, 1, UINT32_MAX / 4, false, NULL, "10000", "blocks alive at most"},
    {"run", RH_KEY_COUNT, 1, UINT32_MAX / 4, false, NULL, "100",
     "births or deaths one after another, on average"},
    RH_SIZE_LAW_KEYS,
    {0},
};

/* A ring of blocks, oldest first. */
typedef struct block_ring {
    uint32_t *block;
    uint64_t first, count, room;
} block_ring;

/* Runs of births and runs of deaths take turns; each ends where the bounds do. */
static void
run_order(rh_maker *maker, const rh_model_call *call, bool newest_first)
{
    rh_size_law sizes;
    block_ring ring = {.room = rh_model_number(call, "live")};
    double mean = (double)rh_model_number(call, "run");
    if (rh_size_law_read(call->settings, call->keys, &sizes, &maker->error) != RH_OK)
        return;
    ring.block = malloc(ring.room * sizeof *ring.block);
    bool good = ring.block || rh_maker_no_memory(maker), births = true;
    while (good) {
        uint64_t left = rh_life_law_draw(RH_LIVES_EXPONENTIAL, mean, &maker->random);
        for (; good && left && births && ring.count < ring.room; left--, ring.count++)
            good = rh_make_birth(maker, rh_size_law_draw(&sizes, &maker->random),
                                 &ring.block[(ring.first + ring.count) % ring.room]);
        for (; good && left && !births && ring.count; left--) {
            ring.count--;
            uint64_t place = newest_first ? ring.first + ring.count : ring.first++;
            good = rh_make_death(maker, ring.block[place % ring.room]);
        }
        births = !births;
    }
    free(ring.block);
}

static void
run_stack(rh_maker *maker, const rh_model_call *call)
{
    run_order(maker, call, true);
}

static void
run_queue(rh_maker *maker, const rh_model_call *call)
{
    run_order(maker, call, false);
}

const rh_model rh_model_stack = {"stack", "last in, first out", order_keys, 1000000, run_stack};
const rh_model rh_model_queue = {"queue", "first in, first out", order_keys, 1000000, run_queue};

/* ---- arrays that grow ---- */

static const rh_key vectors_keys[] = {
    {"count", RH_KEY_COUNT, 1, 1 << 24, false, NULL, "256", "arrays that grow at the same time"},
    {"factor", RH_KEY_COUNT, 101, 1000, false, NULL, "150",
     "what they grow to, in per cent of what they were"},
    {"from", RH_KEY_SIZE, 1, UINT64_C(1) << 40, false, NULL, "64", "what they begin with"},
    {"to", RH_KEY_SIZE, 1, UINT64_C(1) << 40, false, NULL, "256K",
     "the largest they may get; each has a size of its own up to that, at which it goes"},
    {"between", RH_KEY_COUNT, 0, 1000, false, NULL, "4",
     "small blocks that come between two resizes; as many of them live as there are arrays"},
    {0},
};

typedef struct vector {
    uint32_t block;
    uint64_t size, most;
} vector;

typedef struct vectors {
    uint64_t count, factor, from, to, between, small_count;
    vector *vector;
    uint32_t *small; /* a ring */
} vectors;

/* Sizes up to `to`, any order of magnitude as likely. */
static uint64_t
draw_most(rh_maker *maker, const vectors *all)
{
    uint64_t most = all->from;
    double magnitudes =
        rh_natural_logarithm((double)all->to / (double)all->from) / 0.6931471805599453;
    double up = rh_draw_unit(&maker->random) * magnitudes;
    for (; up >= 1 && most < all->to; up--)
        most *= 2;
    most += (uint64_t)((double)most * up);
    return most < all->to ? most : all->to;
}

static bool
step_vector(rh_maker *maker, const vectors *all, vector *one)
{
    if (one->size && one->size >= one->most) {
        one->size = 0;
        return rh_make_death(maker, one->block);
    }
    uint64_t before = one->size;
    if (!before) {
        one->most = draw_most(maker, all);
        one->size = all->from;
        return rh_make_birth(maker, one->size, &one->block);
    }
    uint64_t more = (uint64_t)((double)before * (double)(all->factor - 100) / 100);
    one->size = before + (more ? more : 1);
    if (one->size > one->most)
        one->size = one->most;
    return rh_make_resize(maker, &one->block, one->size);
}

static bool
step_small(rh_maker *maker, vectors *all)
{
    uint32_t *place = &all->small[all->small_count % all->count];
    if (all->small_count >= all->count && !rh_make_death(maker, *place))
        return false;
    all->small_count++;
    return rh_make_birth(maker, 16 + 16 * rh_draw_below(&maker->random, 8), place);
}

static void
run_vectors(rh_maker *maker, const rh_model_call *call)
{
    vectors all = {.count = rh_model_number(call, "count"),
                   .factor = rh_model_number(call, "factor"),
                   .from = rh_model_number(call, "from"),
                   .to = rh_model_number(call, "to"),
                   .between = rh_model_number(call, "between")};
    if (all.from > all.to) {
        rh_maker_fail(maker, RH_USAGE, "from=%llu is above to=%llu", (unsigned long long)all.from,
                      (unsigned long long)all.to);
        return;
    }
    all.vector = calloc(all.count, sizeof *all.vector);
    all.small = calloc(all.count, sizeof *all.small);
    bool good = (all.vector && all.small) || rh_maker_no_memory(maker);
    while (good) {
        good = step_vector(maker, &all, &all.vector[rh_draw_below(&maker->random, all.count)]);
        for (uint64_t i = 0; good && i < all.between; i++)
            good = step_small(maker, &all);
    }
    free(all.vector);
    free(all.small);
}

const rh_model rh_model_vectors = {"vectors", "arrays grow by realloc, among small blocks",
                                   vectors_keys, 1000000, run_vectors};
