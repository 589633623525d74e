#define _GNU_SOURCE
#include "replay/thread_run.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/host.h"
#include "replay/loop.h"

#define STRETCH 256 /* operations at most between two looks at the clock */
#define SPINS   2000

/* Where a thread was when. */
typedef struct stretch {
    uint64_t ticks;
    uint32_t order, count;
} stretch;

typedef struct crew_state crew_state;

typedef struct worker_state {
    _Alignas(64) _Atomic uint32_t done; /* operations, as far as others wait for it */
    _Atomic uint32_t waiters;
    crew_state *crew;
    const rh_thread_stream *stream;
    stretch *stretches;
    size_t stretch_count, stretch_bytes;
    rh_target target;
    rh_latency *latencies; /* service, then response; NULL: none are measured */
    rh_stopwatch watch;
    rh_pacer pacer;
    uint64_t start_ticks, end_ticks, waited_ticks, processor_ns, late;
    pthread_t thread;
} worker_state;

struct crew_state {
    worker_state *workers;
    size_t count, started;
    const rh_thread_watch *watch; /* NULL: no latencies */
    uint64_t origin_ns;           /* paced: the first recorded time */
    uint64_t origin_ticks;        /* and when it is due */
    _Atomic uint32_t go;          /* 1: start, 2: give up */
    _Atomic uint32_t ready;
};

static void
sleep_while(_Atomic uint32_t *word, uint32_t value)
{
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

static void
wake_all(_Atomic uint32_t *word)
{
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT32_MAX, NULL, NULL, 0);
}

static void
wait_for(worker_state *worker, worker_state *other, uint32_t count)
{
    if (atomic_load_explicit(&other->done, memory_order_acquire) >= count)
        return;
    uint64_t start = rh_host_ticks();
    worker->late++;
    for (int i = 0; i < SPINS && atomic_load(&other->done) < count; i++)
        __builtin_ia32_pause();
    atomic_fetch_add(&other->waiters, 1);
    for (uint32_t done; (done = atomic_load(&other->done)) < count;)
        sleep_while(&other->done, done);
    atomic_fetch_sub(&other->waiters, 1);
    worker->waited_ticks += rh_host_ticks() - start;
}

static void
post(worker_state *worker, uint32_t done)
{
    atomic_store(&worker->done, done);
    if (atomic_load(&worker->waiters))
        wake_all(&worker->done);
}

static void
run_stretch(worker_state *worker, size_t from, size_t to)
{
    const rh_thread_stream *stream = worker->stream;
    const rh_program program = {.codes = stream->codes + from,
                                .code_count = (uint32_t)(to - from),
                                .wides = stream->wides,
                                .wide_count = (uint32_t)stream->wide_count};
    worker->stretches[worker->stretch_count++] = (stretch){
        .ticks = rh_host_ticks(), .order = stream->order[from], .count = program.code_count};
    if (!worker->latencies)
        rh_loop_run(&worker->target, &program);
    else if (worker->crew->watch->pace == 0)
        rh_loop_probe(&worker->target, &program, &worker->watch);
    else
        rh_loop_paced(&worker->target, &program, &worker->watch, &worker->pacer);
}

/* Before a stretch, which has one time when paced. */
static void
await_stretch(worker_state *worker, size_t at)
{
    const rh_thread_stream *stream = worker->stream;
    if (worker->latencies && worker->crew->watch->pace > 0)
        rh_pacer_await(&worker->pacer, stream->times ? stream->times[at] : 0);
}

/* Where the stretch that begins at `from` ends at the latest. */
static size_t
longest_stretch(const worker_state *worker, size_t from)
{
    const rh_thread_stream *stream = worker->stream;
    size_t until = from + STRETCH < stream->count ? from + STRETCH : stream->count;
    if (!worker->latencies || worker->crew->watch->pace == 0 || !stream->times)
        return until;
    size_t same = from + 1;
    while (same < until && stream->times[same] == stream->times[from])
        same++;
    return same;
}

static void
run_stream(worker_state *worker)
{
    const rh_thread_stream *stream = worker->stream;
    size_t wait = 0, posted = 0;
    for (size_t done = 0; done < stream->count;) {
        await_stretch(worker, done);
        for (; wait < stream->wait_count && stream->waits[wait].at == done; wait++)
            wait_for(worker, &worker->crew->workers[stream->waits[wait].on],
                     stream->waits[wait].count);
        size_t until = longest_stretch(worker, done);
        if (wait < stream->wait_count && stream->waits[wait].at < until)
            until = stream->waits[wait].at;
        if (posted < stream->post_count && stream->posts[posted] < until)
            until = stream->posts[posted];
        run_stretch(worker, done, until);
        done = until;
        if (posted < stream->post_count && stream->posts[posted] == done) {
            post(worker, (uint32_t)done);
            posted++;
        }
    }
}

