#include "alloc/pymalloc.h"

#include <stdlib.h>
#include <string.h>

#include "alloc/pymalloc_check.h"
#include "alloc/pymalloc_domains.h"
#include "alloc/pymalloc_pools.h"
#include "alloc/pymalloc_statistics.h"
#include "alloc/size_classes.h"

#define CACHE_LINE      ((size_t)64)
#define SPACE_ALIGNMENT 16 /* of every block outside pools */
#define KEEP_MAX        1000000

/* ---- the operations of a heap ---- */

static rh_pymalloc *
of(rh_heap *heap)
{
    return (rh_pymalloc *)((char *)heap - offsetof(rh_pymalloc, heap));
}

static void *
heap_aligned_alloc(rh_heap *heap, PyMemAllocatorDomain domain, size_t alignment, size_t size)
{
    return rh_pymalloc_aligned_alloc(of(heap), domain, alignment, size);
}

static size_t
heap_usable_size(rh_heap *heap, PyMemAllocatorDomain domain, const void *block)
{
    return rh_pymalloc_usable_size(of(heap), domain, block);
}

static size_t
heap_block_bytes(rh_heap *heap, PyMemAllocatorDomain domain, const void *block)
{
    return rh_pymalloc_block_bytes(of(heap), domain, block);
}

static void
heap_get_arenas(rh_heap *heap, PyObjectArenaAllocator *arenas)
{
    *arenas = of(heap)->arenas.source;
}

void
rh_pymalloc_exchange_arenas(rh_heap *heap, const PyObjectArenaAllocator *arenas)
{
    rh_pymalloc *pymalloc = of(heap);
    PyObjectArenaAllocator *source = &pymalloc->arenas.source;
    if (source->ctx == arenas->ctx && source->alloc == arenas->alloc &&
        source->free == arenas->free)
        return;
    rh_pools_unpark(pymalloc);
    *source = *arenas;
    /* Not all arenas come from the ground, or stay in it, any more. */
    pymalloc->window_bytes = pymalloc->near_bytes = 0;
    if (pymalloc->arenas.changes == 0)
        rh_arenas_unset_window(&pymalloc->arenas);
}

void
rh_pymalloc_keep_books(rh_heap *heap, const PyMemAllocatorEx *raw)
{
    of(heap)->arenas.books.raw = raw;
}

void
rh_pymalloc_announce_arenas(rh_heap *heap, void (*announce)(void *ctx), void *ctx)
{
    rh_arenas *arenas = &of(heap)->arenas;
    arenas->announce = announce;
    arenas->announce_ctx = ctx;
}

static rh_status
heap_set_arenas(rh_heap *heap, const PyObjectArenaAllocator *arenas, rh_error *error)
{
    (void)error;
    rh_pymalloc_exchange_arenas(heap, arenas);
    return RH_OK;
}

static void
heap_set_raw(rh_heap *heap, const PyMemAllocatorEx *raw)
{
    of(heap)->raw = raw;
}

static void
heap_snapshot(rh_heap *heap, rh_counters *counters)
{
    rh_pymalloc_snapshot(of(heap), counters);
}

static bool
heap_print_stats(rh_heap *heap, FILE *out)
{
    return rh_pymalloc_print_stats(of(heap), out);
}

static bool
heap_walk(rh_heap *heap, rh_region_visitor *visit, void *ctx)
{
    return rh_pymalloc_walk(of(heap), visit, ctx);
}

static bool
heap_walk_pages(rh_heap *heap, rh_region_visitor *visit, void *ctx)
{
    return rh_pymalloc_walk_pages(of(heap), visit, ctx);
}

static void
heap_watch_arenas(rh_heap *heap, const rh_arena_watch *watch)
{
    of(heap)->arenas.watch = watch ? *watch : (rh_arena_watch){0};
}

static rh_status
heap_check(rh_heap *heap, rh_error *error)
{
    return rh_pymalloc_check(of(heap), error);
}

static void
heap_trim(rh_heap *heap)
{
    rh_pymalloc *pymalloc = of(heap);
    rh_pools_unpark(pymalloc);
    rh_arenas_trim(&pymalloc->arenas);
    rh_arena_supply_trim(&pymalloc->supply);
    if (pymalloc->space) {
        rh_bestfit_trim(pymalloc->space);
        rh_pymalloc_settle_space(pymalloc);
    }
    rh_pymalloc_settle(pymalloc);
}

