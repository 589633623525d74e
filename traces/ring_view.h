/* The reading end of one ring: what is in it, as records, whichever way they were written.
 *
 * The main ring, and threads' rings where an interpreter is recorded, hold records as they are, and
 * are read where they lie. A thread's ring of short records is unpacked, some at a time, into
 * memory of the collector's own; what has been unpacked is given back to the writer at once. */
#ifndef REHEAP_TRACES_RING_VIEW_H
#define REHEAP_TRACES_RING_VIEW_H

#include <stdbool.h>
#include <stdint.h>

#include "traces/recorder/channel.h"

typedef struct rh_ring_view {
    rh_ring *ring;
    const unsigned char *records;
    uint64_t mask;
    uint64_t at, end; /* bytes of records: taken; there when last looked */

    /* Of the ring itself; with short records these are other numbers than the above. */
    const unsigned char *memory;
    uint64_t bytes, seen, given_back;
    const unsigned char *large; /* to move into; NULL: there is none */
    bool answered;              /* that, or that there is none */
    rh_record *unpacked;        /* of short records; the ring is unpacked up to `read` */
    uint64_t read, thread;
} rh_ring_view;

/* `memory` and `bytes` (a power of two) are the ring's. False: there is no memory. */
bool rh_ring_view_begin(rh_ring_view *view, rh_ring *ring, const unsigned char *memory,
                        uint64_t bytes, bool short_records);
void rh_ring_view_end(rh_ring_view *view);

/* The ring is full, and its writer waits for the first time. */
bool rh_ring_view_wants_more(const rh_ring_view *view);

/* Answers that: `memory` of this number is the ring's when it will next be empty; NULL: there is
 * none. */
void rh_ring_view_offer(rh_ring_view *view, const unsigned char *memory, uint32_t number);

/* Looks how far the ring has been written. */
void rh_ring_view_look(rh_ring_view *view);

/* Where few records are left, makes more of what was there at the last look. So if none is left
 * after this, none was there. `last`: half a text is all there will be of it. */
void rh_ring_view_unpack(rh_ring_view *view, bool last);

/* At least as many as there are records. */
uint64_t rh_ring_view_waiting(const rh_ring_view *view);

/* Tells the writer how far its ring has been read. */
void rh_ring_view_give_back(rh_ring_view *view);

/* Gives a ring that its thread has left, and that is read, to whoever comes next. */
void rh_ring_view_recycle(rh_ring_view *view);

/* The record `at` bytes on; behind the end there is anything. */
static inline const rh_record *
rh_ring_view_record(const rh_ring_view *view, uint64_t at)
{
    return (const rh_record *)(view->records + (at & view->mask));
}

/* The same if it is an eighth of a ring of records; of one that is unpacked that is done then. */
static inline void
rh_ring_view_give_part(rh_ring_view *view)
{
    if (!view->unpacked && view->at - view->given_back >= view->bytes / 8)
        rh_ring_view_give_back(view);
}

static inline void
rh_ring_view_refill(rh_ring_view *view, bool last)
{
    enum { FEW_BYTES = 32 * sizeof(rh_record) };
    if (view->unpacked && view->end - view->at < FEW_BYTES && view->read != view->seen)
        rh_ring_view_unpack(view, last);
}

#endif
