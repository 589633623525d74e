/* The parser of spec strings. It knows the grammar; what is allowed stands in the tables, and both
 * the values and the messages come from there. */
#include "alloc/spec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/closest_word.h"

#define SPEC_LENGTH_MAX 8192 /* two paths, and more than anybody types */

static char *
copy_text(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = malloc(size);
    return copy ? memcpy(copy, text, size) : NULL;
}

/* Where the parser stands in the text. */
typedef struct scanner {
    const char *at;
    rh_error *error;
} scanner;

/* A key without a default has to be given, unless a preset sets it. */
static rh_status
check_needed(const rh_allocator *allocator, const rh_spec_part *part, rh_error *error)
{
    const char *given;
    for (const rh_key *key = allocator->keys; !allocator->presets && key && key->name; key++)
        if (!key->standard && !rh_spec_text(part, key->name, &given))
            return rh_fail(error, RH_USAGE, "%s needs %s=, %s", allocator->name, key->name,
                           key->help);
    return RH_OK;
}

static rh_status
choose_preset(const rh_allocator *allocator, const char *preset, rh_spec_part *part,
              rh_error *error)
{
    if (!allocator->presets)
        return rh_fail(error, RH_USAGE, "%s has no presets, so '@%.64s' cannot follow it",
                       allocator->name, preset);
    rh_word_list choices = {.typed = preset};
    for (const char *const *known = allocator->presets; *known; known++) {
        if (strcmp(*known, preset) == 0) {
            part->preset = copy_text(preset);
            return part->preset ? RH_OK : rh_fail(error, RH_SYSTEM, "out of memory");
        }
        rh_word_list_offer(&choices, *known);
    }
    char allowed[RH_WORD_HINT];
    rh_word_list_hint(&choices, "its presets", allowed, sizeof allowed);
    return rh_fail(error, RH_USAGE, "%s has no preset '%.64s'%s", allocator->name, preset, allowed);
}

/* `word` is NAME or NAME@PRESET. */
static rh_status
choose_allocator(char *word, rh_spec *spec, rh_error *error)
{
    char *preset = strchr(word, '@');
    if (preset)
        *preset++ = '\0';
    rh_word_list choices = {.typed = word};
    for (size_t i = 0; rh_allocators[i]; i++) {
        if (strcmp(rh_allocators[i]->name, word) == 0) {
            spec->allocator = rh_allocators[i];
            return preset ? choose_preset(spec->allocator, preset, &spec->base, error) : RH_OK;
        }
        rh_word_list_offer(&choices, rh_allocators[i]->name);
    }
    char allowed[RH_WORD_HINT];
    rh_word_list_hint(&choices, "there are", allowed, sizeof allowed);
    return rh_fail(error, RH_USAGE, "there is no allocator '%.64s'%s", word, allowed);
}

static rh_status
choose_layer(const char *word, rh_spec *spec, rh_error *error)
{
    if (spec->layers == RH_SPEC_LAYERS_MAX)
        return rh_fail(error, RH_USAGE, "at most %d layers can be put on an allocator",
                       RH_SPEC_LAYERS_MAX);
    rh_word_list choices = {.typed = word};
    for (size_t i = 0; rh_layers[i]; i++) {
        if (strcmp(rh_layers[i]->name, word) == 0) {
            spec->layer[spec->layers++] = rh_layers[i];
            return RH_OK;
        }
        rh_word_list_offer(&choices, rh_layers[i]->name);
    }
    char allowed[RH_WORD_HINT];
    rh_word_list_hint(&choices, "there are", allowed, sizeof allowed);
    return rh_fail(error, RH_USAGE, "there is no layer '%.64s'%s", word, allowed);
}

static rh_status
parse_allocator(scanner *cursor, rh_spec *spec)
{
    char *word = NULL;
    rh_status status = rh_settings_word(&cursor->at, &word, cursor->error);
    if (status == RH_OK)
        status = choose_allocator(word, spec, cursor->error);
    free(word);
    if (status)
        return status;
    status = rh_settings_parse(&cursor->at, spec->allocator->name, spec->allocator->keys,
                               &spec->base.settings, cursor->error);
    return status ? status : check_needed(spec->allocator, &spec->base, cursor->error);
}

static rh_status
parse_layer(scanner *cursor, rh_spec *spec)
{
    char *word = NULL;
    rh_status status = rh_settings_word(&cursor->at, &word, cursor->error);
    if (status == RH_OK)
        status = choose_layer(word, spec, cursor->error);
    free(word);
    if (status)
        return status;
    size_t last = spec->layers - 1;
    const rh_layer *layer = spec->layer[last];
    return rh_settings_parse(&cursor->at, layer->name, layer->keys,
                             &spec->layer_part[last].settings, cursor->error);
}

static void
release_part(rh_spec_part *part)
{
    free(part->preset);
    rh_settings_release(&part->settings);
    *part = (rh_spec_part){.preset = NULL};
}

static rh_status parse_parts(scanner *cursor, rh_spec *spec);

/* Puts the spec that an allocator's settings stand for in their place; its layers come below those
 * that follow in the text. */
static rh_status
replace_allocator(rh_spec *spec, rh_error *error)
{
    char text[128];
    rh_status status = spec->allocator->stands_for(&spec->base, text, sizeof text, error);
    if (status != RH_OK)
        return status;
    release_part(&spec->base);
    scanner cursor = {.at = text, .error = error};
    return parse_parts(&cursor, spec);
}

static rh_status
parse_parts(scanner *cursor, rh_spec *spec)
{
    rh_status status = parse_allocator(cursor, spec);
    if (status == RH_OK && spec->allocator->stands_for)
        status = replace_allocator(spec, cursor->error);
    while (status == RH_OK && *cursor->at == '+') {
        cursor->at++;
        status = parse_layer(cursor, spec);
    }
    return status;
}

rh_status
rh_spec_parse(const char *text, rh_spec *spec, rh_error *error)
{
    *spec = (rh_spec){.allocator = NULL};
    if (strlen(text) > SPEC_LENGTH_MAX)
        return rh_fail(error, RH_USAGE, "allocator '%.32s...': longer than %d characters", text,
                       SPEC_LENGTH_MAX);
    scanner cursor = {.at = text, .error = error};
    rh_status status = parse_parts(&cursor, spec);
    if (status == RH_OK)
        return RH_OK;
    rh_spec_release(spec);
    return error ? rh_error_prefix(error, "allocator '%.160s'", text) : status;
}

void
rh_spec_release(rh_spec *spec)
{
    release_part(&spec->base);
    for (size_t i = 0; i < spec->layers; i++)
        release_part(&spec->layer_part[i]);
    *spec = (rh_spec){.allocator = NULL};
}
