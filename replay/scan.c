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

/* Compiled as it will be, into one buffer over and over, only to count. */
typedef struct scan_buffer {
    rh_code codes[RH_CHANNEL_CODES];
    rh_wide wides[RH_CHANNEL_WIDES];
    rh_program program;
} scan_buffer;

static void
scan_batch(rh_scan *scan, live_set *live, scan_buffer *buffer, const rh_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++)
        follow(scan, live, &batch->events[i]);
    for (size_t done = 0; done < batch->count;) {
        done +=
            rh_compile(&scan->counts, batch->events + done, batch->count - done, &buffer->program);
        if (done == batch->count)
            break;
        scan->batches++;
        buffer->program.code_count = buffer->program.wide_count = 0;
    }
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
    *scan = (rh_scan){.counts = *compiler, .batches = 1};
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
