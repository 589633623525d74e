/* Best fit over one reserved span of addresses.
 *
 *     base                                                               base + span
 *      | used | free | used | used | free |   hole    | used | free |   hole ...   |
 *
 * The span is reserved, not memory, so that the same calls give the same offsets wherever it lies.
 * Memory is made of it in whole steps (COMMIT_BYTES) and given back when a free range has reached
 * RELEASE_BYTES. Every byte belongs to a range (range.h): a block, free memory, or a hole. Two
 * neighbours are never both free, nor both holes.
 *
 * A request takes the start of the smallest free range that holds it, of several the lowest; what
 * is left over stays free. Where none holds it, the smallest hole that does is turned into memory
 * from its start, together with the free range that may precede it. A block grows in place when
 * what follows it is free or a hole large enough, and shrinks in place always.
 *
 * Cost: a table finds a block's range in constant time, an index of treaps finds the fit in
 * logarithmic time; nothing is written into blocks.
 * (Policies compared: Wilson, Johnstone, Neely and Boles, "Dynamic storage allocation: a survey and
 * critical review", 1995.)
 */
#define _GNU_SOURCE
#include "alloc/bestfit.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>

#include "alloc/range.h"
#include "alloc/range_index.h"
#include "alloc/range_table.h"

#define COMMIT_BYTES  (UINT64_C(64) << 10)
#define RELEASE_BYTES (UINT64_C(1) << 20)

#define SPAN_STANDARD (UINT64_C(1) << 40)
#define SPAN_SMALLEST (UINT64_C(1) << 26)
/* The span begins at a multiple of this, so that offsets do not depend on where it lies, whatever
 * alignments are asked for; where addresses are short, of the smaller one. */
#define SPAN_ALIGNMENT       (UINT64_C(1) << 30)
#define SPAN_ALIGNMENT_SHORT (UINT64_C(1) << 21)

/* Unbacked addresses: above every address that a process can have. */
#define UNBACKED_BASE (UINT64_C(1) << 47)
#define UNBACKED_SPAN (UINT64_C(1) << 46)

/* The most records that one call takes: a cut before an aligned block, one after it, and one of a
 * hole. */
#define RECORDS_A_CALL 4

struct rh_bestfit {
    bool unbacked;
    uintptr_t base;
    uint64_t span;
    void *reservation;
    size_t reservation_bytes, own_bytes;
    rh_ranges ranges;
    rh_range_number first; /* at offset 0 */
    rh_range_table blocks;
    rh_range_index free, holes;
    uint64_t used_bytes, free_bytes;
    uint64_t mapped_bytes; /* used, free and tables */
};

static rh_range *
record(const rh_bestfit *space, rh_range_number number)
{
    return &space->ranges.range[number];
}

static uint64_t
tables_bytes(const rh_bestfit *space)
{
    return space->own_bytes + space->ranges.memory.bytes + space->blocks.memory.bytes;
}

/* Makes sure that a call can neither lack a record nor a place in the table. */
static bool
prepare(rh_bestfit *space)
{
    bool ready = rh_ranges_reserve(&space->ranges, RECORDS_A_CALL) &&
                 rh_range_table_reserve(&space->blocks, &space->ranges);
    space->mapped_bytes = space->used_bytes + space->free_bytes + tables_bytes(space);
    return ready;
}

static bool
commit(rh_bestfit *space, uint64_t offset, uint64_t bytes)
{
    if (!space->unbacked &&
        mprotect((void *)(space->base + offset), bytes, PROT_READ | PROT_WRITE) != 0)
        return false;
    space->free_bytes += bytes;
    space->mapped_bytes += bytes;
    return true;
}

static bool
release(rh_bestfit *space, uint64_t offset, uint64_t bytes)
{
    if (!space->unbacked &&
        mmap((void *)(space->base + offset), bytes, PROT_NONE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) == MAP_FAILED)
        return false;
    space->free_bytes -= bytes;
    space->mapped_bytes -= bytes;
    return true;
}

static rh_range_index *
index_of(rh_bestfit *space, rh_range_state state)
{
    return state == RH_RANGE_FREE ? &space->free : &space->holes;
}

static void
set_state(rh_bestfit *space, rh_range_number number, rh_range_state state, bool clean)
{
    rh_range *range = record(space, number);
    rh_range_set(range, rh_range_size(range), state, clean);
}

