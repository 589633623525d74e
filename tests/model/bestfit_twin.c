#include "tests/model/bestfit_twin.h"

#include <stdlib.h>
#include <string.h>

enum { STEP = 65536, RELEASE = 1 << 20, GRANULE = 16, PIECES = 20000 };

enum kind { BLOCK, SPACE, HOLE };

typedef struct piece {
    uint64_t offset, size;
    enum kind kind;
} piece;

struct bestfit_twin {
    size_t count;
    piece piece[PIECES];
};

bestfit_twin *
twin_open(uint64_t span)
{
    bestfit_twin *twin = calloc(1, sizeof *twin);
    twin->count = 1;
    twin->piece[0] = (piece){0, span, HOLE};
    return twin;
}

void
twin_close(bestfit_twin *twin)
{
    free(twin);
}

/* Gives `size` bytes at `offset`, which lie in one piece, another kind. */
static void
paint(bestfit_twin *twin, uint64_t offset, uint64_t size, enum kind kind)
{
    size_t i = 0;
    while (twin->piece[i].offset + twin->piece[i].size <= offset)
        i++;
    piece old = twin->piece[i], made[3];
    size_t parts = 0;
    if (old.offset < offset)
        made[parts++] = (piece){old.offset, offset - old.offset, old.kind};
    made[parts++] = (piece){offset, size, kind};
    if (offset + size < old.offset + old.size)
        made[parts++] = (piece){offset + size, old.offset + old.size - offset - size, old.kind};
    if (twin->count + parts > PIECES)
        abort();
    memmove(&twin->piece[i + parts], &twin->piece[i + 1], (twin->count - i - 1) * sizeof(piece));
    memcpy(&twin->piece[i], made, parts * sizeof(piece));
    twin->count += parts - 1;
}

/* Joins neighbours of a kind, blocks excepted. */
static void
join(bestfit_twin *twin)
{
    size_t kept = 0;
    for (size_t i = 1; i < twin->count; i++) {
        piece *last = &twin->piece[kept];
        if (twin->piece[i].kind == last->kind && last->kind != BLOCK)
            last->size += twin->piece[i].size;
        else
            twin->piece[++kept] = twin->piece[i];
    }
    twin->count = kept + 1;
}

static const piece *
smallest(const bestfit_twin *twin, enum kind kind, uint64_t size)
{
    const piece *best = NULL;
    for (size_t i = 0; i < twin->count; i++) {
        const piece *this = &twin->piece[i];
        if (this->kind == kind && this->size >= size && (!best || this->size < best->size))
            best = this;
    }
    return best;
}

static uint64_t
up(uint64_t value, uint64_t multiple)
{
    return (value + multiple - 1) / multiple * multiple;
}

static const piece *
obtain(bestfit_twin *twin, uint64_t size)
{
    const piece *found = smallest(twin, SPACE, size);
    if (found)
        return found;
    const piece *hole = smallest(twin, HOLE, size);
    if (!hole)
        return NULL;
    uint64_t had = hole > twin->piece && hole[-1].kind == SPACE ? hole[-1].size : 0;
    uint64_t offset = hole->offset;
    paint(twin, offset, up(size - had, STEP), SPACE);
    join(twin);
    size_t i = 0;
    while (twin->piece[i].offset + twin->piece[i].size <= offset)
        i++;
    return &twin->piece[i];
}

static uint64_t
bytes_for(uint64_t size)
{
    return size ? up(size, GRANULE) : GRANULE;
}

uint64_t
twin_malloc(bestfit_twin *twin, uint64_t alignment, uint64_t size)
{
    uint64_t bytes = bytes_for(size);
    const piece *found = obtain(twin, bytes + alignment - GRANULE);
    if (!found)
        return UINT64_MAX;
    uint64_t offset = up(found->offset, alignment);
    paint(twin, offset, bytes, BLOCK);
    return offset;
}

/* Makes holes of the whole steps in the free piece around `offset`, if they come to `least`. */
static void
give_back(bestfit_twin *twin, uint64_t offset, uint64_t least)
{
    size_t i = 0;
    while (twin->piece[i].offset + twin->piece[i].size <= offset)
        i++;
    uint64_t from = up(twin->piece[i].offset, STEP);
    uint64_t to = (twin->piece[i].offset + twin->piece[i].size) / STEP * STEP;
    if (to < from + least)
        return;
    paint(twin, from, to - from, HOLE);
    join(twin);
}

static piece *
block_at(bestfit_twin *twin, uint64_t offset)
{
    size_t i = 0;
    while (twin->piece[i].offset != offset)
        i++;
    return &twin->piece[i];
}

void
twin_free(bestfit_twin *twin, uint64_t offset)
{
    block_at(twin, offset)->kind = SPACE;
    join(twin);
    give_back(twin, offset, RELEASE);
}

static bool
grow(bestfit_twin *twin, const piece *block, uint64_t wanted)
{
    uint64_t end = block->offset + block->size;
    const piece *after = block + 1, *last = &twin->piece[twin->count];
    uint64_t had = after < last && after->kind == SPACE ? after->size : 0;
    const piece *hole = had ? after + 1 : after;
    if (had < wanted) {
        if (hole >= last || hole->kind != HOLE || had + hole->size < wanted)
            return false;
        paint(twin, hole->offset, up(wanted - had, STEP), SPACE);
        join(twin);
    }
    uint64_t offset = block->offset;
    paint(twin, end, wanted, BLOCK);
    piece *grown = block_at(twin, offset);
    grown->size += wanted;
    size_t next = (size_t)(grown + 1 - twin->piece);
    memmove(grown + 1, grown + 2, (twin->count - next - 1) * sizeof(piece));
    twin->count--;
    return true;
}

uint64_t
twin_realloc(bestfit_twin *twin, uint64_t offset, uint64_t size)
{
    const piece *block = block_at(twin, offset);
    uint64_t bytes = bytes_for(size);
    if (bytes == block->size)
        return offset;
    if (bytes < block->size) {
        uint64_t rest = offset + bytes;
        paint(twin, rest, block->size - bytes, SPACE);
        join(twin);
        give_back(twin, rest, RELEASE);
        return offset;
    }
    if (grow(twin, block, bytes - block->size))
        return offset;
    uint64_t moved = twin_malloc(twin, GRANULE, size);
    if (moved != UINT64_MAX)
        twin_free(twin, offset);
    return moved;
}

void
twin_trim(bestfit_twin *twin)
{
    for (bool again = true; again;) {
        size_t before = twin->count;
        uint64_t memory = twin_free_bytes(twin);
        for (size_t i = 0; i < twin->count; i++)
            if (twin->piece[i].kind == SPACE)
                give_back(twin, twin->piece[i].offset, STEP);
        again = before != twin->count || memory != twin_free_bytes(twin);
    }
}

static uint64_t
sum(const bestfit_twin *twin, enum kind kind)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < twin->count; i++)
        bytes += twin->piece[i].kind == kind ? twin->piece[i].size : 0;
    return bytes;
}

uint64_t
twin_used_bytes(const bestfit_twin *twin)
{
    return sum(twin, BLOCK);
}

uint64_t
twin_free_bytes(const bestfit_twin *twin)
{
    return sum(twin, SPACE);
}
