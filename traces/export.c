#include "traces/export.h"

#include <inttypes.h>
#include <stdlib.h>

#include "traces/event_text.h"
#include "traces/read_loop.h"
#include "traces/trace_json.h"

/* What an exporter does with an event; false: no memory. */
typedef bool event_writer(void *state, const rh_trace_info *info, const rh_event *event, FILE *out);

typedef struct exporting {
    const rh_trace_info *info;
    event_writer *write;
    void *state;
    FILE *out;
} exporting;

static rh_status
write_batch(void *ctx, const rh_batch *batch, bool *done, rh_error *error)
{
    const exporting *export = ctx;
    (void)done;
    for (size_t i = 0; i < batch->count; i++)
        if (!export->write(export->state, export->info, &batch->events[i], export->out))
            return rh_fail(error, RH_SYSTEM, "out of memory");
    return ferror(export->out) ? rh_fail_errno(error, RH_SYSTEM, 0, "cannot write the text")
                               : RH_OK;
}

static rh_status
write_events(rh_reader *reader, const char *path, event_writer *write, void *state, FILE *out,
             rh_error *error)
{
    exporting export = {rh_reader_info(reader), write, state, out};
    rh_read_loop loop = {.path = path,
                         .doing = "exporting",
                         .prints = out == stdout,
                         .end = UINT64_MAX,
                         .take = write_batch,
                         .ctx = &export};
    return rh_read_loop_run(&loop, reader, error);
}

/* What exporters keep of a block, by slot. */
typedef struct slot_state {
    uint64_t address, size, birth;
} slot_state;

typedef struct slots {
    slot_state *list;
    uint32_t count;
    uint64_t calls; /* so far */
    uint64_t births;
    rh_export_report *report;
} slots;

static slot_state *
slot_of(slots *all, const rh_event *event)
{
    if (event->slot < all->count)
        return &all->list[event->slot];
    uint32_t count = all->count ? all->count : 1024;
    while (count <= event->slot)
        count = count > UINT32_MAX / 2 ? UINT32_MAX : count * 2;
    slot_state *list = realloc(all->list, (size_t)count * sizeof *list);
    if (!list)
        return NULL;
    for (uint32_t i = all->count; i < count; i++)
        list[i] = (slot_state){0};
    all->list = list;
    all->count = count;
    return &all->list[event->slot];
}

/* ---- text ---- */

static bool
write_text(void *state, const rh_trace_info *info, const rh_event *event, FILE *out)
{
    rh_export_report *report = state;
    report->lines++;
    return rh_event_text_print(info, event, out);
}

static rh_status
export_text(rh_reader *reader, const char *path, FILE *out, rh_export_report *report,
            rh_error *error)
{
    char *header = rh_trace_json_header(rh_reader_info(reader));
    if (!header)
        return rh_fail(error, RH_SYSTEM, "out of memory");
    fprintf(out, "%s\nheader %s\n", RH_EVENT_TEXT_FIRST, header);
    free(header);
    rh_status status = write_events(reader, path, write_text, report, out, error);
    char *totals = rh_trace_json_totals(rh_reader_info(reader));
    if (status == RH_OK && !totals)
        status = rh_fail(error, RH_SYSTEM, "out of memory");
    if (status == RH_OK)
        fprintf(out, "end %s\n", totals);
    free(totals);
    return status;
}

/* ---- Android's ---- */

enum { STAND_IN_BASE = 0x1000, STAND_IN_STEP = 16 };

static uint64_t
address_of(const rh_event *event)
{
    return event->address ? event->address : STAND_IN_BASE + (uint64_t)event->slot * STAND_IN_STEP;
}

static bool
fits_android(const rh_event *event)
{
    if (event->operation > RH_ALIGNED || (event->flags & RH_EVENT_NESTED))
        return false;
    bool born = event->flags & RH_EVENT_NULL;
    if (event->operation == RH_REALLOC && (event->flags & RH_EVENT_FAILED) && !born)
        return false; /* whose old block is not told */
    return !(event->operation == RH_FREE && (event->flags & RH_EVENT_FOREIGN));
}

