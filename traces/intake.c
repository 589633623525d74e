#include "traces/intake.h"

#include <stdlib.h>
#include <string.h>

enum {
    LOOK_EVENTS = 256,         /* how often the file's size is looked at */
    RESERVED_BYTES = 24 << 10, /* for the events between two looks, the index and the totals */
    CATCH_UP_BYTES = 8         /* what a block that is born behind a pause takes, about */
};

/* Handles of blocks that were born in a pause: an index, with this bit. */
#define OWN (UINT32_C(1) << 31)

typedef enum block_state {
    UNUSED, /* `handle` is the next unused one */
    UNBORN, /* as far as the file knows: born in this pause */
    WRITTEN /* the file has it as `handle` */
} block_state;

typedef struct block {
    uint64_t size, address, number; /* the last: which birth it was */
    uint32_t handle, thread;
    uint8_t state, domain, flags;
} block;

/* Of a block that the file has. */
typedef struct death {
    uint32_t handle, thread;
    uint8_t domain, flags;
} death;

struct rh_intake {
    rh_writer *writer;
    rh_intake_limits limits;
    rh_intake_end end;
    uint64_t events, next_look;

    bool paused;
    uint64_t pauses;
    bool begun; /* something has been written */
    block *blocks;
    uint32_t used, room;
    uint32_t unused; /* the first of them; OWN: none */
    uint64_t births, unborn;
    death *deaths;
    size_t death_count, death_room;
    uint32_t *threads; /* from the first pause on: the file's number, plus 1 */
    uint32_t thread_room, threads_written;
    uint32_t last_thread; /* the file's number of the last event's */
    uint64_t last_time_ns;
};

rh_intake *
rh_intake_new(rh_writer *writer, uint64_t events, const rh_intake_limits *limits)
{
    rh_intake *intake = calloc(1, sizeof *intake);
    if (!intake)
        return NULL;
    rh_writer_state state = rh_writer_look(writer);
    intake->writer = writer;
    if (limits)
        intake->limits = *limits;
    intake->events = events;
    intake->begun = state.events > 0;
    intake->last_time_ns = state.last_time_ns;
    intake->last_thread = state.thread;
    intake->unused = OWN;
    return intake;
}

void
rh_intake_free(rh_intake *intake)
{
    if (!intake)
        return;
    free(intake->blocks);
    free(intake->deaths);
    free(intake->threads);
    free(intake);
}

rh_intake_end
rh_intake_ended(const rh_intake *intake)
{
    return intake->end;
}

bool
rh_intake_paused(const rh_intake *intake)
{
    return intake->paused;
}

uint64_t
rh_intake_events(const rh_intake *intake)
{
    return intake->events;
}

uint64_t
rh_intake_pauses(const rh_intake *intake)
{
    return intake->pauses;
}

static rh_status
no_memory(rh_error *error)
{
    return rh_fail(error, RH_SYSTEM, "out of memory for the blocks of a pause");
}

static bool
is_own(uint32_t handle)
{
    return (handle & OWN) != 0;
}

static block *
own_block(const rh_intake *intake, uint32_t handle)
{
    return &intake->blocks[handle & ~OWN];
}

void
rh_intake_expect(const rh_intake *intake, uint32_t handle)
{
    if (intake->end != RH_INTAKE_OPEN)
        return;
    if (is_own(handle)) {
        const block *own = own_block(intake, handle);
        if (own->state != WRITTEN)
            return;
        handle = own->handle;
    }
    if (!intake->paused)
        rh_writer_expect(intake->writer, handle);
}

/* ---- limits ---- */

/* Whether the file may become larger still. What waits to be compressed is taken for
 * incompressible, so before giving up it is compressed. */
static rh_status
look_at_size(rh_intake *intake, uint64_t more, rh_error *error)
{
    const uint64_t limit = intake->limits.bytes;
    if (limit == 0)
        return RH_OK;
    rh_status status = RH_OK;
    for (unsigned look = 0; look < 2; look++) {
        if (rh_writer_size_bound(intake->writer) + more + RESERVED_BYTES <= limit)
            return RH_OK;
        if (look == 0 && (status = rh_writer_flush(intake->writer, error)) != RH_OK)
            return status;
    }
    intake->end = RH_INTAKE_BYTES;
    return RH_OK;
}

static rh_status
after_event(rh_intake *intake, const rh_event *event, rh_error *error)
{
    intake->begun = true;
    intake->last_thread = event->thread;
    if (event->operation <= RH_ALIGNED) {
        intake->events++;
        if (intake->limits.events && intake->events >= intake->limits.events) {
            intake->end = RH_INTAKE_EVENTS;
            return RH_OK;
        }
    }
    if (intake->events < intake->next_look && event->operation <= RH_ALIGNED)
        return RH_OK;
    intake->next_look = intake->events + LOOK_EVENTS;
    return look_at_size(intake, 0, error);
}

