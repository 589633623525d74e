/* Follows events as a replayer would: which slots hold a block, and whether each event is about
 * one that does, or does not, as it must. */
#ifndef REHEAP_TESTS_FOLLOWER_H
#define REHEAP_TESTS_FOLLOWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "traces/event.h"

typedef struct follower {
    uint8_t *taken; /* by slot */
    uint32_t slots;
    const char *problem; /* of the first event that cannot be replayed */
} follower;

/* `slots`: every slot of these events is below it. False, with problem set, when one cannot be. */
bool follower_follow(follower *replayer, const rh_event *events, size_t count, uint32_t slots);
void follower_release(follower *replayer);

#endif
