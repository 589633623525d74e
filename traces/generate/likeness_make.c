#include <stdlib.h>
#include <string.h>

#include "traces/generate/agenda.h"
#include "traces/generate/laws.h"
#include "traces/generate/likeness_parts.h"

/* A block that lives, on its way through its life. */
typedef struct living {
    uint64_t at;   /* place of the next step */
    uint64_t time; /* of the step before, as it was meant */
    bool unborn;   /* the next step is its birth */
    uint32_t life, block;
    uint32_t after; /* among the spare */
} living;

/* The walk through a window's births that are not anchored. A place stands for the step from it to
 * the one behind it. */
typedef struct window_walk {
    uint32_t *birth;
    uint32_t count;
    uint64_t *sorted;    /* kind of life, and place: those of one kind are a group */
    uint32_t *group;     /* by place: where its group begins */
    uint32_t *left;      /* by group: places not gone from yet; they lie first in it */
    uint8_t *gone;       /* by place */
    uint32_t here, hint; /* the place reached; below the hint all are gone */
} window_walk;

typedef struct likeness_maker {
    const rh_likeness *likeness;
    rh_maker *maker;
    rh_likeness_made *made;
    rh_agenda agenda;
    living *living;
    uint32_t used, room, spare; /* living[0] is none */
    uint64_t *start;            /* of each window on the clock, and the end */
    uint64_t clock, next_mark;
    double copies; /* how many of each brief life */
    double credit; /* calls that are owed to brief lives */
    window_walk walk;
    uint32_t walk_room;
} likeness_maker;

/* ---- blocks ---- */

static uint32_t
take_living(likeness_maker *self)
{
    uint32_t place = self->spare;
    if (place) {
        self->spare = self->living[place].after;
        return place;
    }
    if (self->used == self->room) {
        uint32_t room = self->room * 2;
        living *grown = room > self->room ? realloc(self->living, room * sizeof *grown) : NULL;
        if (!grown)
            return 0;
        self->living = grown;
        self->room = room;
    }
    return self->used++;
}

static void
give_living(likeness_maker *self, uint32_t place)
{
    self->living[place].after = self->spare;
    self->spare = place;
}

/* The time on the clock that a call of the original stands for. */
static uint64_t
time_of(const likeness_maker *self, uint64_t call)
{
    uint64_t window = call / self->likeness->window_calls, start = self->start[window];
    uint64_t calls = self->start[window + 1] - start;
    double within = (double)(call % self->likeness->window_calls);
    return start + (uint64_t)(within * (double)calls / (double)self->likeness->window_calls);
}

/* Puts the next step on the agenda, or lets go of a block that has none. */
static bool
look_ahead(likeness_maker *self, uint32_t place)
{
    living *one = &self->living[place];
    uint64_t when, time;
    if (!rh_life_read_when(&self->likeness->lives, one->life, &one->at, &when)) {
        give_living(self, place);
        return true;
    }
    if (when >= RH_WHEN_PLACES)
        time = time_of(self, when - RH_WHEN_PLACES);
    else
        time = (when >= RH_WHEN_EXACT ? one->time : self->clock) +
               rh_when_draw(when, &self->maker->random);
    one->time = time;
    return rh_agenda_put(&self->agenda, time, place) || rh_maker_no_memory(self->maker);
}

static bool
make_marks(likeness_maker *self)
{
    const rh_likeness *likeness = self->likeness;
    while (self->next_mark < likeness->marks) {
        const rh_likeness_mark *mark = &likeness->mark[self->next_mark];
        if (time_of(self, mark->call) > self->clock)
            return true;
        if (!rh_maker_switch(self->maker, mark->thread) || !rh_make_mark(self->maker, mark->text))
            return false;
        self->next_mark++;
    }
    return true;
}

static bool
be_born(likeness_maker *self, uint32_t place)
{
    rh_event event;
    living *one = &self->living[place];
    rh_life_read_birth(&self->likeness->lives, one->life, &event, &one->at);
    one->unborn = false;
    return rh_maker_switch(self->maker, event.thread) &&
           rh_make_event(self->maker, &event, &one->block) && look_ahead(self, place);
}

