/* The log of glibc's mtrace (MALLOC_TRACE):
 *
 *   @ CALLER + P SIZE      an allocation        @ CALLER - P           a free
 *   @ CALLER < OLD         a realloc's old      @ CALLER > NEW SIZE    and new block
 *   @ CALLER ! P SIZE      a realloc that failed
 *
 * The caller is one word, two with a shared library's offset; it may be missing. Numbers are
 * hexadecimal. What lived before the log began is freed in it all the same.
 */
#include <string.h>

#include "traces/import_formats.h"
#include "traces/words.h"

typedef struct mtrace_state {
    uint64_t old; /* of a realloc, until its second line comes */
} mtrace_state;

static bool
take_free(rh_import *import, uint64_t block)
{
    rh_event event = {.operation = RH_FREE, .slot = RH_NO_SLOT};
    if (rh_pointer_find(&import->blocks, block)->key)
        return rh_import_death(import, block, &event);
    event.flags = RH_EVENT_FOREIGN;
    return rh_import_plain(import, &event);
}

static bool
take_birth(rh_import *import, uint64_t block, uint64_t size)
{
    rh_event event = {.operation = RH_MALLOC, .slot = RH_NO_SLOT, .size = size};
    if (block)
        return rh_import_birth(import, block, &event);
    event.flags = RH_EVENT_FAILED;
    return rh_import_plain(import, &event);
}

static bool
take_resize(rh_import *import, mtrace_state *state, uint64_t block, uint64_t size)
{
    rh_event event = {.operation = RH_REALLOC, .slot = RH_NO_SLOT, .size = size};
    uint64_t old = state->old;
    state->old = 0;
    if (!old)
        return rh_import_complain(import, "a realloc's new block without the line of its old one");
    if (rh_pointer_find(&import->blocks, old)->key)
        return rh_import_resize(import, old, block, &event);
    event.flags = RH_EVENT_FOREIGN;
    return rh_import_birth(import, block, &event);
}

static bool
take_failure(rh_import *import, uint64_t size)
{
    rh_event event = {
        .operation = RH_REALLOC, .flags = RH_EVENT_FAILED, .slot = RH_NO_SLOT, .size = size};
    return rh_import_plain(import, &event);
}

static bool
take_line(rh_import *import, char *line)
{
    mtrace_state *state = import->state;
    char *cursor = line, *word = rh_word_next(&cursor);
    if (!word || strcmp(word, "=") == 0)
        return true;
    if (strcmp(word, "@") == 0) {
        do
            word = rh_word_next(&cursor);
        while (word && !(strlen(word) == 1 && strchr("+-<>!", *word)));
    }
    if (!word || strlen(word) != 1 || !strchr("+-<>!", *word))
        return rh_import_complain(import, "there is none of + - < > ! in it");
    uint64_t block = 0, size = 0;
    bool sized = strchr("+>!", *word) != NULL;
    if (!rh_word_hexadecimal(rh_word_next(&cursor), &block) || block >> 63)
        return rh_import_complain(import, "the pointer is not a hexadecimal number");
    if (sized && !rh_word_hexadecimal(rh_word_next(&cursor), &size))
        return rh_import_complain(import, "the size is not a hexadecimal number");
    switch (*word) {
    case '+':
        return take_birth(import, block, size);
    case '-':
        return take_free(import, block);
    case '<':
        state->old = block;
        return true;
    case '>':
        return take_resize(import, state, block, size);
    default:
        return take_failure(import, size);
    }
}

const rh_importer rh_import_mtrace = {
    .name = "mtrace",
    .summary = "glibc's mtrace, as MALLOC_TRACE names it",
    .state_bytes = sizeof(mtrace_state),
    .line = take_line,
};
