#define _GNU_SOURCE /* tdestroy */
#include "traces/check.h"

#include <inttypes.h>
#include <search.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "traces/digest.h"
#include "traces/event.h"

/* A program would need all of its address space for more; a file can ask for any number. */
enum { ARENAS_MAX = 1 << 22 };

/* A range of addresses; in the tree ranges are equal when they share a byte. */
typedef struct range {
    uint64_t start, size;
} range;

typedef struct checker {
    rh_reader *reader;
    rh_check_report *report;
    rh_digest digest;
    void *arenas; /* a tree of ranges, of tsearch */
    size_t arena_count;
    uint64_t time_ns;
    uint64_t hash, hashed; /* of the block's addresses */
    bool hash_known;       /* all of the block has been seen */
    size_t damages_seen;
    bool no_memory;
} checker;

static void __attribute__((format(printf, 3, 4)))
note(checker *check, bool damage, const char *format, ...)
{
    rh_check_report *report = check->report;
    if (damage)
        report->damages++;
    else
        report->breaches++;
    if (report->notes == RH_CHECK_NOTES_MAX)
        return;
    struct rh_check_note *kept = &report->note[report->notes++];
    kept->damage = damage;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(kept->text, sizeof kept->text, format, arguments);
    va_end(arguments);
}

static int
by_place(const void *left, const void *right)
{
    const range *a = left, *b = right;
    if (a->start + (a->size - 1) < b->start)
        return -1;
    return b->start + (b->size - 1) < a->start;
}

static void
check_arena_birth(checker *check, uint64_t at, const rh_event *event)
{
    if (event->flags & RH_EVENT_FAILED)
        return;
    if (event->size == 0 || event->address == 0 || event->address + event->size < event->address) {
        note(check, false, "event %" PRIu64 ": an arena of %" PRIu64 " bytes at 0x%" PRIx64, at,
             event->size, event->address);
        return;
    }
    if (check->arena_count >= ARENAS_MAX) {
        note(check, false, "event %" PRIu64 ": more than %d arenas are alive", at, ARENAS_MAX);
        return;
    }
    range *arena = malloc(sizeof *arena);
    if (arena)
        *arena = (range){event->address, event->size};
    range **found = arena ? tsearch(arena, &check->arenas, by_place) : NULL;
    if (!found) {
        check->no_memory = true;
        free(arena);
        return;
    }
    if (*found == arena) {
        check->arena_count++;
        return;
    }
    note(check, false,
         "event %" PRIu64 ": the arena at 0x%" PRIx64 " overlaps the one at 0x%" PRIx64, at,
         event->address, (*found)->start);
    free(arena);
}

static void
check_arena_death(checker *check, uint64_t at, const rh_event *event)
{
    range wanted = {event->address, 1};
    range **found = tfind(&wanted, &check->arenas, by_place);
    if (!found || (*found)->start != event->address) {
        if (check->damages_seen)
            return; /* its birth may be lost */
        note(check, false, "event %" PRIu64 ": no arena at 0x%" PRIx64 " is there to be freed", at,
             event->address);
        return;
    }
    range *arena = *found;
    if (arena->size != event->size)
        note(check, false,
             "event %" PRIu64 ": the arena at 0x%" PRIx64 " has %" PRIu64 " bytes, and %" PRIu64
             " are freed",
             at, event->address, arena->size, event->size);
    tdelete(arena, &check->arenas, by_place);
    free(arena);
    check->arena_count--;
}

static void
check_address(checker *check, uint64_t at, const rh_event *event)
{
    if (!(event->flags & RH_EVENT_POOLED) || event->flags & RH_EVENT_NESTED)
        return;
    check->hash = rh_address_hash(check->hash, event->address);
    check->hashed++;
    range wanted = {event->address, event->size ? event->size : 1};
    if (!check->damages_seen && !tfind(&wanted, &check->arenas, by_place))
        note(check, false,
             "event %" PRIu64 ": the block at 0x%" PRIx64 " is said to lie in an arena, and lies "
             "in none",
             at, event->address);
}

static void
check_event(checker *check, uint64_t at, const rh_event *event)
{
    const rh_trace_info *info = rh_reader_info(check->reader);
    if (event->flags & RH_EVENT_BRIDGE)
        return;
    if (event->operation == RH_ARENA_ALLOC)
        check_arena_birth(check, at, event);
    else if (event->operation == RH_ARENA_FREE)
        check_arena_death(check, at, event);
    if (info->addresses)
        check_address(check, at, event);
    if (info->timestamps != RH_TIMES_NONE) {
        if (event->time_ns < check->time_ns)
            note(check, false,
                 "event %" PRIu64 ": its time, %" PRIu64
                 " ns, is before the previous event's, %" PRIu64 " ns",
                 at, event->time_ns, check->time_ns);
        check->time_ns = event->time_ns;
    }
    if (!check->damages_seen && event->thread > check->digest.totals.threads)
        note(check, false,
             "event %" PRIu64 ": thread %" PRIu32 " appears when %" PRIu64 " were known", at,
             event->thread, check->digest.totals.threads);
    if (!info->domains && event->domain)
        note(check, false, "event %" PRIu64 ": it has a domain, in a trace without", at);
}

