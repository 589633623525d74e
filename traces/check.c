#include "traces/check.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "traces/arena_log.h"
#include "traces/arena_ranges.h"
#include "traces/digest.h"
#include "traces/event.h"

/* The check of a trace, or of a part of it. A part says nothing: what there is to say of it takes
 * knowledge of the whole, and it is read again in order. */
typedef struct checker {
    const rh_trace_info *info;
    rh_check_report *report; /* NULL: a part */
    rh_digest digest;
    rh_arena_ranges arenas; /* of a whole */
    rh_arena_log arena_log; /* of a part */
    uint64_t events, time_ns, first_time_ns;
    uint64_t threads;        /* that have appeared */
    uint64_t threads_before; /* a part needs so many to have appeared */
    uint64_t hash, hashed;   /* of the block's addresses */
    bool hash_known;         /* all of the block has been seen */
    bool doubtful, no_memory;
    size_t damages_seen;
} checker;

static void __attribute__((format(printf, 3, 4)))
note(checker *check, bool damage, const char *format, ...)
{
    rh_check_report *report = check->report;
    check->doubtful = true;
    if (!report)
        return;
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

static void
check_arena_birth(checker *check, uint64_t at, const rh_event *event)
{
    rh_arena_range arena = {event->address, event->size}, other;
    if (event->flags & RH_EVENT_FAILED)
        return;
    if (!check->report) {
        check->doubtful |= !rh_arena_log_birth(&check->arena_log, &arena);
        return;
    }
    switch (rh_arena_ranges_add(&check->arenas, &arena, &other)) {
    case RH_ARENA_NOWHERE:
        note(check, false, "event %" PRIu64 ": an arena of %" PRIu64 " bytes at 0x%" PRIx64, at,
             arena.size, arena.start);
        break;
    case RH_ARENA_TOO_MANY:
        note(check, false, "event %" PRIu64 ": more than %d arenas are alive", at, RH_ARENAS_MAX);
        break;
    case RH_ARENA_OVERLAPS:
        note(check, false,
             "event %" PRIu64 ": the arena at 0x%" PRIx64 " overlaps the one at 0x%" PRIx64, at,
             arena.start, other.start);
        break;
    case RH_ARENA_NO_MEMORY:
        check->no_memory = true;
        break;
    default:
        break;
    }
}

static void
check_arena_death(checker *check, uint64_t at, const rh_event *event)
{
    rh_arena_range arena = {event->address, event->size}, there;
    if (!check->report) {
        check->doubtful |= !rh_arena_log_death(&check->arena_log, &arena);
        return;
    }
    rh_arena_verdict verdict = rh_arena_ranges_find(&check->arenas, &arena, &there);
    if (verdict == RH_ARENA_UNKNOWN) {
        if (check->damages_seen)
            return; /* its birth may be lost */
        note(check, false, "event %" PRIu64 ": no arena at 0x%" PRIx64 " is there to be freed", at,
             arena.start);
        return;
    }
    if (verdict == RH_ARENA_OTHER_SIZE)
        note(check, false,
             "event %" PRIu64 ": the arena at 0x%" PRIx64 " has %" PRIu64 " bytes, and %" PRIu64
             " are freed",
             at, arena.start, there.size, arena.size);
    rh_arena_ranges_remove(&check->arenas, arena.start);
}

static void
check_address(checker *check, uint64_t at, const rh_event *event)
{
    if (!(event->flags & RH_EVENT_POOLED) || event->flags & RH_EVENT_NESTED)
        return;
    check->hash = rh_address_hash(check->hash, event->address);
    check->hashed++;
    rh_arena_range block = {event->address, event->size ? event->size : 1};
    if (!check->report)
        check->doubtful |= !rh_arena_log_block(&check->arena_log, &block);
    else if (!check->damages_seen && !rh_arena_ranges_touch(&check->arenas, &block))
        note(check, false,
             "event %" PRIu64 ": the block at 0x%" PRIx64 " is said to lie in an arena, and lies "
             "in none",
             at, event->address);
}

static void
check_time(checker *check, uint64_t at, const rh_event *event)
{
    if (check->events == 0)
        check->first_time_ns = event->time_ns;
    if (event->time_ns < check->time_ns)
        note(check, false,
             "event %" PRIu64 ": its time, %" PRIu64 " ns, is before the previous event's, %" PRIu64
             " ns",
             at, event->time_ns, check->time_ns);
    check->time_ns = event->time_ns;
}

/* Threads are numbered in the order in which they appear. */
static void
check_thread(checker *check, uint64_t at, const rh_event *event)
{
    uint64_t known = check->threads;
    if (event->thread < known)
        return;
    check->threads = (uint64_t)event->thread + 1;
    if (event->thread == known)
        return;
    if (!check->report) {
        if (event->thread > check->threads_before)
            check->threads_before = event->thread;
    } else if (!check->damages_seen) {
        note(check, false,
             "event %" PRIu64 ": thread %" PRIu32 " appears when %" PRIu64 " were known", at,
             event->thread, known);
    }
}

static void
check_event(checker *check, uint64_t at, const rh_event *event)
{
    const rh_trace_info *info = check->info;
    if (event->flags & RH_EVENT_BRIDGE)
        return;
    if (event->operation == RH_ARENA_ALLOC)
        check_arena_birth(check, at, event);
    else if (event->operation == RH_ARENA_FREE)
        check_arena_death(check, at, event);
    if (info->addresses)
        check_address(check, at, event);
    if (info->timestamps != RH_TIMES_NONE)
        check_time(check, at, event);
    check_thread(check, at, event);
    if (!info->domains && event->domain)
        note(check, false, "event %" PRIu64 ": it has a domain, in a trace without", at);
    check->events++;
}

static void
check_hash(checker *check, const rh_batch *batch)
{
    if (check->info->addresses && check->hash_known && batch->hashed &&
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
pass_damage(checker *check, const rh_reader *reader)
{
    size_t count;
    const rh_damage *damage = rh_reader_damages(reader, &count);
    for (; check->damages_seen < count; check->damages_seen++) {
        const rh_damage *place = &damage[check->damages_seen];
        char lost[96] = "how many events are lost is unknown";
        if (place->lost_events)
            snprintf(lost, sizeof lost, "events %" PRIu64 " to %" PRIu64 " are lost", place->event,
                     place->event + place->lost_events - 1);
        note(check, true, "%s (at byte %" PRIu64 "); %s", place->what, place->offset, lost);
        rh_arena_ranges_clear(&check->arenas);
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
    const rh_trace_info *said = check->info, *found = &check->digest.totals;
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

static rh_part_state
add(void *part, rh_reader *reader, const rh_batch *batch)
{
    checker *check = part;
    if (check->report)
        pass_damage(check, reader);
    for (size_t i = 0; i < batch->count; i++)
        check_event(check, batch->first_event + i, &batch->events[i]);
    check->no_memory |= !rh_digest_add(&check->digest, batch);
    if (batch->block_ends)
        check_hash(check, batch);
    if (check->no_memory)
        return RH_PART_NO_MEMORY;
    return check->doubtful && !check->report ? RH_PART_DOUBTFUL : RH_PART_GOOD;
}

static void
init_checker(checker *check, const rh_trace_info *info, rh_check_report *report)
{
    *check = (checker){.info = info, .report = report, .hash_known = true};
    rh_digest_init(&check->digest);
}

static void
release_checker(checker *check)
{
    rh_digest_release(&check->digest);
    rh_arena_ranges_clear(&check->arenas);
    rh_arena_log_release(&check->arena_log);
}

static void *
begin_part(const void *ctx)
{
    checker *check = malloc(sizeof *check);
    if (check)
        init_checker(check, ctx, NULL);
    return check;
}

static void
end_part(void *part)
{
    release_checker(part);
    free(part);
}

static rh_part_state
enter(void *part, const rh_batch *live)
{
    checker *check = part;
    return rh_digest_enter(&check->digest, live) ? RH_PART_GOOD : RH_PART_NO_MEMORY;
}

static rh_part_state
leave(void *part, const rh_batch *live)
{
    (void)part;
    (void)live;
    return RH_PART_GOOD;
}

static rh_part_state
merge(void *whole, const void *part)
{
    checker *check = whole;
    const checker *more = part;
    bool timed = check->info->timestamps != RH_TIMES_NONE && more->events;
    if ((timed && more->first_time_ns < check->time_ns) || more->threads_before > check->threads ||
        !rh_arena_log_replay(&more->arena_log, &check->arenas))
        return RH_PART_DOUBTFUL;
    rh_digest_merge(&check->digest, &more->digest);
    if (more->threads > check->threads)
        check->threads = more->threads;
    check->events += more->events;
    if (timed)
        check->time_ns = more->time_ns;
    return RH_PART_GOOD;
}

static const rh_part_kind check_kind = {begin_part, end_part, enter, add, leave, merge};

static rh_status
judge(checker *check, const rh_reader *reader)
{
    rh_check_report *report = check->report;
    const char *contradiction = rh_reader_contradiction(reader);
    rh_digest_settle(&check->digest);
    report->events = check->events;
    report->blocks_in_order = rh_reader_blocks_unpacked(reader);
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
rh_check_trace(const char *path, uint64_t max_live_blocks, const rh_parallel_options *parallel,
               rh_check_report *report, rh_error *error)
{
    static const rh_parallel_options standard = {0};
    memset(report, 0, sizeof *report);
    rh_reader_options options = {
        .max_live_blocks = max_live_blocks, .lenient = true, .audit = true};
    rh_reader *reader;
    rh_status status = rh_reader_open(path, &options, &reader, error);
    if (status != RH_OK)
        return status;
    report->index = rh_reader_index(reader);
    const rh_trace_info *info = rh_reader_info(reader);
    checker check;
    init_checker(&check, info, report);
    status = rh_parallel_read(reader, &options, parallel ? parallel : &standard, &check_kind, info,
                              &check, error);
    if (status == RH_OK)
        status = judge(&check, reader);
    release_checker(&check);
    rh_reader_close(reader);
    return status;
}
