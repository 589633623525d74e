#define _GNU_SOURCE
#include "traces/drain.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "traces/recorder/ring_pieces.h"
#include "traces/resolver.h"
#include "traces/ring_view.h"

enum {
    RUN_EVENTS = 1 << 18,       /* about as many as one run takes */
    GIVE_BACK_BYTES = 64 << 10, /* how often the writer of a ring is given room */
    TURNS_A_TICK = 16,
    MAIN = 0, /* among the streams */
    STREAMS = 1 + RH_RAW_RINGS
};

/* Where the next event of a thread's ring belongs. Of many rings the earliest is asked for again
 * and again, so these lie close together. */
typedef struct front {
    uint64_t place, stamp;
    uint64_t key;      /* of the block that it is about; 0: of none */
    bool there;        /* there is such an event */
    bool birth, death; /* what happens to that block */
    bool waits;        /* for an event of another ring, while one is resolved */
} front;

struct rh_drain {
    rh_channel *channel;
    rh_resolver resolver;
    uint64_t turns;
    uint32_t stream_count;
    uint32_t ring_bytes, ring_count; /* of threads */
    bool short_records;              /* in them */
    rh_ring_pieces rings;
    uint32_t large_rings; /* given to rings that were full */
    rh_stream streams[STREAMS];
    front fronts[STREAMS]; /* of the same number */
};

rh_drain *
rh_drain_new(rh_channel *channel, rh_writer *writer, double ticks_per_ns)
{
    rh_drain *drain = calloc(1, sizeof *drain);
    if (!drain)
        return NULL;
    drain->channel = channel;
    unsigned char *memory = (unsigned char *)channel + RH_CHANNEL_CONTROL_BYTES;
    bool malloc_rings = channel->thread_ring_bytes == RH_MALLOC_RING_BYTES;
    drain->ring_bytes = malloc_rings ? RH_MALLOC_RING_BYTES : RH_RAW_RING_BYTES;
    drain->ring_count = malloc_rings ? RH_MALLOC_RINGS : RH_RAW_RINGS;
    drain->short_records = channel->facts.capture == RH_CAPTURE_MALLOC;
    rh_ring_pieces_begin(&drain->rings, memory + RH_MAIN_RING_BYTES, drain->ring_bytes);
    drain->stream_count = 1;
    drain->streams[MAIN].is_main = true;
    bool good = rh_ring_view_begin(&drain->streams[MAIN].view, &channel->main, memory,
                                   RH_MAIN_RING_BYTES, false);
    if (!rh_resolver_init(&drain->resolver, channel, writer, ticks_per_ns) || !good) {
        rh_drain_free(drain);
        return NULL;
    }
    return drain;
}

void
rh_drain_free(rh_drain *drain)
{
    if (!drain)
        return;
    for (uint32_t i = 0; i < drain->stream_count; i++)
        rh_ring_view_end(&drain->streams[i].view);
    rh_ring_pieces_end(&drain->rings);
    rh_resolver_release(&drain->resolver);
    free(drain);
}

void
rh_drain_set_intake(rh_drain *drain, rh_intake *intake)
{
    drain->resolver.intake = intake;
}

uint64_t
rh_drain_events(const rh_drain *drain)
{
    return drain->resolver.events;
}

uint64_t
rh_drain_undecided(const rh_drain *drain)
{
    return drain->resolver.lives.undecided;
}

uint64_t
rh_drain_unseen(const rh_drain *drain)
{
    return atomic_load(&drain->channel->unseen);
}

/* The main ring up to `limit`. */
static rh_outcome
take_main(rh_drain *drain, uint64_t limit)
{
    rh_stream *s = &drain->streams[MAIN];
    rh_outcome result = RH_TAKEN;
    while (s->view.at < limit && result == RH_TAKEN) {
        uint64_t stop = limit - s->view.at < GIVE_BACK_BYTES ? limit : s->view.at + GIVE_BACK_BYTES;
        while (s->view.at < stop && result == RH_TAKEN)
            result = rh_resolver_take_next(&drain->resolver, s);
        rh_ring_view_give_back(&s->view);
    }
    return result;
}

/* Its next record, come what may. */
static rh_outcome
force_main(rh_drain *drain)
{
    rh_stream *s = &drain->streams[MAIN];
    return rh_kind_of(rh_ring_view_record(&s->view, s->view.at)) == RH_RECORD_FREE
               ? rh_resolver_take_free(&drain->resolver, s, true)
               : rh_resolver_take(&drain->resolver, s, true);
}