static void
check_hash(checker *check, const rh_batch *batch)
{
    const rh_trace_info *info = rh_reader_info(check->reader);
    if (info->addresses && check->hash_known && batch->hashed &&
        (check->hash != batch->address_hash || check->hashed != batch->hashed))
        note(check, false,
             "the block that ends with event %" PRIu64
             ": its hash of addresses is not that of its addresses",
             batch->first_event + batch->count - 1);
    check->hash = check->hashed = 0;
    check->hash_known = true;
}

/* What a damaged place left unknown must not be held against the events behind it. */
static void
pass_damage(checker *check)
{
    size_t count;
    const rh_damage *damage = rh_reader_damages(check->reader, &count);
    for (; check->damages_seen < count; check->damages_seen++) {
        const rh_damage *place = &damage[check->damages_seen];
        char lost[96] = "how many events are lost is unknown";
        if (place->lost_events)
            snprintf(lost, sizeof lost, "events %" PRIu64 " to %" PRIu64 " are lost", place->event,
                     place->event + place->lost_events - 1);
        note(check, true, "%s (at byte %" PRIu64 "); %s", place->what, place->offset, lost);
        tdestroy(check->arenas, free);
        check->arenas = NULL;
        check->arena_count = 0;
        check->hash_known = false;
        check->report->lost_events += place->lost_events;
    }
}

static void
compare(checker *check, const char *name, uint64_t said, uint64_t found)
{
    if (said != RH_TOTAL_UNKNOWN && said != found)
        note(check, false, "the totals say %s %" PRIu64 ", the events make %" PRIu64, name, said,
             found);
}

static void
check_totals(checker *check)
{
    const rh_trace_info *said = rh_reader_info(check->reader), *found = &check->digest.totals;
    compare(check, "events", said->events, found->events);
    compare(check, "allocations", said->allocations, found->allocations);
    compare(check, "reallocations", said->reallocations, found->reallocations);
    compare(check, "frees", said->frees, found->frees);
    compare(check, "null_frees", said->null_frees, found->null_frees);
    compare(check, "failures", said->failures, found->failures);
    compare(check, "nested_events", said->nested_events, found->nested_events);
    compare(check, "arena_events", said->arena_events, found->arena_events);
    compare(check, "marks", said->marks, found->marks);
    compare(check, "checkpoints", said->checkpoints, found->checkpoints);
    compare(check, "threads", said->threads, found->threads);
    compare(check, "peak_requested_bytes", said->peak_requested_bytes, found->peak_requested_bytes);
    compare(check, "peak_live_blocks", said->peak_live_blocks, found->peak_live_blocks);
    compare(check, "end_requested_bytes", said->end_requested_bytes, found->end_requested_bytes);
    compare(check, "end_live_blocks", said->end_live_blocks, found->end_live_blocks);
}

static rh_status
read_all(checker *check, bool (*watch)(void *, double), void *ctx, rh_error *error)
{
    for (;;) {
        rh_batch batch;
        rh_status status = rh_reader_next(check->reader, &batch, error);
        if (status != RH_OK)
            return status;
        pass_damage(check);
        if (batch.count == 0 && !batch.block_ends)
            return RH_OK;
        for (size_t i = 0; i < batch.count; i++) {
            check_event(check, batch.first_event + i, &batch.events[i]);
            check->report->events += !(batch.events[i].flags & RH_EVENT_BRIDGE);
            check->no_memory |= !rh_digest_add_event(&check->digest, &batch, i);
        }
        if (batch.block_ends)
            check_hash(check, &batch);
        if (check->no_memory)
            return rh_fail(error, RH_SYSTEM, "out of memory");
        if (watch && !watch(ctx, rh_reader_progress(check->reader)))
            return rh_fail(error, RH_INTERRUPTED, "interrupted");
    }
}

static rh_status
judge(checker *check)
{
    rh_check_report *report = check->report;
    const char *contradiction = rh_reader_contradiction(check->reader);
    if (contradiction)
        note(check, false, "%s", contradiction);
    if (report->index == RH_INDEX_DAMAGED)
        note(check, true, "the index at the end is damaged; the events are all there");
    if (report->damages == 0)
        check_totals(check);
    if (report->damages)
        return RH_BAD_INPUT;
    return report->breaches ? RH_DIFFERENT : RH_OK;
}

rh_status
rh_check_trace(const char *path, uint64_t max_live_blocks, bool (*watch)(void *ctx, double done),
               void *ctx, rh_check_report *report, rh_error *error)
{
    memset(report, 0, sizeof *report);
    rh_reader_options options = {
        .max_live_blocks = max_live_blocks, .lenient = true, .audit = true};
    checker check = {.report = report, .hash_known = true};
    rh_status status = rh_reader_open(path, &options, &check.reader, error);
    if (status != RH_OK)
        return status;
    report->index = rh_reader_index(check.reader);
    rh_digest_init(&check.digest);
    status = read_all(&check, watch, ctx, error);
    if (status == RH_OK)
        status = judge(&check);
    rh_digest_release(&check.digest);
    tdestroy(check.arenas, free);
    rh_reader_close(check.reader);
    return status;
}
