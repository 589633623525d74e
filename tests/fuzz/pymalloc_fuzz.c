/* Bytes are a geometry and then operations: whatever they ask for, a geometry is refused or its
 * heap places every block where the naive twin does, and stays sound. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "alloc/arena_ground.h"
#include "alloc/heap.h"
#include "alloc/pymalloc.h"
#include "tests/model/pymalloc_twin.h"

#define LIVE_MAX 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct input {
    const uint8_t *next, *end;
} input;

typedef struct pair {
    uintptr_t twin; /* 0: outside pools */
    void *ours;
} pair;

typedef struct session {
    rh_pymalloc_config config;
    rh_heap *heap;
    PyMemAllocatorEx ours;
    rh_arena_ground ground; /* the twin's: numbers, which ours are a constant away from */
    twin twin;
    uintptr_t shift;
    bool shifted; /* the shift is known */
    pair live[LIVE_MAX];
    size_t live_count;
} session;

static void
require(bool condition)
{
    if (!condition)
        abort();
}

static uint8_t
byte_of(input *in)
{
    return in->next < in->end ? *in->next++ : 0;
}

static void
read_config(input *in, rh_pymalloc_config *config)
{
    static const struct {
        rh_metadata_place metadata;
        rh_arena_source_kind source;
    } places[] = {{RH_METADATA_IN_BAND, RH_SOURCE_MMAP},
                  {RH_METADATA_SIDE, RH_SOURCE_MMAP},
                  {RH_METADATA_SIDE, RH_SOURCE_VIRTUAL},
                  {RH_METADATA_IN_BAND, RH_SOURCE_VIRTUAL}};
    uint8_t where = byte_of(in);
    *config = (rh_pymalloc_config){
        .arena_bytes = (uint64_t)1 << (11 + byte_of(in) % 12),
        .pool_bytes = (uint64_t)1 << (9 + byte_of(in) % 13),
        .alignment = (uint64_t)1 << (2 + byte_of(in) % 10),
        .policy = (rh_policy)(byte_of(in) % 4),
        .keep = byte_of(in) % 6,
        .metadata = places[where % 4].metadata,
        .source = places[where % 4].source,
        .large = where & 64 ? RH_LARGE_LIBC : RH_LARGE_SPACE,
    };
    config->small_bytes = byte_of(in);
    config->small_bytes = config->small_bytes * (byte_of(in) % 16 + 1) + byte_of(in);
}

static void
same(session *s, uintptr_t expected, const void *ours)
{
    require(ours != NULL);
    bool inside = rh_heap_usable_size(s->heap, PYMEM_DOMAIN_OBJ, ours) > 0 && expected != 0;
    if (!inside)
        return;
    if (!s->shifted) {
        s->shift = (uintptr_t)ours - expected;
        s->shifted = true;
    }
    require((uintptr_t)ours - expected == s->shift);
}

static size_t
read_size(input *in, const session *s)
{
    size_t scale = s->config.small_bytes / 200 + 1;
    return byte_of(in) * scale + byte_of(in) % 8;
}

static void
give(session *s, size_t bytes, bool clear)
{
    if (s->live_count == LIVE_MAX)
        return;
    pair *block = &s->live[s->live_count++];
    block->twin = twin_malloc(&s->twin, bytes);
    block->ours =
        clear ? s->ours.calloc(s->ours.ctx, bytes, 1) : s->ours.malloc(s->ours.ctx, bytes);
    same(s, block->twin, block->ours);
}

static void
take(session *s, size_t at)
{
    pair block = s->live[at];
    s->live[at] = s->live[--s->live_count];
    if (block.twin)
        twin_free(&s->twin, block.twin);
    s->ours.free(s->ours.ctx, block.ours);
}

static void
resize(session *s, size_t at, size_t bytes)
{
    pair *block = &s->live[at];
    bool moved = false;
    if (block->twin)
        block->twin = twin_realloc(&s->twin, block->twin, bytes, &moved);
    block->ours = s->ours.realloc(s->ours.ctx, block->ours, bytes);
    same(s, block->twin, block->ours);
}

static void
check(session *s)
{
    rh_counters ours, theirs;
    rh_error error;
    require(rh_heap_check(s->heap, &error) == RH_OK);
    rh_heap_snapshot(s->heap, &ours);
    theirs = ours;
    twin_count(&s->twin, &theirs);
    require(ours.arenas_released == theirs.arenas_released &&
            ours.arenas_reused == theirs.arenas_reused &&
            ours.arena_slots_reused == theirs.arena_slots_reused &&
            ours.pools_recycled == theirs.pools_recycled &&
            ours.pools_reclassed == theirs.pools_reclassed &&
            ours.free_page_bytes == theirs.free_page_bytes);
}

static void
operate(session *s, input *in)
{
    while (in->next < in->end) {
        uint8_t what = byte_of(in);
        size_t at = s->live_count ? byte_of(in) * 31u % s->live_count : 0;
        switch (what % 8) {
        case 0:
        case 1:
        case 2: /* several at once, or pools would never fill */
            for (unsigned i = 0; i <= what / 8; i++)
                give(s, read_size(in, s), what & 128);
            break;
        case 3:
            for (size_t bytes = read_size(in, s), i = 0; i < 64; i++)
                give(s, bytes, false);
            break;
        case 4:
        case 5:
            for (unsigned i = 0; i <= what && s->live_count; i++)
                take(s, (at + i) % s->live_count);
            break;
        case 6:
            if (s->live_count)
                resize(s, at, read_size(in, s));
            break;
        default:
            if (what & 64)
                check(s);
        }
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    session *s = calloc(1, sizeof *s);
    require(s != NULL);
    input in = {data, data + size};
    rh_error error = {0};
    read_config(&in, &s->config);
    if (rh_pymalloc_open(&s->config, &s->heap, &error) != RH_OK) {
        require(error.status == RH_USAGE && error.message[0]);
        free(s);
        return 0;
    }
    s->ours = s->heap->domain[PYMEM_DOMAIN_OBJ];
    rh_arena_ground_init(&s->ground, s->config.arena_bytes, true);
    PyObjectArenaAllocator source = rh_arena_ground_source(&s->ground);
    twin_open(&s->twin, &s->config, &source, TWIN_SOUND);
    operate(s, &in);
    check(s);
    while (s->live_count)
        take(s, s->live_count - 1);
    check(s);
    rh_heap_close(s->heap);
    twin_close(&s->twin);
    rh_arena_ground_release(&s->ground);
    free(s);
    return 0;
}
