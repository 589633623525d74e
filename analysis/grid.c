#define _GNU_SOURCE
#include "analysis/grid.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/size.h"

/* The end of the part that starts at `at`: the next , or + that is not escaped, or the end. */
static const char *
part_end(const char *at)
{
    while (*at && *at != ',' && *at != '+') {
        if (*at == '\\' && at[1])
            at++;
        at++;
    }
    return at;
}

static bool
is_key(const char *part, const char *end, const char *key)
{
    size_t length = strlen(key);
    return (size_t)(end - part) > length && strncmp(part, key, length) == 0 && part[length] == '=';
}

bool
rh_spec_size_of(const char *spec, const char *key, uint64_t *size)
{
    for (const char *end = part_end(spec); *end == ',';) {
        const char *part = end + 1;
        end = part_end(part);
        char value[32];
        size_t skip = strlen(key) + 1;
        if (is_key(part, end, key) && (size_t)(end - part) - skip < sizeof value) {
            size_t length = (size_t)(end - part) - skip;
            memcpy(value, part + skip, length);
            value[length] = '\0';
            return rh_size_parse(value, size);
        }
    }
    return false;
}

char *
rh_spec_without(const char *spec, const char *const *keys, size_t key_count)
{
    char *rest = malloc(strlen(spec) + 1);
    if (!rest)
        abort();
    const char *end = part_end(spec);
    size_t used = (size_t)(end - spec);
    memcpy(rest, spec, used);
    while (*end == ',') {
        const char *part = end + 1;
        end = part_end(part);
        bool drop = false;
        for (size_t i = 0; i < key_count; i++)
            drop |= is_key(part, end, keys[i]);
        if (drop)
            continue;
        memcpy(rest + used, part - 1, (size_t)(end - part) + 1);
        used += (size_t)(end - part) + 1;
    }
    strcpy(rest + used, end);
    return rest;
}

char *
rh_spec_with(const char *base, const char *key, const char *value)
{
    const char *end = part_end(base);
    while (*end == ',')
        end = part_end(end + 1);
    char *spec;
    if (asprintf(&spec, "%.*s,%s=%s%s", (int)(end - base), base, key, value, end) < 0)
        abort();
    return spec;
}
