#define _GNU_SOURCE /* clocks of condition variables */
#include "traces/parallel.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "base/host.h"

enum {
    JOBS_MAX = 256,
    STANDARD_INTERVAL_EVENTS = 1 << 17,
    WATCH_NS = 100000000,
    EXTRA_BYTES = 192 << 20, /* what threads may take together */
    THREAD_BYTES = 16 << 20, /* of which each needs this for decompressing, about */
    LIVE_BLOCK_BYTES = 160   /* and this for a live block in reader and part */
};

typedef struct rh_part_slot {
    void *part; /* NULL: its interval has to be read in order */
    bool ready;
} rh_part_slot;

/* All of a reading that threads share. Under the lock: `taken`, `merged`, `limit`, `slot`. */
typedef struct rh_crew {
    const rh_reader *reader;
    rh_reader_options options; /* of the threads' readers */
    const rh_part_kind *kind;
    const void *ctx;
    const rh_interval *interval;
    size_t intervals;
    pthread_mutex_t lock;
    pthread_cond_t room, ready;
    size_t taken;  /* the next interval that a thread takes */
    size_t merged; /* the next whose part is merged */
    size_t limit;  /* no interval from here on is taken any more */
    size_t ahead;  /* parts that may wait for being merged, and slots for them */
    rh_part_slot *slot;
    atomic_bool cancelled;
} rh_crew;

typedef struct rh_crew_member {
    rh_crew *crew;
    pthread_t thread;
    _Atomic uint64_t events; /* read by it so far */
} rh_crew_member;

static rh_status
no_memory(const rh_reader *reader, rh_error *error)
{
    return rh_fail(error, RH_SYSTEM, "%s: out of memory", rh_reader_path(reader));
}

static rh_status
tell_interrupted(const rh_reader *reader, rh_error *error)
{
    return rh_fail(error, RH_INTERRUPTED, "%s: interrupted", rh_reader_path(reader));
}

static rh_part_state
tell_live(rh_reader *reader, rh_part_state (*tell)(void *, const rh_batch *), void *part)
{
    rh_part_state state = RH_PART_GOOD;
    rh_batch batch = {.count = 1};
    while (state == RH_PART_GOOD && batch.count) {
        if (rh_reader_live(reader, &batch, NULL) != RH_OK)
            return RH_PART_DOUBTFUL;
        state = tell(part, &batch);
    }
    return state;
}

static bool
is_sound(const rh_reader *reader)
{
    size_t damages;
    rh_reader_damages(reader, &damages);
    return damages == 0 && !rh_reader_contradiction(reader);
}

/* Whatever goes wrong, out of memory included, is met again where the interval is read in order. */
static bool
read_interval(rh_crew_member *member, rh_reader *reader, size_t which, void *part)
{
    rh_crew *crew = member->crew;
    const rh_part_kind *kind = crew->kind;
    if (rh_reader_enter(reader, &crew->interval[which], NULL) != RH_OK ||
        (which > 0 && tell_live(reader, kind->enter, part) != RH_PART_GOOD))
        return false;
    rh_batch batch;
    do {
        if (atomic_load_explicit(&crew->cancelled, memory_order_relaxed) ||
            rh_reader_next(reader, &batch, NULL) != RH_OK || !is_sound(reader) ||
            kind->add(part, reader, &batch) != RH_PART_GOOD)
            return false;
        atomic_fetch_add_explicit(&member->events, batch.count, memory_order_relaxed);
    } while (batch.count);
    return tell_live(reader, kind->leave, part) == RH_PART_GOOD;
}

static void *
make_part(rh_crew_member *member, rh_reader *reader, size_t which)
{
    const rh_part_kind *kind = member->crew->kind;
    void *part = reader ? kind->begin(member->crew->ctx) : NULL;
    if (part && !read_interval(member, reader, which, part)) {
        kind->end(part);
        part = NULL;
    }
    return part;
}

/* The next interval to read; false: there is none for this thread. */
static bool
take_interval(rh_crew *crew, size_t *which)
{
    pthread_mutex_lock(&crew->lock);
    while (crew->taken < crew->limit && crew->taken >= crew->merged + crew->ahead)
        pthread_cond_wait(&crew->room, &crew->lock);
    bool there = crew->taken < crew->limit;
    if (there)
        *which = crew->taken++;
    pthread_mutex_unlock(&crew->lock);
    return there;
}

