#include "alloc/pymalloc_statistics.h"

#include <inttypes.h>
#include <stdlib.h>

#include "alloc/arena_supply.h"
#include "base/size.h"

/* ---- counters ---- */

/* Blocks in use of a class. */
static uint64_t
count_blocks(const rh_bin *bin)
{
    uint64_t in_ring = 0, blocks = 0;
    for (const rh_pool *pool = bin->ring.next; pool != &bin->ring; pool = pool->next) {
        blocks += rh_pool_used(pool);
        in_ring++;
    }
    uint64_t full = bin->pools_in_use - in_ring;
    return blocks + full * bin->capacity;
}

static void
add_classes(const rh_pymalloc *pymalloc, rh_counters *counters)
{
    const rh_pymalloc_geometry *geometry = &pymalloc->arenas.geometry;
    for (uint32_t i = 0; i < geometry->classes; i++) {
        const rh_bin *bin = &pymalloc->bins[i];
        uint64_t pools = bin->pools_in_use, size = bin->block_bytes;
        if (pools == 0)
            continue;
        uint64_t blocks = count_blocks(bin);
        counters->pools_in_use += pools;
        counters->live_blocks += blocks;
        counters->block_bytes += blocks * size;
        counters->free_block_bytes += (pools * bin->capacity - blocks) * size;
        counters->page_header_bytes += pools * geometry->header_bytes;
        counters->page_tail_bytes += pools * rh_class_tail(geometry, i);
    }
}

static void
set_arena_counters(const rh_arenas *arenas, rh_counters *counters)
{
    const rh_pymalloc_geometry *geometry = &arenas->geometry;
    counters->arenas_allocated = arenas->allocated;
    counters->arenas_released = arenas->released;
    counters->arenas_current = arenas->current;
    counters->arenas_highwater = arenas->highwater;
    counters->arena_bytes = arenas->current * geometry->arena_bytes;
    counters->arenas_reused = arenas->arenas_reused;
    counters->arena_slots_reused = arenas->slots_reused;
    counters->pools_recycled = arenas->pools_recycled;
}

/* What is left of arenas beside the pools in use. */
static void
set_free_pools(const rh_arenas *arenas, uint64_t kept_bytes, rh_counters *counters)
{
    uint64_t idle_bytes = arenas->idle_arenas * arenas->geometry.arena_bytes;
    counters->pools_free = arenas->pools_whole - counters->pools_in_use;
    counters->free_page_bytes =
        counters->arena_bytes - idle_bytes - counters->pools_in_use * arenas->geometry.pool_bytes;
    counters->free_arena_bytes = idle_bytes + kept_bytes;
}

void
rh_pymalloc_snapshot(rh_pymalloc *pymalloc, rh_counters *counters)
{
    rh_pools_unpark(pymalloc);
    rh_counters_clear(counters);
    set_arena_counters(&pymalloc->arenas, counters);
    counters->pools_reclassed = pymalloc->pools_reclassed;
    counters->metadata_bytes = rh_pymalloc_metadata_bytes(pymalloc);
    uint64_t kept_bytes = rh_arena_supply_kept_bytes(&pymalloc->supply);
    counters->mapped_bytes = counters->arena_bytes + kept_bytes + counters->metadata_bytes;
    counters->live_blocks = counters->block_bytes = counters->free_block_bytes = 0;
    counters->page_header_bytes = counters->page_tail_bytes = 0;
    counters->header_bytes = counters->other_bytes = 0;
    counters->pools_in_use = 0;
    add_classes(pymalloc, counters);
    set_free_pools(&pymalloc->arenas, kept_bytes, counters);
    if (pymalloc->space)
        rh_bestfit_add_counters(pymalloc->space, counters);
}

/* ---- CPython's text ---- */

#define LABEL_WIDTH  35
#define NUMBER_WIDTH 21

/* What the pools of all arenas hold. */
typedef struct census {
    uint64_t free_pools, block_bytes, available_bytes, header_bytes, tail_bytes;
    uint64_t *pools, *blocks; /* by class */
} census;

static void
count_arena(const rh_pymalloc *pymalloc, const rh_arena *arena, census *sums)
{
    const rh_arenas *arenas = &pymalloc->arenas;
    for (uint32_t i = 0; i < arena->cut; i++) {
        const rh_pool *pool = rh_arena_pool(arenas, arena, i);
        uint32_t used = rh_pool_used(pool);
        if (used == 0)
            continue;
        size_t size_class = (size_t)(rh_pool_bin(pool) - pymalloc->bins);
        sums->pools[size_class]++;
        sums->blocks[size_class] += used;
    }
    sums->free_pools += arena->free_pools;
}

