#include "tests/unit/traces/follower.h"

#include <stdlib.h>
#include <string.h>

static const char *
follow_event(follower *replayer, const rh_event *event)
{
    unsigned none = RH_EVENT_FAILED | RH_EVENT_NULL | RH_EVENT_FOREIGN;
    bool moves = event->operation == RH_FREE || event->operation == RH_REALLOC;
    bool kills = moves && !(event->flags & none);
    bool bears = (event->operation <= RH_REALLOC || event->operation == RH_ALIGNED) &&
                 !(event->flags & RH_EVENT_FAILED);
    if (event->operation >= RH_OPERATIONS)
        return "an operation that does not exist";
    if (event->domain >= RH_EVENT_DOMAINS)
        return "a domain that does not exist";
    if ((event->operation == RH_MARK || event->operation == RH_CHECKPOINT) &&
        event->text[event->size] != '\0')
        return "a text without an end";
    if (!kills && !bears)
        return event->slot == RH_NO_SLOT ? NULL : "a slot where no block is";
    if (event->slot >= replayer->slots)
        return "a slot beyond the last";
    if (replayer->taken[event->slot] != kills)
        return kills ? "a block that is not there dies" : "a block is born over another";
    replayer->taken[event->slot] = bears;
    return NULL;
}

bool
follower_follow(follower *replayer, const rh_event *events, size_t count, uint32_t slots)
{
    if (slots > replayer->slots) {
        replayer->taken = realloc(replayer->taken, slots);
        if (!replayer->taken)
            abort();
        memset(replayer->taken + replayer->slots, 0, slots - replayer->slots);
        replayer->slots = slots;
    }
    for (size_t i = 0; i < count && !replayer->problem; i++)
        replayer->problem = follow_event(replayer, &events[i]);
    return !replayer->problem;
}

void
follower_release(follower *replayer)
{
    free(replayer->taken);
    *replayer = (follower){.taken = NULL};
}
