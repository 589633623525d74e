#define _GNU_SOURCE
#include "replay/group.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/host.h"
#include "base/output.h"
#include "replay/child.h"

#define PATIENCE_SECONDS 120
#define LOOK_MS          100   /* how often a waiting parent looks after its children */
#define SPINS            20000 /* before sleeping: longer than a batch takes to decode */
#define CHANNEL_FILE     3     /* its number in a child */

typedef struct child_process {
    pid_t id;          /* 0: not running */
    int words;         /* memory file that takes what it says */
    uint32_t seen;     /* batches consumed, and beats, when last looked */
    uint64_t moved_ns; /* when that last changed */
} child_process;

struct rh_group {
    const rh_group_plan *plan;
    rh_channel *channel;
    child_process *processes;
    cpu_set_t allowed; /* where this process may run, to be restored */
    bool pinned;
};

/* ------------------------------------------------------------------ processes */

/* The environment of a child: ours, with LD_PRELOAD set to `library` or taken out, and padded.
 * `owned`: the strings of it that are to be freed, NULL for none. */
static char **
child_environment(const char *library, unsigned padding_bytes, char *owned[2])
{
    size_t count = 0;
    while (environ[count])
        count++;
    char **environment = calloc(count + 3, sizeof *environment);
    if (!environment)
        abort();
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (strncmp(environ[i], "LD_PRELOAD=", 11) != 0)
            environment[kept++] = environ[i];
    owned[0] = owned[1] = NULL;
    if (*library) {
        if (asprintf(&owned[0], "LD_PRELOAD=%s", library) < 0)
            abort();
        environment[kept++] = owned[0];
    }
    if (padding_bytes) {
        if (asprintf(&owned[1], "REHEAP_PADDING=%0*d", (int)padding_bytes, 0) < 0)
            abort();
        environment[kept] = owned[1];
    }
    return environment;
}

/* Starts this program afresh as member `index`. Both its outputs go to a memory file, whose words
 * are shown should it fail. */
static rh_status
start(rh_group *group, uint32_t index, int channel_file, rh_error *error)
{
    child_process *process = &group->processes[index];
    process->words = memfd_create("reheap-words", MFD_CLOEXEC);
    if (process->words < 0)
        return rh_fail_errno(error, RH_SYSTEM, errno, "cannot start a process");
    char member[16], file[16], *owned[2];
    snprintf(member, sizeof member, "%u", index);
    snprintf(file, sizeof file, "%d", channel_file);
    char *arguments[] = {(char *)"reheap", (char *)RH_CHILD_COMMAND, file, member, NULL};
    char **environment =
        child_environment(group->plan->libraries[index], group->plan->padding_bytes, owned);

    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    /* Onto itself: keeps its number, and stays open on exec. */
    posix_spawn_file_actions_adddup2(&actions, channel_file, channel_file);
    posix_spawn_file_actions_adddup2(&actions, process->words, STDERR_FILENO);
    posix_spawn_file_actions_adddup2(&actions, process->words, STDOUT_FILENO);
    int problem =
        posix_spawn(&process->id, "/proc/self/exe", &actions, NULL, arguments, environment);
    posix_spawn_file_actions_destroy(&actions);
    free(environment);
    free(owned[0]);
    free(owned[1]);
    process->moved_ns = rh_host_now_ns();
    if (problem) {
        process->id = 0;
        return rh_fail_errno(error, RH_SYSTEM, problem, "cannot start a process");
    }
    return RH_OK;
}

/* The first line a child wrote, cut to the message's room. */
static void
add_words(const child_process *process, rh_member *member)
{
    char words[200];
    ssize_t length = pread(process->words, words, sizeof words - 1, 0);
    if (length <= 0)
        return;
    words[length] = '\0';
    words[strcspn(words, "\n")] = '\0';
    size_t used = strlen(member->message);
    snprintf(member->message + used, sizeof member->message - used, "; it said: %s", words);
}

static void
mark_failed(rh_group *group, uint32_t index, int wait_status)
{
    rh_member *member = rh_channel_member(group->channel, index);
    rh_error error = {0};
    if (WIFSIGNALED(wait_status))
        rh_fail(&error, RH_CANNOT_RUN, "its process was ended by signal %d (%s)",
                WTERMSIG(wait_status), strsignal(WTERMSIG(wait_status)));
    else
        rh_fail(&error, RH_CANNOT_RUN, "its process ended early with status %d",
                WEXITSTATUS(wait_status));
    if (member->status == RH_OK) {
        member->status = error.status;
        snprintf(member->message, sizeof member->message, "%s", error.message);
    }
    add_words(&group->processes[index], member);
}

