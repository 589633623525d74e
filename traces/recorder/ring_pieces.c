#define _GNU_SOURCE
#include "traces/recorder/ring_pieces.h"

#include <stddef.h>
#include <sys/mman.h>

void
rh_ring_pieces_begin(rh_ring_pieces *pieces, unsigned char *first, uint32_t ring_bytes)
{
    pieces->ring_bytes = ring_bytes;
    pieces->piece[0] = first;
}

void
rh_ring_pieces_end(rh_ring_pieces *pieces)
{
    for (unsigned i = 0; i < RH_RING_PIECES; i++) {
        if (i > 0 && pieces->piece[i])
            munmap(pieces->piece[i], RH_PIECE_BYTES);
        pieces->piece[i] = NULL;
    }
}

/* What the file has behind the piece `before`. */
static unsigned char *
map_next(unsigned char *before)
{
    unsigned char *both = mremap(before, 0, (size_t)2 * RH_PIECE_BYTES, MREMAP_MAYMOVE);
    if (both == MAP_FAILED)
        return NULL;
    munmap(both, RH_PIECE_BYTES);
    return both + RH_PIECE_BYTES;
}

unsigned char *
rh_ring_pieces_find(rh_ring_pieces *pieces, uint32_t ring)
{
    const uint32_t in_piece = RH_PIECE_BYTES / pieces->ring_bytes, wanted = ring / in_piece;
    unsigned char *piece = pieces->piece[0];
    for (uint32_t i = 1; i <= wanted; i++) {
        unsigned char *before = piece;
        piece = atomic_load(&pieces->piece[i]);
        if (piece)
            continue;
        unsigned char *fresh = map_next(before);
        if (!fresh)
            return NULL;
        if (atomic_compare_exchange_strong(&pieces->piece[i], &piece, fresh))
            piece = fresh;
        else
            munmap(fresh, RH_PIECE_BYTES); /* another thread was faster */
    }
    return piece + (size_t)(ring % in_piece) * pieces->ring_bytes;
}
