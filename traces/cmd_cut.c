/* reheap cut: a piece of a trace, as a trace. */
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
#include "traces/one_trace.h"
#include "traces/read_loop.h"
#include "traces/reader.h"

enum { KEY_AFTER = 256, KEY_UNTIL };

typedef struct cut_options {
    rh_one_trace trace;
    uint64_t from, to;         /* events */
    uint64_t from_ns, to_ns;   /* time */
    const char *after, *until; /* marks: the piece lies between them */
    bool by_event, by_time;
} cut_options;

static const struct argp_option known[] = {
    {"from", 'f', "N|TIME", 0, "begin with event N, or at a time: 1.5s, 20ms", 0},
    {"to", 't', "N|TIME", 0, "end before event N, or at a time", 0},
    {"after", KEY_AFTER, "PHASE", 0, "begin at the mark PHASE", 0},
    {"until", KEY_UNTIL, "PHASE", 0, "end at the mark PHASE that comes next", 0},
    {0},
};

static void
read_place(cut_options *options, struct argp_state *state, const char *text, uint64_t *event,
           uint64_t *ns)
{
    if (rh_count_parse(text, event))
        options->by_event = true;
    else if (rh_time_parse(text, ns))
        options->by_time = true;
    else
        argp_error(state, "'%s' is neither a number of an event nor a time like 1.5s or 20ms",
                   text);
}

