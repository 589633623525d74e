#include "replay/pins.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "alloc/counters.h"
#include "replay/arena_census.h"

#define DOMAINS 4
#define NEVER   (RH_PIN_LIFETIMES - 1)

int
rh_pin_lifetime(const rh_survivor *survivor)
{
    if (survivor->died == RH_UNKNOWN)
        return NEVER;
    uint64_t calls = survivor->died - survivor->born;
    int bucket = calls <= 1 ? 0 : (64 - __builtin_clzll(calls - 1) + 1) / 2;
    return bucket < NEVER ? bucket : NEVER - 1;
}

/* ---- groups as numbers ---- */

static size_t
group_room(const rh_pin_view *view, rh_pin_by by)
{
    switch (by) {
    case RH_PIN_SIZE:
        return view->size_count;
    case RH_PIN_SIZE_LIFETIME:
        return view->size_count * RH_PIN_LIFETIMES;
    case RH_PIN_DOMAIN:
        return DOMAINS;
    case RH_PIN_BIRTH:
        return view->birth_count;
    default:
        return RH_PIN_LIFETIMES;
    }
}

static size_t
group_of(const rh_survivor *survivor, rh_pin_by by)
{
    switch (by) {
    case RH_PIN_SIZE:
        return survivor->size;
    case RH_PIN_SIZE_LIFETIME:
        return survivor->size * (size_t)RH_PIN_LIFETIMES + (size_t)rh_pin_lifetime(survivor);
    case RH_PIN_DOMAIN:
        return survivor->domain % DOMAINS;
    case RH_PIN_BIRTH:
        return survivor->birth;
    default:
        return (size_t)rh_pin_lifetime(survivor);
    }
}

static void
name_group(const rh_pin_view *view, rh_pin_by by, size_t group, rh_pin_row *row)
{
    *row = (rh_pin_row){.lifetime = -1, .domain = -1};
    switch (by) {
    case RH_PIN_SIZE:
        row->block_size_bytes = view->sizes[group].block_bytes;
        break;
    case RH_PIN_SIZE_LIFETIME:
        row->block_size_bytes = view->sizes[group / RH_PIN_LIFETIMES].block_bytes;
        row->lifetime = (int)(group % RH_PIN_LIFETIMES);
        break;
    case RH_PIN_DOMAIN:
        row->domain = (int)group;
        break;
    case RH_PIN_BIRTH:
        strncpy(row->birth, view->births[group], sizeof row->birth - 1);
        break;
    default:
        row->lifetime = (int)group;
        break;
    }
}

/* ---- counting ---- */

typedef struct group_tally {
    uint64_t blocks, block_bytes, arenas;
    uint64_t alone_arenas, alone_bytes;
    double pinned_bytes;
    size_t stamp; /* the arena that counted it last, and 1 */
} group_tally;

/* Blocks of a size. */
typedef struct size_tally {
    uint64_t all, alone;
} size_tally;

typedef struct pin_count {
    const rh_pin_view *view;
    rh_pin_by by;
    size_t room;  /* groups */
    size_t sizes; /* of each group: all, or 1 where a group has but one */
    group_tally *groups;
    size_tally *by_size;
    uint64_t largest_bytes; /* of an arena */
} pin_count;

static bool
has_one_size(rh_pin_by by)
{
    return by == RH_PIN_SIZE || by == RH_PIN_SIZE_LIFETIME;
}

static size_tally *
size_of(const pin_count *count, const rh_survivor *survivor, size_t group)
{
    return &count->by_size[group * count->sizes + (has_one_size(count->by) ? 0 : survivor->size)];
}

static size_t
run_length(const rh_pin_view *view, size_t first)
{
    size_t end = first;
    while (end < view->survivor_count && view->survivors[end].arena == view->survivors[first].arena)
        end++;
    return end - first;
}