static bool
has_state(const rh_bestfit *space, rh_range_number number, rh_range_state state)
{
    return number && rh_range_get_state(record(space, number)) == state;
}

/* Joins a free range or hole, in no index, with neighbours of its kind, takes those out of the
 * index, and returns the whole, in no index. */
static rh_range_number
coalesce(rh_bestfit *space, rh_range_number number)
{
    rh_range_state state = rh_range_get_state(record(space, number));
    rh_range_number before = record(space, number)->before;
    if (has_state(space, before, state)) {
        rh_range_index_remove(index_of(space, state), &space->ranges, before);
        rh_ranges_join(&space->ranges, before);
        number = before;
    }
    rh_range_number after = record(space, number)->after;
    if (has_state(space, after, state)) {
        rh_range_index_remove(index_of(space, state), &space->ranges, after);
        rh_ranges_join(&space->ranges, number);
    }
    return number;
}

static void
add_free(rh_bestfit *space, rh_range_number number)
{
    rh_range_index_add(&space->free, &space->ranges, number);
}

/* Puts a coalesced free range into the index, or, when the whole steps in it come to `least` bytes,
 * makes a hole of them and keeps what is left on either side. */
static void
settle(rh_bestfit *space, rh_range_number number, uint64_t least)
{
    uint64_t offset = record(space, number)->offset;
    uint64_t end = offset + rh_range_size(record(space, number));
    uint64_t from = (offset + COMMIT_BYTES - 1) / COMMIT_BYTES * COMMIT_BYTES;
    uint64_t to = end / COMMIT_BYTES * COMMIT_BYTES;
    if (to < from + least || !rh_ranges_reserve(&space->ranges, 2) ||
        !release(space, from, to - from)) {
        add_free(space, number);
        return;
    }
    if (to < end)
        add_free(space, rh_ranges_split(&space->ranges, number, to - offset));
    if (offset < from) {
        rh_range_number hole = rh_ranges_split(&space->ranges, number, from - offset);
        add_free(space, number);
        number = hole;
    }
    set_state(space, number, RH_RANGE_HOLE, true);
    number = coalesce(space, number);
    rh_range_index_add(&space->holes, &space->ranges, number);
}

/* Turns the start of a hole into memory, `bytes` and up to a step more, and returns the free range
 * it is part of, in no index; 0 when the system refuses. The hole is large enough. */
static rh_range_number
fill(rh_bestfit *space, rh_range_number hole, uint64_t bytes)
{
    bytes = (bytes + COMMIT_BYTES - 1) / COMMIT_BYTES * COMMIT_BYTES;
    if (!commit(space, record(space, hole)->offset, bytes))
        return 0;
    rh_range_index_remove(&space->holes, &space->ranges, hole);
    if (bytes < rh_range_size(record(space, hole))) {
        rh_range_number rest = rh_ranges_split(&space->ranges, hole, bytes);
        rh_range_index_add(&space->holes, &space->ranges, rest);
    }
    set_state(space, hole, RH_RANGE_FREE, true);
    return coalesce(space, hole);
}

/* A free range of `bytes` at least, in no index; 0 when there is none to be had. */
static rh_range_number
obtain(rh_bestfit *space, uint64_t bytes)
{
    rh_range_number found = rh_range_index_find(&space->free, &space->ranges, bytes);
    if (found) {
        rh_range_index_remove(&space->free, &space->ranges, found);
        return found;
    }
    rh_range_number hole = rh_range_index_find(&space->holes, &space->ranges, bytes);
    if (!hole)
        return 0;
    rh_range_number before = record(space, hole)->before;
    uint64_t had =
        has_state(space, before, RH_RANGE_FREE) ? rh_range_size(record(space, before)) : 0;
    return fill(space, hole, bytes - had);
}

/* The size of the range that holds `size` bytes. */
static uint64_t
range_bytes(size_t size)
{
    return size ? (size + RH_RANGE_GRANULE - 1) & ~RH_RANGE_FLAGS : RH_RANGE_GRANULE;
}

/* Cuts what exceeds `bytes` off the end of a range in use, and makes it free. */
static void
cut_end(rh_bestfit *space, rh_range_number number, uint64_t bytes, bool clean)
{
    if (rh_range_size(record(space, number)) == bytes)
        return;
    rh_range_number rest = rh_ranges_split(&space->ranges, number, bytes);
    set_state(space, rest, RH_RANGE_FREE, clean);
    add_free(space, rest);
}