/* Collects children that ended. */
static void
reap(rh_group *group)
{
    for (uint32_t i = 0; i < group->plan->members; i++) {
        child_process *process = &group->processes[i];
        int wait_status;
        rh_member *member = rh_channel_member(group->channel, i);
        bool finished = atomic_load(&member->finished); /* then it is about to end */
        if (!process->id ||
            waitpid(process->id, &wait_status, finished ? 0 : WNOHANG) != process->id)
            continue;
        process->id = 0;
        if (!atomic_load(&member->finished))
            mark_failed(group, i, wait_status);
    }
}

/* Ends a member that has not moved for too long. */
static void
end_stuck(rh_group *group, uint32_t index)
{
    child_process *process = &group->processes[index];
    rh_member *member = rh_channel_member(group->channel, index);
    uint32_t consumed = atomic_load(&member->consumed) + atomic_load(&member->beat);
    uint64_t now = rh_host_now_ns();
    unsigned patience =
        group->plan->patience_seconds ? group->plan->patience_seconds : PATIENCE_SECONDS;
    if (group->plan->pass == RH_PASS_SYSTEM) /* it waits when it is done */
        patience += rh_resident_delays_ms[RH_RESIDENT_LOOKS - 1] / 1000 + 1;
    if (consumed != process->seen) {
        process->seen = consumed;
        process->moved_ns = now;
    }
    if (!process->id || now - process->moved_ns < patience * UINT64_C(1000000000))
        return;
    member->status = RH_CANNOT_RUN;
    snprintf(member->message, sizeof member->message, "it made no progress for %u seconds",
             patience);
    kill(process->id, SIGKILL);
}

static bool
waited_for(const rh_group *group, uint32_t index)
{
    return group->processes[index].id &&
           !atomic_load(&rh_channel_member(group->channel, index)->finished);
}

static bool
anyone_running(const rh_group *group)
{
    for (uint32_t i = 0; i < group->plan->members; i++)
        if (group->processes[i].id)
            return true;
    return false;
}

static void
end_all(rh_group *group)
{
    for (uint32_t i = 0; i < group->plan->members; i++) {
        pid_t id = group->processes[i].id;
        if (id) {
            kill(id, SIGKILL);
            waitpid(id, NULL, 0);
            group->processes[i].id = 0;
        }
    }
}

/* ------------------------------------------------------------------ feeding */

/* Waits until every member still running has freed the buffer of `batch`. */
static rh_status
wait_for_room(rh_group *group, uint32_t batch, rh_error *error)
{
    for (uint32_t i = 0; i < group->plan->members; i++) {
        while (waited_for(group, i) &&
               !rh_channel_wait_for_room(group->channel, batch, i, LOOK_MS)) {
            if (rh_interrupted())
                return rh_fail(error, RH_INTERRUPTED, "interrupted");
            reap(group);
            end_stuck(group, i);
        }
    }
    return RH_OK;
}

/* The feeder's place: the buffer that is being filled. */
typedef struct feed_state {
    rh_group *group;
    rh_compiler compiler;
    rh_program program;
    uint32_t batch;
    uint64_t calls_before;
} feed_state;

static rh_status
take_buffer(feed_state *feeder, rh_error *error)
{
    const rh_channel *channel = feeder->group->channel;
    if (channel->whole && feeder->batch >= channel->buffers)
        return rh_fail(error, RH_BAD_INPUT, "the trace changed while it was read");
    rh_status status = wait_for_room(feeder->group, feeder->batch, error);
    feeder->program = rh_channel_program(feeder->group->channel, feeder->batch);
    feeder->program.code_count = feeder->program.wide_count = 0;
    return status;
}

/* `ends`: the round does. */
static void
publish(feed_state *feeder, bool ends, bool last)
{
    rh_channel *channel = feeder->group->channel;
    const rh_compiler *compiler = &feeder->compiler;
    *rh_channel_batch(channel, feeder->batch) =
        (rh_batch_header){.code_count = feeder->program.code_count,
                          .wide_count = feeder->program.wide_count,
                          .calls = compiler->calls - feeder->calls_before,
                          .last = last,
                          .round_ends = ends,
                          .time_ns = compiler->has_times ? compiler->last_time_ns : RH_UNKNOWN};
    feeder->calls_before = compiler->calls;
    rh_channel_publish(channel, feeder->batch++, last);
    if (feeder->group->plan->progress)
        feeder->group->plan->progress(feeder->group->plan->progress_ctx, compiler->calls);
}

