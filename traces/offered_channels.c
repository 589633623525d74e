#include "traces/offered_channels.h"

#include <stdatomic.h>
#include <stdlib.h>

enum { OFFERED_WITH_CHILDREN = 8 };

static rh_status
offer_channel(rh_collection *c)
{
    rh_error error = {0};
    rh_recorded_program *s = calloc(1, sizeof *s);
    rh_recorded_program **sources = realloc(c->sources, (c->count + 1) * sizeof *sources);
    if (sources)
        c->sources = sources;
    if (!s || !sources) {
        free(s);
        rh_fail(&error, RH_SYSTEM, "out of memory");
        return rh_collection_keep_error(c, &error);
    }
    if (rh_channel_open(&s->shared, &error) != RH_OK) {
        free(s);
        return rh_collection_keep_error(c, &error);
    }
    s->channel = s->shared.memory;
    s->process = -1;
    s->offered = true;
    c->sources[c->count++] = s;
    rh_session *session = c->session.memory;
    for (unsigned i = 0; i < RH_SESSION_CHANNELS; i++) {
        if (atomic_load(&session->channels[i]) < 0) {
            atomic_store(&session->channels[i], s->shared.descriptor);
            break;
        }
    }
    return RH_OK;
}

rh_status
rh_channels_keep_on_offer(rh_collection *c)
{
    unsigned wanted = c->options->children ? OFFERED_WITH_CHILDREN : 1, offered = 0;
    for (unsigned i = 0; i < c->count; i++)
        offered += c->sources[i]->offered;
    rh_session *session = c->session.memory;
    rh_status status = RH_OK;
    for (; offered < wanted && status == RH_OK; offered++)
        status = offer_channel(c);
    /* Whoever finds none then does not wait for one. */
    atomic_store(&session->exhausted, status != RH_OK);
    return status;
}

/* What recorded processes map is all they may have. */
static bool
is_shared(const void *context, int descriptor)
{
    const rh_collection *c = context;
    bool found = descriptor == c->session.descriptor;
    for (unsigned i = 0; i < c->count; i++)
        found |= !c->sources[i]->done && descriptor == c->sources[i]->shared.descriptor;
    return found;
}

void
rh_channels_serve_reception(void *context)
{
    const rh_collection *c = context;
    rh_reception_serve(&c->reception, is_shared, c);
}
