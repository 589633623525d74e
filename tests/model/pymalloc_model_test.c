/* pymalloc against its naive twin: the same random operations, arenas from the same hand, for every
 * preset and for geometries that no CPython has. Every address, every arena's coming and going and
 * every counter must be the same; then the twin is broken, one rule at a time, and the comparison
 * must notice. */
#define _GNU_SOURCE
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "alloc/heap.h"
#include "alloc/pymalloc.h"
#include "base/random.h"
#include "tests/model/pymalloc_twin.h"

#define OPERATIONS   1000000
#define LIVE_MAX     16384
#define CHECK_EVERY  62500
#define REGION_BYTES ((size_t)4 << 30)
#define SLACK_BYTES  ((size_t)16 << 20) /* room to align in */
#define EVENTS_MAX   64                 /* arena events of one operation */

/* Places arenas for the twin, unaligned at times and reused at random, and replays that for ours.
 */
typedef struct hand {
    uintptr_t region;
    rh_random random;
    unsigned fail_every; /* refuse now and then; 0: never */
    bool always_aligned; /* an arena of one pool would otherwise have none */
    size_t arena_bytes, made, calls;
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
    assert_true(h->written < EVENTS_MAX);
    h->event[h->written].birth = birth;
    h->event[h->written++].address = address;
}

static uintptr_t
place(hand *h)
{
    if (h->fail_every && ++h->calls % h->fail_every == 0)
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
    const char *name;
    hand hand;
    twin twin;
    rh_pymalloc_config config;
    rh_heap *heap;
    PyMemAllocatorEx ours;
    rh_random random;
    live_block live[LIVE_MAX];
    size_t live_count;
    uint64_t operation;
    bool quiet;
} drive;

