#include "replay/pin_pass.h"

#include <stdlib.h>
#include <string.h>

#include "alloc/heap.h"
#include "replay/arena_census.h"
#include "replay/arena_history.h"

typedef struct noted_page {
    uint64_t address, size_bytes;
    uint32_t arena;
    uint16_t size;
} noted_page;

/* One point: what was there. */
typedef struct noted_point {
    rh_pin_view view;
    rh_pinned_arena *arenas;
    rh_pin_size *sizes;
    rh_survivor *survivors;
    uint32_t *survivor_of; /* by slot: its number and 1; 0: not noted, or gone */
    size_t arena_room, survivor_room;
} noted_point;

struct rh_pin_pass {
    rh_memory *memory;
    rh_memory_watch watch;
    rh_pin_findings *findings;
    uint64_t slots;
    uint64_t *born;      /* by slot: the call that brought the block; 0: none */
    uint8_t *domain;     /* by slot */
    unsigned most_under; /* the largest of the order */
    bool no_memory, no_walk, too_many_sizes;
    rh_packing packing;
    const rh_aged_block *aged;
    uint64_t aged_count;
    rh_arena_history *history; /* which of the arenas is which; no looks are taken */
    noted_page *pages;         /* of the point that is being noted, by address */
    size_t page_count, page_room;
    noted_point points[RH_PIN_POINTS];
};

/* Makes room for one more of `each` bytes; false, remembered, when there is none. */
static bool
grow(rh_pin_pass *pass, void *array, size_t *room, size_t count, size_t each)
{
    void **base = array;
    if (count < *room)
        return true;
    size_t wanted = *room ? *room * 2 : 1024;
    void *grown = realloc(*base, wanted * each);
    if (!grown) {
        pass->no_memory = true;
        return false;
    }
    *base = grown;
    *room = wanted;
    return true;
}

/* ---- what the walk shows ---- */

typedef struct note_state {
    rh_pin_pass *pass;
    noted_point *point;
} note_state;

/* The place of a size in the point's list. */
static bool
find_size(note_state *state, const rh_region *page, uint16_t *place)
{
    noted_point *point = state->point;
    for (size_t i = 0; i < point->view.size_count; i++) {
        rh_pin_size *size = &point->sizes[i];
        if (size->block_bytes != page->block_bytes || size->page_bytes != page->size_bytes)
            continue;
        if (page->capacity > size->capacity)
            size->capacity = page->capacity;
        *place = (uint16_t)i;
        return true;
    }
    if (point->view.size_count == RH_PIN_SIZES) {
        state->pass->too_many_sizes = true;
        return false;
    }
    *place = (uint16_t)point->view.size_count;
    point->sizes[point->view.size_count++] = (rh_pin_size){.block_bytes = page->block_bytes,
                                                           .page_bytes = page->size_bytes,
                                                           .capacity = page->capacity};
    return true;
}

static bool
note_region(void *ctx, const rh_region *region)
{
    note_state *state = ctx;
    rh_pin_pass *pass = state->pass;
    noted_point *point = state->point;
    if (region->kind == RH_REGION_ARENA) {
        if (!grow(pass, &point->arenas, &point->arena_room, point->view.arena_count,
                  sizeof *point->arenas))
            return false;
        point->arenas[point->view.arena_count++] =
            (rh_pinned_arena){.number = pass->history->exact && !pass->findings->order.arenas_differ
                                            ? rh_arena_history_find(pass->history, region->address)
                                            : UINT32_MAX,
                              .address = region->address,
                              .size_bytes = region->size_bytes};
        return true;
    }
    if (region->kind != RH_REGION_PAGE || !region->used)
        return true;
    rh_pinned_arena *arena = &point->arenas[point->view.arena_count - 1];
    arena->blocks += region->used;
    arena->block_bytes += (uint64_t)region->used * region->block_bytes;
    noted_page page = {.address = region->address,
                       .size_bytes = region->size_bytes,
                       .arena = (uint32_t)(point->view.arena_count - 1)};
    if (!find_size(state, region, &page.size) ||
        !grow(pass, &pass->pages, &pass->page_room, pass->page_count, sizeof page))
        return false;
    pass->pages[pass->page_count++] = page;
    return true;
}

static const noted_page *
page_of(const rh_pin_pass *pass, uint64_t address)
{
    size_t low = 0, high = pass->page_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (pass->pages[middle].address <= address)
            low = middle + 1;
        else
            high = middle;
    }
    const noted_page *page = low ? &pass->pages[low - 1] : NULL;
    return page && address - page->address < page->size_bytes ? page : NULL;
}

/* ---- noting the blocks ---- */

static uint8_t
phase_of(const rh_pin_order *order, uint64_t call)
{
    uint32_t low = 0, high = order->phase_count;
    while (low < high) { /* the last that began before the call */
        uint32_t middle = low + (high - low) / 2;
        if (order->phases[middle].calls < call)
            low = middle + 1;
        else
            high = middle;
    }
    return low ? (uint8_t)order->phases[low - 1].birth : 0;
}

