#include "traces/habits.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PHASES_MAX = 1000 };

#define INHERITED ((uint64_t)1 << 63)
#define LEFT      UINT64_MAX

struct rh_block_life {
    uint64_t birth; /* calls up to it and 1; INHERITED and the number among those; 0: nothing that
                       counts lives here */
    uint64_t size;
    uint32_t thread, resizes; /* of an inherited one: in this part */
};

/* What became of an inherited block. */
struct rh_inherited_life {
    uint64_t death; /* calls up to it and 1; 0: none; LEFT: an allocator took it for itself */
    uint64_t size;
    uint32_t thread; /* that freed it, if not nested */
    uint32_t resizes;
};

uint64_t
rh_lifetime_limit(unsigned bucket)
{
    return bucket + 1 < RH_LIFETIMES ? UINT64_C(1) << 2 * bucket : UINT64_MAX;
}

static inline unsigned
lifetime_bucket(uint64_t calls)
{
    unsigned bucket = calls <= 1 ? 0 : (64 - (unsigned)__builtin_clzll(calls - 1) + 1) / 2;
    return bucket < RH_LIFETIMES ? bucket : RH_LIFETIMES - 1;
}

static rh_growth
growth_of(uint64_t before, uint64_t after)
{
    if (after <= before)
        return after < before ? RH_GROWTH_SMALLER : RH_GROWTH_SAME;
    uint64_t more = after - before;
    if (more <= before / 4)
        return RH_GROWTH_QUARTER;
    if (more <= before / 2)
        return RH_GROWTH_HALF;
    return more <= before ? RH_GROWTH_DOUBLE : RH_GROWTH_MORE;
}

/* ---- tables that grow ---- */

static bool
make_room(void **array, uint32_t *room, uint64_t wanted, size_t element_bytes)
{
    if (wanted <= *room)
        return true;
    uint64_t count = wanted + wanted / 2 + 16;
    if (count > UINT32_MAX)
        count = UINT32_MAX;
    char *grown = count >= wanted ? realloc(*array, count * element_bytes) : NULL;
    if (!grown)
        return false;
    memset(grown + *room * element_bytes, 0, (count - *room) * element_bytes);
    *array = grown;
    *room = (uint32_t)count;
    return true;
}

static __attribute__((noinline)) rh_thread_habits *
new_thread(rh_habits *habits, uint32_t thread)
{
    if (!make_room((void **)&habits->threads, &habits->thread_room, (uint64_t)thread + 1,
                   sizeof *habits->threads))
        return NULL;
    habits->thread_count = thread + 1;
    return &habits->threads[thread];
}

static inline rh_thread_habits *
thread_of(rh_habits *habits, uint32_t thread)
{
    return thread < habits->thread_count ? &habits->threads[thread] : new_thread(habits, thread);
}

static inline rh_phase *
current_phase(const rh_habits *habits)
{
    return &habits->phases[habits->phase_count - 1];
}

static void
end_phase(rh_habits *habits)
{
    rh_phase *phase = current_phase(habits);
    phase->end_bytes = habits->survivor_bytes;
    phase->end_blocks = habits->survivors;
}

static bool
begin_phase(rh_habits *habits, const char *name, uint64_t event)
{
    if (habits->phase_count > 0)
        end_phase(habits);
    if (habits->phase_count == PHASES_MAX) {
        habits->more_phases = true;
        return true;
    }
    if (!make_room((void **)&habits->phases, &habits->phase_room, habits->phase_count + 1,
                   sizeof *habits->phases))
        return false;
    rh_phase *phase = &habits->phases[habits->phase_count++];
    *phase = (rh_phase){.first_event = event,
                        .peak_bytes = habits->survivor_bytes,
                        .peak_blocks = habits->survivors};
    snprintf(phase->name, sizeof phase->name, "%s", name);
    return true;
}

bool
rh_habits_init(rh_habits *habits)
{
    *habits = (rh_habits){0};
    return begin_phase(habits, "", 0);
}

void
rh_habits_release(rh_habits *habits)
{
    free(habits->threads);
    free(habits->phases);
    free(habits->lives);
    free(habits->inherited);
    free(habits->kept);
    *habits = (rh_habits){0};
}

/* ---- events ---- */

static inline void
count_life(rh_habits *habits, uint64_t calls, uint64_t size)
{
    unsigned bucket = lifetime_bucket(calls);
    habits->lifetimes[bucket]++;
    habits->lifetime_bytes[bucket] += size;
}

/* `thread`: NULL when the call is nested. */
static inline void
die(rh_habits *habits, rh_block_life *life, const rh_event *event, rh_thread_habits *thread)
{
    if (life->birth & INHERITED) {
        rh_inherited_life *inherited = &habits->inherited[life->birth & ~INHERITED];
        *inherited = (rh_inherited_life){habits->calls + 1, life->size,
                                         thread ? event->thread : UINT32_MAX, life->resizes};
    } else {
        count_life(habits, habits->calls + 1 - life->birth, life->size);
        if (thread)
            thread->foreign_deaths += life->thread != event->thread;
    }
}

