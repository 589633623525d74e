#define _GNU_SOURCE /* asprintf, strdup */
#include "tests/unit/traces/story.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "traces/format.h"

typedef struct rh_story_teller {
    story *told;
    rh_random random;
    const story_plan *plan;
    uint32_t *alive; /* blocks */
    uint64_t *arenas;
    size_t alive_count, arena_count;
    uint32_t thread, threads;
    uint64_t time_ns, next_address;
} rh_story_teller;

#define BLOCKS_START 0x7f0000000000u
#define ARENA_SPAN   ((uint64_t)1 << 32)

static const char *const texts[] = {"", "load", "parse", "# arenas allocated total = 1\n"};

static uint64_t
below(rh_story_teller *teller, uint64_t bound)
{
    return rh_random_below(&teller->random, bound);
}

static uint64_t
some_size(rh_story_teller *teller)
{
    switch (below(teller, 8)) {
    case 0:
        return below(teller, 1 << 20);
    case 1:
        return below(teller, 4096);
    case 2:
        return below(teller, 2);
    default:
        return 16 * (1 + below(teller, 30));
    }
}

static void
give_address(rh_story_teller *teller, rh_event *event)
{
    teller->next_address += 16 + below(teller, 3) * 8;
    event->address = BLOCKS_START + teller->next_address;
    if (below(teller, 4) == 0)
        event->address -= below(teller, 1 << 20);
    if (!teller->plan->plain && event->size && event->size <= 512 &&
        !(event->flags & RH_EVENT_NESTED))
        event->flags |= RH_EVENT_POOLED;
}

static void
be_born(rh_story_teller *teller, rh_event *event, uint32_t *block)
{
    if (!*block)
        *block = ++teller->told->blocks;
    give_address(teller, event);
    teller->alive[teller->alive_count++] = *block;
}

/* Young ones die more often, as in real programs. */
static uint32_t
take_dying(rh_story_teller *teller)
{
    size_t back = below(teller, 3) ? below(teller, 8) : below(teller, teller->alive_count);
    size_t at = teller->alive_count - 1 - (back < teller->alive_count ? back : 0);
    uint32_t block = teller->alive[at];
    memmove(&teller->alive[at], &teller->alive[at + 1],
            (teller->alive_count - at - 1) * sizeof *teller->alive);
    teller->alive_count--;
    return block;
}

static void
tell_oddity(rh_story_teller *teller, rh_event *event, uint32_t *block)
{
    event->size = some_size(teller);
    switch (below(teller, 10)) {
    case 0:
        *event = (rh_event){.operation = RH_FREE, .flags = RH_EVENT_NULL};
        break;
    case 1:
        *event = (rh_event){
            .operation = RH_FREE, .flags = RH_EVENT_FOREIGN, .domain = (uint8_t)below(teller, 4)};
        break;
    case 2:
        event->operation = RH_REALLOC;
        event->flags = RH_EVENT_NULL;
        be_born(teller, event, block);
        break;
    case 3:
        event->operation = RH_REALLOC;
        event->flags = RH_EVENT_FOREIGN;
        be_born(teller, event, block);
        break;
    case 4:
        event->operation = (uint8_t)(below(teller, 2) ? RH_MALLOC : RH_REALLOC);
        event->flags = RH_EVENT_FAILED;
        event->size = UINT64_MAX - below(teller, 100);
        break;
    case 5:
        event->operation = RH_ALIGNED;
        event->alignment_log2 = (uint8_t)(4 + below(teller, 9));
        be_born(teller, event, block);
        break;
    case 6:
        event->operation = RH_ARENA_ALLOC;
        event->size = 1 << 20;
        event->address = 0x7e0000000000u + (uint64_t)teller->arena_count * (1 << 20) +
                         (uint64_t)teller->told->count * (1 << 21);
        teller->arenas[teller->arena_count++] = event->address;
        break;
    case 7:
        if (teller->arena_count == 0) {
            event->operation = RH_ARENA_ALLOC;
            event->flags = RH_EVENT_FAILED;
            break;
        }
        event->operation = RH_ARENA_FREE;
        event->size = 1 << 20;
        event->address = teller->arenas[--teller->arena_count];
        break;
    default:
        event->operation = (uint8_t)(below(teller, 2) ? RH_MARK : RH_CHECKPOINT);
        event->text = texts[below(teller, sizeof texts / sizeof *texts)];
        event->size = strlen(event->text);
        break;
    }
}

static void
tell_birth(rh_story_teller *teller, rh_event *event, uint32_t *block)
{
    event->size = some_size(teller);
    event->domain = (uint8_t)below(teller, RH_EVENT_DOMAINS);
    if (teller->plan->plain) {
        event->domain = 2;
    } else if (below(teller, 6) == 0) {
        event->operation = RH_CALLOC;
        event->element = 1 + below(teller, 9);
        event->count = event->size / event->element;
        event->size = event->count * event->element;
    } else if (below(teller, 20) == 0) {
        event->flags = RH_EVENT_NESTED;
    }
    be_born(teller, event, block);
}

