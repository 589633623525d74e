/* How the writer of a full ring waits for its reader, and is woken.
 *
 * The reader moves the head and looks whether the writer sleeps; the writer says that it sleeps and
 * looks at the head once more. Each writes before it looks, so at least one of them sees the other.
 * A sleep ends by itself after a while, for a reader that is gone wakes nobody.
 */
#ifndef REHEAP_TRACES_RECORDER_RING_ROOM_H
#define REHEAP_TRACES_RECORDER_RING_ROOM_H

#include <stdint.h>

#include "traces/recorder/channel.h"

/* The reader has read up to `head`. */
void rh_ring_room_give(rh_ring *ring, uint64_t head);

/* The writer sleeps until the reader has read up to `head`, a signal comes or 50 ms are over.
 * Changes errno; is no place where threads are cancelled. */
void rh_ring_room_await(rh_ring *ring, uint64_t head);

#endif