/* One that came with call number `born`; 0: it was there before. True, also where it is in no arena
 * that counts; then nothing is added. */
static bool
note_block(rh_pin_pass *pass, noted_point *point, const void *block, uint64_t born, unsigned domain)
{
    const noted_page *page = page_of(pass, (uint64_t)(uintptr_t)block);
    if (!page)
        return true;
    const rh_pinned_arena *arena = &point->arenas[page->arena];
    if (!rh_arena_is_under(arena->block_bytes, arena->size_bytes, pass->most_under))
        return true;
    if (!grow(pass, &point->survivors, &point->survivor_room, point->view.survivor_count,
              sizeof *point->survivors))
        return false;
    point->survivors[point->view.survivor_count++] =
        (rh_survivor){.born = born,
                      .died = RH_UNKNOWN,
                      .arena = page->arena,
                      .size = page->size,
                      .domain = (uint8_t)domain,
                      .birth = phase_of(&pass->findings->order, born)};
    return true;
}

static bool
note_slot(rh_pin_pass *pass, noted_point *point, uint32_t slot)
{
    size_t before = point->view.survivor_count;
    if (!note_block(pass, point, pass->memory->slots[slot].block, pass->born[slot],
                    pass->domain[slot]))
        return false;
    if (point->view.survivor_count > before)
        point->survivor_of[slot] = (uint32_t)point->view.survivor_count;
    return true;
}

static void
note_point(rh_pin_pass *pass, uint32_t number, uint64_t call)
{
    noted_point *point = &pass->points[number];
    note_state state = {pass, point};
    rh_pin_point *found = &pass->findings->points[number];
    point->sizes = calloc(RH_PIN_SIZES, sizeof *point->sizes);
    point->survivor_of = calloc(pass->slots + 1, sizeof *point->survivor_of);
    if (!point->sizes || !point->survivor_of) {
        pass->no_memory = true;
        return;
    }
    pass->page_count = 0;
    if (!rh_arena_census_take(pass->memory->heap, &pass->packing, &found->census, NULL, NULL) ||
        !rh_heap_walk_pages(pass->memory->heap, note_region, &state)) {
        pass->no_walk = true;
        return;
    }
    memcpy(found->name, pass->findings->order.points[number].name, sizeof found->name);
    found->census.event = call;
    found->point = number;
    for (uint64_t slot = 0; slot < pass->slots; slot++)
        if (pass->born[slot] && !note_slot(pass, point, (uint32_t)slot))
            return;
    for (uint64_t i = 0; i < pass->aged_count; i++)
        if (!note_block(pass, point, pass->aged[i].block, 0, (unsigned)pass->aged[i].domain))
            return;
}

/* ---- looking on ---- */

static void
see_birth(void *ctx, uint64_t call, uint32_t slot, unsigned domain)
{
    rh_pin_pass *pass = ctx;
    pass->born[slot] = call;
    pass->domain[slot] = (uint8_t)domain;
}

static void
see_death(void *ctx, uint64_t call, uint32_t slot)
{
    rh_pin_pass *pass = ctx;
    pass->born[slot] = 0;
    for (uint32_t i = 0; i < pass->findings->order.point_count; i++) {
        noted_point *point = &pass->points[i];
        if (!point->survivor_of || !point->survivor_of[slot])
            continue;
        point->survivors[point->survivor_of[slot] - 1].died = call;
        point->survivor_of[slot] = 0;
    }
}

/* The next call at which there is a point after `call`; 0: none. */
static uint64_t
next_call(const rh_pin_order *order, uint64_t call)
{
    uint64_t next = 0;
    for (uint32_t i = 0; i < order->point_count; i++) {
        uint64_t event = order->points[i].event;
        if (event > call && (!next || event < next))
            next = event;
    }
    return next;
}

static void
see_call(void *ctx, uint64_t call)
{
    rh_pin_pass *pass = ctx;
    const rh_pin_order *order = &pass->findings->order;
    for (uint32_t i = 0; i < order->point_count; i++)
        if (order->points[i].event == call)
            note_point(pass, i, call);
    pass->watch.next_call = next_call(order, call);
}

rh_status
rh_pin_pass_begin(rh_memory *memory, uint64_t slots, rh_pin_findings *findings, rh_pin_pass **begun,
                  rh_error *error)
{
    rh_pin_pass *pass = calloc(1, sizeof *pass);
    *begun = pass;
    if (!pass)
        return rh_fail(error, RH_SYSTEM, "no memory to look at arenas with");
    pass->memory = memory;
    pass->findings = findings;
    pass->slots = slots;
    pass->born = calloc(slots + 1, sizeof *pass->born);
    pass->domain = calloc(slots + 1, sizeof *pass->domain);
    pass->history = calloc(1, sizeof *pass->history);
    if (!pass->born || !pass->domain || !pass->history)
        return rh_fail(error, RH_SYSTEM, "no memory to look at arenas with");
    for (uint32_t i = 0; i < findings->order.under_count; i++)
        if (findings->order.unders[i] > pass->most_under)
            pass->most_under = findings->order.unders[i];
    pass->watch = (rh_memory_watch){.ctx = pass,
                                    .born = see_birth,
                                    .died = see_death,
                                    .reached = see_call,
                                    .next_call = next_call(&findings->order, 0)};
    memory->watch = &pass->watch;
    pass->history->before = true;
    rh_arena_history_begin(pass->history, memory->heap, 0, &memory->totals->calls);
    return RH_OK;
}

