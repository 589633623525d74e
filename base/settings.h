/* Settings: the words KEY=VALUE behind a name, as in `pymalloc,arena=4M` or `ramp,live=64K`.
 *
 * What a key may be stands in a table; the parser, its messages, and the lists that commands print
 * all read that table. A comma or a plus ends a word; a backslash before one of them, or before
 * another backslash, makes it part of the word.
 */
#ifndef REHEAP_BASE_SETTINGS_H
#define REHEAP_BASE_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"

typedef enum rh_key_kind {
    RH_KEY_SIZE,   /* bytes, K M G allowed */
    RH_KEY_COUNT,  /* a number, K M G allowed as with bytes */
    RH_KEY_CHOICE, /* one of a list of words */
    RH_KEY_TEXT    /* anything: a path */
} rh_key_kind;

typedef struct rh_key {
    const char *name;
    rh_key_kind kind;
    uint64_t min, max; /* inclusive; RH_KEY_SIZE and RH_KEY_COUNT */
    bool power_of_two; /* RH_KEY_SIZE */
    const char
        *choices;         /* RH_KEY_CHOICE: "in-band|side"; a value is its place in this list, from
                             0. RH_KEY_TEXT: the forms that are allowed, for the listing; NULL: any */
    const char *standard; /* the default as it would be typed, "" for none; NULL when there is none
                             and it must be given, or something else decides */
    const char *help;
} rh_key;

#define RH_SETTINGS_MAX 16

/* What was given, within the ranges of its keys. */
typedef struct rh_settings {
    size_t count;
    struct {
        const rh_key *key;
        uint64_t number; /* size, count, or the place of the choice */
        char *text;      /* as typed, unescaped */
    } setting[RH_SETTINGS_MAX];
} rh_settings;

/* Reads the word at *text, up to a bare comma or plus or the end, and moves *text there. The caller
 * frees it. RH_USAGE: a backslash where none can be. */
rh_status rh_settings_word(const char **text, char **word, rh_error *error);

/* Reads the settings at *text: a comma and KEY=VALUE, repeated. `owner` is whose they are, for
 * messages; `keys` ends with a NULL name, or is NULL. RH_USAGE names the bad part and what is
 * allowed; what was read before it has to be released. */
rh_status rh_settings_parse(const char **text, const char *owner, const rh_key *keys,
                            rh_settings *settings, rh_error *error);

/* The same, where they go on to the end of the text. */
rh_status rh_settings_parse_rest(const char *text, const char *owner, const rh_key *keys,
                                 rh_settings *settings, rh_error *error);

void rh_settings_release(rh_settings *settings);

/* The value of a key. False, leaving the result alone, when it was not given. */
bool rh_settings_number(const rh_settings *settings, const char *key, uint64_t *number);
bool rh_settings_text(const rh_settings *settings, const char *key, const char **text);

/* The number that was given, or else the table's default. The key has one, and is a number. */
uint64_t rh_settings_value(const rh_settings *settings, const rh_key *keys, const char *key);

/* Prints what a key may be: "64K to 1G, a power of two". */
void rh_key_print_allowed(const rh_key *key, FILE *out);

#endif