static inline void
leave(rh_habits *habits, rh_block_life *life)
{
    habits->survivors--;
    habits->survivor_bytes -= life->size;
    life->birth = 0;
}

static inline void
note_peak(rh_habits *habits)
{
    rh_phase *phase = current_phase(habits);
    if (habits->survivor_bytes > phase->peak_bytes)
        phase->peak_bytes = habits->survivor_bytes;
    if (habits->survivors > phase->peak_blocks)
        phase->peak_blocks = habits->survivors;
}

static inline void
be_born(rh_habits *habits, rh_block_life *life, const rh_event *event)
{
    *life = (rh_block_life){habits->calls + 1, event->size, event->thread, 0};
    habits->survivors++;
    habits->survivor_bytes += event->size;
    note_peak(habits);
}

static inline void
resize(rh_habits *habits, rh_block_life *life, const rh_event *event)
{
    habits->growths[growth_of(life->size, event->size)]++;
    habits->resized_bytes += life->size;
    habits->survivor_bytes += event->size - life->size;
    note_peak(habits);
    life->size = event->size;
    if (++life->resizes > habits->most_resizes)
        habits->most_resizes = life->resizes;
}

/* A nested realloc makes the block the allocator's own. */
static inline void
be_taken(rh_habits *habits, rh_block_life *life)
{
    if (life->birth & INHERITED)
        habits->inherited[life->birth & ~INHERITED] =
            (rh_inherited_life){.death = LEFT, .resizes = life->resizes};
    leave(habits, life);
}

static inline void
note_request(rh_habits *habits, rh_thread_habits *thread, const rh_event *event)
{
    rh_phase *phase = current_phase(habits);
    thread->requests++;
    thread->requested_bytes += event->size;
    phase->requests++;
    phase->requested_bytes += event->size;
}

/* What the event does to its block's life. */
static inline void
follow(rh_habits *habits, const rh_event *event, rh_thread_habits *thread)
{
    rh_block_life *life = &habits->lives[event->slot];
    bool fresh = event->flags & (RH_EVENT_NULL | RH_EVENT_FOREIGN);
    bool nested = event->flags & RH_EVENT_NESTED;
    if (event->operation == RH_FREE) {
        if (life->birth) {
            die(habits, life, event, thread);
            leave(habits, life);
        }
        return;
    }
    if (event->operation == RH_REALLOC && !fresh && life->birth) {
        if (nested)
            be_taken(habits, life);
        else
            resize(habits, life, event);
    } else if (!nested) {
        be_born(habits, life, event);
    }
    if (thread)
        note_request(habits, thread, event);
}

static inline bool
add(rh_habits *habits, const rh_event *event, uint64_t number)
{
    if (event->operation == RH_MARK)
        return begin_phase(habits, event->text, number);
    if (event->operation > RH_ALIGNED)
        return true;
    rh_thread_habits *thread = NULL;
    if (!(event->flags & (RH_EVENT_NESTED | RH_EVENT_BRIDGE))) {
        thread = thread_of(habits, event->thread);
        if (!thread)
            return false;
        habits->calls++;
        thread->events++;
        current_phase(habits)->events++;
    }
    if (event->slot != RH_NO_SLOT && !(event->flags & RH_EVENT_FAILED))
        follow(habits, event, thread);
    return true;
}

static bool
make_lives(rh_habits *habits, uint32_t slots)
{
    return make_room((void **)&habits->lives, &habits->slots, slots, sizeof *habits->lives);
}

bool
rh_habits_add(rh_habits *habits, const rh_batch *batch)
{
    if (!make_lives(habits, batch->slots))
        return false;
    for (size_t i = 0; i < batch->count; i++)
        if (!add(habits, &batch->events[i], batch->first_event + i))
            return false;
    end_phase(habits);
    return true;
}

/* ---- parts ---- */

bool
rh_habits_enter(rh_habits *habits, const rh_batch *live)
{
    if (!make_lives(habits, live->slots) ||
        !make_room((void **)&habits->inherited, &habits->inherited_room,
                   habits->inherited_count + live->count, sizeof *habits->inherited))
        return false;
    for (size_t i = 0; i < live->count; i++) {
        const rh_event *birth = &live->events[i];
        rh_block_life *life = &habits->lives[birth->slot];
        if (birth->flags & RH_EVENT_NESTED)
            continue;
        if (habits->merged) {
            *life = habits->kept[habits->resumed++];
        } else {
            be_born(habits, life, birth);
            life->birth = INHERITED | habits->inherited_count++;
        }
    }
    return true;
}

