#include "analysis/alike.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    FREE = 1,             /* differs from run to run, or says nothing of how they were made */
    FREE_BETWEEN = 2,     /* in two files, whose comparison may be one of two builds */
    FREE_WITHOUT_TIME = 4 /* changes no count of bytes or calls */
};

/* What may differ. Whatever else a provenance holds has to be equal, known or not: a way of
 * replaying that comes to be is compared without being named here. */
static const struct {
    const char *name;
    unsigned freedom;
} fields[] = {
    {"seed", FREE},
    {"ticks_per_ns", FREE},
    {"statistics", FREE},
    {"opened", FREE},
    {"library", FREE},
    {"preload", FREE},
    {"environment_padding", FREE},
    {"reason", FREE},
    {"deterministic", FREE},
    {"trace_hash", FREE}, /* that of the workload is compared */
    {"host", FREE},
    {"memory_bytes", FREE},
    {"program", FREE_BETWEEN},
    {"build", FREE_BETWEEN},
    {"compiler", FREE_BETWEEN},
    {"assertions", FREE_WITHOUT_TIME},
};

static bool
may_differ(const char *name, unsigned freedom)
{
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        if (strcmp(fields[i].name, name) == 0)
            return fields[i].freedom & freedom;
    return false;
}

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

/* A name out of a file that may be anybody's, fit for a terminal. */
static const char *
plain(const char *name, char *text, size_t capacity)
{
    snprintf(text, capacity, "%s", name);
    for (char *c = text; *c; c++)
        if (*c < ' ' || *c > '~')
            *c = '?';
    return text;
}

static bool
is_timed(const rh_run *run)
{
    return strcmp(run->pass, "memory") != 0 && strcmp(run->pass, "system") != 0;
}

/* The first name under which `ours` has something else than `theirs`, or what that lacks; NULL when
 * there is none. */
static const char *
first_difference(json_t *ours, const json_t *theirs, unsigned freedom)
{
    const char *name;
    json_t *value;
    json_object_foreach(ours, name, value)
    {
        if (!json_equal(value, json_object_get(theirs, name)) && !may_differ(name, freedom))
            return name;
    }
    return NULL;
}

static rh_status
compare_runs(place a, place b, rh_error *error)
{
    unsigned freedom =
        FREE | (a.file == b.file ? 0 : FREE_BETWEEN) | (is_timed(a.run) ? 0 : FREE_WITHOUT_TIME);
    json_t *ours = a.run->provenance ? json_loads(a.run->provenance, 0, NULL) : NULL;
    json_t *theirs = b.run->provenance ? json_loads(b.run->provenance, 0, NULL) : NULL;
    const char *name = first_difference(ours, theirs, freedom);
    if (!name)
        name = first_difference(theirs, ours, freedom);
    rh_status status = RH_OK;
    if (name) {
        char left[160], right[160], shown[64];
        show(json_object_get(ours, name), left, sizeof left);
        show(json_object_get(theirs, name), right, sizeof right);
        status = rh_fail(error, RH_USAGE,
                         "%s: runs that differ in %s are not compared: %s for %.100s in it, %s "
                         "for %.100s in %s; replay them alike",
                         b.file, plain(name, shown, sizeof shown), right, b.run->spec, left,
                         a.run->spec, a.file);
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
    static const char *const passes[] = {"memory", "throughput", "latency", "system"};
    rh_status status = RH_OK;
    for (size_t i = 0; status == RH_OK && i < sizeof passes / sizeof passes[0]; i++) {
        const rh_run *a = example(before, passes[i]), *b = example(after, passes[i]);
        if (a && b)
            status = compare_runs((place){older->path, a}, (place){newer->path, b}, error);
    }
    return status;
}