void
rh_pin_pass_aged(rh_pin_pass *pass, const rh_aged_block *blocks, uint64_t count)
{
    pass->history->before = false;
    pass->aged = blocks;
    pass->aged_count = count;
}

/* ---- counting ---- */

static int
by_arena(const void *left, const void *right)
{
    const rh_survivor *a = left, *b = right;
    if (a->arena != b->arena)
        return a->arena < b->arena ? -1 : 1;
    return (a->born > b->born) - (a->born < b->born);
}

static bool
list_arenas(rh_pin_findings *findings, uint32_t number, const rh_pin_view *view)
{
    for (size_t i = 0; i < view->survivor_count; i++) {
        const rh_survivor *survivor = &view->survivors[i];
        if (i && survivor->arena == survivor[-1].arena)
            continue;
        const rh_pinned_arena *arena = &view->arenas[survivor->arena];
        if (findings->arena_count == RH_PIN_ARENAS ||
            !rh_arena_is_under(arena->block_bytes, arena->size_bytes, 50))
            continue;
        rh_pin_arena *pinned = &findings->arenas[findings->arena_count++];
        if (!rh_pins_arena(view, survivor, pinned))
            return false;
        pinned->point = number;
        pinned->arena = arena->number;
    }
    return true;
}

static bool
count_table(rh_pin_findings *findings, uint32_t number, unsigned under, rh_pin_by by,
            const rh_pin_view *view)
{
    rh_pin_table *table = &findings->tables[findings->table_count++];
    rh_pin_row *rows = &findings->pins[findings->pin_count];
    size_t count = 0;
    if (!rh_pins_table(view, under, by, table, rows, RH_PIN_ROWS, &count))
        return false;
    table->point = number;
    for (size_t i = 0; i < count; i++) {
        rows[i].point = number;
        rows[i].under_percent = under;
    }
    findings->pin_count += (uint32_t)count;
    return true;
}

static bool
count_under(rh_pin_findings *findings, uint32_t number, unsigned under, const rh_pin_view *view)
{
    rh_pin_sum *sum = &findings->sums[findings->sum_count++];
    bool done = rh_pins_sum(view, under, sum);
    sum->point = number;
    for (int by = 0; done && by < RH_PIN_BYS; by++)
        done = count_table(findings, number, under, (rh_pin_by)by, view);
    return done;
}

static bool
count_point(rh_pin_pass *pass, uint32_t number)
{
    noted_point *point = &pass->points[number];
    rh_pin_findings *findings = pass->findings;
    const char *births[RH_PIN_BIRTHS];
    for (uint32_t i = 0; i < findings->order.birth_count; i++)
        births[i] = findings->order.births[i];
    point->view.arenas = point->arenas;
    point->view.sizes = point->sizes;
    point->view.survivors = point->survivors;
    point->view.births = births;
    point->view.birth_count = findings->order.birth_count;
    if (point->view.survivor_count)
        qsort(point->survivors, point->view.survivor_count, sizeof *point->survivors, by_arena);
    bool done = list_arenas(findings, number, &point->view);
    for (uint32_t i = 0; done && i < findings->order.under_count; i++)
        done = count_under(findings, number, findings->order.unders[i], &point->view);
    return done;
}

rh_status
rh_pin_pass_end(rh_pin_pass *pass, rh_error *error)
{
    if (pass->no_walk && !pass->no_memory && !pass->too_many_sizes)
        return rh_fail(error, RH_DIFFERENT, "the heap's walk over its arenas failed");
    if (pass->too_many_sizes)
        return rh_fail(error, RH_CANNOT_RUN, "the heap has more than %d sizes of blocks",
                       RH_PIN_SIZES);
    for (uint32_t i = 0; !pass->no_memory && i < pass->findings->order.point_count; i++)
        pass->no_memory = !count_point(pass, i);
    if (pass->no_memory)
        return rh_fail(error, RH_SYSTEM, "no memory to look at arenas with");
    pass->findings->point_count = pass->findings->order.point_count;
    return RH_OK;
}

void
rh_pin_pass_close(rh_pin_pass *pass)
{
    if (!pass)
        return;
    for (uint32_t i = 0; i < RH_PIN_POINTS; i++) {
        free(pass->points[i].arenas);
        free(pass->points[i].sizes);
        free(pass->points[i].survivors);
        free(pass->points[i].survivor_of);
    }
    free(pass->pages);
    if (pass->history && pass->history->exact)
        rh_heap_watch_arenas(pass->memory->heap, NULL);
    free(pass->history);
    free(pass->born);
    free(pass->domain);
    free(pass);
}
