/* The traces of the malloc laboratory (.rep): four numbers (a heap size, how many ids, how many
 * operations, a weight), one a line, then `a ID SIZE`, `r ID SIZE` and `f ID`. */
#include <inttypes.h>
#include <string.h>

#include "traces/import_formats.h"
#include "traces/words.h"

typedef struct malloclab_state {
    unsigned header_lines;
    uint64_t operations, taken;
} malloclab_state;

static bool
take_header(rh_import *import, malloclab_state *state, const char *word)
{
    uint64_t number = 0;
    if (!rh_word_decimal(word, &number))
        return rh_import_reject(import,
                                "a number of the header is missing: a .rep begins with four");
    if (state->header_lines++ == 2)
        state->operations = number;
    return true;
}

static bool
take_line(rh_import *import, char *line)
{
    malloclab_state *state = import->state;
    char *cursor = line, *word = rh_word_next(&cursor);
    uint64_t id = 0, size = 0;
    if (!word)
        return true;
    if (state->header_lines < 4)
        return take_header(import, state, word);
    if (strlen(word) != 1 || !strchr("arf", *word))
        return rh_import_complain(import, "it is none of `a ID SIZE`, `r ID SIZE` and `f ID`");
    if (!rh_word_decimal(rh_word_next(&cursor), &id) || id >= UINT64_C(1) << 62)
        return rh_import_complain(import, "the id is not a number");
    if (*word != 'f' && !rh_word_decimal(rh_word_next(&cursor), &size))
        return rh_import_complain(import, "the size is not a number");
    state->taken++;
    rh_event event = {.operation = RH_MALLOC, .slot = RH_NO_SLOT, .size = size};
    if (*word == 'a')
        return rh_import_birth(import, id + 1, &event);
    event.operation = *word == 'r' ? RH_REALLOC : RH_FREE;
    return *word == 'r' ? rh_import_resize(import, id + 1, id + 1, &event)
                        : rh_import_death(import, id + 1, &event);
}

static bool
end(rh_import *import)
{
    const malloclab_state *state = import->state;
    if (state->taken == state->operations)
        return true;
    return rh_import_complain(
        import, "the file ends after %" PRIu64 " operations, its header tells of %" PRIu64,
        state->taken, state->operations);
}

const rh_importer rh_import_malloclab = {
    .name = "malloclab",
    .summary = "the malloc laboratory's .rep: `a ID SIZE`",
    .state_bytes = sizeof(malloclab_state),
    .line = take_line,
    .end = end,
    .number_sign = "",
};
