#include "analysis/tune.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/pareto.h"
#include "base/host.h"
#include "replay/experiment.h"

/* Memory of one allocator over the workloads: the geometric mean of 1 + fragmentation, or of the
 * bytes. */
static double
memory_of(const rh_workload *const *workloads, size_t count, const char *spec, const char *metric)
{
    const rh_quantity *quantity = rh_quantity_find(metric);
    double shift = quantity && quantity->kind == RH_QUANTITY_EXCESS ? 1 : 0, logs = 0;
    for (size_t i = 0; i < count; i++) {
        const rh_subject *subject = rh_workload_subject(workloads[i], spec);
        double value = subject ? rh_subject_median(subject, metric) + shift : NAN;
        logs += log(value);
    }
    return exp(logs / (double)count);
}

/* Times by repetition, geometric means over the workloads; a repetition that any lacks is NAN.
 * Returns how many repetitions there are. */
static size_t
times_of(const rh_workload *const *workloads, size_t count, const char *spec, double **times)
{
    size_t repetitions = 0;
    double *logs = NULL;
    unsigned *seen = NULL;
    for (size_t i = 0; i < count; i++) {
        const rh_subject *subject = rh_workload_subject(workloads[i], spec);
        rh_values values = {NULL, NULL, 0};
        if (subject)
            values = rh_subject_values(subject, rh_workload_speed(workloads[i]));
        size_t needed = values.count ? values.repetition[values.count - 1] + 1u : 0;
        if (needed > repetitions) {
            logs = realloc(logs, needed * sizeof *logs);
            seen = realloc(seen, needed * sizeof *seen);
            if (!logs || !seen)
                abort();
            for (; repetitions < needed; repetitions++)
                logs[repetitions] = seen[repetitions] = 0;
        }
        for (size_t j = 0; j < values.count; j++) {
            logs[values.repetition[j]] += log(values.value[j]);
            seen[values.repetition[j]]++;
        }
        rh_values_release(&values);
    }
    for (size_t r = 0; r < repetitions; r++)
        logs[r] = seen[r] == count ? exp(logs[r] / (double)count) : NAN;
    free(seen);
    *times = logs;
    return repetitions;
}

/* Whether a candidate may replace the baseline: no more memory, not slower as far as was seen. */
static bool
acceptable(const rh_tuned *candidate)
{
    return candidate->front && candidate->memory_ratio <= 1 && isfinite(candidate->time.value) &&
           candidate->time.verdict != RH_VERDICT_MORE;
}

/* What it costs relative to the baseline. A gain in time that was not surely seen is not credited;
 * a loss is charged even so. */
static double
cost(const rh_tuned *candidate)
{
    bool counts = candidate->time.verdict == RH_VERDICT_LESS || candidate->time.value > 1;
    return candidate->memory_ratio * (counts ? candidate->time.value : 1);
}

static size_t
recommend(const rh_tuned *candidates, size_t count)
{
    size_t best = 0;
    double least = 1;
    for (size_t i = 1; i < count; i++) {
        if (acceptable(&candidates[i]) && cost(&candidates[i]) < least) {
            best = i;
            least = cost(&candidates[i]);
        }
    }
    return best;
}

