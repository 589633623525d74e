/* The census of arenas against numbers worked out by hand, against the heap's own counters and
 * against the kernel; the history of arenas against the source that gave them, of heaps that do not
 * tell, and when there is no room. */
#include "replay/arena_history.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "replay/arena_census.h"

static rh_packing packing;

static rh_heap *
open_heap(const char *spec)
{
    rh_heap *heap;
    rh_error error = {0};
    if (rh_heap_open(spec, &heap, &error) != RH_OK)
        fail_msg("%s: %s", spec, error.message);
    return heap;
}

static void *
get(rh_heap *heap, size_t size)
{
    const PyMemAllocatorEx *objects = &heap->domain[PYMEM_DOMAIN_OBJ];
    void *block = objects->malloc(objects->ctx, size);
    assert_non_null(block);
    return block;
}

static void
give(rh_heap *heap, void *block)
{
    const PyMemAllocatorEx *objects = &heap->domain[PYMEM_DOMAIN_OBJ];
    objects->free(objects->ctx, block);
}

/* ---- packing ---- */

static void
packing_is_rounded_up_by_size(void **state)
{
    (void)state;
    memset(&packing, 0, sizeof packing);
    assert_int_equal(rh_packing_arenas(&packing, 1000), 0);
    rh_packing_add(&packing, 16, 100, 5, 10); /* 2 pages */
    rh_packing_add(&packing, 16, 100, 5, 1);  /* a third */
    rh_packing_add(&packing, 32, 100, 3, 1);  /* one of its own */
    rh_packing_add(&packing, 16, 200, 11, 1); /* in pages of another size */
    rh_packing_add(&packing, 48, 100, 2, 0);  /* none */
    assert_int_equal(rh_packing_bytes(&packing), 300 + 100 + 200);
    assert_int_equal(rh_packing_arenas(&packing, 600), 1);
    assert_int_equal(rh_packing_arenas(&packing, 599), 2);
    rh_packing_clear(&packing);
    assert_int_equal(rh_packing_bytes(&packing), 0);
    for (uint64_t i = 1; i <= RH_PACKING_CLASSES; i++)
        rh_packing_add(&packing, i, 100, 1, 1);
    assert_int_equal(rh_packing_bytes(&packing), 100 * RH_PACKING_CLASSES);
    rh_packing_add(&packing, 1, 100, 1, 1); /* known */
    assert_int_equal(rh_packing_bytes(&packing), 100 * RH_PACKING_CLASSES + 100);
    rh_packing_add(&packing, RH_PACKING_CLASSES + 1, 100, 1, 1);
    assert_int_equal(rh_packing_arenas(&packing, 100), RH_UNKNOWN);
    rh_packing_clear(&packing);
    assert_int_equal(rh_packing_arenas(&packing, 100), 0);
}

/* ---- the census ---- */

static void
by_hand(void **state)
{
    (void)state;
    /* Pools of 4 KiB, four in an arena; (4096 - 48) / 64 is 63 blocks, and 7 of 512 bytes. */
    rh_heap *heap = open_heap("pymalloc,arena=16K,pool=4K,keep=0");
    rh_arena_census census;
    static void *block[8 * 63];
    memset(&packing, 0, sizeof packing);
    assert_true(rh_arena_census_take(heap, &packing, &census, NULL, NULL));
    assert_int_equal(census.arenas, 0);
    for (size_t i = 0; i < 8 * 63; i++)
        block[i] = get(heap, 64);
    void *large = get(heap, 512), *larger = get(heap, 100000); /* a third arena; no arena */
    assert_true(rh_arena_census_take(heap, &packing, &census, NULL, NULL));
    assert_int_equal(census.arenas, 3);
    assert_int_equal(census.arena_bytes, 3 << 14);
    assert_int_equal(census.blocks, 8 * 63 + 1);
    assert_int_equal(census.block_bytes, 8 * 63 * 64 + 512);
    assert_int_equal(census.empty_arenas, 0);
    assert_int_equal(census.under_10_arenas, 1); /* 512 of 16,384 */
    assert_int_equal(census.under_50_arenas, 1);
    assert_int_equal(census.packed_arenas, 3);
    /* One in seven stays: 72 blocks, which fill two pools; with the large one's that is one arena.
     */
    for (size_t i = 0; i < 8 * 63; i++)
        if (i % 7)
            give(heap, block[i]);
    assert_true(rh_arena_census_take(heap, &packing, &census, NULL, NULL));
    assert_int_equal(census.arenas, 3);
    assert_int_equal(census.blocks, 73);
    assert_int_equal(census.under_10_arenas, 1);
    assert_int_equal(census.under_25_arenas, 3); /* 36 blocks of 64 bytes are 14 % */
    assert_int_equal(census.packed_arenas, 1);
    give(heap, large);
    give(heap, larger);
    rh_heap_close(heap);
}

