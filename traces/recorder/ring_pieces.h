/* The memory of threads' rings, mapped a piece at a time: there may be thousands of rings, most
 * programs have a few threads, and address space can be short (`ulimit -v`).
 *
 * A piece is mapped through its neighbour: the kernel gives a shared mapping a second time, and
 * further into its file, to whoever has it already. So neither side has to open the channel again,
 * which a program that changed its user or its root could not.
 */
#ifndef REHEAP_TRACES_RECORDER_RING_PIECES_H
#define REHEAP_TRACES_RECORDER_RING_PIECES_H

#include <stdint.h>

#include "traces/recorder/channel.h"

typedef struct rh_ring_pieces {
    unsigned char *_Atomic piece[RH_RING_PIECES]; /* NULL: not mapped yet */
    unsigned char *large[RH_LARGE_RINGS];         /* the same */
    uint32_t ring_bytes;
} rh_ring_pieces;

/* `first`: where the first piece is mapped; that mapping stays the caller's. */
void rh_ring_pieces_begin(rh_ring_pieces *pieces, unsigned char *first, uint32_t ring_bytes);

/* Unmaps what was mapped since, and forgets the first. */
void rh_ring_pieces_end(rh_ring_pieces *pieces);

/* Where ring number `ring` lies; NULL when it cannot be mapped. Any threads at once. */
unsigned char *rh_ring_pieces_find(rh_ring_pieces *pieces, uint32_t ring);

/* The memory of a large ring; NULL when it cannot be mapped. One thread at once for each `number`.
 */
unsigned char *rh_ring_pieces_large(rh_ring_pieces *pieces, uint32_t number);

#endif
