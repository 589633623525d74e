/* Pins against a naive count: a random program is played through the memory pass with a pin pass
 * looking on, and once more by hand, remembering every block; at the points a walk over all blocks
 * finds who is there, and every number of every table is counted anew, by definition. */
#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "alloc/heap.h"
#include "base/random.h"
#include "replay/memory.h"
#include "replay/pin_pass.h"
#include "replay/pins.h"
#include "replay/program.h"

enum { CALLS = 30000, SLOTS = 4000, POINTS = 4, NEVER = RH_PIN_LIFETIMES - 1 };

typedef struct stay {
    uint64_t address, born, died; /* died 0: not yet */
    unsigned domain;
} stay;

static rh_event events[CALLS];
static stay stays[CALLS];
static size_t stay_count;
static uint64_t points[POINTS] = {3000, 14000, 22000, CALLS};
static const unsigned unders[] = {10, 25, 50, 90};
static const char *const phases[] = {"one", "two", "three"};
static const uint64_t phase_starts[] = {0, 9000, 20000, 25000}; /* the last is phase two again */
static const uint32_t phase_names[] = {0, 1, 2, 1};

/* ---- the program: it grows, and then most blocks die, in no order ---- */

static uint64_t
random_size(rh_random *random)
{
    uint64_t kind = rh_random_below(random, 20);
    if (kind == 0)
        return 513 + rh_random_below(random, 3000); /* for the large space */
    return kind < 12 ? 16 + 16 * rh_random_below(random, 3) : 1 + rh_random_below(random, 512);
}

static void
make_events(uint64_t seed)
{
    static bool live[SLOTS];
    static unsigned domain[SLOTS];
    rh_random random = {seed};
    memset(live, 0, sizeof live);
    for (size_t i = 0; i < CALLS;) {
        uint32_t slot = (uint32_t)rh_random_below(&random, SLOTS);
        bool growing = i / 5000 % 2 == 0;
        unsigned dies = growing ? 2 : 9;
        uint64_t size = random_size(&random);
        if (!live[slot]) {
            if (!growing && rh_random_below(&random, 10) > 0)
                continue;
            domain[slot] = (unsigned)rh_random_below(&random, 3);
            events[i++] = (rh_event){.operation = RH_MALLOC,
                                     .domain = (uint8_t)domain[slot],
                                     .slot = slot,
                                     .size = size};
            live[slot] = true;
        } else if (rh_random_below(&random, 10) < dies) {
            events[i++] =
                (rh_event){.operation = RH_FREE, .domain = (uint8_t)domain[slot], .slot = slot};
            live[slot] = false;
        } else if (rh_random_below(&random, 10) == 0) {
            events[i++] = (rh_event){.operation = RH_REALLOC,
                                     .domain = (uint8_t)domain[slot],
                                     .slot = slot,
                                     .size = size};
        }
    }
}

/* ---- the memory pass ---- */

