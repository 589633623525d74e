/* Our own text form (event_text.h). */
#include <stdlib.h>
#include <string.h>

#include "traces/event_text.h"
#include "traces/import_formats.h"
#include "traces/trace_json.h"

typedef struct text_state {
    bool begun;
} text_state;

static bool
take_json(rh_import *import, const char *json, bool header)
{
    char why[128];
    bool read = header ? rh_trace_json_read_header(json, strlen(json), &import->info, why)
                       : rh_trace_json_read_totals(json, strlen(json), &import->info, why);
    return read || rh_import_complain(import, "%s", why);
}

/* An event with a block: its slot is its name. */
static bool
take_block(rh_import *import, rh_event *event)
{
    uint64_t name = (uint64_t)event->slot + 1;
    bool fresh = event->flags & (RH_EVENT_NULL | RH_EVENT_FOREIGN);
    if (event->operation == RH_FREE)
        return rh_import_death(import, name, event);
    if (event->operation == RH_REALLOC && !fresh)
        return rh_import_resize(import, name, name, event);
    return rh_import_birth(import, name, event);
}

static bool
take_event(rh_import *import, rh_event *event)
{
    bool call = event->operation <= RH_ALIGNED;
    bool blockless =
        !call || (event->flags & RH_EVENT_FAILED) ||
        (event->operation == RH_FREE && (event->flags & (RH_EVENT_NULL | RH_EVENT_FOREIGN)));
    if (blockless)
        return rh_import_plain(import, event);
    if (event->slot == RH_NO_SLOT)
        return rh_import_complain(import, "the block is not named (#SLOT)");
    return take_block(import, event);
}

static bool
take_line(rh_import *import, char *line)
{
    text_state *state = import->state;
    if (!state->begun) {
        state->begun = strcmp(line, RH_EVENT_TEXT_FIRST) == 0;
        return state->begun ||
               rh_import_reject(import, "the first line is not `" RH_EVENT_TEXT_FIRST "`");
    }
    if (line[0] == '\0' || line[0] == '#')
        return true;
    if (strncmp(line, "header ", 7) == 0) {
        if (import->writer)
            return rh_import_complain(import, "the header comes after events");
        return take_json(import, line + 7, true);
    }
    if (strncmp(line, "end ", 4) == 0)
        return take_json(import, line + 4, false);
    rh_event event;
    char *text;
    const char *problem = rh_event_text_read(&import->info, line, &event, &text);
    if (!problem && event.thread > import->thread_count)
        problem = "threads are numbered in the order in which they appear, from t0 on";
    if (!problem && event.thread == import->thread_count)
        rh_import_thread(import, event.thread);
    bool taken = problem ? rh_import_complain(import, "%s", problem) : take_event(import, &event);
    free(text);
    return taken;
}

const rh_importer rh_import_text = {
    .name = "text",
    .summary = "reheap's own text, as export writes it",
    .state_bytes = sizeof(text_state),
    .line = take_line,
    .number_sign = "#",
};
