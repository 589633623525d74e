/* What a group of runs is given: an order of the plan as group.h wants it. */
#include "base/host.h"
#include "base/output.h"
#include "base/random.h"
#include "replay/arena_history.h"
#include "replay/experiment_parts.h"
#include "replay/rounds.h"

#define PADDING_MOST        4096 /* bytes: a page of the stack */
#define ROUND_SAMPLES_LEAST 4

static void
show_progress(void *ctx, uint64_t calls)
{
    rh_run_state *state = ctx;
    if (!state->experiment->quiet)
        rh_progress_update(&state->progress, state->calls_done + calls);
}

/* Where the stack lies can decide a race between allocators. It differs from repetition to
 * repetition by the seed, and is the same for all allocators of one repetition, which are compared
 * in pairs. */
static unsigned
padding_of(const rh_experiment *experiment, const rh_group_order *order)
{
    rh_random random = {experiment->seed ^ (uint64_t)(experiment->first_repetition + order->rep)
                                               << 32};
    rh_random_next(&random);
    return (unsigned)rh_random_below(&random, PADDING_MOST);
}

/* All rounds that are likely share the samples that were asked for, as far as that leaves some for
 * each; those of all rounds together are bounded. */
static uint64_t
samples_a_round(const rh_experiment *experiment)
{
    const rh_loop *loop = &experiment->loop;
    uint64_t each = rh_experiment_samples(experiment) / rh_loop_shares(loop->steady, loop->rounds);
    uint64_t most = RH_EXPERIMENT_SAMPLES_MOST / (loop->rounds ? loop->rounds : 1);
    if (loop->rounds == 0)
        return each;
    each = each > most ? most : each;
    return each > ROUND_SAMPLES_LEAST ? each : ROUND_SAMPLES_LEAST;
}

/* That a channel needs for a round of it. What is freed at its end may be all in the table beside.
 */
static uint32_t
batches_of(const rh_trace_entry *trace)
{
    if (trace->leftovers.count == 0)
        return trace->scan.batches;
    return trace->scan.batches + (uint32_t)(trace->leftovers.count / (RH_CHANNEL_WIDES - 2)) + 1;
}

/* That live at once while a heap ages. */
static uint64_t
aged_most_blocks(const rh_experiment *experiment, const rh_trace_entry *trace)
{
    uint64_t blocks = experiment->age.aged ? trace->scan.peak_live_blocks : 0;
    return blocks < RH_AGE_BLOCKS_MOST ? blocks : RH_AGE_BLOCKS_MOST;
}

rh_group_plan
rh_experiment_group(rh_run_state *state, const rh_group_order *order, const rh_attempt_set *attempt)
{
    const rh_trace_entry *trace = &state->traces[order->trace];
    const rh_experiment *experiment = state->experiment;
    bool threads = experiment->threads && !order->control && !rh_pass_is_shared(order->pass);
    bool paced = experiment->pace > 0 && order->pass != RH_PASS_THROUGHPUT;
    rh_group_plan plan = {.pass = order->pass,
                          .touch = experiment->touch,
                          .threads = threads,
                          .compiler = trace->compiler,
                          .slots = trace->scan.slots,
                          .specs = (const char *const *)attempt->specs,
                          .libraries = attempt->libraries,
                          .members = attempt->count,
                          .padding_bytes = padding_of(experiment, order),
                          .age = experiment->age,
                          .age_sizes = trace->age_sizes,
                          .age_size_count = trace->age_size_count,
                          .age_most_blocks = aged_most_blocks(experiment, trace),
                          .age_most_bytes = trace->scan.peak_requested_bytes,
                          .loop = experiment->loop,
                          .round_leaves =
                              experiment->loop.frees ? 0 : trace->scan.end_requested_bytes,
                          .leftovers = experiment->loop.frees ? &trace->leftovers : NULL,
                          .patience_seconds = experiment->patience_seconds,
                          .progress = show_progress,
                          .progress_ctx = state};
    /* bump frees nothing, and would never be steady. */
    if (order->control && plan.loop.steady && plan.loop.rounds > RH_STEADY_TIMES)
        plan.loop.rounds = RH_STEADY_TIMES;
    plan.compiler.threads = threads;
    plan.compiler.times = paced;
    plan.pace = paced ? experiment->pace : 0;
    if (order->pass == RH_PASS_LATENCY)
        plan.room_bytes = sizeof(rh_latency_findings);
    if (order->pass == RH_PASS_THROUGHPUT)
        plan.room_bytes = sizeof(rh_stretches);
    if (order->pass == RH_PASS_MEMORY) {
        uint64_t rounds = experiment->loop.rounds ? experiment->loop.rounds : 1;
        uint64_t samples = samples_a_round(experiment);
        uint64_t calls = trace->scan.counts.calls;
        uint64_t every = (calls + samples - 1) / samples;
        plan.compiler.sample_every = plan.compiler.next_sample = every ? every : 1;
        plan.sample_capacity = (samples + 1) * rounds + 3;
        plan.room_bytes = sizeof(rh_arena_history);
    } else if (order->pass != RH_PASS_SYSTEM &&
               batches_of(trace) * rh_channel_batch_bytes() < rh_host_memory_bytes() / 4) {
        plan.batches = batches_of(trace);
    }
    return plan;
}
