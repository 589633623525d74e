/* reheap dump: the events of a trace, one a line. */
#include <argp.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/output.h"
#include "base/size.h"
#include "traces/commands.h"
#include "traces/event_names.h"
#include "traces/one_trace.h"
#include "traces/read_loop.h"
#include "traces/reader.h"
#include "traces/trace_info.h"
#include "traces/trace_json.h"

typedef struct dump_options {
    rh_one_trace trace;
    uint64_t from, count;
} dump_options;

static const struct argp_option known[] = {
    {"from", 'f', "N", 0, "begin with event N (the first is 0)", 0},
    {"count", 'n', "K", 0, "at most K events; default: all", 0},
    {0},
};

static uint64_t
number(struct argp_state *state, const char *option, const char *text)
{
    uint64_t value = 0;
    if (!rh_count_parse(text, &value))
        argp_error(state, "%s takes a number of events, not '%s'", option, text);
    return value;
}

static error_t
parse(int key, char *argument, struct argp_state *state)
{
    dump_options *options = state->input;
    switch (key) {
    case 'f':
        options->from = number(state, "--from", argument);
        return 0;
    case 'n':
        options->count = number(state, "--count", argument);
        return 0;
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &options->trace;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp parser = {
    known,
    parse,
    "FILE",
    "Prints the events of a trace, one a line: number, time where the trace has times, thread, "
    "domain, "
    "what was asked, and the block as #SLOT. A slot belongs to one block from its birth to its "
    "death, "
    "and then to another.\v"
    "Example:\n"
    "  reheap dump --from 1000 --count 20 program.rht",
    rh_one_trace_argp,
    NULL,
    NULL,
};

static bool
has_text(const rh_event *event)
{
    return event->operation == RH_MARK || event->operation == RH_CHECKPOINT;
}

/* The text on one line: what would end it is escaped. */
static void
print_text(const char *text)
{
    putchar('"');
    for (; *text; text++) {
        unsigned char byte = (unsigned char)*text;
        if (byte == '"' || byte == '\\')
            printf("\\%c", byte);
        else if (byte == '\n')
            fputs("\\n", stdout);
        else if (byte < 0x20 || byte == 0x7F)
            printf("\\x%02x", byte);
        else
            putchar(byte);
    }
    putchar('"');
}

static void
print_request(const rh_event *event)
{
    switch (event->operation) {
    case RH_CALLOC:
        printf(" %" PRIu64 " x %" PRIu64, event->count, event->element);
        break;
    case RH_REALLOC:
        if (event->slot != RH_NO_SLOT && !(event->flags & (RH_EVENT_NULL | RH_EVENT_FOREIGN)))
            printf(" %" PRIu64 " -> %" PRIu64, event->old_size, event->size);
        else
            printf(" %" PRIu64, event->size);
        break;
    case RH_ALIGNED:
        printf(" %" PRIu64 " at %" PRIu64, event->size, (uint64_t)1 << event->alignment_log2);
        break;
    case RH_FREE:
        if (event->slot != RH_NO_SLOT)
            printf(" %" PRIu64, event->size);
        break;
    case RH_MARK:
    case RH_CHECKPOINT:
        putchar(' ');
        print_text(event->text);
        break;
    default:
        printf(" %" PRIu64, event->size);
        break;
    }
}

static void
print_line(const rh_trace_info *info, uint64_t at, const rh_event *event)
{
    printf("%10" PRIu64, at);
    if (info->timestamps != RH_TIMES_NONE)
        printf(" %13.6fs", (double)event->time_ns / 1e9);
    printf(" t%-2" PRIu32, event->thread);
    bool call = event->operation <= RH_ALIGNED;
    if (info->domains)
        printf(" %s", call ? rh_event_domain_names[event->domain] : "   ");
    printf(" %-7s", rh_event_operation_names[event->operation]);
    print_request(event);
    if (event->slot != RH_NO_SLOT)
        printf(" #%" PRIu32, event->slot);
    if (event->address)
        printf(" 0x%" PRIx64, event->address);
    for (size_t i = 0; i < RH_EVENT_FLAGS; i++)
        if (event->flags & rh_event_flag_names[i].flag)
            printf(" %s", rh_event_flag_names[i].name);
    putchar('\n');
}

static void
set_number(json_t *object, const char *name, uint64_t value)
{
    json_object_set_new(object, name,
                        value > INT64_MAX ? json_null() : json_integer((json_int_t)value));
}

static json_t *
json_event(const rh_trace_info *info, uint64_t at, const rh_event *event)
{
    json_t *object = json_object();
    set_number(object, "event", at);
    if (info->timestamps != RH_TIMES_NONE)
        set_number(object, "time_ns", event->time_ns);
    set_number(object, "thread", event->thread);
    if (info->domains && event->operation <= RH_ALIGNED)
        json_object_set_new(object, "domain", json_string(rh_event_domain_names[event->domain]));
    json_object_set_new(object, "operation",
                        json_string(rh_event_operation_names[event->operation]));
    if (event->slot != RH_NO_SLOT)
        set_number(object, "slot", event->slot);
    set_number(object, "size", event->size);
    if (event->operation == RH_CALLOC) {
        set_number(object, "count", event->count);
        set_number(object, "element", event->element);
    }
    if (event->operation == RH_ALIGNED)
        set_number(object, "alignment", (uint64_t)1 << event->alignment_log2);
    if (event->address)
        set_number(object, "address", event->address);
    if (has_text(event))
        json_object_set_new(object, "text", rh_trace_json_string(event->text));
    json_t *flags = json_array();
    for (size_t i = 0; i < RH_EVENT_FLAGS; i++)
        if (event->flags & rh_event_flag_names[i].flag)
            json_array_append_new(flags, json_string(rh_event_flag_names[i].name));
    json_object_set_new(object, "flags", flags);
    return object;
}

static void
print_event(const dump_options *options, const rh_trace_info *info, uint64_t at,
            const rh_event *event)
{
    if (!options->trace.json) {
        print_line(info, at, event);
        return;
    }
    fputs(at == options->from ? "\n" : ",\n", stdout);
    json_t *object = json_event(info, at, event);
    json_dumpf(object, stdout, JSON_COMPACT);
    json_decref(object);
}

typedef struct dumping {
    const dump_options *options;
    const rh_trace_info *info;
    uint64_t end; /* the number of the first event behind what is wanted */
    bool any;
} dumping;

static rh_status
print_batch(void *ctx, const rh_batch *batch, bool *done, rh_error *error)
{
    dumping *dump = ctx;
    (void)error;
    for (size_t i = 0; i < batch->count; i++) {
        uint64_t at = batch->first_event + i;
        if (at < dump->options->from || at >= dump->end)
            continue;
        print_event(dump->options, dump->info, at, &batch->events[i]);
        dump->any = true;
    }
    *done = ferror(stdout) != 0;
    return RH_OK;
}

static rh_status
print_events(const dump_options *options, rh_reader *reader, rh_error *error)
{
    uint64_t end = options->from + options->count;
    dumping dump = {options, rh_reader_info(reader), end < options->from ? UINT64_MAX : end, false};
    rh_read_loop loop = {.path = options->trace.path,
                         .doing = "dumping",
                         .prints = true,
                         .end = dump.end,
                         .take = print_batch,
                         .ctx = &dump};
    rh_status status = rh_reader_seek(reader, options->from, error);
    if (status == RH_OK)
        status = rh_read_loop_run(&loop, reader, error);
    if (status == RH_OK && !dump.any && options->from > 0 && options->count > 0)
        fprintf(stderr, "reheap dump: %s: it ends before event %" PRIu64 "\n", options->trace.path,
                options->from);
    return status;
}

static rh_status
dump(const dump_options *options, rh_error *error)
{
    rh_reader *reader;
    rh_status status = rh_reader_open(options->trace.path, NULL, &reader, error);
    if (status != RH_OK)
        return status;
    if (options->trace.json) {
        json_t *path = rh_trace_json_string(options->trace.path);
        fputs("{\"schema\": \"reheap.dump/1\", \"file\": ", stdout);
        json_dumpf(path, stdout, JSON_ENCODE_ANY);
        fputs(", \"events\": [", stdout);
        json_decref(path);
    }
    status = print_events(options, reader, error);
    if (options->trace.json)
        fputs("\n]}\n", stdout);
    rh_reader_close(reader);
    if (fflush(stdout) != 0 && status == RH_OK)
        status = rh_fail(error, RH_SYSTEM, "cannot print");
    return status;
}

static int
run(int argc, char **argv)
{
    dump_options options = {.count = UINT64_MAX};
    argp_err_exit_status = RH_USAGE;
    argp_parse(&parser, argc, argv, 0, NULL, &options);
    rh_interrupt_watch();
    rh_error error = {.status = RH_OK};
    rh_status status = dump(&options, &error);
    if (status != RH_OK)
        fprintf(stderr, "reheap dump: %s\n", error.message);
    return (int)status;
}

const rh_command rh_cmd_dump = {"dump", "print the events of a trace, one a line", run};