static rh_status
put(rh_intake *intake, const rh_event *event, uint32_t *handle, rh_error *error)
{
    rh_status status = rh_writer_event(intake->writer, event, handle, error);
    return status == RH_OK ? after_event(intake, event, error) : status;
}

/* ---- threads ---- */

static bool
make_thread_room(rh_intake *intake, uint32_t thread)
{
    uint64_t room = intake->thread_room ? intake->thread_room : 64;
    while (room <= thread)
        room *= 2;
    uint32_t *grown = realloc(intake->threads, room * sizeof *grown);
    if (!grown)
        return false;
    memset(grown + intake->thread_room, 0, (room - intake->thread_room) * sizeof *grown);
    intake->threads = grown;
    intake->thread_room = (uint32_t)room;
    return true;
}

/* The drain's number of a thread as the file's. */
static bool
number_thread(rh_intake *intake, uint32_t *thread)
{
    if (*thread >= intake->thread_room && !make_thread_room(intake, *thread))
        return false;
    uint32_t *number = &intake->threads[*thread];
    if (*number == 0)
        *number = ++intake->threads_written;
    *thread = *number - 1;
    return true;
}

/* Those that the file has at the first pause are numbered there as here. */
static bool
keep_thread_numbers(rh_intake *intake)
{
    uint32_t known = intake->begun ? rh_writer_look(intake->writer).threads : 0;
    for (uint32_t thread = 0; thread < known; thread++) {
        uint32_t same = thread;
        if (!number_thread(intake, &same))
            return false;
    }
    return true;
}

/* ---- blocks of a pause ---- */

static bool
new_block(rh_intake *intake, uint32_t *handle)
{
    if (intake->unused != OWN) {
        *handle = intake->unused | OWN;
        intake->unused = intake->blocks[intake->unused].handle;
        return true;
    }
    if (intake->used == intake->room) {
        uint64_t room = intake->room ? 2 * (uint64_t)intake->room : 1024;
        block *grown = room < OWN ? realloc(intake->blocks, room * sizeof *grown) : NULL;
        if (!grown)
            return false;
        intake->blocks = grown;
        intake->room = (uint32_t)room;
    }
    *handle = intake->used++ | OWN;
    return true;
}

static void
forget_block(rh_intake *intake, uint32_t handle)
{
    block *own = own_block(intake, handle);
    intake->unborn -= own->state == UNBORN;
    *own = (block){.state = UNUSED, .handle = intake->unused};
    intake->unused = handle & ~OWN;
}

static bool
keep_death(rh_intake *intake, const rh_event *event, uint32_t handle)
{
    if (intake->death_count == intake->death_room) {
        size_t room = intake->death_room ? 2 * intake->death_room : 1024;
        death *grown = realloc(intake->deaths, room * sizeof *grown);
        if (!grown)
            return false;
        intake->deaths = grown;
        intake->death_room = room;
    }
    intake->deaths[intake->death_count++] = (death){.handle = handle,
                                                    .thread = event->thread,
                                                    .domain = event->domain,
                                                    .flags = event->flags & RH_EVENT_NESTED};
    return true;
}

static bool
follow_death(rh_intake *intake, const rh_event *event, uint32_t handle)
{
    bool kept = true;
    if (!is_own(handle))
        return keep_death(intake, event, handle);
    const block *own = own_block(intake, handle);
    if (own->state != UNBORN)
        kept = keep_death(intake, event, own->handle);
    forget_block(intake, handle);
    return kept;
}

static bool
follow_birth(rh_intake *intake, const rh_event *event, uint32_t *handle)
{
    if (!new_block(intake, handle))
        return false;
    *own_block(intake, *handle) = (block){.size = event->size,
                                          .address = event->address,
                                          .number = intake->births++,
                                          .thread = event->thread,
                                          .state = UNBORN,
                                          .domain = event->domain,
                                          .flags = event->flags & RH_EVENT_NESTED};
    intake->unborn++;
    return true;
}

static bool
ends_a_life(const rh_event *event)
{
    return (event->operation == RH_FREE || event->operation == RH_REALLOC) &&
           !(event->flags & (RH_EVENT_NULL | RH_EVENT_FOREIGN));
}

/* An event in a pause. */
static rh_status
follow(rh_intake *intake, const rh_event *event, uint32_t *handle, rh_error *error)
{
    if (event->operation > RH_ALIGNED || event->flags & RH_EVENT_FAILED)
        return RH_OK;
    /* A resize is both: where the block lay another may lie when the file is caught up. */
    if (ends_a_life(event) && !follow_death(intake, event, *handle))
        return no_memory(error);
    if (event->operation != RH_FREE && !follow_birth(intake, event, handle))
        return no_memory(error);
    return RH_OK;
}

