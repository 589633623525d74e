/* See child.h. Everything the harness needs is mapped and touched before the first batch; from
 * there to the last one, the only memory that is asked for is what the recording asked for. */
#define _GNU_SOURCE
#include "replay/child.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "alloc/heap.h"
#include "alloc/spec.h"
#include "base/host.h"
#include "replay/arena_history.h"
#include "replay/channel.h"
#include "replay/figures.h"
#include "replay/locality.h"
#include "replay/pin_pass.h"
#include "replay/rounds.h"
#include "replay/self_maps.h"
#include "replay/stretches.h"
#include "replay/system_watch.h"
#include "replay/thread_plan.h"
#include "replay/thread_run.h"

#define TURN_NS (UINT64_C(50) * 1000000)

typedef struct child {
    rh_channel *channel;
    rh_member *member;
    uint32_t index;
    rh_heap *heap;
    void *slots;
    uint64_t slots_bytes; /* as the kernel counts them; with aged_blocks */
    rh_aged_block *aged_blocks;
    bool zero_fits;
    rh_memory_before before;
    bool watched; /* system pass: calls are counted */
    uint64_t huge_before;
    uint32_t batch; /* the next one */
    rh_batch_header header;
    rh_program program; /* of the one that is being played */
    bool over;
    uint64_t round_peak;     /* time passes: mapped, at the ends of batches; RH_UNKNOWN */
    rh_stretches *stretches; /* throughput pass; NULL: nobody asked */
    rh_stopwatch watch;      /* latency pass */
    rh_pacer pacer;          /* of a pass that is paced */
} child;

#define PROBES (1u << 15) /* empty ones, before the first event and after the last each */

static rh_locality locality;

/* Zeroed memory for the table of live blocks, resident from now on. It lies between two pages that
 * cannot be touched, so that the kernel never joins it to a mapping that is not the harness's. */