static void
hand_in(rh_crew *crew, size_t which, void *part)
{
    pthread_mutex_lock(&crew->lock);
    crew->slot[which % crew->ahead] = (rh_part_slot){part, true};
    if (!part && which < crew->limit) {
        crew->limit = which; /* what comes after it will be read in order too */
        pthread_cond_broadcast(&crew->room);
    }
    pthread_cond_signal(&crew->ready);
    pthread_mutex_unlock(&crew->lock);
}

static void *
work(void *argument)
{
    rh_crew_member *member = argument;
    rh_crew *crew = member->crew;
    rh_reader *reader = NULL;
    if (rh_reader_fork(crew->reader, &crew->options, &reader, NULL) != RH_OK)
        reader = NULL;
    for (size_t which; take_interval(crew, &which);)
        hand_in(crew, which, make_part(member, reader, which));
    rh_reader_close(reader);
    return NULL;
}

/* Signals go to the thread that watches. */
static unsigned
start_members(rh_crew *crew, rh_crew_member *members, unsigned wanted)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    unsigned started = 0;
    for (; started < wanted; started++) {
        members[started].crew = crew;
        if (pthread_create(&members[started].thread, NULL, work, &members[started]) != 0)
            break;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}

static bool
tell_progress(const rh_parallel_options *parallel, const rh_reader *reader, uint64_t done)
{
    return !parallel->watch || parallel->watch(parallel->ctx, done, rh_reader_end_event(reader));
}

/* Waits for the part of the next interval, at most until it is time to watch again. */
static rh_part_slot
await_part(rh_crew *crew)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += WATCH_NS;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_mutex_lock(&crew->lock);
    rh_part_slot *slot = &crew->slot[crew->merged % crew->ahead];
    int waited = 0;
    while (!slot->ready && waited == 0)
        waited = pthread_cond_timedwait(&crew->ready, &crew->lock, &until);
    rh_part_slot taken = *slot;
    if (taken.ready)
        *slot = (rh_part_slot){NULL, false};
    pthread_mutex_unlock(&crew->lock);
    return taken;
}

static void
go_on(rh_crew *crew)
{
    pthread_mutex_lock(&crew->lock);
    crew->merged++;
    pthread_cond_broadcast(&crew->room);
    pthread_mutex_unlock(&crew->lock);
}

/* Merges parts in order, to the end or up to one that cannot be: crew->merged tells.
 * RH_INTERRUPTED: the watch says so. */
static rh_status
merge_parts(rh_crew *crew, const rh_parallel_options *parallel, const rh_crew_member *members,
            unsigned count, void *whole)
{
    while (crew->merged < crew->intervals) {
        uint64_t done = 0;
        for (unsigned i = 0; i < count; i++)
            done += atomic_load_explicit(&members[i].events, memory_order_relaxed);
        if (!tell_progress(parallel, crew->reader, done))
            return RH_INTERRUPTED;
        rh_part_slot slot = await_part(crew);
        if (!slot.ready)
            continue;
        rh_part_state state = slot.part ? crew->kind->merge(whole, slot.part) : RH_PART_DOUBTFUL;
        if (slot.part)
            crew->kind->end(slot.part);
        if (state != RH_PART_GOOD)
            return state == RH_PART_NO_MEMORY ? RH_SYSTEM : RH_OK;
        go_on(crew);
    }
    return RH_OK;
}

static void
dismiss(rh_crew *crew, rh_crew_member *members, unsigned count)
{
    atomic_store(&crew->cancelled, true);
    pthread_mutex_lock(&crew->lock);
    crew->limit = 0;
    pthread_cond_broadcast(&crew->room);
    pthread_mutex_unlock(&crew->lock);
    for (unsigned i = 0; i < count; i++)
        pthread_join(members[i].thread, NULL);
    for (size_t i = 0; i < crew->ahead; i++)
        if (crew->slot[i].part)
            crew->kind->end(crew->slot[i].part);
}