void *
rh_bestfit_malloc(rh_bestfit *space, size_t alignment, size_t size, bool zero)
{
    assert(alignment >= RH_RANGE_GRANULE && (alignment & (alignment - 1)) == 0);
    if (size > space->span || alignment > space->span || !prepare(space))
        return NULL;
    uint64_t bytes = range_bytes(size);
    rh_range_number number = obtain(space, bytes + alignment - RH_RANGE_GRANULE);
    if (!number)
        return NULL;
    bool clean = rh_range_is_clean(record(space, number));
    uint64_t skipped = -(space->base + record(space, number)->offset) & (alignment - 1);
    if (skipped) {
        rh_range_number aligned = rh_ranges_split(&space->ranges, number, skipped);
        add_free(space, number);
        number = aligned;
    }
    set_state(space, number, RH_RANGE_USED, false);
    cut_end(space, number, bytes, clean);
    rh_range_table_add(&space->blocks, &space->ranges, number);
    space->used_bytes += bytes;
    space->free_bytes -= bytes;
    void *block = (void *)(space->base + record(space, number)->offset);
    if (zero && !clean && !space->unbacked)
        memset(block, 0, size);
    return block;
}

void
rh_bestfit_free(rh_bestfit *space, void *block)
{
    if (!block)
        return;
    rh_range_number number =
        rh_range_table_remove(&space->blocks, &space->ranges, (uintptr_t)block - space->base);
    assert(number && "free of an address that is no block");
    uint64_t bytes = rh_range_size(record(space, number));
    space->used_bytes -= bytes;
    space->free_bytes += bytes;
    set_state(space, number, RH_RANGE_FREE, false);
    settle(space, coalesce(space, number), RELEASE_BYTES);
    space->mapped_bytes = space->used_bytes + space->free_bytes + tables_bytes(space);
}

static rh_range_number
find_block(const rh_bestfit *space, const void *block)
{
    rh_range_number number =
        rh_range_table_find(&space->blocks, &space->ranges, (uintptr_t)block - space->base);
    assert(number && "not the address of a block");
    return number;
}

static void
shrink(rh_bestfit *space, rh_range_number number, uint64_t bytes)
{
    uint64_t freed = rh_range_size(record(space, number)) - bytes;
    if (freed == 0)
        return;
    rh_range_number rest = rh_ranges_split(&space->ranges, number, bytes);
    set_state(space, rest, RH_RANGE_FREE, false);
    space->used_bytes -= freed;
    space->free_bytes += freed;
    settle(space, coalesce(space, rest), RELEASE_BYTES);
    space->mapped_bytes = space->used_bytes + space->free_bytes + tables_bytes(space);
}

/* Finds `wanted` bytes right after a block: a free range, in no index, or 0. */
static rh_range_number
obtain_after(rh_bestfit *space, rh_range_number number, uint64_t wanted)
{
    rh_range_number after = record(space, number)->after, hole = after;
    uint64_t had = 0;
    if (has_state(space, after, RH_RANGE_FREE)) {
        had = rh_range_size(record(space, after));
        hole = record(space, after)->after;
    }
    if (had >= wanted) {
        rh_range_index_remove(&space->free, &space->ranges, after);
        return after;
    }
    if (has_state(space, hole, RH_RANGE_HOLE) && had + rh_range_size(record(space, hole)) >= wanted)
        return fill(space, hole, wanted - had);
    return 0;
}

static bool
grow(rh_bestfit *space, rh_range_number number, uint64_t bytes)
{
    uint64_t wanted = bytes - rh_range_size(record(space, number));
    rh_range_number after = obtain_after(space, number, wanted);
    if (!after)
        return false;
    bool clean = rh_range_is_clean(record(space, after));
    set_state(space, after, RH_RANGE_USED, false);
    rh_ranges_join(&space->ranges, number);
    cut_end(space, number, bytes, clean);
    space->used_bytes += wanted;
    space->free_bytes -= wanted;
    return true;
}

