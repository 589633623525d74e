/* reheap filter: some of a trace's blocks, as a trace. */
#include <argp.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/output.h"
#include "base/size.h"
#include "traces/commands.h"
#include "traces/copier.h"
#include "traces/event_names.h"
#include "traces/one_trace.h"
#include "traces/read_loop.h"
#include "traces/reader.h"

enum { KEY_SIZE = 256, KEY_DOMAIN, KEY_THREAD, KEY_NESTED };

typedef struct filter_options {
    rh_one_trace trace;
    uint64_t least, most; /* bytes */
    unsigned domains;     /* a bit for each */
    uint32_t thread;
    bool by_domain, one_thread, without_nested;
} filter_options;

static const struct argp_option known[] = {
    {"size", KEY_SIZE, "A..B", 0, "blocks born with A to B bytes; A or B may be left out", 0},
    {"domain", KEY_DOMAIN, "D", 0, "blocks of raw, mem, obj or libc; may be given again", 0},
    {"thread", KEY_THREAD, "N", 0, "blocks born in thread N (as `dump` numbers them)", 0},
    {"without-nested", KEY_NESTED, NULL, 0, "no calls that an allocator made for itself", 0},
    {0},
};

static void
read_sizes(filter_options *options, struct argp_state *state, const char *text)
{
    char from[64];
    const char *dots = strstr(text, ".."), *to = dots ? dots + 2 : text;
    size_t length = dots ? (size_t)(dots - text) : strlen(text);
    bool good = length < sizeof from;
    if (good) {
        memcpy(from, text, length);
        from[length] = '\0';
        good = (length == 0 || rh_size_parse(from, &options->least)) &&
               (*to == '\0' || rh_size_parse(to, &options->most)) &&
               options->least <= options->most;
    }
    if (!good)
        argp_error(state, "--size=%s: it takes a size or a range of sizes, like 512, 1K..4K, ..512",
                   text);
}

static void
read_domain(filter_options *options, struct argp_state *state, const char *text)
{
    for (unsigned i = 0; i < RH_EVENT_DOMAINS; i++) {
        if (strcmp(text, rh_event_domain_names[i]) == 0) {
            options->domains |= 1u << i;
            options->by_domain = true;
            return;
        }
    }
    argp_error(state, "--domain=%s: it is one of raw, mem, obj and libc", text);
}

