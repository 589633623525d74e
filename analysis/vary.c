#define _GNU_SOURCE
#include "analysis/vary.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/grid.h"
#include "base/size.h"

static char *
copied(const char *text, size_t length)
{
    char *copy = strndup(text, length);
    if (!copy)
        abort();
    return copy;
}

static rh_status
add_value(rh_vary *vary, const char *value, size_t length, rh_error *error)
{
    if (vary->count == RH_VARY_VALUES_MAX)
        return rh_fail(error, RH_USAGE, "--vary %s: more than %d values", vary->key,
                       RH_VARY_VALUES_MAX);
    for (size_t i = 0; i < vary->count; i++) {
        if (strlen(vary->value[i]) == length && strncmp(vary->value[i], value, length) == 0)
            return rh_fail(error, RH_USAGE, "--vary %s: %s is there twice", vary->key,
                           vary->value[i]);
    }
    vary->value[vary->count++] = copied(value, length);
    return RH_OK;
}

static rh_status
double_up(rh_vary *vary, const char *text, const char *colon, rh_error *error)
{
    uint64_t from, to;
    /* What was typed in digits alone stays so: in a number that is no size K is a thousand. */
    bool digits = text[strspn(text, "0123456789:")] == '\0';
    char *first = copied(text, (size_t)(colon - text));
    bool good = rh_size_parse(first, &from) && rh_size_parse(colon + 1, &to) && from > 0;
    free(first);
    if (!good)
        return rh_fail(error, RH_USAGE,
                       "--vary %s=%s: a range is FROM:TO, two sizes such as 256K:8M, the first "
                       "above 0; a value with a colon in it needs a comma and another value",
                       vary->key, text);
    if (from > to)
        return rh_fail(error, RH_USAGE, "--vary %s=%s: the range begins above its end", vary->key,
                       text);
    rh_status status = RH_OK;
    for (uint64_t size = from; status == RH_OK && size <= to; size *= 2) {
        char spelled[RH_SIZE_TEXT];
        if (digits)
            snprintf(spelled, sizeof spelled, "%llu", (unsigned long long)size);
        else
            rh_size_exact(size, spelled, sizeof spelled);
        status = add_value(vary, spelled, strlen(spelled), error);
        if (size > UINT64_MAX / 2)
            break;
    }
    return status;
}

static rh_status
enumerate(rh_vary *vary, const char *text, rh_error *error)
{
    rh_status status = RH_OK;
    for (const char *at = text; status == RH_OK && at;) {
        const char *comma = strchr(at, ',');
        size_t length = comma ? (size_t)(comma - at) : strlen(at);
        if (length == 0)
            return rh_fail(error, RH_USAGE, "--vary %s=%s: a value is empty", vary->key, text);
        status = add_value(vary, at, length, error);
        at = comma ? comma + 1 : NULL;
    }
    return status;
}

rh_status
rh_vary_parse(const char *text, rh_vary *vary, rh_error *error)
{
    *vary = (rh_vary){.count = 0};
    const char *equals = strchr(text, '=');
    if (!equals || equals == text || !equals[1])
        return rh_fail(error, RH_USAGE,
                       "--vary %s: give KEY=FROM:TO, which doubles, or KEY=A,B,C; such as "
                       "arena=256K:8M",
                       text);
    vary->key = copied(text, (size_t)(equals - text));
    /* With a comma they are values as they are typed, colons and all: a value may be a list. */
    const char *colon = strchr(equals + 1, ':');
    rh_status status = colon && !strchr(equals + 1, ',') ? double_up(vary, equals + 1, colon, error)
                                                         : enumerate(vary, equals + 1, error);
    if (status != RH_OK)
        rh_vary_release(vary);
    return status;
}

void
rh_vary_release(rh_vary *vary)
{
    free(vary->key);
    for (size_t i = 0; i < vary->count; i++)
        free(vary->value[i]);
    *vary = (rh_vary){.count = 0};
}

static rh_status
check_keys(const char *base, const rh_vary *varies, size_t vary_count, size_t *total,
           rh_error *error)
{
    *total = 1;
    for (size_t i = 0; i < vary_count; i++) {
        const char *key = varies[i].key;
        for (size_t j = 0; j < i; j++) {
            if (strcmp(varies[j].key, key) == 0)
                return rh_fail(error, RH_USAGE, "--vary %s: it is given twice", key);
        }
        char *without = rh_spec_without(base, &key, 1);
        bool there = strcmp(without, base) != 0;
        free(without);
        if (there)
            return rh_fail(error, RH_USAGE, "--vary %s: --base %s already sets it", key, base);
        *total *= varies[i].count;
        if (*total > RH_VARY_CANDIDATES_MAX)
            return rh_fail(error, RH_USAGE, "more than %d combinations to try; vary less",
                           RH_VARY_CANDIDATES_MAX);
    }
    return RH_OK;
}

rh_status
rh_vary_expand(const char *base, const rh_vary *varies, size_t vary_count, char ***specs,
               size_t *count, rh_error *error)
{
    size_t total;
    rh_status status = check_keys(base, varies, vary_count, &total, error);
    if (status != RH_OK)
        return status;
    char **all = calloc(total, sizeof *all);
    if (!all)
        abort();
    for (size_t n = 0; n < total; n++) {
        size_t left = n, block = total;
        all[n] = copied(base, strlen(base));
        for (size_t i = 0; i < vary_count; i++) {
            block /= varies[i].count;
            char *next = rh_spec_with(all[n], varies[i].key, varies[i].value[left / block]);
            left %= block;
            free(all[n]);
            all[n] = next;
        }
    }
    *specs = all;
    *count = total;
    return RH_OK;
}
