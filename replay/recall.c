#define _GNU_SOURCE
#include "replay/recall.h"

#include <stdlib.h>
#include <string.h>

#include "base/size.h"
#include "replay/pace.h"

/* The place of `word` in a list that ends with NULL; -1: not there. */
static int
place_of(const char *word, const char *const *names)
{
    for (int i = 0; word && names[i]; i++)
        if (strcmp(names[i], word) == 0)
            return i;
    return -1;
}

static bool
read_number(rh_results *results, const char *key, uint64_t most, uint64_t *value)
{
    const char *text = rh_results_get(results, key);
    return text && rh_size_parse(text, value) && *value <= most;
}

static bool
read_settings(rh_experiment *experiment, rh_results *results)
{
    uint64_t seed, repetitions, samples, measures;
    if (!read_number(results, "seed", INT64_MAX, &seed) ||
        !read_number(results, "repetitions", UINT32_MAX, &repetitions) ||
        !read_number(results, "samples", UINT32_MAX, &samples) ||
        !read_number(results, "measures", UINT32_MAX, &measures))
        return false;
    int touch = place_of(rh_results_get(results, "touch"), rh_touch_names);
    experiment->domain = place_of(rh_results_get(results, "domain"), rh_domain_names);
    int threads = place_of(rh_results_get(results, "threads"), rh_threads_names);
    experiment->threads = threads == 1;
    const char *pace = rh_results_get(results, "pace"); /* none in files of earlier builds */
    bool modes = !pace || rh_pace_parse(pace, &experiment->pace);
    const char *age = rh_results_get(results, "age");
    modes &= !age || rh_age_parse(age, &experiment->age, NULL) == RH_OK;
    const char *loop = rh_results_get(results, "loop");
    modes &= !loop || rh_loop_parse(loop, &experiment->loop, NULL) == RH_OK;
    experiment->touch = (rh_touch)touch;
    experiment->seed = seed;
    experiment->repetitions = (unsigned)repetitions;
    experiment->samples = (unsigned)samples;
    experiment->measures = (unsigned)measures;
    return modes && touch >= 0 && threads >= 0 && experiment->domain >= 0;
}

/* Points `specs` to the lines of `text`, which it cuts apart; returns how many. */
static size_t
split_lines(char *text, const char **specs)
{
    size_t count = 0;
    for (char *rest = text, *line; (line = strsep(&rest, "\n"));)
        if (*line)
            specs[count++] = line;
    return count;
}

/* The wish of an experiment that looked at what keeps arenas; others have none. */
static bool
read_pin_wish(rh_recalled *recalled, rh_results *results)
{
    uint64_t under;
    const char *moments = rh_results_get(results, "pins_at");
    rh_pin_wish *wish = &recalled->experiment.pin_wish;
    if (!moments)
        return true;
    recalled->moments = strdup(moments);
    if (!recalled->moments)
        abort();
    size_t lines = 1;
    for (const char *c = moments; *c; c++)
        lines += *c == '\n';
    if (lines > RH_PIN_ASKED || !read_number(results, "pins_under_percent", 100, &under))
        return false;
    recalled->experiment.pins = true;
    wish->at_count = split_lines(recalled->moments, wish->at);
    wish->under_percent = (unsigned)under;
    return true;
}

rh_status
rh_recall(rh_recalled *recalled, rh_results *results, rh_error *error)
{
    rh_experiment *experiment = &recalled->experiment;
    rh_experiment_init(experiment);
    const char *allocators = rh_results_get(results, "allocators");
    size_t traces = rh_results_traces(results), lines = allocators ? strlen(allocators) / 2 + 1 : 0;
    recalled->words = strdup(allocators ? allocators : "");
    recalled->lists = calloc(traces + lines + 1, sizeof *recalled->lists);
    if (!recalled->words || !recalled->lists)
        abort();
    recalled->moments = NULL;
    bool whole = read_settings(experiment, results) && read_pin_wish(recalled, results);
    for (size_t i = 0; i < traces; i++) {
        recalled->lists[i] = rh_results_trace_path(results, rh_results_trace_id(results, i));
        whole &= recalled->lists[i] != NULL;
    }
    experiment->traces = recalled->lists;
    experiment->trace_count = traces;
    experiment->specs = recalled->lists + traces;
    experiment->spec_count = split_lines(recalled->words, recalled->lists + traces);
    if (whole && traces && experiment->spec_count)
        return RH_OK;
    rh_recalled_release(recalled);
    return rh_fail(error, RH_BAD_INPUT,
                   "it does not say how all of it was made, as what an older version wrote, or "
                   "`reheap tune`; replay anew");
}

void
rh_recalled_release(rh_recalled *recalled)
{
    free(recalled->lists);
    free(recalled->words);
    free(recalled->moments);
    *recalled = (rh_recalled){.words = NULL};
}

static bool
same_text(const char *a, const char *b)
{
    return a && b && strcmp(a, b) == 0;
}

bool
rh_recall_has_run(const rh_run *runs, size_t count, int64_t trace, const char *spec,
                  const char *pass, unsigned rep)
{
    for (size_t i = 0; i < count; i++)
        if (runs[i].trace == trace && runs[i].rep == rep && same_text(runs[i].spec, spec) &&
            same_text(runs[i].pass, pass))
            return true;
    return false;
}

rh_status
rh_recall_check_machine(const rh_run *runs, size_t count, const rh_machine *machine,
                        rh_error *error)
{
    for (size_t i = 0; i < count; i++) {
        char field[32];
        if (runs[i].provenance &&
            !rh_provenance_is_of(machine, runs[i].provenance, field, sizeof field))
            return rh_fail(error, RH_USAGE,
                           "the runs in it were made with another %s, and would not compare with "
                           "new ones; replay anew",
                           field);
    }
    return RH_OK;
}
