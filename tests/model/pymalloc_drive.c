#define _GNU_SOURCE
#include "tests/model/pymalloc_drive.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "alloc/heap.h"
#include "base/random.h"

#define ARENA_BYTES_MIN 4096
#define REGION_BYTES    ((size_t)4 << 30)
#define SLACK_BYTES     ((size_t)16 << 20) /* room to align in */
#define EVENTS_MAX      64                 /* arena events of one operation */

static void
require(bool condition, const char *what)
{
    if (condition)
        return;
    fprintf(stderr, "the drive itself fails: %s\n", what);
    abort();
}

/* Places arenas for the twin, unaligned at times and reused at random, and replays that for ours.
 */
typedef struct hand {
    uintptr_t region;
    rh_random random;
    uint64_t fail_every, fail_at; /* refuse now and then, and once; 0: never */
    bool always_aligned;          /* an arena of one pool would otherwise have none */
    size_t arena_bytes, made;
    uint64_t calls;
    uintptr_t *vacant;
    size_t vacant_count;
    struct {
        bool birth;
        uintptr_t address;
    } event[EVENTS_MAX];
    size_t written, read;
    bool disagreed;
} hand;

static void
note(hand *h, bool birth, uintptr_t address)
{
    require(h->written < EVENTS_MAX, "too many arenas in one operation");
    h->event[h->written].birth = birth;
    h->event[h->written++].address = address;
}

static uintptr_t
place(hand *h)
{
    h->calls++;
    if ((h->fail_every && h->calls % h->fail_every == 0) || h->calls == h->fail_at)
        return 0;
    if (h->vacant_count && rh_random_below(&h->random, 3)) {
        size_t at = rh_random_below(&h->random, h->vacant_count);
        uintptr_t address = h->vacant[at];
        h->vacant[at] = h->vacant[--h->vacant_count];
        return address;
    }
    size_t span = 2 * h->arena_bytes + 65536; /* no arena reaches into the next place */
    if ((h->made + 2) * span > REGION_BYTES)
        return 0;
    h->vacant = realloc(h->vacant, (h->made + 1) * sizeof *h->vacant);
    uintptr_t base = h->region + h->made++ * span;
    return !h->always_aligned && rh_random_below(&h->random, 2)
               ? base + rh_random_below(&h->random, 16) * 4096
               : (base + h->arena_bytes - 1) / h->arena_bytes * h->arena_bytes;
}

static void *
twin_alloc(void *ctx, size_t size)
{
    hand *h = ctx;
    (void)size;
    uintptr_t address = place(h);
    note(h, true, address);
    return (void *)address;
}

static void
twin_release(void *ctx, void *arena, size_t size)
{
    hand *h = ctx;
    (void)size;
    note(h, false, (uintptr_t)arena);
    h->vacant[h->vacant_count++] = (uintptr_t)arena;
}

static void *
our_alloc(void *ctx, size_t size)
{
    hand *h = ctx;
    if (h->read == h->written || !h->event[h->read].birth || size != h->arena_bytes) {
        h->disagreed = true;
        return NULL;
    }
    return (void *)h->event[h->read++].address;
}

static void
our_release(void *ctx, void *arena, size_t size)
{
    hand *h = ctx;
    if (h->read == h->written || h->event[h->read].birth || size != h->arena_bytes ||
        h->event[h->read++].address != (uintptr_t)arena)
        h->disagreed = true;
}

/* ---- the drive ---- */

typedef struct live_block {
    uintptr_t twin; /* 0: outside pools */
    void *ours;
    size_t size;
} live_block;

typedef struct drive {
    const model_plan *plan;
    hand hand;
    twin twin;
    rh_heap *heap;
    PyMemAllocatorEx ours;
    rh_random random;
    live_block *live; /* of plan->live_max */
    size_t live_count;
    uint64_t operation;
} drive;

static bool
differ(const drive *d, const char *what, uintptr_t theirs, const void *ours)
{
    if (!d->plan->quiet)
        fprintf(stderr, "%s, operation %" PRIu64 " (%s): twin 0x%" PRIxPTR ", ours %p\n",
                d->plan->name, d->operation, what, theirs, ours);
    return false;
}