static void
init_locks(rh_crew *crew)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&crew->lock, NULL);
    pthread_cond_init(&crew->room, NULL);
    pthread_cond_init(&crew->ready, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

static void
destroy_locks(rh_crew *crew)
{
    pthread_cond_destroy(&crew->ready);
    pthread_cond_destroy(&crew->room);
    pthread_mutex_destroy(&crew->lock);
}

/* Reads intervals with `jobs` threads; `*done` of them, from the first on, are then in `whole`. */
static rh_status
read_with_crew(rh_crew *crew, const rh_parallel_options *parallel, unsigned jobs, void *whole,
               size_t *done)
{
    crew->limit = crew->intervals;
    crew->ahead = (size_t)jobs + 1;
    crew->slot = calloc(crew->ahead, sizeof *crew->slot);
    rh_crew_member *members = calloc(jobs, sizeof *members);
    rh_status status = RH_OK;
    if (crew->slot && members) {
        init_locks(crew);
        unsigned started = start_members(crew, members, jobs);
        if (started)
            status = merge_parts(crew, parallel, members, started, whole);
        dismiss(crew, members, started);
        destroy_locks(crew);
    }
    *done = crew->merged;
    free(members);
    free(crew->slot);
    return status;
}

/* Reads what is left from an interval on. */
static rh_status
read_in_order(rh_reader *reader, const rh_interval *from, const rh_parallel_options *parallel,
              const rh_part_kind *kind, void *whole, rh_error *error)
{
    rh_interval rest = {from->block, SIZE_MAX, from->first_event};
    rh_part_state state = RH_PART_GOOD;
    rh_status status = RH_OK;
    if (rest.block) {
        status = rh_reader_enter(reader, &rest, error);
        if (status == RH_OK)
            state = tell_live(reader, kind->enter, whole);
    }
    rh_batch batch = {.count = 1};
    while (status == RH_OK && state == RH_PART_GOOD && batch.count) {
        status = rh_reader_next(reader, &batch, error);
        if (status != RH_OK)
            break;
        state = kind->add(whole, reader, &batch);
        if (!tell_progress(parallel, reader, batch.first_event + batch.count))
            status = tell_interrupted(reader, error);
    }
    return status == RH_OK && state != RH_PART_GOOD ? no_memory(reader, error) : status;
}

/* How many threads there are to be, and how large a live set each may have. */
static unsigned
choose_jobs(const rh_reader *reader, unsigned wanted, size_t intervals, uint64_t *max_live)
{
    const rh_trace_info *info = rh_reader_info(reader);
    uint64_t alive = info->peak_live_blocks == RH_TOTAL_UNKNOWN ? 0 : info->peak_live_blocks;
    uint64_t jobs = wanted ? wanted : rh_host_processors();
    if (jobs > intervals)
        jobs = intervals;
    if (jobs > JOBS_MAX)
        jobs = JOBS_MAX;
    if (jobs < 2)
        return 1;
    if (wanted) {
        *max_live = *max_live / jobs + 1; /* together about as many as a single one */
        return (unsigned)jobs;
    }
    uint64_t allowed = 0;
    for (; jobs > 1; jobs--) {
        uint64_t bytes = EXTRA_BYTES / jobs;
        allowed = bytes > THREAD_BYTES ? (bytes - THREAD_BYTES) / LIVE_BLOCK_BYTES : 0;
        if (alive < allowed)
            break;
    }
    if (allowed < *max_live)
        *max_live = allowed;
    return (unsigned)jobs;
}

rh_status
rh_parallel_read(rh_reader *reader, const rh_reader_options *options,
                 const rh_parallel_options *parallel, const rh_part_kind *kind, const void *ctx,
                 void *whole, rh_error *error)
{
    rh_crew crew = {.reader = reader, .kind = kind, .ctx = ctx};
    if (options)
        crew.options = *options;
    uint64_t least =
        parallel->interval_events ? parallel->interval_events : STANDARD_INTERVAL_EVENTS;
    rh_interval *interval = rh_reader_intervals(reader, least, &crew.intervals);
    if (!interval)
        return no_memory(reader, error);
    crew.interval = interval;
    crew.options.max_live_blocks = rh_reader_max_live(reader);
    unsigned jobs =
        choose_jobs(reader, parallel->jobs, crew.intervals, &crew.options.max_live_blocks);
    rh_status status = RH_OK;
    size_t done = 0;
    if (jobs > 1)
        status = read_with_crew(&crew, parallel, jobs, whole, &done);
    if (status == RH_INTERRUPTED)
        tell_interrupted(reader, error);
    else if (status == RH_SYSTEM)
        no_memory(reader, error);
    else if (done < crew.intervals)
        status = read_in_order(reader, &interval[done], parallel, kind, whole, error);
    free(interval);
    return status;
}