static bool
belongs_before(const front *a, const front *b)
{
    return a->place != b->place ? a->place < b->place : a->stamp < b->stamp;
}

static front *
front_of(rh_drain *drain, const rh_stream *s)
{
    return &drain->fronts[s - drain->streams];
}

/* Place records at the front say where the next event belongs. */
static void
settle(rh_drain *drain, rh_stream *s)
{
    uint64_t end;
    do {
        end = s->view.end;
        rh_ring_view_refill(&s->view, drain->resolver.last);
        while (s->view.at < s->view.end &&
               rh_kind_of(rh_ring_view_record(&s->view, s->view.at)) == RH_RECORD_PLACE)
            rh_resolver_take(&drain->resolver, s, true);
    } while (s->view.at == s->view.end && s->view.end != end);
    front *f = front_of(drain, s);
    f->there = s->view.at < s->view.end;
    f->place = s->place;
    f->stamp = s->stamp;
    const rh_record *record = rh_ring_view_record(&s->view, s->view.at);
    const uint64_t kind = f->there ? rh_kind_of(record) : 0;
    f->birth = kind == RH_RECORD_MALLOC || kind == RH_RECORD_CALLOC || kind == RH_RECORD_REALLOC ||
               kind == RH_RECORD_REALLOC_NULL || kind == RH_RECORD_ALIGNED;
    f->death = kind == RH_RECORD_FREE || kind == RH_RECORD_REALLOC_FROM;
    bool address = record->what & RH_RECORD_ADDRESS_MASK;
    f->key = address && (f->birth || f->death) ? rh_resolver_key(&drain->resolver, record) : 0;
}

/* It cannot be taken yet: of an address, what is to happen there first is not known. */
static bool
is_held_up(rh_drain *drain, const front *f)
{
    rh_lives *lives = &drain->resolver.lives;
    if (!f->there || !f->key)
        return false;
    return f->birth ? rh_pointer_find(&lives->blocks, f->key)->key != 0
                    : !rh_lives_dying(lives, f->key)->key;
}

/* One event of a thread's ring. */
static rh_outcome
take_thread(rh_drain *drain, rh_stream *s, bool forced)
{
    rh_outcome result = forced ? rh_resolver_take(&drain->resolver, s, true)
                               : rh_resolver_take_next(&drain->resolver, s);
    rh_ring_view_give_part(&s->view);
    return result;
}

/* All up to the next place record. */
static rh_outcome
take_stretch(rh_drain *drain, rh_stream *s)
{
    rh_outcome result = RH_TAKEN;
    while (result == RH_TAKEN && s->view.at < s->view.end &&
           rh_kind_of(rh_ring_view_record(&s->view, s->view.at)) != RH_RECORD_PLACE)
        result = take_thread(drain, s, false);
    settle(drain, s);
    return result;
}

/* Gives memory its pages, so that the program only has to find them: a fault of its own costs it
 * ten times as much. False: there are not that many. */
static bool
fill_with_pages(unsigned char *memory, size_t bytes)
{
    enum { POPULATE_WRITE = 23, PAGE_BYTES = 4096 }; /* MADV_POPULATE_WRITE, since Linux 5.14 */
    if (madvise(memory, bytes, POPULATE_WRITE) == 0)
        return true;
    if (errno != EINVAL)
        return false;
    for (size_t at = 0; at < bytes; at += PAGE_BYTES)
        *(volatile unsigned char *)(memory + at) = 0;
    return true;
}

/* A ring that was full, so that its writer waits: it is to be so less often. */
static void
enlarge(rh_drain *drain, rh_ring_view *view)
{
    if (!rh_ring_view_wants_more(view))
        return;
    const uint32_t number = drain->large_rings;
    unsigned char *memory = rh_ring_pieces_large(&drain->rings, number);
    if (memory && !fill_with_pages(memory, RH_LARGE_RING_BYTES))
        memory = NULL;
    drain->large_rings = memory ? number + 1 : RH_LARGE_RINGS; /* the others do as they are */
    rh_ring_view_offer(view, memory, number);
}