static bool
differ(const drive *d, const char *what, uintptr_t theirs, const void *ours)
{
    if (!d->quiet)
        fprintf(stderr, "%s, operation %" PRIu64 " (%s): twin 0x%" PRIxPTR ", ours %p\n", d->name,
                d->operation, what, theirs, ours);
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
    if (d->config.large == RH_LARGE_SPACE) { /* has blocks of its own in these */
        theirs.live_blocks = ours.live_blocks;
        theirs.block_bytes = ours.block_bytes;
        theirs.free_block_bytes = ours.free_block_bytes;
    }
    bool equal = true;
#define COMPARE(name, what)                                                                        \
    if (ours.name != theirs.name) {                                                                \
        if (!d->quiet)                                                                             \
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
    size_t count;
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
    if (s->count < LIVE_MAX)
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
    uintptr_t *live = malloc(LIVE_MAX * sizeof *live), *met = malloc(LIVE_MAX * sizeof *met);
    assert_true(live && met);
    size_t count = 0;
    for (size_t i = 0; i < d->live_count; i++)
        if (d->live[i].twin)
            live[count++] = d->live[i].twin;
    qsort(live, count, sizeof *live, by_address);
    seen s = {.region = d->hand.region, .block = met, .ascending = true};
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
    if (!d->quiet)
        fprintf(stderr, "%s\n", error.message);
    return differ(d, "check", 0, NULL);
}

/* ---- runs ---- */

static bool
run_operations(drive *d, uint64_t operations)
{
    unsigned giving = 70;
    for (d->operation = 1; d->operation <= operations; d->operation++) {
        if (d->operation % 8192 == 0)
            giving = 15 + (unsigned)rh_random_below(&d->random, 70);
        unsigned dice = (unsigned)rh_random_below(&d->random, 100);
        bool good;
        if (d->live_count == 0 || (dice < giving && d->live_count < LIVE_MAX))
            good = give(d);
        else if (dice % 8 == 0)
            good = resize(d, rh_random_below(&d->random, d->live_count));
        else
            good = take(d, rh_random_below(&d->random, d->live_count));
        if (!good)
            return false;
        if (d->operation % CHECK_EVERY == 0 && (!same_counters(d) || !is_sound(d) || !same_walk(d)))
            return false;
    }
    while (d->live_count)
        if (!take(d, d->live_count - 1))
            return false;
    return same_counters(d) && is_sound(d);
}

/* Whether ours and the twin agree on everything. */
static bool
agree(const char *name, const rh_pymalloc_config *config, unsigned fail_every, twin_fault fault,
      uint64_t operations)
{
    drive *d = calloc(1, sizeof *d);
    assert_non_null(d);
    *d = (drive){.name = name, .config = *config, .quiet = fault != TWIN_SOUND, .random = {7}};
    void *region = mmap(NULL, REGION_BYTES + SLACK_BYTES, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    assert_ptr_not_equal(region, MAP_FAILED);
    d->hand = (hand){.region = (uintptr_t)region,
                     .random = {11},
                     .fail_every = fail_every,
                     .always_aligned = config->arena_bytes == config->pool_bytes,
                     .arena_bytes = config->arena_bytes};
    PyObjectArenaAllocator for_twin = {&d->hand, twin_alloc, twin_release};
    PyObjectArenaAllocator for_ours = {&d->hand, our_alloc, our_release};
    twin_open(&d->twin, config, &for_twin, fault);
    rh_error error = {0};
    if (rh_pymalloc_open(config, &d->heap, &error) != RH_OK)
        fail_msg("%s: %s", name, error.message);
    assert_int_equal(rh_heap_set_arenas(d->heap, &for_ours, &error), RH_OK);
    d->ours = d->heap->domain[PYMEM_DOMAIN_OBJ];
    bool good = run_operations(d, operations);
    for (size_t i = 0; i < d->live_count; i++)
        if (!d->live[i].twin)
            d->ours.free(d->ours.ctx, d->live[i].ours);
    /* What is still held goes back to the hand, which no longer compares. */
    d->hand.disagreed = true;
    rh_heap_close(d->heap);
    twin_close(&d->twin);
    free(d->hand.vacant);
    munmap(region, REGION_BYTES + SLACK_BYTES);
    free(d);
    return good;
}

static void
place_metadata(rh_pymalloc_config *config, unsigned which)
{
    config->large = RH_LARGE_LIBC;
    config->metadata = which % 3 ? RH_METADATA_SIDE : RH_METADATA_IN_BAND;
    if (which % 3 == 2) {
        config->source = RH_SOURCE_VIRTUAL;
        config->large = RH_LARGE_SPACE;
    }
}

static void
every_preset_agrees(void **state)
{
    (void)state;
    for (unsigned i = 0; rh_pymalloc_allocator.presets[i]; i++) {
        rh_pymalloc_config config;
        rh_error error = {0};
        const char *version = rh_pymalloc_allocator.presets[i];
        assert_int_equal(rh_pymalloc_config_init(&config, version, &error), RH_OK);
        place_metadata(&config, i);
        assert_true(agree(version, &config, i % 2 ? 5 : 0, TWIN_SOUND, OPERATIONS));
    }
}

typedef struct odd_geometry {
    uint64_t arena_bytes, pool_bytes, alignment, small_bytes;
    uint32_t keep;
    const char *classes;
} odd_geometry;

static const odd_geometry geometries[] = {
    {65536, 4096, 8, 256, 1, NULL},
    {4096, 4096, 16, 512, 0, "geometric:4"},
    {16384, 1024, 16, 384, 2, "linear:48"},
    {1 << 20, 65536, 32, 1024, 1, NULL},
    {262144, 16384, 64, 500, 5, "64:192:320:512"},
    {1 << 20, 1 << 20, 16, 2000, 3, "geometric:2"},
    {8192, 4096, 8, 2000, 1, "geometric:7"},
    {4 << 20, 16384, 16, 512, 1000, NULL},
    {1 << 20, 16384, 16, 0, 1, "16:32:48:64:96:128:192:256:384:512"},
};

static void
odd_geometries_agree(void **state)
{
    (void)state;
    for (unsigned i = 0; i < sizeof geometries / sizeof geometries[0]; i++)
        for (rh_policy policy = RH_POLICY_MOST_FULL; policy <= RH_POLICY_LEAST_FULL; policy++) {
            const odd_geometry *odd = &geometries[i];
            rh_pymalloc_config config = {.arena_bytes = odd->arena_bytes,
                                         .pool_bytes = odd->pool_bytes,
                                         .alignment = odd->alignment,
                                         .small_bytes = odd->small_bytes,
                                         .keep = odd->keep,
                                         .classes = odd->classes,
                                         .policy = policy};
            place_metadata(&config, i + policy);
            char name[64];
            snprintf(name, sizeof name, "geometry %u, policy %d", i, (int)policy);
            assert_true(agree(name, &config, (i + policy) % 3 ? 0 : 4, TWIN_SOUND, OPERATIONS / 8));
        }
}

/* A comparison that cannot fail shows nothing: each rule of the twin is broken once. */
static void
every_broken_rule_is_noticed(void **state)
{
    (void)state;
    for (twin_fault fault = TWIN_SOUND + 1; fault < TWIN_FAULTS; fault++) {
        rh_pymalloc_config config;
        rh_error error = {0};
        assert_int_equal(rh_pymalloc_config_init(&config, "3.9", &error), RH_OK);
        place_metadata(&config, 0);
        if (agree("sabotage", &config, 0, fault, OPERATIONS / 4))
            fail_msg("nobody noticed broken rule %d", (int)fault);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_preset_agrees),
        cmocka_unit_test(odd_geometries_agree),
        cmocka_unit_test(every_broken_rule_is_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