static bool
make_birth(likeness_maker *self, uint32_t life)
{
    uint32_t place = take_living(self);
    if (!place)
        return rh_maker_no_memory(self->maker);
    self->living[place].life = life;
    self->living[place].time = self->clock;
    return be_born(self, place);
}

static bool
make_step(likeness_maker *self, uint32_t place)
{
    rh_event event;
    living *one = &self->living[place];
    if (one->unborn)
        return be_born(self, place);
    rh_life_read_step(&self->likeness->lives, &one->at, &event);
    return rh_maker_switch(self->maker, event.thread) &&
           rh_make_event(self->maker, &event, &one->block) && look_ahead(self, place);
}

/* Puts the birth of a large block on the agenda. */
static bool
expect_birth(likeness_maker *self, uint32_t life, uint64_t time)
{
    uint32_t place = take_living(self);
    if (!place)
        return rh_maker_no_memory(self->maker);
    self->living[place].life = life;
    self->living[place].time = time;
    self->living[place].unborn = true;
    return rh_agenda_put(&self->agenda, time, place) || rh_maker_no_memory(self->maker);
}

/* ---- the walk ---- */

static int
by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void
release_walk(window_walk *walk)
{
    free(walk->birth);
    free(walk->sorted);
    free(walk->group);
    free(walk->left);
    free(walk->gone);
}

static bool
reserve_walk(likeness_maker *self, uint32_t count)
{
    window_walk *walk = &self->walk;
    if (count <= self->walk_room)
        return true;
    release_walk(walk);
    walk->birth = malloc(count * sizeof *walk->birth);
    walk->sorted = malloc(count * sizeof *walk->sorted);
    walk->group = malloc(count * sizeof *walk->group);
    walk->left = malloc(count * sizeof *walk->left);
    walk->gone = malloc(count);
    self->walk_room = count;
    return (walk->birth && walk->sorted && walk->group && walk->left && walk->gone) ||
           rh_maker_no_memory(self->maker);
}

static bool
walk_begin(likeness_maker *self, uint64_t window)
{
    const rh_likeness *likeness = self->likeness;
    uint64_t first = likeness->window[window].first_birth;
    uint64_t end = rh_likeness_births_end(likeness, window);
    window_walk *walk = &self->walk;
    if (!reserve_walk(self, (uint32_t)(end - first)))
        return false;
    walk->count = walk->here = walk->hint = 0;
    for (uint64_t i = first; i < end; i++)
        if (!likeness->lives.entry[likeness->birth[i]].anchored)
            walk->birth[walk->count++] = likeness->birth[i];
    for (uint32_t i = 0; i < walk->count; i++) {
        walk->sorted[i] = (uint64_t)likeness->lives.entry[walk->birth[i]].kind << 32 | i;
        walk->gone[i] = i + 1 == walk->count; /* nothing follows the last */
    }
    qsort(walk->sorted, walk->count, sizeof *walk->sorted, by_number);
    for (uint32_t i = 0, group = 0; i < walk->count; i++) {
        if (walk->sorted[i] >> 32 != walk->sorted[group] >> 32)
            group = i;
        walk->group[(uint32_t)walk->sorted[i]] = group;
        /* The last place of all, from which no step leads, is the last of its group. */
        walk->left[group] = i - group + ((uint32_t)walk->sorted[i] + 1 < walk->count);
    }
    return true;
}

/* A step not taken yet from a block of the same kind as here; if there is none left, the first of
 * all that is. */
