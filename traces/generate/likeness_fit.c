#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/output.h"
#include "traces/generate/likeness_parts.h"
#include "traces/reader.h"

enum { WINDOW_CALLS = 2048, SLOTS = 8 };

/* A block that lives. */
typedef struct living {
    rh_life life;
    uint64_t birth;     /* its place among the births */
    uint64_t last_call; /* when the step before it was */
    uint64_t size;
} living;

typedef struct likeness_fitter {
    rh_likeness *likeness;
    living *living; /* by slot of the reader; life.bytes is NULL where nothing lives */
    uint64_t room;
} likeness_fitter;

/* Room for one more. */
static bool
grow(void **array, uint64_t *room, uint64_t count, size_t element)
{
    if (count < *room)
        return true;
    uint64_t wanted = count + count / 2 + 1024;
    void *grown = realloc(*array, wanted * element);
    if (!grown)
        return false;
    *array = grown;
    *room = wanted;
    return true;
}

static bool
reserve_slots(likeness_fitter *fitter, uint64_t slots)
{
    if (slots <= fitter->room)
        return true;
    uint64_t room = slots + slots / 2;
    living *grown = malloc(room * sizeof *grown);
    if (!grown)
        return false;
    for (uint64_t i = 0; i < fitter->room; i++) {
        grown[i] = fitter->living[i]; /* a life that lies within moves along */
        if (grown[i].life.bytes == fitter->living[i].life.within)
            grown[i].life.bytes = grown[i].life.within;
    }
    memset(grown + fitter->room, 0, (room - fitter->room) * sizeof *grown);
    free(fitter->living);
    fitter->living = grown;
    fitter->room = room;
    return true;
}

/* Windows up to that of the call that comes now. */
static bool
open_windows(rh_likeness *likeness)
{
    while (likeness->windows <= likeness->calls / likeness->window_calls) {
        if (!grow((void **)&likeness->window, &likeness->windows_room, likeness->windows,
                  sizeof *likeness->window))
            return false;
        likeness->window[likeness->windows++] =
            (rh_likeness_window){likeness->births, likeness->anchors};
    }
    return true;
}

/* The call that comes now, rounded down to a slot's first. */
static uint64_t
slot_now(const rh_likeness *likeness)
{
    uint64_t within = likeness->calls % likeness->window_calls;
    return likeness->calls - within % likeness->slot_calls;
}

/* How a step that comes now is told. What would not fall into the window of the step before, and
 * not soon after, is told by place. Large blocks' steps are told exactly. */
static uint64_t
when(const rh_likeness *likeness, uint64_t before, bool large)
{
    uint64_t window = likeness->window_calls, distance = likeness->calls - before;
    if (before / window == likeness->calls / window || distance < window / 2)
        return large ? rh_when_exactly(distance) : rh_when_distance(distance);
    return rh_when_place(large ? likeness->calls : slot_now(likeness));
}

static bool
end_life(likeness_fitter *fitter, living *one, bool ends)
{
    rh_likeness *likeness = fitter->likeness;
    bool good = rh_life_table_add(&likeness->lives, &one->life, ends, &likeness->birth[one->birth]);
    rh_life_release(&one->life);
    return good;
}

static bool
begin_life(likeness_fitter *fitter, living *one, const rh_event *event)
{
    rh_likeness *likeness = fitter->likeness;
    if (!grow((void **)&likeness->birth, &likeness->births_room, likeness->births,
              sizeof *likeness->birth))
        return false;
    if (event->size >= RH_LIFE_LARGE) {
        if (!grow((void **)&likeness->anchor, &likeness->anchors_room, likeness->anchors,
                  sizeof *likeness->anchor))
            return false;
        likeness->anchor[likeness->anchors++] =
            (rh_likeness_anchor){likeness->calls, likeness->births};
    }
    one->birth = likeness->births++;
    one->last_call = likeness->calls;
    one->size = event->size;
    rh_life_begin(&one->life, event);
    return true;
}

static bool
add_step(likeness_fitter *fitter, living *one, const rh_event *event)
{
    const rh_likeness *likeness = fitter->likeness;
    bool large = one->size >= RH_LIFE_LARGE ||
                 (event->operation == RH_REALLOC && event->size >= RH_LIFE_LARGE);
    if (!rh_life_step(&one->life, when(likeness, one->last_call, large), event))
        return false;
    one->last_call = likeness->calls;
    if (event->operation == RH_REALLOC && !(event->flags & RH_EVENT_FAILED))
        one->size = event->size;
    return true;
}

static bool
add_mark(rh_likeness *likeness, const rh_event *event)
{
    if (!grow((void **)&likeness->mark, &likeness->marks_room, likeness->marks,
              sizeof *likeness->mark))
        return false;
    char *text = malloc(event->size + 1);
    if (!text)
        return false;
    memcpy(text, event->text, event->size + 1);
    likeness->mark[likeness->marks++] =
        (rh_likeness_mark){likeness->calls, text, event->size, event->thread};
    return true;
}