/* What the census takes for an arena, and what the kernel has mapped there to be written. */
typedef struct kernel_view {
    uint64_t bytes, mapped_bytes;
    size_t count;
    struct {
        uint64_t start, end;
    } range[4096]; /* that may be written */
} kernel_view;

static kernel_view *
ask_kernel(void)
{
    static kernel_view view;
    char line[512], access[8];
    FILE *maps = fopen("/proc/self/maps", "r");
    assert_non_null(maps);
    view.bytes = view.mapped_bytes = view.count = 0;
    while (fgets(line, sizeof line, maps)) {
        assert_true(view.count < 4096);
        if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %7s", &view.range[view.count].start,
                   &view.range[view.count].end, access) == 3 &&
            strncmp(access, "rw", 2) == 0)
            view.count++;
    }
    fclose(maps);
    return &view;
}

static void
compare_range(kernel_view *view, uint64_t from, uint64_t bytes)
{
    view->bytes += bytes;
    for (size_t i = 0; i < view->count; i++) {
        uint64_t start = view->range[i].start < from ? from : view->range[i].start;
        uint64_t end = view->range[i].end > from + bytes ? from + bytes : view->range[i].end;
        view->mapped_bytes += end > start ? end - start : 0;
    }
}

static void
compare_arena(void *ctx, const rh_arena_view *arena)
{
    compare_range(ctx, arena->address, arena->size_bytes);
}

/* At some moments of a random life: the census sums up to the counters, these to what is mapped,
 * and the kernel has what the census says. */
static void
census_counters_and_kernel_agree(const char *spec, bool kernel)
{
    enum { SLOTS = 8000, STEPS = 60000, EVERY = 2500 };
    static void *block[SLOTS];
    rh_heap *heap = open_heap(spec);
    rh_random random = {7};
    uint64_t most = 0;
    memset(block, 0, sizeof block);
    for (size_t i = 1; i <= STEPS; i++) {
        void **at = &block[rh_random_below(&random, SLOTS)];
        bool shrinking = i / 20000 % 2;
        if (*at) {
            give(heap, *at);
            *at = NULL;
        } else if (!shrinking || rh_random_below(&random, 10) == 0) {
            *at = get(heap, 1 + rh_random_below(&random, 512));
        }
        if (i % EVERY)
            continue;
        rh_arena_census census;
        rh_counters counters;
        kernel_view *view = ask_kernel();
        assert_true(rh_arena_census_take(heap, &packing, &census, compare_arena, view));
        rh_heap_snapshot(heap, &counters);
        assert_int_equal(census.arenas, counters.arenas_current);
        assert_int_equal(census.arena_bytes, counters.arena_bytes);
        assert_int_equal(census.blocks, counters.live_blocks); /* all are small */
        assert_int_equal(census.block_bytes, counters.block_bytes);
        assert_true(census.packed_arenas <= census.arenas);
        assert_int_equal(rh_counters_parts(&counters), counters.mapped_bytes);
        assert_int_equal(view->bytes, census.arena_bytes);
        if (kernel)
            assert_int_equal(view->mapped_bytes, view->bytes);
        most = census.arenas > most ? census.arenas : most;
    }
    assert_true(most > 3);
    for (size_t i = 0; i < SLOTS; i++)
        if (block[i])
            give(heap, block[i]);
    rh_heap_close(heap);
}