rh_tuning *
rh_tune_weigh(const rh_workload *const *workloads, size_t workload_count, const char *const *specs,
              size_t spec_count, const char *memory)
{
    rh_tuning *tuning = calloc(1, sizeof *tuning);
    rh_point *points = calloc(spec_count, sizeof *points);
    double **times = calloc(spec_count, sizeof *times);
    bool *front = calloc(spec_count, sizeof *front);
    if (!tuning || !points || !times || !front ||
        !(tuning->candidate = calloc(spec_count, sizeof *tuning->candidate)))
        abort();
    tuning->count = spec_count;
    for (size_t i = 0; i < spec_count; i++) {
        points[i].memory = memory_of(workloads, workload_count, specs[i], memory);
        points[i].ns_count = times_of(workloads, workload_count, specs[i], &times[i]);
        points[i].ns = times[i];
    }
    rh_pareto_front(points, spec_count, front);
    for (size_t i = 0; i < spec_count; i++)
        tuning->candidate[i] = (rh_tuned){
            .spec = specs[i],
            .memory = points[i].memory,
            .ns = rh_median(points[i].ns, points[i].ns_count),
            .time = rh_ratio_paired(points[i].ns, points[0].ns,
                                    points[i].ns_count < points[0].ns_count ? points[i].ns_count
                                                                            : points[0].ns_count),
            .memory_ratio = points[i].memory / points[0].memory,
            .front = front[i]};
    tuning->recommended = recommend(tuning->candidate, spec_count);
    tuning->repetitions = (unsigned)points[0].ns_count;
    for (size_t i = 0; i < spec_count; i++)
        free(times[i]);
    free(times);
    free(points);
    free(front);
    return tuning;
}

void
rh_tuning_release(rh_tuning *tuning)
{
    if (!tuning)
        return;
    free(tuning->candidate);
    free(tuning);
}

/* "4.1 % less memory over time": what a ratio means in words. */
static char *
memory_words(const rh_tuned *candidate, const char *memory, char *text, size_t capacity)
{
    const char *when = strcmp(memory, "peak_mapped_bytes") == 0 ? "at the peak" : "over time";
    double part = (candidate->memory_ratio - 1) * 100;
    if (!isfinite(part))
        snprintf(text, capacity, "an unknown amount of memory");
    else if (fabs(part) < 0.05)
        snprintf(text, capacity, "the same memory %s", when);
    else
        snprintf(text, capacity, "%.1f %% %s memory %s", fabs(part), part < 0 ? "less" : "more",
                 when);
    return text;
}

static char *
time_words(const rh_tuned *candidate, char *text, size_t capacity)
{
    double part = (candidate->time.value - 1) * 100;
    switch (candidate->time.verdict) {
    case RH_VERDICT_LESS:
    case RH_VERDICT_MORE:
        snprintf(text, capacity, "is %.1f %% %s", fabs(part), part < 0 ? "faster" : "slower");
        break;
    case RH_VERDICT_SAME:
        if (isfinite(candidate->time.low))
            snprintf(text, capacity,
                     "cannot be told from it in speed (%.2f to %.2f times its time)",
                     candidate->time.low, candidate->time.high);
        else
            snprintf(text, capacity, "is about as fast");
        break;
    default:
        snprintf(text, capacity, "takes %.2f times its time, in too few runs to be sure",
                 candidate->time.value);
    }
    return text;
}

static char *
gain(const rh_tuned *candidate, const rh_tuned *baseline, const char *memory, const char *where,
     char *text, size_t capacity)
{
    char held[80], speed[120];
    snprintf(text, capacity, "%s%s holds %s than %s and %s.", where, candidate->spec,
             memory_words(candidate, memory, held, sizeof held), baseline->spec,
             time_words(candidate, speed, sizeof speed));
    return text;
}

char *
rh_tuning_sentence(const rh_tuning *tuning, const char *memory, char *text, size_t capacity)
{
    const rh_tuned *baseline = &tuning->candidate[0];
    if (tuning->recommended != 0)
        return gain(&tuning->candidate[tuning->recommended], baseline, memory, "", text, capacity);
    const rh_tuned *smallest = baseline;
    for (size_t i = 1; i < tuning->count; i++) {
        if (tuning->candidate[i].memory_ratio < smallest->memory_ratio)
            smallest = &tuning->candidate[i];
    }
    char held[80], aside[300] = "";
    if (smallest != baseline && isfinite(smallest->time.value))
        snprintf(aside, sizeof aside,
                 " (the smallest, %.120s, holds %s and takes %.2f times its time)", smallest->spec,
                 memory_words(smallest, memory, held, sizeof held), smallest->time.value);
    snprintf(text, capacity,
             "Nothing tried needs less than %s in memory or time without more of the other: keep "
             "it%s.",
             baseline->spec, aside);
    return text;
}