static void
look_at_all(rh_drain *drain)
{
    rh_ring_view_look(&drain->streams[MAIN].view);
    uint32_t rings = atomic_load(&drain->channel->rings);
    rings = rings < drain->ring_count ? rings : drain->ring_count;
    for (; drain->stream_count <= rings; drain->stream_count++) {
        uint32_t ring = drain->stream_count - 1;
        const unsigned char *memory = rh_ring_pieces_find(&drain->rings, ring);
        if (!memory) {
            rh_fail(&drain->resolver.error, RH_SYSTEM,
                    "there is no address space for a thread's ring");
            break;
        }
        if (!rh_ring_view_begin(&drain->streams[ring + 1].view, &drain->channel->thread[ring],
                                memory, drain->ring_bytes, drain->short_records)) {
            rh_fail(&drain->resolver.error, RH_SYSTEM, "out of memory for a thread's records");
            break;
        }
    }
    drain->resolver.several = drain->stream_count > 2;
    for (uint32_t i = 1; i < drain->stream_count; i++) {
        rh_ring_view_look(&drain->streams[i].view);
        enlarge(drain, &drain->streams[i].view);
        settle(drain, &drain->streams[i]);
    }
}

/* The thread ring whose next record belongs first, of those that do not wait; NULL: there is none.
 */
static rh_stream *
earliest(rh_drain *drain)
{
    const front *first = NULL;
    for (uint32_t i = MAIN + 1; i < drain->stream_count; i++) {
        const front *f = &drain->fronts[i];
        if (f->there && !f->waits && (!first || belongs_before(f, first)))
            first = f;
    }
    return first ? &drain->streams[first - drain->fronts] : NULL;
}

static rh_outcome
take_one(rh_drain *drain, rh_stream *s, bool forced)
{
    if (s != &drain->streams[MAIN]) {
        rh_outcome result = take_thread(drain, s, forced);
        settle(drain, s);
        return result;
    }
    return forced ? force_main(drain) : take_main(drain, s->view.at + 1);
}

/* Takes one stretch no later than `place` from the rings of threads, the first that can be;
 * RH_EMPTY: none can. Mostly none can: so many threads are looked over before any is tried. */
static rh_outcome
take_earlier(rh_drain *drain, uint64_t place)
{
    for (uint32_t i = MAIN + 1; i < drain->stream_count; i++)
        drain->fronts[i].waits |= is_held_up(drain, &drain->fronts[i]);
    for (rh_stream *s; (s = earliest(drain)) && s->place <= place;
         front_of(drain, s)->waits = true) {
        uint64_t before = s->view.at;
        if (take_stretch(drain, s) == RH_FAILED)
            return RH_FAILED;
        if (s->view.at != before)
            return RH_TAKEN;
    }
    return RH_EMPTY;
}

/* Nothing moves. If threads' rings wait for one another, a birth was taken too early, and the
 * earliest that is held up by it goes on; else `s` does, for what it waits for was never recorded.
 */
static rh_outcome
force_one(rh_drain *drain, rh_stream *s)
{
    const front *first = NULL;
    for (uint32_t i = MAIN + 1; i < drain->stream_count; i++) {
        const front *f = &drain->fronts[i];
        if (f->there && f->birth && (!first || belongs_before(f, first)))
            first = f;
    }
    return take_one(drain, first ? &drain->streams[first - drain->fronts] : s, true);
}

/* A call of the C library in a thread's ring may be later than the place before it says, and wait
 * for one that was nested in a hook since: then the main ring goes on, by a record at a time. In a
 * forked child most of what is waited for never comes. */
static bool
step_main(rh_drain *drain, const rh_stream *s)
{
    rh_stream *main = &drain->streams[MAIN];
    uint64_t before = main->view.at;
    bool libc = rh_resolver_is_libc(&drain->resolver, rh_ring_view_record(&s->view, s->view.at));
    if (s == main || !libc || drain->channel->facts.forked || before >= main->view.end)
        return false;
    return take_main(drain, before + 1) != RH_FAILED && main->view.at != before;
}

/* `s` is blocked: what it waits for was published before its record was, and so, if it exists, lies
 * in another ring no later than `place` of the main one. */
