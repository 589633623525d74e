/* Threads that free one another's blocks. They take turns in runs, as threads on few processors do.
 */
#include <stdlib.h>

#include "traces/generate/laws.h"
#include "traces/generate/models.h"

enum { THREADS_MAX = 1024 };

/* ---- producers and consumers ---- */

static const rh_key relay_keys[] = {
    {"producers", RH_KEY_COUNT, 1, THREADS_MAX, false, NULL, "2", "threads that allocate"},
    {"consumers", RH_KEY_COUNT, 1, THREADS_MAX, false, NULL, "2", "threads that free"},
    {"queue", RH_KEY_COUNT, 1, UINT32_MAX / 4, false, NULL, "1000", "blocks on the way at most"},
    {"run", RH_KEY_COUNT, 1, UINT32_MAX / 4, false, NULL, "50",
     "events of a thread one after another, on average"},
    RH_SIZE_LAW_KEYS,
    {0},
};

static void
run_relay(rh_maker *maker, const rh_model_call *call)
{
    rh_size_law sizes;
    uint64_t producers = rh_model_number(call, "producers"), room = rh_model_number(call, "queue");
    uint64_t threads = producers + rh_model_number(call, "consumers"), first = 0, count = 0;
    double mean = (double)rh_model_number(call, "run");
    if (rh_size_law_read(call->settings, call->keys, &sizes, &maker->error) != RH_OK)
        return;
    uint32_t *block = malloc(room * sizeof *block);
    bool good = block || rh_maker_no_memory(maker);
    while (good) {
        /* Whoever can work: with an empty queue a producer, with a full one a consumer. */
        uint64_t from = count == room ? producers : 0, to = count == 0 ? producers : threads;
        uint64_t thread = from + rh_draw_below(&maker->random, to - from);
        uint64_t left = rh_life_law_draw(RH_LIVES_EXPONENTIAL, mean, &maker->random);
        good = rh_maker_switch(maker, (uint32_t)thread);
        for (; good && left && thread < producers && count < room; left--, count++)
            good = rh_make_birth(maker, rh_size_law_draw(&sizes, &maker->random),
                                 &block[(first + count) % room]);
        for (; good && left && thread >= producers && count; left--, count--)
            good = rh_make_death(maker, block[first++ % room]);
    }
    free(block);
}

const rh_model rh_model_relay = {"relay", "producers allocate, consumers in other threads free",
                                 relay_keys, 1000000, run_relay};

/* ---- Larson's server ---- */

static const rh_key larson_keys[] = {
    {"threads", RH_KEY_COUNT, 1, THREADS_MAX, false, NULL, "4", "threads at once"},
    {"slots", RH_KEY_COUNT, 1, 1 << 24, false, NULL, "1000", "blocks that each has"},
    {"stint", RH_KEY_COUNT, 1, UINT32_MAX, false, NULL, "100000",
     "replacements by a thread before it ends and hands its blocks to a new one"},
    {"run", RH_KEY_COUNT, 1, UINT32_MAX / 4, false, NULL, "50",
     "replacements by a thread one after another, on average"},
    RH_SIZE_LAW_KEYS,
    {0},
};

typedef struct worker {
    uint32_t thread;
    uint64_t done;
    uint32_t *block; /* those it was handed are freed by it */
} worker;

typedef struct larson {
    rh_size_law sizes;
    uint64_t slots, stint;
    double run;
    worker *worker;
    uint64_t workers;
    uint32_t threads; /* ever begun */
} larson;

static bool
replace(rh_maker *maker, const larson *server, worker *one)
{
    uint32_t *place = &one->block[rh_draw_below(&maker->random, server->slots)];
    one->done++;
    return rh_make_death(maker, *place) &&
           rh_make_birth(maker, rh_size_law_draw(&server->sizes, &maker->random), place);
}

static bool
fill(rh_maker *maker, const larson *server, worker *one)
{
    if (!rh_maker_switch(maker, one->thread))
        return false;
    for (uint64_t i = 0; i < server->slots; i++)
        if (!rh_make_birth(maker, rh_size_law_draw(&server->sizes, &maker->random), &one->block[i]))
            return false;
    return true;
}

static bool
serve(rh_maker *maker, larson *server)
{
    worker *one = &server->worker[rh_draw_below(&maker->random, server->workers)];
    uint64_t left = rh_life_law_draw(RH_LIVES_EXPONENTIAL, server->run, &maker->random);
    if (one->done >= server->stint) {
        one->thread = server->threads++;
        one->done = 0;
    }
    bool good = rh_maker_switch(maker, one->thread);
    for (; good && left && one->done < server->stint; left--)
        good = replace(maker, server, one);
    return good;
}

static void
run_larson(rh_maker *maker, const rh_model_call *call)
{
    larson server = {.slots = rh_model_number(call, "slots"),
                     .stint = rh_model_number(call, "stint"),
                     .run = (double)rh_model_number(call, "run"),
                     .workers = rh_model_number(call, "threads")};
    if (rh_size_law_read(call->settings, call->keys, &server.sizes, &maker->error) != RH_OK)
        return;
    server.worker = calloc(server.workers, sizeof *server.worker);
    uint32_t *blocks = malloc(server.workers * server.slots * sizeof *blocks);
    bool good = (server.worker && blocks) || rh_maker_no_memory(maker);
    for (uint64_t i = 0; good && i < server.workers; i++) {
        server.worker[i] = (worker){server.threads++, 0, blocks + i * server.slots};
        good = fill(maker, &server, &server.worker[i]);
    }
    while (good)
        good = serve(maker, &server);
    free(server.worker);
    free(blocks);
}

const rh_model rh_model_larson = {
    "larson", "a server (Larson and Krishnan, 1998): threads replace blocks, end, and hand them on",
    larson_keys, 1000000, run_larson};