static uint32_t
choose(likeness_maker *self)
{
    window_walk *walk = &self->walk;
    uint32_t group = walk->group[walk->here];
    if (walk->left[group] > 0) {
        uint32_t last = group + --walk->left[group];
        uint32_t drawn =
            group + (uint32_t)rh_draw_below(&self->maker->random, walk->left[group] + 1);
        uint64_t chosen = walk->sorted[drawn];
        walk->sorted[drawn] = walk->sorted[last];
        walk->sorted[last] = chosen;
        return (uint32_t)chosen;
    }
    while (walk->gone[walk->hint])
        walk->hint++;
    uint32_t place = walk->hint, at = walk->group[place];
    group = at;
    while ((uint32_t)walk->sorted[at] != place)
        at++;
    uint32_t last = group + --walk->left[group];
    walk->sorted[at] = walk->sorted[last];
    walk->sorted[last] = walk->sorted[last] >> 32 << 32 | place;
    return place;
}

/* To the next birth of the walk; there are as many as the window has. */
static void
walk_on(likeness_maker *self)
{
    window_walk *walk = &self->walk;
    uint32_t from = choose(self);
    self->made->neighbours++;
    self->made->moved += from != walk->here;
    walk->gone[from] = 1;
    walk->here = from + 1;
}

/* ---- windows ---- */

/* Whatever is due: the clock goes on with each. */
static bool
make_due(likeness_maker *self)
{
    uint32_t place;
    rh_agenda_advance(&self->agenda, self->clock);
    while (rh_agenda_take(&self->agenda, &place)) {
        if (!make_marks(self) || !make_step(self, place))
            return false;
        rh_agenda_advance(&self->agenda, ++self->clock);
    }
    return true;
}

/* Whether a birth is made in this pass through the window. What lasts is made once, in the pass
 * that its place among `count` tells; of what is brief, as much as there shall be. */
static bool
is_made(likeness_maker *self, uint32_t number, uint64_t place, uint32_t count, uint32_t pass,
        uint32_t passes)
{
    const rh_life_entry *life = &self->likeness->lives.entry[number];
    if (life->lasting)
        return place * passes / count == pass;
    double share = self->copies - pass;
    if (share >= 1)
        return true;
    double calls = 1 + life->steps;
    self->credit += share * calls;
    if (self->credit < calls * rh_draw_unit(&self->maker->random))
        return false;
    self->credit -= calls;
    return true;
}

static bool
make_pass(likeness_maker *self, uint64_t window, uint32_t pass, uint32_t passes)
{
    if (!walk_begin(self, window))
        return false;
    window_walk *walk = &self->walk;
    for (uint32_t i = 0; i < walk->count; i++) {
        if (i > 0)
            walk_on(self);
        uint32_t life = walk->birth[walk->here];
        if (!is_made(self, life, walk->here, walk->count, pass, passes))
            continue;
        if (!make_due(self) || !make_marks(self) || !make_birth(self, life))
            return false;
        self->clock++;
    }
    return true;
}

/* The births of large blocks, each at its time: of those that last where it was, of others in every
 * pass. */
static bool
expect_large(likeness_maker *self, uint64_t window, uint32_t passes)
{
    const rh_likeness *likeness = self->likeness;
    uint64_t end = rh_likeness_anchors_end(likeness, window), start = self->start[window];
    double calls = (double)(self->start[window + 1] - start) / passes;
    for (uint32_t pass = 0; pass < passes; pass++)
        for (uint64_t i = likeness->window[window].first_anchor; i < end; i++) {
            const rh_likeness_anchor *one = &likeness->anchor[i];
            uint32_t life = likeness->birth[one->birth];
            double within =
                (double)(one->call % likeness->window_calls) / (double)likeness->window_calls;
            uint64_t time = likeness->lives.entry[life].lasting
                                ? time_of(self, one->call)
                                : start + (uint64_t)(calls * (pass + within));
            if (is_made(self, life, 0, 1, pass, passes) && !expect_birth(self, life, time))
                return false;
        }
    return true;
}