static void *
map_table(child *self, uint64_t count, uint64_t each_bytes)
{
    uint64_t page = rh_host_page_bytes(), bytes;
    if (__builtin_mul_overflow(count + 1, each_bytes, &bytes) || bytes > INT64_MAX)
        return NULL;
    bytes = (bytes + page - 1) & ~(page - 1);
    char *span = mmap(NULL, bytes + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (span == MAP_FAILED)
        return NULL;
    char *slots = span + page;
    if (mprotect(slots, bytes, PROT_READ | PROT_WRITE) != 0)
        return NULL;
    madvise(slots, bytes, MADV_HUGEPAGE); /* a hint: fewer misses on the harness's own account */
    volatile char *touched = slots;
    for (uint64_t at = 0; at < bytes; at += page)
        touched[at] = 0;
    self->slots_bytes += bytes;
    return slots;
}

static bool
map_slots(child *self, uint64_t count, uint64_t each_bytes)
{
    self->slots = map_table(self, count, each_bytes);
    return self->slots != NULL;
}

/* CPython's allocators take a realloc to 0 bytes as documented for its API; C libraries differ. */
static bool
is_cpythons(const char *name)
{
    return strcmp(name, "pymalloc") == 0 || strcmp(name, "cpython") == 0;
}

static rh_status
open_heap(child *self, rh_error *error)
{
    rh_member *member = self->member;
    rh_spec spec;
    rh_status status = rh_spec_parse(member->spec, &spec, error);
    if (status != RH_OK)
        return status;
    snprintf(member->name, sizeof member->name, "%s", spec.allocator->name);
    self->zero_fits = is_cpythons(spec.allocator->name);
    if (member->pass == RH_PASS_SYSTEM) {
        self->watched = rh_system_watch_start();
        self->huge_before = rh_self_huge_bytes();
    }
    self->before = (rh_memory_before){.mapped_bytes = rh_self_mapped_bytes(),
                                      .resident_bytes = rh_self_resident_bytes()};
    if (spec.allocator->process_malloc)
        self->before.mapped_bytes = self->slots_bytes;
    status = rh_heap_open(member->spec, &self->heap, error);
    if (status == RH_OK && spec.allocator->version)
        spec.allocator->version(&spec.base, member->version, sizeof member->version);
    rh_spec_release(&spec);
    return status;
}

/* Members that share processors disturb one another's caches whenever they change places: each
 * asks for a long turn, unless somebody gave it another policy. Older kernels refuse or take no
 * notice. */
static void
ask_for_long_turns(void)
{
    struct {
        uint32_t size, policy;
        uint64_t flags;
        int32_t nice;
        uint32_t priority;
        uint64_t runtime, deadline, period;
    } attributes = {.size = sizeof attributes};
    if (syscall(SYS_sched_getattr, 0, &attributes, sizeof attributes, 0) != 0 ||
        attributes.policy != SCHED_OTHER) /* somebody has decided */
        return;
    attributes.policy = SCHED_BATCH;
    attributes.runtime = TURN_NS;
    syscall(SYS_sched_setattr, 0, &attributes, 0);
}

static rh_status
prepare(child *self, rh_error *error)
{
    if (rh_pass_is_shared(self->member->pass) && self->channel->members > 1)
        ask_for_long_turns();
    bool memory = self->member->pass == RH_PASS_MEMORY;
    uint64_t each_bytes = memory ? sizeof(rh_memory_slot) : sizeof(void *);
    bool threads = self->member->threads; /* which have slots of their own, and all processors */
    if (!threads && !map_slots(self, self->channel->slots, each_bytes))
        return rh_fail(error, RH_SYSTEM, "there is no memory for the table of %llu live blocks",
                       (unsigned long long)self->channel->slots);
    if (self->member->age.aged)
        self->aged_blocks =
            map_table(self, self->channel->age_most_blocks, sizeof *self->aged_blocks);
    if (self->member->age.aged && !self->aged_blocks)
        return rh_fail(error, RH_SYSTEM, "there is no memory for the table of %llu blocks of age",
                       (unsigned long long)self->channel->age_most_blocks);
    if (!threads && !rh_pass_is_shared(self->member->pass))
        self->member->pinned = rh_host_pin(rh_host_processors() - 1);
    if (memory)
        rh_locality_begin(&locality); /* its memory is resident from now on */
    return open_heap(self, error);
}

static void
count_calls(rh_member *member, const rh_batch_header *header)
{
    member->calls += header->calls;
}

/* Time that this thread had a processor, in ticks. */
static uint64_t
processor_ticks(void)
{
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    double ns = (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
    return (uint64_t)(ns * rh_host_ticks_per_ns());
}

/* One batch of a time pass. Waiting is counted apart from running; so is the time for which another
 * process had the processor: the second clock, which only knows of that, is read outside the first.
 */
static void
run_timed(child *self, rh_target *target, const rh_program *program)
{
    uint64_t processor = processor_ticks(), start = rh_host_ticks();
    if (self->member->pass == RH_PASS_THROUGHPUT)
        rh_loop_run(target, program);
    else if (self->member->pace > 0)
        rh_loop_paced(target, program, &self->watch, &self->pacer);
    else
        rh_loop_probe(target, program, &self->watch);
    uint64_t loop = rh_host_ticks() - start;
    processor = processor_ticks() - processor;
    self->member->loop_ticks += loop;
    uint64_t preempted = loop > processor ? loop - processor : 0;
    self->member->preempted_ticks += preempted;
    if (self->stretches)
        rh_stretches_add(self->stretches, self->header.calls, loop - preempted);
}

/* Takes the next batch; false when there is none. */
static bool
next_batch(child *self)
{
    if (self->over)
        return false;
    uint64_t start = rh_host_ticks();
    rh_channel_wait_for_batch(self->channel, self->batch);
    self->program = rh_channel_program(self->channel, self->batch);
    if (self->batch > 0) /* before the first one is the start of both processes */
        self->member->waited_ticks += rh_host_ticks() - start;
    self->header = *rh_channel_batch(self->channel, self->batch++);
    return true;
}

/* A batch of a pass that does not follow memory was played. */
static void
look_at_mapped(child *self)
{
    const uint64_t *mapped = self->heap->mapped_bytes;
    if (mapped && (self->round_peak == RH_UNKNOWN || *mapped > self->round_peak))
        self->round_peak = *mapped;
}

/* A round is over: whether another one follows. `round`: what it showed. */
static void
end_round(child *self, const rh_round *round)
{
    rh_member *member = self->member;
    rh_round *rounds = rh_channel_rounds(self->channel, self->index);
    uint32_t played = member->rounds_played++;
    if (played < self->channel->round_capacity)
        rounds[played] = *round;
    self->over = member->rounds_played >= member->rounds ||
                 (member->steady && rh_rounds_steady(rounds, member->rounds_played));
    if (self->channel->whole)
        self->batch = 0;
    self->round_peak = RH_UNKNOWN;
    atomic_fetch_add(&member->beat, 1);
}

/* What a pass that does not follow memory knows of it at the end of a round. */
static uint64_t
mapped_now(const child *self)
{
    if (self->channel->round_capacity == 0 && !self->member->age.aged) /* nobody asks */
        return RH_UNKNOWN;
    if (self->heap->mapped_bytes)
        return *self->heap->mapped_bytes;
    uint64_t mapped = rh_self_mapped_bytes(), before = self->before.mapped_bytes;
    if (mapped == RH_UNKNOWN || before == RH_UNKNOWN)
        return RH_UNKNOWN;
    return mapped > before ? mapped - before : 0;
}

/* What the heap goes through before the first call. */
static void
age(child *self)
{
    rh_member *member = self->member;
    if (!member->age.aged)
        return;
    const rh_age_plan plan = {.age = member->age,
                              .most_blocks = self->channel->age_most_blocks,
                              .most_bytes = self->channel->age_most_bytes,
                              .sizes = rh_channel_age_sizes(self->channel),
                              .size_count = self->channel->age_size_count,
                              .touch = member->touch,
                              .beat = &member->beat};
    rh_age_heap(&plan, self->heap, self->aged_blocks, &member->aged);
    member->aged_mapped_bytes = mapped_now(self);
}

static rh_round
round_without_memory(const child *self, uint64_t calls, uint64_t busy_ticks)
{
    bool throughput = self->member->pass == RH_PASS_THROUGHPUT;
    return (rh_round){
        .calls = calls,
        .peak_mapped_bytes = self->round_peak,
        .end_mapped_bytes = mapped_now(self),
        .peak_requested_bytes = RH_UNKNOWN,
        .end_requested_bytes = self->member->round_leaves * (self->member->rounds_played + 1),
        .end_live_blocks = RH_UNKNOWN,
        .busy_ns =
            throughput ? (uint64_t)((double)busy_ticks / rh_host_ticks_per_ns()) : RH_UNKNOWN};
}

/* The findings lie in the room, which is resident from now on. */
static void
begin_latency(child *self)
{
    rh_latency_findings *findings = rh_channel_room(self->channel, self->index);
    memset(findings, 0, sizeof *findings);
    self->watch = (rh_stopwatch){.service = &findings->service,
                                 .scale = rh_ticks_scale(rh_host_ticks_per_ns())};
    if (self->member->pace > 0) {
        prctl(PR_SET_TIMERSLACK, 1); /* ns: who sleeps until a call is due wakes up in time */
        self->pacer = rh_pacer_make(self->member->pace, rh_host_ticks_per_ns(), &findings->response,
                                    &self->member->beat);
    }
    self->member->probe_ticks = rh_loop_calibrate(&self->watch, PROBES, &findings->probe);
}

/* What the probe cost in the end goes to what it cost at the start. */
static void
end_latency(child *self)
{
    rh_latency_findings *findings = rh_channel_room(self->channel, self->index);
    rh_loop_calibrate(&self->watch, PROBES, &findings->probe);
    rh_pace_totals pace = rh_pacer_totals(&self->pacer);
    rh_pace_totals_merge(&findings->pace, &pace);
}

/* They lie in the room, which is resident from now on. */
static void
begin_stretches(child *self)
{
    if (self->channel->room_bytes < sizeof *self->stretches)
        return; /* nobody asked */
    self->stretches = rh_channel_room(self->channel, self->index);
    memset(self->stretches, 0, sizeof *self->stretches);
}

static void
replay_timed(child *self)
{
    rh_target target = {.heap = self->heap,
                        .slots = self->slots,
                        .zero_fits = self->zero_fits,
                        .touch = self->member->touch};
    rh_host_ticks_per_ns(); /* measures the clock, once */
    if (self->member->pass == RH_PASS_LATENCY)
        begin_latency(self);
    else
        begin_stretches(self);
    uint64_t calls = 0, busy = 0;
    while (next_batch(self)) {
        run_timed(self, &target, &self->program);
        look_at_mapped(self);
        count_calls(self->member, &self->header);
        rh_channel_release(self->channel, self->member);
        if (!self->header.round_ends)
            continue;
        uint64_t all_calls = self->member->calls;
        uint64_t all_busy = self->member->loop_ticks - self->member->preempted_ticks;
        rh_round round = round_without_memory(self, all_calls - calls, all_busy - busy);
        calls = all_calls;
        busy = all_busy;
        end_round(self, &round);
        rh_pacer_again(&self->pacer);
    }
    if (self->member->pass == RH_PASS_LATENCY)
        end_latency(self);
    self->member->failed_allocations = target.failed_allocations;
    self->member->skipped_events = target.skipped_events;
}

static rh_status
read_plan(child *self, rh_thread_plan **plan, rh_error *error)
{
    rh_status status = rh_thread_plan_open(self->channel->slots, plan, error);
    bool whole = false;
    while (status == RH_OK && !whole && next_batch(self)) {
        status = rh_thread_plan_add(*plan, &self->program, error);
        count_calls(self->member, &self->header);
        rh_channel_release(self->channel, self->member);
        whole = self->header.round_ends;
    }
    return status;
}

static rh_status
run_plan(child *self, const rh_thread_plan *plan, rh_error *error)
{
    rh_member *member = self->member;
    if (member->pass != RH_PASS_LATENCY)
        return rh_thread_run(plan, self->heap, self->slots, self->zero_fits, member->touch, NULL,
                             &member->threads_run, error);
    rh_latency_findings *findings = rh_channel_room(self->channel, self->index);
    const rh_thread_watch watch = {.watch = self->watch,
                                   .pace = member->pace,
                                   .response = &findings->response,
                                   .pace_totals = &findings->pace,
                                   .beat = &member->beat};
    return rh_thread_run(plan, self->heap, self->slots, self->zero_fits, member->touch, &watch,
                         &member->threads_run, error);
}

static void
add_threads(rh_thread_totals *totals, const rh_thread_totals *round)
{
    totals->threads = round->threads;
    totals->wall_ticks += round->wall_ticks;
    totals->busy_ticks += round->busy_ticks;
    totals->waited_ticks += round->waited_ticks;
    totals->waits += round->waits;
    totals->late += round->late;
    totals->reordered += round->reordered;
    totals->failed_allocations += round->failed_allocations;
    totals->skipped_events += round->skipped_events;
}

/* In each round the threads begin and end anew. */
static rh_status
run_rounds(child *self, const rh_thread_plan *plan, rh_error *error)
{
    rh_member *member = self->member;
    rh_thread_totals all = {.threads = 0};
    uint64_t calls = member->calls; /* of the one that was read */
    rh_status status = RH_OK;
    if (member->pass == RH_PASS_LATENCY)
        begin_latency(self);
    for (member->calls = 0; status == RH_OK && !self->over; member->calls += calls) {
        status = run_plan(self, plan, error);
        add_threads(&all, &member->threads_run);
        rh_round round = round_without_memory(self, calls, member->threads_run.busy_ticks);
        end_round(self, &round);
    }
    if (member->pass == RH_PASS_LATENCY)
        end_latency(self);
    member->threads_run = all;
    return status;
}

/* Taking the recording apart is done before the clock starts. */
static rh_status
replay_threads(child *self, rh_error *error)
{
    rh_thread_plan *plan = NULL;
    rh_member *member = self->member;
    rh_status status = read_plan(self, &plan, error);
    if (status == RH_OK && !map_slots(self, rh_thread_plan_slots(plan), sizeof(void *)))
        status = rh_fail(error, RH_SYSTEM, "there is no memory for the table of blocks");
    if (status == RH_OK) {
        rh_thread_plan_finish(plan);
        status = run_rounds(self, plan, error);
    }
    rh_thread_plan_close(plan);
    member->loop_ticks = member->threads_run.busy_ticks;
    member->waited_ticks = member->threads_run.waited_ticks;
    member->failed_allocations = member->threads_run.failed_allocations;
    member->skipped_events = member->threads_run.skipped_events;
    return status;
}

/* What the heap says of itself in words. */
static void
write_statistics(const child *self)
{
    FILE *out = fmemopen(self->member->statistics, sizeof self->member->statistics - 1, "w");
    if (!out)
        return;
    if (!rh_heap_print_stats(self->heap, out))
        self->member->statistics[0] = '\0';
    fclose(out);
}

typedef struct history_state {
    rh_heap *heap;
    rh_arena_history *history;
} history_state;

static void
history_sample(void *ctx, const rh_sample *sample, bool last)
{
    const history_state *state = ctx;
    rh_arena_history_sample(state->history, state->heap, sample->event, last);
}

/* Of a pass in which nothing is timed: calls need not begin to the microsecond. */
static rh_pacer *
begin_pace(child *self)
{
    if (!(self->member->pace > 0))
        return NULL;
    self->pacer =
        rh_pacer_make(self->member->pace, rh_host_ticks_per_ns(), NULL, &self->member->beat);
    self->pacer.roughly = true;
    return &self->pacer;
}

static void
play_memory(child *self, rh_memory *memory)
{
    memory->pacer = begin_pace(self);
    rh_memory_begin(memory, self->heap, self->before);
    uint64_t calls = 0;
    while (next_batch(self)) {
        rh_memory_run(memory, &self->program);
        rh_channel_release(self->channel, self->member);
        if (!self->header.round_ends)
            continue;
        rh_round round = {.calls = memory->totals->calls - calls,
                          .peak_mapped_bytes = memory->round_peak_mapped,
                          .end_mapped_bytes = mapped_now(self),
                          .peak_requested_bytes = memory->round_peak_requested,
                          .end_requested_bytes = memory->requested_bytes,
                          .end_live_blocks = memory->live_blocks,
                          .busy_ns = RH_UNKNOWN};
        calls = memory->totals->calls;
        end_round(self, &round);
        rh_memory_round(memory);
        rh_pacer_again(&self->pacer);
    }
    if (memory->pacer)
        self->member->on_time = rh_pacer_totals(memory->pacer);
    rh_memory_end(memory, self->header.time_ns);
}

/* The recording once more, to look at some moments of it; what it takes of memory itself is in
 * no number. */
static rh_status
replay_pins(child *self, rh_error *error)
{
    rh_memory memory = {.heap = self->heap,
                        .slots = self->slots,
                        .totals = &self->member->memory,
                        .zero_fits = self->zero_fits,
                        .touch = self->member->touch};
    rh_pin_pass *pass;
    rh_status status = rh_pin_pass_begin(&memory, self->channel->slots,
                                         rh_channel_room(self->channel, self->index), &pass, error);
    if (status == RH_OK) {
        age(self);
        rh_pin_pass_aged(pass, self->aged_blocks, self->member->aged.blocks);
        play_memory(self, &memory);
        status = rh_pin_pass_end(pass, error);
    }
    rh_pin_pass_close(pass);
    return status;
}

/* A heap that becomes steady does so long before the most rounds that there is room for. */
static uint64_t
likely_samples(const child *self)
{
    uint64_t rounds = self->channel->round_capacity;
    uint64_t each = self->channel->sample_capacity / (rounds ? rounds : 1);
    return each * rh_loop_shares(self->member->steady, (unsigned)rounds);
}

/* Of a heap that counts its blocks, all that it has by now. */
static uint64_t
aged_block_bytes(const child *self)
{
    rh_counters counters;
    if (!self->member->age.aged)
        return 0;
    rh_heap_snapshot(self->heap, &counters);
    return counters.block_bytes == RH_UNKNOWN ? self->member->aged.usable_bytes
                                              : counters.block_bytes;
}

static void
replay_memory(child *self)
{
    rh_memory memory = {.slots = self->slots,
                        .samples = rh_channel_samples(self->channel, self->index),
                        .sample_capacity = self->channel->sample_capacity,
                        .totals = &self->member->memory,
                        .zero_fits = self->zero_fits,
                        .locality = &locality,
                        .touch = self->member->touch};
    history_state history = {.heap = self->heap,
                             .history = rh_channel_room(self->channel, self->index)};
    rh_memory_watch watch = {.ctx = &history, .sampled = history_sample};
    if (self->channel->room_bytes >= sizeof *history.history) {
        memory.watch = &watch;
        history.history->before = true;
        rh_arena_history_begin(history.history, self->heap, likely_samples(self),
                               &memory.totals->calls);
    }
    age(self);
    memory.aged_block_bytes = aged_block_bytes(self);
    if (memory.watch)
        history.history->before = false;
    play_memory(self, &memory);
    rh_heap_figures(self->heap, rh_figures_take, &self->member->figures);
    write_statistics(self);
    self->member->calls = memory.totals->calls;
    self->member->failed_allocations = memory.totals->failed_allocations;
    self->member->skipped_events = memory.totals->skipped_events;
}

/* ------------------------------------------------------------------ the system pass */

#define HUGE_LOOK_BATCHES 32 /* so many batches between two looks at huge pages */

static uint64_t
less(uint64_t value, uint64_t before)
{
    if (value == RH_UNKNOWN || before == RH_UNKNOWN)
        return RH_UNKNOWN;
    return value > before ? value - before : 0;
}

static void
look_at_huge(child *self)
{
    rh_system_totals *system = &self->member->system;
    system->end_huge_bytes = less(rh_self_huge_bytes(), self->huge_before);
    if (system->end_huge_bytes != RH_UNKNOWN && system->end_huge_bytes > system->peak_huge_bytes)
        system->peak_huge_bytes = system->end_huge_bytes;
    uint64_t resident = less(rh_self_resident_bytes(), self->before.resident_bytes);
    if (system->end_huge_bytes != RH_UNKNOWN && resident != RH_UNKNOWN) {
        system->huge_sum += system->end_huge_bytes;
        system->huge_resident_sum += resident;
    }
}

static void
count_system_calls(child *self, const uint64_t *before)
{
    uint64_t now[RH_SYSTEM_CALL_COUNT];
    rh_system_watch_read(now);
    for (int i = 0; i < RH_SYSTEM_CALL_COUNT; i++)
        self->member->system.calls[i] = self->watched ? now[i] - before[i] : RH_UNKNOWN;
}

/* Does nothing for a while, and looks what the allocator gives back meanwhile. */
static void
look_afterwards(child *self)
{
    unsigned passed = 0;
    for (int i = 0; i < RH_RESIDENT_LOOKS; i++) {
        usleep((rh_resident_delays_ms[i] - passed) * 1000);
        passed = rh_resident_delays_ms[i];
        self->member->system.resident_after[i] =
            less(rh_self_resident_bytes(), self->before.resident_bytes);
    }
}

static void
replay_system(child *self)
{
    rh_target target = {.heap = self->heap,
                        .slots = self->slots,
                        .zero_fits = self->zero_fits,
                        .touch = self->member->touch};
    uint64_t before[RH_SYSTEM_CALL_COUNT];
    rh_pacer *pacer = begin_pace(self);
    rh_system_watch_read(before);
    uint64_t calls = 0;
    while (next_batch(self)) {
        if (pacer)
            rh_loop_on_time(&target, &self->program, pacer);
        else
            rh_loop_run(&target, &self->program);
        look_at_mapped(self);
        count_calls(self->member, &self->header);
        rh_channel_release(self->channel, self->member);
        if (self->batch % HUGE_LOOK_BATCHES == 1)
            look_at_huge(self);
        if (!self->header.round_ends)
            continue;
        rh_round round = round_without_memory(self, self->member->calls - calls, 0);
        calls = self->member->calls;
        end_round(self, &round);
        rh_pacer_again(&self->pacer);
    }
    if (pacer)
        self->member->on_time = rh_pacer_totals(pacer);
    count_system_calls(self, before);
    look_at_huge(self);
    self->member->failed_allocations = target.failed_allocations;
    self->member->skipped_events = target.skipped_events;
}

static rh_status
replay(child *self, rh_error *error)
{
    rh_status status = RH_OK;
    struct rusage before, after;
    if (self->member->pass != RH_PASS_MEMORY)
        age(self); /* the memory pass looks on */
    getrusage(RUSAGE_SELF, &before);
    if (self->member->pass == RH_PASS_MEMORY && self->member->pins)
        status = replay_pins(self, error);
    else if (self->member->pass == RH_PASS_MEMORY)
        replay_memory(self);
    else if (self->member->pass == RH_PASS_SYSTEM)
        replay_system(self);
    else if (self->member->threads)
        status = replay_threads(self, error);
    else
        replay_timed(self);
    getrusage(RUSAGE_SELF, &after);
    self->member->page_faults = (uint64_t)(after.ru_minflt - before.ru_minflt);
    self->member->context_switches = (uint64_t)(after.ru_nivcsw - before.ru_nivcsw);
    if (self->member->pass == RH_PASS_SYSTEM)
        look_afterwards(self);
    return status;
}

static bool
read_number(const char *text, uint32_t *number)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);
    *number = (uint32_t)value;
    return *text && !*end && value < UINT32_MAX;
}