static rh_pin_findings *
play(const char *spec)
{
    static rh_memory_slot slots[SLOTS];
    static rh_sample samples[8];
    static rh_code codes[CALLS + 2];
    static rh_wide wides[CALLS + 2];
    static rh_memory_totals totals;
    rh_error error = {0};
    rh_pin_findings *findings = calloc(1, sizeof *findings);
    rh_heap *heap;
    rh_pin_pass *pass;
    assert_non_null(findings);
    assert_int_equal(rh_heap_open(spec, &heap, &error), RH_OK);
    for (size_t i = 0; i < POINTS; i++) {
        snprintf(findings->order.points[i].name, RH_PIN_NAME, "point %zu", i);
        findings->order.points[i].event = points[i];
    }
    findings->order.point_count = POINTS;
    for (size_t i = 0; i < 4; i++) {
        findings->order.unders[i] = unders[i];
        findings->order.phases[i].calls = phase_starts[i];
        findings->order.phases[i].birth = phase_names[i];
    }
    findings->order.under_count = findings->order.phase_count = 4;
    findings->order.birth_count = 3;
    for (size_t i = 0; i < 3; i++)
        snprintf(findings->order.births[i], RH_PIN_NAME, "%s", phases[i]);
    memset(slots, 0, sizeof slots);
    memset(&totals, 0, sizeof totals);
    rh_memory memory = {.heap = heap,
                        .slots = slots,
                        .samples = samples,
                        .sample_capacity = 8,
                        .totals = &totals,
                        .zero_fits = true};
    rh_compiler compiler = {.has_domains = 1};
    rh_program program = {
        .codes = codes, .wides = wides, .code_capacity = CALLS + 2, .wide_capacity = CALLS + 2};
    assert_int_equal(rh_compile(&compiler, events, CALLS, &program), CALLS);
    assert_int_equal(compiler.calls, CALLS);
    assert_int_equal(rh_pin_pass_begin(&memory, SLOTS, findings, &pass, &error), RH_OK);
    rh_pin_pass_aged(pass, NULL, 0);
    rh_memory_begin(&memory, heap, (rh_memory_before){0});
    rh_memory_run(&memory, &program);
    rh_memory_end(&memory, RH_UNKNOWN);
    assert_int_equal(rh_pin_pass_end(pass, &error), RH_OK);
    rh_pin_pass_close(pass);
    rh_heap_close(heap);
    return findings;
}

/* ---- by hand ---- */

typedef struct naive_block {
    uint64_t address, size, page_bytes, capacity;
    size_t arena;
    size_t stay;
} naive_block;

typedef struct naive_arena {
    uint64_t address, size, used;
    size_t blocks;
} naive_arena;

typedef struct naive_point {
    naive_arena arena[4096];
    naive_block block[SLOTS];
    size_t arenas, blocks;
    uint64_t page_size, page_block, page_capacity; /* of the page that comes now */
    bool paged;                                    /* in an arena with pages */
} naive_point;

static naive_point by_hand[POINTS];

static bool
meet(void *ctx, const rh_region *region)
{
    naive_point *point = ctx;
    if (region->kind == RH_REGION_ARENA) {
        point->paged = region->capacity > 0;
        if (point->paged)
            point->arena[point->arenas++] =
                (naive_arena){.address = region->address, .size = region->size_bytes};
    } else if (region->kind == RH_REGION_PAGE) {
        point->page_size = region->size_bytes;
        point->page_block = region->block_bytes;
        point->page_capacity = region->capacity;
    } else if (point->paged && region->used) {
        point->block[point->blocks++] = (naive_block){.address = region->address,
                                                      .size = point->page_block,
                                                      .page_bytes = point->page_size,
                                                      .capacity = point->page_capacity,
                                                      .arena = point->arenas - 1};
        point->arena[point->arenas - 1].used += point->page_block;
        point->arena[point->arenas - 1].blocks++;
    }
    return true;
}

/* Who has come to `address`, and is still there; as far as it is known now. */
static size_t
who(uint64_t address, uint64_t within)
{
    for (size_t i = stay_count; i-- > 0;)
        if (!stays[i].died && stays[i].address >= address && stays[i].address < address + within)
            return i;
    return SIZE_MAX;
}

static void
look(rh_heap *heap, naive_point *point)
{
    memset(point, 0, sizeof *point);
    assert_true(rh_heap_walk(heap, meet, point));
    for (size_t i = 0; i < point->blocks; i++) {
        point->block[i].stay = who(point->block[i].address, point->block[i].size);
        assert_true(point->block[i].stay != SIZE_MAX);
    }
}