static bool
make_window(likeness_maker *self, uint64_t window)
{
    uint64_t end = self->start[window + 1];
    uint32_t passes = (uint32_t)self->copies + (self->copies > (double)(uint32_t)self->copies);
    if (self->clock < self->start[window])
        self->clock = self->start[window];
    passes = passes ? passes : 1;
    if (!expect_large(self, window, passes))
        return false;
    for (uint32_t pass = 0; pass < passes; pass++)
        if (!make_pass(self, window, pass, passes))
            return false;
    for (;;) {
        if (!make_due(self))
            return false;
        uint64_t next = rh_agenda_next(&self->agenda);
        if (next >= end)
            return true;
        self->clock = next;
    }
}

/* Calls of a window's brief lives, all of them counted where they are born. */
static uint64_t
brief_calls(const rh_likeness *likeness, uint64_t window)
{
    uint64_t end = rh_likeness_births_end(likeness, window), sum = 0;
    for (uint64_t i = likeness->window[window].first_birth; i < end; i++) {
        const rh_life_entry *life = &likeness->lives.entry[likeness->birth[i]];
        sum += life->lasting ? 0 : 1 + life->steps;
    }
    return sum;
}

/* How many of each brief life there shall be, so that all calls together are as many as wanted. */
static bool
plan_copies(likeness_maker *self)
{
    enum { COPIES_MOST = 1 << 30 };
    const rh_likeness *likeness = self->likeness;
    rh_likeness_facts facts = rh_likeness_tell(likeness);
    uint64_t wanted = self->maker->wanted, brief = facts.events - facts.lasting_events;
    self->copies = 1;
    self->maker->wanted = 0; /* the last life shall end, and not be cut off */
    if (!wanted || wanted == facts.events)
        return true;
    if (wanted < facts.lasting_events)
        return rh_maker_fail(self->maker, RH_USAGE,
                             "%llu of its %llu calls belong to blocks that last; a trace like it "
                             "cannot have fewer, and not %llu",
                             (unsigned long long)facts.lasting_events,
                             (unsigned long long)facts.events, (unsigned long long)wanted);
    self->copies =
        brief ? (double)(wanted - facts.lasting_events) / (double)brief : COPIES_MOST + 1.0;
    if (self->copies > COPIES_MOST)
        return rh_maker_fail(
            self->maker, RH_USAGE,
            "%llu of its %llu calls belong to blocks that last, which are too many "
            "for a trace like it of %llu",
            (unsigned long long)facts.lasting_events, (unsigned long long)facts.events,
            (unsigned long long)wanted);
    return true;
}

static bool
plan(likeness_maker *self)
{
    const rh_likeness *likeness = self->likeness;
    if (!plan_copies(self))
        return false;
    self->start = malloc((likeness->windows + 2) * sizeof *self->start);
    if (!self->start)
        return rh_maker_no_memory(self->maker);
    self->start[0] = 0;
    for (uint64_t i = 0; i < likeness->windows; i++) {
        double more = (self->copies - 1) * (double)brief_calls(likeness, i);
        double calls = (double)likeness->window_calls + more;
        self->start[i + 1] = self->start[i] + (calls > 1 ? (uint64_t)calls : 1);
    }
    self->start[likeness->windows + 1] = self->start[likeness->windows] + 1;
    return true;
}

static bool
end_lives(likeness_maker *self)
{
    uint64_t next;
    while ((next = rh_agenda_next(&self->agenda)) != UINT64_MAX) {
        self->clock = next;
        if (!make_due(self))
            return false;
    }
    return true;
}

void
rh_likeness_make(const rh_likeness *likeness, rh_maker *maker, rh_likeness_made *made)
{
    likeness_maker self = {
        .likeness = likeness, .maker = maker, .made = made, .used = 1, .room = 1 << 10};
    *made = (rh_likeness_made){0};
    self.living = malloc(self.room * sizeof *self.living);
    bool good = (rh_agenda_init(&self.agenda) && self.living) || rh_maker_no_memory(maker);
    good = good && plan(&self);
    for (uint64_t i = 0; good && i < likeness->windows; i++)
        good = make_window(&self, i);
    if (good && end_lives(&self))
        make_marks(&self);
    rh_agenda_release(&self.agenda);
    free(self.living);
    free(self.start);
    release_walk(&self.walk);
}