static rh_outcome
resolve(rh_drain *drain, rh_stream *s)
{
    rh_stream *main = &drain->streams[MAIN];
    uint64_t place = s == main ? s->view.at : s->place;
    look_at_all(drain);
    rh_outcome result = RH_BLOCKED;
    for (bool moved = true; moved && result == RH_BLOCKED;) {
        uint64_t before = main->view.at;
        if (s != main &&
            take_main(drain, place < main->view.end ? place : main->view.end) == RH_FAILED)
            return RH_FAILED;
        front_of(drain, s)->waits = true;
        rh_outcome earlier = take_earlier(drain, place);
        for (uint32_t i = 0; i < drain->stream_count; i++)
            drain->fronts[i].waits = false;
        if (earlier == RH_FAILED)
            return RH_FAILED;
        moved = earlier == RH_TAKEN || main->view.at != before || step_main(drain, s);
        if (drain->resolver.error.status != RH_OK)
            return RH_FAILED;
        if (moved)
            result = take_one(drain, s, false);
    }
    return result == RH_BLOCKED ? force_one(drain, s) : result;
}

/* A free is the main ring's last record and held for its arena's death, and `thread` comes behind
 * it: with a call of the same thread, which so has come back from the free. */
static bool
free_is_over(const rh_drain *drain, const rh_stream *thread)
{
    const rh_stream *main = &drain->streams[MAIN];
    uint64_t at = thread->view.at;
    while (at < thread->view.end &&
           rh_kind_of(rh_ring_view_record(&thread->view, at)) == RH_RECORD_WIDE)
        at += sizeof(rh_record);
    return main->view.at + sizeof(rh_record) == main->view.end && thread->place >= main->view.end &&
           rh_kind_of(rh_ring_view_record(&main->view, main->view.at)) == RH_RECORD_FREE &&
           at < thread->view.end &&
           rh_ring_view_record(&main->view, main->view.at)->amount >> RH_AMOUNT_THREAD_SHIFT ==
               rh_ring_view_record(&thread->view, at)->amount >> RH_AMOUNT_THREAD_SHIFT;
}

/* One stretch of the main ring and the thread's behind it; RH_EMPTY: nothing more is there. */
static rh_outcome
take_turn(rh_drain *drain)
{
    /* Time goes by: threads whose last place record is from before will write a new one. */
    if (drain->turns++ % TURNS_A_TICK == 0)
        atomic_fetch_add_explicit(&drain->channel->turn, 1, memory_order_relaxed);
    rh_stream *main = &drain->streams[MAIN], *thread = earliest(drain);
    uint64_t limit = main->view.end;
    if (thread && thread->place < limit)
        limit = thread->place;
    rh_outcome result = take_main(drain, limit);
    if (result == RH_EMPTY && thread && free_is_over(drain, thread))
        result = rh_resolver_take(&drain->resolver, main, false);
    if (result == RH_BLOCKED)
        return resolve(drain, main);
    if (result == RH_FAILED || !thread)
        return result == RH_FAILED ? RH_FAILED : RH_EMPTY;
    /* Not yet: the main ring has to be looked at again first. */
    if (thread->place > main->view.end && !drain->resolver.last)
        return RH_EMPTY;
    result = take_stretch(drain, thread);
    return result == RH_BLOCKED ? resolve(drain, thread) : result;
}

uint64_t
rh_drain_waiting(rh_drain *drain)
{
    uint64_t records = 0;
    look_at_all(drain);
    for (uint32_t i = 0; i < drain->stream_count; i++)
        records += rh_ring_view_waiting(&drain->streams[i].view);
    return records;
}

rh_status
rh_drain_run(rh_drain *drain, bool last, uint64_t *events, rh_error *error)
{
    drain->resolver.last = last;
    /* Threads may write as fast as this reads: what they add is for the next run. */
    const uint64_t most = rh_drain_waiting(drain), before = drain->resolver.events;
    const uint64_t enough = last || most < RUN_EVENTS ? most : RUN_EVENTS;
    rh_outcome result = RH_TAKEN;
    while ((result == RH_TAKEN || result == RH_BLOCKED) &&
           drain->resolver.events - before <= enough)
        result = take_turn(drain);
    if (drain->resolver.error.status != RH_OK)
        result = RH_FAILED; /* also where a thread's ring cannot be read */
    if (result != RH_FAILED && last)
        result = rh_resolver_write_off(&drain->resolver);
    for (uint32_t i = 0; i < drain->stream_count; i++) {
        rh_ring_view_give_back(&drain->streams[i].view);
        if (i != MAIN)
            rh_ring_view_recycle(&drain->streams[i].view);
    }
    *events += drain->resolver.events - before;
    if (result == RH_FAILED && error)
        *error = drain->resolver.error;
    return result == RH_FAILED ? drain->resolver.error.status : RH_OK;
}