static void
all_agree(void **state)
{
    (void)state;
    memset(&packing, 0, sizeof packing);
    census_counters_and_kernel_agree("pymalloc,arena=64K", true);
    census_counters_and_kernel_agree("pymalloc@3.8", true);
    census_counters_and_kernel_agree("pymalloc,arena=64K,metadata=side,classes=geometric:4", true);
    census_counters_and_kernel_agree("pymalloc,arena=32K,cache=4,policy=lowest-address+count",
                                     true);
    census_counters_and_kernel_agree("pymalloc,arena=64K,source=virtual", false);
    census_counters_and_kernel_agree("pymalloc,arena=64K,source=malloc", true);
}

/* Everything that a walk shows as held, large blocks' ranges too. */
static bool
compare_region(void *ctx, const rh_region *region)
{
    if (region->kind == RH_REGION_ARENA)
        compare_range(ctx, region->address, region->size_bytes);
    return true;
}

/* Mapped bytes are those of the ranges that a walk shows and the heap's own tables, and the kernel
 * has each of these ranges mapped, wholly. */
static void
mapped_bytes_are_the_kernels(void **state)
{
    (void)state;
    enum { SLOTS = 2000, STEPS = 30000, EVERY = 2500 };
    static const char *const specs[] = {"pymalloc,arena=64K", "pymalloc@3.8,metadata=side",
                                        "bestfit", "pymalloc,arena=64K,keep=5+count"};
    static void *block[SLOTS];
    for (size_t s = 0; s < sizeof specs / sizeof *specs; s++) {
        rh_heap *heap = open_heap(specs[s]);
        rh_random random = {s};
        uint64_t most = 0;
        memset(block, 0, sizeof block);
        for (size_t i = 1; i <= STEPS; i++) {
            void **at = &block[rh_random_below(&random, SLOTS)];
            uint64_t limit = rh_random_below(&random, 20) ? 600 : 200000;
            if (*at)
                give(heap, *at);
            *at = *at ? NULL : get(heap, 1 + rh_random_below(&random, limit));
            if (i % EVERY)
                continue;
            rh_counters counters;
            kernel_view *view = ask_kernel();
            rh_heap_snapshot(heap, &counters);
            assert_true(rh_heap_walk(heap, compare_region, view));
            assert_int_equal(view->mapped_bytes, view->bytes);
            assert_int_equal(view->bytes, counters.mapped_bytes - counters.metadata_bytes);
            assert_int_equal(rh_counters_parts(&counters), counters.mapped_bytes);
            most = view->bytes > most ? view->bytes : most;
        }
        assert_true(most > 1 << 20);
        rh_heap_close(heap);
    }
}

/* ---- the history ---- */

typedef struct source_log {
    PyObjectArenaAllocator source;
    uint64_t calls;
    struct {
        uint64_t address, born, died;
    } life[4096];
    size_t count;
} source_log;

static void *
log_alloc(void *ctx, size_t size)
{
    source_log *log = ctx;
    void *arena = log->source.alloc(log->source.ctx, size);
    assert_true(arena && log->count < 4096);
    log->life[log->count].address = (uintptr_t)arena;
    log->life[log->count].died = RH_UNKNOWN;
    log->life[log->count++].born = log->calls + 1;
    return arena;
}

static void
log_free(void *ctx, void *arena, size_t size)
{
    source_log *log = ctx;
    for (size_t i = log->count; i-- > 0;)
        if (log->life[i].address == (uintptr_t)arena) {
            log->life[i].died = log->calls + 1;
            break;
        }
    log->source.free(log->source.ctx, arena, size);
}

