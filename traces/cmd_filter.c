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
#include "traces/reader.h"

enum { KEY_SIZE = 256, KEY_DOMAIN, KEY_THREAD, KEY_NESTED, DOMAINS = 3 };

typedef struct filter_options {
    const char *input, *output;
    uint64_t least, most; /* bytes */
    unsigned domains;     /* bit by domain; 0: all */
    uint32_t thread;
    bool one_thread, without_nested;
} filter_options;

static const char *const domain_names[DOMAINS] = {"raw", "mem", "obj"};

static const struct argp_option known[] = {
    {"size", KEY_SIZE, "A..B", 0, "blocks born with A to B bytes; A or B may be left out", 0},
    {"domain", KEY_DOMAIN, "D", 0, "blocks of raw, mem or obj; may be given again", 0},
    {"thread", KEY_THREAD, "N", 0, "blocks born in thread N (as `dump` numbers them)", 0},
    {"without-nested", KEY_NESTED, NULL, 0, "no calls that an allocator made for itself", 0},
    {"output", 'o', "FILE", 0, "write them to FILE", 0},
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
    for (unsigned i = 0; i < DOMAINS; i++) {
        if (strcmp(text, domain_names[i]) == 0) {
            options->domains |= 1u << i;
            return;
        }
    }
    argp_error(state, "--domain=%s: it is one of raw, mem and obj", text);
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
        if (!rh_size_parse(argument, &number) || number >= UINT32_MAX)
            argp_error(state, "--thread=%s: it is a number", argument);
        options->thread = (uint32_t)number;
        options->one_thread = true;
        return 0;
    case KEY_NESTED:
        options->without_nested = true;
        return 0;
    case 'o':
        options->output = argument;
        return 0;
    case ARGP_KEY_ARG:
        if (options->input)
            argp_error(state, "one trace at a time; '%s' is the second", argument);
        options->input = argument;
        return 0;
    case ARGP_KEY_END:
        if (!options->input || !options->output)
            argp_error(state, "name a trace, and the one to write (-o)");
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
    NULL,
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

static bool
wanted(const filter_options *options, const rh_copy_source *source, const rh_event *event)
{
    if (event->operation > RH_ALIGNED)
        return true;
    bool matches = (!options->domains || options->domains >> event->domain & 1) &&
                   (!options->one_thread || event->thread == options->thread) &&
                   !(options->without_nested && event->flags & RH_EVENT_NESTED);
    if (is_birth(event))
        return matches && event->size >= options->least && event->size <= options->most;
    if (event->slot != RH_NO_SLOT && !(event->flags & RH_EVENT_NULL))
        return event->slot < source->slot_room && source->slots[event->slot].copied;
    return matches && options->least == 0; /* frees of NULL and of what was never seen */
}

static rh_status
copy_events(const filter_options *options, rh_reader *reader, rh_copier *copier, rh_error *error)
{
    rh_copy_source source = {0};
    rh_batch batch;
    rh_progress progress;
    rh_status status;
    rh_progress_begin(&progress, "filtering", "events", rh_reader_info(reader)->events);
    while ((status = rh_reader_next(reader, &batch, error)) == RH_OK && batch.count > 0) {
        for (size_t i = 0; i < batch.count && status == RH_OK; i++)
            if (wanted(options, &source, &batch.events[i]))
                status = rh_copier_put(copier, &source, &batch.events[i], error);
        if (status == RH_OK && rh_interrupted())
            status = rh_fail(error, RH_INTERRUPTED, "%s: interrupted; there is no %s",
                             options->input, options->output);
        if (status != RH_OK)
            break;
        rh_progress_update(&progress, batch.first_event + batch.count);
    }
    rh_progress_end(&progress);
    rh_copy_source_release(&source);
    return status;
}

static rh_status
filter(const filter_options *options, uint64_t *events, rh_error *error)
{
    rh_reader *reader;
    rh_copier copier;
    rh_status status = rh_reader_open(options->input, NULL, &reader, error);
    if (status != RH_OK)
        return status;
    status =
        options->domains && !rh_reader_info(reader)->domains
            ? rh_fail(error, RH_USAGE, "%s: it has no domains to choose by", options->input)
            : rh_copier_open(&copier, options->output, rh_reader_info(reader), "filtered", error);
    if (status == RH_OK) {
        status = copy_events(options, reader, &copier, error);
        *events = copier.events;
        if (status == RH_OK)
            status = rh_copier_finish(&copier, error);
        else
            rh_copier_discard(&copier);
    }
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
    rh_status status = filter(&options, &events, &error);
    if (status != RH_OK)
        fprintf(stderr, "reheap filter: %s\n", error.message);
    else
        fprintf(stderr, "reheap filter: %s: %s events%s\n", options.output,
                rh_count_grouped(events, count, sizeof count),
                events ? "" : "; no block is like that");
    return (int)status;
}

const rh_command rh_cmd_filter = {"filter", "write some of a trace's blocks as a trace", run};
