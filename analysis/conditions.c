#include "analysis/conditions.h"

#include <stdio.h>
#include <string.h>

#include <jansson.h>

static const struct {
    const char *name, *ordinary;
} kinds[RH_CONDITIONS] = {
    {"threads", "one"}, {"touch", "none"}, {"age", "none"}, {"loop", "none"}, {"pace", "none"}};

void
rh_conditions_add(rh_conditions *conditions, const char *provenance)
{
    json_t *all = provenance ? json_loads(provenance, 0, NULL) : NULL;
    for (size_t i = 0; i < RH_CONDITIONS; i++) {
        const char *value = json_string_value(json_object_get(all, kinds[i].name));
        if (value && strcmp(value, kinds[i].ordinary) != 0)
            snprintf(conditions->value[i], RH_CONDITION_BYTES, "%s", value);
    }
    json_decref(all);
}

const char *
rh_conditions_text(const rh_conditions *conditions, char text[RH_CONDITIONS_TEXT])
{
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < RH_CONDITIONS; i++)
        if (conditions->value[i][0])
            used += (size_t)snprintf(text + used, RH_CONDITIONS_TEXT - used, "%s--%s %s",
                                     used ? " " : "", kinds[i].name, conditions->value[i]);
    return text;
}
