#include "analysis/alike.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What must be equal. What else a provenance holds (seed, options read back, why a run failed)
 * may differ from run to run. */
static const char *const fields[] = {
    "touch",      "domain", "order",      "pace",     "threads", "processor",
    "processors", "kernel", "huge_pages", "governor", "clock",   "pinned",
};

static void
show(const json_t *value, char *text, size_t capacity)
{
    char *dumped = value ? json_dumps(value, JSON_ENCODE_ANY) : NULL;
    snprintf(text, capacity, "%s", dumped ? dumped : "unknown");
    free(dumped);
}

/* A run of a file, for messages. */
typedef struct place {
    const char *file;
    const rh_run *run;
} place;

static rh_status
compare_runs(place a, place b, rh_error *error)
{
    json_t *ours = a.run->provenance ? json_loads(a.run->provenance, 0, NULL) : NULL;
    json_t *theirs = b.run->provenance ? json_loads(b.run->provenance, 0, NULL) : NULL;
    rh_status status = RH_OK;
    for (size_t i = 0; status == RH_OK && i < sizeof fields / sizeof fields[0]; i++) {
        json_t *x = json_object_get(ours, fields[i]), *y = json_object_get(theirs, fields[i]);
        if (x == y || json_equal(x, y))
            continue;
        char left[160], right[160];
        show(x, left, sizeof left);
        show(y, right, sizeof right);
        status = rh_fail(error, RH_USAGE,
                         "%s: runs that differ in %s are not compared: %s for %.100s in it, %s for "
                         "%.100s in %s; replay them alike",
                         b.file, fields[i], right, b.run->spec, left, a.run->spec, a.file);
    }
    json_decref(ours);
    json_decref(theirs);
    return status;
}

/* The first run of a pass that did not fail; NULL when there is none. Passes differ by their nature
 * (a memory pass of several heaps is not pinned) and are only compared with themselves. */
static const rh_run *
example(const rh_workload *workload, const char *pass)
{
    for (size_t i = 0; i < workload->subject_count; i++) {
        const rh_subject *subject = &workload->subjects[i];
        for (size_t j = 0; j < subject->run_count; j++) {
            const rh_run *run = subject->runs[j];
            if (strcmp(run->status, "failed") != 0 && strcmp(run->pass, pass) == 0)
                return run;
        }
    }
    return NULL;
}

rh_status
rh_alike_within(const rh_summary *summary, const rh_workload *workload, rh_error *error)
{
    for (size_t i = 0; i < workload->subject_count; i++) {
        const rh_subject *subject = &workload->subjects[i];
        for (size_t j = 0; j < subject->run_count; j++) {
            const rh_run *run = subject->runs[j];
            if (strcmp(run->status, "failed") == 0)
                continue;
            place a = {summary->path, example(workload, run->pass)}, b = {summary->path, run};
            rh_status status = compare_runs(a, b, error);
            if (status != RH_OK)
                return status;
        }
    }
    return RH_OK;
}

rh_status
rh_alike_between(const rh_summary *older, const rh_workload *before, const rh_summary *newer,
                 const rh_workload *after, rh_error *error)
{
    if (!before->hash || !after->hash || strcmp(before->hash, after->hash) != 0)
        return rh_fail(error, RH_USAGE,
                       "%s: runs that differ in trace are not compared: it replays %.200s (%s), "
                       "%s replays %.200s (%s)",
                       newer->path, after->path ? after->path : "unknown",
                       after->hash ? after->hash : "unknown", older->path,
                       before->path ? before->path : "unknown",
                       before->hash ? before->hash : "unknown");
    static const char *const passes[] = {"memory", "throughput", "latency"};
    rh_status status = RH_OK;
    for (size_t i = 0; status == RH_OK && i < sizeof passes / sizeof passes[0]; i++) {
        const rh_run *a = example(before, passes[i]), *b = example(after, passes[i]);
        if (a && b)
            status = compare_runs((place){older->path, a}, (place){newer->path, b}, error);
    }
    return status;
}