static bool
add_call(likeness_fitter *fitter, const rh_event *event)
{
    bool known = event->slot != RH_NO_SLOT && !(event->flags & RH_EVENT_FOREIGN) &&
                 !(event->flags & RH_EVENT_NULL);
    bool step = (event->operation == RH_FREE || event->operation == RH_REALLOC) && known;
    bool bears = event->slot != RH_NO_SLOT && !(event->flags & RH_EVENT_FAILED) &&
                 event->operation != RH_FREE;
    living alone, *one = event->slot != RH_NO_SLOT ? &fitter->living[event->slot] : &alone;
    if (step && one->life.bytes) {
        if (!add_step(fitter, one, event))
            return false;
        return event->operation == RH_REALLOC || end_life(fitter, one, true);
    }
    if (bears)
        return begin_life(fitter, one, event);
    return begin_life(fitter, &alone, event) && end_life(fitter, &alone, true);
}

static bool
add(likeness_fitter *fitter, const rh_event *event)
{
    rh_likeness *likeness = fitter->likeness;
    if (event->operation == RH_MARK)
        return add_mark(likeness, event);
    if (event->operation > RH_ALIGNED || event->flags & (RH_EVENT_NESTED | RH_EVENT_BRIDGE))
        return true;
    rh_event plain = *event;
    plain.flags &= (uint8_t)~RH_EVENT_POOLED; /* nothing is known of arenas */
    if (!open_windows(likeness) || !add_call(fitter, &plain))
        return false;
    likeness->calls++;
    return true;
}

/* Those that are alive at the end. */
static bool
end_all(likeness_fitter *fitter)
{
    for (uint64_t i = 0; i < fitter->room; i++)
        if (fitter->living[i].life.bytes && !end_life(fitter, &fitter->living[i], false))
            return false;
    return true;
}

static rh_status
read_trace(likeness_fitter *fitter, rh_reader *reader, const char *path, rh_error *error)
{
    rh_batch batch;
    rh_progress progress;
    rh_status status;
    bool good = true;
    rh_progress_begin(&progress, "fitting", "events", rh_reader_info(reader)->events);
    while ((status = rh_reader_next(reader, &batch, error)) == RH_OK && batch.count > 0 && good) {
        good = reserve_slots(fitter, batch.slots);
        for (size_t i = 0; i < batch.count && good; i++)
            good = add(fitter, &batch.events[i]);
        if (good && rh_interrupted()) {
            status = rh_fail(error, RH_INTERRUPTED, "%s: interrupted", path);
            break;
        }
        rh_progress_update(&progress, batch.first_event + batch.count);
    }
    rh_progress_end(&progress);
    if (status == RH_OK && !(good && end_all(fitter)))
        status = rh_fail(error, RH_SYSTEM, "%s: out of memory", path);
    if (status == RH_OK && fitter->likeness->calls == 0)
        status = rh_fail(error, RH_USAGE, "%s: there is no call in it to be like", path);
    return status;
}

rh_status
rh_likeness_fit(const char *path, const rh_likeness_options *options, rh_likeness **likeness,
                rh_error *error)
{
    rh_reader *reader;
    rh_status status = rh_reader_open(path, NULL, &reader, error);
    if (status != RH_OK)
        return status;
    likeness_fitter fitter = {.likeness = calloc(1, sizeof *fitter.likeness)};
    rh_likeness *one = fitter.likeness;
    if (one) {
        one->window_calls = options && options->window ? options->window : WINDOW_CALLS;
        one->slot_calls = (one->window_calls + SLOTS - 1) / SLOTS;
    }
    bool good = one && rh_life_table_init(&one->lives) &&
                rh_trace_info_copy(&one->info, rh_reader_info(reader));
    status = good ? read_trace(&fitter, reader, path, error)
                  : rh_fail(error, RH_SYSTEM, "%s: out of memory", path);
    for (uint64_t i = 0; i < fitter.room; i++)
        rh_life_release(&fitter.living[i].life);
    free(fitter.living);
    rh_reader_close(reader);
    if (status == RH_OK)
        *likeness = one;
    else
        rh_likeness_free(one);
    return status;
}

void
rh_likeness_free(rh_likeness *likeness)
{
    if (!likeness)
        return;
    for (uint64_t i = 0; i < likeness->marks; i++)
        free(likeness->mark[i].text);
    rh_trace_info_release(&likeness->info);
    rh_life_table_release(&likeness->lives);
    free(likeness->birth);
    free(likeness->window);
    free(likeness->anchor);
    free(likeness->mark);
    free(likeness);
}

const rh_trace_info *
rh_likeness_info(const rh_likeness *likeness)
{
    return &likeness->info;
}

rh_likeness_facts
rh_likeness_tell(const rh_likeness *likeness)
{
    rh_likeness_facts facts = {.events = likeness->calls,
                               .births = likeness->births,
                               .windows = likeness->windows,
                               .lives = likeness->lives.count};
    for (uint64_t i = 0; i < likeness->births; i++) {
        const rh_life_entry *life = &likeness->lives.entry[likeness->birth[i]];
        facts.lasting_events += life->lasting ? 1 + life->steps : 0;
    }
    return facts;
}