char *
rh_tuning_holdout_sentence(const rh_tuning *tuning, const char *memory, char *text, size_t capacity)
{
    return gain(&tuning->holdout, &tuning->holdout_baseline, memory, "On the recording held out, ",
                text, capacity);
}

static rh_experiment
experiment_of(const rh_tune_options *options, const char *const *specs, size_t spec_count)
{
    rh_experiment experiment = *options->experiment;
    experiment.specs = specs;
    experiment.spec_count = spec_count;
    return experiment;
}

/* One step; failed runs are remembered in *failed and the rest goes on. */
static rh_status
run_step(const rh_experiment *experiment, rh_results *results, rh_error *failed, rh_error *error)
{
    rh_status status = rh_experiment_run(experiment, results, error);
    if (status != RH_CANNOT_RUN)
        return status;
    if (failed->status == RH_OK)
        *failed = *error;
    return RH_OK;
}

static const rh_workload *
workload_at(const rh_summary *summary, const char *path)
{
    for (size_t i = 0; i < summary->workload_count; i++) {
        const rh_workload *workload = &summary->workloads[i];
        if (workload->path && strcmp(workload->path, path) == 0)
            return workload;
    }
    return NULL;
}

/* Reads the results back and weighs them. */
static rh_status
weigh(const rh_tune_options *options, const char *const *specs, size_t spec_count,
      rh_results *results, rh_tuning **tuning, rh_error *error)
{
    rh_summary *summary;
    rh_status status = rh_summary_of("the results", results, &summary, error);
    if (status != RH_OK)
        return status;
    const rh_workload **workloads = calloc(options->experiment->trace_count, sizeof *workloads);
    if (!workloads)
        abort();
    size_t found = 0;
    for (size_t i = 0; i < options->experiment->trace_count; i++) {
        const rh_workload *workload = workload_at(summary, options->experiment->traces[i]);
        if (workload)
            workloads[found++] = workload;
    }
    *tuning = rh_tune_weigh(workloads, found, specs, spec_count, options->memory);
    free(workloads);
    rh_summary_detach(summary);
    return RH_OK;
}

/* Keeps the specs that may yet be recommended or stand on the front, as far as the results show;
 * the baseline stays first. */
static rh_status
keep_contenders(const rh_tune_options *options, const char **specs, size_t *spec_count,
                rh_results *results, rh_error *error)
{
    rh_tuning *tuning;
    rh_status status = weigh(options, specs, *spec_count, results, &tuning, error);
    if (status != RH_OK)
        return status;
    size_t kept = 1;
    for (size_t i = 1; i < *spec_count; i++) {
        if (tuning->candidate[i].front || tuning->candidate[i].memory_ratio <= 1)
            specs[kept++] = specs[i];
    }
    *spec_count = kept;
    rh_tuning_release(tuning);
    return RH_OK;
}

/* Memory in one go, then rounds of speed. With a budget that does not last for three rounds of all,
 * the rounds after the first are for contenders only; a round that would end after the budget is
 * not begun, but for the first. */