static void
heap_close(rh_heap *heap)
{
    rh_pymalloc *pymalloc = of(heap);
    rh_arenas_release(&pymalloc->arenas);
    rh_pymalloc_geometry_release(&pymalloc->arenas.geometry);
    rh_arena_supply_release(&pymalloc->supply);
    if (pymalloc->space)
        rh_bestfit_close(pymalloc->space);
    free(pymalloc);
}

static const rh_heap_operations operations = {
    .aligned_alloc = heap_aligned_alloc,
    .usable_size = heap_usable_size,
    .block_bytes = heap_block_bytes,
    .get_arenas = heap_get_arenas,
    .set_arenas = heap_set_arenas,
    .set_raw = heap_set_raw,
    .snapshot = heap_snapshot,
    .print_stats = heap_print_stats,
    .walk = heap_walk,
    .walk_pages = heap_walk_pages,
    .watch_arenas = heap_watch_arenas,
    .check = heap_check,
    .trim = heap_trim,
    .close = heap_close,
};

/* ---- opening ---- */

rh_status
rh_pymalloc_config_init(rh_pymalloc_config *config, const char *version, rh_error *error)
{
    const char *wanted = version ? version : RH_PYMALLOC_STANDARD_PRESET;
    const rh_pymalloc_preset *preset = rh_pymalloc_preset_find(wanted);
    if (!preset)
        return rh_fail(error, RH_USAGE, "there is no preset for CPython %s; there are 3.7 to 3.15",
                       wanted);
    *config = (rh_pymalloc_config){
        .arena_bytes = preset->arena_bytes,
        .pool_bytes = preset->pool_bytes,
        .alignment = 16,
        .small_bytes = 512,
        .policy = RH_POLICY_MOST_FULL,
        .keep = preset->keep,
        .map_address_bits = preset->map_address_bits,
    };
    return RH_OK;
}

static rh_status
check_source(const rh_pymalloc_config *config, rh_error *error)
{
    if (config->source == RH_SOURCE_HUGE && config->arena_bytes < RH_HUGE_PAGE_BYTES)
        return rh_fail(error, RH_USAGE,
                       "source=huge needs arena=2M or more: a huge page holds an arena at least");
    if ((config->source == RH_SOURCE_RECORDED) != (config->places != NULL))
        return rh_fail(error, RH_USAGE,
                       "source=recorded and places=FILE, the addresses of its arenas, go together");
    if (config->source != RH_SOURCE_VIRTUAL)
        return RH_OK;
    if (config->metadata != RH_METADATA_SIDE)
        return rh_fail(error, RH_USAGE,
                       "source=virtual needs metadata=side: there is no memory behind its "
                       "addresses for headers to lie in");
    if (config->large != RH_LARGE_SPACE)
        return rh_fail(error, RH_USAGE,
                       "source=virtual needs large=space: the C library gives real memory");
    return RH_OK;
}