static void
lives_are_those_of_the_source(void **state)
{
    (void)state;
    enum { SLOTS = 4000, STEPS = 120000 };
    static void *block[SLOTS];
    static source_log log;
    rh_error error = {0};
    rh_heap *heap = open_heap("pymalloc,arena=16K,pool=4K");
    rh_arena_history *history = calloc(1, sizeof *history);
    assert_non_null(history);
    assert_true(rh_heap_get_arenas(heap, &log.source));
    const PyObjectArenaAllocator hook = {&log, log_alloc, log_free};
    assert_int_equal(rh_heap_set_arenas(heap, &hook, &error), RH_OK);
    rh_arena_history_begin(history, heap, STEPS / 100, &log.calls);
    assert_true(history->known && history->exact);
    rh_random random = {3};
    for (; log.calls < STEPS;) {
        void **at = &block[rh_random_below(&random, SLOTS)];
        bool shrinking = log.calls / 10000 % 2;
        if (*at) {
            give(heap, *at);
            *at = NULL;
        } else if (!shrinking || rh_random_below(&random, 10) == 0) {
            *at = get(heap, 1 + rh_random_below(&random, 512));
        } else {
            continue;
        }
        if (++log.calls % 100 == 0)
            rh_arena_history_sample(history, heap, log.calls, log.calls == STEPS);
    }
    assert_true(log.count > 100);
    assert_int_equal(history->births, log.count);
    assert_int_equal(history->arena_count, log.count);
    uint32_t generation[4096] = {0};
    for (size_t i = 0; i < log.count; i++) {
        const rh_arena_life *life = &history->arenas[i];
        assert_int_equal(life->address, log.life[i].address);
        assert_int_equal(life->born_event, log.life[i].born);
        assert_int_equal(life->died_event, log.life[i].died);
        assert_int_equal(life->generation, generation[life->slot]++);
        assert_true(life->exact);
    }
    /* Each look has a row for each arena that was held, no other one, and they sum up. */
    size_t row = 0;
    for (uint32_t i = 0; i < history->look_count; i++) {
        uint64_t arenas = 0, bytes = 0, event = history->looks[i].event;
        for (; row < history->row_count && history->rows[row].look == i; row++) {
            const rh_arena_life *life = &history->arenas[history->rows[row].arena];
            assert_int_equal(history->rows[row].event, event);
            assert_true(life->born_event <= event && life->died_event > event);
            assert_true(history->rows[row].block_bytes <= life->most_block_bytes);
            arenas++;
            bytes += history->rows[row].block_bytes;
        }
        assert_int_equal(arenas, history->looks[i].arenas);
        assert_int_equal(bytes, history->looks[i].block_bytes);
    }
    assert_int_equal(row, history->row_count);
    assert_int_equal(history->looks[history->look_count - 1].event, STEPS);
    rh_heap_watch_arenas(heap, NULL);
    free(history);
    rh_heap_close(heap);
}

/* A heap of arenas that are nowhere: it shows those that it is told to, and tells of none. */
typedef struct made_heap {
    rh_heap heap;
    uint64_t first, count;
} made_heap;

static bool
show_made(rh_heap *heap, rh_region_visitor *visit, void *ctx)
{
    const made_heap *made = (const made_heap *)heap;
    for (uint64_t i = made->first; i < made->first + made->count; i++) {
        const rh_region arena = {.kind = RH_REGION_ARENA,
                                 .address = (i + 1) << 20,
                                 .size_bytes = 1 << 20,
                                 .used = 1,
                                 .capacity = 64};
        const rh_region page = {.kind = RH_REGION_PAGE,
                                .address = (i + 1) << 20,
                                .size_bytes = 1 << 14,
                                .block_bytes = 64,
                                .used = (uint32_t)(i % 255 + 1),
                                .capacity = 255};
        if (!visit(ctx, &arena) || !visit(ctx, &page))
            return false;
    }
    return true;
}

static const rh_heap_operations made_operations = {.walk_pages = show_made};

static void
a_heap_that_does_not_tell(void **state)
{
    (void)state;
    made_heap made = {.heap = {.operations = &made_operations}};
    uint64_t calls = 0;
    rh_arena_history *history = calloc(1, sizeof *history);
    rh_arena_history_begin(history, &made.heap, 10, &calls);
    assert_true(history->known && !history->exact);
    static const uint64_t first[] = {0, 0, 1, 2, 0}, count[] = {0, 3, 3, 1, 2};
    for (size_t i = 0; i < 5; i++) {
        made.first = first[i];
        made.count = count[i];
        calls = 10 * i;
        rh_arena_history_sample(history, &made.heap, calls, i == 4);
    }
    /* 0 1 2, then 3 comes and 0 goes, then 1 and 3 go, then 2 goes and 0 1 come again. */
    static const uint64_t born[] = {10, 10, 10, 20, 40, 40}, died[] = {20, 30, 40, 30, 0, 0};
    assert_int_equal(history->arena_count, 6);
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(history->arenas[i].born_event, born[i]);
        assert_int_equal(history->arenas[i].died_event, died[i] ? died[i] : RH_UNKNOWN);
        assert_false(history->arenas[i].exact);
        assert_in_range(history->arenas[i].slot, 0, 3);
    }
    assert_int_equal(history->row_count, 3 + 3 + 1 + 2);
    free(history);
}

