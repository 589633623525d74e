#define _GNU_SOURCE
#include "replay/pass_spec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Where the layers begin: the first '+' that no backslash escapes, else the end. */
static size_t
base_length(const char *text)
{
    size_t i = 0;
    for (; text[i] && text[i] != '+'; i++)
        if (text[i] == '\\' && text[i + 1])
            i++;
    return i;
}

bool
rh_spec_is_unbacked(const rh_spec *spec)
{
    const char *source;
    return rh_spec_text(&spec->base, "source", &source) && strcmp(source, "virtual") == 0;
}

bool
rh_spec_is_shared(const rh_spec *spec)
{
    const char *large;
    return strcmp(spec->allocator->name, "pymalloc") == 0 &&
           rh_spec_text(&spec->base, "large", &large) && strcmp(large, "libc") == 0;
}

bool
rh_spec_repeats(const rh_spec *spec)
{
    /* Where these put arenas is the system's choice, and decides how many pools are in one. */
    static const char *const placed_by_system[] = {"malloc", "huge"};
    const char *source;
    if (!spec->allocator->deterministic)
        return false;
    for (size_t i = 0; i < 2 && rh_spec_text(&spec->base, "source", &source); i++)
        if (strcmp(source, placed_by_system[i]) == 0)
            return false;
    return true;
}

char *
rh_pass_spec(const char *text, const rh_spec *spec, rh_pass pass)
{
    const char *value;
    const char *added = "";
    uint64_t place;
    bool given =
        rh_spec_text(&spec->base, "large", &value) || rh_spec_number(&spec->base, "large", &place);
    bool own_space = rh_pass_is_shared(pass) || rh_spec_is_unbacked(spec);
    if (strcmp(spec->allocator->name, "pymalloc") == 0 && !given)
        added = own_space ? ",large=space" : ",large=libc";
    size_t base = base_length(text);
    char *whole;
    if (asprintf(&whole, "%.*s%s%s", (int)base, text, added, text + base) < 0)
        abort();
    return whole;
}