/* Arenas came and went alike in the operation that just ended. */
static bool
arenas_agree(drive *d)
{
    hand *h = &d->hand;
    if (h->disagreed || h->read != h->written)
        return differ(d, "arenas come and go differently", 0, NULL);
    h->read = h->written = 0;
    return true;
}

/* The same address in an arena, or both outside. */
static bool
same(drive *d, const char *what, uintptr_t theirs, const void *ours)
{
    bool inside = (uintptr_t)ours - d->hand.region < REGION_BYTES;
    if (!ours || inside != (theirs != 0) || (inside && (uintptr_t)ours != theirs))
        return differ(d, what, theirs, ours);
    return arenas_agree(d);
}

static size_t
random_size(drive *d)
{
    size_t small = d->twin.config.small_bytes;
    if (rh_random_below(&d->random, 64) == 0)
        return rh_random_below(&d->random, 2) ? 0 : small + rh_random_below(&d->random, 100);
    /* A few sizes often, any now and then. */
    size_t favourite = 1 + small * (1 + rh_random_below(&d->random, 4)) / 5;
    return rh_random_below(&d->random, 2) ? 1 + rh_random_below(&d->random, small) : favourite;
}

static bool
give(drive *d)
{
    live_block *block = &d->live[d->live_count++];
    block->size = random_size(d);
    block->twin = twin_malloc(&d->twin, block->size);
    block->ours = rh_random_below(&d->random, 8) ? d->ours.malloc(d->ours.ctx, block->size)
                                                 : d->ours.calloc(d->ours.ctx, 1, block->size);
    return same(d, "malloc", block->twin, block->ours);
}

static bool
take(drive *d, size_t at)
{
    live_block block = d->live[at];
    d->live[at] = d->live[--d->live_count];
    if (block.twin)
        twin_free(&d->twin, block.twin);
    d->ours.free(d->ours.ctx, block.ours);
    return arenas_agree(d);
}

static bool
resize(drive *d, size_t at)
{
    live_block *block = &d->live[at];
    size_t size = rh_random_below(&d->random, 2) ? random_size(d) : block->size * 3 / 4;
    bool moved = false;
    void *before = block->ours;
    if (block->twin)
        block->twin = twin_realloc(&d->twin, block->twin, size, &moved);
    block->ours = d->ours.realloc(d->ours.ctx, block->ours, size);
    block->size = size;
    if (block->twin && !moved && before != block->ours)
        return differ(d, "realloc moved", block->twin, block->ours);
    return same(d, "realloc", block->twin, block->ours);
}

/* ---- what is compared now and then ---- */

static bool
same_counters(drive *d)
{
    rh_counters ours, theirs;
    rh_heap_snapshot(d->heap, &ours);
    theirs = ours;
    twin_count(&d->twin, &theirs);
    if (d->plan->config.large == RH_LARGE_SPACE) { /* has blocks of its own in these */
        theirs.live_blocks = ours.live_blocks;
        theirs.block_bytes = ours.block_bytes;
        theirs.free_block_bytes = ours.free_block_bytes;
    }
    bool equal = true;
#define COMPARE(name, what)                                                                        \
    if (ours.name != theirs.name) {                                                                \
        if (!d->plan->quiet)                                                                       \
            fprintf(stderr, "  %s: twin %" PRIu64 ", ours %" PRIu64 "\n", #name, theirs.name,      \
                    ours.name);                                                                    \
        equal = false;                                                                             \
    }
    RH_COUNTERS(COMPARE)
#undef COMPARE
    if (equal && rh_counters_parts(&ours) == ours.mapped_bytes &&
        ours.mapped_bytes == *d->heap->mapped_bytes)
        return true;
    return differ(d, "counters", 0, NULL);
}

/* The blocks in use that a walk meets inside arenas. */
typedef struct seen {
    uintptr_t region, last;
    uintptr_t *block;
    size_t count, room;
    bool ascending;
} seen;

