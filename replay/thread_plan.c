#define _GNU_SOURCE
#include "replay/thread_plan.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define ARRAY_LEAST ((size_t)64 << 10) /* bytes */

/* ---- arrays that grow, outside malloc ---- */

typedef struct growing {
    void *items;
    size_t bytes, room; /* used, mapped */
} growing;

/* Room for `bytes` more at the end; NULL: no memory. */
static void *
append(growing *array, size_t bytes)
{
    if (array->bytes + bytes > array->room) {
        size_t room = array->room ? array->room * 2 : ARRAY_LEAST;
        while (room < array->bytes + bytes)
            room *= 2;
        void *items = array->room ? mremap(array->items, array->room, room, MREMAP_MAYMOVE)
                                  : mmap(NULL, room, PROT_READ | PROT_WRITE,
                                         MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (items == MAP_FAILED)
            return NULL;
        array->items = items;
        array->room = room;
    }
    void *place = (char *)array->items + array->bytes;
    array->bytes += bytes;
    return place;
}

static void
release(growing *array)
{
    if (array->room)
        munmap(array->items, array->room);
}

/* ---- the plan ---- */

/* A block that lives: its slot in the streams, and who touched it last. */
typedef struct block_place {
    uint32_t slot, thread, done; /* `done`: operations of that thread with this one */
} block_place;

typedef struct thread_state {
    growing codes, order, times, wides, waits, posts;
    growing free_slots;                /* of blocks that this thread freed */
    uint32_t reached[RH_THREADS_MOST]; /* how far it is known of each other thread */
    rh_thread_stream public;
} thread_state;

struct rh_thread_plan {
    growing places; /* by slot of the trace */
    thread_state *streams;
    size_t bytes; /* of this, with the streams */
    uint32_t threads, now, slots, operations;
    uint64_t time_ns; /* of what comes next */
};

static rh_status
no_memory(rh_error *error)
{
    return rh_fail(error, RH_SYSTEM, "there is no memory for a plan of the recorded threads");
}

rh_status
rh_thread_plan_open(uint64_t slots, rh_thread_plan **opened, rh_error *error)
{
    *opened = NULL;
    size_t bytes = sizeof(rh_thread_plan) + RH_THREADS_MOST * sizeof(thread_state);
    rh_thread_plan *plan =
        mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (plan == MAP_FAILED)
        return no_memory(error);
    plan->bytes = bytes;
    plan->streams = (thread_state *)(plan + 1);
    if (slots > UINT32_MAX || !append(&plan->places, (size_t)(slots + 1) * sizeof(block_place))) {
        rh_thread_plan_close(plan);
        return no_memory(error);
    }
    *opened = plan;
    return RH_OK;
}

void
rh_thread_plan_close(rh_thread_plan *plan)
{
    if (!plan)
        return;
    for (size_t i = 0; i < RH_THREADS_MOST; i++) {
        thread_state *stream = &plan->streams[i];
        growing *const arrays[] = {&stream->codes,     &stream->order, &stream->times,
                                   &stream->wides,     &stream->waits, &stream->posts,
                                   &stream->free_slots};
        for (size_t a = 0; a < sizeof arrays / sizeof *arrays; a++)
            release(arrays[a]);
    }
    release(&plan->places);
    munmap(plan, plan->bytes);
}

static uint32_t
operations_of(const thread_state *stream)
{
    return (uint32_t)(stream->codes.bytes / sizeof(rh_code));
}

/* The next operation of `waiter` needs what thread `on` had done after `count` of its operations.
 */
static bool
add_wait(rh_thread_plan *plan, uint32_t waiter, uint32_t on, uint32_t count)
{
    thread_state *stream = &plan->streams[waiter];
    if (on == waiter || stream->reached[on] >= count)
        return true;
    stream->reached[on] = count;
    rh_thread_wait *wait = append(&stream->waits, sizeof *wait);
    uint32_t *post = append(&plan->streams[on].posts, sizeof *post);
    if (!wait || !post)
        return false;
    *wait = (rh_thread_wait){.at = operations_of(stream), .on = on, .count = count};
    *post = count;
    return true;
}

/* The slot of a block that this thread begets. */
static uint32_t
new_slot(rh_thread_plan *plan, thread_state *stream)
{
    if (!stream->free_slots.bytes)
        return plan->slots++;
    stream->free_slots.bytes -= sizeof(uint32_t);
    return *(uint32_t *)((char *)stream->free_slots.items + stream->free_slots.bytes);
}

typedef enum block_effect { BEGETS, CHANGES, ENDS, NO_BLOCK } block_effect;

static block_effect
effect_of(rh_code code, const rh_wide *wide)
{
    unsigned kind = RH_CODE_OF(code);
    if (kind == RH_CODE_FREE_NULL)
        return NO_BLOCK;
    if (kind == RH_CODE_WIDE)
        return wide->kind == RH_WIDE_FREE      ? ENDS
               : wide->kind == RH_WIDE_REALLOC ? CHANGES
               : wide->kind == RH_WIDE_SAMPLE  ? NO_BLOCK
                                               : BEGETS;
    return RH_CODE_CALL(kind) == RH_CODE_FREE      ? ENDS
           : RH_CODE_CALL(kind) == RH_CODE_REALLOC ? CHANGES
                                                   : BEGETS;
}

/* When the stream's last operation was recorded; nothing is kept of a recording without times. What
 * came before the first one has 0, as fresh memory is. */
static bool
add_time(const rh_thread_plan *plan, thread_state *stream)
{
    if (plan->time_ns == 0)
        return true;
    size_t missing = operations_of(stream) * sizeof(uint64_t) - stream->times.bytes;
    char *times = append(&stream->times, missing);
    if (!times)
        return false;
    memcpy(times + missing - sizeof(uint64_t), &plan->time_ns, sizeof(uint64_t));
    return true;
}

/* Puts the operation at the end of the thread's stream, with the block's slot there. */
static bool
add_code(rh_thread_plan *plan, thread_state *stream, rh_code code, const rh_wide *wide,
         uint32_t slot)
{
    rh_code *place = append(&stream->codes, sizeof *place);
    uint32_t *order = append(&stream->order, sizeof *order);
    if (!place || !order || !add_time(plan, stream))
        return false;
    *order = plan->operations++;
    if (wide) {
        rh_wide *copy = append(&stream->wides, sizeof *copy);
        if (!copy)
            return false;
        *copy = *wide;
        copy->slot = slot;
        code = (uint64_t)(stream->wides.bytes / sizeof *copy - 1) << 32 | RH_CODE_WIDE;
    } else if (RH_CODE_OF(code) != RH_CODE_FREE_NULL) {
        code = RH_CODE_SIZE(code) << 32 | (uint64_t)slot << RH_CODE_BITS | RH_CODE_OF(code);
    }
    *place = code;
    return true;
}

static bool
add_operation(rh_thread_plan *plan, rh_code code, const rh_wide *wide)
{
    thread_state *stream = &plan->streams[plan->now];
    block_effect effect = effect_of(code, wide);
    uint32_t trace_slot = wide ? wide->slot : RH_CODE_SLOT(code);
    block_place *block = (block_place *)plan->places.items + trace_slot;
    uint32_t slot = 0;
    if (effect == BEGETS)
        block->slot = new_slot(plan, stream);
    else if (effect != NO_BLOCK && !add_wait(plan, plan->now, block->thread, block->done))
        return false;
    if (effect != NO_BLOCK)
        slot = block->slot;
    if (!add_code(plan, stream, code, wide, slot))
        return false;
    if (effect == ENDS) {
        uint32_t *kept = append(&stream->free_slots, sizeof *kept);
        if (!kept)
            return false;
        *kept = slot;
    } else if (effect != NO_BLOCK) {
        block->thread = plan->now;
        block->done = operations_of(stream);
    }
    return true;
}

static void
turn_to(rh_thread_plan *plan, uint64_t recorded)
{
    plan->now = (uint32_t)(recorded % RH_THREADS_MOST);
    if (plan->now >= plan->threads)
        plan->threads = plan->now + 1;
}

rh_status
rh_thread_plan_add(rh_thread_plan *plan, const rh_program *program, rh_error *error)
{
    if (plan->threads == 0)
        turn_to(plan, 0);
    for (uint32_t i = 0; i < program->code_count; i++) {
        rh_code code = program->codes[i];
        unsigned kind = RH_CODE_OF(code);
        if (kind == RH_CODE_THREAD) {
            turn_to(plan, RH_CODE_SIZE(code));
            continue;
        }
        if (kind == RH_CODE_TIME) {
            plan->time_ns = RH_CODE_AT(code);
            continue;
        }
        const rh_wide *wide = kind == RH_CODE_WIDE ? &program->wides[RH_CODE_SIZE(code)] : NULL;
        if (wide && wide->kind == RH_WIDE_SAMPLE)
            continue;
        if (plan->slots >= RH_CODE_SLOTS || plan->operations == UINT32_MAX)
            return rh_fail(
                error, RH_BAD_INPUT,
                "it has too many calls to be replayed in its threads; cut a piece out of "
                "it (`reheap cut`)");
        if (!add_operation(plan, code, wide))
            return no_memory(error);
    }
    return RH_OK;
}

static int
compare_counts(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    return (a > b) - (a < b);
}

/* Rising, each once. Waits were found in recorded order, which is not that of one thread. */
static void
sort_posts(growing *posts)
{
    uint32_t *count = posts->items;
    size_t items = posts->bytes / sizeof *count, kept = 0;
    if (items)
        qsort(count, items, sizeof *count, compare_counts);
    for (size_t i = 0; i < items; i++)
        if (kept == 0 || count[kept - 1] != count[i])
            count[kept++] = count[i];
    posts->bytes = kept * sizeof *count;
}

void
rh_thread_plan_finish(rh_thread_plan *plan)
{
    for (uint32_t i = 0; i < plan->threads; i++) {
        thread_state *stream = &plan->streams[i];
        sort_posts(&stream->posts);
        stream->public = (rh_thread_stream){
            .codes = stream->codes.items,
            .order = stream->order.items,
            .times = stream->times.bytes == operations_of(stream) * sizeof(uint64_t)
                         ? stream->times.items
                         : NULL,
            .wides = stream->wides.items,
            .waits = stream->waits.items,
            .posts = stream->posts.items,
            .count = operations_of(stream),
            .wide_count = stream->wides.bytes / sizeof(rh_wide),
            .wait_count = stream->waits.bytes / sizeof(rh_thread_wait),
            .post_count = stream->posts.bytes / sizeof(uint32_t),
        };
    }
}

size_t
rh_thread_plan_count(const rh_thread_plan *plan)
{
    return plan->threads;
}

const rh_thread_stream *
rh_thread_plan_stream(const rh_thread_plan *plan, size_t thread)
{
    return &plan->streams[thread].public;
}

uint32_t
rh_thread_plan_slots(const rh_thread_plan *plan)
{
    return plan->slots;
}
