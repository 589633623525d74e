#include "traces/habits.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PHASES_MAX = 1000 };

struct rh_block_life {
    uint64_t birth; /* calls before it, and 1; 0: nothing that counts lives here */
    uint64_t size;
    uint32_t thread, resizes;
};

uint64_t
rh_lifetime_limit(unsigned bucket)
{
    return bucket + 1 < RH_LIFETIMES ? UINT64_C(1) << 2 * bucket : UINT64_MAX;
}

static unsigned
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

static rh_thread_habits *
thread_of(rh_habits *habits, uint32_t thread)
{
    if (!make_room((void **)&habits->threads, &habits->thread_room, (uint64_t)thread + 1,
                   sizeof *habits->threads))
        return NULL;
    if (thread >= habits->thread_count)
        habits->thread_count = thread + 1;
    return &habits->threads[thread];
}

static rh_phase *
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
    *habits = (rh_habits){0};
}

/* ---- events ---- */

static void
die(rh_habits *habits, rh_block_life *life, uint32_t thread)
{
    if (!life->birth)
        return;
    unsigned bucket = lifetime_bucket(habits->calls - life->birth);
    habits->lifetimes[bucket]++;
    habits->lifetime_bytes[bucket] += life->size;
    habits->survivors--;
    habits->survivor_bytes -= life->size;
    habits->threads[thread].foreign_deaths += life->thread != thread;
    life->birth = 0;
}

static void
be_born(rh_habits *habits, rh_block_life *life, const rh_event *event)
{
    *life = (rh_block_life){habits->calls, event->size, event->thread, 0};
    habits->survivors++;
    habits->survivor_bytes += event->size;
}

static void
resize(rh_habits *habits, rh_block_life *life, const rh_event *event)
{
    if (!life->birth)
        return;
    habits->growths[growth_of(life->size, event->size)]++;
    habits->resized_bytes += life->size;
    habits->survivor_bytes += event->size - life->size;
    life->size = event->size;
    if (++life->resizes > habits->most_resizes)
        habits->most_resizes = life->resizes;
}

static void
note_request(rh_habits *habits, rh_thread_habits *thread, const rh_event *event)
{
    rh_phase *phase = current_phase(habits);
    thread->requests++;
    thread->requested_bytes += event->size;
    phase->requests++;
    phase->requested_bytes += event->size;
    if (habits->survivor_bytes > phase->peak_bytes)
        phase->peak_bytes = habits->survivor_bytes;
    if (habits->survivors > phase->peak_blocks)
        phase->peak_blocks = habits->survivors;
}

static bool
add(rh_habits *habits, const rh_event *event, uint64_t number)
{
    if (event->operation == RH_MARK)
        return begin_phase(habits, event->text, number);
    if (event->operation > RH_ALIGNED || (event->flags & (RH_EVENT_NESTED | RH_EVENT_BRIDGE)))
        return true;
    rh_thread_habits *thread = thread_of(habits, event->thread);
    if (!thread)
        return false;
    habits->calls++;
    thread->events++;
    current_phase(habits)->events++;
    if (event->slot == RH_NO_SLOT || (event->flags & RH_EVENT_FAILED))
        return true;
    rh_block_life *life = &habits->lives[event->slot];
    bool fresh = event->flags & (RH_EVENT_NULL | RH_EVENT_FOREIGN);
    if (event->operation == RH_FREE) {
        die(habits, life, event->thread);
    } else {
        if (event->operation == RH_REALLOC && !fresh)
            resize(habits, life, event);
        else
            be_born(habits, life, event);
        note_request(habits, thread, event);
    }
    return true;
}

bool
rh_habits_add(rh_habits *habits, const rh_batch *batch)
{
    if (!make_room((void **)&habits->lives, &habits->slots, batch->slots, sizeof *habits->lives))
        return false;
    for (size_t i = 0; i < batch->count; i++)
        if (!add(habits, &batch->events[i], batch->first_event + i))
            return false;
    end_phase(habits);
    return true;
}