static error_t
parse(int key, char *argument, struct argp_state *state)
{
    filter_options *options = state->input;
    uint64_t number = 0;
    switch (key) {
    case KEY_SIZE:
        read_sizes(options, state, argument);
        return 0;
    case KEY_DOMAIN:
        read_domain(options, state, argument);
        return 0;
    case KEY_THREAD:
        if (!rh_count_parse(argument, &number) || number >= UINT32_MAX)
            argp_error(state, "--thread=%s: it is a number", argument);
        options->thread = (uint32_t)number;
        options->one_thread = true;
        return 0;
    case KEY_NESTED:
        options->without_nested = true;
        return 0;
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &options->trace;
        return 0;
    case ARGP_KEY_END:
        if (!options->by_domain)
            options->domains = (1u << RH_EVENT_DOMAINS) - 1;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp parser = {
    known,
    parse,
    "FILE",
    "Writes the events of some blocks as a trace of its own. A block is chosen by its birth and "
    "keeps "
    "its resizes and its death, whatever their sizes and threads. Marks stay.\v"
    "Example:\n"
    "  reheap filter program.rht --size ..512 --domain obj -o small.rht",
    rh_one_trace_to_argp,
    NULL,
    NULL,
};

static bool
is_birth(const rh_event *event)
{
    return event->operation <= RH_CALLOC || event->operation == RH_ALIGNED ||
           (event->operation == RH_REALLOC &&
            (event->flags & (RH_EVENT_NULL | RH_EVENT_FOREIGN | RH_EVENT_FAILED)));
}

/* Told without a branch, as births and deaths come in no order. */
static inline bool
matches(const filter_options *options, const rh_event *event)
{
    return (options->domains >> event->domain & 1) &
           (!options->one_thread | (event->thread == options->thread)) &
           !(options->without_nested & ((event->flags & RH_EVENT_NESTED) != 0));
}

static inline bool
fits(const filter_options *options, const rh_event *event)
{
    return (event->size >= options->least) & (event->size <= options->most) &
           matches(options, event);
}

static bool
rare_is_wanted(const filter_options *options, const rh_copy_source *source, const rh_event *event)
{
    if (event->operation > RH_ALIGNED)
        return true;
    if (is_birth(event))
        return fits(options, event);
    if (event->slot != RH_NO_SLOT && !(event->flags & RH_EVENT_NULL))
        return event->slot < source->slot_room && source->slots[event->slot].copied;
    /* Frees of NULL and of what was never seen. */
    return options->least == 0 && matches(options, event);
}

static inline bool
wanted(const filter_options *options, const rh_copy_source *source, const rh_event *event)
{
    enum { BIRTHS = 1 << RH_MALLOC | 1 << RH_CALLOC | 1 << RH_ALIGNED };
    if (event->operation > RH_ALIGNED || event->slot >= source->slot_room ||
        event->flags & (RH_EVENT_FAILED | RH_EVENT_NULL | RH_EVENT_FOREIGN))
        return rare_is_wanted(options, source, event);
    bool birth = BIRTHS >> event->operation & 1, copied = source->slots[event->slot].copied;
    return (birth & fits(options, event)) | (!birth & copied);
}

typedef struct filtering {
    const filter_options *options;
    rh_copier copier;
    rh_copy_source source;
} filtering;

static rh_status
take_batch(void *ctx, const rh_batch *batch, bool *done, rh_error *error)
{
    filtering *filter = ctx;
    const filter_options options =
        *filter->options; /* nobody else's: not read again for each event */
    rh_status status = RH_OK;
    (void)done;
    for (size_t i = 0; i < batch->count && status == RH_OK; i++) {
        rh_copier_expect(&filter->copier, &filter->source, batch->events, i, batch->count);
        if (wanted(&options, &filter->source, &batch->events[i]))
            status = rh_copier_put(&filter->copier, &filter->source, &batch->events[i], error);
    }
    return status;
}

static rh_status
filter_trace(const filter_options *options, uint64_t *events, rh_error *error)
{
    const rh_one_trace *trace = &options->trace;
    filtering filter = {.options = options};
    rh_read_loop loop = {.path = trace->path,
                         .doing = "filtering",
                         .output = trace->output,
                         .end = UINT64_MAX,
                         .take = take_batch,
                         .ctx = &filter};
    rh_reader *reader;
    rh_status status = rh_reader_open(trace->path, NULL, &reader, error);
    if (status != RH_OK)
        return status;
    const rh_trace_info *info = rh_reader_info(reader);
    if (options->by_domain && !info->domains)
        status = rh_fail(error, RH_USAGE, "%s: it has no domains to choose by", trace->path);
    else
        status = rh_copier_open(&filter.copier, trace->output, info, "filtered", error);
    if (status == RH_OK) {
        status = rh_copier_end(&filter.copier, rh_read_loop_run(&loop, reader, error), error);
        *events = filter.copier.events;
    }
    rh_copy_source_release(&filter.source);
    rh_reader_close(reader);
    return status;
}

static int
run(int argc, char **argv)
{
    filter_options options = {.most = UINT64_MAX};
    rh_error error = {.status = RH_OK};
    uint64_t events = 0;
    char count[RH_SIZE_TEXT];
    argp_err_exit_status = RH_USAGE;
    argp_parse(&parser, argc, argv, 0, NULL, &options);
    rh_interrupt_watch();
    rh_status status = filter_trace(&options, &events, &error);
    if (status != RH_OK)
        fprintf(stderr, "reheap filter: %s\n", error.message);
    else
        fprintf(stderr, "reheap filter: %s: %s events%s\n", options.trace.output,
                rh_count_grouped(events, count, sizeof count),
                events ? "" : "; no block is like that");
    return (int)status;
}

const rh_command rh_cmd_filter = {"filter", "write some of a trace's blocks as a trace", run};