static void
tell_death(rh_story_teller *teller, rh_event *event, uint32_t *block)
{
    *block = take_dying(teller);
    event->operation = RH_FREE;
    event->domain = (uint8_t)(teller->plan->plain ? 2 : below(teller, 3));
    if (!teller->plan->plain && below(teller, 5) == 0) {
        event->operation = RH_REALLOC;
        event->size = some_size(teller);
        be_born(teller, event, block);
    }
}

static void
tell_event(rh_story_teller *teller)
{
    story *told = teller->told;
    rh_event *event = &told->events[told->count];
    uint32_t *block = &told->block[told->count];
    *event = (rh_event){.operation = RH_MALLOC};
    *block = 0;
    if (!teller->plan->plain && below(teller, 25) == 0)
        tell_oddity(teller, event, block);
    else if (teller->alive_count && below(teller, 2 * teller->plan->live) < teller->alive_count)
        tell_death(teller, event, block);
    else
        tell_birth(teller, event, block);
    if (!teller->plan->plain && below(teller, 30) == 0) {
        teller->thread = (uint32_t)below(teller, teller->threads + 1);
        if (teller->thread == teller->threads && teller->threads < 5)
            teller->threads++;
        teller->thread = teller->thread < teller->threads ? teller->thread : 0;
    }
    event->thread = teller->thread;
    teller->time_ns += below(teller, 5000);
    event->time_ns = teller->time_ns;
    told->count++;
}

void
story_make(story *told, const story_plan *plan)
{
    *told = (story){0};
    rh_trace_info_init(&told->info);
    told->info.command = strdup("python3 -c 'a b'");
    told->info.capture = strdup("python");
    told->info.timestamps = plan->timestamps;
    told->info.addresses = plan->addresses;
    told->info.domains = true;
    told->info.arena_bytes = 1 << 20;
    told->events = calloc(plan->count, sizeof *told->events);
    told->block = calloc(plan->count, sizeof *told->block);
    rh_story_teller teller = {.told = told, .plan = plan, .random = {plan->seed}, .threads = 1};
    teller.alive = malloc((plan->count + 1) * sizeof *teller.alive);
    teller.arenas = malloc((plan->count + 1) * sizeof *teller.arenas);
    if (!plan->plain && plan->count) /* one for all blocks */
        told->events[told->count++] = (rh_event){.operation = RH_ARENA_ALLOC,
                                                 .size = ARENA_SPAN,
                                                 .address = BLOCKS_START - ARENA_SPAN / 2};
    while (told->count < plan->count)
        tell_event(&teller);
    free(teller.alive);
    free(teller.arenas);
}

void
story_release(story *told)
{
    free(told->events);
    free(told->block);
    rh_trace_info_release(&told->info);
}

static void
insist(rh_status status, const rh_error *error)
{
    if (status == RH_OK)
        return;
    fprintf(stderr, "%s\n", error->message);
    abort();
}

void
story_write(const story *told, const char *path, const rh_writer_options *options)
{
    rh_writer *writer;
    rh_error error = {0};
    insist(rh_writer_open(path, &told->info, options, &writer, &error), &error);
    uint32_t *handle = calloc(told->blocks + 1, sizeof *handle);
    for (size_t i = 0; i < told->count; i++)
        insist(rh_writer_event(writer, &told->events[i], &handle[told->block[i]], &error), &error);
    free(handle);
    insist(rh_writer_finish(writer, 0, 0, &error), &error);
}

/* The last digit is changed, so that lengths stay. */
static bool
raise_number(uint8_t *text, const uint8_t *end, const char *name, unsigned more)
{
    uint8_t *at = memmem(text, (size_t)(end - text), name, strlen(name));
    if (!at)
        return false;
    at += strlen(name);
    while (at[1] >= '0' && at[1] <= '9')
        at++;
    *at = (uint8_t)('0' + (*at - '0' + more) % 10);
    return true;
}

bool
story_forge_totals(const char *path, const char *name, unsigned more)
{
    uint8_t bytes[1 << 16];
    FILE *file = fopen(path, "r+b");
    size_t size = file ? fread(bytes, 1, sizeof bytes, file) : 0;
    if (size < RH_FOOTER_BYTES || size == sizeof bytes)
        abort();
    uint8_t *index = bytes + rh_get_u64(bytes + size - RH_FOOTER_BYTES);
    uint8_t *body = index + RH_INDEX_PREFIX_BYTES, *end = bytes + size - RH_FOOTER_BYTES;
    bool found = raise_number(body, end, name, more);
    rh_put_u64(index + 16, rh_format_hash(body, (size_t)(end - body)));
    rewind(file);
    if (fwrite(bytes, 1, size, file) != size || fclose(file) != 0)
        abort();
    return found;
}

char *
story_path(const char *name)
{
    const char *folder = getenv("TEST_TMPDIR");
    char *path;
    if (asprintf(&path, "%s/%s", folder ? folder : "/tmp", name) < 0)
        abort();
    return path;
}