/* An event behind a pause: what the file has of it. */
static rh_status
translate(rh_intake *intake, const rh_event *event, uint32_t *handle, rh_error *error)
{
    if (event->operation > RH_ALIGNED && event->operation != RH_MARK)
        return RH_OK;
    rh_event copy = *event;
    copy.flags &= (uint8_t)~RH_EVENT_POOLED;
    if (!number_thread(intake, &copy.thread))
        return no_memory(error);
    if (!ends_a_life(event) || !is_own(*handle))
        return put(intake, &copy, handle, error);
    uint32_t written = own_block(intake, *handle)->handle;
    rh_status status = put(intake, &copy, &written, error);
    if (event->operation == RH_FREE)
        forget_block(intake, *handle);
    else
        own_block(intake, *handle)->handle = written;
    return status;
}

rh_status
rh_intake_event(rh_intake *intake, const rh_event *event, uint32_t *handle, rh_error *error)
{
    if (intake->end != RH_INTAKE_OPEN)
        return RH_OK;
    if (event->time_ns > intake->last_time_ns)
        intake->last_time_ns = event->time_ns;
    if (intake->paused)
        return follow(intake, event, handle, error);
    if (intake->pauses)
        return translate(intake, event, handle, error);
    return put(intake, event, handle, error);
}

/* ---- pauses ---- */

static rh_status
put_mark(rh_intake *intake, const char *text, rh_error *error)
{
    const rh_event mark = {.operation = RH_MARK,
                           .slot = RH_NO_SLOT,
                           .text = text,
                           .size = strlen(text),
                           .thread = intake->last_thread,
                           .time_ns = intake->last_time_ns};
    return intake->end == RH_INTAKE_OPEN ? put(intake, &mark, NULL, error) : RH_OK;
}

rh_status
rh_intake_pause(rh_intake *intake, rh_error *error)
{
    rh_status status = RH_OK;
    if (intake->paused)
        return RH_OK;
    if (intake->pauses == 0 && !keep_thread_numbers(intake))
        return no_memory(error);
    if (intake->begun)
        status = put_mark(intake, "paused", error);
    intake->paused = true;
    intake->pauses++;
    return status;
}

static rh_status
catch_up_deaths(rh_intake *intake, rh_error *error)
{
    rh_status status = RH_OK;
    for (size_t i = 0; i < intake->death_count && status == RH_OK; i++) {
        const death *kept = &intake->deaths[i];
        rh_event event = {.operation = RH_FREE,
                          .domain = kept->domain,
                          .flags = kept->flags,
                          .slot = RH_NO_SLOT,
                          .thread = kept->thread,
                          .time_ns = intake->last_time_ns};
        uint32_t handle = kept->handle;
        if (intake->end != RH_INTAKE_OPEN)
            break;
        status = number_thread(intake, &event.thread) ? put(intake, &event, &handle, error)
                                                      : no_memory(error);
    }
    intake->death_count = 0;
    return status;
}

static int
earlier_first(const void *left, const void *right)
{
    const block *a = *(block *const *)left, *b = *(block *const *)right;
    return (a->number > b->number) - (a->number < b->number);
}

static rh_status
catch_up_birth(rh_intake *intake, block *own, rh_error *error)
{
    rh_event event = {.operation = RH_MALLOC,
                      .domain = own->domain,
                      .flags = own->flags,
                      .slot = RH_NO_SLOT,
                      .size = own->size,
                      .address = own->address,
                      .thread = own->thread,
                      .time_ns = intake->last_time_ns};
    own->state = WRITTEN;
    if (!number_thread(intake, &event.thread))
        return no_memory(error);
    return put(intake, &event, &own->handle, error);
}

static rh_status
catch_up_births(rh_intake *intake, rh_error *error)
{
    size_t count = 0;
    block **order = malloc(((size_t)intake->used + 1) * sizeof *order);
    if (!order)
        return no_memory(error);
    for (uint32_t i = 0; i < intake->used; i++) {
        if (intake->blocks[i].state == UNBORN)
            order[count++] = &intake->blocks[i];
    }
    qsort(order, count, sizeof *order, earlier_first);
    rh_status status = RH_OK;
    for (size_t i = 0; i < count && status == RH_OK && intake->end == RH_INTAKE_OPEN; i++)
        status = catch_up_birth(intake, order[i], error);
    free(order);
    intake->unborn = 0;
    return status;
}

rh_status
rh_intake_resume(rh_intake *intake, rh_error *error)
{
    if (!intake->paused)
        return RH_OK;
    intake->paused = false;
    uint64_t backlog = intake->death_count + intake->unborn;
    rh_status status = look_at_size(intake, backlog * CATCH_UP_BYTES, error);
    if (status == RH_OK && intake->end == RH_INTAKE_OPEN)
        status = catch_up_deaths(intake, error);
    if (status == RH_OK && intake->end == RH_INTAKE_OPEN)
        status = catch_up_births(intake, error);
    return status == RH_OK ? put_mark(intake, "resumed", error) : status;
}