/* Counts the blocks of one arena; returns how many groups it has. */
static size_t
count_blocks(pin_count *count, const rh_survivor *first, size_t blocks)
{
    size_t distinct = 0, stamp = first->arena + (size_t)1;
    for (size_t i = 0; i < blocks; i++) {
        size_t group = group_of(&first[i], count->by);
        group_tally *tally = &count->groups[group];
        if (tally->stamp != stamp) {
            tally->stamp = stamp;
            tally->arenas++;
            distinct++;
        }
        tally->blocks++;
        tally->block_bytes += count->view->sizes[first[i].size].block_bytes;
        size_of(count, &first[i], group)->all++;
    }
    return distinct;
}

static void
charge(pin_count *count, const rh_survivor *first, size_t blocks, size_t groups)
{
    const rh_pinned_arena *arena = &count->view->arenas[first->arena];
    size_t stamp = first->arena + (size_t)1;
    for (size_t i = 0; i < blocks; i++) {
        group_tally *tally = &count->groups[group_of(&first[i], count->by)];
        if (tally->stamp != stamp)
            continue; /* charged before, for an earlier block */
        tally->stamp = 0;
        tally->pinned_bytes += (double)arena->size_bytes / (double)groups;
    }
}

static void
count_alone(pin_count *count, const rh_survivor *first, size_t blocks, size_t group)
{
    const rh_pinned_arena *arena = &count->view->arenas[first->arena];
    count->groups[group].alone_arenas++;
    count->groups[group].alone_bytes += arena->size_bytes;
    for (size_t i = 0; i < blocks; i++)
        size_of(count, &first[i], group)->alone++;
}

/* Of groups that lie in one another an arena is kept alone by all that reach down to its shortest
 * stay. It is counted with that one here; sum_from() adds up. */
static size_t
shortest(const rh_survivor *first, size_t blocks)
{
    size_t least = NEVER;
    for (size_t i = 0; i < blocks; i++) {
        size_t lifetime = (size_t)rh_pin_lifetime(&first[i]);
        least = lifetime < least ? lifetime : least;
    }
    return least;
}

static size_t
longest(const rh_survivor *first, size_t blocks)
{
    size_t most = 0;
    for (size_t i = 0; i < blocks; i++) {
        size_t lifetime = (size_t)rh_pin_lifetime(&first[i]);
        most = lifetime > most ? lifetime : most;
    }
    return most;
}

static void
count_arena(pin_count *count, const rh_survivor *first, size_t blocks)
{
    const rh_pinned_arena *arena = &count->view->arenas[first->arena];
    bool complete = arena->blocks == blocks; /* else something else is in it, too */
    size_t groups = count_blocks(count, first, blocks);
    if (count->by == RH_PIN_LIFETIME_FROM) {
        for (size_t b = 0; b < RH_PIN_LIFETIMES; b++)
            count->groups[b].arenas -= count->groups[b].stamp == first->arena + (size_t)1;
        count->groups[longest(first, blocks)].arenas++;
        if (complete)
            count_alone(count, first, blocks, shortest(first, blocks));
        return;
    }
    charge(count, first, blocks, groups + !complete);
    if (complete && groups == 1)
        count_alone(count, first, blocks, group_of(first, count->by));
}

/* From "with this as the longest stay", "of this bucket" and "with this as the shortest stay" to
 * "of this bucket or longer". */
static void
sum_from(pin_count *count)
{
    for (size_t b = RH_PIN_LIFETIMES - 1; b-- > 0;) {
        const group_tally *longer = &count->groups[b + 1];
        group_tally *tally = &count->groups[b];
        tally->blocks += longer->blocks;
        tally->block_bytes += longer->block_bytes;
        tally->arenas += longer->arenas;
        tally->alone_arenas += longer->alone_arenas;
        tally->alone_bytes += longer->alone_bytes;
        for (size_t s = 0; s < count->sizes; s++) {
            size_tally *size = &count->by_size[b * count->sizes + s];
            size->all += count->by_size[(b + 1) * count->sizes + s].all;
            size->alone += count->by_size[(b + 1) * count->sizes + s].alone;
        }
    }
}

static bool
is_counted(const rh_pinned_arena *arena, unsigned under_percent)
{
    return arena->blocks && rh_arena_is_under(arena->block_bytes, arena->size_bytes, under_percent);
}