void *
rh_bestfit_realloc(rh_bestfit *space, void *block, size_t size)
{
    if (!block)
        return rh_bestfit_malloc(space, RH_RANGE_GRANULE, size, false);
    if (size > space->span || !prepare(space))
        return NULL;
    rh_range_number number = find_block(space, block);
    uint64_t bytes = range_bytes(size), had = rh_range_size(record(space, number));
    if (bytes <= had) {
        shrink(space, number, bytes);
        return block;
    }
    if (grow(space, number, bytes))
        return block;
    void *moved = rh_bestfit_malloc(space, RH_RANGE_GRANULE, size, false);
    if (!moved)
        return NULL;
    if (!space->unbacked)
        memcpy(moved, block, had);
    rh_bestfit_free(space, block);
    return moved;
}

size_t
rh_bestfit_usable_size(const rh_bestfit *space, const void *block)
{
    rh_range_number number =
        rh_range_table_find(&space->blocks, &space->ranges, (uintptr_t)block - space->base);
    return number ? rh_range_size(record(space, number)) : 0;
}

void
rh_bestfit_trim(rh_bestfit *space)
{
    rh_range_number number = space->first;
    while (number) {
        rh_range_number next = record(space, number)->after;
        if (has_state(space, next, RH_RANGE_HOLE)) /* its record may be joined away below */
            next = record(space, next)->after;
        if (has_state(space, number, RH_RANGE_FREE)) {
            rh_range_index_remove(&space->free, &space->ranges, number);
            settle(space, number, COMMIT_BYTES);
        }
        number = next;
    }
    space->mapped_bytes = space->used_bytes + space->free_bytes + tables_bytes(space);
}

void
rh_bestfit_add_counters(const rh_bestfit *space, rh_counters *counters)
{
    counters->mapped_bytes += space->mapped_bytes;
    counters->block_bytes += space->used_bytes;
    counters->free_block_bytes += space->free_bytes;
    counters->metadata_bytes += tables_bytes(space);
    counters->live_blocks += space->blocks.count;
}

const uint64_t *
rh_bestfit_mapped(const rh_bestfit *space)
{
    return &space->mapped_bytes;
}

/* An arena, for a walk, is what lies between two holes. */
static bool
show_arena(rh_bestfit *space, rh_range_number number, rh_region_visitor *visit, void *ctx)
{
    uint64_t start = record(space, number)->offset, end = start;
    for (; number && !has_state(space, number, RH_RANGE_HOLE);
         number = record(space, number)->after)
        end += rh_range_size(record(space, number));
    rh_region arena = {
        .kind = RH_REGION_ARENA, .address = space->base + start, .size_bytes = end - start};
    return visit(ctx, &arena);
}

bool
rh_bestfit_walk(rh_bestfit *space, rh_region_visitor *visit, void *ctx)
{
    bool in_hole = true;
    for (rh_range_number number = space->first; number; number = record(space, number)->after) {
        if (has_state(space, number, RH_RANGE_HOLE)) {
            in_hole = true;
            continue;
        }
        if (in_hole && !show_arena(space, number, visit, ctx))
            return false;
        in_hole = false;
        const rh_range *range = record(space, number);
        rh_region block = {.kind = RH_REGION_BLOCK,
                           .address = space->base + range->offset,
                           .size_bytes = rh_range_size(range),
                           .used = has_state(space, number, RH_RANGE_USED)};
        if (!visit(ctx, &block))
            return false;
    }
    return true;
}

/* What a pass over all ranges adds up to. */
typedef struct totals {
    uint64_t offset, used_bytes, free_bytes;
    uint32_t blocks, free, holes;
} totals;

static const char *
check_hole(const rh_bestfit *space, const rh_range *range, rh_range_number number)
{
    if (range->offset % COMMIT_BYTES != 0 || rh_range_size(range) % COMMIT_BYTES != 0)
        return "a hole is not made of whole steps";
    if (!rh_range_index_has(&space->holes, &space->ranges, number))
        return "a hole is missing in its index";
    return NULL;
}

/* Verifies one range and adds it to the totals; what is wrong, or NULL. */
static const char *
check_range(const rh_bestfit *space, rh_range_number number, totals *sum)
{
    const rh_range *range = record(space, number);
    rh_range_state state = rh_range_get_state(range);
    uint64_t size = rh_range_size(range);
    if (range->offset != sum->offset || size == 0)
        return "a range does not begin where the one before it ends";
    if (range->after && record(space, range->after)->before != number)
        return "neighbours disagree";
    if (state != RH_RANGE_USED && has_state(space, range->after, state))
        return "neighbours of a kind are not joined";
    sum->offset += size;
    if (state == RH_RANGE_HOLE) {
        sum->holes++;
        return check_hole(space, range, number);
    }
    if (state == RH_RANGE_FREE) {
        sum->free++;
        sum->free_bytes += size;
        if (!rh_range_index_has(&space->free, &space->ranges, number))
            return "a free range is missing in its index";
        return NULL;
    }
    sum->blocks++;
    sum->used_bytes += size;
    if (state != RH_RANGE_USED)
        return "a spare record is in the list";
    if (rh_range_table_find(&space->blocks, &space->ranges, range->offset) != number)
        return "a block is missing in the table";
    return NULL;
}

