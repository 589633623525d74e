/* wee_alloc's traces: a line `Alloc(SIZE),` is a block, numbered from 0 in the order of these
 * lines, and `Free(N),` frees block N. */
#include <string.h>

#include "traces/import_formats.h"
#include "traces/words.h"

typedef struct wee_state {
    uint64_t blocks;
} wee_state;

static bool
take_line(rh_import *import, char *line)
{
    wee_state *state = import->state;
    char *cursor = line, *word = rh_word_next(&cursor);
    uint64_t number = 0;
    if (!word || strcmp(word, "[") == 0 || strcmp(word, "]") == 0)
        return true;
    bool birth = strncmp(word, "Alloc(", 6) == 0;
    char *digits = birth ? word + 6 : word + 5, *close = strchr(word, ')');
    if ((!birth && strncmp(word, "Free(", 5) != 0) || !close ||
        strspn(close + 1, ",") != strlen(close + 1))
        return rh_import_complain(import, "it is neither `Alloc(SIZE),` nor `Free(N),`");
    *close = '\0';
    if (!rh_word_decimal(digits, &number) || number >= UINT64_C(1) << 62)
        return rh_import_complain(import, "what is in brackets is not a number");
    rh_event event = {.operation = birth ? RH_MALLOC : RH_FREE, .slot = RH_NO_SLOT};
    if (!birth)
        return rh_import_death(import, number + 1, &event);
    event.size = number;
    return rh_import_birth(import, ++state->blocks, &event);
}

const rh_importer rh_import_wee = {
    .name = "wee",
    .summary = "wee_alloc's: `Alloc(SIZE),` and `Free(N),`",
    .state_bytes = sizeof(wee_state),
    .line = take_line,
    .number_sign = "",
};
