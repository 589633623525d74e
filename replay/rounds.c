#define _GNU_SOURCE
#include "replay/rounds.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc/counters.h"
#include "base/output.h"
#include "base/size.h"

static bool
read_count(const char *text, unsigned *count)
{
    uint64_t value;
    if (!rh_size_parse(text, &value) || value < 1 || value > RH_ROUNDS_MOST)
        return false;
    *count = (unsigned)value;
    return true;
}

static bool
read_word(const char *word, bool first, rh_loop *loop)
{
    if (first && strcmp(word, "steady") == 0) {
        loop->steady = true;
        return true;
    }
    if (first)
        return read_count(word, &loop->rounds);
    if (strncmp(word, "most=", 5) == 0 && loop->steady)
        return read_count(word + 5, &loop->rounds);
    loop->frees = strcmp(word, "end=free") == 0;
    return loop->frees || strcmp(word, "end=keep") == 0;
}

bool
rh_loop_parse(const char *text, rh_loop *loop)
{
    char words[64], *rest = words, *word;
    rh_loop read = {.rounds = RH_STEADY_MOST};
    if (strlen(text) >= sizeof words)
        return false;
    if (strcmp(text, "none") == 0) {
        *loop = (rh_loop){.rounds = 0};
        return true;
    }
    strcpy(words, text);
    for (bool first = true; (word = strsep(&rest, ",")); first = false)
        if (!read_word(word, first, &read))
            return false;
    *loop = read;
    return true;
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

bool
rh_rounds_steady(const rh_round *rounds, size_t count)
{
    if (count < RH_STEADY_ROUNDS)
        return false;
    uint64_t least = UINT64_MAX, most = 0;
    uint64_t requested = rounds[count - 1].end_requested_bytes;
    for (size_t i = count - RH_STEADY_ROUNDS; i < count; i++) {
        uint64_t mapped = mapped_of(&rounds[i]);
        if (mapped == RH_UNKNOWN || rounds[i].end_requested_bytes != requested)
            return false;
        least = mapped < least ? mapped : least;
        most = mapped > most ? mapped : most;
    }
    return most - least <= most / 1000;
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