static error_t
parse(int key, char *argument, struct argp_state *state)
{
    cut_options *options = state->input;
    switch (key) {
    case 'f':
        read_place(options, state, argument, &options->from, &options->from_ns);
        return 0;
    case 't':
        read_place(options, state, argument, &options->to, &options->to_ns);
        return 0;
    case KEY_AFTER:
        options->after = argument;
        return 0;
    case KEY_UNTIL:
        options->until = argument;
        return 0;
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &options->trace;
        return 0;
    case ARGP_KEY_END:
        if (!options->by_event && !options->by_time && !options->after && !options->until)
            argp_error(state, "say where to cut: --from, --to, --after or --until");
        if (options->from > options->to || options->from_ns > options->to_ns)
            argp_error(state, "the piece ends before it begins");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp parser = {
    known,
    parse,
    "FILE",
    "Writes a piece of a trace as a trace of its own. Blocks that live where it begins are born in "
    "a "
    "preamble, in the order of their births, as mallocs; the mark `cut` ends it.\v"
    "Examples:\n"
    "  reheap cut program.rht --from 1000000 --to 2000000 -o middle.rht\n"
    "  reheap cut program.rht --after loading --until done -o loading.rht",
    rh_one_trace_to_argp,
    NULL,
    NULL,
};

/* A block that lives where the piece begins. */
typedef struct living_block {
    rh_event birth;
    uint64_t number; /* of the birth; 0: nothing lives in the slot */
} living_block;

typedef struct cutting {
    const cut_options *options;
    rh_reader *reader;
    rh_copier copier;
    rh_copy_source source;
    living_block *living;
    uint32_t room;
    uint64_t births;
    bool begun, ended;
    bool marked; /* a mark has opened the piece */
} cutting;

static bool
make_room(cutting *cut, uint32_t slot)
{
    if (slot < cut->room)
        return true;
    uint64_t room = cut->room ? cut->room : 1024;
    while (room <= slot)
        room *= 2;
    living_block *grown = realloc(cut->living, room * sizeof *grown);
    if (!grown)
        return false;
    memset(grown + cut->room, 0, (room - cut->room) * sizeof *grown);
    cut->living = grown;
    cut->room = (uint32_t)room;
    return true;
}

/* Before the piece: only what lives is kept. */
static rh_status
pass_by(cutting *cut, const rh_event *event, rh_error *error)
{
    if (event->slot == RH_NO_SLOT || event->operation > RH_ALIGNED ||
        (event->flags & RH_EVENT_FAILED))
        return RH_OK;
    if (!make_room(cut, event->slot))
        return rh_fail(error, RH_SYSTEM, "out of memory");
    living_block *block = &cut->living[event->slot];
    if (event->operation == RH_FREE) {
        block->number = 0;
        return RH_OK;
    }
    uint64_t number = block->number ? block->number : ++cut->births;
    *block = (living_block){.birth = *event, .number = number};
    return RH_OK;
}

static int
compare_births(const void *left, const void *right)
{
    const living_block *a = *(living_block *const *)left, *b = *(living_block *const *)right;
    return (a->number > b->number) - (a->number < b->number);
}

static rh_status
write_mark(cutting *cut, const char *text, uint64_t time_ns, rh_error *error)
{
    rh_event mark = {.operation = RH_MARK,
                     .slot = RH_NO_SLOT,
                     .text = text,
                     .size = strlen(text),
                     .time_ns = time_ns};
    return rh_copier_put(&cut->copier, &cut->source, &mark, error);
}

static rh_status
write_preamble(cutting *cut, uint64_t time_ns, rh_error *error)
{
    size_t count = 0;
    living_block **order = malloc(((size_t)cut->room + 1) * sizeof *order);
    if (!order)
        return rh_fail(error, RH_SYSTEM, "out of memory");
    for (uint32_t slot = 0; slot < cut->room; slot++)
        if (cut->living[slot].number)
            order[count++] = &cut->living[slot];
    qsort(order, count, sizeof *order, compare_births);
    rh_status status = RH_OK;
    for (size_t i = 0; i < count && status == RH_OK; i++) {
        const rh_event *birth = &order[i]->birth;
        rh_event event = {.operation = RH_MALLOC,
                          .domain = birth->domain,
                          .flags = birth->flags & RH_EVENT_NESTED,
                          .slot = birth->slot,
                          .size = birth->size,
                          .address = birth->address,
                          .thread = birth->thread,
                          .time_ns = time_ns};
        status = rh_copier_put(&cut->copier, &cut->source, &event, error);
    }
    free(order);
    cut->begun = true;
    return status == RH_OK ? write_mark(cut, "cut", time_ns, error) : status;
}

static bool
is_mark(const rh_event *event, const char *text)
{
    return text && event->operation == RH_MARK && strcmp(event->text, text) == 0;
}

static bool
begins(cutting *cut, uint64_t at, const rh_event *event)
{
    const cut_options *options = cut->options;
    cut->marked |= !options->after || is_mark(event, options->after);
    return cut->marked && at >= options->from && event->time_ns >= options->from_ns;
}

static bool
ends(const cutting *cut, uint64_t at, const rh_event *event)
{
    const cut_options *options = cut->options;
    return at >= options->to || event->time_ns >= options->to_ns ||
           (cut->begun && is_mark(event, options->until));
}

static rh_status
take_event(cutting *cut, uint64_t at, const rh_event *event, rh_error *error)
{
    rh_status status = RH_OK;
    if (ends(cut, at, event)) {
        cut->ended = true;
        return RH_OK;
    }
    if (!cut->begun && !begins(cut, at, event))
        return pass_by(cut, event, error);
    if (!cut->begun)
        status = write_preamble(cut, event->time_ns, error);
    return status == RH_OK ? rh_copier_put(&cut->copier, &cut->source, event, error) : status;
}

/* From the last key before the piece on: what lives there, and the events behind it. */
static rh_status
enter(cutting *cut, rh_error *error)
{
    const cut_options *options = cut->options;
    if (options->after)
        return RH_OK; /* a mark may be anywhere */
    rh_batch batch;
    rh_status status = options->from_ns ? rh_reader_seek_time(cut->reader, options->from_ns, error)
                                        : rh_reader_seek(cut->reader, options->from, error);
    while (status == RH_OK && (status = rh_reader_live(cut->reader, &batch, error)) == RH_OK &&
           batch.count > 0)
        for (size_t i = 0; i < batch.count && status == RH_OK; i++)
            status = pass_by(cut, &batch.events[i], error);
    return status;
}

static rh_status
take_batch(void *ctx, const rh_batch *batch, bool *done, rh_error *error)
{
    cutting *cut = ctx;
    rh_status status = RH_OK;
    for (size_t i = 0; i < batch->count && status == RH_OK && !cut->ended; i++) {
        if (cut->begun)
            rh_copier_expect(&cut->copier, &cut->source, batch->events, i, batch->count);
        status = take_event(cut, batch->first_event + i, &batch->events[i], error);
    }
    *done = cut->ended;
    return status;
}

static rh_status
take_events(cutting *cut, rh_error *error)
{
    const rh_one_trace *trace = &cut->options->trace;
    rh_read_loop loop = {.path = trace->path,
                         .doing = "cutting",
                         .output = trace->output,
                         .end = cut->options->to,
                         .take = take_batch,
                         .ctx = cut};
    rh_status status = enter(cut, error);
    if (status == RH_OK)
        status = rh_read_loop_run(&loop, cut->reader, error);
    if (status == RH_OK && !cut->begun)
        return rh_fail(error, RH_USAGE, "%s: nothing of it lies there: it %s", trace->path,
                       cut->options->after && !cut->marked
                           ? "has no such mark"
                           : "ends before that, or the piece is empty");
    /* What was meant to be a phase would be the rest of the trace. */
    if (status == RH_OK && cut->options->until && !cut->ended)
        return rh_fail(error, RH_USAGE,
                       "%s: the mark `%s` does not come where the piece should end", trace->path,
                       cut->options->until);
    return status;
}

static rh_status
cut_piece(const cut_options *options, uint64_t *events, rh_error *error)
{
    cutting cut = {.options = options};
    rh_status status = rh_reader_open(options->trace.path, NULL, &cut.reader, error);
    if (status != RH_OK)
        return status;
    if (options->by_time && rh_reader_info(cut.reader)->timestamps == RH_TIMES_NONE)
        status = rh_fail(error, RH_USAGE,
                         "%s: it has no times; cut by event, or record with --timestamps=coarse",
                         options->trace.path);
    if (status == RH_OK)
        status = rh_copier_open(&cut.copier, options->trace.output, rh_reader_info(cut.reader),
                                "cut", error);
    if (status == RH_OK) {
        status = rh_copier_end(&cut.copier, take_events(&cut, error), error);
        *events = cut.copier.events;
    }
    rh_copy_source_release(&cut.source);
    free(cut.living);
    rh_reader_close(cut.reader);
    return status;
}

static int
run(int argc, char **argv)
{
    cut_options options = {.to = UINT64_MAX, .to_ns = UINT64_MAX};
    rh_error error = {.status = RH_OK};
    uint64_t events = 0;
    char count[RH_SIZE_TEXT];
    argp_err_exit_status = RH_USAGE;
    argp_parse(&parser, argc, argv, 0, NULL, &options);
    rh_interrupt_watch();
    rh_status status = cut_piece(&options, &events, &error);
    if (status != RH_OK)
        fprintf(stderr, "reheap cut: %s\n", error.message);
    else
        fprintf(stderr, "reheap cut: %s: %s events, the preamble's and marks included\n",
                options.trace.output, rh_count_grouped(events, count, sizeof count));
    return (int)status;
}

const rh_command rh_cmd_cut = {"cut", "write a piece of a trace as a trace", run};
