/* The parser of spec strings. It knows the grammar; what is allowed stands in the tables, and both
 * the values and the messages come from there. */
#include "alloc/spec.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc/closest_word.h"
#include "base/size.h"

#define SPEC_LENGTH_MAX 8192 /* two paths, and more than anybody types */

/* A message's growing tail; what does not fit is cut. */
typedef struct tail {
    char text[640];
    size_t length;
} tail;

static void __attribute__((format(printf, 2, 3))) add(tail *to, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    size_t room = sizeof to->text - to->length;
    int wanted = vsnprintf(to->text + to->length, room, format, arguments);
    va_end(arguments);
    if (wanted > 0)
        to->length += (size_t)wanted < room ? (size_t)wanted : room - 1;
}

/* The words of a list, offered one at a time: builds both "a, b, c" and the word that was meant. */
typedef struct word_list {
    const char *typed, *meant;
    tail list;
} word_list;

static void
offer(word_list *choices, const char *word)
{
    add(&choices->list, "%s%s", choices->list.length ? ", " : "", word);
    rh_word_offer(choices->typed, word, &choices->meant);
}

/* Turns the choices into a hint: "; did you mean 'x'? NOUN: a, b, c". */
static tail
hint(const word_list *choices, const char *noun)
{
    tail text = {.length = 0};
    if (choices->meant)
        add(&text, "; did you mean '%s'?", choices->meant);
    add(&text, "%s%s: %s", choices->meant ? " " : "; ", noun, choices->list.text);
    return text;
}

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

/* Reads up to the next bare comma, plus or the end, taking backslashes out. The caller frees. */
static rh_status
read_word(scanner *cursor, char **word)
{
    char *text = malloc(strlen(cursor->at) + 1), *to = text;
    if (!text)
        return rh_fail(cursor->error, RH_SYSTEM, "out of memory");
    const char *at = cursor->at;
    for (; *at && *at != ',' && *at != '+'; at++) {
        if (*at == '\\') {
            at++;
            if (*at != ',' && *at != '+' && *at != '\\') {
                free(text);
                return rh_fail(cursor->error, RH_USAGE,
                               "a backslash must stand before a comma, a plus or a backslash, not "
                               "before %s",
                               *at ? "another character" : "the end");
            }
        }
        *to++ = *at;
    }
    *to = '\0';
    cursor->at = at;
    *word = text;
    return RH_OK;
}

static rh_status
fail_number(const rh_key *key, const char *text, rh_error *error)
{
    char low[RH_SIZE_TEXT], high[RH_SIZE_TEXT];
    bool size = key->kind == RH_KEY_SIZE;
    if (size) {
        rh_size_exact(key->min, low, sizeof low);
        rh_size_exact(key->max, high, sizeof high);
    } else {
        snprintf(low, sizeof low, "%" PRIu64, key->min);
        snprintf(high, sizeof high, "%" PRIu64, key->max);
    }
    const char *kind = size ? key->power_of_two ? "a power of two" : "a size" : "a number";
    return rh_fail(error, RH_USAGE, "'%s=%.64s' is not allowed; %s is %s from %s to %s", key->name,
                   text, key->name, kind, low, high);
}

static rh_status
parse_number(const rh_key *key, const char *text, uint64_t *number, rh_error *error)
{
    bool digits = text[strspn(text, "0123456789")] == '\0';
    bool read = (key->kind == RH_KEY_SIZE || digits) && rh_size_parse(text, number);
    if (!read || *number < key->min || *number > key->max)
        return fail_number(key, text, error);
    if (key->power_of_two && (*number & (*number - 1)) != 0)
        return fail_number(key, text, error);
    return RH_OK;
}

static rh_status
parse_choice(const rh_key *key, const char *text, uint64_t *number, rh_error *error)
{
    enum { CHOICES = 16, LETTERS = 32 };
    char word[CHOICES][LETTERS]; /* the hint points into it */
    word_list choices = {.typed = text};
    const char *at = key->choices;
    for (uint64_t place = 0; place < CHOICES && at; place++) {
        size_t length = strcspn(at, "|");
        snprintf(word[place], LETTERS, "%.*s", (int)length, at);
        if (strcmp(word[place], text) == 0) {
            *number = place;
            return RH_OK;
        }
        offer(&choices, word[place]);
        at = at[length] ? at + length + 1 : NULL;
    }
    tail allowed = hint(&choices, "allowed");
    return rh_fail(error, RH_USAGE, "'%s=%.64s' is not allowed%s", key->name, text, allowed.text);
}

static rh_status
parse_value(const rh_key *key, const char *text, uint64_t *number, rh_error *error)
{
    *number = 0;
    switch (key->kind) {
    case RH_KEY_SIZE:
    case RH_KEY_COUNT:
        return parse_number(key, text, number, error);
    case RH_KEY_CHOICE:
        return parse_choice(key, text, number, error);
    case RH_KEY_TEXT:
        break;
    }
    if (!*text)
        return rh_fail(error, RH_USAGE, "'%s=' lacks its value: %s", key->name, key->help);
    return RH_OK;
}

static const rh_key *
find_key(const rh_key *keys, const char *name)
{
    for (const rh_key *key = keys; key && key->name; key++)
        if (strcmp(key->name, name) == 0)
            return key;
    return NULL;
}