static bool
write_android(void *state, const rh_trace_info *info, const rh_event *event, FILE *out)
{
    slots *all = state;
    (void)info;
    if (!fits_android(event)) {
        all->report->left_out++;
        return true;
    }
    uint64_t old = 0, now = 0;
    if (event->slot != RH_NO_SLOT) {
        slot_state *slot = slot_of(all, event);
        if (!slot)
            return false;
        old = slot->address;
        now = event->operation == RH_FREE ? old : address_of(event);
        slot->address = event->operation == RH_FREE ? 0 : now;
    }
    all->report->lines++;
    fprintf(out, "%" PRIu32 ": ", event->thread + 1);
    switch (event->operation) {
    case RH_MALLOC:
        fprintf(out, "malloc 0x%" PRIx64 " %" PRIu64 "\n", now, event->size);
        break;
    case RH_CALLOC:
        fprintf(out, "calloc 0x%" PRIx64 " %" PRIu64 " %" PRIu64 "\n", now, event->count,
                event->element);
        break;
    case RH_REALLOC:
        fprintf(out, "realloc 0x%" PRIx64 " 0x%" PRIx64 " %" PRIu64 "\n", now, old, event->size);
        break;
    case RH_ALIGNED:
        fprintf(out, "memalign 0x%" PRIx64 " %" PRIu64 " %" PRIu64 "\n", now,
                UINT64_C(1) << event->alignment_log2, event->size);
        break;
    default:
        fprintf(out, "free 0x%" PRIx64 "\n", now);
        break;
    }
    return true;
}

static rh_status
export_android(rh_reader *reader, const char *path, FILE *out, rh_export_report *report,
               rh_error *error)
{
    slots all = {.report = report};
    rh_status status = write_events(reader, path, write_android, &all, out, error);
    free(all.list);
    return status;
}

/* ---- packing ---- */

static void
write_interval(slots *all, const slot_state *slot, uint64_t end, FILE *out)
{
    if (slot->size == 0) {
        all->report->left_out++;
        return;
    }
    all->report->lines++;
    fprintf(out, "b%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 "\n", all->births++,
            slot->birth - 1, end, slot->size);
}

static bool
write_dsa(void *state, const rh_trace_info *info, const rh_event *event, FILE *out)
{
    slots *all = state;
    (void)info;
    if (event->slot == RH_NO_SLOT || event->operation > RH_ALIGNED ||
        (event->flags & (RH_EVENT_NESTED | RH_EVENT_FAILED)))
        return true;
    slot_state *slot = slot_of(all, event);
    if (!slot)
        return false;
    uint64_t now = all->calls++;
    if (slot->birth)
        write_interval(all, slot, now, out);
    bool lives = event->operation != RH_FREE;
    *slot = (slot_state){.size = lives ? event->size : 0, .birth = lives ? now + 1 : 0};
    return true;
}

static rh_status
export_dsa(rh_reader *reader, const char *path, FILE *out, rh_export_report *report,
           rh_error *error)
{
    slots all = {.report = report};
    fputs("id,lower,upper,size\n", out);
    rh_status status = write_events(reader, path, write_dsa, &all, out, error);
    for (uint32_t i = 0; i < all.count && status == RH_OK; i++)
        if (all.list[i].birth)
            write_interval(&all, &all.list[i], all.calls, out);
    free(all.list);
    return status;
}

static const rh_exporter text = {"text", "reheap's own text, which can be imported again",
                                 export_text};
static const rh_exporter android = {"android", "Android's memory_replay: `TID: malloc P SIZE`",
                                    export_android};
static const rh_exporter dsa = {
    "dsa", "a packing problem: id,lower,upper,size; time in calls, blocks of 0 bytes left out",
    export_dsa};

const rh_exporter *const rh_exporters[] = {&text, &android, &dsa, NULL};
