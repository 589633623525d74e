/* Bytes are a geometry, a table of size classes, an arena source and then operations: whatever they
 * ask for, a geometry is refused or its heap places every block where the naive twin does, keeps
 * what is in it, and stays sound; arenas that are refused, a source exchanged in between, trims and
 * looks at the heap included. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc/arena_ground.h"
#include "alloc/heap.h"
#include "alloc/pymalloc.h"
#include "tests/model/pymalloc_twin.h"

#define LIVE_MAX     4096
#define CLASSES_TEXT 256
#define EVENTS_MAX   65536 /* arenas that come or go in one operation */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct input {
    const uint8_t *next, *end;
} input;

typedef struct pair {
    uintptr_t twin; /* 0: outside pools */
    unsigned char *ours;
    size_t bytes;
    unsigned char mark;
} pair;

typedef struct session {
    rh_pymalloc_config config;
    char classes[CLASSES_TEXT];
    rh_heap *heap;
    PyMemAllocatorEx ours;
    twin twin;
    uintptr_t shift; /* from the twin's addresses to ours */
    bool shifted;    /* it is known */
    unsigned char marks;
    /* The twin's arenas: numbers of its own, until a source of ours is set; then where ours were
     * put in the operation before. */
    rh_arena_ground ground;
    PyObjectArenaAllocator numbers, under;
    bool wrapped;
    uint64_t asked, fail_every;
    struct {
        bool birth;
        uintptr_t arena;
    } event[EVENTS_MAX];
    size_t written, read;
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

/* ---- what is drawn ---- */

static void
read_list(input *in, session *s)
{
    uint64_t bytes = 0;
    size_t length = 0;
    for (unsigned i = byte_of(in) % 24; i < 24; i++) {
        uint8_t step = byte_of(in); /* not always an allowed one */
        bytes += step & 128 ? step & 127 : s->config.alignment * (1 + step % 32);
        length += (size_t)snprintf(s->classes + length, CLASSES_TEXT - length, "%s%lu",
                                   length ? ":" : "", (unsigned long)bytes);
    }
}

static void
read_classes(input *in, session *s)
{
    uint8_t kind = byte_of(in);
    s->config.classes = kind % 4 ? s->classes : NULL;
    if (kind % 4 == 1) {
        snprintf(s->classes, CLASSES_TEXT, "linear:%lu",
                 (unsigned long)(s->config.alignment * (byte_of(in) % 20)));
    } else if (kind % 4 == 2) {
        snprintf(s->classes, CLASSES_TEXT, "geometric:%d", byte_of(in) % 70);
    } else if (kind % 4 == 3) {
        read_list(in, s);
        if (kind & 64)
            s->config.small_bytes = 0;
    }
}

static void
read_config(input *in, session *s)
{
    static const rh_arena_source_kind sources[] = {RH_SOURCE_MMAP,   RH_SOURCE_VIRTUAL,
                                                   RH_SOURCE_CACHED, RH_SOURCE_MALLOC,
                                                   RH_SOURCE_HUGE,   RH_SOURCE_RECORDED};
    uint8_t where = byte_of(in), kind = byte_of(in);
    rh_pymalloc_config *config = &s->config;
    *config = (rh_pymalloc_config){
        .arena_bytes = (uint64_t)1 << (11 + byte_of(in) % 12),
        .pool_bytes = (uint64_t)1 << (9 + byte_of(in) % 13),
        .alignment = (uint64_t)1 << (2 + byte_of(in) % 10),
        .policy = (rh_policy)(byte_of(in) % 4),
        .keep = byte_of(in) % 6,
        .source = sources[kind % 6],
        .cache = kind & 128 ? kind / 8 % 16 : 0,
        .metadata = where & 1 ? RH_METADATA_SIDE : RH_METADATA_IN_BAND,
        .large = where & 64 ? RH_LARGE_LIBC : RH_LARGE_SPACE,
        .map_address_bits = where & 8 ? 64 : 0,
    };
    config->small_bytes = byte_of(in);
    config->small_bytes = config->small_bytes * (byte_of(in) % 16 + 1) + byte_of(in);
    read_classes(in, s);
    s->fail_every = where & 16 ? byte_of(in) : 0;
}

static size_t
read_size(input *in, const session *s)
{
    size_t scale = s->twin.config.small_bytes / 200 + 1;
    return byte_of(in) * scale + byte_of(in) % 8;
}

/* ---- arenas ---- */

static void
note(session *s, bool birth, const void *arena)
{
    require(s->written < EVENTS_MAX);
    s->event[s->written].birth = birth;
    s->event[s->written++].arena = (uintptr_t)arena;
}

static void *
our_alloc(void *ctx, size_t size)
{
    session *s = ctx;
    s->asked++;
    bool fails = s->fail_every && s->asked % s->fail_every == 0;
    void *arena = fails ? NULL : s->under.alloc(s->under.ctx, size);
    note(s, true, arena);
    return arena;
}

static void
our_free(void *ctx, void *arena, size_t size)
{
    session *s = ctx;
    note(s, false, arena);
    s->under.free(s->under.ctx, arena, size);
}

static void *
twin_alloc(void *ctx, size_t size)
{
    session *s = ctx;
    if (!s->wrapped)
        return s->numbers.alloc(s->numbers.ctx, size);
    require(s->read < s->written && s->event[s->read].birth);
    uintptr_t arena = s->event[s->read++].arena;
    return arena ? (void *)(arena - s->shift) : NULL;
}

static void
twin_release(void *ctx, void *arena, size_t size)
{
    session *s = ctx;
    if (!s->wrapped) {
        s->numbers.free(s->numbers.ctx, arena, size);
        return;
    }
    require(s->read < s->written && !s->event[s->read].birth &&
            s->event[s->read++].arena - s->shift == (uintptr_t)arena);
}

/* From now on the twin's arenas are where ours are. */
static void
wrap_source(session *s)
{
    if (s->wrapped)
        return;
    require(rh_heap_get_arenas(s->heap, &s->under));
    PyObjectArenaAllocator around = {s, our_alloc, our_free};
    require(rh_heap_set_arenas(s->heap, &around, NULL) == RH_OK);
    s->wrapped = s->shifted = true;
}

/* Both have done the operation: arenas came and went alike. */
static void
end_operation(session *s)
{
    require(s->read == s->written);
    s->read = s->written = 0;
}

/* ---- operations: ours first, for the twin follows ---- */

static bool
has_contents(const session *s)
{
    return s->config.source != RH_SOURCE_VIRTUAL;
}

static void
mark(session *s, pair *block)
{
    block->mark = ++s->marks;
    if (!has_contents(s) || block->bytes == 0)
        return;
    block->ours[0] = block->mark;
    block->ours[block->bytes - 1] = block->mark;
}

static void
require_mark(const session *s, const pair *block, size_t bytes)
{
    if (!has_contents(s) || bytes == 0 || block->bytes == 0)
        return;
    require(block->ours[0] == block->mark);
    if (bytes >= block->bytes)
        require(block->ours[block->bytes - 1] == block->mark);
}

static void
same(session *s, const pair *block)
{
    require(block->ours != NULL);
    end_operation(s);
    if (block->twin == 0)
        return;
    if (!s->shifted) {
        s->shift = (uintptr_t)block->ours - block->twin;
        s->shifted = true;
    }
    require((uintptr_t)block->ours - block->twin == s->shift);
    require(rh_heap_usable_size(s->heap, PYMEM_DOMAIN_OBJ, block->ours) >= block->bytes);
}

static void
give(session *s, size_t bytes, bool clear)
{
    if (s->live_count == LIVE_MAX)
        return;
    pair *block = &s->live[s->live_count++];
    *block = (pair){.bytes = bytes};
    block->ours =
        clear ? s->ours.calloc(s->ours.ctx, bytes, 1) : s->ours.malloc(s->ours.ctx, bytes);
    block->twin = twin_malloc(&s->twin, bytes);
    same(s, block);
    if (clear && has_contents(s))
        for (size_t i = 0; i < bytes; i++)
            require(block->ours[i] == 0);
    mark(s, block);
}

static void
give_aligned(session *s, size_t bytes, size_t alignment)
{
    if (s->live_count == LIVE_MAX)
        return;
    pair *block = &s->live[s->live_count++];
    *block = (pair){.bytes = bytes};
    block->ours = rh_heap_aligned_alloc(s->heap, PYMEM_DOMAIN_OBJ, alignment, bytes);
    if (alignment <= s->heap->natural_alignment)
        block->twin = twin_malloc(&s->twin, bytes);
    same(s, block);
    require((uintptr_t)block->ours % alignment == 0);
    mark(s, block);
}

static void
take(session *s, size_t at)
{
    pair block = s->live[at];
    s->live[at] = s->live[--s->live_count];
    require_mark(s, &block, block.bytes);
    s->ours.free(s->ours.ctx, block.ours);
    if (block.twin)
        twin_free(&s->twin, block.twin);
    end_operation(s);
}

static void
resize(session *s, size_t at, size_t bytes)
{
    pair *block = &s->live[at];
    bool moved = false;
    block->ours = s->ours.realloc(s->ours.ctx, block->ours, bytes);
    if (block->twin)
        block->twin = twin_realloc(&s->twin, block->twin, bytes, &moved);
    require(block->ours != NULL);
    require_mark(s, block, bytes);
    block->bytes = bytes;
    same(s, block);
    mark(s, block);
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
    require(ours.arenas_allocated == theirs.arenas_allocated &&
            ours.arenas_released == theirs.arenas_released &&
            ours.arenas_highwater == theirs.arenas_highwater &&
            ours.arenas_reused == theirs.arenas_reused &&
            ours.arena_slots_reused == theirs.arena_slots_reused &&
            ours.pools_in_use == theirs.pools_in_use && ours.pools_free == theirs.pools_free &&
            ours.pools_recycled == theirs.pools_recycled &&
            ours.pools_reclassed == theirs.pools_reclassed &&
            ours.page_header_bytes == theirs.page_header_bytes &&
            ours.page_tail_bytes == theirs.page_tail_bytes &&
            ours.free_page_bytes == theirs.free_page_bytes &&
            ours.mapped_bytes == *s->heap->mapped_bytes);
}

static bool
count_region(void *ctx, const rh_region *region)
{
    size_t *used = ctx;
    *used += region->kind == RH_REGION_BLOCK && region->used;
    return true;
}

/* A walk meets every live block, but those of the C library. */
static void
walk(session *s)
{
    size_t met = 0, live = 0;
    require(rh_heap_walk(s->heap, count_region, &met));
    for (size_t i = 0; i < s->live_count; i++)
        live += s->live[i].twin || s->config.large == RH_LARGE_SPACE;
    require(met == live);
}

static void
print(session *s)
{
    FILE *nowhere = fopen("/dev/null", "w");
    require(nowhere && rh_heap_print_stats(s->heap, nowhere));
    fclose(nowhere);
}

static void
look(session *s, uint8_t how)
{
    switch (how) {
    case 0:
        check(s);
        break;
    case 1:
        walk(s);
        break;
    case 2:
        print(s);
        break;
    case 3:
        rh_heap_trim(s->heap);
        twin_trim(&s->twin);
        end_operation(s);
        break;
    case 4:
        wrap_source(s);
        break;
    default:
        break;
    }
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
            if (what & 128)
                give_aligned(s, read_size(in, s), (size_t)1 << what / 8 % 16);
            else
                look(s, what / 8 % 8);
        }
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static session *s; /* large, and cleared as far as it needs to be */
    s = s ? s : malloc(sizeof *s);
    require(s != NULL);
    memset(s, 0, offsetof(session, event));
    s->written = s->read = s->live_count = 0;
    input in = {data, data + size};
    rh_error error = {0};
    read_config(&in, s);
    if (rh_pymalloc_open(&s->config, &s->heap, &error) != RH_OK) {
        require(error.status == RH_USAGE && error.message[0]);
        return 0;
    }
    s->ours = s->heap->domain[PYMEM_DOMAIN_OBJ];
    rh_arena_ground_init(&s->ground, s->config.arena_bytes, true);
    s->numbers = rh_arena_ground_source(&s->ground);
    PyObjectArenaAllocator source = {s, twin_alloc, twin_release};
    twin_open(&s->twin, &s->config, &source, TWIN_SOUND);
    bool placed_by_system =
        s->config.source == RH_SOURCE_MALLOC || s->config.source == RH_SOURCE_HUGE;
    if (s->fail_every || placed_by_system)
        wrap_source(s);
    operate(s, &in);
    check(s);
    walk(s);
    while (s->live_count)
        take(s, s->live_count - 1);
    check(s);
    rh_heap_close(s->heap);
    twin_close(&s->twin);
    rh_arena_ground_release(&s->ground);
    return 0;
}
