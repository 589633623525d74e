/* Models: programs that never were, described by a few numbers.
 *
 *   NAME[,KEY=VALUE]...
 *
 * The table of models is what the parser, its messages and the list of `reheap generate --models`
 * read. Sizes take K, M, G; a backslash goes before a comma that belongs to a value.
 */
#ifndef REHEAP_TRACES_GENERATE_MODEL_H
#define REHEAP_TRACES_GENERATE_MODEL_H

#include <stdint.h>

#include "base/error.h"
#include "base/settings.h"
#include "traces/generate/maker.h"

/* What a model is given. */
typedef struct rh_model_call {
    const rh_settings *settings;
    const rh_key *keys;
} rh_model_call;

typedef struct rh_model {
    const char *name, *summary;
    const rh_key *keys;       /* ends with a NULL name */
    uint64_t standard_events; /* when none are asked for; 0: it has an end of its own, and when more
                                 events are asked for it begins again */
    /* Makes events until told to stop or done. What is wrong goes to the maker. */
    void (*run)(rh_maker *maker, const rh_model_call *call);
} rh_model;

/* All of them, NULL at the end. */
extern const rh_model *const rh_models[];

/* A model with its settings. */
typedef struct rh_model_spec {
    const rh_model *model;
    rh_settings settings;
} rh_model_spec;

/* RH_USAGE names the bad part and what is allowed; there is nothing to release then. */
rh_status rh_model_parse(const char *text, rh_model_spec *spec, rh_error *error);
void rh_model_spec_release(rh_model_spec *spec);

/* A setting's number, given or default. */
static inline uint64_t
rh_model_number(const rh_model_call *call, const char *key)
{
    return rh_settings_value(call->settings, call->keys, key);
}

#endif
