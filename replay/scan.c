#define _GNU_SOURCE /* strdup */
#include "replay/scan.h"

#include <stdlib.h>
#include <string.h>

#include "base/output.h"
#include "replay/channel.h"

typedef struct live_set {
    uint64_t *sizes; /* by slot; UINT64_MAX: not live */
    uint32_t room;
} live_set;

static void
make_room(live_set *live, uint32_t slots)
{
    if (slots <= live->room)
        return;
    uint32_t room = slots < UINT32_MAX / 2 ? slots * 2 : slots;
    live->sizes = realloc(live->sizes, (size_t)room * sizeof *live->sizes);
    if (!live->sizes)
        abort();
    memset(live->sizes + live->room, 0xFF, (size_t)(room - live->room) * sizeof *live->sizes);
    live->room = room;
}

static void
leave(rh_scan *scan, uint64_t *size)
{
    if (*size == UINT64_MAX)
        return;
    scan->end_requested_bytes -= *size;
    scan->end_live_blocks--;
    *size = UINT64_MAX;
}

static void
follow(rh_scan *scan, live_set *live, const rh_event *event)
{
    if (event->operation > RH_ALIGNED || event->slot == RH_NO_SLOT ||
        event->flags & (RH_EVENT_FAILED | RH_EVENT_NESTED))
        return;
    uint64_t *size = &live->sizes[event->slot];
    leave(scan, size);
    if (event->operation == RH_FREE)
        return;
    *size = event->size;
    scan->end_requested_bytes += event->size;
    scan->end_live_blocks++;
    if (scan->end_requested_bytes > scan->peak_requested_bytes)
        scan->peak_requested_bytes = scan->end_requested_bytes;
    if (scan->end_live_blocks > scan->peak_live_blocks)
        scan->peak_live_blocks = scan->end_live_blocks;
}

enum { MARKS_KEPT = 1 << 14 };

static char *
copied(const char *text)
{
    char *copy = strdup(text);
    if (!copy)
        abort();
    return copy;
}

/* Leaves every second one. */
static void
thin_marks(rh_scan *scan)
{
    for (size_t i = 0; i < MARKS_KEPT; i++) {
        if (i % 2)
            free(scan->marks[i].text);
        else
            scan->marks[i / 2] = scan->marks[i];
    }
    scan->mark_count = MARKS_KEPT / 2;
    scan->marks_every *= 2;
}

static void
keep_mark(rh_scan *scan, const rh_event *event)
{
    if (scan->marks_met++ % scan->marks_every)
        return;
    if (!scan->marks && !(scan->marks = calloc(MARKS_KEPT, sizeof *scan->marks)))
        abort();
    if (scan->mark_count == MARKS_KEPT)
        thin_marks(scan);
    uint64_t time_ns = scan->counts.has_times ? event->time_ns : RH_UNKNOWN;
    scan->marks[scan->mark_count++] =
        (rh_mark){.event = scan->counts.calls, .time_ns = time_ns, .text = copied(event->text)};
}

/* Compiled as it will be, into one buffer over and over, only to count. */
typedef struct scan_buffer {
    rh_code codes[RH_CHANNEL_CODES];
    rh_wide wides[RH_CHANNEL_WIDES];
    rh_program program;
} scan_buffer;

/* Events without a mark among them. */
static void
scan_stretch(rh_scan *scan, scan_buffer *buffer, const rh_event *events, size_t count)
{
    for (size_t done = 0; done < count;) {
        done += rh_compile(&scan->counts, events + done, count - done, &buffer->program);
        if (done == count)
            break;
        scan->batches++;
        buffer->program.code_count = buffer->program.wide_count = 0;
    }
}

static void
scan_batch(rh_scan *scan, live_set *live, scan_buffer *buffer, const rh_batch *batch)
{
    size_t done = 0;
    for (size_t i = 0; i < batch->count; i++) {
        follow(scan, live, &batch->events[i]);
        if (batch->events[i].operation != RH_MARK)
            continue;
        scan_stretch(scan, buffer, batch->events + done, i - done);
        keep_mark(scan, &batch->events[i]);
        done = i;
    }
    scan_stretch(scan, buffer, batch->events + done, batch->count - done);
}

static scan_buffer *
new_scan_buffer(void)
{
    scan_buffer *buffer = malloc(sizeof *buffer);
    if (!buffer)
        abort();
    buffer->program = (rh_program){.codes = buffer->codes,
                                   .wides = buffer->wides,
                                   .code_capacity = RH_CHANNEL_CODES,
                                   .wide_capacity = RH_CHANNEL_WIDES};
    return buffer;
}

rh_status
rh_scan_source(const rh_source *source, const rh_compiler *compiler, rh_scan *scan, rh_error *error)
{
    *scan = (rh_scan){.counts = *compiler, .batches = 1, .marks_every = 1};
    live_set live = {0};
    scan_buffer *buffer = new_scan_buffer();
    rh_status status;
    rh_batch batch;
    while ((status = source->next(source->ctx, &batch, error)) == RH_OK && batch.count) {
        make_room(&live, batch.slots);
        scan->slots = batch.slots;
        scan_batch(scan, &live, buffer, &batch);
        if (rh_interrupted()) {
            status = rh_fail(error, RH_INTERRUPTED, "interrupted");
            break;
        }
    }
    free(live.sizes);
    free(buffer);
    return status;
}

void
rh_scan_release(rh_scan *scan)
{
    for (size_t i = 0; i < scan->mark_count; i++)
        free(scan->marks[i].text);
    free(scan->marks);
    scan->marks = NULL;
    scan->mark_count = 0;
}
