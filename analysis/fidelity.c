#define _GNU_SOURCE
#include "analysis/fidelity.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "replay/experiment.h"

enum { PLACES = 512, SAMPLES = 1000 };

typedef enum number_kind { BYTES, EXCESS, OVER_TIME, COUNT, RATE } number_kind;

static const struct {
    const char *name;
    number_kind kind;
} numbers[RH_FIDELITY_NUMBERS] = {
    {"peak_mapped_bytes", BYTES},
    {"fragmentation_mean", EXCESS},
    {"fragmentation_at_peak_live", EXCESS},
    {"mapped_over_time", OVER_TIME},
    {"arenas_highwater", COUNT},
    {"pools_recycled", RATE},
};

/* A run, and its samples as curve of mapped bytes. */
typedef struct replayed {
    rh_run run;
    bool there;
    double mapped[PLACES];
} replayed;

static double
metric(const replayed *one, const char *name)
{
    for (size_t i = 0; one->there && i < one->run.metric_count; i++)
        if (strcmp(one->run.metrics[i].name, name) == 0)
            return one->run.metrics[i].value;
    return NAN;
}

static double
mapped(const rh_sample *sample)
{
    uint64_t bytes = sample->counters.mapped_bytes;
    return bytes > UINT64_MAX / 16 ? NAN : (double)bytes; /* RH_UNKNOWN */
}

/* The mapped bytes at equal steps of the run: at each the last sample before it. */
static void
draw_curve(replayed *one)
{
    const rh_sample *samples = one->run.samples;
    size_t count = one->run.sample_count, at = 0;
    double last = count ? (double)samples[count - 1].event : 0;
    for (size_t i = 0; i < PLACES; i++) {
        double event = last * ((double)i + 0.5) / PLACES;
        while (at + 1 < count && (double)samples[at + 1].event <= event)
            at++;
        one->mapped[i] = count ? mapped(&samples[at]) : NAN;
    }
}

static rh_status
find(rh_results *results, const char *spec, replayed *one, rh_error *error)
{
    const rh_run *runs;
    size_t count;
    rh_status status = rh_results_runs(results, &runs, &count, error);
    one->there = false;
    for (size_t i = 0; status == RH_OK && i < count; i++) {
        if (strcmp(runs[i].spec, spec) != 0 || strcmp(runs[i].pass, "memory") != 0 ||
            strcmp(runs[i].status, "failed") == 0)
            continue;
        one->run = runs[i];
        one->there = true;
        status = rh_results_load_samples(results, &one->run, error);
        break;
    }
    if (status == RH_OK && one->there)
        draw_curve(one);
    return status;
}

/* Of two numbers that are not negative. */
static double
difference(double original, double made)
{
    double larger = fmax(original, made);
    if (isnan(original) || isnan(made))
        return NAN;
    return larger > 0 ? fabs(made - original) / larger : 0;
}

static void
compare_curves(const replayed *original, const replayed *made, rh_fidelity_number *number)
{
    double apart = 0, larger = 0;
    number->original = number->made = 0;
    for (size_t i = 0; i < PLACES; i++) {
        double a = original->there ? original->mapped[i] : NAN;
        double b = made->there ? made->mapped[i] : NAN;
        number->original += a / PLACES;
        number->made += b / PLACES;
        apart += fabs(a - b);
        larger += isnan(a) || isnan(b) ? NAN : fmax(a, b);
    }
    number->difference = isnan(larger) ? NAN : larger > 0 ? apart / larger : 0;
}

static void
compare(const replayed *original, const replayed *made, size_t which, rh_fidelity_number *number)
{
    number->name = numbers[which].name;
    number->original = metric(original, number->name);
    number->made = metric(made, number->name);
    switch (numbers[which].kind) {
    case OVER_TIME:
        compare_curves(original, made, number);
        return;
    case EXCESS:
        number->difference = difference(1 + number->original, 1 + number->made);
        return;
    case RATE:
        number->original /= metric(original, "events");
        number->made /= metric(made, "events");
        break;
    case BYTES:
    case COUNT:
        break;
    }
    number->difference = difference(number->original, number->made);
}

