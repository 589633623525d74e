#include "traces/generate/model.h"

#include <stdlib.h>
#include <string.h>

#include "base/closest_word.h"
#include "traces/generate/models.h"

enum { SPEC_LENGTH_MAX = 8192 };

const rh_model *const rh_models[] = {
    &rh_model_random,
    &rh_model_ramp,
    &rh_model_peaks,
    &rh_model_plateau,
    &rh_model_stack,
    &rh_model_queue,
    &rh_model_vectors,
    &rh_model_relay,
    &rh_model_larson,
    &rh_model_pinning,
    &rh_model_robson,
    &rh_model_profile,
    NULL,
};

static rh_status
choose(const char *word, rh_model_spec *spec, rh_error *error)
{
    rh_word_list choices = {.typed = word};
    for (size_t i = 0; rh_models[i]; i++) {
        if (strcmp(rh_models[i]->name, word) == 0) {
            spec->model = rh_models[i];
            return RH_OK;
        }
        rh_word_list_offer(&choices, rh_models[i]->name);
    }
    char allowed[RH_WORD_HINT];
    return rh_fail(error, RH_USAGE, "there is no model '%.64s'%s", word,
                   rh_word_list_hint(&choices, "there are", allowed, sizeof allowed));
}

static rh_status
check_needed(const rh_model_spec *spec, rh_error *error)
{
    const char *given;
    for (const rh_key *key = spec->model->keys; key->name; key++)
        if (!key->standard && !rh_settings_text(&spec->settings, key->name, &given))
            return rh_fail(error, RH_USAGE, "%s needs %s=, %s", spec->model->name, key->name,
                           key->help);
    return RH_OK;
}

rh_status
rh_model_parse(const char *text, rh_model_spec *spec, rh_error *error)
{
    *spec = (rh_model_spec){.model = NULL};
    if (strlen(text) > SPEC_LENGTH_MAX)
        return rh_fail(error, RH_USAGE, "model '%.32s...': longer than %d characters", text,
                       SPEC_LENGTH_MAX);
    const char *at = text;
    char *word = NULL;
    rh_status status = rh_settings_word(&at, &word, error);
    if (status == RH_OK)
        status = choose(word, spec, error);
    free(word);
    if (status == RH_OK)
        status = rh_settings_parse_rest(at, spec->model->name, spec->model->keys, &spec->settings,
                                        error);
    if (status == RH_OK)
        status = check_needed(spec, error);
    if (status == RH_OK)
        return RH_OK;
    rh_model_spec_release(spec);
    return error ? rh_error_prefix(error, "model '%.160s'", text) : status;
}

void
rh_model_spec_release(rh_model_spec *spec)
{
    rh_settings_release(&spec->settings);
}