static rh_status
attach(child *self, int argc, char **argv, rh_error *error)
{
    uint32_t file;
    if (argc != 3 || !read_number(argv[1], &file) || !read_number(argv[2], &self->index))
        return rh_fail(error, RH_USAGE, "this command is for reheap's own use");
    rh_status status = rh_channel_map((int)file, &self->channel, error);
    if (status != RH_OK)
        return status;
    close((int)file);
    if (self->index >= self->channel->members)
        return rh_fail(error, RH_USAGE, "this command is for reheap's own use");
    self->member = rh_channel_member(self->channel, self->index);
    signal(SIGINT, SIG_IGN); /* a terminal tells all; the parent ends its children itself */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != (pid_t)self->channel->parent)
        return rh_fail(error, RH_SYSTEM, "the parent process is gone");
    return RH_OK;
}

static int
run(int argc, char **argv)
{
    child self = {.round_peak = RH_UNKNOWN};
    rh_error error = {0};
    rh_status status = attach(&self, argc, argv, &error);
    if (status != RH_OK) {
        fprintf(stderr, "reheap " RH_CHILD_COMMAND ": %s\n", error.message);
        return (int)status;
    }
    status = prepare(&self, &error);
    if (status == RH_OK)
        status = replay(&self, &error);
    self.member->status = status;
    snprintf(self.member->message, sizeof self.member->message, "%s", error.message);
    rh_channel_finish(self.channel, self.member);
    _exit(0); /* what the allocator would do at exit is not measured */
}

const rh_command rh_cmd_replay_child = {RH_CHILD_COMMAND, NULL, run};

void
rh_child_asked(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], RH_CHILD_COMMAND) == 0)
        _exit(run(argc - 1, argv + 1));
}