bool
rh_habits_leave(rh_habits *habits, const rh_batch *live)
{
    if (!make_room((void **)&habits->kept, &habits->kept_room, habits->kept_count + live->count,
                   sizeof *habits->kept))
        return false;
    for (size_t i = 0; i < live->count; i++) {
        const rh_event *birth = &live->events[i];
        if (!(birth->flags & RH_EVENT_NESTED))
            habits->kept[habits->kept_count++] = habits->lives[birth->slot];
    }
    return true;
}

static void
note_most_resizes(rh_habits *habits, uint64_t resizes)
{
    if (resizes > habits->most_resizes)
        habits->most_resizes = resizes;
}

/* The inherited blocks that died in the part. */
static void
merge_deaths(rh_habits *whole, const rh_habits *part)
{
    for (uint32_t i = 0; i < part->inherited_count; i++) {
        const rh_inherited_life *end = &part->inherited[i];
        const rh_block_life *life = &whole->kept[i];
        if (end->death == 0)
            continue; /* it is among the kept */
        note_most_resizes(whole, (uint64_t)life->resizes + end->resizes);
        if (end->death == LEFT)
            continue;
        count_life(whole, whole->calls + end->death - life->birth, end->size);
        if (end->thread != UINT32_MAX)
            whole->threads[end->thread].foreign_deaths += life->thread != end->thread;
    }
}

/* The part's list of the living becomes the whole's, with births as the whole knows them. */
static bool
merge_kept(rh_habits *whole, const rh_habits *part)
{
    rh_block_life *kept = malloc(((size_t)part->kept_count + 1) * sizeof *kept);
    if (!kept)
        return false;
    for (uint32_t i = 0; i < part->kept_count; i++) {
        kept[i] = part->kept[i];
        if (kept[i].birth & INHERITED) {
            const rh_block_life *before = &whole->kept[kept[i].birth & ~INHERITED];
            kept[i].birth = before->birth;
            kept[i].thread = before->thread;
            kept[i].resizes += before->resizes;
            note_most_resizes(whole, kept[i].resizes);
        } else {
            kept[i].birth += whole->calls;
        }
    }
    free(whole->kept);
    whole->kept = kept;
    whole->kept_count = whole->kept_room = part->kept_count;
    return true;
}

static void
add_phase(rh_phase *phase, const rh_phase *more)
{
    phase->events += more->events;
    phase->requests += more->requests;
    phase->requested_bytes += more->requested_bytes;
    if (more->peak_bytes > phase->peak_bytes)
        phase->peak_bytes = more->peak_bytes;
    if (more->peak_blocks > phase->peak_blocks)
        phase->peak_blocks = more->peak_blocks;
    phase->end_bytes = more->end_bytes;
    phase->end_blocks = more->end_blocks;
}

/* The part's first phase is the whole's last going on; what there is no room for goes there too. */
static bool
merge_phases(rh_habits *whole, const rh_habits *part)
{
    add_phase(current_phase(whole), &part->phases[0]);
    whole->more_phases |= part->more_phases;
    for (uint32_t i = 1; i < part->phase_count; i++) {
        if (whole->phase_count == PHASES_MAX) {
            whole->more_phases = true;
            add_phase(current_phase(whole), &part->phases[i]);
            continue;
        }
        if (!make_room((void **)&whole->phases, &whole->phase_room,
                       (uint64_t)whole->phase_count + 1, sizeof *whole->phases))
            return false;
        whole->phases[whole->phase_count++] = part->phases[i];
    }
    return true;
}

static bool
merge_threads(rh_habits *whole, const rh_habits *part)
{
    for (uint32_t i = 0; i < part->thread_count; i++) {
        rh_thread_habits *thread = thread_of(whole, i);
        const rh_thread_habits *more = &part->threads[i];
        if (!thread)
            return false;
        thread->events += more->events;
        thread->requests += more->requests;
        thread->requested_bytes += more->requested_bytes;
        thread->foreign_deaths += more->foreign_deaths;
    }
    return true;
}

bool
rh_habits_merge(rh_habits *whole, const rh_habits *part)
{
    if (!merge_threads(whole, part) || !merge_phases(whole, part))
        return false;
    merge_deaths(whole, part);
    if (!merge_kept(whole, part))
        return false;
    for (unsigned i = 0; i < RH_LIFETIMES; i++) {
        whole->lifetimes[i] += part->lifetimes[i];
        whole->lifetime_bytes[i] += part->lifetime_bytes[i];
    }
    for (unsigned i = 0; i < RH_GROWTHS; i++)
        whole->growths[i] += part->growths[i];
    whole->resized_bytes += part->resized_bytes;
    note_most_resizes(whole, part->most_resizes);
    whole->survivors = part->survivors;
    whole->survivor_bytes = part->survivor_bytes;
    whole->calls += part->calls;
    whole->merged = true;
    return true;
}