static void
replay_by_hand(const char *spec)
{
    static void *block[SLOTS];
    static size_t place[SLOTS];
    rh_error error = {0};
    rh_heap *heap;
    memset(block, 0, sizeof block);
    stay_count = 0;
    assert_int_equal(rh_heap_open(spec, &heap, &error), RH_OK);
    for (size_t i = 0; i < CALLS; i++) {
        const rh_event *event = &events[i];
        const PyMemAllocatorEx *domain = &heap->domain[event->domain];
        void *old = block[event->slot], *now = NULL;
        if (event->operation == RH_FREE)
            domain->free(domain->ctx, old);
        else if (event->operation == RH_REALLOC)
            now = domain->realloc(domain->ctx, old, event->size);
        else
            now = domain->malloc(domain->ctx, event->size);
        if (old && now != old)
            stays[place[event->slot]].died = i + 1;
        if (now && now != old) {
            place[event->slot] = stay_count;
            stays[stay_count++] = (stay){(uintptr_t)now, i + 1, 0, event->domain};
        }
        block[event->slot] = now;
        for (size_t p = 0; p < POINTS; p++)
            if (points[p] == i + 1)
                look(heap, &by_hand[p]);
    }
    rh_heap_close(heap);
}

/* ---- the definitions ---- */

static int
lifetime_of(const naive_block *block)
{
    const stay *of = &stays[block->stay];
    if (!of->died)
        return NEVER;
    int bucket = 0;
    for (uint64_t limit = 1; of->died - of->born > limit && bucket < NEVER - 1; limit *= 4)
        bucket++;
    return bucket;
}

static const char *
phase_of(const naive_block *block)
{
    const char *phase = phases[0];
    for (size_t i = 0; i < 4; i++)
        if (phase_starts[i] < stays[block->stay].born)
            phase = phases[phase_names[i]];
    return phase;
}

static bool
belongs(const naive_block *block, const rh_pin_row *row)
{
    switch ((rh_pin_by)row->by) {
    case RH_PIN_SIZE:
        return block->size == row->block_size_bytes;
    case RH_PIN_LIFETIME:
        return lifetime_of(block) == row->lifetime;
    case RH_PIN_LIFETIME_FROM:
        return lifetime_of(block) >= row->lifetime;
    case RH_PIN_DOMAIN:
        return (int)stays[block->stay].domain == row->domain;
    case RH_PIN_BIRTH:
        return strcmp(phase_of(block), row->birth) == 0;
    default:
        return block->size == row->block_size_bytes && lifetime_of(block) == row->lifetime;
    }
}

/* Arenas that so many blocks of each size fill: sizes are told by the blocks marked. */
static uint64_t
pack(const naive_point *point, const bool *marked)
{
    uint64_t bytes = 0;
    bool done[SLOTS] = {false};
    for (size_t i = 0; i < point->blocks; i++) {
        if (!marked[i] || done[i])
            continue;
        uint64_t number = 0;
        for (size_t j = i; j < point->blocks; j++)
            if (marked[j] && point->block[j].size == point->block[i].size) {
                number++;
                done[j] = true;
            }
        uint64_t pages = 0;
        while (pages * point->block[i].capacity < number)
            pages++;
        bytes += pages * point->block[i].page_bytes;
    }
    uint64_t arenas = 0;
    while (bytes && arenas * point->arena[0].size < bytes)
        arenas++;
    return arenas;
}

static bool
is_sparse(const naive_arena *arena, unsigned under)
{
    return arena->blocks && (double)arena->used / (double)arena->size * 100 < (double)under;
}

/* How many groups of the table an arena has. */
static unsigned
groups_in(const naive_point *point, size_t arena, const rh_pin_row *rows, size_t count)
{
    unsigned groups = 0;
    for (size_t r = 0; r < count; r++) {
        bool there = false;
        for (size_t i = 0; i < point->blocks && !there; i++)
            there = point->block[i].arena == arena && belongs(&point->block[i], &rows[r]);
        groups += there;
    }
    return groups;
}