static uint64_t
largest_arena(const rh_pin_view *view)
{
    uint64_t largest = 0;
    for (size_t i = 0; i < view->arena_count; i++)
        if (view->arenas[i].size_bytes > largest)
            largest = view->arenas[i].size_bytes;
    return largest;
}

static void
count_all(pin_count *count, unsigned under_percent)
{
    const rh_pin_view *view = count->view;
    count->largest_bytes = largest_arena(view);
    for (size_t first = 0; first < view->survivor_count;) {
        size_t blocks = run_length(view, first);
        if (is_counted(&view->arenas[view->survivors[first].arena], under_percent))
            count_arena(count, &view->survivors[first], blocks);
        first += blocks;
    }
    if (count->by == RH_PIN_LIFETIME_FROM)
        sum_from(count);
}

/* ---- rows ---- */

static uint64_t
packed_bytes(const pin_count *count, rh_packing *packing, size_t group, bool alone)
{
    rh_packing_clear(packing);
    for (size_t s = 0; s < count->sizes; s++) {
        const size_tally *tally = &count->by_size[group * count->sizes + s];
        size_t place = s;
        if (count->by == RH_PIN_SIZE)
            place = group;
        else if (count->by == RH_PIN_SIZE_LIFETIME)
            place = group / RH_PIN_LIFETIMES;
        const rh_pin_size *size = &count->view->sizes[place];
        rh_packing_add(packing, size->block_bytes, size->page_bytes, size->capacity,
                       alone ? tally->alone : tally->all);
    }
    return rh_packing_arenas(packing, count->largest_bytes) * count->largest_bytes;
}

static uint64_t
less(uint64_t from, uint64_t number)
{
    return from > number ? from - number : 0;
}

static rh_pin_row
row_of(const pin_count *count, rh_packing *packing, size_t group)
{
    const group_tally *tally = &count->groups[group];
    bool overlap = count->by == RH_PIN_LIFETIME_FROM;
    rh_pin_row row;
    name_group(count->view, count->by, group, &row);
    row.by = (int)count->by;
    row.blocks = tally->blocks;
    row.block_bytes = tally->block_bytes;
    row.arenas = tally->arenas;
    row.alone_arenas = tally->alone_arenas;
    row.pinned_bytes = overlap ? NAN : tally->pinned_bytes;
    row.apart_bytes = less(tally->alone_bytes, packed_bytes(count, packing, group, true));
    return row;
}

typedef struct place_of {
    size_t group;
    double pinned_bytes;
} place_of;

static int
by_share(const void *left, const void *right)
{
    const place_of *a = left, *b = right;
    if (a->pinned_bytes != b->pinned_bytes)
        return a->pinned_bytes < b->pinned_bytes ? 1 : -1;
    return (a->group > b->group) - (a->group < b->group);
}

/* Whether it has blocks; of groups that lie in one another, more than the next one. */
static bool
is_group(const pin_count *count, size_t group)
{
    uint64_t within = 0;
    if (count->by == RH_PIN_LIFETIME_FROM && group + 1 < count->room)
        within = count->groups[group + 1].blocks;
    return count->groups[group].blocks > within;
}

/* The groups that there are, in the order of the rows; NULL: no memory. */
static place_of *
order_of(const pin_count *count, size_t *number)
{
    place_of *order = calloc(count->room + 1, sizeof *order);
    *number = 0;
    for (size_t group = 0; order && group < count->room; group++)
        if (is_group(count, group))
            order[(*number)++] = (place_of){group, count->groups[group].pinned_bytes};
    if (order)
        qsort(order, *number, sizeof *order, by_share);
    return order;
}

