#include "alloc/pymalloc_geometry.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/size.h"

#define KIB ((size_t)1 << 10)
#define MIB ((size_t)1 << 20)

/* Small pools went with 3.10, which also brought the map of arenas; 3.9 began to keep an arena;
 * 3.11 let the map tell all 64 bits apart. */
static const rh_pymalloc_preset presets[] = {
    {"3.7", 256 * KIB, 4 * KIB, 0, 0}, {"3.8", 256 * KIB, 4 * KIB, 0, 0},
    {"3.9", 256 * KIB, 4 * KIB, 1, 0}, {"3.10", MIB, 16 * KIB, 1, 48},
    {"3.11", MIB, 16 * KIB, 1, 64},    {"3.12", MIB, 16 * KIB, 1, 64},
    {"3.13", MIB, 16 * KIB, 1, 64},    {"3.14", MIB, 16 * KIB, 1, 64},
    {"3.15", MIB, 16 * KIB, 1, 64},
};

const char *const rh_pymalloc_presets[] = {"3.7",  "3.8",  "3.9",  "3.10", "3.11",
                                           "3.12", "3.13", "3.14", "3.15", NULL};

const rh_pymalloc_preset *
rh_pymalloc_preset_find(const char *version)
{
    for (size_t i = 0; i < sizeof presets / sizeof presets[0]; i++) {
        size_t length = strlen(presets[i].version);
        if (strncmp(version, presets[i].version, length) == 0 &&
            !isdigit((unsigned char)version[length]))
            return &presets[i];
    }
    return NULL;
}

static bool
power_of_two_within(uint64_t value, uint64_t min, uint64_t max)
{
    return value >= min && value <= max && (value & (value - 1)) == 0;
}

static rh_status
out_of_range(const char *key, uint64_t value, uint64_t min, uint64_t max, rh_error *error)
{
    char is[RH_SIZE_TEXT], low[RH_SIZE_TEXT], high[RH_SIZE_TEXT];
    return rh_fail(error, RH_USAGE, "%s=%s is not a power of two from %s to %s", key,
                   rh_size_exact(value, is, sizeof is), rh_size_exact(min, low, sizeof low),
                   rh_size_exact(max, high, sizeof high));
}

static rh_status
check_ranges(uint64_t arena_bytes, uint64_t pool_bytes, uint64_t alignment, rh_error *error)
{
    if (!power_of_two_within(arena_bytes, RH_ARENA_BYTES_MIN, RH_ARENA_BYTES_MAX))
        return out_of_range("arena", arena_bytes, RH_ARENA_BYTES_MIN, RH_ARENA_BYTES_MAX, error);
    if (!power_of_two_within(pool_bytes, RH_POOL_BYTES_MIN, RH_POOL_BYTES_MAX))
        return out_of_range("pool", pool_bytes, RH_POOL_BYTES_MIN, RH_POOL_BYTES_MAX, error);
    if (!power_of_two_within(alignment, RH_ALIGNMENT_MIN, RH_ALIGNMENT_MAX))
        return out_of_range("align", alignment, RH_ALIGNMENT_MIN, RH_ALIGNMENT_MAX, error);
    return RH_OK;
}

static rh_status
check_fit(const rh_pymalloc_geometry *geometry, uint64_t small_bytes, rh_error *error)
{
    char pool[RH_SIZE_TEXT], other[RH_SIZE_TEXT];
    rh_size_exact(geometry->pool_bytes, pool, sizeof pool);
    if (geometry->pool_bytes > geometry->arena_bytes)
        return rh_fail(error, RH_USAGE,
                       "pool=%s is larger than arena=%s; an arena is cut into pools", pool,
                       rh_size_exact(geometry->arena_bytes, other, sizeof other));
    if (geometry->pool_bytes / geometry->alignment > RH_POOL_UNITS_MAX)
        return rh_fail(error, RH_USAGE,
                       "pool=%s with align=%zu has more than %d places for a block; take a smaller "
                       "pool or a larger align",
                       pool, geometry->alignment, RH_POOL_UNITS_MAX);
    uint64_t room = geometry->pool_bytes > geometry->header_bytes
                        ? geometry->pool_bytes - geometry->header_bytes
                        : 0;
    uint64_t most = room / RH_POOL_BLOCKS_MIN / geometry->alignment * geometry->alignment;
    if (small_bytes == 0 || small_bytes > most)
        return rh_fail(error, RH_USAGE,
                       "small=%" PRIu64 " does not fit: a pool of %s must hold %d blocks of the "
                       "largest class beside its header of %" PRIu32
                       " bytes; allowed are 1 to %" PRIu64,
                       small_bytes, pool, RH_POOL_BLOCKS_MIN, geometry->header_bytes, most);
    return RH_OK;
}

rh_status
rh_pymalloc_geometry_init(rh_pymalloc_geometry *geometry, uint64_t arena_bytes, uint64_t pool_bytes,
                          uint64_t alignment, uint64_t small_bytes, const char *classes,
                          rh_error *error)
{
    rh_status status = check_ranges(arena_bytes, pool_bytes, alignment, error);
    if (status != RH_OK)
        return status;
    *geometry = (rh_pymalloc_geometry){
        .arena_bytes = arena_bytes,
        .pool_bytes = pool_bytes,
        .alignment = alignment,
        .arena_shift = (unsigned)__builtin_ctzll(arena_bytes),
        .pool_shift = (unsigned)__builtin_ctzll(pool_bytes),
        .class_shift = (unsigned)__builtin_ctzll(alignment),
        .header_bytes = (uint32_t)((RH_POOL_HEADER_BYTES + alignment - 1) / alignment * alignment),
        .pools = (uint32_t)(arena_bytes / pool_bytes),
    };
    rh_size_classes table;
    status = rh_size_classes_init(&table, classes, alignment, small_bytes, error);
    if (status == RH_OK)
        status = check_fit(geometry, table.small_bytes, error);
    if (status != RH_OK) {
        rh_size_classes_release(&table);
        return status;
    }
    geometry->small_bytes = table.small_bytes;
    geometry->classes = table.count;
    geometry->class_bytes = table.bytes;
    geometry->class_of_unit = table.of_unit;
    geometry->table_bytes = table.table_bytes;
    return RH_OK;
}

/* Each class is a larger multiple of the alignment than the one before; each request has the first
 * that holds it; the last one is the threshold's. */
const char *
rh_pymalloc_geometry_check(const rh_pymalloc_geometry *geometry)
{
    size_t before = 0, alignment = geometry->alignment;
    size_t largest = (geometry->small_bytes + alignment - 1) / alignment * alignment;
    for (uint32_t i = 0; i < geometry->classes; i++) {
        size_t bytes = rh_class_bytes(geometry, i);
        if (bytes <= before || bytes % alignment != 0)
            return "the size classes do not ascend by multiples of the alignment";
        if (bytes > largest)
            return "a size class is above the small threshold";
        if (rh_class_of(geometry, before + 1) != i || rh_class_of(geometry, bytes) != i)
            return "a size is not looked up to the smallest class that holds it";
        for (size_t size = before + alignment; geometry->class_of_unit && size < bytes;
             size += alignment)
            if (rh_class_of(geometry, size) != i)
                return "a size is not looked up to the smallest class that holds it";
        before = bytes;
    }
    if (before != largest)
        return "the last size class is not the small threshold's";
    return NULL;
}

void
rh_pymalloc_geometry_release(rh_pymalloc_geometry *geometry)
{
    free(geometry->class_bytes); /* of_unit lies behind it */
    geometry->class_bytes = NULL;
    geometry->class_of_unit = NULL;
}
