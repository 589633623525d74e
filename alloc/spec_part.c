/* Reading the settings of a parsed spec. */
#include <string.h>

#include "alloc/spec.h"

static size_t
find(const rh_spec_part *part, const char *key)
{
    size_t i = 0;
    while (i < part->settings && strcmp(part->setting[i].key->name, key) != 0)
        i++;
    return i;
}

bool
rh_spec_number(const rh_spec_part *part, const char *key, uint64_t *number)
{
    size_t place = find(part, key);
    if (place == part->settings)
        return false;
    *number = part->setting[place].number;
    return true;
}

bool
rh_spec_text(const rh_spec_part *part, const char *key, const char **text)
{
    size_t place = find(part, key);
    if (place == part->settings)
        return false;
    *text = part->setting[place].text;
    return true;
}