static bool
see(void *ctx, const rh_region *region)
{
    seen *s = ctx;
    if (region->kind != RH_REGION_BLOCK || !region->used ||
        region->address - s->region >= REGION_BYTES)
        return true;
    s->ascending = s->ascending && region->address > s->last;
    s->last = region->address;
    if (s->count < s->room)
        s->block[s->count] = region->address;
    s->count++;
    return true;
}

static int
by_address(const void *first, const void *second)
{
    uintptr_t a = *(const uintptr_t *)first, b = *(const uintptr_t *)second;
    return (a > b) - (a < b);
}

static bool
same_walk(drive *d)
{
    uintptr_t *live = malloc(d->plan->live_max * sizeof *live),
              *met = malloc(d->plan->live_max * sizeof *met);
    require(live && met, "no memory");
    size_t count = 0;
    for (size_t i = 0; i < d->live_count; i++)
        if (d->live[i].twin)
            live[count++] = d->live[i].twin;
    qsort(live, count, sizeof *live, by_address);
    seen s = {.region = d->hand.region, .block = met, .room = count, .ascending = true};
    bool equal = rh_heap_walk(d->heap, see, &s) && s.ascending && s.count == count &&
                 memcmp(live, met, count * sizeof *live) == 0;
    free(live);
    free(met);
    return equal || differ(d, "walk", 0, NULL);
}

static bool
is_sound(drive *d)
{
    rh_error error = {0};
    if (rh_heap_check(d->heap, &error) == RH_OK)
        return true;
    if (!d->plan->quiet)
        fprintf(stderr, "%s\n", error.message);
    return differ(d, "check", 0, NULL);
}

/* ---- runs ---- */

/* Counters after every operation, but not all the time: whoever looks makes good what a heap has
 * put off, so there must be stretches that nobody watches. */
static bool
watched(drive *d)
{
    uint64_t every = d->plan->check_every;
    if (d->plan->watch && d->operation / 512 % 2 && !same_counters(d))
        return false;
    return d->operation % every != 0 || (same_counters(d) && is_sound(d) && same_walk(d));
}

static bool
run_operations(drive *d)
{
    unsigned giving = 70;
    for (d->operation = 1; d->operation <= d->plan->operations; d->operation++) {
        if (d->operation % (d->plan->live_max / 2) == 0)
            giving = 15 + (unsigned)rh_random_below(&d->random, 70);
        unsigned dice = (unsigned)rh_random_below(&d->random, 100);
        bool good;
        if (d->live_count == 0 || (dice < giving && d->live_count < d->plan->live_max))
            good = give(d);
        else if (dice % 8 == 0)
            good = resize(d, rh_random_below(&d->random, d->live_count));
        else
            good = take(d, rh_random_below(&d->random, d->live_count));
        if (!good || !watched(d))
            return false;
    }
    while (d->live_count)
        if (!take(d, d->live_count - 1))
            return false;
    return same_counters(d) && is_sound(d);
}

