#include "base/settings.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/closest_word.h"
#include "base/size.h"

static char *
copy_text(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = malloc(size);
    return copy ? memcpy(copy, text, size) : NULL;
}

rh_status
rh_settings_word(const char **text, char **word, rh_error *error)
{
    char *copy = malloc(strlen(*text) + 1), *to = copy;
    if (!copy)
        return rh_fail(error, RH_SYSTEM, "out of memory");
    const char *at = *text;
    for (; *at && *at != ',' && *at != '+'; at++) {
        if (*at == '\\') {
            at++;
            if (*at != ',' && *at != '+' && *at != '\\') {
                free(copy);
                return rh_fail(error, RH_USAGE,
                               "a backslash must stand before a comma, a plus or a backslash, not "
                               "before %s",
                               *at ? "another character" : "the end");
            }
        }
        *to++ = *at;
    }
    *to = '\0';
    *text = at;
    *word = copy;
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
    bool good =
        key->kind == RH_KEY_COUNT ? rh_count_parse(text, number) : rh_size_parse(text, number);
    if (!good || *number < key->min || *number > key->max)
        return fail_number(key, text, error);
    if (key->power_of_two && (*number & (*number - 1)) != 0)
        return fail_number(key, text, error);
    return RH_OK;
}

static rh_status
parse_choice(const rh_key *key, const char *text, uint64_t *number, rh_error *error)
{
    enum { CHOICES = 16, LETTERS = 32 };
    char word[CHOICES][LETTERS]; /* the list points into it */
    rh_word_list choices = {.typed = text};
    const char *at = key->choices;
    for (uint64_t place = 0; place < CHOICES && at; place++) {
        size_t length = strcspn(at, "|");
        snprintf(word[place], LETTERS, "%.*s", (int)length, at);
        if (strcmp(word[place], text) == 0) {
            *number = place;
            return RH_OK;
        }
        rh_word_list_offer(&choices, word[place]);
        at = at[length] ? at + length + 1 : NULL;
    }
    char allowed[RH_WORD_HINT];
    return rh_fail(error, RH_USAGE, "'%s=%.64s' is not allowed%s", key->name, text,
                   rh_word_list_hint(&choices, "allowed", allowed, sizeof allowed));
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
    rh_word_list choices = {.typed = name};
    for (const rh_key *key = keys; key->name; key++)
        rh_word_list_offer(&choices, key->name);
    char allowed[RH_WORD_HINT];
    return rh_fail(error, RH_USAGE, "%s has no key '%.64s'%s", owner, name,
                   rh_word_list_hint(&choices, "its keys", allowed, sizeof allowed));
}

/* `word` is "KEY=VALUE". */
static rh_status
add_setting(const char *owner, const rh_key *keys, rh_settings *settings, char *word,
            rh_error *error)
{
    char *equals = strchr(word, '=');
    if (!equals)
        return rh_fail(error, RH_USAGE, "'%.64s' must be KEY=VALUE", word);
    *equals = '\0';
    const rh_key *key = find_key(keys, word);
    if (!key)
        return fail_key(owner, keys, word, error);
    const char *before;
    if (rh_settings_text(settings, key->name, &before))
        return rh_fail(error, RH_USAGE, "%s is given twice: '%.64s' and '%.64s'", key->name, before,
                       equals + 1);
    if (settings->count == RH_SETTINGS_MAX)
        return rh_fail(error, RH_USAGE, "%s takes at most %d settings", owner, RH_SETTINGS_MAX);
    uint64_t number;
    rh_status status = parse_value(key, equals + 1, &number, error);
    if (status)
        return status;
    char *text = copy_text(equals + 1);
    if (!text)
        return rh_fail(error, RH_SYSTEM, "out of memory");
    settings->setting[settings->count].key = key;
    settings->setting[settings->count].number = number;
    settings->setting[settings->count].text = text;
    settings->count++;
    return RH_OK;
}

rh_status
rh_settings_parse(const char **text, const char *owner, const rh_key *keys, rh_settings *settings,
                  rh_error *error)
{
    while (**text == ',') {
        ++*text;
        char *word = NULL;
        rh_status status = rh_settings_word(text, &word, error);
        if (status == RH_OK)
            status = add_setting(owner, keys, settings, word, error);
        free(word);
        if (status)
            return status;
    }
    return RH_OK;
}

rh_status
rh_settings_parse_rest(const char *text, const char *owner, const rh_key *keys,
                       rh_settings *settings, rh_error *error)
{
    rh_status status = rh_settings_parse(&text, owner, keys, settings, error);
    if (status == RH_OK && *text)
        status = rh_fail(error, RH_USAGE,
                         "nothing can follow at '%.64s'; settings begin with a comma", text);
    return status;
}

void
rh_settings_release(rh_settings *settings)
{
    for (size_t i = 0; i < settings->count; i++)
        free(settings->setting[i].text);
    settings->count = 0;
}

static size_t
find(const rh_settings *settings, const char *key)
{
    size_t i = 0;
    while (i < settings->count && strcmp(settings->setting[i].key->name, key) != 0)
        i++;
    return i;
}

bool
rh_settings_number(const rh_settings *settings, const char *key, uint64_t *number)
{
    size_t place = find(settings, key);
    if (place == settings->count)
        return false;
    *number = settings->setting[place].number;
    return true;
}

bool
rh_settings_text(const rh_settings *settings, const char *key, const char **text)
{
    size_t place = find(settings, key);
    if (place == settings->count)
        return false;
    *text = settings->setting[place].text;
    return true;
}

uint64_t
rh_settings_value(const rh_settings *settings, const rh_key *keys, const char *key)
{
    uint64_t number = 0;
    if (rh_settings_number(settings, key, &number))
        return number;
    const rh_key *known = find_key(keys, key);
    assert(known && known->standard);
    rh_status status = parse_value(known, known->standard, &number, NULL);
    assert(status == RH_OK);
    (void)status;
    return number;
}

void
rh_key_print_allowed(const rh_key *key, FILE *out)
{
    char low[RH_SIZE_TEXT], high[RH_SIZE_TEXT];
    switch (key->kind) {
    case RH_KEY_SIZE:
        if (key->max == UINT64_MAX)
            fprintf(out, "%s or more", rh_size_exact(key->min, low, sizeof low));
        else
            fprintf(out, "%s to %s%s", rh_size_exact(key->min, low, sizeof low),
                    rh_size_exact(key->max, high, sizeof high),
                    key->power_of_two ? ", a power of two" : "");
        return;
    case RH_KEY_COUNT:
        if (key->max == UINT64_MAX)
            fprintf(out, "%" PRIu64 " or more", key->min);
        else
            fprintf(out, "%" PRIu64 " to %" PRIu64, key->min, key->max);
        return;
    case RH_KEY_CHOICE:
    case RH_KEY_TEXT:
        for (const char *at = key->choices ? key->choices : "text"; *at; at++)
            if (*at == '|')
                fputs(", ", out);
            else
                putc(*at, out);
    }
}