static uint64_t
processor_ns(void)
{
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static void *
work(void *argument)
{
    worker_state *worker = argument;
    crew_state *crew = worker->crew;
    atomic_fetch_add(&crew->ready, 1);
    wake_all(&crew->ready);
    while (atomic_load(&crew->go) == 0)
        sleep_while(&crew->go, 0);
    if (atomic_load(&crew->go) != 1)
        return NULL;
    uint64_t processor = processor_ns();
    worker->start_ticks = rh_host_ticks();
    worker->pacer.origin_ns = crew->origin_ns;
    worker->pacer.origin_ticks = worker->pacer.start_ticks = crew->origin_ticks;
    run_stream(worker);
    worker->end_ticks = rh_host_ticks();
    worker->processor_ns = processor_ns() - processor;
    return NULL;
}

static void *
map(size_t bytes)
{
    void *place = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    return place == MAP_FAILED ? NULL : place;
}

/* Paced, a stretch is of one time, which may be that of a single operation. */
static size_t
most_stretches(const crew_state *crew, const rh_thread_stream *stream)
{
    return crew->watch && crew->watch->pace > 0 ? stream->count : stream->count / STRETCH;
}

static bool
prepare_latencies(worker_state *worker)
{
    crew_state *crew = worker->crew;
    if (!crew->watch)
        return true;
    worker->latencies = map(2 * sizeof *worker->latencies);
    if (!worker->latencies)
        return false;
    worker->watch = crew->watch->watch;
    worker->watch.service = &worker->latencies[0];
    if (crew->watch->pace == 0)
        return true;
    worker->pacer = rh_pacer_make(crew->watch->pace, rh_host_ticks_per_ns(), &worker->latencies[1],
                                  crew->watch->beat);
    worker->pacer.begun = true;
    return true;
}

/* The first time of all threads is where each of their schedules begins. */
static uint64_t
first_time(const rh_thread_plan *plan)
{
    uint64_t first = UINT64_MAX;
    for (size_t i = 0; i < rh_thread_plan_count(plan); i++) {
        const rh_thread_stream *stream = rh_thread_plan_stream(plan, i);
        if (stream->count && stream->times && stream->times[0] < first)
            first = stream->times[0];
    }
    return first;
}

/* Everything that a worker needs is there before the first of them starts. */
static bool
prepare(crew_state *crew, const rh_thread_plan *plan, const rh_target *target)
{
    for (size_t i = 0; i < crew->count; i++) {
        worker_state *worker = &crew->workers[i];
        const rh_thread_stream *stream = rh_thread_plan_stream(plan, i);
        worker->crew = crew;
        worker->stream = stream;
        worker->target = *target;
        worker->stretch_bytes =
            (most_stretches(crew, stream) + stream->wait_count + stream->post_count + 2) *
            sizeof(stretch);
        worker->stretches = map(worker->stretch_bytes);
        if (!worker->stretches || !prepare_latencies(worker))
            return false;
    }
    return true;
}

static rh_status
start_and_wait(crew_state *crew, rh_error *error)
{
    rh_status status = RH_OK;
    for (; crew->started < crew->count && status == RH_OK; crew->started += status == RH_OK) {
        worker_state *worker = &crew->workers[crew->started];
        int problem = pthread_create(&worker->thread, NULL, work, worker);
        if (problem)
            status = rh_fail_errno(error, RH_SYSTEM, problem,
                                   "cannot start a thread for each of %zu", crew->count);
    }
    for (uint32_t ready; (ready = atomic_load(&crew->ready)) < crew->started;)
        sleep_while(&crew->ready, ready);
    crew->origin_ticks = rh_host_ticks();
    atomic_store(&crew->go, status == RH_OK ? 1 : 2);
    wake_all(&crew->go);
    for (size_t i = 0; i < crew->started; i++)
        pthread_join(crew->workers[i].thread, NULL);
    return status;
}

/* ---- what came of it ---- */

static int
compare_ticks(const void *left, const void *right)
{
    const stretch *a = left, *b = right;
    if (a->ticks != b->ticks)
        return a->ticks < b->ticks ? -1 : 1;
    return (a->order > b->order) - (a->order < b->order);
}

/* Operations in stretches that began before one with an earlier place in the recording. */
static uint64_t
count_reordered(const crew_state *crew)
{
    size_t count = 0;
    for (size_t i = 0; i < crew->count; i++)
        count += crew->workers[i].stretch_count;
    stretch *all = map((count + 1) * sizeof *all);
    if (!all)
        return 0;
    size_t filled = 0;
    for (size_t i = 0; i < crew->count; i++)
        for (size_t s = 0; s < crew->workers[i].stretch_count; s++)
            all[filled++] = crew->workers[i].stretches[s];
    qsort(all, count, sizeof *all, compare_ticks);
    uint32_t earliest = UINT32_MAX; /* of those that began later */
    uint64_t reordered = 0;
    for (size_t i = count; i > 0; i--) {
        reordered += all[i - 1].order > earliest ? all[i - 1].count : 0;
        earliest = all[i - 1].order < earliest ? all[i - 1].order : earliest;
    }
    munmap(all, (count + 1) * sizeof *all);
    return reordered;
}

static uint64_t
busy_ticks(const worker_state *worker)
{
    uint64_t awake = worker->end_ticks - worker->start_ticks - worker->waited_ticks;
    uint64_t processor = (uint64_t)((double)worker->processor_ns * rh_host_ticks_per_ns());
    return processor < awake ? processor : awake;
}

static void
sum(const crew_state *crew, rh_thread_totals *totals)
{
    uint64_t start = UINT64_MAX, end = 0;
    *totals = (rh_thread_totals){.threads = crew->count, .reordered = count_reordered(crew)};
    for (size_t i = 0; i < crew->count; i++) {
        const worker_state *worker = &crew->workers[i];
        if (worker->stream->count == 0)
            continue;
        start = worker->start_ticks < start ? worker->start_ticks : start;
        end = worker->end_ticks > end ? worker->end_ticks : end;
        totals->busy_ticks += busy_ticks(worker);
        totals->waited_ticks += worker->waited_ticks;
        totals->waits += worker->stream->wait_count;
        totals->late += worker->late;
        totals->failed_allocations += worker->target.failed_allocations;
        totals->skipped_events += worker->target.skipped_events;
    }
    totals->wall_ticks = end > start ? end - start : 0;
}

/* Each thread's histograms go to the caller's. */
static void
merge_latencies(const crew_state *crew)
{
    for (size_t i = 0; crew->watch && i < crew->count; i++) {
        const worker_state *worker = &crew->workers[i];
        rh_latency_merge(crew->watch->watch.service, &worker->latencies[0]);
        if (crew->watch->pace == 0)
            continue;
        rh_latency_merge(crew->watch->response, &worker->latencies[1]);
        rh_pace_totals pace = rh_pacer_totals(&worker->pacer);
        rh_pace_totals_merge(crew->watch->pace_totals, &pace);
    }
}

static void
release(worker_state *worker)
{
    if (worker->stretches)
        munmap(worker->stretches, worker->stretch_bytes);
    if (worker->latencies)
        munmap(worker->latencies, 2 * sizeof *worker->latencies);
}

rh_status
rh_thread_run(const rh_thread_plan *plan, rh_heap *heap, void **slots, bool zero_fits,
              rh_touch touch, const rh_thread_watch *watch, rh_thread_totals *totals,
              rh_error *error)
{
    crew_state crew = {
        .count = rh_thread_plan_count(plan), .watch = watch, .origin_ns = first_time(plan)};
    const rh_target target = {.heap = heap, .slots = slots, .zero_fits = zero_fits, .touch = touch};
    size_t bytes = (crew.count + 1) * sizeof *crew.workers;
    rh_status status = RH_OK;
    rh_host_ticks_per_ns(); /* measures the clock, once */
    crew.workers = map(bytes);
    if (!crew.workers || !prepare(&crew, plan, &target))
        status = rh_fail(error, RH_SYSTEM, "there is no memory for %zu threads", crew.count);
    if (status == RH_OK)
        status = start_and_wait(&crew, error);
    if (status == RH_OK) {
        sum(&crew, totals);
        merge_latencies(&crew);
    }
    for (size_t i = 0; crew.workers && i < crew.count; i++)
        release(&crew.workers[i]);
    if (crew.workers)
        munmap(crew.workers, bytes);
    return status;
}