static rh_status
fail_key(const char *owner, const rh_key *keys, const char *name, rh_error *error)
{
    if (!keys || !keys->name)
        return rh_fail(error, RH_USAGE, "%s has no key '%.64s', nor any other", owner, name);
    word_list choices = {.typed = name};
    for (const rh_key *key = keys; key->name; key++)
        offer(&choices, key->name);
    tail allowed = hint(&choices, "its keys");
    return rh_fail(error, RH_USAGE, "%s has no key '%.64s'%s", owner, name, allowed.text);
}

/* Takes over `word`, "KEY=VALUE". */
static rh_status
add_setting(const char *owner, const rh_key *keys, rh_spec_part *part, char *word, rh_error *error)
{
    char *equals = strchr(word, '=');
    if (!equals)
        return rh_fail(error, RH_USAGE, "'%.64s' must be KEY=VALUE", word);
    *equals = '\0';
    const rh_key *key = find_key(keys, word);
    if (!key)
        return fail_key(owner, keys, word, error);
    const char *before;
    if (rh_spec_text(part, key->name, &before))
        return rh_fail(error, RH_USAGE, "%s is given twice: '%.64s' and '%.64s'", key->name, before,
                       equals + 1);
    if (part->settings == RH_SPEC_KEYS_MAX)
        return rh_fail(error, RH_USAGE, "%s takes at most %d settings", owner, RH_SPEC_KEYS_MAX);
    uint64_t number;
    rh_status status = parse_value(key, equals + 1, &number, error);
    if (status)
        return status;
    char *text = copy_text(equals + 1);
    if (!text)
        return rh_fail(error, RH_SYSTEM, "out of memory");
    part->setting[part->settings].key = key;
    part->setting[part->settings].number = number;
    part->setting[part->settings].text = text;
    part->settings++;
    return RH_OK;
}

/* The settings that follow a name: every word up to the next plus or the end. */
static rh_status
parse_settings(scanner *cursor, const char *owner, const rh_key *keys, rh_spec_part *part)
{
    while (*cursor->at == ',') {
        cursor->at++;
        char *word = NULL;
        rh_status status = read_word(cursor, &word);
        if (status == RH_OK)
            status = add_setting(owner, keys, part, word, cursor->error);
        free(word);
        if (status)
            return status;
    }
    return RH_OK;
}

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
    word_list choices = {.typed = preset};
    for (const char *const *known = allocator->presets; *known; known++) {
        if (strcmp(*known, preset) == 0) {
            part->preset = copy_text(preset);
            return part->preset ? RH_OK : rh_fail(error, RH_SYSTEM, "out of memory");
        }
        offer(&choices, *known);
    }
    tail allowed = hint(&choices, "its presets");
    return rh_fail(error, RH_USAGE, "%s has no preset '%.64s'%s", allocator->name, preset,
                   allowed.text);
}

/* `word` is NAME or NAME@PRESET. */
static rh_status
choose_allocator(char *word, rh_spec *spec, rh_error *error)
{
    char *preset = strchr(word, '@');
    if (preset)
        *preset++ = '\0';
    word_list choices = {.typed = word};
    for (size_t i = 0; rh_allocators[i]; i++) {
        if (strcmp(rh_allocators[i]->name, word) == 0) {
            spec->allocator = rh_allocators[i];
            return preset ? choose_preset(spec->allocator, preset, &spec->base, error) : RH_OK;
        }
        offer(&choices, rh_allocators[i]->name);
    }
    tail allowed = hint(&choices, "there are");
    return rh_fail(error, RH_USAGE, "there is no allocator '%.64s'%s", word, allowed.text);
}

static rh_status
choose_layer(const char *word, rh_spec *spec, rh_error *error)
{
    if (spec->layers == RH_SPEC_LAYERS_MAX)
        return rh_fail(error, RH_USAGE, "at most %d layers can be put on an allocator",
                       RH_SPEC_LAYERS_MAX);
    word_list choices = {.typed = word};
    for (size_t i = 0; rh_layers[i]; i++) {
        if (strcmp(rh_layers[i]->name, word) == 0) {
            spec->layer[spec->layers++] = rh_layers[i];
            return RH_OK;
        }
        offer(&choices, rh_layers[i]->name);
    }
    tail allowed = hint(&choices, "there are");
    return rh_fail(error, RH_USAGE, "there is no layer '%.64s'%s", word, allowed.text);
}

static rh_status
parse_allocator(scanner *cursor, rh_spec *spec)
{
    char *word = NULL;
    rh_status status = read_word(cursor, &word);
    if (status == RH_OK)
        status = choose_allocator(word, spec, cursor->error);
    free(word);
    if (status)
        return status;
    status = parse_settings(cursor, spec->allocator->name, spec->allocator->keys, &spec->base);
    return status ? status : check_needed(spec->allocator, &spec->base, cursor->error);
}

static rh_status
parse_layer(scanner *cursor, rh_spec *spec)
{
    char *word = NULL;
    rh_status status = read_word(cursor, &word);
    if (status == RH_OK)
        status = choose_layer(word, spec, cursor->error);
    free(word);
    if (status)
        return status;
    size_t last = spec->layers - 1;
    const rh_layer *layer = spec->layer[last];
    return parse_settings(cursor, layer->name, layer->keys, &spec->layer_part[last]);
}

static void
release_part(rh_spec_part *part)
{
    free(part->preset);
    for (size_t i = 0; i < part->settings; i++)
        free(part->setting[i].text);
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
