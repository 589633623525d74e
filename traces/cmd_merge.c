/* reheap merge: several traces in one, as if their programs had shared a heap. */
#define _GNU_SOURCE
#include <argp.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/output.h"
#include "base/size.h"
#include "traces/commands.h"
#include "traces/copier.h"
#include "traces/reader.h"

enum { SOURCES_MAX = 256, PROGRESS_EVERY = 1 << 16 };

typedef struct merge_options {
    const char *inputs[SOURCES_MAX];
    unsigned count;
    const char *output;
} merge_options;

static const struct argp_option known[] = {
    {"output", 'o', "FILE", 0, "write the trace to FILE", 0},
    {0},
};

static error_t
parse(int key, char *argument, struct argp_state *state)
{
    merge_options *options = state->input;
    switch (key) {
    case 'o':
        options->output = argument;
        return 0;
    case ARGP_KEY_ARG:
        if (options->count == SOURCES_MAX)
            argp_error(state, "at most %d traces at a time", SOURCES_MAX);
        options->inputs[options->count++] = argument;
        return 0;
    case ARGP_KEY_END:
        if (options->count < 2 || !options->output)
            argp_error(state, "name at least two traces, and the one to write (-o)");
        for (unsigned i = 0; i < options->count; i++)
            if (rh_output_same_file(options->inputs[i], options->output))
                argp_error(state, "%s is among what is read; give what is written another name",
                           options->output);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp parser = {
    known,
    parse,
    "FILE FILE...",
    "Puts the events of several traces, of the processes of a program say, into one trace, each "
    "thread apart. By the times of their events if all have times, each from its own beginning; "
    "else "
    "evenly, so that all end together.\v"
    "Example:\n"
    "  reheap merge server.rht server.rht.1234 server.rht.1235 -o all.rht",
    NULL,
    NULL,
    NULL,
};

typedef struct merge_source {
    rh_reader *reader;
    rh_copy_source copy;
    rh_batch batch;
    size_t at;
    uint64_t done, total;
    double share; /* done of the total */
    unsigned number;
} merge_source;

typedef struct merging {
    const merge_options *options;
    merge_source sources[SOURCES_MAX];
    merge_source *heap[SOURCES_MAX]; /* those with events left; each comes before the two at twice
                                        its place */
    unsigned left;
    bool timed;
    rh_copier copier;
} merging;

static void
keep_if_same(char **text, const char *other)
{
    if (*text && (!other || strcmp(*text, other) != 0)) {
        free(*text);
        *text = NULL;
    }
}

/* What is said of all of them: what each says alike, and all the command lines. False: no memory.
 */
static bool
join(rh_trace_info *all, const rh_trace_info *one)
{
    bool same =
        (all->command && one->command && strcmp(all->command, one->command) == 0) || !one->command;
    char *joined = NULL;
    if (!same && asprintf(&joined, "%s%s%s", all->command ? all->command : "",
                          all->command ? "; " : "", one->command) < 0)
        return false;
    if (joined) {
        free(all->command);
        all->command = joined;
    }
    keep_if_same(&all->program, one->program);
    keep_if_same(&all->python_version, one->python_version);
    keep_if_same(&all->allocator, one->allocator);
    keep_if_same(&all->host, one->host);
    if (all->process_id != one->process_id)
        all->process_id = 0;
    return true;
}

static rh_status
open_sources(merging *merge, rh_trace_info *info, rh_error *error)
{
    merge->timed = true;
    for (unsigned i = 0; i < merge->options->count; i++) {
        rh_status status =
            rh_reader_open(merge->options->inputs[i], NULL, &merge->sources[i].reader, error);
        if (status != RH_OK)
            return status;
        const rh_trace_info *one = rh_reader_info(merge->sources[i].reader);
        merge->sources[i].total = rh_reader_end_event(merge->sources[i].reader) + 1;
        merge->sources[i].number = i;
        merge->timed &= one->timestamps != RH_TIMES_NONE;
        if (i > 0 && one->domains != info->domains)
            return rh_fail(error, RH_USAGE, "%s: it has %s domains, unlike %s; they are not alike",
                           merge->options->inputs[i], one->domains ? "" : "no",
                           merge->options->inputs[0]);
        if (i == 0 ? !rh_trace_info_copy(info, one) : !join(info, one))
            return rh_fail(error, RH_SYSTEM, "out of memory");
    }
    if (!merge->timed)
        info->timestamps = RH_TIMES_NONE;
    info->addresses = false; /* those of several processes mean nothing together */
    return RH_OK;
}

/* Sees to it that the source's next event is in its batch, unless it has none. */
static rh_status
refill(merge_source *source, rh_error *error)
{
    if (source->at < source->batch.count || (source->done > 0 && source->batch.count == 0))
        return RH_OK;
    source->at = 0;
    return rh_reader_next(source->reader, &source->batch, error);
}

/* Of two that are as far, the one that was named first. */
static bool
comes_before(const merging *merge, const merge_source *a, const merge_source *b)
{
    if (merge->timed) {
        uint64_t one = a->batch.events[a->at].time_ns, other = b->batch.events[b->at].time_ns;
        return one != other ? one < other : a->number < b->number;
    }
    return a->share != b->share ? a->share < b->share : a->number < b->number;
}

/* Puts the source at `place` of the heap where it belongs; all below are in order. */
static void
sink(merging *merge, unsigned place)
{
    merge_source *source = merge->heap[place];
    for (unsigned below; (below = 2 * place + 1) < merge->left; place = below) {
        if (below + 1 < merge->left &&
            comes_before(merge, merge->heap[below + 1], merge->heap[below]))
            below++;
        if (comes_before(merge, source, merge->heap[below]))
            break;
        merge->heap[place] = merge->heap[below];
    }
    merge->heap[place] = source;
}

static rh_status
begin_sources(merging *merge, rh_error *error)
{
    for (unsigned i = 0; i < merge->options->count; i++) {
        rh_status status = refill(&merge->sources[i], error);
        if (status != RH_OK)
            return status;
        if (merge->sources[i].batch.count)
            merge->heap[merge->left++] = &merge->sources[i];
    }
    for (unsigned place = merge->left / 2; place-- > 0;)
        sink(merge, place);
    return RH_OK;
}

/* Copies the next event of the source at the top, and puts another there. */
static rh_status
copy_next(merging *merge, rh_error *error)
{
    merge_source *source = merge->heap[0];
    rh_copier_expect(&merge->copier, &source->copy, source->batch.events, source->at,
                     source->batch.count);
    rh_status status =
        rh_copier_put(&merge->copier, &source->copy, &source->batch.events[source->at], error);
    source->at++;
    source->done++;
    source->share = (double)source->done / (double)source->total;
    if (status == RH_OK)
        status = refill(source, error);
    if (source->at >= source->batch.count)
        merge->heap[0] = merge->heap[--merge->left];
    if (merge->left > 1 && status == RH_OK)
        sink(merge, 0);
    return status;
}

static uint64_t
events_of_all(const merging *merge)
{
    uint64_t events = 0;
    for (unsigned i = 0; i < merge->options->count; i++)
        events += rh_reader_end_event(merge->sources[i].reader);
    return events;
}

static rh_status
copy_events(merging *merge, rh_error *error)
{
    rh_progress progress;
    uint64_t done = 0;
    rh_progress_begin(&progress, "merging", "events", events_of_all(merge));
    rh_status status = begin_sources(merge, error);
    while (status == RH_OK && merge->left) {
        status = copy_next(merge, error);
        if (++done % PROGRESS_EVERY)
            continue;
        rh_progress_update(&progress, done);
        if (status == RH_OK && rh_interrupted())
            status = rh_fail(error, RH_INTERRUPTED, "interrupted; there is no %s",
                             merge->options->output);
    }
    rh_progress_end(&progress);
    return status;
}

static rh_status
merge_all(const merge_options *options, uint64_t *events, rh_error *error)
{
    merging *merge = calloc(1, sizeof *merge);
    rh_trace_info info;
    if (!merge)
        return rh_fail(error, RH_SYSTEM, "out of memory");
    merge->options = options;
    rh_trace_info_init(&info);
    rh_status status = open_sources(merge, &info, error);
    if (status == RH_OK)
        status = rh_copier_open(&merge->copier, options->output, &info, "merged", error);
    if (status == RH_OK) {
        status = rh_copier_end(&merge->copier, copy_events(merge, error), error);
        *events = merge->copier.events;
    }
    for (unsigned i = 0; i < options->count; i++) {
        rh_copy_source_release(&merge->sources[i].copy);
        if (merge->sources[i].reader)
            rh_reader_close(merge->sources[i].reader);
    }
    rh_trace_info_release(&info);
    free(merge);
    return status;
}

static int
run(int argc, char **argv)
{
    merge_options options = {.count = 0};
    rh_error error = {.status = RH_OK};
    uint64_t events = 0;
    char count[RH_SIZE_TEXT];
    argp_err_exit_status = RH_USAGE;
    argp_parse(&parser, argc, argv, 0, NULL, &options);
    rh_interrupt_watch();
    rh_status status = merge_all(&options, &events, &error);
    if (status != RH_OK)
        fprintf(stderr, "reheap merge: %s\n", error.message);
    else
        fprintf(stderr, "reheap merge: %s: %s events of %u traces\n", options.output,
                rh_count_grouped(events, count, sizeof count), options.count);
    return (int)status;
}

const rh_command rh_cmd_merge = {"merge", "put several traces into one", run};