static void
check_row(const naive_point *point, unsigned under, const rh_pin_row *row, const rh_pin_row *rows,
          size_t count)
{
    static bool alone[SLOTS];
    uint64_t blocks = 0, bytes = 0, arenas = 0, alone_arenas = 0;
    double pinned = 0;
    memset(alone, 0, sizeof alone);
    for (size_t a = 0; a < point->arenas; a++) {
        size_t inside = 0;
        if (!is_sparse(&point->arena[a], under))
            continue;
        for (size_t i = 0; i < point->blocks; i++)
            if (point->block[i].arena == a && belongs(&point->block[i], row)) {
                inside++;
                bytes += point->block[i].size;
            }
        blocks += inside;
        arenas += inside > 0;
        if (inside > 0 && row->by != RH_PIN_LIFETIME_FROM)
            pinned += (double)point->arena[a].size / groups_in(point, a, rows, count);
        if (inside == 0 || inside != point->arena[a].blocks)
            continue;
        alone_arenas++;
        for (size_t i = 0; i < point->blocks; i++)
            alone[i] = alone[i] || point->block[i].arena == a;
    }
    assert_int_equal(row->blocks, blocks);
    assert_int_equal(row->block_bytes, bytes);
    assert_int_equal(row->arenas, arenas);
    assert_int_equal(row->alone_arenas, alone_arenas);
    uint64_t size = point->arena[0].size, packed = pack(point, alone);
    assert_int_equal(row->apart_bytes, alone_arenas > packed ? (alone_arenas - packed) * size : 0);
    if (row->by == RH_PIN_LIFETIME_FROM)
        assert_true(isnan(row->pinned_bytes));
    else
        assert_true(fabs(row->pinned_bytes - pinned) <= 1e-9 * pinned);
}

static void
check_table(const naive_point *point, const rh_pin_table *table, const rh_pin_row *rows,
            size_t count, const rh_pin_sum *sum)
{
    static bool marked[SLOTS];
    uint64_t blocks = 0, apart = 0;
    double pinned = 0;
    assert_int_equal(table->groups, count); /* none was cut */
    for (size_t r = 0; r < count; r++) {
        check_row(point, table->under_percent, &rows[r], rows, count);
        blocks += rows[r].blocks;
        pinned += rows[r].pinned_bytes;
        for (size_t i = 0; i < point->blocks; i++)
            marked[i] = is_sparse(&point->arena[point->block[i].arena], table->under_percent) &&
                        belongs(&point->block[i], &rows[r]);
        apart += pack(point, marked) * point->arena[0].size;
        if (r && table->by != RH_PIN_LIFETIME_FROM)
            assert_true(rows[r - 1].pinned_bytes >= rows[r].pinned_bytes);
    }
    if (table->by == RH_PIN_LIFETIME_FROM) {
        assert_int_equal(table->all_apart_bytes, RH_UNKNOWN);
        return;
    }
    assert_int_equal(table->all_apart_bytes,
                     sum->arena_bytes > apart ? sum->arena_bytes - apart : 0);
    assert_int_equal(blocks, sum->blocks);
    assert_true(fabs(pinned - (double)sum->arena_bytes) < 1); /* the shares are all there is */
}

static void
check_point(const rh_pin_findings *findings, uint32_t number)
{
    const naive_point *point = &by_hand[number];
    const rh_arena_report report = {.pins = findings->pins, .pins_count = findings->pin_count};
    assert_int_equal(findings->points[number].census.arenas, point->arenas);
    assert_int_equal(findings->points[number].census.blocks, point->blocks);
    assert_int_equal(findings->points[number].census.event, points[number]);
    for (uint32_t i = 0; i < findings->sum_count; i++) {
        const rh_pin_sum *sum = &findings->sums[i];
        static bool marked[SLOTS];
        uint64_t arenas = 0, blocks = 0, used = 0;
        if (sum->point != number)
            continue;
        for (size_t a = 0; a < point->arenas; a++) {
            bool counts = is_sparse(&point->arena[a], sum->under_percent);
            arenas += counts;
            blocks += counts ? point->arena[a].blocks : 0;
            used += counts ? point->arena[a].used : 0;
        }
        for (size_t b = 0; b < point->blocks; b++)
            marked[b] = is_sparse(&point->arena[point->block[b].arena], sum->under_percent);
        assert_int_equal(sum->arenas, arenas);
        assert_int_equal(sum->blocks, blocks);
        assert_int_equal(sum->block_bytes, used);
        assert_int_equal(sum->packed_arenas, pack(point, marked));
        for (uint32_t t = 0; t < findings->table_count; t++) {
            const rh_pin_table *table = &findings->tables[t];
            if (table->point != number || table->under_percent != sum->under_percent ||
                table->by == RH_PIN_SIZE_LIFETIME)
                continue;
            size_t count;
            const rh_pin_row *rows = rh_arena_report_pins(&report, table, &count);
            check_table(point, table, rows, count, sum);
        }
    }
}