static const char *
check_totals(const rh_bestfit *space, const totals *sum)
{
    if (sum->offset != space->span)
        return "the ranges do not cover the span";
    if (sum->used_bytes != space->used_bytes || sum->free_bytes != space->free_bytes)
        return "the bytes used and free are miscounted";
    if (sum->blocks != space->blocks.count || sum->free != space->free.count ||
        sum->holes != space->holes.count)
        return "a table or index holds more than the list";
    if (space->ranges.count - 1 - space->ranges.spares != sum->blocks + sum->free + sum->holes)
        return "records are lost";
    if (space->mapped_bytes != sum->used_bytes + sum->free_bytes + tables_bytes(space))
        return "mapped_bytes is not the sum of its parts";
    return NULL;
}

rh_status
rh_bestfit_check(const rh_bestfit *space, rh_error *error)
{
    totals sum = {.offset = 0};
    rh_range_number number = space->first;
    for (; number; number = record(space, number)->after) {
        const char *wrong = check_range(space, number, &sum);
        if (wrong)
            return rh_fail(error, RH_DIFFERENT, "bestfit: %s (offset %" PRIu64 ")", wrong,
                           record(space, number)->offset);
    }
    const char *wrong = check_totals(space, &sum);
    return wrong ? rh_fail(error, RH_DIFFERENT, "bestfit: %s", wrong) : RH_OK;
}

static bool
reserve(rh_bestfit *space, uint64_t span, uint64_t alignment)
{
    size_t bytes = span + alignment;
    void *at = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED)
        return false;
    space->reservation = at;
    space->reservation_bytes = bytes;
    space->base = ((uintptr_t)at + alignment - 1) & ~(alignment - 1);
    space->span = span;
    return true;
}

/* Where a process may have only so many addresses, takes a quarter of what there is: others need
 * some, too. */
static bool
reserve_span(rh_bestfit *space)
{
    if (space->unbacked) {
        space->base = UNBACKED_BASE;
        space->span = UNBACKED_SPAN;
        return true;
    }
    if (reserve(space, SPAN_STANDARD, SPAN_ALIGNMENT))
        return true;
    uint64_t span = SPAN_STANDARD / 2;
    while (span >= SPAN_SMALLEST && !reserve(space, span, SPAN_ALIGNMENT_SHORT))
        span /= 2;
    if (span < 4 * SPAN_SMALLEST)
        return span >= SPAN_SMALLEST;
    munmap(space->reservation, space->reservation_bytes);
    space->reservation = NULL;
    return reserve(space, span / 4, SPAN_ALIGNMENT_SHORT);
}

rh_status
rh_bestfit_open(bool unbacked, rh_bestfit **opened, rh_error *error)
{
    rh_side_memory own = {.base = NULL};
    if (!rh_side_memory_grow(&own, sizeof(rh_bestfit)))
        return rh_fail(error, RH_SYSTEM, "out of memory");
    rh_bestfit *space = own.base;
    space->own_bytes = own.bytes;
    space->unbacked = unbacked;
    if (!reserve_span(space) || !prepare(space)) {
        rh_bestfit_close(space);
        return rh_fail(error, RH_SYSTEM, "no room to reserve %" PRIu64 " bytes of addresses",
                       SPAN_SMALLEST);
    }
    space->first = rh_ranges_begin(&space->ranges, space->span, RH_RANGE_HOLE);
    rh_range_index_add(&space->holes, &space->ranges, space->first);
    *opened = space;
    return RH_OK;
}

void
rh_bestfit_close(rh_bestfit *space)
{
    if (!space)
        return;
    if (space->reservation)
        munmap(space->reservation, space->reservation_bytes);
    rh_ranges_release(&space->ranges);
    rh_range_table_release(&space->blocks);
    rh_side_memory own = {.base = space, .bytes = space->own_bytes};
    rh_side_memory_release(&own);
}
