#include "traces/recording_names.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The program's own recording gets the name that was asked for, every other one its process's. A
 * number behind that makes it another than those there are already. */
void
rh_names_choose(const rh_collection *c, const rh_recorded_program *s, char *path, size_t room)
{
    bool own = s->channel->process_id == c->program;
    if (own)
        snprintf(path, room, "%s", c->options->output);
    else
        snprintf(path, room, "%s.%d", c->options->output, s->channel->process_id);
    for (unsigned again = 2, i = 0; i < c->count; i++) {
        if (!own && c->sources[i] != s && strcmp(c->sources[i]->recording.path, path) == 0) {
            snprintf(path, room, "%s.%d.%u", c->options->output, s->channel->process_id, again++);
            i = 0;
        }
    }
}

unsigned
rh_names_images_before(const rh_collection *c, const rh_recorded_program *s)
{
    unsigned number = 0;
    for (unsigned i = 0; i < c->count; i++)
        number += c->sources[i] != s && c->sources[i]->replaced &&
                  c->sources[i]->recording.path[0] &&
                  c->sources[i]->recording.process_id == s->recording.process_id;
    return number;
}

void
rh_names_drop(rh_recorded_program *s)
{
    if (s->recording.path[0])
        unlink(s->recording.path);
    s->recording.path[0] = '\0';
}

/* Of the interpreters that a shell has started, one is what the recording is for: not the one that
 * was asked for its version. */
void
rh_names_keep_larger(rh_collection *c, rh_recorded_program *s)
{
    c->finds++;
    bool larger = !c->found || s->recording.events > c->found->recording.events;
    if (larger && c->found)
        rh_names_drop(c->found);
    else if (!larger)
        rh_names_drop(s);
    if (larger)
        c->found = s;
}

/* At the end: what a shell has started has the name that was asked for, and not the shell. */
void
rh_names_give_found(rh_collection *c)
{
    rh_error error = {0};
    rh_recorded_program *last = NULL;
    for (unsigned i = 0; i < c->count; i++) {
        rh_recorded_program *s = c->sources[i];
        if (s->recording.path[0] && s->recording.process_id == c->program)
            last = s;
    }
    if (!c->found || !c->found->recording.path[0] || rh_place_is_pipe(&c->place))
        return;
    if (last && !last->starter) {
        rh_names_drop(c->found); /* what a shell did before it became the program */
        c->finds = 0;
        return;
    }
    if (rename(c->found->recording.path, c->place.path) != 0) {
        rh_fail_errno(&error, RH_SYSTEM, errno, "%s: cannot give it the name %s",
                      c->found->recording.path, c->place.path);
        rh_collection_keep_error(c, &error);
        return;
    }
    if (last)
        last->recording.path[0] = '\0';
    snprintf(c->found->recording.path, sizeof c->found->recording.path, "%s", c->place.path);
}