static rh_status
feed_events(feed_state *feeder, const rh_batch *events, rh_error *error)
{
    for (size_t done = 0; done < events->count;) {
        done += rh_compile(&feeder->compiler, events->events + done, events->count - done,
                           &feeder->program);
        if (done == events->count)
            break;
        publish(feeder, false, false);
        rh_status status = take_buffer(feeder, error);
        if (status != RH_OK)
            return status;
    }
    return RH_OK;
}

/* What comes next, as words into the buffer where there are any. */
static rh_status
feed_words(feed_state *feeder, const rh_source *source, rh_batch *events, bool *more,
           rh_error *error)
{
    rh_program *program = &feeder->program;
    rh_words words = {.capacity = rh_compile_room(&feeder->compiler, program)};
    if (!words.capacity) {
        publish(feeder, false, false);
        rh_status status = take_buffer(feeder, error);
        if (status != RH_OK)
            return status;
        words.capacity = rh_compile_room(&feeder->compiler, program);
    }
    words.word = program->codes + program->code_count;
    rh_status status = source->next_words(source->ctx, &words, events, error);
    rh_compile_words(&feeder->compiler, &words, program);
    *more = words.events || events->count;
    return status;
}

static rh_status
feed_next(feed_state *feeder, const rh_source *source, bool *more, rh_error *error)
{
    rh_batch events = {.count = 0};
    bool words = source->next_words && rh_compile_takes_words(&feeder->compiler);
    rh_status status = words ? feed_words(feeder, source, &events, more, error)
                             : source->next(source->ctx, &events, error);
    if (status != RH_OK)
        return status;
    if (!words)
        *more = events.count != 0;
    if (events.slots > feeder->group->plan->slots)
        return rh_fail(error, RH_BAD_INPUT, "the trace changed while it was read");
    return feed_events(feeder, &events, error);
}

/* What is left alive, as a batch of events that free it. */
static rh_status
feed_leftovers(feed_state *feeder, rh_error *error)
{
    const rh_leftovers *leftovers = feeder->group->plan->leftovers;
    if (!leftovers)
        return RH_OK;
    const rh_batch frees = {.events = leftovers->frees, .count = leftovers->count};
    return feed_events(feeder, &frees, error);
}

/* The recording once. */
static rh_status
feed_round(feed_state *feeder, const rh_source *source, rh_error *error)
{
    rh_compiler *compiler = &feeder->compiler;
    compiler->next_sample = compiler->calls + compiler->sample_every; /* each round at the same */
    compiler->time_ns = 0;
    rh_status status = take_buffer(feeder, error);
    for (bool more = true; status == RH_OK && more;)
        status = feed_next(feeder, source, &more, error);
    return status == RH_OK ? feed_leftovers(feeder, error) : status;
}

static uint32_t
rounds_of(const rh_group_plan *plan)
{
    return plan->loop.rounds ? plan->loop.rounds : 1;
}

static bool
anyone_waited_for(const rh_group *group)
{
    for (uint32_t i = 0; i < group->plan->members; i++)
        if (waited_for(group, i))
            return true;
    return false;
}

/* A member that has all of the recording before it, or has taken it apart, goes around in it by
 * itself; others are fed each round anew, until the last of them is steady. */
static rh_status
feed(rh_group *group, const rh_source *source, rh_error *error)
{
    feed_state feeder = {.group = group, .compiler = group->plan->compiler};
    const rh_wording wording = rh_compile_wording(&feeder.compiler);
    bool once = group->channel->whole || group->plan->threads;
    uint32_t rounds = once ? 1 : rounds_of(group->plan);
    rh_status status = RH_OK;
    for (uint32_t round = 0; status == RH_OK && round < rounds; round++) {
        if (round > 0 && !anyone_waited_for(group))
            return RH_OK;
        if (round > 0)
            status = source->again(source->ctx, error);
        if (status == RH_OK && source->speak)
            source->speak(source->ctx, &wording);
        if (status == RH_OK)
            status = feed_round(&feeder, source, error);
        if (status == RH_OK)
            publish(&feeder, true, round + 1 == rounds);
    }
    return status;
}

static rh_status
wait_for_all(rh_group *group, rh_error *error)
{
    for (uint32_t i = 0; i < group->plan->members; i++)
        group->processes[i].moved_ns = rh_host_now_ns();
    for (;;) {
        uint32_t freed = atomic_load(&group->channel->freed);
        reap(group);
        if (rh_interrupted())
            return rh_fail(error, RH_INTERRUPTED, "interrupted");
        if (!anyone_running(group))
            return RH_OK;
        atomic_store(&group->channel->producer_waits, 1);
        rh_channel_sleep(&group->channel->freed, freed, LOOK_MS);
        for (uint32_t i = 0; i < group->plan->members; i++)
            end_stuck(group, i);
    }
}