/* Looks that have no room are thinned out, and those that stay are whole. */
static void
room_is_bounded(void **state)
{
    (void)state;
    enum { ARENAS = 5000, LOOKS = 256 };
    made_heap made = {.heap = {.operations = &made_operations}, .count = ARENAS};
    uint64_t calls = 0;
    rh_arena_history *history = calloc(1, sizeof *history);
    rh_arena_history_begin(history, &made.heap, LOOKS, &calls);
    for (; calls < LOOKS; calls++)
        rh_arena_history_sample(history, &made.heap, calls, calls == LOOKS - 1);
    assert_in_range(history->look_count, 16, RH_HISTORY_ROWS / ARENAS);
    assert_int_equal(history->row_count, history->look_count * ARENAS);
    for (uint32_t i = 0; i < history->row_count; i++) {
        const rh_arena_row *row = &history->rows[i];
        assert_int_equal(row->look, i / ARENAS);
        assert_int_equal(row->event, history->looks[row->look].event);
    }
    for (uint32_t i = 1; i + 1 < history->look_count; i++)
        assert_int_equal(history->looks[i].event - history->looks[i - 1].event,
                         history->looks[1].event - history->looks[0].event);
    assert_int_equal(history->looks[history->look_count - 1].event, LOOKS - 1);
    /* Every look has as many arenas beyond need: the first was the worst, and is remembered. */
    assert_int_equal(history->worst.event, 0);
    assert_int_equal(history->worst.arenas, ARENAS);
    free(history);
}

/* What has no room in the list is counted, and nothing breaks. */
static void
too_many_arenas(void **state)
{
    (void)state;
    made_heap made = {.heap = {.operations = &made_operations}, .count = RH_HISTORY_ARENAS + 10};
    uint64_t calls = 1;
    rh_arena_history *history = calloc(1, sizeof *history);
    rh_arena_history_begin(history, &made.heap, 4, &calls);
    rh_arena_history_sample(history, &made.heap, 1, false);
    assert_int_equal(history->arena_count, RH_HISTORY_ARENAS);
    assert_int_equal(history->unlisted, 10);
    assert_int_equal(history->looks[0].arenas, RH_HISTORY_ARENAS + 10);
    calls = 2;
    rh_arena_history_sample(history, &made.heap, 2, false);
    made.count = 5;
    calls = 3;
    rh_arena_history_sample(history, &made.heap, 3, true);
    assert_int_equal(history->looks[history->look_count - 1].arenas, 5);
    assert_int_equal(history->arenas[4].died_event, RH_UNKNOWN);
    assert_int_equal(history->arenas[5].died_event, 3);
    free(history);
}

static void
heaps_without_arenas(void **state)
{
    (void)state;
    static const char *const specs[] = {"bestfit", "bump", "malloc"};
    for (size_t i = 0; i < 3; i++) {
        rh_heap *heap = open_heap(specs[i]);
        rh_arena_history *history = calloc(1, sizeof *history);
        uint64_t calls = 0;
        rh_arena_history_begin(history, heap, 4, &calls);
        rh_arena_history_sample(history, heap, 0, true);
        assert_false(history->known);
        assert_int_equal(history->look_count, 0);
        free(history);
        rh_heap_close(heap);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packing_is_rounded_up_by_size),
        cmocka_unit_test(by_hand),
        cmocka_unit_test(all_agree),
        cmocka_unit_test(mapped_bytes_are_the_kernels),
        cmocka_unit_test(lives_are_those_of_the_source),
        cmocka_unit_test(a_heap_that_does_not_tell),
        cmocka_unit_test(room_is_bounded),
        cmocka_unit_test(too_many_arenas),
        cmocka_unit_test(heaps_without_arenas),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