static bool
fill(const pin_count *count, uint64_t sparse_bytes, rh_pin_table *table, rh_pin_row *rows,
     size_t capacity, size_t *row_count)
{
    size_t number;
    place_of *order = order_of(count, &number);
    rh_packing *packing = calloc(1, sizeof *packing);
    uint64_t apart = 0;
    for (size_t i = 0; order && packing && i < number; i++) {
        apart += packed_bytes(count, packing, order[i].group, false);
        if (i < capacity)
            rows[i] = row_of(count, packing, order[i].group);
    }
    bool done = order && packing;
    free(order);
    free(packing);
    table->groups = number;
    *row_count = number < capacity ? number : capacity;
    table->all_apart_bytes =
        count->by == RH_PIN_LIFETIME_FROM ? RH_UNKNOWN : less(sparse_bytes, apart);
    return done;
}

bool
rh_pins_table(const rh_pin_view *view, unsigned under_percent, rh_pin_by by, rh_pin_table *table,
              rh_pin_row *rows, size_t capacity, size_t *row_count)
{
    pin_count count = {.view = view, .by = by, .room = group_room(view, by)};
    count.sizes = has_one_size(by) ? 1 : view->size_count;
    count.groups = calloc(count.room + 1, sizeof *count.groups);
    count.by_size = calloc(count.room * count.sizes + 1, sizeof *count.by_size);
    bool done = count.groups && count.by_size;
    rh_pin_sum sum;
    done = rh_pins_sum(view, under_percent, &sum) && done;
    table->under_percent = under_percent;
    table->by = (int)by;
    if (done) {
        count_all(&count, under_percent);
        done = fill(&count, sum.arena_bytes, table, rows, capacity, row_count);
    }
    free(count.groups);
    free(count.by_size);
    return done;
}

bool
rh_pins_sum(const rh_pin_view *view, unsigned under_percent, rh_pin_sum *sum)
{
    *sum = (rh_pin_sum){.under_percent = under_percent};
    rh_packing *packing = calloc(1, sizeof *packing);
    if (!packing)
        return false;
    for (size_t i = 0; i < view->arena_count; i++) {
        const rh_pinned_arena *arena = &view->arenas[i];
        if (!is_counted(arena, under_percent))
            continue;
        sum->arenas++;
        sum->arena_bytes += arena->size_bytes;
        sum->blocks += arena->blocks;
        sum->block_bytes += arena->block_bytes;
    }
    for (size_t i = 0; i < view->survivor_count; i++) {
        const rh_pin_size *size = &view->sizes[view->survivors[i].size];
        if (is_counted(&view->arenas[view->survivors[i].arena], under_percent))
            rh_packing_add(packing, size->block_bytes, size->page_bytes, size->capacity, 1);
    }
    sum->packed_arenas = rh_packing_arenas(packing, largest_arena(view));
    free(packing);
    return true;
}

/* ---- one arena ---- */

static int
by_kind(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    return (a > b) - (a < b);
}

bool
rh_pins_arena(const rh_pin_view *view, const rh_survivor *first, rh_pin_arena *pinned)
{
    const rh_pinned_arena *arena = &view->arenas[first->arena];
    size_t blocks = run_length(view, (size_t)(first - view->survivors));
    uint32_t *kinds = calloc(blocks, sizeof *kinds);
    *pinned = (rh_pin_arena){.address = arena->address,
                             .size_bytes = arena->size_bytes,
                             .blocks = arena->blocks,
                             .block_bytes = arena->block_bytes};
    if (!kinds)
        return false;
    for (size_t i = 0; i < blocks; i++)
        kinds[i] = (uint32_t)group_of(&first[i], RH_PIN_SIZE_LIFETIME);
    qsort(kinds, blocks, sizeof *kinds, by_kind);
    uint32_t last_size = UINT32_MAX;
    for (size_t i = 0, end; i < blocks; i = end) {
        for (end = i; end < blocks && kinds[end] == kinds[i];)
            end++;
        uint32_t size = kinds[i] / RH_PIN_LIFETIMES;
        pinned->sizes += size != last_size;
        last_size = size;
        if (end - i <= pinned->main_blocks)
            continue;
        pinned->main_blocks = end - i;
        pinned->main_size_bytes = view->sizes[size].block_bytes;
        pinned->main_lifetime = (int)(kinds[i] % RH_PIN_LIFETIMES);
    }
    free(kinds);
    return true;
}