/* Of pairs of size and lifetime there may be more than rows: those that are there are right. */
static void
check_pairs(const rh_pin_findings *findings)
{
    for (uint32_t i = 0; i < findings->pin_count; i++) {
        const rh_pin_row *row = &findings->pins[i];
        const naive_point *point = &by_hand[row->point];
        uint64_t blocks = 0;
        if (row->by != RH_PIN_SIZE_LIFETIME)
            continue;
        for (size_t b = 0; b < point->blocks; b++)
            blocks += is_sparse(&point->arena[point->block[b].arena], row->under_percent) &&
                      belongs(&point->block[b], row);
        assert_int_equal(row->blocks, blocks);
    }
}

/* The first arena from `from` on that is under one half. */
static size_t
next_sparse(const naive_point *point, size_t from)
{
    while (from < point->arenas && !is_sparse(&point->arena[from], 50))
        from++;
    return from;
}

static void
check_arena(const naive_point *point, size_t arena, const rh_pin_arena *pinned)
{
    uint64_t main = 0;
    for (size_t b = 0; b < point->blocks; b++)
        main += point->block[b].arena == arena && point->block[b].size == pinned->main_size_bytes &&
                lifetime_of(&point->block[b]) == pinned->main_lifetime;
    assert_int_equal(pinned->blocks, point->arena[arena].blocks);
    assert_int_equal(pinned->block_bytes, point->arena[arena].used);
    assert_int_equal(pinned->main_blocks, main);
    assert_in_range(pinned->sizes, 1, pinned->blocks);
}

/* Each arena under one half is listed with what it holds, in order of addresses: which differ from
 * one heap to the next. */
static void
check_arenas(const rh_pin_findings *findings)
{
    uint32_t listed = 0;
    for (uint32_t p = 0; p < POINTS; p++) {
        const naive_point *point = &by_hand[p];
        for (size_t a = 0; (a = next_sparse(point, a)) < point->arenas; a++) {
            assert_true(listed < findings->arena_count);
            assert_int_equal(findings->arenas[listed].point, p);
            check_arena(point, a, &findings->arenas[listed++]);
        }
    }
    assert_int_equal(listed, findings->arena_count);
}

static void
compare(const char *spec, uint64_t seed, size_t *sparse)
{
    make_events(seed);
    rh_pin_findings *findings = play(spec);
    replay_by_hand(spec);
    for (uint32_t p = 0; p < POINTS; p++)
        check_point(findings, p);
    check_pairs(findings);
    check_arenas(findings);
    *sparse += findings->arena_count;
    free(findings);
}

static void
test_random_programs(void **state)
{
    (void)state;
    /* Heaps that behave the same twice. */
    static const char *const specs[] = {
        "pymalloc,arena=16K,pool=4K",
        "pymalloc,arena=8K,pool=1K,align=8,small=256,metadata=side",
        "pymalloc,arena=32K,pool=4K,classes=geometric:4,policy=lowest-address",
        "pymalloc,arena=16K,pool=2K,source=virtual,policy=least-full,keep=3",
        "pymalloc@3.7,arena=16K,pool=4K+count",
    };
    size_t sparse = 0;
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++)
        compare(specs[i], i + 1, &sparse);
    assert_true(sparse > 100); /* there was something to compare */
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random_programs)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
