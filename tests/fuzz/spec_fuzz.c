/* Any text is either a spec, whose parts are within the tables, or refused with a message. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "alloc/spec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(int condition)
{
    if (!condition)
        abort();
}

static void
check_part(const rh_spec_part *part)
{
    require(part->settings.count <= RH_SETTINGS_MAX);
    for (size_t i = 0; i < part->settings.count; i++) {
        const rh_key *key = part->settings.setting[i].key;
        uint64_t number = 0;
        const char *text = NULL;
        require(rh_spec_number(part, key->name, &number) &&
                number == part->settings.setting[i].number);
        require(rh_spec_text(part, key->name, &text) && text == part->settings.setting[i].text);
        if (key->kind == RH_KEY_SIZE || key->kind == RH_KEY_COUNT)
            require(number >= key->min && number <= key->max);
        if (key->power_of_two)
            require((number & (number - 1)) == 0);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    require(text != NULL);
    memcpy(text, data, size);
    text[size] = '\0';
    rh_spec spec;
    rh_error error = {0};
    if (rh_spec_parse(text, &spec, &error) == RH_OK) {
        check_part(&spec.base);
        require(spec.layers <= RH_SPEC_LAYERS_MAX);
        for (size_t i = 0; i < spec.layers; i++)
            check_part(&spec.layer_part[i]);
        rh_spec_release(&spec);
    } else {
        require(error.status == RH_USAGE && error.message[0] != '\0');
        require(strlen(error.message) < sizeof error.message);
    }
    free(text);
    return 0;
}