static void
score(rh_fidelity_allocator *allocator)
{
    double sum = 0;
    size_t known = 0;
    for (size_t i = 0; i < RH_FIDELITY_NUMBERS; i++) {
        if (isnan(allocator->number[i].difference))
            continue;
        sum += allocator->number[i].difference;
        known++;
    }
    allocator->score = known ? 1 - sum / (double)known : NAN;
}

static void
sum_up(rh_fidelity *fidelity)
{
    double sum = 0;
    size_t known = 0;
    for (size_t i = 0; i < fidelity->count; i++) {
        const rh_fidelity_allocator *one = &fidelity->allocator[i];
        if (!isnan(one->score)) {
            sum += one->score;
            known++;
        }
        for (size_t k = 0; k < RH_FIDELITY_NUMBERS; k++)
            fidelity->worst = fmax(fidelity->worst, one->number[k].difference);
    }
    fidelity->score = known ? sum / (double)known : NAN;
}

rh_status
rh_fidelity_weigh(rh_results *original, rh_results *made, const char *const *specs,
                  size_t spec_count, rh_fidelity *fidelity, rh_error *error)
{
    *fidelity = (rh_fidelity){.allocator = calloc(spec_count, sizeof *fidelity->allocator)};
    replayed *pair = calloc(2, sizeof *pair);
    rh_status status =
        fidelity->allocator && pair ? RH_OK : rh_fail(error, RH_SYSTEM, "out of memory");
    for (size_t i = 0; i < spec_count && status == RH_OK; i++) {
        rh_fidelity_allocator *one = &fidelity->allocator[fidelity->count++];
        one->spec = strdup(specs[i]);
        status = find(original, specs[i], &pair[0], error);
        if (status == RH_OK)
            status = find(made, specs[i], &pair[1], error);
        if (!one->spec)
            status = rh_fail(error, RH_SYSTEM, "out of memory");
        for (size_t k = 0; status == RH_OK && k < RH_FIDELITY_NUMBERS; k++)
            compare(&pair[0], &pair[1], k, &one->number[k]);
        score(one);
    }
    free(pair);
    if (status == RH_OK)
        sum_up(fidelity);
    else
        rh_fidelity_release(fidelity);
    return status;
}

/* The results stay in memory. */
static rh_status
replay(const char *trace, const char *const *specs, size_t spec_count, rh_results **results,
       rh_error *error)
{
    rh_experiment experiment;
    rh_status status = rh_results_create(NULL, results, error);
    if (status != RH_OK)
        return status;
    rh_experiment_init(&experiment);
    experiment.traces = &trace;
    experiment.trace_count = 1;
    experiment.specs = specs;
    experiment.spec_count = spec_count;
    experiment.measures = RH_MEASURE_MEMORY;
    experiment.repetitions = 1;
    experiment.samples = SAMPLES;
    status = rh_experiment_run(&experiment, *results, error);
    if (status != RH_OK)
        rh_results_close(*results);
    return status;
}

rh_status
rh_fidelity_measure(const char *original, const char *made, const char *const *specs,
                    size_t spec_count, rh_fidelity *fidelity, rh_error *error)
{
    rh_results *results[2];
    rh_status status = replay(original, specs, spec_count, &results[0], error);
    if (status != RH_OK)
        return status;
    status = replay(made, specs, spec_count, &results[1], error);
    if (status == RH_OK) {
        status = rh_fidelity_weigh(results[0], results[1], specs, spec_count, fidelity, error);
        rh_results_close(results[1]);
    }
    rh_results_close(results[0]);
    return status;
}

void
rh_fidelity_release(rh_fidelity *fidelity)
{
    for (size_t i = 0; i < fidelity->count; i++)
        free(fidelity->allocator[i].spec);
    free(fidelity->allocator);
    *fidelity = (rh_fidelity){0};
}
