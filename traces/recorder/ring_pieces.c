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
    for (unsigned i = 0; i < RH_LARGE_RINGS; i++) {
        if (pieces->large[i])
            munmap(pieces->large[i], RH_LARGE_RING_BYTES);
        pieces->large[i] = NULL;
    }
}

/* `bytes` of the file, `distance` behind where `mapped` begins. */
static unsigned char *
map_behind(unsigned char *mapped, size_t distance, size_t bytes)
{
    unsigned char *both = mremap(mapped, 0, distance + bytes, MREMAP_MAYMOVE);
    if (both == MAP_FAILED)
        return NULL;
    munmap(both, distance);
    return both + distance;
}

/* The piece behind number `index`, which is mapped at `before`. Large rings lie behind the first.
 */
static unsigned char *
map_next(unsigned char *before, uint32_t index)
{
    const size_t large = index == 0 ? (size_t)RH_LARGE_RINGS * RH_LARGE_RING_BYTES : 0;
    return map_behind(before, RH_PIECE_BYTES + large, RH_PIECE_BYTES);
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
        unsigned char *fresh = map_next(before, i - 1);
        if (!fresh)
            return NULL;
        if (atomic_compare_exchange_strong(&pieces->piece[i], &piece, fresh))
            piece = fresh;
        else
            munmap(fresh, RH_PIECE_BYTES); /* another thread was faster */
    }
    return piece + (size_t)(ring % in_piece) * pieces->ring_bytes;
}

unsigned char *
rh_ring_pieces_large(rh_ring_pieces *pieces, uint32_t number)
{
    if (number >= RH_LARGE_RINGS)
        return NULL;
    if (!pieces->large[number])
        pieces->large[number] =
            map_behind(pieces->piece[0], RH_PIECE_BYTES + (size_t)number * RH_LARGE_RING_BYTES,
                       RH_LARGE_RING_BYTES);
    return pieces->large[number];
}