/* A time pass gets the last processor for its child, and this process keeps off it. */
static void
part_processors(rh_group *group)
{
    if (rh_pass_is_shared(group->plan->pass) || rh_host_processors() < 2)
        return;
    sched_getaffinity(0, sizeof group->allowed, &group->allowed);
    group->pinned = rh_host_pin(0);
}

static rh_status
start_all(rh_group *group, int channel_file, rh_error *error)
{
    for (uint32_t i = 0; i < group->plan->members; i++) {
        rh_member *member = rh_channel_member(group->channel, i);
        member->pass = group->plan->pass;
        member->touch = group->plan->touch;
        member->pins = group->plan->pins;
        if (group->plan->order_of)
            group->plan->order_of(group->plan->order_ctx, i, rh_channel_room(group->channel, i));
        member->threads = group->plan->threads;
        member->pace = group->plan->pace;
        member->age = group->plan->age;
        member->rounds = rounds_of(group->plan);
        member->steady = group->plan->loop.steady;
        member->round_leaves = group->plan->round_leaves;
        member->padding_bytes = group->plan->padding_bytes;
        if (strlen(group->plan->specs[i]) >= sizeof member->spec)
            return rh_fail(error, RH_USAGE, "the spec of an allocator is too long");
        snprintf(member->spec, sizeof member->spec, "%s", group->plan->specs[i]);
    }
    for (uint32_t i = 0; i < group->plan->members; i++) {
        rh_status status = start(group, i, channel_file, error);
        if (status != RH_OK)
            return status;
    }
    return RH_OK;
}

/* A time pass must not wait for a process to be woken; other passes have no use for a processor
 * that looks and looks whether there is room in the ring. */
static uint32_t
spins_for(rh_pass pass)
{
    return !rh_pass_is_shared(pass) && rh_host_processors() > 1 ? SPINS : 0;
}

rh_status
rh_group_run(const rh_group_plan *plan, const rh_source *source, rh_group **run, rh_error *error)
{
    *run = NULL;
    rh_group *group = calloc(1, sizeof *group);
    if (!group || !(group->processes = calloc(plan->members, sizeof *group->processes)))
        abort();
    group->plan = plan;
    for (uint32_t i = 0; i < plan->members; i++)
        group->processes[i].words = -1;
    int file;
    const rh_channel channel = {.members = plan->members,
                                .whole = plan->batches > 0,
                                .buffers = plan->batches,
                                .slots = plan->slots,
                                .sample_capacity = plan->sample_capacity,
                                .round_capacity = plan->loop.rounds,
                                .age_size_count = plan->age_size_count,
                                .age_most_blocks = plan->age_most_blocks,
                                .age_most_bytes = plan->age_most_bytes,
                                .room_bytes = plan->room_bytes,
                                .spins = spins_for(plan->pass)};
    rh_status status = rh_channel_create(&channel, &file, &group->channel, error);
    if (status != RH_OK) {
        rh_group_close(group);
        return status;
    }
    if (plan->age_size_count)
        memcpy(rh_channel_age_sizes(group->channel), plan->age_sizes,
               plan->age_size_count * sizeof *plan->age_sizes);
    status = start_all(group, file, error);
    close(file);
    if (status == RH_OK) {
        part_processors(group);
        status = feed(group, source, error);
        if (status == RH_OK)
            status = wait_for_all(group, error);
    }
    end_all(group);
    if (group->pinned)
        sched_setaffinity(0, sizeof group->allowed, &group->allowed);
    if (status != RH_OK) {
        rh_group_close(group);
        return status;
    }
    *run = group;
    return RH_OK;
}

const rh_member *
rh_group_member(const rh_group *group, uint32_t index)
{
    return rh_channel_member(group->channel, index);
}

const rh_sample *
rh_group_samples(const rh_group *group, uint32_t index)
{
    return rh_channel_samples(group->channel, index);
}

const rh_round *
rh_group_rounds(const rh_group *group, uint32_t index)
{
    return rh_channel_rounds(group->channel, index);
}

const void *
rh_group_room(const rh_group *group, uint32_t index)
{
    return rh_channel_room(group->channel, index);
}

void
rh_group_close(rh_group *group)
{
    if (!group)
        return;
    end_all(group);
    for (uint32_t i = 0; i < group->plan->members; i++)
        if (group->processes[i].words >= 0)
            close(group->processes[i].words);
    rh_channel_unmap(group->channel);
    free(group->processes);
    free(group);
}