static void
print_classes(const rh_pymalloc_geometry *geometry, census *sums, FILE *out)
{
    fprintf(out, "Small block threshold = %zu, in %" PRIu32 " size classes.\n\n",
            geometry->small_bytes, geometry->classes);
    fputs("class   size   num pools   blocks in use  avail blocks\n"
          "-----   ----   ---------   -------------  ------------\n",
          out);
    for (uint32_t i = 0; i < geometry->classes; i++) {
        uint64_t pools = sums->pools[i], blocks = sums->blocks[i];
        if (pools == 0)
            continue;
        uint64_t available = pools * rh_class_capacity(geometry, i) - blocks;
        size_t size = rh_class_bytes(geometry, i);
        fprintf(out, "%5" PRIu32 " %6zu %11" PRIu64 " %15" PRIu64 " %13" PRIu64 "\n", i, size,
                pools, blocks, available);
        sums->block_bytes += blocks * size;
        sums->available_bytes += available * size;
        sums->header_bytes += pools * geometry->header_bytes;
        sums->tail_bytes += pools * rh_class_tail(geometry, i);
    }
    fputc('\n', out);
}

/* A line of the summary; returns `number`, so that a total is the sum of its lines. */
static uint64_t
print_number(FILE *out, const char *label, uint64_t number)
{
    char grouped[RH_SIZE_TEXT];
    fprintf(out, "%-*s=%*s\n", LABEL_WIDTH, label, NUMBER_WIDTH,
            rh_count_grouped(number, grouped, sizeof grouped));
    return number;
}

static void
print_arenas(const rh_arenas *arenas, FILE *out)
{
    const rh_pymalloc_geometry *geometry = &arenas->geometry;
    char label[80];
    print_number(out, "# arenas allocated total", arenas->allocated);
    print_number(out, "# arenas reclaimed", arenas->released);
    print_number(out, "# arenas highwater mark", arenas->highwater);
    print_number(out, "# arenas allocated current", arenas->current);
    snprintf(label, sizeof label, "%" PRIu64 " arenas * %zu bytes/arena", arenas->current,
             geometry->arena_bytes);
    print_number(out, label, arenas->current * geometry->arena_bytes);
    fputc('\n', out);
}

static void
print_bytes(const rh_arenas *arenas, const census *sums, FILE *out)
{
    size_t pool_bytes = arenas->geometry.pool_bytes;
    char label[80];
    uint64_t total = print_number(out, "# bytes in allocated blocks", sums->block_bytes);
    total += print_number(out, "# bytes in available blocks", sums->available_bytes);
    snprintf(label, sizeof label, "%" PRIu64 " unused pools * %zu bytes", sums->free_pools,
             pool_bytes);
    total += print_number(out, label, sums->free_pools * pool_bytes);
    total += print_number(out, "# bytes lost to pool headers", sums->header_bytes);
    total += print_number(out, "# bytes lost to quantization", sums->tail_bytes);
    total += print_number(out, "# bytes lost to arena alignment", arenas->unaligned * pool_bytes);
    print_number(out, "Total", total);
}

static void
print_map(const rh_arena_map_census *map, FILE *out)
{
    if (map->address_bits == 0)
        return;
    fputs("\narena map counts\n", out);
    print_number(out, "# arena map mid nodes", map->middle.count);
    print_number(out, "# arena map bot nodes", map->bottom.count);
    fputc('\n', out);
    uint64_t total =
        print_number(out, "# bytes lost to arena map root", rh_arena_map_census_root_bytes(map));
    total +=
        print_number(out, "# bytes lost to arena map mid", rh_arena_map_census_middle_bytes(map));
    total +=
        print_number(out, "# bytes lost to arena map bot", rh_arena_map_census_bottom_bytes(map));
    print_number(out, "Total", total);
}

bool
rh_pymalloc_print_stats(rh_pymalloc *pymalloc, FILE *out)
{
    rh_pools_unpark(pymalloc);
    const rh_arenas *arenas = &pymalloc->arenas;
    size_t classes = arenas->geometry.classes;
    uint64_t *numbers = calloc(2 * classes, sizeof *numbers);
    if (!numbers)
        return false;
    census sums = {.pools = numbers, .blocks = numbers + classes};
    for (uint32_t i = 0; i < arenas->count; i++)
        count_arena(pymalloc, &arenas->slots[i], &sums);
    print_classes(&arenas->geometry, &sums, out);
    print_arenas(arenas, out);
    print_bytes(arenas, &sums, out);
    print_map(&arenas->census, out);
    free(numbers);
    return true;
}