static void
open_hand(hand *h, const model_plan *plan)
{
    void *region = mmap(NULL, REGION_BYTES + SLACK_BYTES, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    require(region != MAP_FAILED, "no room for arenas");
    *h = (hand){.region = (uintptr_t)region,
                .random = {plan->seed * 2 + 11},
                .fail_every = plan->fail_every,
                .fail_at = plan->fail_at,
                .always_aligned = plan->config.arena_bytes == plan->config.pool_bytes,
                .arena_bytes = plan->config.arena_bytes};
}

static void
close_drive(drive *d)
{
    for (size_t i = 0; i < d->live_count; i++)
        if (d->live[i].ours && (uintptr_t)d->live[i].ours - d->hand.region >= REGION_BYTES)
            d->ours.free(d->ours.ctx, d->live[i].ours);
    /* What is still held goes back to the hand, which no longer compares. */
    d->hand.disagreed = true;
    rh_heap_close(d->heap);
    twin_close(&d->twin);
    free(d->hand.vacant);
    munmap((void *)d->hand.region, REGION_BYTES + SLACK_BYTES);
}

model_result
model_run(const model_plan *plan, uint64_t *asked)
{
    rh_error error = {0};
    drive *d = calloc(1, sizeof *d);
    require(d != NULL, "no memory");
    *d = (drive){.plan = plan, .random = {plan->seed * 3 + 7}};
    if (rh_pymalloc_open(&plan->config, &d->heap, &error) != RH_OK) {
        if (!plan->quiet)
            fprintf(stderr, "%s: %s\n", plan->name, error.message);
        free(d);
        return MODEL_REFUSED;
    }
    d->live = calloc(plan->live_max, sizeof *d->live);
    require(d->live != NULL, "no memory");
    open_hand(&d->hand, plan);
    PyObjectArenaAllocator for_twin = {&d->hand, twin_alloc, twin_release};
    PyObjectArenaAllocator for_ours = {&d->hand, our_alloc, our_release};
    twin_open(&d->twin, &plan->config, &for_twin, plan->fault);
    require(rh_heap_set_arenas(d->heap, &for_ours, &error) == RH_OK, error.message);
    d->ours = d->heap->domain[PYMEM_DOMAIN_OBJ];
    bool good = run_operations(d);
    if (asked)
        *asked = d->hand.calls;
    close_drive(d);
    free(d->live);
    free(d);
    return good ? MODEL_AGREES : MODEL_DIFFERS;
}

/* ---- plans ---- */

void
model_place_metadata(rh_pymalloc_config *config, unsigned which)
{
    config->large = RH_LARGE_LIBC;
    config->metadata = which % 3 ? RH_METADATA_SIDE : RH_METADATA_IN_BAND;
    if (which % 3 == 2) {
        config->source = RH_SOURCE_VIRTUAL;
        config->large = RH_LARGE_SPACE;
    }
}

/* A list of sizes that ascend, drawn. */
static void
draw_list(rh_random *random, uint64_t alignment, uint64_t most, char *text, size_t capacity)
{
    uint64_t bytes = 0;
    size_t length = 0;
    do {
        bytes += alignment * (1 + rh_random_below(random, 1 + rh_random_below(random, 12)));
        length += (size_t)snprintf(text + length, capacity - length, "%s%" PRIu64,
                                   length ? ":" : "", bytes);
    } while (bytes < most && length + 16 < capacity && rh_random_below(random, 24));
}

static void
draw_classes(rh_random *random, model_plan *plan, char *text, size_t capacity)
{
    rh_pymalloc_config *config = &plan->config;
    config->classes = text;
    uint64_t number = 1 + rh_random_below(random, 9);
    switch (rh_random_below(random, 4)) {
    case 0:
        config->classes = NULL;
        break;
    case 1:
        snprintf(text, capacity, "linear:%" PRIu64, config->alignment * number);
        break;
    case 2:
        snprintf(text, capacity, "geometric:%" PRIu64, number);
        break;
    default:
        draw_list(random, config->alignment, config->small_bytes, text, capacity);
        config->small_bytes = 0;
    }
}

void
model_draw(uint64_t seed, model_plan *plan, char *text, size_t capacity)
{
    rh_random random = {seed * 1000003 + 1};
    unsigned pool = 10 + (unsigned)rh_random_below(&random, 6);
    *plan = (model_plan){
        .name = "drawn geometry",
        .config = {.pool_bytes = (uint64_t)1 << pool,
                   .arena_bytes = (uint64_t)1 << (pool + 2 + rh_random_below(&random, 4)),
                   .alignment = (uint64_t)8 << rh_random_below(&random, 4),
                   .keep = (uint32_t)rh_random_below(&random, 4),
                   .policy = (rh_policy)rh_random_below(&random, 4),
                   .map_address_bits = rh_random_below(&random, 2) ? 64 : 48},
        .fail_every = rh_random_below(&random, 3) ? 0 : 2 + rh_random_below(&random, 9),
        .seed = seed,
        .watch = true,
        .check_every = 997,
        .live_max = 64u << rh_random_below(&random, 5),
    };
    if (plan->config.arena_bytes < ARENA_BYTES_MIN)
        plan->config.arena_bytes = ARENA_BYTES_MIN;
    plan->config.small_bytes = 1 + rh_random_below(&random, plan->config.pool_bytes / 4);
    draw_classes(&random, plan, text, capacity);
    model_place_metadata(&plan->config, (unsigned)rh_random_below(&random, 3));
}