static rh_status
run_all(const rh_tune_options *options, const char *const *specs, size_t spec_count,
        rh_results *results, rh_error *failed, rh_error *error)
{
    enum { ROUNDS_FOR_A_VERDICT = 3 };
    uint64_t start = rh_host_now_ns(), each_ns = 0; /* of one allocator in a round */
    const char **running = calloc(spec_count, sizeof *running);
    if (!running)
        abort();
    memcpy(running, specs, spec_count * sizeof *running);
    rh_experiment experiment = experiment_of(options, running, spec_count);
    experiment.measures = RH_MEASURE_MEMORY;
    experiment.repetitions = 1;
    rh_status status = run_step(&experiment, results, failed, error);
    experiment.measures = RH_MEASURE_THROUGHPUT;
    for (unsigned round = 0; status == RH_OK && round < options->experiment->repetitions; round++) {
        uint64_t now = rh_host_now_ns(), used_ns = now - start;
        uint64_t left_ns = options->budget_ns > used_ns ? options->budget_ns - used_ns : 0;
        uint64_t round_ns = each_ns * experiment.spec_count;
        if (options->budget_ns && round == 1 && left_ns < round_ns * (ROUNDS_FOR_A_VERDICT - 1)) {
            status = keep_contenders(options, running, &experiment.spec_count, results, error);
            round_ns = each_ns * experiment.spec_count;
        }
        if (status != RH_OK || (options->budget_ns && round > 0 && round_ns > left_ns))
            break;
        experiment.first_repetition = round;
        experiment.seed = options->experiment->seed + round;
        status = run_step(&experiment, results, failed, error);
        each_ns = (rh_host_now_ns() - now) / experiment.spec_count;
    }
    free(running);
    return status;
}

static rh_status
run_holdout(const rh_tune_options *options, const char *recommended, unsigned repetitions,
            rh_results *results, rh_error *failed, rh_error *error)
{
    const char *specs[] = {options->baseline, recommended};
    rh_experiment experiment = experiment_of(options, specs, 2);
    experiment.traces = &options->holdout;
    experiment.trace_count = 1;
    experiment.measures = RH_MEASURE_MEMORY | RH_MEASURE_THROUGHPUT;
    experiment.repetitions = repetitions;
    return run_step(&experiment, results, failed, error);
}

static rh_status
weigh_holdout(const rh_tune_options *options, rh_results *results, rh_tuning *tuning,
              rh_error *error)
{
    rh_summary *summary;
    rh_status status = rh_summary_of("the results", results, &summary, error);
    if (status != RH_OK)
        return status;
    const rh_workload *workload = workload_at(summary, options->holdout);
    if (!workload) {
        status = rh_fail(error, RH_USAGE,
                         "%s: the recording held out is one of those tuned for; hold out another",
                         options->holdout);
    } else {
        const char *specs[] = {options->baseline, tuning->candidate[tuning->recommended].spec};
        rh_tuning *pair = rh_tune_weigh(&workload, 1, specs, 2, options->memory);
        tuning->has_holdout = true;
        tuning->holdout_baseline = pair->candidate[0];
        tuning->holdout = pair->candidate[1];
        rh_tuning_release(pair);
    }
    rh_summary_detach(summary);
    return status;
}

rh_status
rh_tune_run(const rh_tune_options *options, rh_results *results, rh_tuning **tuning,
            rh_error *error)
{
    *tuning = NULL;
    size_t spec_count = options->candidate_count + 1;
    const char **specs = calloc(spec_count, sizeof *specs);
    if (!specs)
        abort();
    specs[0] = options->baseline;
    for (size_t i = 0; i < options->candidate_count; i++)
        specs[i + 1] = options->candidates[i];
    rh_error failed = {.status = RH_OK};
    rh_status status = run_all(options, specs, spec_count, results, &failed, error);
    if (status == RH_OK)
        status = weigh(options, specs, spec_count, results, tuning, error);
    if (status == RH_OK && options->holdout && (*tuning)->recommended != 0) {
        status = run_holdout(options, specs[(*tuning)->recommended], (*tuning)->repetitions,
                             results, &failed, error);
        if (status == RH_OK)
            status = weigh_holdout(options, results, *tuning, error);
    }
    free(specs);
    if (status != RH_OK) {
        rh_tuning_release(*tuning);
        *tuning = NULL;
        return status;
    }
    if (failed.status != RH_OK) {
        *error = failed;
        return failed.status;
    }
    return RH_OK;
}
