/* Copying events of traces into another trace: what `cut`, `filter` and `merge` have in common.
 *
 * The copier keeps which block of the copy lies in each slot of a source, and numbers threads anew.
 * A death whose block was not copied is left out; a resize of such a block becomes a birth. Arenas,
 * checkpoints and what tells that a block lay in an arena are left out as well: they are the
 * recorded allocator's, and hold for the whole of what it was asked.
 */
#ifndef REHEAP_TRACES_COPIER_H
#define REHEAP_TRACES_COPIER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "traces/event.h"
#include "traces/trace_info.h"
#include "traces/writer.h"

/* A copied block's handle, by slot of the source. */
typedef struct rh_copied_slot {
    uint32_t handle;
    bool copied;
} rh_copied_slot;

/* One source's blocks and threads; zeroed at first. */
typedef struct rh_copy_source {
    rh_copied_slot *slots;
    uint32_t slot_room;
    uint32_t *threads; /* by the source's number: ours + 1 */
    uint32_t thread_room;
    uint32_t last_thread,
        last_number; /* of the event before; the number is ours + 1, 0: none yet */
} rh_copy_source;

typedef struct rh_copier {
    rh_writer *writer;
    uint32_t threads;
    uint64_t events, last_time_ns;
} rh_copier;

/* The header is `info`'s, with `how` appended to its capture ("filtered"). */
rh_status rh_copier_open(rh_copier *copier, const char *path, const rh_trace_info *info,
                         const char *how, rh_error *error);

/* Writes the event if it belongs into a copy; its slot is looked up among the source's. */
rh_status rh_copier_put(rh_copier *copier, rh_copy_source *source, const rh_event *event,
                        rh_error *error);

/* Says that event `at` of `count` is about to be put, and those behind it after it: what they will
 * need of memory is on its way while this one is written. */
static inline void
rh_copier_expect(const rh_copier *copier, const rh_copy_source *source, const rh_event *events,
                 size_t at, size_t count)
{
    enum { SOON = 8, LATER = 24 };
    if (at + LATER >= count)
        return;
    uint32_t soon = events[at + SOON].slot, later = events[at + LATER].slot;
    /* What is about to be born has an old handle there, or none: as good as any. */
    if (soon < source->slot_room)
        rh_writer_expect(copier->writer, source->slots[soon].handle);
    if (later < source->slot_room)
        __builtin_prefetch(&source->slots[later], 1);
}

/* Ends the copy: it stands under its name when `status`, how the copying went, is RH_OK; else it is
 * given up, and `status` returned. */
rh_status rh_copier_end(rh_copier *copier, rh_status status, rh_error *error);

void rh_copy_source_release(rh_copy_source *source);

#endif
