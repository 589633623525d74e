#include "tests/unit/replay/events.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/random.h"

void
rh_test_events_add(rh_test_events *events, rh_event event)
{
    if (events->count == events->capacity) {
        events->capacity = events->capacity ? events->capacity * 2 : 256;
        events->event = realloc(events->event, events->capacity * sizeof *events->event);
        if (!events->event)
            abort();
    }
    if (event.slot != RH_NO_SLOT && event.slot >= events->slots)
        events->slots = event.slot + 1;
    events->event[events->count++] = event;
}

void
rh_test_events_release(rh_test_events *events)
{
    free(events->event);
    *events = (rh_test_events){0};
}

static uint64_t
draw_size(rh_random *random)
{
    uint64_t kind = rh_random_below(random, 100);
    return kind < 2    ? 0
           : kind < 88 ? 1 + rh_random_below(random, 512)
           : kind < 99 ? 513 + rh_random_below(random, 8000)
                       : 1 + rh_random_below(random, 300000);
}

static rh_event
draw_birth(rh_random *random, uint32_t slot)
{
    rh_event event = {.slot = slot, .size = draw_size(random)};
    event.domain = (uint8_t)rh_random_below(random, 3);
    uint64_t kind = rh_random_below(random, 20);
    if (kind == 0) {
        event.operation = RH_CALLOC;
        event.count = rh_random_below(random, 2) ? 1 : 3;
        event.element = event.size;
        event.size *= event.count;
    } else if (kind == 1) {
        event.operation = RH_REALLOC;
        event.flags = RH_EVENT_NULL;
    } else if (kind == 2) {
        event.operation = RH_ALIGNED;
        event.domain = 0;
        event.alignment_log2 = (uint8_t)(3 + rh_random_below(random, 7));
    } else {
        event.operation = RH_MALLOC;
    }
    return event;
}

void
rh_test_events_random(rh_test_events *events, uint64_t seed, size_t count, uint32_t slots)
{
    rh_random random = {seed};
    signed char *domain = malloc(slots); /* of the live block; -1: none */
    if (!domain)
        abort();
    for (uint32_t i = 0; i < slots; i++)
        domain[i] = -1;
    while (events->count < count) {
        uint32_t slot = (uint32_t)rh_random_below(&random, slots);
        rh_event event = {.slot = slot};
        if (domain[slot] < 0) {
            event = draw_birth(&random, slot);
            domain[slot] = (signed char)event.domain;
        } else {
            event.domain = (uint8_t)domain[slot];
            bool resize = rh_random_below(&random, 10) == 0;
            event.operation = resize ? RH_REALLOC : RH_FREE;
            event.size = resize ? draw_size(&random) : 0;
            domain[slot] = resize ? domain[slot] : -1;
        }
        rh_test_events_add(events, event);
        if (rh_random_below(&random, 200) == 0)
            rh_test_events_add(
                events,
                (rh_event){.operation = RH_FREE, .flags = RH_EVENT_NULL, .slot = RH_NO_SLOT});
    }
    free(domain);
}

static rh_status
next(void *ctx, rh_batch *batch, rh_error *error)
{
    (void)error;
    rh_test_events *events = ctx;
    size_t left = events->count - events->at, wanted = 1 + events->at % 7001;
    *batch = (rh_batch){.events = events->event + events->at,
                        .count = left < wanted ? left : wanted,
                        .first_event = events->at,
                        .slots = events->slots};
    events->at += batch->count;
    return RH_OK;
}

static rh_status
again(void *ctx, rh_error *error)
{
    (void)error;
    rh_test_events *events = ctx;
    events->at = 0;
    return RH_OK;
}

rh_source
rh_test_events_source(rh_test_events *events)
{
    events->at = 0;
    return (rh_source){.ctx = events, .next = next, .again = again};
}
