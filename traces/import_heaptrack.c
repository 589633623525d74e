/* What heaptrack 1.4 writes, raw or interpreted, unpacked or not. The first character of a line
 * says what it is, numbers are hexadecimal:
 *
 *   v VERSION FORMAT    X COMMAND    c MILLISECONDS
 *   raw:          + SIZE TRACE P     - P
 *   interpreted:  a SIZE TRACE       + A      - A
 *
 * In an interpreted file A is the ordinal of an `a` line, that is a size and a place in the
 * program; which of several such blocks dies is not told: it is the youngest. Call stacks are left
 * out.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>

#include "traces/import_formats.h"
#include "traces/words.h"

typedef struct heaptrack_state {
    uint64_t time_ns;
    bool has_version;
    struct {
        uint64_t size;
        uint32_t live;
    } * kinds;
    uint32_t count, room;
} heaptrack_state;

static bool
take_kind(rh_import *import, heaptrack_state *state, char *cursor)
{
    uint64_t size = 0;
    if (!rh_word_hexadecimal(rh_word_next(&cursor), &size))
        return rh_import_complain(import, "the size is not a hexadecimal number");
    if (state->count == state->room) {
        uint32_t room = state->room ? state->room * 2 : 1024;
        void *grown =
            room > state->room ? realloc(state->kinds, room * sizeof *state->kinds) : NULL;
        if (!grown)
            return rh_import_complain(import, "no memory for so many kinds of blocks");
        state->kinds = grown;
        state->room = room;
    }
    state->kinds[state->count].size = size;
    state->kinds[state->count++].live = 0;
    return true;
}

static bool
take_interpreted(rh_import *import, heaptrack_state *state, bool birth, uint64_t kind)
{
    if (kind >= state->count)
        return rh_import_complain(import, "no `a` line has that number");
    rh_event event = {
        .operation = birth ? RH_MALLOC : RH_FREE, .slot = RH_NO_SLOT, .time_ns = state->time_ns};
    if (!birth && state->kinds[kind].live == 0)
        return rh_import_complain(import, "a block dies that does not live");
    uint64_t name = (kind + 1) << 32;
    if (!birth)
        return rh_import_death(import, name | state->kinds[kind].live--, &event);
    event.size = state->kinds[kind].size;
    return rh_import_birth(import, name | ++state->kinds[kind].live, &event);
}

static bool
take_block(rh_import *import, heaptrack_state *state, bool birth, char *cursor)
{
    uint64_t first = 0, block = 0;
    if (!rh_word_hexadecimal(rh_word_next(&cursor), &first))
        return rh_import_complain(import, "there is no hexadecimal number behind the sign");
    char *trace = rh_word_next(&cursor), *pointer = rh_word_next(&cursor);
    if (state->count > 0)
        return take_interpreted(import, state, birth, first);
    rh_event event = {
        .operation = birth ? RH_MALLOC : RH_FREE, .slot = RH_NO_SLOT, .time_ns = state->time_ns};
    if (!birth) {
        if (first && rh_pointer_find(&import->blocks, first)->key)
            return rh_import_death(import, first, &event);
        event.flags = RH_EVENT_FOREIGN; /* heaptrack may begin late, or be attached */
        return rh_import_plain(import, &event);
    }
    if (!trace || !rh_word_hexadecimal(pointer, &block) || block == 0 || block >> 63)
        return rh_import_complain(import, "the pointer is not a hexadecimal number");
    event.size = first;
    return rh_import_birth(import, block, &event);
}

static bool
take_time(rh_import *import, heaptrack_state *state, char *cursor)
{
    uint64_t milliseconds = 0;
    if (!rh_word_hexadecimal(rh_word_next(&cursor), &milliseconds) ||
        milliseconds > UINT64_MAX / 1000000)
        return rh_import_complain(import, "the time is not a hexadecimal number");
    state->time_ns = milliseconds * 1000000;
    return true;
}

static bool
take_line(rh_import *import, char *line)
{
    heaptrack_state *state = import->state;
    char *rest = line[0] ? line + 1 : line;
    if (!state->has_version && line[0] != 'v')
        return rh_import_reject(import, "a heaptrack file begins with a line `v VERSION`");
    switch (line[0]) {
    case 'v':
        state->has_version = true;
        import->info.timestamps = RH_TIMES_COARSE;
        return true;
    case 'X':
        if (!import->info.command && rest[0] == ' ')
            import->info.command = strdup(rest + 1);
        return true;
    case 'c':
        return take_time(import, state, rest);
    case 'a':
        return take_kind(import, state, rest);
    case '+':
    case '-':
        return take_block(import, state, line[0] == '+', rest);
    default: /* strings, modules, instructions, stacks, resident sizes, comments */
        return true;
    }
}

static void
release(rh_import *import)
{
    heaptrack_state *state = import->state;
    free(state->kinds);
}

const rh_importer rh_import_heaptrack = {
    .name = "heaptrack",
    .summary = "heaptrack 1.4, raw or interpreted (.zst too)",
    .state_bytes = sizeof(heaptrack_state),
    .line = take_line,
    .release = release,
};
