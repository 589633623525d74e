/* Events in memory, as a source: what a reader would deliver. */
#ifndef REHEAP_TESTS_UNIT_REPLAY_EVENTS_H
#define REHEAP_TESTS_UNIT_REPLAY_EVENTS_H

#include "replay/group.h"
#include "traces/event.h"

typedef struct rh_test_events {
    rh_event *event;
    size_t count, capacity;
    uint32_t slots;
    size_t at; /* of the source */
} rh_test_events;

void rh_test_events_add(rh_test_events *events, rh_event event);
void rh_test_events_release(rh_test_events *events);

/* `count` random calls in all domains over at most `slots` blocks, mostly small, each alive block
 * used as it should be; every kind of call occurs. */
void rh_test_events_random(rh_test_events *events, uint64_t seed, size_t count, uint32_t slots);

/* Batches of uneven length from the start. */
rh_source rh_test_events_source(rh_test_events *events);

#endif
