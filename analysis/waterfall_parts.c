#include "analysis/waterfall_parts.h"

#include <math.h>
#include <string.h>

/* Neighbours differ in lightness, so that a bar also reads in grey. */
const rh_waterfall_part rh_waterfall_parts[RH_WATERFALL_PARTS] = {
    {"requested_bytes", "asked for by the program", "#0072B2", "white"},
    {"rounding_bytes", "rounding to size classes", "#56B4E9", "black"},
    {"aged_block_bytes", "blocks from before (aged)", "#8C6BB1", "white"},
    {"header_bytes", "headers of blocks", "#333333", "white"},
    {"page_header_bytes", "headers of pools", "#F0E442", "black"},
    {"page_tail_bytes", "ends of pools", "#7A5C00", "white"},
    {"free_block_bytes", "free blocks in used pools", "#E69F00", "black"},
    {"free_page_bytes", "free pools in used arenas", "#D55E00", "white"},
    {"free_arena_bytes", "wholly free arenas", "#CC79A7", "black"},
    {"metadata_bytes", "tables of the allocator", "#009E73", "white"},
    {"other_bytes", "all else (not told apart)", "#BBBBBB", "black"},
};

enum { REQUESTED, ROUNDING, AGED };

static const size_t counters[RH_WATERFALL_PARTS] = {
    [3] = offsetof(rh_counters, header_bytes),    [4] = offsetof(rh_counters, page_header_bytes),
    [5] = offsetof(rh_counters, page_tail_bytes), [6] = offsetof(rh_counters, free_block_bytes),
    [7] = offsetof(rh_counters, free_page_bytes), [8] = offsetof(rh_counters, free_arena_bytes),
    [9] = offsetof(rh_counters, metadata_bytes),  [10] = offsetof(rh_counters, other_bytes),
};

/* RH_UNKNOWN, or no sense (files come from strangers), is not known. */
static double
known(uint64_t value)
{
    return value > UINT64_MAX / 16 ? NAN : (double)value;
}

double
rh_waterfall_at(const rh_sample *sample, size_t part)
{
    uint64_t value;
    if (part == REQUESTED)
        return known(sample->requested_bytes);
    if (part == ROUNDING)
        return known(sample->counters.block_bytes) - known(sample->requested_bytes);
    if (part == AGED)
        return known(sample->aged_block_bytes);
    memcpy(&value, (const char *)&sample->counters + counters[part], sizeof value);
    return known(value);
}