static rh_pymalloc *
allocate(uint32_t classes)
{
    size_t bytes = sizeof(rh_pymalloc) + classes * sizeof(rh_bin);
    bytes = (bytes + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
    rh_pymalloc *pymalloc = aligned_alloc(CACHE_LINE, bytes);
    if (!pymalloc)
        return NULL;
    memset(pymalloc, 0, bytes);
    pymalloc->fixed_bytes = bytes;
    return pymalloc;
}

static rh_status
open_space(rh_pymalloc *pymalloc, rh_error *error)
{
    rh_status status = rh_bestfit_open(pymalloc->is_virtual, &pymalloc->space, error);
    if (status != RH_OK)
        return status;
    pymalloc->space_mapped = rh_bestfit_mapped(pymalloc->space);
    pymalloc->space_bytes = *pymalloc->space_mapped;
    return RH_OK;
}

static rh_status
open_supply(rh_pymalloc *pymalloc, const rh_pymalloc_config *config, rh_error *error)
{
    rh_arena_supply *supply = &pymalloc->supply;
    rh_status status = rh_arena_supply_init(supply, config->source, config->arena_bytes,
                                            config->cache, config->places, error);
    pymalloc->arenas.source = supply->source;
    if (status != RH_OK)
        return status;
    pymalloc->window_base = rh_arena_supply_window(supply, &pymalloc->window_bytes);
    rh_arenas *arenas = &pymalloc->arenas;
    if (pymalloc->window_bytes)
        rh_arenas_set_window(arenas, pymalloc->window_base, pymalloc->window_bytes);
    else
        rh_arenas_unset_window(arenas);
    pymalloc->window_headers = arenas->headers.first;
    if (arenas->side)
        pymalloc->window_bytes = arenas->headers.window_bytes;
    return RH_OK;
}

static rh_status
open_parts(rh_pymalloc *pymalloc, const rh_pymalloc_config *config,
           const rh_pymalloc_geometry *geometry, rh_error *error)
{
    rh_status status = RH_OK;
    if (config->large == RH_LARGE_SPACE)
        status = open_space(pymalloc, error);
    if (status != RH_OK)
        return status;
    if (!rh_arenas_init(&pymalloc->arenas, geometry, config->policy, config->keep,
                        config->metadata == RH_METADATA_SIDE, config->map_address_bits)) {
        if (pymalloc->space)
            rh_bestfit_close(pymalloc->space);
        return rh_fail(error, RH_SYSTEM, "no memory for the tables of a pymalloc heap");
    }
    status = open_supply(pymalloc, config, error);
    if (status != RH_OK) {
        rh_arenas_release(&pymalloc->arenas);
        if (pymalloc->space)
            rh_bestfit_close(pymalloc->space);
    }
    return status;
}

/* Takes over what the geometry holds, when it succeeds. */
static rh_status
open_with(const rh_pymalloc_config *config, const rh_pymalloc_geometry *geometry, rh_heap **heap,
          rh_error *error)
{
    rh_status status = check_source(config, error);
    if (status != RH_OK)
        return status;
    rh_pymalloc *pymalloc = allocate(geometry->classes);
    if (!pymalloc)
        return rh_fail(error, RH_SYSTEM, "no memory for a pymalloc heap");
    pymalloc->is_virtual = config->source == RH_SOURCE_VIRTUAL;
    pymalloc->fixed_bytes += geometry->table_bytes;
    status = open_parts(pymalloc, config, geometry, error);
    if (status != RH_OK) {
        free(pymalloc);
        return status;
    }
    rh_pools_init(pymalloc);
    rh_pymalloc_set_domains(pymalloc);
    rh_pymalloc_settle(pymalloc);
    pymalloc->heap.operations = &operations;
    pymalloc->heap.mapped_bytes = &pymalloc->mapped_bytes;
    pymalloc->heap.natural_alignment =
        geometry->alignment < SPACE_ALIGNMENT ? geometry->alignment : SPACE_ALIGNMENT;
    pymalloc->heap.contents = pymalloc->is_virtual ? RH_CONTENTS_NONE : RH_CONTENTS_KEPT;
    pymalloc->heap.raw_uncounted = !pymalloc->space;
    *heap = &pymalloc->heap;
    return RH_OK;
}

rh_status
rh_pymalloc_open(const rh_pymalloc_config *config, rh_heap **heap, rh_error *error)
{
    rh_pymalloc_geometry geometry;
    rh_status status =
        rh_pymalloc_geometry_init(&geometry, config->arena_bytes, config->pool_bytes,
                                  config->alignment, config->small_bytes, config->classes, error);
    if (status == RH_OK) {
        status = open_with(config, &geometry, heap, error);
        if (status != RH_OK)
            rh_pymalloc_geometry_release(&geometry);
    }
    return status;
}

/* ---- the spec ---- */

static const rh_key keys[] = {
    {"arena", RH_KEY_SIZE, RH_ARENA_BYTES_MIN, RH_ARENA_BYTES_MAX, true, NULL, NULL,
     "bytes of an arena"},
    {"pool", RH_KEY_SIZE, RH_POOL_BYTES_MIN, RH_POOL_BYTES_MAX, true, NULL, NULL,
     "bytes of a pool"},
    {"align", RH_KEY_SIZE, RH_ALIGNMENT_MIN, RH_ALIGNMENT_MAX, true, NULL, "16",
     "alignment of blocks, and step of the size classes"},
    {"small", RH_KEY_SIZE, 1, RH_POOL_BYTES_MAX / 2, false, NULL, "512",
     "largest request that pools serve"},
    {"classes", RH_KEY_TEXT, 0, 0, false, "linear[:STEP]|geometric:N|16:32:48:...", "linear",
     "size classes: every STEP bytes (of the alignment if not told), N from a power of two to the "
     "next, or these"},
    {"policy", RH_KEY_CHOICE, 0, 0, false, "most-full|lowest-address|most-recent|least-full",
     "most-full", "which arena the next pool is taken from"},
    {"keep", RH_KEY_COUNT, 0, KEEP_MAX, false, NULL, NULL, "arenas kept without a block"},
    {"source", RH_KEY_CHOICE, 0, 0, false, "mmap|virtual|cached|malloc|huge|recorded", "mmap",
     "where arenas come from; virtual: addresses are numbers (implies metadata=side); huge: huge "
     "pages (arena=2M where not given)"},
    {"cache", RH_KEY_COUNT, 0, RH_ARENA_CACHE_MAX, false, NULL, "0",
     "arenas given back that stay mapped for reuse (16 with source=cached where not given)"},
    {"places", RH_KEY_TEXT, 0, 0, false, "FILE", "",
     "addresses of the arenas of a recording, a line each; for source=recorded"},
    {"metadata", RH_KEY_CHOICE, 0, 0, false, "in-band|side", "in-band",
     "where headers and links lie"},
    {"large", RH_KEY_CHOICE, 0, 0, false, "space|libc", "space",
     "what serves RAW, zero and large requests"},
    {0},
};

static void
apply_sizes(const rh_spec_part *part, rh_pymalloc_config *config)
{
    rh_spec_number(part, "arena", &config->arena_bytes);
    rh_spec_number(part, "pool", &config->pool_bytes);
    rh_spec_number(part, "align", &config->alignment);
    bool listed =
        rh_spec_text(part, "classes", &config->classes) && rh_size_classes_is_list(config->classes);
    if (!rh_spec_number(part, "small", &config->small_bytes) && listed)
        config->small_bytes = 0; /* the list's last size */
    uint64_t number;
    if (rh_spec_number(part, "keep", &number))
        config->keep = (uint32_t)number;
}

static void
apply_choices(const rh_spec_part *part, rh_pymalloc_config *config)
{
    uint64_t choice;
    if (rh_spec_number(part, "policy", &choice))
        config->policy = (rh_policy)choice;
    if (rh_spec_number(part, "source", &choice))
        config->source = (rh_arena_source_kind)choice;
    if (config->source == RH_SOURCE_VIRTUAL)
        config->metadata = RH_METADATA_SIDE;
    if (config->source == RH_SOURCE_HUGE && !rh_spec_number(part, "arena", &choice) &&
        config->arena_bytes < RH_HUGE_PAGE_BYTES)
        config->arena_bytes = RH_HUGE_PAGE_BYTES;
    if (config->source == RH_SOURCE_CACHED)
        config->cache = RH_ARENA_CACHE_STANDARD;
    if (rh_spec_number(part, "cache", &choice))
        config->cache = (uint32_t)choice;
    rh_spec_text(part, "places", &config->places);
    if (rh_spec_number(part, "metadata", &choice))
        config->metadata = (rh_metadata_place)choice;
    if (rh_spec_number(part, "large", &choice))
        config->large = (rh_large_kind)choice;
}

static rh_status
open_spec(const rh_spec_part *part, rh_heap **heap, rh_error *error)
{
    rh_pymalloc_config config;
    rh_status status = rh_pymalloc_config_init(&config, part->preset, error);
    if (status != RH_OK)
        return status;
    apply_sizes(part, &config);
    apply_choices(part, &config);
    return rh_pymalloc_open(&config, heap, error);
}

/* The version it is identical to. */
static void
version(const rh_spec_part *part, char *text, size_t capacity)
{
    snprintf(text, capacity, "as CPython %s",
             part->preset ? part->preset : RH_PYMALLOC_STANDARD_PRESET);
}

const rh_allocator rh_pymalloc_allocator = {
    .name = "pymalloc",
    .summary = "CPython's allocator for small objects, every constant a parameter",
    .presets = rh_pymalloc_presets,
    .keys = keys,
    .many = true,
    .deterministic = true,
    .open = open_spec,
    .version = version,
};
