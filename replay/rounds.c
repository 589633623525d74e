#include "replay/rounds.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc/counters.h"
#include "base/output.h"
#include "base/settings.h"
#include "base/size.h"

static const rh_key keys[] = {
    {.name = "most",
     .kind = RH_KEY_COUNT,
     .min = 1,
     .max = RH_ROUNDS_MOST,
     .help = "rounds, where the heap does not become steady before"},
    {.name = "end",
     .kind = RH_KEY_CHOICE,
     .choices = "keep|free",
     .help = "what becomes of blocks that live at the end of a round"},
    {.name = NULL},
};

static rh_status
understand(const char *rounds, const rh_settings *settings, rh_loop *loop, rh_error *error)
{
    uint64_t count = RH_STEADY_MOST, frees = 0;
    loop->steady = strcmp(rounds, "steady") == 0;
    if (!loop->steady && (!rh_count_parse(rounds, &count) || count < 1 || count > RH_ROUNDS_MOST))
        return rh_fail(error, RH_USAGE, "'%.64s' is neither steady nor 1 to %d rounds", rounds,
                       RH_ROUNDS_MOST);
    if (rh_settings_number(settings, "most", &count) && !loop->steady)
        return rh_fail(error, RH_USAGE, "most= goes with steady: %.64s rounds are as many", rounds);
    rh_settings_number(settings, "end", &frees);
    loop->rounds = (unsigned)count;
    loop->frees = frees != 0;
    return RH_OK;
}

rh_status
rh_loop_parse(const char *text, rh_loop *loop, rh_error *error)
{
    rh_loop read = {.rounds = 0};
    rh_settings settings = {.count = 0};
    char *rounds = NULL;
    if (strcmp(text, "none") == 0) {
        *loop = read;
        return RH_OK;
    }
    rh_status status = rh_settings_word(&text, &rounds, error);
    if (status == RH_OK)
        status = rh_settings_parse_rest(text, "a loop", keys, &settings, error);
    if (status == RH_OK)
        status = understand(rounds, &settings, &read, error);
    if (status == RH_OK)
        *loop = read;
    rh_settings_release(&settings);
    free(rounds);
    return status;
}

char *
rh_loop_text(const rh_loop *loop, char *text, size_t capacity)
{
    if (loop->rounds == 0)
        snprintf(text, capacity, "none");
    else
        snprintf(text, capacity, "%s%u,end=%s", loop->steady ? "steady,most=" : "", loop->rounds,
                 loop->frees ? "free" : "keep");
    return text;
}

unsigned
rh_loop_shares(bool steady, unsigned rounds)
{
    if (steady && rounds > RH_STEADY_LIKELY)
        return RH_STEADY_LIKELY;
    return rounds ? rounds : 1;
}

bool
rh_loop_same(const rh_loop *one, const rh_loop *other)
{
    return one->rounds == other->rounds && one->steady == other->steady &&
           one->frees == other->frees;
}

static uint64_t
mapped_of(const rh_round *round)
{
    return round->peak_mapped_bytes != RH_UNKNOWN ? round->peak_mapped_bytes
                                                  : round->end_mapped_bytes;
}

/* To a thousandth, and as much asked for. */
static bool
alike(const rh_round *one, const rh_round *other)
{
    uint64_t a = mapped_of(one), b = mapped_of(other), more = a > b ? a : b;
    return a != RH_UNKNOWN && b != RH_UNKNOWN && more - (a < b ? a : b) <= more / 1000 &&
           one->end_requested_bytes == other->end_requested_bytes;
}

/* Whether the last rounds are RH_STEADY_TIMES times the same `period` ones. */
static bool
repeat(const rh_round *rounds, size_t count, size_t period)
{
    for (size_t i = 1; i <= period; i++) {
        for (size_t times = 1; times < RH_STEADY_TIMES; times++) {
            for (size_t before = 0; before < times; before++) {
                if (!alike(&rounds[count - i - times * period],
                           &rounds[count - i - before * period]))
                    return false;
            }
        }
    }
    return true;
}

size_t
rh_rounds_steady(const rh_round *rounds, size_t count)
{
    for (size_t period = 1; period <= count / RH_STEADY_TIMES; period++) {
        if (repeat(rounds, count, period))
            return period * RH_STEADY_TIMES;
    }
    return 0;
}

/* ---- what lives at the end ---- */

typedef struct living_block {
    uint64_t size, birth; /* birth 0: none lives in this slot */
    uint8_t domain;
} living_block;

typedef struct living_set {
    living_block *block;
    uint32_t room;
    uint64_t births;
} living_set;

static void
make_room(living_set *living, uint32_t slots)
{
    if (slots <= living->room)
        return;
    uint32_t room = slots < UINT32_MAX / 2 ? slots * 2 : slots;
    living->block = realloc(living->block, (size_t)room * sizeof *living->block);
    if (!living->block)
        abort();
    memset(living->block + living->room, 0, (size_t)(room - living->room) * sizeof *living->block);
    living->room = room;
}

/* As far as it is replayed. */
static void
follow(living_set *living, const rh_event *event)
{
    if (event->operation > RH_ALIGNED || event->slot == RH_NO_SLOT ||
        event->flags & (RH_EVENT_FAILED | RH_EVENT_NESTED))
        return;
    living_block *block = &living->block[event->slot];
    if (event->operation == RH_FREE) {
        block->birth = 0;
        return;
    }
    if (block->birth == 0)
        block->birth = ++living->births;
    block->size = event->size;
    block->domain = event->domain;
}

static int
compare_births(const void *left, const void *right)
{
    const rh_event *a = left, *b = right;
    return (a->time_ns > b->time_ns) - (a->time_ns < b->time_ns);
}

static void
gather(const living_set *living, rh_leftovers *leftovers)
{
    size_t count = 0;
    for (uint32_t slot = 0; slot < living->room; slot++)
        count += living->block[slot].birth != 0;
    leftovers->frees = calloc(count + 1, sizeof *leftovers->frees);
    if (!leftovers->frees)
        abort();
    for (uint32_t slot = 0; slot < living->room; slot++) {
        const living_block *block = &living->block[slot];
        if (block->birth == 0)
            continue;
        leftovers->bytes += block->size;
        leftovers->frees[leftovers->count++] = (rh_event){.operation = RH_FREE,
                                                          .domain = block->domain,
                                                          .slot = slot,
                                                          .size = block->size,
                                                          .time_ns = block->birth};
    }
    qsort(leftovers->frees, leftovers->count, sizeof *leftovers->frees, compare_births);
    for (size_t i = 0; i < leftovers->count; i++)
        leftovers->frees[i].time_ns = 0; /* was only to sort by */
}

rh_status
rh_leftovers_find(const rh_source *source, rh_leftovers *leftovers, rh_error *error)
{
    living_set living = {.room = 0};
    rh_status status;
    rh_batch batch;
    *leftovers = (rh_leftovers){.count = 0};
    while ((status = source->next(source->ctx, &batch, error)) == RH_OK && batch.count) {
        make_room(&living, batch.slots);
        for (size_t i = 0; i < batch.count; i++)
            follow(&living, &batch.events[i]);
        if (rh_interrupted()) {
            status = rh_fail(error, RH_INTERRUPTED, "interrupted");
            break;
        }
    }
    if (status == RH_OK)
        gather(&living, leftovers);
    free(living.block);
    return status;
}

void
rh_leftovers_release(rh_leftovers *leftovers)
{
    free(leftovers->frees);
    *leftovers = (rh_leftovers){.count = 0};
}
